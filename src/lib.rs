//! art33: files a personal data breach once and keeps every notification promise that follows from it.
//!
//! The map of rooms; `tests/rooms.rs` enforces who may import whom, and `ARCHITECTURE.md` says why.
#![cfg_attr(
    not(feature = "postgres"),
    expect(
        dead_code,
        irrefutable_let_patterns,
        unused_mut,
        unused_variables,
        clippy::unnecessary_wraps,
        reason = "what only PostgreSQL needs looks needless without it; the build with it checks everything"
    )
)]

pub mod app;
mod bench;
pub mod cli;
pub mod clock;
pub mod config;
pub mod crypto;
pub mod demo;
pub mod domain;
pub mod entropy;
pub mod http;
pub mod identity;
pub mod outbound;
pub mod report;
pub mod service;
pub mod store;
pub mod telemetry;
pub mod worker;
