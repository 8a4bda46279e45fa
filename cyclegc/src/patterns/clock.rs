//! CPU time of the thread: a pause is not longer because another program ran.
#![allow(unsafe_code, reason = "a system call fills a struct")]

use core::time::Duration;

/// CPU time of this thread since some moment.
#[cfg(unix)]
pub(super) fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the struct is ours, and the call writes nothing else.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    match failed {
        0 => Duration::new(time.tv_sec as u64, time.tv_nsec as u32),
        _ => Duration::ZERO,
    }
}

/// Time since some moment, as there is no better clock here.
#[cfg(not(unix))]
pub(super) fn cpu_time() -> Duration {
    use std::sync::OnceLock;
    use std::time::Instant;

    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}
