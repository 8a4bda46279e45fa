//! `cpymem bench allocator`, `memory` and `one-allocator`, small, as a user runs them.

mod common;

use std::process::{Command, Output};

use common::samples;
use serde_json::Value;

fn cpymem(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cpymem")).args(args).output().unwrap()
}

fn document(args: &[&str]) -> Value {
    let output = cpymem(args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn names(rows: &Value) -> Vec<&str> {
    rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
}

#[test]
fn every_pattern_and_bundled_trace_runs_on_every_allocator_there_is() {
    let document = document(&["bench", "allocator", "--json", "--scale", "0.002", "--alternations", "2"]);
    assert_eq!(document["schema"], "cpymem.bench-allocator/1");
    let listed = cpymem(&["bench", "allocator", "--list"]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    let patterns: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let measured = names(&document["rows"]);
    assert!(patterns.len() > 20 && measured[..patterns.len()] == patterns[..], "{measured:?}");
    let replays = ["replay-profiles", "replay-leaky", "replay-threads", "replay-flask"];
    assert_eq!(measured[patterns.len()..], replays);
    for row in document["rows"].as_array().unwrap() {
        let times = row["times"].as_array().unwrap();
        assert!(times.len() >= 2, "{row}");
        for time in times {
            assert_eq!(time["clobbered"], 0, "{row}");
            let ns = &time["ns"];
            assert!(
                ns["low"].as_f64() <= ns["median"].as_f64() && ns["median"].as_f64() <= ns["high"].as_f64()
            );
            assert!(ns["median"].as_f64().unwrap() > 0.0, "{row}");
        }
        if row["group"] != "release" {
            let ratio = row["ours_over_best"]["median"].as_f64().unwrap();
            assert!(ratio.is_finite() && ratio > 0.0);
        }
    }
    // The mean of the table is that of its rows.
    let ours_over_system: Vec<f64> = document["rows"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["group"] == "one-thread")
        .map(|row| {
            let of = |name: &str| {
                let times = row["times"].as_array().unwrap();
                let time = times.iter().find(|time| time["allocator"] == name).unwrap();
                time["ns"]["median"].as_f64().unwrap()
            };
            of("cpymem") / of("system")
        })
        .collect();
    let logs: f64 = ours_over_system.iter().map(|ratio| ratio.ln()).sum();
    let mean = &document["means"][0];
    let system = mean["ours_over"].as_array().unwrap().iter().find(|pair| pair[0] == "system").unwrap();
    let expected = (logs / ours_over_system.len() as f64).exp();
    assert!((system[1].as_f64().unwrap() / expected - 1.0).abs() < 1e-9);
}

#[test]
fn memory_of_a_trace_is_what_is_live_and_some_more() {
    let trace = samples().join("profiles.pmt.gz");
    let document = document(&["bench", "memory", "--json", "--blocks", "100000", trace.to_str().unwrap()]);
    for held in document["replays"][0]["held"].as_array().unwrap() {
        let peak = held["peak_resident_bytes"].as_u64().unwrap();
        let live = held["peak_live_bytes"].as_u64().unwrap();
        assert_eq!(held["clobbered"], 0);
        assert!(peak > live / 2 && peak < live * 3 + (8 << 20), "{held}");
    }
    let uniform = document["uniform"].as_array().unwrap();
    for held in uniform {
        let (peak, live) =
            (held["peak_resident_bytes"].as_u64().unwrap(), held["peak_live_bytes"].as_u64().unwrap());
        // 100,000 blocks of 136 bytes in the mean.
        assert!((live as f64 / 13_600_000.0 - 1.0).abs() < 0.01, "{live}");
        assert!(peak >= live && peak < live * 3 / 2, "{held}");
    }
    let marks = &document["marks"][0];
    let arenas = marks["pymalloc_arena_bytes"].as_array().unwrap();
    assert!(!arenas.is_empty() && arenas.iter().all(|bytes| bytes.as_u64().unwrap() % (1 << 20) == 0));
    assert_eq!(marks["held"][0]["marks"].as_array().unwrap().len(), arenas.len());
}

#[test]
fn what_cannot_be_measured_is_a_usage_error() {
    for (args, what) in [
        (&["bench", "allocator", "--only", "tcmalloc"][..], "there is no allocator 'tcmalloc' here"),
        (&["bench", "allocator", "--filter", "nothing-has-this-name"], "no pattern and no trace"),
        (&["bench", "one-allocator", "bumpalo"], "bumpalo cannot free single blocks"),
        (&["bench", "allocator", "--libpython", "/nowhere/libpython.so"], "cpymem: "),
    ] {
        let output = cpymem(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains(what) && errors.trim_end().lines().count() == 1, "{errors}");
    }
}
