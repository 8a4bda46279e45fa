//! Replay, collection and verdict on the bundled samples, and on every recording in the folders named by
//! `CPYMEM_DATA_TRACES` and `CPYMEM_DATA_HEAPS`.

mod common;

use std::time::Duration;

use common::{Random, open, recordings, sample};
use cpymem_cyclegc::graph::GraphHeap;
use cpymem_cyclegc::{Collector, Generation};
use cpymem_harness::heap::{Dump, Labels};
use cpymem_harness::input::Input;
use cpymem_harness::progress::Progress;
use cpymem_harness::rebuild::{Rebuilt, heap};
use cpymem_harness::record::{Layer, ReplayRecord};
use cpymem_harness::replay::{Plan, replay};
use cpymem_harness::units;

fn traces() -> Vec<Input> {
    let mut traces: Vec<Input> =
        ["profiles", "leaky", "threads", "flask"].map(|name| sample(name, "pmt.gz")).into();
    traces.extend(recordings("CPYMEM_DATA_TRACES", ".pmt.gz").iter().map(|path| open(path)));
    traces
}

fn dumps() -> Vec<Input> {
    let mut dumps: Vec<Input> =
        ["threads", "profiles", "leaky"].map(|name| sample(name, "heap.jsonl.gz")).into();
    dumps.extend(recordings("CPYMEM_DATA_HEAPS", ".heap.jsonl.gz").iter().map(|path| open(path)));
    dumps
}

fn replayed(input: &Input) -> ReplayRecord {
    replay(input, Plan { repeats: Some(1) }, &Progress::silent()).unwrap()
}

#[test]
fn every_trace_replays_with_every_byte_checked() {
    for input in traces() {
        let record = replayed(&input);
        let name = input.name();
        assert!(record.checks.iter().all(|check| check.holds), "{name}: {:?}", record.checks);
        let checked: Vec<&str> = record.checked.iter().map(|run| run.name).collect();
        assert_eq!(checked, ["cpymem", "pymalloc"], "{name}");
        for run in &record.checked {
            assert_eq!(run.clobbered, 0, "{name}");
            assert_eq!(run.allocations, run.frees + run.live_at_end, "{name}");
            assert_eq!((run.allocations, run.frees), (record.allocations, record.frees), "{name}");
            assert!(run.written_bytes > record.peak_live_bytes, "{name}");
        }
        for backend in &record.backends {
            assert!(backend.ns_per_event.is_some_and(|ns| ns > 0.0), "{name}: {}", backend.name);
            assert!(!backend.held_bytes.is_empty() && backend.held_bytes.len() == backend.live_bytes.len());
            if backend.name != "system" {
                assert!(backend.peak_held_bytes >= Some(record.peak_live_bytes), "{name}: {}", backend.name);
                assert!(backend.end_pools > Some(0) && backend.end_arenas > Some(0));
            }
        }
        let known: Vec<_> = record.phases.iter().filter(|phase| phase.pools_recorded.is_some()).collect();
        assert!(known.iter().all(|phase| phase.pools_recorded == Some(phase.pools_model)), "{name}");
    }
}

#[test]
fn dumps_rebuild_with_their_counts_and_collect_to_the_recorded_garbage() {
    for input in dumps() {
        let name = input.name().to_owned();
        let dump = Dump::read(&input, Labels::Skip).unwrap();
        let rebuilt = Rebuilt::new(&input, &dump).unwrap();
        let mut compared = 0;
        for (id, count) in rebuilt.counts() {
            assert!(dump.tracked(id));
            if !dump.immortal(id) {
                assert_eq!(Some(count), dump.refcount(id).map(|count| count as usize), "{name}: object {id}");
                compared += 1;
            }
        }
        assert!(compared > 1000, "{name}");
        let collected = rebuilt.collect();
        let recorded = dump.end.gc_collected_after.expect("every recording tells");
        assert_eq!(collected.found as u64, recorded, "{name}");
        assert_eq!(collected.garbage.len(), collected.found, "{name}");
        assert_eq!(collected.again, 0, "{name}");

        let record = heap(&input, &Progress::silent()).unwrap();
        assert!(record.checks.len() == 3 && record.checks.iter().all(|check| check.holds), "{name}");
        let of_types: u64 = record.types.iter().map(|class| class.garbage_count).sum();
        assert_eq!(of_types, recorded, "{name}");
        assert_eq!(record.types.iter().map(|class| class.count).sum::<u64>(), record.objects, "{name}");
    }
}

/// Thresholds to build under, and generations to collect before the first full collection.
const SETTINGS: [([u32; 3], &[Generation]); 6] = [
    ([0, 0, 0], &[]),
    ([2000, 10, 10], &[Generation::Young, Generation::Middle]),
    ([700, 10, 10], &[Generation::Middle]),
    ([1, 1, 1], &[Generation::Young, Generation::Young]),
    ([50, 1, 1], &[Generation::Middle, Generation::Young]),
    ([5000, 3, 2], &[Generation::Young]),
];

/// Step budgets; the first is none, so that nothing is left to steps.
const BUDGETS: [Option<Duration>; 4] =
    [None, Some(Duration::ZERO), Some(Duration::from_micros(20)), Some(Duration::from_millis(5))];

#[derive(Clone, Copy, Debug)]
enum Order {
    Ascending,
    Descending,
    Shuffled,
    /// Every object is collected about while half of the handles are there.
    Halves,
}

const ORDERS: [Order; 4] = [Order::Ascending, Order::Descending, Order::Shuffled, Order::Halves];

