//! art33: files a personal data breach once and keeps every notification promise that follows from it.
//!
//! The map of rooms; `tests/rooms.rs` enforces who may import whom, and `ARCHITECTURE.md` says why.

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
