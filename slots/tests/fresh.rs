//! Fresh measurements: random classes and random lives of instances, made by every interpreter that is found here and
//! compared with the model.
//!
//! Other seeds and numbers of cases come from the environment:
//!
//!     CPYMEM_FRESH_SEEDS=1,2 CPYMEM_FRESH_CASES=500 cargo test -p cpymem-slots --test fresh -- --nocapture

#[allow(dead_code, reason = "of the module that reads tables, only the check of a file is used here")]
#[path = "../examples/check/tables/mod.rs"]
mod tables;

use std::path::{Path, PathBuf};
use std::process::Command;

use tables::check_file;

const SEEDS: &str = "20261";
const CASES: &str = "250";

/// Interpreters by name in the folders of `PATH`, and those that pyenv keeps.
fn interpreters() -> Vec<PathBuf> {
    let names = (6..=15).flat_map(|minor| [format!("python3.{minor}"), format!("python3.{minor}t")]);
    let names: Vec<String> = names.chain(["python2.7".to_owned()]).collect();
    let mut folders: Vec<PathBuf> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    let root = std::env::var_os("PYENV_ROOT")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".pyenv")));
    if let Some(versions) = root.and_then(|root| std::fs::read_dir(root.join("versions")).ok()) {
        folders.splice(0..0, versions.flatten().map(|version| version.path().join("bin")));
    }
    let found = |name: &String| {
        folders
            .iter()
            .filter(|folder| !folder.ends_with("shims"))
            .map(|it| it.join(name))
            .find(|it| it.is_file())
    };
    names.iter().filter_map(found).collect()
}

/// Runs a script in every interpreter and compares what it measured.
fn measure(script: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(script);
    let name = script.file_stem().unwrap().to_string_lossy().into_owned();
    let given = |key, otherwise: &str| std::env::var(key).unwrap_or_else(|_| otherwise.to_owned());
    let (seeds, cases) = (given("CPYMEM_FRESH_SEEDS", SEEDS), given("CPYMEM_FRESH_CASES", CASES));
    let interpreters = interpreters();
    if interpreters.is_empty() {
        eprintln!("{name}: skipped, no interpreter was found");
    }
    for interpreter in interpreters {
        for seed in seeds.split(',') {
            let output = Command::new(&interpreter).arg(&script).args([seed, &cases]).output();
            let Some(output) = output.ok().filter(|output| output.status.success()) else {
                eprintln!("{name}: {} skipped, it does not run the script", interpreter.display());
                continue;
            };
            let version = interpreter.file_name().unwrap().to_string_lossy();
            let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{version}-{seed}.jsonl"));
            std::fs::write(&file, output.stdout).unwrap();
            let report = check_file(&file, None).unwrap();
            let totals = report.totals;
            if totals.unknown == totals.rows {
                eprintln!("{name}: {} skipped, its version is not modelled", interpreter.display());
                continue;
            }
            eprintln!("{name} {seed} {version}: {totals}");
            assert_eq!((totals.mismatches, totals.unknown), (0, 0), "{:#?}", report.shown);
        }
    }
}

#[test]
fn fresh_classes() {
    measure("fresh.py");
}

#[test]
fn fresh_lives() {
    measure("data/events.py");
}
