//! What resident memory is made of.
//!
//! ```text
//! total = live_seen + live_unseen + garbage + pool_free + overhead + libc + files + stack + rest
//!
//! arenas     blocks of objects that are alive (seen), dead (garbage), of no object in the dump (unseen), free blocks,
//!            and overhead; of the arenas what is resident
//! elsewhere  [heap] and anonymous mappings beyond the arenas: chunks of objects seen, what else malloc holds, the rest
//! files      mappings of files; stack: the main thread's
//! ```
//!
//! The mappings are the truth: every term takes from what is left of them, the surest first, so that the terms that
//! are known sum to the total.

use super::pools::Pools;
use crate::heap::{Flags, Graph, Mapping};
use crate::record_explain::RssRecord;

/// Objects by where their memory is, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Blocks of pools.
    pub blocks: u64,
    /// Chunks of the C library.
    pub chunks: u64,
}

impl Seen {
    /// Both.
    pub fn bytes(&self) -> u64 {
        self.blocks.saturating_add(self.chunks)
    }

    /// Adds an object.
    pub fn add(&mut self, graph: &Graph, id: u32) {
        let all = graph.block_bytes(id);
        let first = graph.blocks().pool_block(graph, id).unwrap_or(0).min(all);
        let rest = all - first;
        // A second request: a table of a dict, items of a list, values of an instance.
        let (blocks, chunks) = if first > 0 && rest <= 512 { (all, 0) } else { (first, rest) };
        self.blocks = self.blocks.saturating_add(blocks);
        self.chunks = self.chunks.saturating_add(chunks);
    }
}

/// What a dump says about the memory of its process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known {
    /// Objects that are alive.
    pub live: Seen,
    /// Objects that are dead.
    pub dead: Seen,
    /// pymalloc's arenas.
    pub pools: Option<Pools>,
    /// Bytes that malloc holds, and of these the ones in use.
    pub malloc: Option<(u64, u64)>,
    /// The mappings.
    pub mappings: Option<Mappings>,
}

/// Resident bytes of mappings by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mappings {
    /// All.
    pub total: u64,
    /// `[heap]`, which grows by `brk`.
    pub heap: u64,
    /// Anonymous ones.
    pub anonymous: u64,
    /// Pages of anonymous mappings that hold pools, but are not resident.
    pub untouched: u64,
    /// The main thread's stack.
    pub stack: u64,
    /// All others.
    pub files: u64,
    /// Those of them that every process of this interpreter has: the interpreter, the C library, locales.
    pub interpreter_files: u64,
}

/// How the names of files begin that every process of an interpreter has.
const INTERPRETER: [&str; 16] = [
    "python",
    "libpython",
    "libc.",
    "libc-",
    "ld-",
    "libm.",
    "libm-",
    "libdl",
    "libpthread",
    "librt",
    "libutil",
    "libcrypt.",
    "locale",
    "LC_",
    "gconv",
    "[v",
];

impl Mappings {
    /// Adds up mappings. `has_pools` says whether small objects are in a mapping.
    pub fn sum(mappings: &[Mapping], has_pools: impl Fn(&Mapping) -> bool) -> Mappings {
        let mut sum = Mappings::default();
        for mapping in mappings {
            let bytes = mapping.rss_kib.saturating_mul(1024);
            sum.total = sum.total.saturating_add(bytes);
            let kind = match &*mapping.name {
                "[heap]" => &mut sum.heap,
                "[stack]" => &mut sum.stack,
                name if name.is_empty() || name.starts_with("[anon") => {
                    if has_pools(mapping) {
                        let size = mapping.end.saturating_sub(mapping.start);
                        sum.untouched = sum.untouched.saturating_add(size.saturating_sub(bytes));
                    }
                    &mut sum.anonymous
                }
                name => {
                    if INTERPRETER.iter().any(|start| name.starts_with(start)) {
                        sum.interpreter_files = sum.interpreter_files.saturating_add(bytes);
                    }
                    &mut sum.files
                }
            };
            *kind = kind.saturating_add(bytes);
        }
        sum
    }
}

impl Known {
    /// What a graph says.
    pub fn of(graph: &Graph) -> Known {
        let mut known = Known::default();
        let mut small: Vec<u64> = Vec::new();
        for id in graph.ids().filter(|&id| graph.is_object(id)) {
            let dead = graph.garbage().dead().has(id);
            if dead { &mut known.dead } else { &mut known.live }.add(graph, id);
            // One address in sixteen tells where the pools are.
            if id % 16 == 0
                && !graph.flags(id).has(Flags::TYPE)
                && graph.blocks().pool_block(graph, id).is_some()
            {
                small.extend(graph.address(id));
            }
        }
        small.sort_unstable();
        if let Some(process) = &graph.process {
            known.pools = process.mallocstats.as_deref().and_then(Pools::parse);
            known.malloc = process.malloc.map(|malloc| (malloc.held, malloc.used));
            known.mappings = process.smaps.as_deref().filter(|it| !it.is_empty()).map(|mappings| {
                Mappings::sum(mappings, |mapping| {
                    let at = small.partition_point(|&address| address < mapping.start);
                    small.get(at).is_some_and(|&address| address < mapping.end)
                })
            });
        }
        known
    }

