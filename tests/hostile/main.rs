//! Hostile and broken receivers: to the client alone, and to the whole service on both databases.
//! Each costs bounded time and bytes, has its outcome on record, and hurts nobody else.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[macro_use]
#[path = "../api/harness/mod.rs"]
#[expect(dead_code, unused_imports, unused_macros, reason = "what other tests need of it")]
mod harness;

mod addresses;
mod behaviour;
mod cases;
mod client;
mod receiver;
mod service;
mod tls;
