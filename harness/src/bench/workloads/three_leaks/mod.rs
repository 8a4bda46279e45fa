//! A worker that leaks in three ways, and two dumps of it that tell which.

mod worker;

use std::path::{Path, PathBuf};

use serde::Serialize;

use self::worker::{Leaks, Worker};
use crate::bench::python::Process;
use crate::bench::record::{Role, SubjectRecord};
use crate::bench::{Failure, Finding, Lane, Page, Setting, Turn, Workload, alternate};
use crate::dumper;
use crate::input::Input;
use crate::progress::Progress;
use crate::questions::growth::{OwnerGrowth, growth};
use crate::record::Check;
use crate::units;

/// Serves requests between two dumps, and compares them by owners.
#[derive(Clone, Copy, Debug)]
pub struct ThreeLeaks {
    /// Requests at scale 1, half of them before the first dump.
    pub requests: usize,
    /// Whether results are cached for ever.
    pub cache: bool,
    /// Whether errors are kept, and their tracebacks with them.
    pub errors: bool,
    /// Whether listeners are registered and never taken away.
    pub listeners: bool,
}

impl ThreeLeaks {
    /// What `cpymem bench` runs.
    pub const STANDARD: ThreeLeaks =
        ThreeLeaks { requests: 20_000, cache: true, errors: true, listeners: true };
}

const SCRIPT: &str = include_str!("../../scripts/three_leaks.py");
/// Where the leaks are, by name, in the order of the alphabet.
const PLANTED: [&str; 3] = ["worker.CACHE", "worker.ERRORS", "worker.LISTENERS"];
/// The first version that the dumper knows.
const OLDEST: (u8, u8) = (3, 8);

impl Workload for ThreeLeaks {
    fn page(&self) -> Page {
        Page {
            name: "three-leaks",
            shows: "two dumps of a worker that leaks a cache, tracebacks and listeners: the three owners that grew most are \
                    those, by name, with as many entries as were leaked",
            stands_for: "workers with a limit of requests or of memory because nobody knows what grows",
            costs: "0.2 s a turn and 40 MiB; with CPython half a second and 60 MiB",
        }
    }

    fn run(&self, setting: &Setting<'_>) -> Result<Finding, Failure> {
        #[derive(Serialize)]
        struct Amount<'a> {
            seed: u64,
            requests: usize,
            leaks: [bool; 3],
            folder: &'a str,
        }
        let requests = setting.amount(self.requests, 2_000);
        let leaks = Leaks { cache: self.cache, errors: self.errors, listeners: self.listeners };
        let mut lanes =
            vec![Lane::fallible("cpymem", Role::Ours, |turn| modelled(setting, requests, leaks, turn))];
        let (able, unable): (Vec<_>, Vec<_>) =
            setting.pythons.iter().partition(|python| python.version() >= OLDEST);
        for python in able {
            let folder = Folder::new(&python.name())?;
            let amount = Amount {
                seed: setting.seed,
                requests,
                leaks: [self.cache, self.errors, self.listeners],
                folder: &folder.0.to_string_lossy(),
            };
            let mut process = Process::start(python, SCRIPT, &amount, &[])?;
            lanes.push(Lane::fallible(&python.name(), Role::Python, move |turn| {
                process.turn()?.record(turn);
                let dumps = ["first", "second"].map(|name| folder.0.join(format!("{name}.heap.jsonl")));
                compare(&[open(&dumps[0])?, open(&dumps[1])?], turn)?;
                dumps.iter().try_for_each(std::fs::remove_file).map_err(failure)
            }));
        }
        let mut checks = Vec::new();
        let subjects = alternate(lanes, setting, &mut checks)?;
        subjects.iter().for_each(|subject| claim(subject, &mut checks));
        let amount =
            format!("{} requests, a dump in the middle and one at the end", units::count(requests as u64));
        let no_dump = |name: String| format!("{name} is older than what the dumper knows");
        let notes = unable.into_iter().map(|python| no_dump(python.name())).collect();
        Ok(Finding { amount, subjects, checks, notes })
    }
}

