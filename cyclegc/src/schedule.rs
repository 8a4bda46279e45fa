//! When to collect what: counts, thresholds, and the rule of a quarter for full collections (`Python/gc.c`,
//! `gc_select_generation`, and the comment there on amortised linear cost).

use core::cell::Cell;

/// A generation, as the argument of `gc.collect` and `gc.get_objects`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Generation {
    /// Objects that no collection has seen yet: CPython's 0.
    Young = 0,
    /// Objects that survived one: CPython's 1.
    Middle = 1,
    /// Objects that survived more: CPython's 2. A collection of it is a full one.
    Old = 2,
}

impl Generation {
    /// All three, youngest first.
    pub const ALL: [Generation; 3] = [Generation::Young, Generation::Middle, Generation::Old];
}

/// CPython 3.13's.
pub(crate) const THRESHOLDS: [u32; 3] = [2000, 10, 10];

/// External bytes that must have come since the last full pass before they call for another one.
const EXTERNAL_MIN: usize = 1 << 20;

/// Counts and thresholds of one heap.
///
/// ```text
///   counts[0]   tracked objects made, minus those freed, since the last pass; not below 0
///   counts[1]   passes of the young generation since the last one of the middle
///   counts[2]   passes of the middle generation since the last full one
/// ```
#[derive(Debug)]
pub(crate) struct Schedule {
    counts: [Cell<u32>; 3],
    thresholds: [Cell<u32>; 3],
    enabled: Cell<bool>,
    /// `counts[0]` above this asks for a pass: `thresholds[0]`, or never.
    limit: Cell<u32>,
    /// Objects that the last full pass left.
    pub(crate) long_lived_total: Cell<usize>,
    /// Objects that became old since.
    pub(crate) long_lived_pending: Cell<usize>,
    /// Bytes outside the heap that its objects own, and how many there were at the last full pass.
    external: Cell<usize>,
    external_then: Cell<usize>,
}

impl Schedule {
    pub(crate) fn new() -> Schedule {
        Schedule {
            counts: Default::default(),
            thresholds: THRESHOLDS.map(Cell::new),
            enabled: Cell::new(true),
            limit: Cell::new(THRESHOLDS[0]),
            long_lived_total: Cell::new(0),
            long_lived_pending: Cell::new(0),
            external: Cell::new(0),
            external_then: Cell::new(0),
        }
    }

    /// Counts a tracked object that is about to be made; `true` if a collection may be due.
    #[inline(always)]
    pub(crate) fn allocated(&self) -> bool {
        let count = self.counts[0].get() + 1;
        self.counts[0].set(count);
        count > self.limit.get()
    }

    /// Counts tracked objects that were freed.
    #[inline(always)]
    pub(crate) fn freed(&self, objects: usize) {
        let objects = u32::try_from(objects).unwrap_or(u32::MAX);
        self.counts[0].set(self.counts[0].get().saturating_sub(objects));
    }

    /// The oldest generation whose threshold is passed.
    pub(crate) fn due(&self) -> Option<Generation> {
        if !self.enabled.get() || self.thresholds[0].get() == 0 {
            return None;
        }
        if self.external_growth_is_due() {
            return Some(Generation::Old);
        }
        let passed = |generation: &Generation| {
            let i = *generation as usize;
            self.counts[i].get() > self.thresholds[i].get()
                && (*generation != Generation::Old
                    || self.long_lived_pending.get() >= self.long_lived_total.get() / 4)
        };
        Generation::ALL.into_iter().rev().find(passed)
    }

    fn external_growth_is_due(&self) -> bool {
        let (now, then) = (self.external.get(), self.external_then.get());
        now.saturating_sub(then) >= EXTERNAL_MIN.max(then / 4)
    }

    /// A pass of this generation starts.
    pub(crate) fn start(&self, generation: Generation) {
        let i = generation as usize;
        if let Some(next) = self.counts.get(i + 1) {
            next.set(next.get().saturating_add(1));
        }
        self.counts[..=i].iter().for_each(|count| count.set(0));
    }

    /// A full pass left so many objects.
    pub(crate) fn full_pass_left(&self, survivors: usize) {
        self.long_lived_total.set(survivors);
        self.long_lived_pending.set(0);
        self.external_then.set(self.external.get());
    }

    /// So many objects became old without a full pass.
    pub(crate) fn became_old(&self, objects: usize) {
        self.long_lived_pending.set(self.long_lived_pending.get() + objects);
    }

    pub(crate) fn add_external(&self, bytes: isize) {
        self.external.set(self.external.get().saturating_add_signed(bytes));
        if self.external_growth_is_due() {
            // The next object that is made asks what is due.
            self.limit.set(if self.enabled.get() { 0 } else { u32::MAX });
        }
    }

    pub(crate) fn external(&self) -> usize {
        self.external.get()
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled.get()
    }

    pub(crate) fn enable(&self, enabled: bool) {
        self.enabled.set(enabled);
        self.reset_limit();
    }

    /// Sets when the next object asks again what is due.
    pub(crate) fn reset_limit(&self) {
        let threshold = self.thresholds[0].get();
        self.limit.set(if self.enabled.get() && threshold != 0 { threshold } else { u32::MAX });
    }

    pub(crate) fn thresholds(&self) -> [u32; 3] {
        [0, 1, 2].map(|i| self.thresholds[i].get())
    }

    pub(crate) fn set_thresholds(&self, thresholds: [u32; 3]) {
        for (cell, threshold) in self.thresholds.iter().zip(thresholds) {
            cell.set(threshold);
        }
        self.reset_limit();
    }

    pub(crate) fn counts(&self) -> [u32; 3] {
        [0, 1, 2].map(|i| self.counts[i].get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_come_due_as_in_cpython() {
        let schedule = Schedule::new();
        schedule.set_thresholds([5, 2, 1]);
        let mut passes = Vec::new();
        for made in 0..300 {
            if schedule.allocated()
                && let Some(generation) = schedule.due()
            {
                passes.push(generation as u8);
                schedule.start(generation);
                schedule.long_lived_pending.set(made);
            }
        }
        // After three young passes a middle one, after two of those a full one at the next occasion.
        assert_eq!(passes[..13], [0, 0, 0, 1, 0, 0, 0, 1, 2, 0, 0, 0, 1]);
        schedule.set_thresholds([0, 2, 1]);
        assert!((0..100).all(|_| !schedule.allocated()) && schedule.due().is_none());
    }

    #[test]
    fn a_full_pass_waits_for_a_quarter() {
        let schedule = Schedule::new();
        schedule.set_thresholds([1, 0, 0]);
        schedule.full_pass_left(1000);
        for _ in 0..3 {
            schedule.start(Generation::Young);
            schedule.start(Generation::Middle);
        }
        (0..9).for_each(|_| {
            schedule.allocated();
        });
        schedule.became_old(249);
        assert_eq!(schedule.due(), Some(Generation::Young));
        schedule.became_old(1);
        assert_eq!(schedule.due(), Some(Generation::Old));
    }

    #[test]
    fn external_bytes_call_for_a_full_pass() {
        let schedule = Schedule::new();
        schedule.add_external(1 << 19);
        assert!(!schedule.allocated());
        schedule.add_external(1 << 19);
        assert!(schedule.allocated());
        assert_eq!(schedule.due(), Some(Generation::Old));
        schedule.full_pass_left(0);
        schedule.reset_limit();
        assert!(!schedule.allocated() && schedule.due().is_none());
        schedule.add_external(-(1 << 30));
        assert_eq!(schedule.external(), 0);
    }
}
