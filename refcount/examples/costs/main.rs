//! The pointers beside `std`'s, in one process, taking turns: nanoseconds for one operation, medians of 25 rounds, and the median of the
//! ratios. Every workload checks its own result.
//!
//! ```text
//! cargo run --release -p cpymem-refcount --example costs [PART OF A NAME...]
//! ```

mod local;
mod measure;
mod shared;

/// `std`'s recursion needs about 100 bytes of stack for each node of a chain in release, several times that in debug.
const STACK: usize = 2 << 30;

fn main() {
    let run = || {
        local::run();
        shared::run();
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(run).expect("a thread");
    thread.join().expect("checked results");
}
