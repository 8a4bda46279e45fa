//! A collection of bounded length: it starts at objects that lost references and looks no further than it must.
//!
//! Garbage that holds itself came to be when one of its objects lost a reference and lived on: that object is purple.
//! From a purple object, this looks for a set of objects all of whose references come from the set:
//!
//! ```text
//!   members   objects whose edges were followed           waiting   objects at the end of such an edge
//!   left      references to an object that no member explains
//!
//!   follow the purple object; then, again and again, the waiting object with the fewest references left
//!     no member has references left     ->  the members are garbage, whatever waits
//!     too many had to be followed        ->  given up, until a full collection
//! ```
//!
//! An object with all its references explained costs nothing to follow: if the set is garbage at all, it belongs to
//! it. So a garbage component is walked once, and what hangs on it and is alive is not walked, as it has references
//! that nothing in the set explains. (Bacon and Rajan, "Concurrent Cycle Collection in Reference Counted Systems", 2001,
//! start at the same objects but walk all that these reach.)
//!
//! Each search is complete in itself: between two of them the program may change anything.
#![allow(unsafe_code, reason = "edges lead to objects by address")]

use core::hash::{BuildHasherDefault, Hasher};
use core::time::Duration;
use std::collections::HashMap;
use std::time::Instant;

use cpymem_allocator::pool::Pool;

use crate::candidates::Found;
use crate::collect::{self, Running};
use crate::death::{HAS_PURPLE, HAS_TRIED};
use crate::heap::HeapPtr;
use crate::inspect::Edges;
use crate::object::ObjPtr;
use crate::schedule::Generation;
use crate::side_word::{SidePtr, SideWord};
use crate::visitor::{Target, Visitor};

/// What one call of [`Collector::step`](crate::Collector::step) did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepReport {
    /// Unreachable objects found, without those that were resurrected.
    pub collected: usize,
    /// Objects that had lost references and were looked at.
    pub examined: usize,
    /// Searches that were given up because too much had to be followed. What they were about is alive, or garbage too
    /// large or too entangled for a step, and is left to a full collection.
    pub given_up: usize,
    /// The most objects that one search followed: a component larger than the budget shows here.
    pub largest: usize,
    /// The heap had grown by more than an eighth since a step or a full collection last left nothing to look at, and the
    /// step took up to three times its budget; or by more than a quarter, and it took about as long as a full collection more.
    pub over_budget: bool,
    /// That was not enough either, and a full collection ran.
    pub full_collection: bool,
    /// Nothing is left to look at.
    pub done: bool,
}

/// How much a search may spend on an object before it gives up, at the first and at the second try.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effort {
    First,
    Second,
}

impl Effort {
    /// Members with references left that it puts up with: what a live object costs.
    fn unexplained(self) -> usize {
        match self {
            Effort::First => 8,
            Effort::Second => 1024,
        }
    }

    /// Members in all, if time does not end it before.
    const MEMBERS: usize = 1 << 16;
}

/// Objects that are followed between two looks at the clock.
const PATIENCE: usize = 64;
/// Garbage that is destroyed together.
const TOGETHER: usize = 512;

/// See [`Collector::step`](crate::Collector::step).
pub(crate) fn step(heap: HeapPtr, budget: Duration) -> StepReport {
    let Some(running) = Running::start(heap) else { return StepReport::default() };
    let start = Instant::now();
    let mut step = Step::new(heap, start.checked_add(budget));
    heap.events.guard(|| step.run());
    let thrice = budget.saturating_mul(3);
    for (growth, longest) in [(8, thrice), (4, thrice.saturating_add(step.full_collection_time()))] {
        if !step.report.done && step.has_grown_by(growth) {
            step.clock.deadline = start.checked_add(longest);
            step.report.over_budget = true;
            heap.events.guard(|| step.run());
        }
    }
    // Searches may look at the same objects again and again; a full collection looks at each twice.
    let full = (heap.given_up.get() > 0 || !step.report.done) && step.has_grown_by(4);
    let mut report = step.report;
    if report.done && heap.given_up.get() == 0 {
        heap.step_baseline.set(heap.pools.live_blocks());
    }
    let panic = heap.events.take_panic();
    drop(running);
    collect::resume(panic);
    if full {
        report.full_collection = true;
        report.collected += collect::collect(heap, Generation::Old);
    }
    report
}

