//! The program: see the library of the same package.

use std::process::ExitCode;

use clap::Parser;
use cpymem_allocator::Global;
use cpymem_harness::{args::Args, command};

/// The program's own memory comes from elsewhere than the C library's heap, which is one of the allocators that
/// it measures: what that heap holds during a replay is then the replay's.
#[global_allocator]
static OWN_MEMORY: Global = Global;

fn main() -> ExitCode {
    command::run(Args::parse())
}
