//! The bundled samples, and with `CPYMEM_DATA_TRACES` and `CPYMEM_DATA_HEAPS` the recordings in those
//! folders, against what the reference tools say about them.

mod common;

use common::{open, recordings, sample, samples};
use cpymem_harness::heap::{Dump, Labels};
use cpymem_harness::pymalloc::{FullPool, InPlace, Rules, pools_at_phases};
use cpymem_harness::trace::{Scan, scan};
use serde_json::Value;

const REAR: Rules = Rules { full_pool: FullPool::Rear, ..Rules::CPYTHON };
const WHENEVER_IT_FITS: Rules = Rules { realloc: InPlace::WheneverItFits, ..Rules::CPYTHON };

fn expected() -> Value {
    let text = std::fs::read(samples().join("expected.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// Compares a scan with a line of the reference tool's statistics.
fn assert_stats(scan: &Scan, stats: &Value, name: &str) {
    let round = |share: Option<f64>| (share.unwrap() * 1e4).round() / 1e4;
    let near = |a: f64, b: &Value, unit: f64, what: &str| {
        assert!((a - b.as_f64().unwrap()).abs() <= unit * 0.500_001, "{name}: {what} {a}, not {b}");
    };
    assert_eq!(scan.header.program.as_deref(), stats["program"].as_str(), "{name}");
    assert_eq!(scan.header.python.as_deref(), stats["python"].as_str(), "{name}");
    let counts = [
        ("events", scan.events),
        ("allocations", scan.allocations),
        ("reallocs", scan.reallocs),
        ("frees", scan.frees),
        ("threads", u64::from(scan.threads)),
        ("live_at_end", scan.live_at_end),
        ("peak_live_kib", scan.peak_live_bytes / 1024),
    ];
    for (key, count) in counts {
        assert_eq!(Some(count), stats[key].as_u64(), "{name}: {key}");
    }
    assert_eq!(scan.unknown, 0, "{name}");
    assert_eq!(Some(scan.object_allocations), stats["domain_allocs"]["object"].as_u64(), "{name}");
    assert_eq!(Some(round(scan.small_share_of_allocations())), stats["le512_share_allocs"].as_f64());
    assert_eq!(Some(round(scan.small_share_of_bytes())), stats["le512_share_bytes"].as_f64());
    let gc = &stats["gc"];
    for (generation, &count) in scan.collections.by_generation.iter().enumerate() {
        assert_eq!(count, gc["collections"][generation.to_string()].as_u64().unwrap_or(0), "{name}");
    }
    near(scan.collections.total_ns as f64 / 1e6, &gc["total_ms"], 0.01, "total_ms");
    near(scan.collections.longest_ns as f64 / 1e6, &gc["max_pause_ms"], 0.01, "max_pause_ms");
    assert_eq!(Some(scan.collections.collected), gc["collected_objects"].as_u64(), "{name}");
    let share = round(scan.deaths.collector_share());
    assert_eq!(Some(share), gc["object_frees_in_gc_share"].as_f64(), "{name}");
    assert_eq!(scan.deaths.count + scan.objects_live_at_end, scan.object_allocations, "{name}");

    // A long list of phases is cut in the middle, where it says "...".
    let phases = stats["phases_label_rssKiB_liveKiB_t"].as_array().unwrap();
    let cut = phases.iter().position(|phase| phase == "...").unwrap_or(phases.len());
    let behind = phases.len().saturating_sub(cut + 1);
    assert!(scan.phases.len() >= cut + behind, "{name}");
    if cut == phases.len() {
        assert_eq!(scan.phases.len(), cut, "{name}");
    }
    let first = scan.phases[..cut].iter().zip(&phases[..cut]);
    let last = scan.phases[scan.phases.len() - behind..].iter().zip(&phases[phases.len() - behind..]);
    for (phase, expected) in first.chain(last) {
        assert_eq!(Some(scan.label(phase)), expected[0].as_str(), "{name}");
        assert_eq!(Some(phase.rss_kib.unwrap_or(0)), expected[1].as_u64(), "{name}");
        assert_eq!(Some(phase.live_bytes / 1024), expected[2].as_u64(), "{name}");
        near(phase.at_ns as f64 / 1e9, &expected[3], 0.001, "time of a phase");
    }
}

fn recorded(scan: &Scan) -> Vec<u64> {
    scan.phases.iter().map(|phase| phase.pools_recorded.unwrap()).collect()
}

#[test]
fn traces_hold_what_the_reference_says() {
    for (name, expected) in expected()["traces"].as_object().unwrap() {
        let input = sample(name, "pmt.gz");
        let scan = scan(&input).unwrap();
        assert_stats(&scan, &expected["stats"], name);
        assert_eq!(Some(scan.deaths.count), expected["deaths"]["count"].as_u64(), "{name}");
        assert_eq!(Some(scan.deaths.collector), expected["deaths"]["collector"].as_u64(), "{name}");
        assert_eq!(Some(scan.objects_live_at_end), expected["objects_live_at_end"].as_u64(), "{name}");
        let pools = pools_at_phases(&input, Rules::CPYTHON).unwrap();
        let phases = expected["phases"].as_array().unwrap();
        assert_eq!((pools.len(), scan.phases.len()), (phases.len(), phases.len()), "{name}");
        for ((phase, model), expected) in scan.phases.iter().zip(pools).zip(phases) {
            assert_eq!(Some(scan.label(phase)), expected["label"].as_str(), "{name}");
            assert_eq!(Some(model), expected["pools_model"].as_u64(), "{name}");
            assert_eq!(phase.pools_recorded, expected["pools_recorded"].as_u64(), "{name}");
        }
    }
}

/// A model that breaks a rule of CPython is found out by a sample.
#[test]
fn wrong_rules_give_wrong_pools() {
    let input = sample("flask", "pmt.gz");
    let recorded = recorded(&scan(&input).unwrap());
    assert_eq!(pools_at_phases(&input, Rules::CPYTHON).unwrap(), recorded);
    assert_ne!(pools_at_phases(&input, REAR).unwrap(), recorded);
    assert_ne!(pools_at_phases(&input, WHENEVER_IT_FITS).unwrap(), recorded);
}

/// What the sample is for: half of the records gone and hardly a pool with them.
#[test]
fn profiles_show_the_plateau() {
    let scan = scan(&sample("profiles", "pmt.gz")).unwrap();
    let at = |label: &str| scan.phases.iter().find(|phase| scan.label(phase) == label).unwrap();
    let (built, half, none) = (at("built"), at("half deleted"), at("all deleted"));
    assert!(half.live_bytes * 3 < built.live_bytes * 2);
    assert_eq!(half.pools_recorded, built.pools_recorded, "not one pool is empty");
    assert!(none.pools_recorded.unwrap() * 5 < built.pools_recorded.unwrap());
    assert!(none.rss_kib.unwrap() * 100 >= built.rss_kib.unwrap() * 98, "the arenas stay");
}

#[test]
fn recorded_traces_agree_with_their_statistics() {
    let traces = recordings("CPYMEM_DATA_TRACES", ".pmt.gz");
    let Some(first) = traces.first() else {
        return;
    };
    let stats = std::fs::read_to_string(first.with_file_name("stats.jsonl")).unwrap();
    assert_eq!(stats.lines().count(), traces.len(), "a line for each trace, by name");
    for (path, stats) in traces.iter().zip(stats.lines()) {
        let name = path.file_name().unwrap().to_string_lossy();
        let input = open(path);
        let scan = scan(&input).unwrap();
        assert_stats(&scan, &serde_json::from_str(stats).unwrap(), &name);
        let pools = pools_at_phases(&input, Rules::CPYTHON).unwrap();
        assert_eq!(pools.len(), scan.phases.len());
        if scan.header.addresses {
            assert_eq!(pools, recorded(&scan), "{name}");
        }
        println!("{name}: {} marks, share of deaths {:?}", pools.len(), scan.deaths.collector_share());
    }
}

/// CPython's algorithm in its plainest form: what is unreachable from outside the tracked objects.
fn garbage(dump: &Dump) -> u64 {
    let mut outside: Vec<i64> = dump.ids().map(|id| dump.refcount(id).map_or(i64::MAX, i64::from)).collect();
    for id in dump.ids().filter(|&id| dump.tracked(id)) {
        for &to in dump.referents(id) {
            outside[to as usize] -= 1;
        }
    }
    let root = |&id: &u32| dump.tracked(id) && (dump.immortal(id) || outside[id as usize] > 0);
    let mut todo: Vec<u32> = dump.ids().filter(root).collect();
    let mut reached = vec![false; dump.len() as usize];
    todo.iter().for_each(|&id| reached[id as usize] = true);
    while let Some(id) = todo.pop() {
        for &to in dump.referents(id) {
            if !std::mem::replace(&mut reached[to as usize], true) {
                todo.push(to);
            }
        }
    }
    let lost = |&id: &u32| dump.is_object(id) && dump.tracked(id) && !reached[id as usize];
    dump.ids().filter(lost).count() as u64
}

#[test]
fn dumps_hold_what_the_reference_says() {
    for (name, expected) in expected()["dumps"].as_object().unwrap() {
        let dump = Dump::read(&sample(name, "heap.jsonl.gz"), Labels::Keep).unwrap();
        let own = dump.ids().filter(|&id| !dump.is_object(id)).count() as u64;
        let tracked = dump.ids().filter(|&id| dump.is_object(id) && dump.tracked(id)).count() as u64;
        let counts = [
            ("objects", u64::from(dump.len())),
            ("own_rows", own),
            ("tracked", tracked),
            ("immortal", dump.ids().filter(|&id| dump.immortal(id)).count() as u64),
            ("edges", dump.edges().len() as u64),
            ("bytes", dump.ids().map(|id| dump.size(id)).sum()),
            ("types", dump.types().count() as u64),
            ("labels", dump.ids().filter(|&id| dump.label(id).is_some()).count() as u64),
            ("mappings", dump.process.as_ref().unwrap().smaps.as_ref().unwrap().len() as u64),
            ("names_lines", dump.names_lines),
        ];
        for (key, count) in counts {
            assert_eq!(Some(count), expected[key].as_u64(), "{name}: {key}");
        }
        assert_eq!(dump.header.python.as_deref(), expected["python"].as_str(), "{name}");
        assert_eq!(Some(garbage(&dump)), expected["garbage"]["found"].as_u64(), "{name}");
        assert_eq!(dump.end.gc_collected_after, expected["garbage"]["recorded"].as_u64(), "{name}");
        for row in expected["most_common_types"].as_array().unwrap() {
            let of_type = |&id: &u32| dump.is_object(id) && dump.type_name(id) == row[0];
            let count = dump.ids().filter(of_type).count() as u64;
            assert_eq!(Some(count), row[1].as_u64(), "{name}: {row}");
        }
    }
}

#[test]
fn recorded_dumps_hold_the_garbage_that_was_found() {
    for path in recordings("CPYMEM_DATA_HEAPS", ".heap.jsonl.gz") {
        let dump = Dump::read(&open(&path), Labels::Skip).unwrap();
        assert_eq!(Some(garbage(&dump)), dump.end.gc_collected_after, "{}", path.display());
        assert!(dump.ids().all(|id| dump.label(id).is_none()));
    }
}

#[test]
fn samples_stay_small() {
    let files = std::fs::read_dir(samples()).unwrap().map(|file| file.unwrap().metadata().unwrap().len());
    assert!(files.sum::<u64>() < 4 << 20);
}
