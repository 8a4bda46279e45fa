//! What holds the memory of a process, from heap dumps, and what to do about it.
//!
//! ```text
//! dump -> graph -> portrait -> growth -> remedies -> verdict -> record
//!                  [`Portrait`]: terms of resident memory, owners, classes, packages
//!                              [`Growth`]: what rises from dump to dump
//!                                        [`remedies`]: what could be done, and what it brings
//!                                                      [`judge`]: the layer, in sentences
//! ```
//!
//! Every layer has a part of resident memory:
//!
//! | layer | its part |
//! | --- | --- |
//! | lifetime | living data; all of it that grows, if dumps of one process show that it does |
//! | collector | garbage |
//! | allocator | free blocks, unused pools and overhead; what malloc holds beyond objects |
//! | class | instances of classes written in Python, and their dicts |
//! | packaging | living code; files that are not the interpreter's own |
//!
//! Living memory that the dump did not see is shared out in proportion to what it saw.

mod code;
pub mod decision;
mod growth;
mod judge;
mod packages;
mod pools;
mod portrait;
mod remedies;
mod resident;

pub use growth::Growth;
pub use packages::Package;
pub use pools::Pools;
pub use portrait::{Class, Owner, Portrait};
pub use resident::{Known, Mappings, Seen};

use crate::error::InputError;
use crate::input::Input;
use crate::progress::Progress;
use crate::record::{Check, Layer, Step};
use crate::record_explain::{Cost, DumpRecord, ExplainRecord};

/// Reads dumps of one process, in the order in which they were made, and explains the last of them.
///
/// # Errors
/// As [`crate::heap::Graph::read`].
pub fn explain(
    inputs: &[Input],
    cost: Option<Cost>,
    progress: &Progress,
) -> Result<ExplainRecord, InputError> {
    let portraits: Vec<Portrait> =
        inputs.iter().map(|input| Portrait::read(input, progress)).collect::<Result<_, _>>()?;
    Ok(of_portraits(&portraits, cost))
}

/// What portraits of one process say.
///
/// # Panics
/// If there is none.
pub fn of_portraits(portraits: &[Portrait], cost: Option<Cost>) -> ExplainRecord {
    let last = portraits.last().expect("at least one dump");
    let growth = Growth::between(portraits);
    let layers = judge::layers(last, &growth);
    let mut remedies = remedies::remedies(last, &growth);
    let mut verdict = judge::verdict(last, &growth, &layers, &remedies);
    remedies::order(&mut remedies, verdict.layer, cost);
    if let (Some(first), Some(_), false) = (remedies.first(), cost, verdict.layer == Layer::Elsewhere) {
        verdict.step = Step { action: first.action.clone(), expected_bytes: first.expected_bytes };
    }
    let checks = portraits.iter().filter_map(|portrait| {
        let total = portrait.rss.total?;
        let claim = format!("{}: the terms sum to what the mappings say", portrait.input.path);
        Some(Check::equal(claim, total, portrait.rss.sum()))
    });
    ExplainRecord {
        schema: "cpymem.explain/1",
        input: portraits.iter().map(|portrait| portrait.input.clone()).collect(),
        verdict,
        exact: last.exact,
        rss_bytes: last.rss,
        layers,
        dumps: portraits.iter().map(dump_record).collect(),
        growth: growth.owners,
        remedies,
        cost,
        notes: judge::notes(portraits),
        checks: checks.collect(),
    }
}

fn dump_record(portrait: &Portrait) -> DumpRecord {
    DumpRecord {
        path: portrait.input.path.clone(),
        time: portrait.header.time,
        objects: portrait.objects,
        garbage: portrait.garbage.found,
        rss_bytes: portrait.rss,
    }
}
