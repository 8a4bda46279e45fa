//! The program on cpymem.

use std::process::ExitCode;

#[global_allocator]
static GLOBAL: cpymem_allocator::Global = cpymem_allocator::Global;

fn main() -> ExitCode {
    cpymem_confirm::main()
}