fn claim(subject: &SubjectRecord, checks: &mut Vec<Check>) {
    let name = &subject.name;
    let grew = |of: &str| subject.series(&format!("{of}, growth")).map(|series| series.estimate.median);
    let grown: Vec<&str> =
        PLANTED.into_iter().filter(|owner| grew(owner).is_some_and(|bytes| bytes > 0.0)).collect();
    checks.push(Check {
        claim: format!("{name}: the three owners that grew most"),
        expected: PLANTED.join(", "),
        seen: if grown.is_empty() { "others".to_owned() } else { grown.join(", ") },
        holds: grown == PLANTED,
    });
    for owner in PLANTED {
        let counted = |what: &str| subject.count(&format!("{owner}, {what}")).unwrap_or_default();
        checks.push(Check::equal(
            format!("{name}: entries by which {owner} grew"),
            counted("planted"),
            counted("found"),
        ));
    }
    let rest = grew("all others").unwrap_or(f64::NAN);
    let planted: f64 = PLANTED.into_iter().filter_map(grew).sum();
    checks.push(Check::at_most(
        format!("{name}: growth of all others, of that of the three"),
        0.05,
        rest / planted,
    ));
}

/// The worker of this program: what a dump of it would say.
fn modelled(setting: &Setting<'_>, requests: usize, leaks: Leaks, turn: &mut Turn) -> Result<(), Failure> {
    let mut worker = Worker::new(setting.seed, leaks);
    worker.serve(requests / 2);
    let first = worker.dump();
    let before = [worker.cache.len(), worker.errors.len(), worker.listeners];
    worker.serve(requests - requests / 2);
    let after = [worker.cache.len(), worker.errors.len(), worker.listeners];
    for (owner, (after, before)) in PLANTED.into_iter().zip(after.into_iter().zip(before)) {
        turn.count(&format!("{owner}, planted"), (after - before) as u64);
    }
    let inputs = [("first", first), ("second", worker.dump())];
    let [first, second] = inputs.map(|(name, bytes)| Input::from_bytes(name, bytes, None));
    compare(&[first?, second?], turn)
}

/// Finds who grew from one dump to the next, as `cpymem diff` does. Named are the three that grew most.
fn compare(dumps: &[Input; 2], turn: &mut Turn) -> Result<(), Failure> {
    let start = std::time::Instant::now();
    let found = growth(dumps, &Progress::silent())?;
    let objects: u64 = found.objects.iter().sum();
    turn.ns(
        "read two dumps and compare, an object",
        start.elapsed().as_nanos() as f64 / objects.max(1) as f64,
    );
    let (most, others) = found.owners.split_at(PLANTED.len().min(found.owners.len()));
    let mut most: Vec<&OwnerGrowth> = most.iter().filter(|owner| owner.bytes_delta > 0).collect();
    most.sort_by_key(|owner| &owner.path);
    for owner in most {
        turn.bytes(&format!("{}, growth", owner.path), owner.bytes_delta as u64);
        turn.gauge(&format!("{}, objects", owner.path), owner.held_objects_delta as f64);
        turn.count(&format!("{}, found", owner.path), owner.objects_delta.max(0) as u64);
    }
    turn.bytes("all others, growth", others.iter().map(|owner| owner.bytes_delta.max(0) as u64).sum());
    Ok(())
}

fn open(path: &Path) -> Result<Input, Failure> {
    Ok(Input::from_arg(path.as_os_str(), None)?)
}

fn failure(error: std::io::Error) -> Failure {
    Failure::Plan(format!("three-leaks: {error}"))
}

/// A folder for dumps and the dumper, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(of: &str) -> Result<Folder, Failure> {
        let name = format!("cpymem-three-leaks-{}-{}", std::process::id(), of.replace(' ', "-"));
        let folder = Folder(std::env::temp_dir().join(name));
        std::fs::create_dir(&folder.0).map_err(failure)?;
        std::fs::write(folder.0.join("cpymem_dump.py"), dumper::HELPER).map_err(failure)?;
        Ok(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left to whoever cleans the folder of temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{broken, holds};
    use super::*;

    #[test]
    fn a_leak_that_is_mended_is_not_found() {
        assert_eq!(holds(&ThreeLeaks::STANDARD), Vec::<String>::new());
        let mended = [
            ThreeLeaks { cache: false, ..ThreeLeaks::STANDARD },
            ThreeLeaks { errors: false, ..ThreeLeaks::STANDARD },
            ThreeLeaks { listeners: false, ..ThreeLeaks::STANDARD },
        ];
        for workload in mended {
            assert_eq!(broken(&workload)[0], "cpymem: the three owners that grew most");
        }
    }
}
