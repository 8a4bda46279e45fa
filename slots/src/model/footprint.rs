//! What an instance costs.

use super::abi::{Abi, Allocator};

/// The memory of one instance, attribute values excluded. All sizes are bytes.
///
/// Accounting, checked by the tests row by row:
///
/// ```text
/// requested_bytes = sum of size * count over requests
/// pymalloc_bytes  = sum of roundup(size, 2 words) * count, sizes 1 to 512
/// libc_bytes      = sum of max(4 words, roundup(size + word, 16)) * count, all other sizes
/// heap_bytes      = pymalloc_bytes + libc_bytes
/// ```
///
/// A free-threaded build has mimalloc in pymalloc's place, for requests of every size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footprint {
    pub(crate) requests: Vec<(u64, u64)>,
    pub(crate) getsizeof: u64,
    pub(crate) getsizeof_dict: Option<u64>,
    pub(crate) allocator: Allocator,
}

impl Footprint {
    /// From the sizes of all requests, in any order.
    pub(crate) fn new(
        mut sizes: Vec<u64>,
        getsizeof: u64,
        getsizeof_dict: Option<u64>,
        abi: &Abi,
    ) -> Footprint {
        sizes.sort_unstable();
        let mut requests: Vec<(u64, u64)> = Vec::new();
        for size in sizes {
            match requests.last_mut() {
                Some((last, count)) if *last == size => *count += 1,
                _ => requests.push((size, 1)),
            }
        }
        Footprint { requests, getsizeof, getsizeof_dict, allocator: abi.allocator }
    }

    /// What the interpreter asks its allocator for, as tracemalloc sees it: (size, count), sizes ascending.
    pub fn requests(&self) -> &[(u64, u64)] {
        &self.requests
    }

    /// Bytes asked for in all.
    pub fn requested_bytes(&self) -> u64 {
        self.total(|size| size)
    }

    /// The pymalloc blocks that serve the small requests: (block size, count), sizes ascending. Of a
    /// free-threaded build: mimalloc's size classes, for all requests.
    pub fn blocks(&self) -> Vec<(u64, u64)> {
        let mut blocks: Vec<(u64, u64)> = Vec::new();
        for &(size, count) in &self.requests {
            let Some(size) = self.allocator.block(size) else { continue };
            match blocks.last_mut() {
                Some((last, sum)) if *last == size => *sum += count,
                _ => blocks.push((size, count)),
            }
        }
        blocks
    }

    /// Bytes of pymalloc blocks; of a free-threaded build: of mimalloc's.
    pub fn pymalloc_bytes(&self) -> u64 {
        self.total(|size| self.allocator.block(size).unwrap_or(0))
    }

    /// Bytes of the chunks that glibc's `malloc` hands out for what pymalloc does not serve.
    pub fn libc_bytes(&self) -> u64 {
        self.total(|size| if self.allocator.block(size).is_some() { 0 } else { self.allocator.chunk(size) })
    }

    /// Bytes taken from the process: blocks and chunks.
    pub fn heap_bytes(&self) -> u64 {
        self.pymalloc_bytes().saturating_add(self.libc_bytes())
    }

    /// What `sys.getsizeof(obj)` says. It leaves out values and dict, so it is no measure of the cost.
    pub fn getsizeof(&self) -> u64 {
        self.getsizeof
    }

    /// What `sys.getsizeof(obj.__dict__)` would say; `None` for an object without a `__dict__`.
    ///
    /// Asking CPython for it makes the dict object; asking here changes nothing.
    pub fn getsizeof_dict(&self) -> Option<u64> {
        self.getsizeof_dict
    }

    fn total(&self, cost: impl Fn(u64) -> u64) -> u64 {
        let each = |&(size, count): &(u64, u64)| cost(size).saturating_mul(count);
        self.requests.iter().map(each).fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accounting_equations_hold() {
        let abi = Abi::of("3.12".parse::<crate::model::Target>().unwrap()).unwrap();
        let it = Footprint::new(vec![1520, 56, 64, 56, 0], 56, Some(64), abi);
        assert_eq!(it.requests(), [(0, 1), (56, 2), (64, 1), (1520, 1)]);
        assert_eq!(it.requested_bytes(), 2 * 56 + 64 + 1520);
        assert_eq!(it.blocks(), [(64, 3)]);
        assert_eq!(it.pymalloc_bytes(), 192);
        assert_eq!(it.libc_bytes(), 1536 + 32);
        assert_eq!(it.heap_bytes(), 192 + 1536 + 32);
    }
}
