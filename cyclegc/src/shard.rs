//! A part of the heap in a full pass, and what the pass knows about it.
//!
//! The pools of a heap are dealt to as many shards as there are threads. A shard is used by one thread; what an edge says about
//! an object of another shard is sent there. So nothing is shared and nothing is atomic: whether an object was reached is known in one place.
#![allow(unsafe_code, reason = "blocks are walked by address")]

use std::sync::Arc;

use crate::doomed::DoomedShard;
use crate::gc_refs::GcRefs;
use crate::inquiry::Teardown;
use crate::mark::{Claim, Marking};
use crate::numbers::{Group, Numbers, Place};
use crate::object::ObjPtr;
use crate::reached::{Bits, GROUP, Reached};
use crate::side_word::SideWord;
use crate::teardowns::Teardowns;
use crate::visitor::{EdgeSink, Target, Visitor};

/// Takes edges that somebody else, or the shard itself later, is to look at.
pub(crate) trait Elsewhere {
    /// Edges to objects of the shard itself are weighed at once. If not, they are sent like the others: to tell one from the other would be
    /// a branch that nobody can predict.
    const DIRECT: bool;

    /// An edge leads to an object of a shard.
    fn send(&mut self, shard: usize, target: Target);

    /// What was sent to this shard meanwhile, if it is convenient to look at it now.
    fn received(&mut self) -> Option<Vec<Target>>;

    /// Edges that this shard has sent to itself.
    #[inline(always)]
    fn own_len(&self) -> usize {
        0
    }

    /// Takes the edges that this shard has sent to itself, and leaves the memory that it gets.
    fn take_own(&mut self, _edges: &mut Vec<Target>) {}
}

/// There is one shard, and it is small.
pub(crate) struct Nowhere;

impl Elsewhere for Nowhere {
    const DIRECT: bool = true;

    fn send(&mut self, _: usize, _: Target) {}

    #[inline(always)]
    fn received(&mut self) -> Option<Vec<Target>> {
        None
    }
}

/// There is one shard, whose `gc_refs` exceed the caches: many edges are gathered, so that what they lead to can be asked for together.
#[derive(Default)]
pub(crate) struct Later(Vec<Target>);

/// Edges of a shard to itself that are weighed together.
const TOGETHER: usize = 1024;

impl Elsewhere for Later {
    const DIRECT: bool = false;

    #[inline(always)]
    fn send(&mut self, _: usize, target: Target) {
        self.0.push(target);
    }

    #[inline(always)]
    fn received(&mut self) -> Option<Vec<Target>> {
        None
    }

    #[inline(always)]
    fn own_len(&self) -> usize {
        self.0.len()
    }

    fn take_own(&mut self, edges: &mut Vec<Target>) {
        core::mem::swap(&mut self.0, edges);
    }
}

/// A part of a heap.
///
/// # Invariants
/// 1. A number whose bit in `reached` was 0 at any time is that of a live object, which stays alive while the shard is used.
pub(crate) struct Shard {
    own: u32,
    numbers: Arc<Numbers>,
    groups: Vec<Group>,
    refs: GcRefs,
    /// The signs of `gc_refs` when all is weighed.
    weighed: Vec<i16>,
    reached: Reached,
    /// A word a group: the objects that are not [`Teardown::Plain`], or not of a type that is.
    special: Vec<u64>,
    teardowns: Teardowns,
    pub(crate) candidates: usize,
    /// Something was borrowed, and its edges not seen.
    pub(crate) pinned: bool,
}

impl Shard {
    pub(crate) fn new(own: usize, numbers: Arc<Numbers>, groups: Vec<Group>) -> Shard {
        Shard {
            own: own as u32,
            numbers,
            refs: GcRefs::new(groups.len() * GROUP),
            weighed: Vec::new(),
            reached: Reached::without_candidates(groups.len()),
            special: vec![0; groups.len()],
            teardowns: Teardowns::default(),
            groups,
            candidates: 0,
            pinned: false,
        }
    }

