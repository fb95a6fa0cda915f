//! Loops that do what is due: each takes no input, reads everything from the database, and exports its single step.
//!
//! Woken two ways, by the nudge after a commit and by the clock; a lost nudge costs only delay.

pub mod auditor;
pub mod delivery;
pub mod duties;
pub mod escalation;
pub mod gate;
pub mod probes;
