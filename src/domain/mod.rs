//! Pure values and rules of the field. Knows no database, no web, no clock and no other room.

pub mod delivery_outcome;
pub mod fault;
pub mod id;
pub mod parse;