/// When to stop.
struct Clock {
    deadline: Option<Instant>,
    /// Objects to follow before the next look.
    patience: usize,
    over: bool,
}

impl Clock {
    /// One more object was followed; `true` if time is over.
    #[inline]
    fn tick(&mut self) -> bool {
        self.patience -= 1;
        if self.patience == 0 {
            self.look();
        }
        self.over
    }

    #[cold]
    fn look(&mut self) {
        self.patience = PATIENCE;
        self.over = self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
    }
}

struct Step {
    heap: HeapPtr,
    report: StepReport,
    clock: Clock,
    search: Search,
    found: Found,
}

impl Step {
    fn new(heap: HeapPtr, deadline: Option<Instant>) -> Step {
        if heap.step_baseline.get() == 0 {
            heap.step_baseline.set(heap.pools.live_blocks());
        }
        Step {
            heap,
            report: StepReport::default(),
            clock: Clock { deadline, patience: PATIENCE, over: false },
            search: Search::default(),
            found: Found::default(),
        }
    }

    /// The cap on what is put off: more objects than when nothing was, by a part of them.
    fn has_grown_by(&self, part: usize) -> bool {
        let baseline = self.heap.step_baseline.get();
        self.heap.pools.live_blocks() > baseline + baseline / part + TOGETHER
    }

    /// What a full collection would take, roughly: after that much time it is not worth while to avoid it any longer.
    fn full_collection_time(&self) -> Duration {
        Duration::from_nanos(self.heap.pools.live_blocks() as u64 * 50)
    }

    /// Looks at purple objects, those of the pools noted last first, until none is left or time is over.
    fn run(&mut self) {
        self.clock.over = false;
        for effort in [Effort::First, Effort::Second] {
            while let Some(pool) = self.next_pool(effort) {
                self.look_into(pool, effort);
                if self.clock.over {
                    return self.destroy_found();
                }
            }
            self.destroy_found();
            if self.clock.over {
                return;
            }
        }
        self.report.done = self.heap.purple.is_empty();
    }

