//! The feature `checked`: at each death, what `visit` reported is compared with what went.
//!
//! ```text
//!   by its count      visit              the drop glue releases
//!                     a, b               a, b, c                        c is hidden
//!                     a, a, b            a, b                           a is reported twice
//!
//!   by a collection   visit              clear severs     visit again
//!                     a, b               a                b             b is not cleared
//!                     a, a               a                              a is reported twice
//!                     a                  a, b                           b is hidden
//!                     then as above, with what the drop glue still releases
//! ```
//!
//! Handles that are made while a value is dropped, by clones, upgrades and new objects, are taken off what it releases. A value that has
//! parts left out on purpose ([`Visitor::skip`](crate::Visitor::skip), `#[trace(skip)]`, callbacks of weak references) is not asked for
//! hidden references, one with a destructor of its own (`#[trace(drop)]`) may release what it likes.
//!
//! A fault is a panic, as if the value's destructor had panicked. Without the feature nothing here does anything.

#![cfg_attr(feature = "checked", allow(unsafe_code, reason = "edges lead to objects by address"))]

use crate::object::ObjPtr;

#[cfg(feature = "checked")]
pub(crate) use on::*;

#[cfg(not(feature = "checked"))]
pub(crate) use off::*;

#[cfg(not(feature = "checked"))]
mod off {
    use super::ObjPtr;
    use crate::visitor::Clearer;

    #[inline(always)]
    pub(crate) fn acquired(_: ObjPtr) {}

    #[inline(always)]
    pub(crate) fn released(_: ObjPtr) {}

    #[inline(always)]
    pub(crate) fn unobserved<R>(run: impl FnOnce() -> R) -> R {
        run()
    }

    #[inline(always)]
    pub(crate) fn dropping(_: ObjPtr, drop: impl FnOnce()) {
        drop();
    }

    #[inline(always)]
    pub(crate) fn clearing(_: ObjPtr, clearer: &mut Clearer<'_>, clear: impl FnOnce(&mut Clearer<'_>)) {
        clear(clearer);
    }
}

#[cfg(feature = "checked")]
mod on {
    use std::cell::RefCell;
    use std::collections::HashMap;
    use std::thread;

    use super::ObjPtr;
    use crate::visitor::{Clearer, EdgeSink, Note, Target, Visitor};

    /// References to one object.
    #[derive(Clone, Copy)]
    struct Tally {
        type_name: &'static str,
        reported: usize,
        released: usize,
        acquired: usize,
    }

    /// References of one value, by the address that they lead to.
    type Tallies = HashMap<usize, Tally>;

    thread_local! {
        /// The values that are being dropped, innermost last; `None` while code runs that is no part of a value.
        static DROPPING: RefCell<Vec<Option<Tallies>>> = const { RefCell::new(Vec::new()) };
    }

    fn tally(tallies: &mut Tallies, target: ObjPtr) -> &mut Tally {
        let type_name = (target.vtable().type_name)();
        tallies.entry(target.addr()).or_insert(Tally { type_name, reported: 0, released: 0, acquired: 0 })
    }

    fn count(target: ObjPtr, one: impl FnOnce(&mut Tally)) {
        // While the thread ends, nothing is compared.
        let _ = DROPPING.try_with(|values| {
            if let Some(Some(tallies)) = values.borrow_mut().last_mut() {
                one(tally(tallies, target));
            }
        });
    }

    /// A handle on the object was made.
    pub(crate) fn acquired(target: ObjPtr) {
        count(target, |tally| tally.acquired += 1);
    }

    /// A handle on the object, which is still alive, is dropped.
    pub(crate) fn released(target: ObjPtr) {
        count(target, |tally| tally.released += 1);
    }

    /// Observes what happens until it is finished.
    struct Observation(bool);

    impl Observation {
        fn start(tallies: Option<Tallies>) -> Observation {
            Observation(DROPPING.try_with(|values| values.borrow_mut().push(tallies)).is_ok())
        }

        fn stop(&mut self) -> Option<Tallies> {
            if !core::mem::replace(&mut self.0, false) {
                return None;
            }
            DROPPING.try_with(|values| values.borrow_mut().pop()).ok().flatten().flatten()
        }
    }

    impl Drop for Observation {
        fn drop(&mut self) {
            self.stop();
        }
    }

    /// Runs code of the program's that is no part of a value, though it may run while one is dropped.
    pub(crate) fn unobserved<R>(run: impl FnOnce() -> R) -> R {
        let _observation = Observation::start(None);
        run()
    }

    /// What a value says about itself.
    #[derive(Default)]
    struct Said {
        edges: Vec<Target>,
        left_out: bool,
        undropped: bool,
        own_drop: bool,
    }

    impl EdgeSink for Said {
        fn edge(&mut self, target: Target) {
            self.edges.push(target);
        }

