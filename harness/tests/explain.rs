//! What `explain` says about dumps whose answer is known, about dumps that do not tell everything, and about hostile
//! ones; and what it writes as a decision.

mod common;

use std::io::Read;
use std::path::Path;
use std::process::{Command, Output};

use common::folder::Folder;
use common::python::{Python, pythons};
use common::{recordings, samples};
use cpymem_harness::dumper::HELPER;
use flate2::read::MultiGzDecoder;
use serde_json::Value;

fn cpymem(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cpymem")).args(args).output().unwrap()
}

fn sample(name: &str) -> String {
    samples().join(format!("{name}.heap.jsonl.gz")).to_str().unwrap().to_owned()
}

fn text_of(path: &str) -> String {
    let mut text = String::new();
    MultiGzDecoder::new(&std::fs::read(path).unwrap()[..]).read_to_string(&mut text).unwrap();
    text
}

#[track_caller]
fn explain(args: &[&str]) -> Value {
    let output = cpymem(&[&["explain", "--json"], args].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{args:?}: {errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

const TERMS: [&str; 9] =
    ["live_seen", "live_unseen", "garbage", "pool_free", "overhead", "libc", "files", "stack", "rest"];

/// The terms that are known sum to what the dump's own mappings sum to.
#[track_caller]
fn assert_sums(document: &Value, dump: &str) {
    let process = dump.lines().nth(1).unwrap();
    let process: Value = serde_json::from_str(process).unwrap();
    let recorded: u64 = process["process"]["smaps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mapping| mapping[2].as_u64().unwrap() * 1024)
        .sum();
    let rss = &document["rss_bytes"];
    let sum: u64 = TERMS.iter().filter_map(|term| rss[term].as_u64()).sum();
    assert_eq!((rss["total"].as_u64(), sum), (Some(recorded), recorded));
}

#[test]
fn the_samples_and_their_terms() {
    for (name, garbage) in [("leaky", 0), ("profiles", 1200), ("threads", 3124)] {
        let document = explain(&[&sample(name)]);
        assert_eq!(document["dumps"][0]["garbage"], garbage, "{name}");
        assert_sums(&document, &text_of(&sample(name)));
        assert!(TERMS.iter().all(|term| document["rss_bytes"][term].is_u64()), "{name}: every term is known");
        let seen = document["rss_bytes"]["live_seen"].as_u64().unwrap();
        let unseen = document["rss_bytes"]["live_unseen"].as_u64().unwrap();
        assert!(seen > 2 * unseen, "{name}: {seen} seen, {unseen} not");
        assert_eq!(document["growth"].as_array().unwrap().len(), 0, "{name}: one dump shows no growth");
        let layers = document["layers"].as_array().unwrap();
        let shares: f64 = layers.iter().map(|layer| layer["share"].as_f64().unwrap()).sum();
        assert!(layers.len() == 5 && shares > 0.3 && shares <= 1.0, "{name}: {shares}");
    }
    let leaky = explain(&[&sample("leaky")]);
    let owners: Vec<&str> = leaky["remedies"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|remedy| remedy["layer"] == "lifetime")
        .map(|remedy| remedy["target"].as_str().unwrap())
        .collect();
    assert_eq!(owners, ["w_leaky.ERRORS", "w_leaky.LISTENERS", "w_leaky.CACHE"]);
}

#[test]
fn what_a_dump_does_not_tell_is_null_and_said() {
    let folder = Folder::new("null");
    let text = text_of(&sample("leaky"));
    let process = text.lines().nth(1).unwrap();
    let known = |document: &Value| {
        TERMS.into_iter().filter(|term| !document["rss_bytes"][term].is_null()).collect::<Vec<_>>()
    };
    let document = explain(&[&folder.file("none", text.replacen(&format!("{process}\n"), "", 1))]);
    assert_eq!(known(&document), ["live_seen", "garbage"]);
    assert!(document["rss_bytes"]["total"].is_null() && document["layers"][0]["share"].is_null());
    assert!(document["confidence"].as_f64().unwrap() <= 0.3, "{}", document["confidence_reason"]);
    assert!(document["notes"].to_string().contains("no mappings"), "{}", document["notes"]);

    let mut value: Value = serde_json::from_str(process).unwrap();
    value["process"]["mallocstats"] = Value::Null;
    let file = folder.file("no-stats", text.replacen(process, &value.to_string(), 1));
    let document = explain(&[&file]);
    assert_eq!(known(&document), ["live_seen", "garbage", "libc", "files", "stack", "rest"]);
    assert_sums(&document, &std::fs::read_to_string(&file).unwrap());
    assert!(document["notes"].to_string().contains("no figures of pymalloc"));

    let mut value: Value = serde_json::from_str(process).unwrap();
    value["process"]["smaps"] = Value::Null;
    let file = folder.file("no-smaps", text.replacen(process, &value.to_string(), 1));
    assert_eq!(known(&explain(&[&file])), ["live_seen", "live_unseen", "garbage", "pool_free", "overhead"]);

    let unnamed: String =
        text.lines().filter(|line| !line.starts_with("{\"names\"")).map(|line| format!("{line}\n")).collect();
    let document = explain(&[&folder.file("unnamed", &unnamed)]);
    assert!(document["notes"].to_string().contains("keys are not named"));
    let version = text.replacen("\"python\": \"3.12.1\"", "\"python\": \"3.99.0\"", 1);
    assert_ne!(version, text);
    let document = explain(&[&folder.file("version", &version)]);
    assert!(document["notes"].to_string().contains("CPython 3.99.0 is not known"), "{}", document["notes"]);
    let free = text.replacen("{\"form\"", "{\"free_threaded\": true, \"form\"", 1);
    let document = explain(&[&folder.file("free", &free)]);
    assert_eq!(document["exact"], false);
    assert!(document["notes"].to_string().contains("without the GIL"));
}

#[test]
fn a_cost_orders_the_remedies_by_what_they_risk() {
    let path = sample("profiles");
    let plain = explain(&[&path]);
    assert!(plain["cost"].is_null());
    let all = plain["remedies"].as_array().unwrap().len();
    for cost in ["latency", "growth", "compatibility", "confusion"] {
        let document = explain(&[&path, "--cost", cost]);
        assert_eq!(document["cost"], cost);
        let risks = |remedy: &Value| remedy["risks"][cost].as_u64().unwrap();
        let remedies = document["remedies"].as_array().unwrap();
        let bytes = |remedy: &Value| remedy["expected_bytes"].as_u64().unwrap_or(0);
        let best = remedies.iter().map(bytes).max().unwrap();
        let worthwhile: Vec<u64> =
            remedies.iter().take_while(|remedy| bytes(remedy) * 4 >= best).map(risks).collect();
        assert!(worthwhile.is_sorted() && !worthwhile.is_empty(), "{cost}: {worthwhile:?}");
        assert_eq!(remedies.len(), all, "the same, in another order");
    }
    assert_eq!(cpymem(&["explain", &path, "--cost", "money"]).status.code(), Some(2));
}

#[test]
fn the_text_fits_a_terminal_of_80_columns() {
    for args in [&["leaky"][..], &["profiles"], &["leaky", "threads"]] {
        let paths: Vec<String> = args.iter().map(|name| sample(name)).collect();
        let mut args = vec!["explain"];
        args.extend(paths.iter().map(String::as_str));
        let output = cpymem(&args);
        let text = String::from_utf8(output.stdout).unwrap();
        for line in text.lines().filter(|line| !paths.iter().any(|path| line.contains(path))) {
            assert!(line.chars().count() <= 80, "{line}");
        }
        for part in ["verdict", "state", "trigger", "consequence", "next", "brings", "RSS", "REMEDIES", "ok "]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

#[test]
fn inputs_that_cannot_be_used_get_one_line_and_no_decision() {
    let folder = Folder::new("broken");
    let text = text_of(&sample("leaky"));
    let (good, decision) = (sample("leaky"), folder.path("decision"));
    let cases = [
        folder.path("missing"),
        folder.file("empty", ""),
        folder.file("cut", &text[..text.len() / 2]),
        folder.file("other", "{\"form\": \"PYHEAP 9\"}\n"),
        samples().join("flask.pmt.gz").to_str().unwrap().to_owned(),
    ];
    for path in &cases {
        for args in [vec![path.as_str()], vec![&good, path], vec![path, &good]] {
            let output = cpymem(&[&["explain", "--decision", &decision], &args[..]].concat());
            let line = String::from_utf8(output.stderr).unwrap();
            assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{line}");
            assert!(line.starts_with(&format!("cpymem: {path}: ")) && line.lines().count() == 1, "{line}");
            assert!(!Path::new(&decision).exists());
        }
    }
    assert_eq!(cpymem(&["explain"]).status.code(), Some(2));
    assert_eq!(cpymem(&["explain", &good, "--force"]).status.code(), Some(2));
}

#[test]
fn a_decision_is_written_once_and_its_programs_run() {
    let folder = Folder::new("decision");
    let pythons = pythons();
    for name in ["leaky", "profiles", "threads"] {
        let path = folder.path(name);
        explain(&[&sample(name), "--decision", &path]);
        let read = |file: &str| std::fs::read_to_string(Path::new(&path).join(file)).unwrap();
        let finding = read("finding.md");
        for part in
            ["**State.**", "**Trigger.**", "**Impact.**", "**Change.**", "**Rejected.**", "**Guard rail.**"]
        {
            assert!(finding.contains(part), "{name}: {part}");
        }
        for python in &pythons {
            runs(python, &Path::new(&path).join("reproduce.py"));
            runs(python, &Path::new(&path).join("change.py"));
        }
        std::fs::write(Path::new(&path).join("change.py"), "mine").unwrap();
        std::fs::remove_file(Path::new(&path).join("finding.md")).unwrap();
        let output = cpymem(&["explain", &sample(name), "--decision", &path]);
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{line}");
        assert!(line.contains("--force") && line.lines().count() == 1, "{line}");
        assert_eq!(read("change.py"), "mine");
        assert!(!Path::new(&path).join("finding.md").exists(), "all files or none");
        explain(&[&sample(name), "--decision", &path, "--force"]);
        assert_ne!(read("change.py"), "mine");
    }
}

#[track_caller]
fn runs(python: &Python, program: &Path) {
    let output = Command::new(&python.path).arg(program).output().unwrap();
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let (version, program) = (python.version, program.display());
    assert!(output.status.success() && errors.is_empty(), "{version:?} {program}: {said}{errors}");
    assert!(!said.is_empty(), "{version:?} {program} says nothing");
}

/// As they stand, with the numbers that they carry.
#[test]
fn every_template_runs_in_every_interpreter() {
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/explain/decisions");
    let mut count = 0;
    for entry in std::fs::read_dir(templates).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("\"\"\""), "{}", path.display());
        for python in pythons() {
            runs(&python, &path);
        }
        count += 1;
    }
    assert_eq!(count, 12, "two for each layer");
}

#[test]
fn planted_leaks_are_named_in_every_interpreter_and_bounding_one_brings_its_bytes() {
    let folder = Folder::new("planted");
    folder.file("cpymem_dump.py", HELPER);
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/leaks.py");
    for python in pythons() {
        let (major, minor) = python.version;
        let label = format!("{major}.{minor}");
        let dumps = |kind: &str| {
            let paths = ["a", "b"].map(|k| folder.path(&format!("{kind}-{label}-{k}.heap.jsonl.gz")));
            let mut command = Command::new(&python.path);
            command.arg(&program).args(&paths).env("PYTHONPATH", folder.as_path());
            if kind == "bounded" {
                command.arg("bounded");
            }
            let output = command.output().unwrap();
            assert!(output.status.success(), "{label}: {}", String::from_utf8_lossy(&output.stderr));
            paths
        };
        let [a, b] = dumps("leaks");
        let document = explain(&[&a, &b]);
        assert_eq!(document["layer"], "lifetime", "{label}: {document:#}");
        assert_sums(&document, &text_of(&b));
        let entries = |owner: &Value| {
            owner["entries"].as_array().unwrap().iter().map(|n| n.as_u64()).collect::<Vec<_>>()
        };
        let owners = document["growth"].as_array().unwrap();
        let mut first: Vec<(&str, _)> =
            owners.iter().take(3).map(|owner| (owner["path"].as_str().unwrap(), entries(owner))).collect();
        first.sort();
        let planted = [
            ("__main__.CACHE", vec![Some(1000), Some(2000)]),
            ("__main__.ERRORS", vec![Some(91), Some(182)]),
            ("__main__.LISTENERS", vec![Some(143), Some(286)]),
        ];
        assert_eq!(first, planted, "{label}");
        assert_eq!(document["remedies"][0]["target"], "__main__.CACHE", "{label}: the largest");
        let promised = document["step"]["expected_bytes"].as_u64().unwrap() as f64;

        // The same program with the remedy: what lives at its second dump is less by what was promised.
        let [_, after] = dumps("bounded");
        let live = |document: &Value| {
            ["live_seen", "live_unseen"]
                .iter()
                .map(|term| document["rss_bytes"][term].as_u64().unwrap())
                .sum::<u64>()
        };
        let brought = live(&document) as f64 - live(&explain(&[&after])) as f64;
        assert!((brought / promised - 1.0).abs() < 0.2, "{label}: promised {promised}, brought {brought}");
    }
}

/// The recordings that this program was designed on, if they are here.
#[test]
fn recorded_heaps_have_the_layer_that_is_known_of_them() {
    let heaps = recordings("CPYMEM_DATA_HEAPS", ".heap.jsonl.gz");
    let path = |name: &str| {
        let file = format!("{name}.heap.jsonl.gz");
        heaps.iter().find(|path| path.ends_with(&file)).map(|path| path.to_str().unwrap().to_owned())
    };
    for heap in &heaps {
        let heap = heap.to_str().unwrap();
        assert_sums(&explain(&[heap]), &text_of(heap));
    }
    for (name, layer) in [("pinned", "allocator"), ("flask", "packaging"), ("sqlalchemy", "packaging")] {
        if let Some(path) = path(name) {
            assert_eq!(explain(&[&path])["layer"], layer, "{name}");
        }
    }
    if let (Some(a), Some(b)) = (path("leaky_a"), path("leaky_b")) {
        let document = explain(&[&a, &b]);
        assert_eq!(document["layer"], "lifetime");
        let mut owners: Vec<&str> = document["growth"].as_array().unwrap()[..3]
            .iter()
            .map(|it| it["path"].as_str().unwrap())
            .collect();
        owners.sort_unstable();
        assert_eq!(owners, ["w_leaky.CACHE", "w_leaky.ERRORS", "w_leaky.LISTENERS"]);
    }
}
