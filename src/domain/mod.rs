//! Pure values and rules of the field. Knows no database, no web, no clock and no other room.

pub mod agreement;
pub mod content;
pub mod count;
pub mod delivery_outcome;
pub mod fault;
pub mod filing;
pub mod id;
pub mod organisation;
pub mod parse;
pub mod span;
pub mod terms;
pub mod vocabulary;
