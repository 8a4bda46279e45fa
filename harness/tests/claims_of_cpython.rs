//! What comparisons claim of CPython holds on every interpreter that there is, and each has a claim of its own.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

/// Every CPython of pyenv, or the one on the path.
fn interpreters() -> Vec<PathBuf> {
    let installed = std::env::var_os("HOME")
        .and_then(|home| std::fs::read_dir(PathBuf::from(home).join(".pyenv/versions")).ok())
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin/python")));
    let mut installed: Vec<PathBuf> = installed.filter(|path| path.is_file()).collect();
    if installed.is_empty() && Command::new("python3").arg("--version").output().is_ok() {
        installed.push(PathBuf::from("python3"));
    }
    installed
}

#[track_caller]
fn claims_hold(workload: &str) {
    let pythons = interpreters();
    if pythons.is_empty() {
        eprintln!("there is no python: only our own claims are tested");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_cpymem"));
    command.args(["bench", workload, "--json", "--scale", "0.1", "--repeat", "2"]);
    pythons.iter().for_each(|python| {
        command.arg("--python").arg(python);
    });
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stdout));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let workload = &document["workloads"][0];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let claims: Vec<String> =
        workload["checks"].as_array().unwrap().iter().map(|check| text(&check["claim"])).collect();
    let subjects = workload["subjects"].as_array().unwrap();
    assert!(subjects.len() > pythons.len());
    for subject in subjects.iter().map(|subject| text(&subject["name"])) {
        let start = format!("{subject}: ");
        assert!(claims.iter().any(|claim| claim.starts_with(&start)), "nothing is claimed of {subject}");
    }
}

#[test]
fn cyclic_trees() {
    claims_hold("cyclic-trees");
}

#[test]
fn traceback_cycles() {
    claims_hold("traceback-cycles");
}

#[test]
fn big_live_heap() {
    claims_hold("big-live-heap");
}

#[test]
fn prefork_cow() {
    if std::fs::metadata("/proc/self/smaps_rollup").is_err() {
        eprintln!("skipped: no /proc/self/smaps_rollup here");
        return;
    }
    claims_hold("prefork-cow");
}

#[test]
fn small_integers() {
    claims_hold("small-integers");
}
