//! Real kills in the middle of work: the program as it is shipped, ended without warning, started again on the same data.
//! What was answered must be there, what was promised must be told, and the ledger must fit.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod alive;
mod clients;
#[cfg(feature = "postgres")]
mod crowd;
mod cuts;
mod disk;
mod gate;
mod kills;
mod process;
mod receivers;
#[cfg(feature = "postgres")]
mod replicas;
#[cfg(feature = "postgres")]
mod restart;
mod rows;
mod shutdown;
mod world;

#[cfg(feature = "postgres")]
#[path = "../support/postgres.rs"]
mod postgres;
