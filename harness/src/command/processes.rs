//! A run in several processes.
//!
//! Where a process happens to lie in memory stays the same for all its turns and differs from one to the next, so turns of one
//! process alone have intervals that are too narrow. A run that is saved or compared makes its turns in [`PROCESSES`] of
//! them, one after the other, each with its own arguments and `--part`. What then seems to differ is measured once
//! more in a fresh process before it is told.

use std::collections::BTreeSet;
use std::env;
use std::process::{Command, Stdio};

use super::Failure;
use crate::bench::against::{AgainstRecord, SavedRun, against};
use crate::progress::Progress;
use crate::record::MainRecord;

/// Processes that share the turns of a run.
pub(super) const PROCESSES: usize = 3;

/// Lets the other processes make their turns, and adds them.
pub(super) fn extend(record: &mut MainRecord, turns: usize, progress: &Progress) -> Result<(), Failure> {
    let start = std::time::Instant::now();
    for place in 1..PROCESSES {
        progress.pass(&format!("process {} of {PROCESSES}", place + 1));
        for later in part(turns, &BTreeSet::new())?.workloads {
            if let Some(workload) = record.workloads.iter_mut().find(|workload| workload.name == later.name) {
                workload.continue_with(later, "another process");
            }
        }
    }
    record.turns = turns * PROCESSES;
    record.wall_ns += start.elapsed().as_nanos() as u64;
    Ok(())
}

/// Strikes the differences that a fresh process does not show. Counts need no second look.
pub(super) fn confirm(
    compared: &mut AgainstRecord,
    before: &SavedRun,
    turns: usize,
    progress: &Progress,
) -> Result<(), Failure> {
    let doubtful = compared.differences.iter().filter(|difference| difference.kind != "count");
    let names: BTreeSet<&str> =
        doubtful.filter_map(|difference| Some(difference.what.split_once(" / ")?.0)).collect();
    if names.is_empty() {
        return Ok(());
    }
    progress.pass("once more what differs");
    let again = against(before, &part(turns, &names)?);
    compared.confirm(&again);
    Ok(())
}

/// A part of this run, made by another process.
fn part(turns: usize, names: &BTreeSet<&str>) -> Result<SavedRun, Failure> {
    let fail = |what: String| Failure::Plan(format!("a process of the run: {what}"));
    let program = env::current_exe().map_err(|error| fail(error.to_string()))?;
    let mut command = Command::new(program);
    command.args(env::args_os().skip(1)).arg("--part").arg(turns.to_string());
    if !names.is_empty() {
        command.arg("--part-of").arg(names.iter().copied().collect::<Vec<_>>().join(","));
    }
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| fail(error.to_string()))?;
    if !output.status.success() {
        return Err(fail(output.status.to_string()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| fail(error.to_string()))
}
