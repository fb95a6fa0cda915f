//! The thin binary: nothing but the call into the library.

use std::process::ExitCode;

/// Gives memory back to the system after a filing for thousands of controllers, also that of the embedded database; set up in
/// `.cargo/config.toml`. That of the C library keeps it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    art33::cli::run()
}
