#![allow(unsafe_code, reason = "drives the allocator and reads and writes its blocks")]
//! The allocator beside a slow, obvious model, on random requests.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::{FullPool, InPlace, POOL_SIZE, Pymalloc, Rules};

/// pymalloc with pools that are counters and lists that are searched.
struct Model {
    rules: Rules,
    /// The pools that have room, by class, in their order.
    with_room: HashMap<usize, Vec<usize>>,
    /// Class and live blocks of every pool ever made; pools are never used again.
    pools: Vec<(usize, usize)>,
}

impl Model {
    fn new(rules: Rules) -> Self {
        Self { rules, with_room: HashMap::new(), pools: Vec::new() }
    }

    /// The pool that serves a request, if one does.
    fn alloc(&mut self, size: usize) -> Option<usize> {
        if size == 0 || size > 512 {
            return None;
        }
        let class = size.div_ceil(16);
        let list = self.with_room.entry(class).or_default();
        if list.is_empty() {
            self.pools.push((class, 0));
            list.push(self.pools.len() - 1);
        }
        let pool = list[0];
        self.pools[pool].1 += 1;
        if self.pools[pool].1 == blocks_of(class) {
            list.remove(0);
        }
        Some(pool)
    }

    fn free(&mut self, pool: usize) {
        let (class, live) = self.pools[pool];
        let list = self.with_room.entry(class).or_default();
        if live == blocks_of(class) {
            match self.rules.full_pool {
                FullPool::Front => list.insert(0, pool),
                FullPool::Rear => list.push(pool),
            }
        }
        self.pools[pool].1 -= 1;
        if live == 1 {
            list.retain(|&other| other != pool);
        }
    }

    /// Whether a block of a pool stays where it is.
    fn stays(&self, pool: usize, size: usize) -> bool {
        let block = self.pools[pool].0 * 16;
        let fits = size > 0 && size <= block;
        fits && (self.rules.realloc == InPlace::WheneverItFits || 4 * size > 3 * block)
    }

    fn in_use(&self) -> usize {
        self.pools.iter().filter(|&&(_, live)| live > 0).count()
    }
}

fn blocks_of(class: usize) -> usize {
    (16_384 - 48) / (class * 16)
}

/// A live block as the test knows it.
struct Block {
    at: *mut u8,
    size: usize,
    fill: u8,
    pool: Option<usize>,
}

struct Pair {
    real: Pymalloc,
    model: Model,
    blocks: Vec<Block>,
    /// Start and end of every live block.
    ranges: BTreeMap<usize, usize>,
    /// The page of every pool of the model that holds a block.
    pages: HashMap<usize, usize>,
    next_fill: u8,
}

impl Pair {
    fn new(rules: Rules) -> Self {
        Self {
            real: Pymalloc::new(rules),
            model: Model::new(rules),
            blocks: Vec::new(),
            ranges: BTreeMap::new(),
            pages: HashMap::new(),
            next_fill: 0,
        }
    }

    fn alloc(&mut self, size: usize, zeroed: bool) {
        let at = if zeroed { self.real.calloc(size) } else { self.real.malloc(size) };
        if zeroed {
            // SAFETY: the block has `size` bytes, all of them set by calloc.
            assert!(unsafe { std::slice::from_raw_parts(at, size) }.iter().all(|&byte| byte == 0));
        }
        let pool = self.model.alloc(size);
        self.enter(Block { at, size, fill: 0, pool });
    }

    fn realloc(&mut self, index: usize, size: usize) {
        let mut block = self.leave(index);
        let kept = block.size.min(size);
        let before = block.at;
        // SAFETY: the block is live.
        block.at = unsafe { self.real.realloc(block.at, size) };
        assert_filled(block.at, kept, block.fill);
        block.size = size;
        if let Some(pool) = block.pool {
            let stays = self.model.stays(pool, size);
            assert_eq!(stays, before == block.at, "in place");
            if !stays {
                block.pool = self.model.alloc(size);
                self.model.free(pool);
            }
        }
        self.enter(block);
    }

    fn free(&mut self, index: usize) {
        let block = self.leave(index);
        // SAFETY: the block is live, and `leave` forgot it.
        unsafe { self.real.free(block.at) };
        if let Some(pool) = block.pool {
            self.model.free(pool);
        }
    }

