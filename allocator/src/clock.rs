//! The time of the purges.
#![allow(unsafe_code, reason = "asks the kernel for the time")]

/// Milliseconds of a clock that never runs backwards and is a tick (1 to 10 ms) late. Costs about 5 ns: the
/// kernel leaves the time in memory.
pub(crate) fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes a time to the place that is given.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &mut time) };
    // The clock starts at 0 when the machine does; 1 keeps it above what `Interval` starts at.
    time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000 + 1
}
