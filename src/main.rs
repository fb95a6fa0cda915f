//! The thin binary: nothing but the call into the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    art33::cli::run()
}
