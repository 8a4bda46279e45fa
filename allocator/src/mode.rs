//! How soon free memory goes back: the same for all heaps behind [`Global`](crate::Global).

use core::sync::atomic::{AtomicU8, Ordering};

/// What matters more: that memory is ready to be used again, or that it goes back.
///
/// | | `Throughput` | `Balanced` | `Compact` |
/// | --- | --- | --- | --- |
/// | everything free goes back after | 10 s | 1 s | 100 ms |
/// | and before, what a heap has free above | no bound | 1 MiB, a quarter of its pools in use, or what it lately missed if that was 8 MiB | 256 KiB |
/// | arenas of a heap are huge pages from | the second on | the 17th on | never |
///
/// The time counts from the last purge of the process and is looked at where a thread refills or empties a bin,
/// so an idle process purges nothing by itself; see [`Global::purge`](crate::Global::purge).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    /// Memory stays for 10 seconds.
    Throughput = 1,
    /// Memory that is not used again at once goes back.
    #[default]
    Balanced = 0,
    /// Memory goes back nearly at once; programs whose need goes up and down pay for fresh pages each time.
    Compact = 2,
}

/// The mode of all heaps behind `Global`. Relaxed everywhere: it orders nothing.
static MODE: AtomicU8 = AtomicU8::new(Mode::Balanced as u8);

impl Mode {
    /// The mode of the process.
    pub(crate) fn now() -> Mode {
        match MODE.load(Ordering::Relaxed) {
            1 => Mode::Throughput,
            2 => Mode::Compact,
            _ => Mode::Balanced,
        }
    }

    /// Makes this the mode of the process.
    pub(crate) fn set(self) {
        MODE.store(self as u8, Ordering::Relaxed);
    }

    /// Milliseconds between two purges.
    pub(crate) const fn interval(self) -> u64 {
        match self {
            Mode::Throughput => 10_000,
            Mode::Balanced => 1_000,
            Mode::Compact => 100,
        }
    }

    /// Arenas that a heap has before it asks for huge pages: with few, one that is hardly used would weigh too
    /// much.
    pub(crate) const fn arenas_of_small_pages(self) -> usize {
        match self {
            Mode::Throughput => 1,
            Mode::Balanced => 16,
            Mode::Compact => usize::MAX,
        }
    }

    /// Units that a heap may have free and touched, with so many in use and so many that it gave back too early.
    pub(crate) fn units_kept(self, used: usize, missed: usize) -> usize {
        match self {
            Mode::Throughput => usize::MAX,
            // A few that are touched again soon are cheap; it is the heaps that go up and down by much which pay.
            Mode::Balanced if missed < 512 => 64.max(used / 4),
            Mode::Balanced => (used / 4).max(missed),
            Mode::Compact => 16,
        }
    }
}
