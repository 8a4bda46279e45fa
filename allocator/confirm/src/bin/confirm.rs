//! Runs the program on every allocator that was built, in turn, and prints times and ratios.
//!
//! ```text
//! cargo build --release -p cpymem-confirm --features rivals && target/release/confirm [TURNS]
//! ```

use std::path::Path;
use std::process::{Command, ExitCode};

use cpymem_harness::statistics::Estimate;

const ALLOCATORS: [&str; 5] = ["cpymem", "mimalloc", "jemalloc", "snmalloc", "system"];

fn main() -> ExitCode {
    let turns = std::env::args().nth(1).and_then(|turns| turns.parse().ok()).unwrap_or(21).max(1);
    match confirm(turns) {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("confirm: {what}");
            ExitCode::FAILURE
        }
    }
}

/// The nanoseconds and the sum of one run.
fn run(program: &Path) -> Result<(f64, u64), String> {
    let fail = |what: &str| format!("{}: {what}", program.display());
    let output = Command::new(program).output().map_err(|error| fail(&error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text.split_whitespace();
    let time = numbers.next().and_then(|time| time.parse().ok());
    let sum = numbers.next().and_then(|sum| sum.parse().ok());
    time.zip(sum).filter(|_| output.status.success()).ok_or_else(|| fail("it failed"))
}

fn confirm(turns: usize) -> Result<(), String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let folder = own.parent().unwrap_or(Path::new("."));
    let built: Vec<_> = ALLOCATORS
        .into_iter()
        .map(|name| (name, folder.join(format!("on-{name}{}", std::env::consts::EXE_SUFFIX))))
        .filter(|(_, program)| program.exists())
        .collect();
    if built.first().is_none_or(|(name, _)| *name != "cpymem") {
        return Err("on-cpymem is not built".to_owned());
    }
    let mut times = vec![Vec::new(); built.len()];
    let mut sums = Vec::new();
    for turn in 0..=turns {
        for index in (0..built.len()).map(|index| (index + turn) % built.len()) {
            let (time, sum) = run(&built[index].1)?;
            sums.push(sum);
            // The first turn warms up.
            if turn > 0 {
                times[index].push(time);
            }
        }
    }
    if sums.iter().any(|sum| *sum != sums[0]) {
        return Err("the programs disagree".to_owned());
    }
    println!("{:10} {:>8} {:>18}", "", "ms", "cpymem over it");
    for ((name, _), theirs) in built.iter().zip(&times) {
        let time = Estimate::of(theirs.iter().copied()).map_or(0.0, |time| time.median / 1e6);
        let ratios = times[0].iter().zip(theirs).map(|(ours, theirs)| ours / theirs);
        if let Some(ratio) = Estimate::of(ratios) {
            println!("{name:10} {time:8.2} {:5.2} [{:.2} {:.2}]", ratio.median, ratio.low, ratio.high);
        }
    }
    Ok(())
}
