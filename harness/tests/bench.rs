//! `cpymem bench` as a user runs it: the same seed, saved runs, pages, interpreters.

mod common;

use std::path::Path;
use std::process::{Command, Output};

use common::folder::Folder;
use common::python::pythons_since;
use serde_json::Value;

fn cpymem(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cpymem")).arg("bench").args(args).output().unwrap()
}

fn json(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Workloads that are quick and have counts.
const QUICK: [&str; 4] = ["scattered-survivors", "buffer-growth", "class-layouts", "recycling"];

/// The counts of a run, by workload and subject.
fn counts(run: &Value) -> Vec<(String, String, Value)> {
    let workloads = run["workloads"].as_array().unwrap();
    let subjects = workloads.iter().flat_map(|workload| {
        let name = workload["name"].as_str().unwrap().to_owned();
        workload["subjects"].as_array().unwrap().iter().map(move |subject| {
            (name.clone(), subject["name"].as_str().unwrap().to_owned(), subject["counts"].clone())
        })
    });
    subjects.collect()
}

#[test]
fn a_seed_gives_the_same_counts_and_another_seed_others() {
    let run = |seed: &str| {
        let mut args = QUICK.to_vec();
        args.extend(["--scale", "0.05", "--repeat", "1", "--json", "--seed", seed]);
        counts(&json(&cpymem(&args)))
    };
    let first = run("5");
    assert!(first.len() >= 8 && first.iter().any(|(.., counts)| !counts.as_array().unwrap().is_empty()));
    assert_eq!(first, run("5"));
    assert_ne!(first, run("6"));
}

#[test]
fn a_saved_run_is_compared_and_never_replaced_unasked() {
    let folder = Folder::new("saved");
    let file = folder.path("run.json");
    let quick = ["buffer-growth", "--scale", "0.02", "--repeat", "6"];
    let with = |more: &[&str]| cpymem(&[&quick[..], more].concat());
    assert_eq!(with(&["--save", &file]).status.code(), Some(0));
    let saved = std::fs::read(&file).unwrap();
    let run: Value = serde_json::from_slice(&saved).unwrap();
    let (workload, turns) = (&run["workloads"][0], &run["turns"]);
    let time = &workload["subjects"][0]["times"][0];
    assert_eq!(
        (time["samples"].as_array().unwrap().len(), turns),
        (6, &6.into()),
        "three processes, two turns each"
    );
    let claims = workload["checks"].as_array().unwrap();
    assert!(
        claims.iter().any(|check| check["claim"] == "subjects with other counts in another process"),
        "{claims:?}"
    );
    let again = with(&["--save", &file]);
    assert_eq!(again.status.code(), Some(1));
    assert!(again.stdout.is_empty());
    let words = String::from_utf8(again.stderr).unwrap();
    assert!(words.contains("--force") && words.lines().count() == 1, "{words}");
    assert_eq!(std::fs::read(&file).unwrap(), saved);

    let compared = json(&with(&["--against", &file, "--json"]));
    assert_eq!(compared["schema"], "cpymem.against/1");
    // Counts and bytes at least; times, too, unless the machine is busy.
    assert!(compared["compared"].as_u64().unwrap() >= 8, "{compared}");
    let counted = compared["differences"].as_array().unwrap().iter().filter(|it| it["kind"] == "count");
    assert_eq!(counted.count(), 0, "{compared}");

    // One count that is another is a difference, whatever its size.
    let mut run: Value = serde_json::from_slice(&saved).unwrap();
    let count = &mut run["workloads"][0]["subjects"][0]["counts"][0]["value"];
    *count = Value::from(count.as_u64().unwrap() + 1);
    let changed = folder.path("changed.json");
    std::fs::write(&changed, run.to_string()).unwrap();
    let compared = json(&with(&["--against", &changed, "--json"]));
    let counted = compared["differences"].as_array().unwrap().iter().filter(|it| it["kind"] == "count");
    assert_eq!(counted.count(), 1, "{compared}");
}

#[test]
fn what_is_no_saved_run_gets_one_line() {
    let folder = Folder::new("no-run");
    let file = folder.path("run.json");
    for (text, words) in
        [("", "line 1"), ("{\"schema\": 7}", "not a saved run"), ("[1, 2]", "not a saved run")]
    {
        std::fs::write(&file, text).unwrap();
        let output = cpymem(&["buffer-growth", "--against", &file]);
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{line}");
        assert!(output.stdout.is_empty() && line.lines().count() == 1 && line.contains(words), "{line}");
    }
    let missing = cpymem(&["buffer-growth", "--against", &folder.path("missing.json")]);
    assert_eq!(missing.status.code(), Some(1));
    for wrong in [
        &["no-such-workload"][..],
        &["--filter", "no-such-text"],
        &["--scale", "0"],
        &["--python", "/dev/null"],
    ] {
        let output = cpymem(wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout.is_empty(), "{wrong:?}");
    }
}

#[test]
fn a_run_is_also_markdown_and_a_page_that_needs_nothing_else() {
    let folder = Folder::new("page");
    let page = folder.path("run.html");
    let output =
        cpymem(&["scattered-survivors", "--scale", "0.1", "--repeat", "1", "--markdown", "--html", &page]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("## scattered-survivors") && text.contains("| held, deleted |"), "{text}");
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(html.contains("<svg") && html.contains("checks hold"));
    assert!(!html.contains("http") && !html.contains("<script") && html.len() < 1 << 20);
    assert!(Path::new(&page).exists());
}

#[test]
fn every_workload_has_a_page_in_the_list() {
    let output = cpymem(&["--list", "--json"]);
    let pages = json(&output);
    let pages = pages.as_array().unwrap();
    assert!(pages.len() >= 16, "{}", pages.len());
    for page in pages {
        for key in ["name", "shows", "stands_for", "costs"] {
            assert!(page[key].as_str().is_some_and(|text| !text.is_empty()), "{page}");
        }
    }
}

#[test]
fn claims_about_cpython_hold_on_every_interpreter_here() {
    let found = pythons_since((2, 7));
    if found.is_empty() {
        return;
    }
    let mut args = vec!["--scale", "0.05", "--repeat", "1", "--json"];
    for interpreter in &found {
        args.extend(["--python", interpreter.path.to_str().unwrap()]);
    }
    args.extend(["--filter", "churn,survivors,spike,growth,layouts,hand,debug"]);
    let output = cpymem(&args);
    let run: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let mut claims = 0;
    for check in run["workloads"].as_array().unwrap().iter().flat_map(|it| it["checks"].as_array().unwrap()) {
        if check["claim"].as_str().unwrap().contains("CPython") {
            claims += 1;
            assert_eq!(check["holds"], true, "{check}");
        }
    }
    assert!(claims >= 10 * found.len().min(2), "{claims} claims about {} interpreters", found.len());
}

/// The tables of `docs/bench.md`: workload, then the cells of each line by its title.
fn documented() -> Vec<(String, Vec<Vec<String>>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/bench.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut found: Vec<(String, Vec<Vec<String>>)> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("### ") {
            found.push((name.to_owned(), Vec::new()));
        } else if let (Some((_, lines)), true) = (found.last_mut(), line.starts_with("| ")) {
            let cells =
                line.trim_matches('|').split(" | ").map(|cell| cell.trim_matches([' ', '|']).to_owned());
            lines.push(cells.collect());
        }
    }
    found
}

