//! [`Subject`]: a collector that patterns are played on.

use core::cell::Cell;
use core::fmt;
use std::thread;

use super::list::Work;
use super::outcome::{Outcome, Scale};
use super::{Ours, StdRc, churn, full, lives};
use crate::graph::Graph;

/// A collector whose handles are cloned and dropped.
///
/// All of it works on the calling thread, and one subject at a time on a thread.
pub trait Counted: Sized {
    /// A handle on an object with a number and three references, each to such an object or none.
    type Node: Clone + 'static;
    /// A handle on an object with any number of references.
    type Bag: Clone + 'static;

    /// Whether objects that hold each other are freed. If not, patterns with such objects are played without them, or not at all.
    const FREES_CYCLES: bool = true;
    /// Whether it collects without being asked. If not, churn asks every hundred thousand pairs.
    const IS_AUTOMATIC: bool = true;

    /// A collector without objects. `automatic`: it may collect while objects are made.
    fn new(automatic: bool) -> Self;
    /// From now on it may collect while objects are made, or not.
    fn set_automatic(&self, automatic: bool);
    /// Collects everything.
    fn collect(&self);
    /// Nodes and bags that are alive.
    fn alive(&self) -> usize;

    /// A node that refers to nothing.
    fn node(&self, id: u32) -> Self::Node;
    /// A node's number.
    fn id(node: &Self::Node) -> u32;
    /// Sets one of a node's references.
    fn set(node: &Self::Node, place: usize, target: Option<Self::Node>);
    /// One of a node's references.
    fn target(node: &Self::Node, place: usize) -> Option<Self::Node>;

    /// An empty bag.
    fn bag(&self) -> Self::Bag;
    /// Changes what a bag refers to.
    fn with_bag<R>(bag: &Self::Bag, change: impl FnOnce(&mut Vec<Self::Bag>) -> R) -> R;
}

/// Why a subject does not play a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped(pub &'static str);

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl core::error::Error for Skipped {}

/// A collector under its name.
#[derive(Clone, Copy)]
pub struct Subject {
    /// The name in tables.
    pub name: &'static str,
    /// Marking or dropping recurses: a deep graph needs [`on_big_stack`].
    pub recurses: bool,
    play: fn(Work, Scale, u64) -> Result<Outcome, Skipped>,
    collect_graph: fn(&Graph) -> Result<Outcome, Skipped>,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Subject {
    /// A subject for every pattern that is written for handles.
    pub const fn counted<C: Counted>(name: &'static str, recurses: bool) -> Subject {
        Subject { name, recurses, play: play::<C>, collect_graph: collect_graph::<C> }
    }

    #[cfg(feature = "rivals")]
    pub(super) const fn own(
        name: &'static str,
        play: fn(Work, Scale, u64) -> Result<Outcome, Skipped>,
    ) -> Subject {
        Subject { name, recurses: false, play, collect_graph: |_| Err(Skipped(IN_ONE_CALL)) }
    }

    /// Builds a heap out of a graph, a recorded one for example, and times a full collection of it. Only whether there are
    /// references from outside counts, not how many.
    ///
    /// # Errors
    /// Why the subject cannot do that.
    pub fn collect_graph(&self, graph: &Graph) -> Result<Outcome, Skipped> {
        self.needs_no_more_stack()?;
        (self.collect_graph)(graph)
    }

    fn needs_no_more_stack(&self) -> Result<(), Skipped> {
        match self.recurses && !HAS_BIG_STACK.get() {
            true => Err(Skipped("it recurses and would overflow the stack outside of `on_big_stack`")),
            false => Ok(()),
        }
    }

    pub(super) fn play(&self, work: Work, scale: Scale, seed: u64) -> Result<Outcome, Skipped> {
        self.needs_no_more_stack()?;
        (self.play)(work, scale, seed)
    }
}

/// This crate.
pub const OURS: Subject = Subject::counted::<Ours>("cyclegc", false);

/// This crate first, then std's `Rc`, which frees no cycles, as the floor, then the rivals.
pub const SUBJECTS: &[Subject] = &[
    OURS,
    Subject::counted::<StdRc>("std Rc", true),
    #[cfg(feature = "rivals")]
    super::rivals::GC_ARENA,
    #[cfg(feature = "rivals")]
    Subject::counted::<super::rivals::RustCc>("rust-cc", true),
    #[cfg(feature = "rivals")]
    Subject::counted::<super::rivals::Dumpster>("dumpster", true),
    #[cfg(feature = "rivals")]
    Subject::counted::<super::rivals::BaconRajan>("bacon_rajan_cc", true),
    #[cfg(feature = "rivals")]
    Subject::counted::<super::rivals::Gcmodule>("gcmodule", true),
    #[cfg(feature = "rivals")]
    Subject::counted::<super::rivals::Boa>("boa_gc", true),
    #[cfg(feature = "rivals")]
    Subject::counted::<super::rivals::RustGc>("gc", true),
];

const NO_CYCLES: &str = "it frees no cycles";

/// Of subjects whose pointers live in one call only.
#[cfg(feature = "rivals")]
pub(super) const IN_ONE_CALL: &str = "its pointers cannot leave one call of `mutate`";

fn collect_graph<C: Counted>(graph: &Graph) -> Result<Outcome, Skipped> {
    match C::FREES_CYCLES {
        true => Ok(lives::collect_graph::<C>(graph)),
        false => Err(Skipped(NO_CYCLES)),
    }
}

fn play<C: Counted>(work: Work, scale: Scale, seed: u64) -> Result<Outcome, Skipped> {
    match work {
        Work::Live(_) | Work::Dead(_) | Work::Requests | Work::Imported if !C::FREES_CYCLES => {
            Err(Skipped(NO_CYCLES))
        }
        Work::Live(shape) => Ok(full::live::<C>(shape, scale, seed)),
        Work::Dead(shape) => Ok(full::dead::<C>(shape, scale, seed)),
        Work::Churn(touch) => Ok(churn::churn::<C>(touch, scale, seed)),
        Work::Requests => Ok(churn::requests::<C>(scale, seed)),
        Work::Trees => Ok(lives::trees::<C>(scale)),
        Work::References => Ok(lives::references::<C>(scale, seed)),
        Work::Imported => Ok(lives::imported::<C>(scale, seed)),
    }
}

thread_local! {
    static HAS_BIG_STACK: Cell<bool> = const { Cell::new(false) };
}

/// Runs `f` on a thread with a stack of 6 GiB, of which only what is used costs memory.
///
/// # Panics
/// If `f` does, or there is no such thread to be had.
pub fn on_big_stack<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    thread::scope(|scope| {
        let run = || {
            HAS_BIG_STACK.set(true);
            f()
        };
        let thread = thread::Builder::new().stack_size(6 << 30).spawn_scoped(scope, run);
        let thread = thread.expect("a thread with a stack of 6 GiB");
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