    /// The terms.
    pub fn terms(&self) -> RssRecord {
        let Some(mappings) = self.mappings else {
            return self.terms_without_mappings();
        };
        let Mappings { heap, mut anonymous, .. } = mappings;
        let mut terms = RssRecord {
            total: Some(mappings.total),
            files: Some(mappings.files),
            stack: Some(mappings.stack),
            ..RssRecord::default()
        };
        let (mut live, mut dead) = (0, 0);
        let mut chunks = [self.live.bytes(), self.dead.bytes()];
        if let Some(pools) = self.pools {
            // Of pools that are not used none may ever have been touched.
            let untouched = mappings.untouched.min(pools.unused);
            let mut left = anonymous.min(pools.bytes().saturating_sub(untouched));
            anonymous -= left;
            live = take(&mut left, self.live.blocks);
            dead = take(&mut left, self.dead.blocks);
            let seen = self.live.blocks.saturating_add(self.dead.blocks);
            terms.live_unseen = Some(take(&mut left, pools.allocated.saturating_sub(seen)));
            terms.pool_free = Some(take(&mut left, pools.available));
            terms.overhead = Some(left);
            chunks = [self.live.chunks, self.dead.chunks];
        }
        let mut left = heap.saturating_add(anonymous);
        let [live_chunks, dead_chunks] = chunks.map(|bytes| take(&mut left, bytes));
        let seen = live_chunks.saturating_add(dead_chunks);
        let libc = match self.malloc {
            Some((held, _)) => held.saturating_sub(seen),
            // Only what grew by `brk` is malloc's for sure.
            None => heap.saturating_sub(seen),
        };
        terms.libc = Some(take(&mut left, libc));
        terms.rest = Some(left);
        terms.live_seen = Some(live + live_chunks);
        terms.garbage = Some(dead + dead_chunks);
        terms
    }

    fn terms_without_mappings(&self) -> RssRecord {
        let seen = self.live.blocks.saturating_add(self.dead.blocks);
        RssRecord {
            live_seen: Some(self.live.bytes()),
            garbage: Some(self.dead.bytes()),
            live_unseen: self.pools.map(|pools| pools.allocated.saturating_sub(seen)),
            pool_free: self.pools.map(|pools| pools.available),
            overhead: self.pools.map(|pools| pools.unused.saturating_add(pools.lost)),
            ..RssRecord::default()
        }
    }
}

/// Takes `bytes`, or what is there.
fn take(left: &mut u64, bytes: u64) -> u64 {
    let taken = bytes.min(*left);
    *left -= taken;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn known() -> Known {
        Known {
            live: Seen { blocks: 3 * MIB, chunks: MIB },
            dead: Seen { blocks: MIB / 2, chunks: 0 },
            pools: Some(Pools {
                arenas: 8,
                arena_bytes: MIB,
                allocated: 5 * MIB,
                available: MIB,
                unused: 2 * MIB - 4096,
                lost: 4096,
            }),
            malloc: Some((3 * MIB, 2 * MIB)),
            mappings: Some(Mappings {
                total: 30 * MIB,
                heap: 3 * MIB,
                anonymous: 10 * MIB,
                untouched: MIB,
                stack: MIB,
                files: 16 * MIB,
                interpreter_files: 0,
            }),
        }
    }

    #[test]
    fn the_terms_sum_to_the_mappings() {
        let terms = known().terms();
        assert_eq!(terms.sum(), 30 * MIB);
        let mib = |bytes: Option<u64>| bytes.unwrap() as f64 / MIB as f64;
        assert_eq!((mib(terms.live_seen), mib(terms.garbage), mib(terms.live_unseen)), (4.0, 0.5, 1.5));
        // 7 of 8 MiB of arenas are resident: 5 allocated, 1 available, 1 of 2 unused.
        assert_eq!((mib(terms.pool_free), mib(terms.overhead)), (1.0, 1.0));
        // 3 of heap and 3 of anonymous memory: 1 of objects, 2 more that malloc holds.
        assert_eq!((mib(terms.libc), mib(terms.rest)), (2.0, 3.0));
    }

    #[test]
    fn whatever_the_input_claims_the_terms_sum_to_the_total() {
        let values = [0, 1, 4095, MIB, 7 * MIB, u64::MAX / 2, u64::MAX];
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            values[(state >> 33) as usize % values.len()]
        };
        for _ in 0..20_000 {
            let [heap, anonymous, stack, files] = [0; 4].map(|_| next() / 8);
            let mut known = known();
            known.live = Seen { blocks: next(), chunks: next() };
            known.dead = Seen { blocks: next(), chunks: next() };
            known.malloc = (next() % 2 == 0).then(|| (next(), next()));
            let pools = Pools {
                arenas: next(),
                arena_bytes: next(),
                allocated: next(),
                available: next(),
                unused: next(),
                lost: next(),
            };
            known.pools = (next() % 2 == 0).then_some(pools);
            let total = heap + anonymous + stack + files;
            known.mappings = Some(Mappings {
                total,
                heap,
                anonymous,
                untouched: next(),
                stack,
                files,
                interpreter_files: 0,
            });
            let terms = known.terms();
            assert_eq!(terms.sum(), total, "{known:?} {terms:?}");
            assert_eq!(terms.live_unseen.is_some(), known.pools.is_some());
        }
    }

    #[test]
    fn what_is_not_told_is_null() {
        let terms = Known { mappings: None, ..known() }.terms();
        assert_eq!(
            (terms.total, terms.libc, terms.files, terms.stack, terms.rest),
            (None, None, None, None, None)
        );
        assert_eq!((terms.live_seen, terms.live_unseen), (Some(4 * MIB), Some(3 * MIB / 2)));
        let terms = Known { pools: None, malloc: None, ..known() }.terms();
        assert_eq!((terms.live_unseen, terms.pool_free, terms.overhead), (None, None, None));
        assert_eq!(terms.sum(), 30 * MIB);
    }
}
