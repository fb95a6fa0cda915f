//! Pure values and rules of the field. Knows no database, no web, no clock and no other room.

pub mod actor;
pub mod agreement;
pub mod content;
pub mod count;
pub mod counting;
pub mod delivery;
pub mod delivery_outcome;
pub mod duty;
pub mod duty_record;
pub mod event;
pub mod fault;
pub mod filing;
pub mod id;
pub mod incident;
pub mod ledger;
pub mod obligation;
pub mod organisation;
pub mod page;
pub mod parse;
pub mod span;
pub mod terms;
pub mod vocabulary;
pub mod webhook;
