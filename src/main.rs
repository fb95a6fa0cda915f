//! The thin binary: nothing but the call into the library.

use std::process::ExitCode;

/// Gives memory back to the system after a filing for thousands of controllers; that of the C library keeps it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    art33::cli::run()
}