    /// Walks over all objects: adds their counts to their `gc_refs` and takes their edges off those of others.
    pub(crate) fn weigh(&mut self, some_frozen: bool, elsewhere: &mut impl Elsewhere) {
        let (own, numbers) = (self.own, Arc::clone(&self.numbers));
        let mut weighing = Weighing {
            own,
            numbers: &numbers,
            refs: &mut self.refs,
            pinned: false,
            watches: false,
            elsewhere,
        };
        let mut own_edges = Vec::new();
        for (place, group) in self.groups.iter().enumerate() {
            let (mut candidates, mut special) = (0u64, 0u64);
            for index in 0..group.len() {
                group.prefetch_behind(index);
                // SAFETY: a carved block of the heap's pools.
                let Some(object) = (unsafe { ObjPtr::in_block(group.block(index)) }) else { continue };
                let meta = object.meta();
                let is_frozen = || object.side_ptr().get().generation() == SideWord::FROZEN;
                if !meta.is_tracked() || (some_frozen && is_frozen()) {
                    continue;
                }
                if meta.is_purple() {
                    object.set_meta(meta.not_purple());
                }
                let (number, count) = (place * GROUP + index, object.header().count());
                match count.is_immortal() {
                    true => weighing.refs.add_immortal(number),
                    false => weighing.refs.add(number, count.get()),
                }
                candidates |= 1 << index;
                object.visit(&mut Visitor::new(&mut weighing));
                let watches = core::mem::take(&mut weighing.watches);
                if watches || !self.teardowns.is_plain(meta) {
                    special |= 1 << index;
                }
            }
            self.reached.set_candidates(place, candidates);
            self.special[place] = special;
            self.candidates += candidates.count_ones() as usize;
            while let Some(targets) = weighing.elsewhere.received() {
                weighing.take_off(&targets);
            }
            if weighing.elsewhere.own_len() >= TOGETHER {
                weighing.take_off_own(&mut own_edges);
            }
        }
        weighing.take_off_own(&mut own_edges);
        self.pinned |= weighing.pinned;
    }

    /// Takes edges off the `gc_refs` of objects of this shard.
    pub(crate) fn take_off(&mut self, targets: &[Target]) {
        take_off(&self.numbers, &mut self.refs, targets);
    }

    /// All edges of all shards were taken off. `false` if they contradict the counts.
    pub(crate) fn finish_weighing(&mut self) -> bool {
        self.weighed = self.refs.finish();
        let is_contradiction = |group: usize| {
            let refs = self.refs_of(group);
            refs.iter().fold(0, |least, &refs| least.min(refs)) < 0
                && Bits(self.reached.unreached(group)).any(|index| refs[index] < 0)
        };
        !(0..self.groups.len()).any(is_contradiction)
    }

    fn refs_of(&self, group: usize) -> &[i16] {
        &self.weighed[group * GROUP..][..GROUP]
    }

    /// Reaches everything that is referenced from outside, and follows the edges from there.
    pub(crate) fn mark(&mut self, elsewhere: &mut impl Elsewhere) {
        let Shard { own, numbers, groups, weighed, reached, .. } = self;
        let mut marking = Marking::new(ByNumber { own: *own, numbers, reached, elsewhere });
        for (place, group) in groups.iter().enumerate() {
            let refs = &weighed[place * GROUP..][..GROUP];
            let unreached = marking.claim.reached.unreached(place);
            if unreached == 0 || refs.iter().fold(0, |any, &refs| any | refs) == 0 {
                continue;
            }
            for index in Bits(unreached).filter(|&index| refs[index] > 0) {
                marking.claim.reached.reach(place * GROUP + index);
                // SAFETY: invariant 1.
                marking.push(unsafe { group.object(index) });
            }
            if marking.len() >= GROUP {
                marking.propagate();
            }
        }
        marking.propagate();
    }

    /// Reaches objects of this shard, and follows the edges from there.
    pub(crate) fn mark_from(&mut self, targets: &[Target], elsewhere: &mut impl Elsewhere) {
        let Shard { own, numbers, reached, .. } = self;
        let mut marking = Marking::new(ByNumber { own: *own, numbers, reached, elsewhere });
        targets.iter().for_each(|&target| marking.reach(target));
        marking.propagate();
    }

    /// The numbering that it shares with the other shards of the heap.
    pub(crate) fn numbers(&self) -> Arc<Numbers> {
        Arc::clone(&self.numbers)
    }

    /// How many candidates were not reached.
    pub(crate) fn unreached(&self) -> usize {
        (0..self.groups.len()).map(|group| self.reached.unreached(group).count_ones() as usize).sum()
    }

