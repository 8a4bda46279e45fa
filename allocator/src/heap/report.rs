//! What a heap says of itself, by walking.

use super::Heap;
use crate::arenas::Arenas;
use crate::pin_map::ArenaFill;
use crate::pool_meta::RUN;
use crate::route::{LINK, SHIFT};
use crate::source::ArenaSource;
use crate::stats::Stats;

impl<S: ArenaSource> Heap<S> {
    /// Bytes and counts of the heap now, found by walking its pools: no counter is kept on the fast path.
    /// Costs about 2 ns a pool.
    pub fn stats(&self) -> Stats {
        let mut stats = Stats::empty();
        for (class, bin) in self.bins.iter().enumerate() {
            stats.add_cached(class, bin.list.count(LINK));
        }
        self.add_pools(&mut stats);
        stats
    }

    /// Adds what a heap holds that another thread may own.
    pub(crate) fn add_from_outside(&self, stats: &mut Stats) {
        for (class, bin) in self.bins.iter().enumerate() {
            stats.add_perhaps_cached(class, bin.filled.get() as usize);
        }
        self.add_pools(stats);
    }

    fn add_pools(&self, stats: &mut Stats) {
        let _arenas_stay = self.arenas.lock();
        for arena in self.arenas.iter() {
            if arena.is_run() {
                let pool = Arenas::<S, SHIFT>::pools_of(arena).next();
                stats.add_mapping(pool.map_or(0, |pool| pool.block_size.get()), arena.run_bytes());
                continue;
            }
            stats.add_arena(Arenas::<S, SHIFT>::dirty_units(arena));
            for pool in Arenas::<S, SHIFT>::pools_of(arena) {
                match pool.class.get() {
                    RUN => stats.add_run(pool.block_size.get()),
                    class => stats.add_pool(class as usize, pool.lent()),
                }
            }
        }
        stats.add_arenas(self.arenas.highwater(), self.arenas.mapped_in_all());
        stats.add_held(self.budget.held_bytes(), self.budget.peak_held_bytes());
    }

    /// Every arena of pools, by address, with the fill of its pools: which blocks keep what memory from going
    /// back. Each is copied when the iterator reaches it; items are about 4 KiB.
    pub fn arenas(&self) -> impl Iterator<Item = ArenaFill> {
        let mut last = 0;
        core::iter::from_fn(move || {
            let _arenas_stay = self.arenas.lock();
            let mut rest = self.arenas.iter().filter(|arena| !arena.is_run());
            let arena = rest.find(|arena| arena.start().addr().get() > last)?;
            last = arena.start().addr().get();
            Some(ArenaFill::of::<S>(arena))
        })
    }

    /// Bytes that the heap holds, as [`Stats::held_bytes`], without a walk.
    pub fn held_bytes(&self) -> usize {
        self.budget.held_bytes()
    }

    /// Most bytes that the heap ever held, as [`Stats::peak_held_bytes`], without a walk.
    pub fn peak_held_bytes(&self) -> usize {
        self.budget.peak_held_bytes()
    }

    /// Asserts the invariants and every equation that the docs of the parts state.
    #[cfg(test)]
    pub(crate) fn check(&self) {
        use crate::size_class::{CLASSES, SizeClass};

        for class in (0..CLASSES).map(SizeClass::from_index) {
            let bin = &self.bins[class.index()];
            assert!(bin.list.count(LINK) <= bin.filled.get() as usize);
            assert!(bin.pool.get().is_some() || bin.list.is_empty());
            crate::check::partial(&self.partial[class.index()], class);
        }
        crate::check::arenas(&self.arenas, &self.budget, LINK, |pool| match pool.class.get() {
            RUN => pool.live.get() as usize,
            _ => pool.lent(),
        });
        crate::check::stats(&self.stats());
    }
}