#[test]
fn the_counts_of_the_documents_are_those_of_a_fresh_run() {
    let documented = documented();
    assert!(documented.len() >= 5, "{}", documented.len());
    let mut args: Vec<&str> = documented.iter().map(|(name, _)| name.as_str()).collect();
    args.extend(["--repeat", "1", "--json"]);
    let run = json(&cpymem(&args));
    let mut compared = 0;
    for ((name, lines), workload) in documented.iter().zip(run["workloads"].as_array().unwrap()) {
        assert_eq!(workload["name"], name.as_str());
        let titles: Vec<&str> =
            workload["subjects"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
        assert_eq!(lines[0][1..=titles.len()], titles, "{name}");
        for (column, subject) in workload["subjects"].as_array().unwrap().iter().enumerate() {
            for count in subject["counts"].as_array().unwrap() {
                let (what, value) = (count["name"].as_str().unwrap(), count["value"].as_u64().unwrap());
                let shown = match what.ends_with(", bytes") {
                    true => cpymem_harness::units::bytes(value),
                    false => cpymem_harness::units::count(value),
                };
                let line = lines.iter().find(|line| line[0] == what);
                let line = line.unwrap_or_else(|| panic!("{name} has no line '{what}'"));
                assert_eq!(line[column + 1], shown, "{name}: {what} of {}", subject["name"]);
                compared += 1;
            }
        }
    }
    assert!(compared >= 50, "{compared}");
}
