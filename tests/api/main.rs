//! Black-box tests through HTTP, on both databases, with one harness.
//! Every answer that any test sees is checked against `openapi.yaml`.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[macro_use]
mod harness;

mod contract;
mod lint;
mod system;
mod telling;
mod tokens;