    /// Checks a new or moved block's place and fills it.
    fn enter(&mut self, mut block: Block) {
        let start = block.at.addr();
        assert!(start != 0 && start.is_multiple_of(16), "aligned to 16");
        assert_eq!(self.real.is_pooled(block.at), block.pool.is_some());
        let end = start + block.size.max(1);
        let left = self.ranges.range(..end).next_back();
        assert!(left.is_none_or(|(_, &left_end)| left_end <= start), "overlaps another block");
        self.ranges.insert(start, end);
        if let Some(pool) = block.pool {
            let page = start / POOL_SIZE;
            assert_eq!(*self.pages.entry(pool).or_insert(page), page, "in the model's pool");
        }
        self.next_fill = self.next_fill.wrapping_add(37);
        block.fill = self.next_fill;
        // SAFETY: the block has `size` bytes.
        unsafe { block.at.write_bytes(block.fill, block.size) };
        self.blocks.push(block);
    }

    fn leave(&mut self, index: usize) -> Block {
        let block = self.blocks.swap_remove(index);
        assert_filled(block.at, block.size, block.fill);
        self.ranges.remove(&block.at.addr());
        block
    }

    fn check(&mut self) {
        assert_eq!(self.real.pools_in_use(), self.model.in_use());
        let model = &self.model;
        self.pages.retain(|&pool, _| model.pools[pool].1 > 0);
        let mut pages: Vec<_> = self.pages.values().collect();
        pages.sort_unstable();
        pages.dedup();
        assert_eq!(pages.len(), self.pages.len(), "no page serves two pools");
        self.real.arenas.check();
        assert!(self.real.held_bytes() >= self.real.pools_in_use() * POOL_SIZE);
        assert!(self.real.arenas_highwater() >= self.real.arenas());
    }

    fn end(mut self) {
        let mut random = 1_usize;
        while !self.blocks.is_empty() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            self.free((random >> 33) % self.blocks.len());
            // Pools and arenas mostly empty towards the end.
            if self.blocks.len().is_multiple_of(61) {
                self.check();
            }
        }
        assert_eq!((self.real.pools_in_use(), self.real.libc_bytes()), (0, 0));
        assert!(self.real.arenas() <= 1, "only the last usable arena is kept");
    }
}

fn assert_filled(at: *const u8, size: usize, fill: u8) {
    // SAFETY: the block is live and all its bytes were written.
    let bytes = unsafe { std::slice::from_raw_parts(at, size) };
    assert!(bytes.iter().all(|&byte| byte == fill), "content is kept");
}

fn rules() -> impl Strategy<Value = Rules> {
    let full_pool = prop_oneof![3 => Just(FullPool::Front), 1 => Just(FullPool::Rear)];
    let realloc = prop_oneof![3 => Just(InPlace::ThreeQuarters), 1 => Just(InPlace::WheneverItFits)];
    (full_pool, realloc).prop_map(|(full_pool, realloc)| Rules { full_pool, realloc })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Every request checked for place and content; pools and lists checked now and then. Few classes
    /// and a bias to grow, then to shrink, so that pools and arenas fill and empty.
    #[test]
    fn agrees_with_the_model(
        rules in rules(),
        classes in prop::collection::vec(1_usize..=512, 1..4),
        steps in prop::collection::vec((any::<u8>(), any::<u32>()), 1..6_000),
    ) {
        let mut pair = Pair::new(rules);
        let half = steps.len() / 2;
        for (k, &(kind, pick)) in steps.iter().enumerate() {
            let index = (pick as usize).checked_rem(pair.blocks.len());
            let size = match pick >> 24 {
                0 => 0,
                1..=6 => 513 + (pick as usize % 3_000),
                _ => classes[pick as usize % classes.len()],
            };
            let bias = if k < half { 60 } else { 160 };
            match index {
                Some(index) if kind < bias => pair.free(index),
                Some(index) if kind > 230 => pair.realloc(index, size),
                _ => pair.alloc(size, kind % 8 == 0),
            }
            if k % 97 == 0 {
                pair.check();
            }
        }
        pair.check();
        pair.end();
    }
}

