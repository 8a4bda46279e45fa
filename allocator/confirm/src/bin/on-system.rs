//! The program on system.

use std::process::ExitCode;

#[global_allocator]
static GLOBAL: std::alloc::System = std::alloc::System;

fn main() -> ExitCode {
    cpymem_confirm::main()
}