    fn next_pool(&self, effort: Effort) -> Option<Pool<'static>> {
        let wanted = match effort {
            Effort::First => HAS_PURPLE,
            Effort::Second => HAS_TRIED,
        };
        let purple = &self.heap.purple;
        let pools = (0..purple.len()).rev().filter_map(|place| purple.get(place));
        pools.into_iter().find(|&pool| purple.flags(pool) & wanted != 0)
    }

    /// Looks at the purple objects of one pool. Destructors run in between, and may take the pool away: then it returns.
    fn look_into(&mut self, pool: Pool<'static>, effort: Effort) {
        for (block, side) in pool.blocks() {
            // SAFETY: the side bytes of a carved block.
            let side = unsafe { SidePtr::new(side) };
            let word = side.get();
            if !word.is_purple() || word.is_tried() != (effort == Effort::Second) {
                continue;
            }
            // SAFETY: a carved block of the heap's pools.
            let object = unsafe { ObjPtr::in_block(block) };
            let Some(root) = object.filter(|object| object.meta().is_purple() && object.meta().is_tracked())
            else {
                side.set(word.with_purple(false)); // the block was used anew since
                continue;
            };
            if word.generation() == SideWord::FROZEN {
                // Only unfreezing makes it a candidate again, and is followed by a full pass.
                side.set(word.with_purple(false));
                root.set_meta(root.meta().not_purple());
                continue;
            }
            self.examine(root, side, effort);
            if self.clock.over {
                return;
            }
            if self.found.unreachable.len() >= TOGETHER {
                self.destroy_found();
                return; // the pool may be gone; if it is not, it is still listed
            }
        }
        let left = pool.blocks().fold(0, |left, (_, side)| {
            // SAFETY: as above.
            let word = unsafe { SidePtr::new(side) }.get();
            left | if !word.is_purple() {
                0
            } else if word.is_tried() {
                HAS_TRIED
            } else {
                HAS_PURPLE
            }
        });
        match left {
            0 => self.heap.purple.remove(pool),
            left => self.heap.purple.set_flags(pool, left),
        }
    }

    fn examine(&mut self, root: ObjPtr, side: SidePtr, effort: Effort) {
        self.report.examined += 1;
        let is_first = self.report.examined == 1;
        let outcome = self.search.run(self.heap, root, effort, &mut self.clock);
        self.report.largest = self.report.largest.max(self.search.members());
        if outcome == Outcome::Interrupted && !is_first {
            return; // it is still purple: the next step begins with it, or with one that was noted later
        }
        self.search.take_garbage(&mut self.found);
        if !side.get().is_purple() {
            return; // it was garbage
        }
        match (outcome, effort) {
            (Outcome::Alive, _) => {
                side.set(side.get().with_purple(false));
                root.set_meta(root.meta().not_purple());
            }
            (_, Effort::First) => {
                side.set(side.get().tried());
                self.heap.purple.add(root.pool(), HAS_TRIED);
            }
            (_, Effort::Second) => {
                side.set(side.get().with_purple(false));
                root.set_meta(root.meta().not_purple());
                self.report.given_up += 1;
                self.heap.given_up.set(self.heap.given_up.get() + 1);
                self.heap.leftover.set(true);
            }
        }
    }

    fn destroy_found(&mut self) {
        let found = core::mem::take(&mut self.found);
        self.report.collected += collect::destroy(self.heap, found);
        self.clock.look();
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    /// Everything that could matter was followed.
    Alive,
    /// The members are garbage.
    Garbage,
    /// More had to be followed than the effort allows.
    GivenUp,
    /// Time is over.
    Interrupted,
}

struct Node {
    object: ObjPtr,
    /// References that no member explains.
    left: u32,
    is_member: bool,
}

/// One search. Kept for the next one, so that its memory is.
#[derive(Default)]
struct Search {
    places: HashMap<Target, u32, BuildHasherDefault<AddressHasher>>,
    nodes: Vec<Node>,
    /// Explained objects that are no members yet.
    ready: Vec<u32>,
    /// Objects that had references left when they were met.
    waiting: Vec<u32>,
    members: usize,
    /// Members with references left.
    unexplained: usize,
    /// An object was found to have more references than it counts: some `Trace` is wrong.
    contradiction: bool,
    edges: Vec<Target>,
}

impl Search {
    fn members(&self) -> usize {
        self.members
    }

    fn run(&mut self, heap: HeapPtr, root: ObjPtr, effort: Effort, clock: &mut Clock) -> Outcome {
        self.places.clear();
        self.nodes.clear();
        self.ready.clear();
        self.waiting.clear();
        (self.members, self.unexplained, self.contradiction) = (0, 0, false);
        let root = self.enter(root, 0);
        self.follow(heap, root);
        loop {
            let next = match self.ready.pop() {
                Some(next) => next,
                None if self.unexplained == 0 => return Outcome::Garbage,
                None => match self.least_waiting() {
                    None => return Outcome::Alive,
                    Some(_) if self.unexplained >= effort.unexplained() => return Outcome::GivenUp,
                    Some(next) => next,
                },
            };
            self.follow(heap, next);
            if clock.tick() {
                return Outcome::Interrupted;
            }
            if self.members >= Effort::MEMBERS {
                return Outcome::GivenUp;
            }
            if self.contradiction {
                heap.inconsistent.set(heap.inconsistent.get() + 1);
                return Outcome::GivenUp;
            }
        }
    }

