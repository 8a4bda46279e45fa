//! The program on snmalloc.

use std::process::ExitCode;

#[global_allocator]
static GLOBAL: snmalloc_rs::SnMalloc = snmalloc_rs::SnMalloc;

fn main() -> ExitCode {
    cpymem_confirm::main()
}
