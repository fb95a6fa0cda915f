//! Black-box tests through HTTP, on both databases, with one harness.
//! Every answer that any test sees is checked against `openapi.yaml`.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[macro_use]
mod harness;

mod agreements;
mod contract;
mod import;
mod lint;
mod organisations;
mod system;
mod telling;
mod tokens;
mod webhooks;
