//! Pure values and rules of the field. Knows no database, no web, no clock and no other room.

pub mod fault;
pub mod id;
pub mod parse;
