//! Who plays the patterns, and what comes out.

use super::kind::{self, Kind, SharedKind};
use super::list::{Pattern, Work};
use super::strings::{self, SharedStrings, Strings};
use super::{handover, pointer};
use crate::intern::{Immortal, Interner, Strong, SyncInterner};
use std::time::Duration;

/// What a run has measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How many operations one thread has done.
    pub operations: u64,
    /// How long they took.
    pub elapsed: Duration,
    /// How many answers were wrong.
    pub wrong: u64,
    /// Objects that were made, where they are counted.
    pub made: u64,
    /// Objects that were destroyed.
    pub destroyed: u64,
    /// The most objects that there were at the end of a batch.
    pub peak_objects: u64,
    /// The most objects to which there were references then: what an exact count would have kept.
    pub peak_exact: u64,
}

impl Outcome {
    /// Nanoseconds for one operation.
    pub fn ns_per_operation(&self) -> f64 {
        self.elapsed.as_nanos() as f64 / self.operations as f64
    }
}

/// A kind of pointer, or an interner.
#[derive(Clone, Copy)]
pub struct Subject {
    name: &'static str,
    run: fn(Work, u64) -> Option<Outcome>,
}

impl Subject {
    /// Its name: the crate and the type.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it can play.
    pub fn plays(&self, pattern: &Pattern) -> bool {
        (self.run)(pattern.work, 0).is_some()
    }

    /// Plays so many operations; `None` if it cannot.
    ///
    /// # Panics
    ///
    /// There is no memory, or no thread.
    pub fn run(&self, pattern: &Pattern, operations: u64) -> Option<Outcome> {
        (self.run)(pattern.work, operations.max(1))
    }

    const fn local<K: Kind>(name: &'static str) -> Subject {
        Subject { name, run: local::<K> }
    }

    const fn shared<K: SharedKind>(name: &'static str) -> Subject {
        Subject { name, run: shared::<K> }
    }

    const fn strings<S: Strings>(name: &'static str) -> Subject {
        Subject { name, run: strings_alone::<S> }
    }

    const fn shared_strings<S: SharedStrings>(name: &'static str) -> Subject {
        Subject { name, run: strings_shared::<S> }
    }
}

/// With no operations only whether it plays is asked.
fn when(plays: u64, run: impl FnOnce(u64) -> Outcome) -> Option<Outcome> {
    Some(if plays == 0 { Outcome::default() } else { run(plays) })
}

fn local<K: Kind>(work: Work, operations: u64) -> Option<Outcome> {
    match work {
        Work::Same => when(operations, pointer::same::<K>),
        Work::Many => when(operations, pointer::many::<K>),
        Work::New => when(operations, pointer::new::<K>),
        _ => None,
    }
}

fn shared<K: SharedKind>(work: Work, operations: u64) -> Option<Outcome> {
    match work {
        Work::Beside => when(operations, pointer::beside::<K>),
        Work::Foreign if K::SURVIVES => when(operations, pointer::foreign::<K>),
        Work::HandOver { kept } => when(operations, |operations| handover::run::<K>(operations, kept)),
        Work::Foreign => None,
        _ => local::<K>(work, operations),
    }
}

fn strings_alone<S: Strings>(work: Work, operations: u64) -> Option<Outcome> {
    match work {
        Work::Intern { bytes, threads: 1 } => when(operations, |n| strings::alone::<S>(n, bytes)),
        _ => None,
    }
}

fn strings_shared<S: SharedStrings>(work: Work, operations: u64) -> Option<Outcome> {
    match work {
        Work::Intern { bytes, threads: 2 } => when(operations, |n| strings::together::<S>(n, bytes)),
        _ => strings_alone::<S>(work, operations),
    }
}

/// All subjects; with the feature `rivals` those of other crates, too.
pub fn subjects() -> Vec<Subject> {
    #[cfg_attr(not(feature = "rivals"), expect(unused_mut, reason = "the rivals are added"))]
    let mut all = vec![
        Subject::local::<kind::StdRc>("std Rc"),
        Subject::shared::<kind::StdArc>("std Arc"),
        Subject::local::<kind::Rc>("cpymem Rc"),
        Subject::shared::<kind::Arc>("cpymem Arc"),
        Subject::shared::<kind::Biased>("cpymem BiasedRc"),
        Subject::strings::<Interner<crate::rc::Rc<str>, Strong>>("cpymem Interner"),
        Subject::shared_strings::<SyncInterner<crate::sync::Arc<str>, Immortal>>("cpymem SyncInterner"),
    ];
    #[cfg(feature = "rivals")]
    all.extend([
        Subject::shared::<kind::Triomphe>("triomphe Arc"),
        Subject::local::<kind::HybridRc>("hybrid-rc Rc"),
        Subject::shared::<kind::HybridArc>("hybrid-rc Arc"),
        Subject::shared::<kind::Biasedrc>("biasedrc Brc"),
        Subject::strings::<lasso::Rodeo>("lasso Rodeo"),
        Subject::shared_strings::<lasso::ThreadedRodeo>("lasso ThreadedRodeo"),
        Subject::strings::<string_interner::DefaultStringInterner>("string-interner"),
        Subject::shared_strings::<strings::Ustr>("ustr"),
    ]);
    all
}
