//! `cpymem bench growth`: instructions of a free and an allocation while more and more blocks live, counted by valgrind.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;

use super::Failure;
use super::entrants::{Role, Roster};
use crate::progress::Progress;

/// Document `cpymem.bench-growth/1`.
#[derive(Clone, Debug, Serialize)]
pub struct GrowthRecord {
    /// `cpymem.bench-growth/1`.
    pub schema: &'static str,
    /// Blocks that live at once.
    pub live: Vec<usize>,
    /// Every allocator.
    pub growths: Vec<Growth>,
}

/// One allocator.
#[derive(Clone, Debug, Serialize)]
pub struct Growth {
    /// Its name.
    pub allocator: &'static str,
    /// Instructions of one replacement at random, in batches, for each number of live blocks; the random number included.
    pub instructions: Vec<f64>,
    /// The largest over the smallest; null if something failed.
    pub spread: Option<f64>,
    /// Why there are fewer numbers than there should be: not every allocator runs under valgrind.
    pub failure: Option<String>,
}

/// What is counted.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Only these allocators; all of them if there is none.
    pub only: Vec<String>,
    /// The most blocks that live at once; from 1,000 on in steps of ten.
    pub most: usize,
    /// The Python library whose pymalloc takes part.
    pub libpython: Option<PathBuf>,
}

/// Replacements that are counted.
const TURNS: usize = 200_000;

/// Counts instructions.
///
/// # Errors
/// If valgrind is missing or fails with every allocator, or the Python library cannot be used.
pub fn growth(plan: &Plan, progress: &Progress) -> Result<GrowthRecord, Failure> {
    let roster = Roster::new(plan.libpython.as_deref()).map_err(Failure::Plan)?;
    let entrants = super::selected(&roster, &plan.only)?;
    let live: Vec<usize> = std::iter::successors(Some(1000), |live| Some(live * 10))
        .take_while(|&live| live <= plan.most)
        .collect();
    let mut growths = Vec::new();
    for entrant in entrants.iter().filter(|entrant| entrant.role != Role::Baseline) {
        let mut growth =
            Growth { allocator: entrant.name, instructions: Vec::new(), spread: None, failure: None };
        for &live in &live {
            progress.pass(&format!("{}: {live} live", entrant.name));
            let count = |turns| instructions_of(entrant.name, plan.libpython.as_deref(), live, turns);
            match count(0).and_then(|before| Ok((count(TURNS)? - before) / TURNS as f64)) {
                Ok(instructions) => growth.instructions.push(instructions),
                Err(what) => {
                    growth.failure = Some(what);
                    break;
                }
            }
        }
        if growth.failure.is_none() {
            let most = growth.instructions.iter().copied().fold(f64::MIN, f64::max);
            let least = growth.instructions.iter().copied().fold(f64::MAX, f64::min);
            growth.spread = Some(most / least);
        }
        growths.push(growth);
    }
    if let Some(what) = growths.first().filter(|_| growths.iter().all(|growth| growth.failure.is_some())) {
        return Err(Failure::Plan(what.failure.clone().unwrap_or_default()));
    }
    Ok(GrowthRecord { schema: "cpymem.bench-growth/1", live, growths })
}

/// Instructions of a whole child, as cachegrind counts them.
fn instructions_of(
    allocator: &str,
    libpython: Option<&Path>,
    live: usize,
    turns: usize,
) -> Result<f64, String> {
    let fail = |what: &str| format!("{allocator} under valgrind: {what}");
    let program = std::env::current_exe().map_err(|error| fail(&error.to_string()))?;
    let mut command = Command::new("valgrind");
    command.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]).arg(program);
    command.args(["bench", "one-allocator", allocator]);
    command.arg("--live").arg(live.to_string()).arg("--turns").arg(turns.to_string());
    if let Some(library) = libpython.filter(|_| allocator == "pymalloc") {
        command.arg("--libpython").arg(library);
    }
    let output = command.output().map_err(|error| fail(&error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(fail(&output.status.to_string()));
    }
    // ==1234== I   refs:      1,234,567
    let line = text.lines().find(|line| line.contains("refs:")).ok_or_else(|| fail("it counted nothing"))?;
    let digits: String = line.rsplit(':').next().unwrap_or("").chars().filter(char::is_ascii_digit).collect();
    digits.parse().map_err(|_| fail("its count is no number"))
}