    /// True if no code of the program's runs, but destructors, when the candidates that were not reached are taken apart.
    pub(crate) fn severs_quietly(&mut self) -> bool {
        let Shard { groups, reached, special, teardowns, .. } = self;
        groups.iter().zip(special).enumerate().all(|(place, (group, special))| {
            Bits(*special & reached.unreached(place)).all(|index| {
                // SAFETY: invariant 1.
                let meta = unsafe { group.object(index) }.meta();
                !meta.is_eventful() && teardowns.of(meta) >= Teardown::Severs
            })
        })
    }

    /// The candidates that were not reached, of which no code of the program's runs at all, and the others.
    pub(crate) fn into_doomed(self) -> DoomedShard {
        let unreached = (0..self.groups.len()).map(|group| self.reached.unreached(group));
        let doomed = unreached.zip(&self.special).map(|(unreached, special)| unreached & !special).collect();
        DoomedShard { groups: self.groups, reached: self.reached, doomed }
    }

    /// Hands over every candidate that was not reached.
    pub(crate) fn each_unreached(&self, mut each: impl FnMut(ObjPtr)) {
        for (place, group) in self.groups.iter().enumerate() {
            for index in Bits(self.reached.unreached(place)) {
                // SAFETY: invariant 1.
                each(unsafe { group.object(index) });
            }
        }
    }
}

/// Takes the edges of all objects of a shard.
struct Weighing<'a, E> {
    own: u32,
    numbers: &'a Numbers,
    refs: &'a mut GcRefs,
    pinned: bool,
    /// The object that was visited last may drop the callback of a weak reference.
    watches: bool,
    elsewhere: &'a mut E,
}

impl<E: Elsewhere> EdgeSink for Weighing<'_, E> {
    #[inline]
    fn edge(&mut self, target: Target) {
        let place = self.numbers.place(target);
        if E::DIRECT && place.shard == self.own {
            self.refs.less_one(place.number);
        } else if place.shard != Place::NOWHERE {
            self.elsewhere.send(place.shard as usize, target);
        }
    }

    fn pinned(&mut self) {
        self.pinned = true;
        self.watches = true; // nobody knows
    }

    fn weak(&mut self, _: usize) {
        self.watches = true;
    }
}

impl<E: Elsewhere> Weighing<'_, E> {
    fn take_off(&mut self, targets: &[Target]) {
        take_off(self.numbers, self.refs, targets);
    }

    /// Takes off what the shard has sent to itself.
    fn take_off_own(&mut self, edges: &mut Vec<Target>) {
        self.elsewhere.take_own(edges);
        self.take_off(edges);
        edges.clear();
    }
}

/// Takes edges off the `gc_refs` of what they lead to, which is asked for from memory some edges ahead.
fn take_off(numbers: &Numbers, refs: &mut GcRefs, targets: &[Target]) {
    const AHEAD: usize = 32;
    for targets in targets.chunks(AHEAD) {
        let mut ahead = [0; AHEAD];
        for (number, &target) in ahead.iter_mut().zip(targets) {
            *number = numbers.place(target).number;
            refs.prefetch(*number);
        }
        ahead[..targets.len()].iter().for_each(|&number| refs.less_one(number));
    }
}

/// Claims objects of one shard by their numbers.
struct ByNumber<'a, E> {
    own: u32,
    numbers: &'a Numbers,
    reached: &'a mut Reached,
    elsewhere: &'a mut E,
}

impl<E: Elsewhere> Claim for ByNumber<'_, E> {
    #[inline(always)]
    fn claim(&mut self, target: Target) -> bool {
        let place = self.numbers.place(target);
        if E::DIRECT && place.shard == self.own {
            return self.reached.reach(place.number);
        }
        if place.shard != Place::NOWHERE {
            self.elsewhere.send(place.shard as usize, target);
        }
        false
    }

    #[inline(always)]
    fn gathered(&self) -> usize {
        self.elsewhere.own_len()
    }

    fn take_gathered(&mut self, edges: &mut Vec<Target>) {
        self.elsewhere.take_own(edges);
    }

    #[inline(always)]
    fn claim_now(&mut self, target: Target) -> bool {
        self.reached.reach(self.numbers.place(target).number)
    }
}