/// A pool takes as many blocks as fit, to the last byte where they fit exactly, and not one more.
#[test]
fn every_class_fills_its_pools() {
    for class in 1..=32 {
        let mut pair = Pair::new(Rules::CPYTHON);
        for _ in 0..blocks_of(class) {
            pair.alloc(class * 16, false);
            assert_eq!(pair.real.pools_in_use(), 1, "class of {} bytes", class * 16);
        }
        pair.alloc(class * 16, false);
        assert_eq!(pair.real.pools_in_use(), 2, "class of {} bytes", class * 16);
        pair.end();
    }
}

/// Tens of arenas that empty in a scattered order: lists of arenas are sorted and sliding.
#[test]
fn arenas_come_and_go() {
    let mut pair = Pair::new(Rules::CPYTHON);
    for k in 0..60_000 {
        pair.alloc(64 + (k % 29) * 16, false);
    }
    pair.check();
    assert!(pair.real.arenas() >= 16, "{} arenas", pair.real.arenas());
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for k in 0..59_000_u32 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let index = (random >> 33) as usize % pair.blocks.len();
        pair.free(index);
        if k % 7 == 0 {
            pair.alloc((random >> 20) as usize % 600, false);
        }
        if k % 1_000 == 0 {
            pair.check();
        }
    }
    pair.end();
}

/// A free and a malloc in turn at the edge of an arena must not map and unmap each time.
#[test]
fn the_last_usable_arena_is_kept() {
    let mut real = Pymalloc::new(Rules::CPYTHON);
    let block = real.malloc(100);
    assert_eq!((real.arenas(), real.pools_in_use()), (1, 1));
    // SAFETY: the block is live.
    unsafe { real.free(block) };
    assert_eq!((real.arenas(), real.pools_in_use(), real.pools_highwater()), (1, 0, 1));
    assert_eq!(real.held_bytes(), POOL_SIZE);
}

#[test]
fn requests_that_cannot_be_served() {
    let mut real = Pymalloc::new(Rules::CPYTHON);
    assert!(real.malloc(isize::MAX as usize).is_null() && real.calloc(usize::MAX).is_null());
    let block = real.malloc(24);
    // SAFETY: the block has 24 bytes.
    unsafe { block.write_bytes(7, 24) };
    // SAFETY: the block is live; a failed realloc leaves it so.
    let moved = unsafe { real.realloc(block, isize::MAX as usize) };
    assert!(moved.is_null());
    assert_filled(block, 24, 7);
    // SAFETY: the block is live.
    unsafe { real.free(block) };
    // SAFETY: null is ignored.
    unsafe { real.free(std::ptr::null_mut()) };
    assert_eq!((real.pools_in_use(), real.libc_bytes()), (0, 0));
}

/// A block of libc stays libc's, however small it gets; a block of a pool may leave it.
#[test]
fn realloc_between_pools_and_libc() {
    let mut real = Pymalloc::new(Rules::CPYTHON);
    // SAFETY: null makes it a malloc.
    let pooled = unsafe { real.realloc(std::ptr::null_mut(), 512) };
    assert!(real.is_pooled(pooled));
    // SAFETY: the block is live.
    let left = unsafe { real.realloc(pooled, 513) };
    assert!(!real.is_pooled(left) && real.pools_in_use() == 0 && real.libc_bytes() >= 513);
    // SAFETY: the block is live.
    let stayed = unsafe { real.realloc(left, 16) };
    assert!(!real.is_pooled(stayed) && real.pools_in_use() == 0);
    // SAFETY: the block is live.
    let empty = unsafe { real.realloc(stayed, 0) };
    assert!(!empty.is_null());
    // SAFETY: the block is live.
    unsafe { real.free(empty) };
    assert_eq!(real.libc_bytes(), 0);
    let raw = real.raw_malloc(8);
    assert!(!raw.is_null() && !real.is_pooled(raw));
    // SAFETY: the block is live.
    unsafe { real.free(raw) };
}

#[test]
fn moves_to_another_thread() {
    let mut real = Pymalloc::new(Rules::CPYTHON);
    let at = real.malloc(64).addr();
    let real = std::thread::spawn(move || {
        real.malloc(64);
        real
    });
    let real = real.join().expect("the other thread only allocates");
    assert!(real.pools_in_use() == 1 && at != 0);
}
