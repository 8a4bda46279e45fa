//! How much an input may cost: decompressed text and memory, both in proportion to the bytes that
//! were really given.

use std::error::Error;
use std::fmt;

const MIB: u64 = 1 << 20;
/// Decompressed bytes that any input may have: as many as 1 MiB of the most compressible recording.
const FREE_TEXT: u64 = 40 * MIB;

/// Text and memory that one input may take.
///
/// Recordings of real programs expand 4 to 33 times under gzip, so nothing real comes near these
/// limits; a small file that claims to be huge does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Decompressed bytes that are always allowed. Beyond, 256 times the compressed bytes read so
    /// far less 216 MiB are: the two rules meet at 1 MiB of input.
    pub text_bytes: u64,
    /// Bytes that a command may hold because of this input.
    pub memory_bytes: u64,
}

impl Limits {
    /// The limits of an input of `bytes` bytes, as stored.
    pub fn of_input(bytes: u64) -> Self {
        Self { text_bytes: FREE_TEXT, memory_bytes: bytes.saturating_mul(96).max(96 * MIB) }
    }

    /// The limits when the user names the memory to use: the text may be as long as that, too.
    pub fn of_memory(bytes: u64) -> Self {
        Self { text_bytes: bytes.max(FREE_TEXT), memory_bytes: bytes }
    }

    /// Decompressed bytes allowed once `compressed` bytes have been read.
    pub fn text_allowed(&self, compressed: u64) -> u64 {
        let in_proportion = compressed.saturating_mul(256).saturating_sub(256 * MIB - FREE_TEXT);
        self.text_bytes.max(in_proportion)
    }
}

/// More memory was asked for than the limit allows, or than the system gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverBudget {
    /// The limit in bytes.
    pub limit: u64,
}

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = self.limit / MIB;
        write!(f, "this input needs more than {limit} MiB of memory (--max-memory allows more)")
    }
}

impl Error for OverBudget {}

/// Counts the bytes that are held because of an input.
///
/// # Invariants
/// 1. `used <= limit`.
/// 2. `used` = bytes charged - bytes released.
#[derive(Clone, Debug)]
pub struct Budget {
    limit: u64,
    used: u64,
}

impl Budget {
    /// A budget of `limit` bytes, all of them free.
    pub fn new(limit: u64) -> Self {
        Self { limit, used: 0 }
    }

    /// Bytes charged and not released.
    pub fn used(&self) -> u64 {
        self.used
    }

    /// Takes `bytes` out of the budget, or changes nothing if they are not there.
    pub fn charge(&mut self, bytes: u64) -> Result<(), OverBudget> {
        if bytes > self.limit - self.used {
            return Err(OverBudget { limit: self.limit });
        }
        self.used += bytes;
        Ok(())
    }

    /// Gives back `bytes` that were charged before.
    pub fn release(&mut self, bytes: u64) {
        debug_assert!(bytes <= self.used, "more released than charged");
        self.used = self.used.saturating_sub(bytes);
    }

    /// Makes room for `extra` more items in `items`, charging what its storage grows by.
    ///
    /// Every `Vec` that grows with an input grows through here, and never by more than a quarter
    /// (half while small): a claimed length alone never costs memory.
    #[inline]
    pub fn reserve<T>(&mut self, items: &mut Vec<T>, extra: usize) -> Result<(), OverBudget> {
        if items.capacity() - items.len() >= extra {
            return Ok(());
        }
        self.grow(items, extra)
    }

    #[cold]
    fn grow<T>(&mut self, items: &mut Vec<T>, extra: usize) -> Result<(), OverBudget> {
        const SMALL: usize = 1 << 20;
        let size = size_of::<T>().max(1);
        let old = items.capacity();
        let step = if old * size < SMALL { old / 2 } else { old / 4 };
        let needed = items.len().saturating_add(extra);
        let wanted = needed.max(old + step).max(256 / size);
        let bytes = ((wanted - old) as u64).saturating_mul(size as u64);
        self.charge(bytes)?;
        if items.try_reserve_exact(wanted - items.len()).is_err() {
            self.release(bytes);
            return Err(OverBudget { limit: self.limit });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_text_rules_meet_at_one_mebibyte() {
        let limits = Limits::of_input(100);
        assert_eq!(limits.text_allowed(0), FREE_TEXT);
        assert_eq!(limits.text_allowed(MIB), FREE_TEXT);
        assert_eq!(limits.text_allowed(2 * MIB), FREE_TEXT + 256 * MIB);
        assert_eq!(limits.text_allowed(u64::MAX), u64::MAX - (256 * MIB - FREE_TEXT));
    }

    #[test]
    fn memory_is_in_proportion_to_the_input() {
        assert_eq!(Limits::of_input(1).memory_bytes, 96 * MIB);
        assert_eq!(Limits::of_input(2 * MIB).memory_bytes, 192 * MIB);
        assert_eq!(Limits::of_input(u64::MAX).memory_bytes, u64::MAX);
        let asked = Limits::of_memory(1 << 30);
        assert_eq!((asked.text_bytes, asked.memory_bytes), (1 << 30, 1 << 30));
    }

    #[test]
    fn a_vec_grows_within_the_budget_and_not_beyond() {
        let mut budget = Budget::new(1000);
        let mut items: Vec<u64> = Vec::new();
        let mut pushed = 0u64;
        while budget.reserve(&mut items, 1).is_ok() {
            items.push(pushed);
            pushed += 1;
        }
        assert!(pushed >= 1000 / 8 / 2, "{pushed} items in 1000 bytes");
        assert!(budget.used() <= 1000 && items.capacity() * 8 <= 1000);
        assert!(budget.reserve(&mut items, usize::MAX).is_err());
    }
}