        fn pinned(&mut self) {
            self.left_out = true;
        }

        fn weak(&mut self, _: usize) {
            self.left_out = true; // its callback may own what it likes
        }

        fn note(&mut self, note: Note) {
            match note {
                Note::LeftOut => self.left_out = true,
                Note::Undropped => self.undropped = true,
                Note::OwnDrop => self.own_drop = true,
            }
        }
    }

    fn ask(object: ObjPtr) -> Said {
        let mut said = Said::default();
        object.visit(&mut Visitor::new(&mut said));
        said
    }

    fn tallies(edges: &[Target]) -> Tallies {
        let mut tallies = Tallies::new();
        for &edge in edges {
            // SAFETY: an edge leads to an object that the reporting one keeps alive.
            let target = unsafe { ObjPtr::new(edge) };
            tally(&mut tallies, target).reported += 1;
        }
        tallies
    }

    /// Drops a value, and compares what it said before with what it releases.
    pub(crate) fn dropping(object: ObjPtr, drop: impl FnOnce()) {
        if thread::panicking() {
            return unobserved(drop); // a visit tells nothing then
        }
        let (said, type_name) = (ask(object), (object.vtable().type_name)());
        let mut observation = Observation::start(Some(tallies(&said.edges)));
        drop();
        for tally in observation.stop().unwrap_or_default().into_values() {
            let (reported, released) = (tally.reported, tally.released);
            let own = released.saturating_sub(tally.acquired);
            if own > reported && !said.left_out && !said.own_drop {
                accuse(&Wrong::Hidden { type_name, target: tally.type_name, references: own - reported });
            }
            if reported > released && !said.undropped && !said.own_drop {
                accuse(&Wrong::ReportedTwice { type_name, target: tally.type_name, reported, released });
            }
        }
    }

    /// Severs the edges of garbage, and compares them with those that it reports before and after.
    pub(crate) fn clearing(object: ObjPtr, clearer: &mut Clearer<'_>, clear: impl FnOnce(&mut Clearer<'_>)) {
        if thread::panicking() {
            return clear(clearer);
        }
        let (said, type_name) = (ask(object), (object.vtable().type_name)());
        let mut expected = tallies(&said.edges);
        let mut severed = Vec::new();
        let mut take = |targets: &[Target]| severed.extend_from_slice(targets);
        clear(&mut Clearer::new(&mut take));
        for target in &severed {
            // SAFETY: the reference that was severed keeps the object alive until it is given up, below.
            tally(&mut expected, unsafe { ObjPtr::new(*target) }).released += 1;
        }
        for edge in ask(object).edges {
            // SAFETY: as in `tallies`.
            tally(&mut expected, unsafe { ObjPtr::new(edge) }).acquired += 1;
        }
        severed.into_iter().for_each(|target| clearer.edge(target));
        for Tally { type_name: target, reported, released, acquired: left } in expected.into_values() {
            if left > 0 {
                accuse(&Wrong::NotCleared { type_name, target, references: left });
            }
            if released + left > reported && !said.left_out {
                accuse(&Wrong::Hidden { type_name, target, references: released + left - reported });
            }
            if reported > released + left {
                accuse(&Wrong::ReportedTwice { type_name, target, reported, released: released + left });
            }
        }
    }

    /// What is wrong with a `Trace`.
    pub(crate) enum Wrong {
        Hidden { type_name: &'static str, target: &'static str, references: usize },
        ReportedTwice { type_name: &'static str, target: &'static str, reported: usize, released: usize },
        NotCleared { type_name: &'static str, target: &'static str, references: usize },
        MoreThanCounted { type_name: String, target: &'static str, references: usize },
    }

    impl core::fmt::Display for Wrong {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            match self {
                Wrong::Hidden { type_name, target, references } => {
                    write!(f, "`Trace::visit` of {type_name} hides {references} reference(s) to {target}")
                }
                Wrong::ReportedTwice { type_name, target, reported, released } => write!(
                    f,
                    "`Trace::visit` of {type_name} reports {reported} references to a {target} and owns {released}"
                ),
                Wrong::NotCleared { type_name, target, references } => {
                    write!(f, "`Trace::clear` of {type_name} leaves {references} reference(s) to {target}")
                }
                Wrong::MoreThanCounted { type_name, target, references } => write!(
                    f,
                    "`Trace::visit` of {type_name} reports {references} more reference(s) to {target} than there are"
                ),
            }
        }
    }

    /// Panics, as a destructor of the value would, unless that would end the process.
    #[cold]
    pub(crate) fn accuse(wrong: &Wrong) {
        if !thread::panicking() {
            panic!("checked: {wrong}");
        }
        eprintln!("checked: {wrong}");
    }
}
