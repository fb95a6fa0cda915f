//! Tokens as callers bring them: good ones under every algorithm, and every fault one by one.
#![expect(clippy::unwrap_used, reason = "tests")]

mod algorithms;
mod faults;
mod key_sets;
mod support;