    /// Makes an object known, of whose references so many are explained.
    fn enter(&mut self, object: ObjPtr, explained: u32) -> u32 {
        let place = self.nodes.len() as u32;
        let count = object.header().count();
        // The references of an immortal object are never all explained.
        let left = if count.is_immortal() { u32::MAX } else { count.get() - explained };
        self.places.insert(object.as_ptr(), place);
        self.nodes.push(Node { object, left, is_member: false });
        place
    }

    /// Makes an object a member and explains one reference of each that it refers to.
    fn follow(&mut self, heap: HeapPtr, place: u32) {
        let node = &mut self.nodes[place as usize];
        if core::mem::replace(&mut node.is_member, true) {
            return;
        }
        self.members += 1;
        self.unexplained += usize::from(node.left > 0);
        let mut edges = Edges(core::mem::take(&mut self.edges));
        node.object.visit(&mut Visitor::new(&mut edges));
        for target in edges.0.drain(..) {
            self.explain(heap, target);
        }
        self.edges = edges.0;
    }

    fn explain(&mut self, heap: HeapPtr, target: Target) {
        if let Some(&place) = self.places.get(&target) {
            let node = &mut self.nodes[place as usize];
            match node.left {
                u32::MAX => {}
                0 => self.contradiction = true,
                1 if node.is_member => {
                    node.left = 0;
                    self.unexplained -= 1;
                }
                1 => {
                    node.left = 0;
                    self.ready.push(place);
                }
                _ => node.left -= 1,
            }
            return;
        }
        // SAFETY: an edge leads to a live object, and no user code runs during a search.
        let object = unsafe { ObjPtr::new(target) };
        if !object.meta().is_tracked()
            || HeapPtr::of(object) != heap
            || object.side_ptr().get().generation() == SideWord::FROZEN
        {
            return; // not a candidate
        }
        let place = self.enter(object, 1);
        match self.nodes[place as usize].left {
            0 => self.ready.push(place),
            _ => self.waiting.push(place),
        }
    }

    /// The object with the fewest references left of those that wait.
    fn least_waiting(&mut self) -> Option<u32> {
        let nodes = &self.nodes;
        self.waiting.retain(|&place| !nodes[place as usize].is_member && nodes[place as usize].left > 0);
        let least = (0..self.waiting.len()).min_by_key(|&i| nodes[self.waiting[i] as usize].left)?;
        Some(self.waiting.swap_remove(least))
    }

    /// Moves the members that no reference from elsewhere reaches to `found`. Their references all come from members
    /// that are not reached either, however the search ended.
    fn take_garbage(&mut self, found: &mut Found) {
        if self.contradiction {
            return;
        }
        let is_live = |node: &Node| node.is_member && node.left > 0;
        let mut live: Vec<u32> =
            (0..).zip(&self.nodes).filter(|(_, node)| is_live(node)).map(|(i, _)| i).collect();
        // Reached members leave the set; they need not be looked at again.
        live.iter().for_each(|&place| self.nodes[place as usize].is_member = false);
        while let Some(place) = live.pop() {
            for target in Edges::of(self.nodes[place as usize].object) {
                let Some(&place) = self.places.get(&target) else { continue };
                if core::mem::replace(&mut self.nodes[place as usize].is_member, false) {
                    live.push(place);
                }
            }
        }
        for node in self.nodes.drain(..).filter(|node| node.is_member) {
            node.object.side_ptr().set(SideWord::OLD);
            found.add(node.object);
        }
    }
}

/// Addresses are hashed by one multiplication; their low bits say little.
#[derive(Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_usize(usize::from(byte)));
    }

    fn write_usize(&mut self, word: usize) {
        self.0 = (self.0 ^ word as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(26);
    }
}