fn release(heap: &mut GraphHeap, objects: u32, order: Order) {
    match order {
        Order::Ascending => heap.release_all(),
        Order::Descending => (0..objects).rev().for_each(|object| assert!(heap.release(object))),
        Order::Shuffled => {
            let mut random = Random(u64::from(objects));
            let mut order: Vec<u32> = (0..objects).collect();
            (1..order.len()).for_each(|i| order.swap(i, random.below(i as u64 + 1) as usize));
            order.into_iter().for_each(|object| assert!(heap.release(object)));
        }
        Order::Halves => {
            (0..objects).step_by(2).for_each(|object| assert!(heap.release(object)));
            heap.collector().collect();
            heap.collector().step(Duration::from_micros(100));
            heap.release_all();
        }
    }
}

/// Whatever the generations, the length of steps and the order in which references go: the same objects die, as many as
/// `gc.collect()` found.
#[test]
fn garbage_is_the_same_however_it_is_collected() {
    for input in dumps() {
        let name = input.name().to_owned();
        let dump = Dump::read(&input, Labels::Skip).unwrap();
        let recorded = dump.end.gc_collected_after.expect("every recording tells");
        let garbage = Rebuilt::new(&input, &dump).unwrap().collect().garbage;
        assert_eq!(garbage.len() as u64, recorded, "{name}");
        let mut by_steps = 0;
        for (thresholds, generations) in SETTINGS {
            for (order, budget) in ORDERS.into_iter().flat_map(|order| BUDGETS.map(|budget| (order, budget)))
            {
                let what = format!("{name}: {thresholds:?} {generations:?} {budget:?} {order:?}");
                let collector = Collector::new();
                collector.set_threshold(thresholds);
                let mut rebuilt = Rebuilt::on(collector, &input, &dump).unwrap();
                let objects = rebuilt.counts().count() as u32;
                let heap = rebuilt.heap();
                release(heap, objects, order);
                generations.iter().for_each(|&generation| {
                    heap.collector().collect_generation(generation);
                });
                if let Some(budget) = budget {
                    let before = heap.destroyed().len();
                    (0..20).any(|_| heap.collector().step(budget).done);
                    by_steps += heap.destroyed().len() - before;
                }
                heap.collector().collect();
                assert_eq!(heap.collector().collect(), 0, "{what}");
                assert_eq!(heap.collector().stats().inconsistent, 0, "{what}");
                assert_eq!(heap.collector().objects(), objects as usize - garbage.len(), "{what}");
                assert!(rebuilt.destroyed() == garbage, "{what}");
            }
        }
        assert!(recorded == 0 || by_steps > 0, "{name}: steps have found nothing");
    }
}

#[test]
fn at_least_two_samples_have_garbage() {
    let found = |name| heap(&sample(name, "heap.jsonl.gz"), &Progress::silent()).unwrap().garbage.found;
    assert!(found("threads") > 0 && found("profiles") > 0 && found("leaky") == 0);
}

#[test]
fn three_programs_get_three_verdicts() {
    let expected = [
        ("profiles", Layer::Allocator),
        ("leaky", Layer::Lifetime),
        ("threads", Layer::Collector),
        ("flask", Layer::Elsewhere),
    ];
    for (name, layer) in expected {
        let record = replayed(&sample(name, "pmt.gz"));
        assert_eq!(record.verdict.layer, layer, "{name}: {:?}", record.verdict);
        assert!((0.0..=1.0).contains(&record.verdict.confidence));
        assert_eq!(record.verdict.step.expected_bytes.is_some(), layer != Layer::Elsewhere);
    }
}

/// The full recordings get the verdicts of the samples.
#[test]
fn full_recordings_get_the_same_verdicts() {
    for path in recordings("CPYMEM_DATA_TRACES", ".pmt.gz") {
        let input = open(&path);
        let layer = replayed(&input).verdict.layer;
        let file = input.name().rsplit('/').next().unwrap();
        match file.trim_end_matches(".pmt.gz") {
            "profiles_dict" | "profiles_slots" => assert_eq!(layer, Layer::Allocator, "{file}"),
            "leaky" => assert_eq!(layer, Layer::Lifetime, "{file}"),
            "threads" => assert_eq!(layer, Layer::Collector, "{file}"),
            _ => {}
        }
    }
}

#[test]
fn every_number_of_a_verdict_is_in_its_document() {
    for input in traces() {
        let record = replayed(&input);
        let document = serde_json::to_value(&record).unwrap();
        let facts: Vec<String> = record.verdict.facts.iter().map(units::fact).collect();
        let kept = document["verdict"]["facts"].as_array().unwrap();
        assert_eq!(kept.len(), facts.len());
        assert!(kept.iter().all(|fact| fact["value"].is_number() && fact["name"].is_string()));
        let verdict = &record.verdict;
        let mut seen = 0;
        for text in [&verdict.state, &verdict.trigger, &verdict.consequence, &verdict.step.action] {
            // What stands in quotes is a name of the program's own.
            let own: String = text.split('\'').step_by(2).collect();
            for number in numbers(&own) {
                assert!(facts.iter().any(|fact| numbers(fact).contains(&number)), "{number} in: {text}");
                seen += 1;
            }
        }
        assert!(seen >= 2, "{}", input.name());
        if let Some(bytes) = verdict.step.expected_bytes {
            assert_eq!(document["verdict"]["step"]["expected_bytes"], bytes);
        }
    }
}

/// The numbers of a text, as written.
fn numbers(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_ascii_digit() && c != ',' && c != '.')
        .map(|word| word.trim_matches(['.', ',']).to_owned())
        .filter(|word| word.starts_with(|c: char| c.is_ascii_digit()))
        .collect()
}
