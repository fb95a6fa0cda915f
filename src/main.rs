//! The thin binary: nothing but the call into the library.

fn main() {}
