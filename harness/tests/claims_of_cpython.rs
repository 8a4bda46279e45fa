//! What comparisons claim of CPython holds on every interpreter that there is, and each has a claim of its own.

mod common;

use std::process::Command;

use common::python::pythons_since;
use serde_json::Value;

#[track_caller]
fn claims_hold(workload: &str) {
    claims_hold_since(workload, (2, 7));
}

/// Interpreters that are older have no part in the workload and get a note.
#[track_caller]
fn claims_hold_since(workload: &str, oldest: (u32, u32)) {
    let pythons = pythons_since((2, 7));
    let mut command = Command::new(env!("CARGO_BIN_EXE_cpymem"));
    command.args(["bench", workload, "--json", "--scale", "0.1", "--repeat", "2"]);
    pythons.iter().for_each(|python| {
        command.arg("--python").arg(&python.path);
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
    let able = pythons.iter().filter(|python| python.version >= oldest).count();
    assert!(subjects.len() > able);
    let notes = workload["notes"].as_array().unwrap();
    assert!(notes.len() >= pythons.len() - able, "{notes:?}");
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

#[test]
fn three_leaks() {
    // What the dumper knows.
    claims_hold_since("three-leaks", (3, 8));
}
