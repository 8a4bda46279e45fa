//! Other crates as subjects.

use std::cell::Cell;
use std::time::Instant;

use super::handles::objects;
use super::list::Work;
use super::outcome::{Counts, Outcome, Scale};
use super::shape::Shape;
use super::subject::{Counted, IN_ONE_CALL, Skipped, Subject};

thread_local! {
    static ALIVE: Cell<usize> = const { Cell::new(0) };
}

/// Counts the objects of crates that do not tell: a nanosecond for each that is made and each that dies.
#[derive(::dumpster::Trace)]
struct Alive;

impl Alive {
    fn new() -> Alive {
        ALIVE.set(ALIVE.get() + 1);
        Alive
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        // Some crates drop the last objects while the thread ends.
        let _ = ALIVE.try_with(|alive| alive.set(alive.get().wrapping_sub(1)));
    }
}

/// The objects, with references and cells of the crate's own. A crate's derive comes with its attribute for fields without references.
macro_rules! two_kinds {
    ($handle:ident, $cell:ident $(, #[$derive:meta], #[$ignore:meta])?) => {
        /// An object with three references.
        $(#[$derive])?
        pub(crate) struct Node {
            id: u32,
            edges: $cell<[Option<$handle<Node>>; 3]>,
            $(#[$ignore])?
            _alive: Alive,
        }

        /// An object with any number of references.
        $(#[$derive])?
        pub(crate) struct Bag {
            targets: $cell<Vec<$handle<Bag>>>,
            $(#[$ignore])?
            _alive: Alive,
        }
    };
}

/// Traces them where the crate derives nothing.
macro_rules! traced {
    ($tracer:ty) => {
        impl Trace for Node {
            fn trace(&self, tracer: &mut $tracer) {
                self.edges.borrow().iter().flatten().for_each(|target| target.trace(tracer));
            }
        }

        impl Trace for Bag {
            fn trace(&self, tracer: &mut $tracer) {
                self.targets.borrow().iter().for_each(|target| target.trace(tracer));
            }
        }
    };
}

/// What is the same for all crates whose handles are cloned.
macro_rules! counted {
    (
        $(#[$doc:meta])* $Name:ident, $handle:ident, $cell:ident, $automatic:expr,
        $collect:ident
    ) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $Name;

        impl Counted for $Name {
            objects! { $handle }

            const IS_AUTOMATIC: bool = $automatic;

            fn new(automatic: bool) -> $Name {
                $collect(); // what an earlier pattern has left to this thread
                ALIVE.set(0);
                collect_by_itself(automatic);
                $Name
            }

            fn set_automatic(&self, automatic: bool) {
                collect_by_itself(automatic);
            }

            fn collect(&self) {
                $collect();
            }

            fn alive(&self) -> usize {
                ALIVE.get()
            }

            #[inline]
            fn node(&self, id: u32) -> $handle<Node> {
                $handle::new(Node { id, edges: $cell::new([None, None, None]), _alive: Alive::new() })
            }

            #[inline]
            fn bag(&self) -> $handle<Bag> {
                $handle::new(Bag { targets: $cell::new(Vec::new()), _alive: Alive::new() })
            }
        }
    };
}

mod rust_cc {
    use super::*;
    use ::rust_cc::{Cc, Finalize, Trace, collect_cycles, config};
    use std::cell::RefCell;

    two_kinds! { Cc, RefCell, #[derive(Trace, Finalize)], #[rust_cc(ignore)] }

    fn collect_by_itself(on: bool) {
        // Fails only while it collects.
        let _ = config::config(|config| config.set_auto_collect(on));
    }

    counted! {
        /// rust-cc: candidates in a list, a counter in each.
        RustCc, Cc, RefCell, true, collect_cycles
    }
}

mod dumpster {
    use super::*;
    use ::dumpster::Trace;
    use ::dumpster::unsync::{Gc, collect, default_collect_condition, set_collect_condition};
    use std::cell::RefCell;

    // Written out, as what its derive makes takes the names of fields for its own, and finds no `self` in a macro.

    /// An object with three references.
    #[derive(Trace)]
    pub(crate) struct Node {
        id: u32,
        edges: RefCell<[Option<Gc<Node>>; 3]>,
        _alive: Alive,
    }

    /// An object with any number of references.
    #[derive(Trace)]
    pub(crate) struct Bag {
        targets: RefCell<Vec<Gc<Bag>>>,
        _alive: Alive,
    }

    fn collect_by_itself(on: bool) {
        set_collect_condition(if on { default_collect_condition } else { |_| false });
    }

    counted! {
        /// dumpster's collector of one thread.
        Dumpster, Gc, RefCell, true, collect
    }
}

mod bacon_rajan {
    use super::*;
    use bacon_rajan_cc::{Cc, Trace, Tracer, collect_cycles};
    use std::cell::RefCell;

    two_kinds! { Cc, RefCell }

    traced! { Tracer }

    fn collect_by_itself(_: bool) {}

    counted! {
        /// bacon_rajan_cc: synchronous collection from candidates, on request only.
        BaconRajan, Cc, RefCell, false, collect_cycles
    }
}

mod gcmodule {
    use super::*;
    use ::gcmodule::{Cc, Trace, Tracer, collect_thread_cycles};
    use std::cell::RefCell;

    impl Trace for Alive {
        fn is_type_tracked() -> bool {
            false
        }
    }

    two_kinds! { Cc, RefCell }

    traced! { Tracer<'_> }

    fn collect_by_itself(_: bool) {}

    counted! {
        /// gcmodule: CPython 3.8's algorithm, without generations, on request only.
        Gcmodule, Cc, RefCell, false, collect_thread_cycles
    }
}

mod boa {
    use super::*;
    use boa_gc::{Finalize, Gc, GcRefCell, Trace, force_collect};

    two_kinds! { Gc, GcRefCell, #[derive(Trace, Finalize)], #[unsafe_ignore_trace] }

    fn collect_by_itself(_: bool) {}

    counted! {
        /// boa_gc: mark and sweep, roots are what no object refers to. It cannot be told not to collect.
        Boa, Gc, GcRefCell, true, force_collect
    }
}

#[allow(non_local_definitions, reason = "the derive is from before that lint")]
mod rust_gc {
    use super::*;
    use gc::{Finalize, Gc, GcCell, Trace, force_collect};

    two_kinds! { Gc, GcCell, #[derive(Trace, Finalize)], #[unsafe_ignore_trace] }

    fn collect_by_itself(_: bool) {}

    counted! {
        /// gc: mark and sweep, roots are counted. It cannot be told not to collect.
        RustGc, Gc, GcCell, true, force_collect
    }
}

pub(crate) use bacon_rajan::BaconRajan;
pub(crate) use boa::Boa;
pub(crate) use dumpster::Dumpster;
pub(crate) use gcmodule::Gcmodule;
pub(crate) use rust_cc::RustCc;
pub(crate) use rust_gc::RustGc;

/// gc-arena: incremental mark and sweep, whose pointers live in calls of `mutate`. It traverses once where counting must traverse twice.
pub(super) const GC_ARENA: Subject = Subject::own("gc-arena", arena::play);

mod arena {
    use super::*;
    use gc_arena::lock::RefLock;
    use gc_arena::{Arena, Collect, Gc, Rootable};

    #[derive(Collect)]
    #[collect(no_drop)]
    struct Node<'gc> {
        id: u32,
        edges: RefLock<[Option<Gc<'gc, Node<'gc>>>; 3]>,
    }

    type Nodes = Arena<Rootable![Vec<Gc<'_, Node<'_>>>]>;

    pub(super) fn play(work: Work, scale: Scale, seed: u64) -> Result<Outcome, Skipped> {
        match work {
            Work::Live(shape) => Ok(full(shape, scale, seed, false)),
            Work::Dead(shape) => Ok(full(shape, scale, seed, true)),
            _ => Err(Skipped(IN_ONE_CALL)),
        }
    }

    fn full(shape: Shape, scale: Scale, seed: u64, dead: bool) -> Outcome {
        let objects = scale.objects();
        let targets = shape.targets(objects, seed);
        let mut arena = Nodes::new(|_| Vec::new());
        arena.mutate_root(|mc, root| {
            let new = |id| Gc::new(mc, Node { id, edges: RefLock::new([None; 3]) });
            let nodes: Vec<_> = (0..objects as u32).map(new).collect();
            for (&node, targets) in nodes.iter().zip(&targets) {
                let targets = targets.map(|target| target.map(|target| nodes[target as usize]));
                *gc_arena::barrier::unlock!(Gc::write(mc, node), Node, edges).borrow_mut() = targets;
            }
            *root = if shape.is_connected() { nodes[..1].to_vec() } else { nodes };
        });
        arena.finish_cycle();
        arena.finish_cycle();
        if dead {
            arena.mutate_root(|_, root| *root = Vec::new());
        }
        let mut outcome = Outcome { operations: objects as u64, ..Outcome::default() };
        let start = Instant::now();
        arena.finish_cycle();
        outcome.elapsed = start.elapsed();
        let expected = if dead { 0 } else { objects };
        let alive = arena.metrics().total_gc_count();
        outcome.fault(alive != expected, || format!("{alive} objects are there, {expected} are live"));
        let checksum = arena.mutate(|_, root| reached(root, objects, &mut outcome, expected));
        let garbage = (objects - expected) as u64;
        outcome.counts = Counts { made: objects as u64, garbage, checksum };
        outcome
    }

    fn reached<'gc>(
        root: &[Gc<'gc, Node<'gc>>],
        objects: usize,
        outcome: &mut Outcome,
        expected: usize,
    ) -> u64 {
        let mut seen = vec![false; objects];
        let mut stack = root.to_vec();
        let (mut count, mut sum) = (0, 0u64);
        while let Some(node) = stack.pop() {
            if std::mem::replace(&mut seen[node.id as usize], true) {
                continue;
            }
            count += 1;
            sum = sum.wrapping_add(u64::from(node.id).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            stack.extend(node.edges.borrow().iter().flatten().copied());
        }
        outcome.fault(count != expected, || format!("{count} of {expected} live objects are reached"));
        sum
    }
}
