//! README and `docs/receiving.md` keep their word: what they quote is what is there, and what they show to receivers works.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod messages;
mod quotes;
mod receivers;
mod shown;
mod verifying;
