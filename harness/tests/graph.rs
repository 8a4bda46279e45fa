//! The graph of a dump: what is dead, dominators and retained bytes against slow oracles, owners, and every
//! recording in the folder named by `CPYMEM_DATA_HEAPS`.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use common::{Random, input, open, recordings, sample};
use cpymem_harness::heap::{Graph, Labels};
use cpymem_harness::input::Input;
use cpymem_harness::progress::Progress;
use cpymem_harness::rebuild::Rebuilt;

fn read(input: &Input) -> Graph {
    Graph::read(input, Labels::Code, &Progress::silent()).unwrap()
}

/// A dump of objects `(tracked, references from outside, referents)` of four types.
fn dump(objects: &[(bool, u32, Vec<u32>)]) -> String {
    let mut counts: Vec<u32> = objects.iter().map(|&(_, outside, _)| outside).collect();
    for &to in objects.iter().flat_map(|(_, _, referents)| referents) {
        counts[to as usize] += 1;
    }
    let mut text = String::from("{\"form\": \"PYHEAP 2\", \"python\": \"3.12.1\"}\n");
    let mut edges = 0;
    for (id, ((tracked, _, referents), count)) in objects.iter().zip(&counts).enumerate() {
        edges += referents.len();
        let list: Vec<String> = referents.iter().map(u32::to_string).collect();
        let (size, flags) = (16 * (id % 5 + 2), u8::from(*tracked));
        let _ = writeln!(text, "[{id},{},{size},{flags},{count},0,[{}]]", id % 4, list.join(","));
    }
    for class in 0..4 {
        let _ = writeln!(text, "{{\"type\":{{\"id\":{class},\"name\":\"m.T{class}\",\"gc\":true}}}}");
    }
    let _ = writeln!(text, "{{\"end\":{{\"objects\":{},\"edges\":{edges}}}}}", objects.len());
    text
}

/// A random graph in which every object is held by something.
fn random_objects(random: &mut Random) -> Vec<(bool, u32, Vec<u32>)> {
    let n = 2 + random.below(30);
    let (sparse, held) = (1 + random.below(4), 1 + random.below(12));
    let mut objects: Vec<(bool, u32, Vec<u32>)> = (0..n)
        .map(|_| {
            let referents = (0..random.below(sparse + 1)).map(|_| random.below(n) as u32).collect();
            (random.below(5) > 0, u32::from(random.below(held) == 0), referents)
        })
        .collect();
    let mut counts = vec![0; n as usize];
    for (_, _, referents) in &objects {
        referents.iter().for_each(|&to| counts[to as usize] += 1);
    }
    for (object, count) in objects.iter_mut().zip(counts) {
        if count == 0 {
            object.1 = object.1.max(1);
        }
    }
    objects
}

/// What can be reached from `starts` without going through `without`.
fn reached(objects: &[(bool, u32, Vec<u32>)], starts: &[u32], without: Option<u32>) -> BTreeSet<u32> {
    let mut seen = BTreeSet::new();
    let mut stack: Vec<u32> = starts.to_vec();
    while let Some(id) = stack.pop() {
        if Some(id) != without && seen.insert(id) {
            stack.extend(&objects[id as usize].2);
        }
    }
    seen
}

#[test]
fn garbage_is_what_the_real_collector_finds() {
    let mut random = Random(5);
    let mut with_garbage = 0;
    for round in 0..3_000 {
        let objects = random_objects(&mut random);
        let input = input(dump(&objects));
        let graph = read(&input);
        let collected = Rebuilt::new(&input, &graph).unwrap().collect();
        let found: Vec<u32> = graph.garbage().dead().iter().filter(|&id| graph.tracked(id)).collect();
        assert_eq!(found, collected.garbage, "round {round}: {objects:?}");
        assert_eq!(graph.garbage().found(), collected.found as u64);
        with_garbage += u32::from(!found.is_empty());
    }
    assert!((300..2_900).contains(&with_garbage), "{with_garbage}");
}

#[test]
fn dominators_are_the_objects_without_which_there_is_no_way() {
    let mut random = Random(6);
    let mut deep = 0;
    for round in 0..2_000 {
        let objects = random_objects(&mut random);
        let graph = read(&input(dump(&objects)));
        let tree = graph.dominators();
        let retained = graph.retained(&tree);
        // Where ways begin: held from outside, and what else the tree has at its top.
        let starts: Vec<u32> = retained.tops().collect();
        let all = reached(&objects, &starts, None);
        assert_eq!(all.len(), objects.len(), "round {round}: every object is in the tree");
        for (id, object) in (0..).zip(&objects) {
            assert_eq!(tree.is_alive(id), !graph.garbage().dead().has(id), "round {round}");
            assert!(object.1 == 0 || starts.contains(&id), "round {round}: {id} is held from outside");
            // An object dominates what is out of reach without it.
            let without = reached(&objects, &starts, Some(id));
            let below: BTreeSet<u32> = all.difference(&without).copied().collect();
            let said: BTreeSet<u32> = graph
                .ids()
                .filter(|&other| {
                    let mut next = Some(other);
                    std::iter::from_fn(|| {
                        let at = next?;
                        next = tree.dominator(at);
                        Some(at)
                    })
                    .any(|at| at == id)
                })
                .collect();
            assert_eq!(said, below, "round {round}: below {id} of {objects:?}");
            let bytes: u64 = below.iter().map(|&id| graph.block_bytes(id)).sum();
            assert_eq!(retained.of(id), bytes, "round {round}");
            deep += u32::from(below.len() > 3);
        }
        // By type: each byte once.
        let by_type = retained.by_group(4, |id| graph.type_id(id));
        for (class, said) in (0..4).zip(by_type) {
            let members = (0..objects.len() as u32).filter(|id| id % 4 == class);
            let below: BTreeSet<u32> = members
                .flat_map(|id| {
                    all.difference(&reached(&objects, &starts, Some(id))).copied().collect::<Vec<_>>()
                })
                .collect();
            let bytes: u64 = below.iter().map(|&id| graph.block_bytes(id)).sum();
            assert_eq!(said, bytes, "round {round}: type {class}");
        }
    }
    assert!(deep > 1_000, "{deep}");
}

#[test]
fn cycles_are_the_sets_that_reach_each_other() {
    let mut random = Random(7);
    let mut cycles = 0;
    for round in 0..2_000 {
        let objects = random_objects(&mut random);
        let graph = read(&input(dump(&objects)));
        let components = graph.components();
        let dead: Vec<u32> = graph.garbage().dead().iter().collect();
        let ways: BTreeMap<u32, BTreeSet<u32>> =
            dead.iter().map(|&id| (id, reached(&objects, &objects[id as usize].2, None))).collect();
        let mut in_cycles = BTreeSet::new();
        for cycle in components.cycles() {
            let members: BTreeSet<u32> = components.objects(cycle).collect();
            for id in &members {
                let same: BTreeSet<u32> = ways[id]
                    .iter()
                    .copied()
                    .filter(|to| ways.get(to).is_some_and(|way| way.contains(id)))
                    .collect();
                assert_eq!(same, members, "round {round}: {objects:?}");
            }
            in_cycles.extend(members);
            cycles += 1;
        }
        let on_cycle: BTreeSet<u32> = dead.iter().copied().filter(|id| ways[id].contains(id)).collect();
        assert_eq!(in_cycles, on_cycle, "round {round}");
        for (id, holder) in components.held() {
            let holds =
                |&cycle: &u32| components.objects(cycle).any(|at| at == id || ways[&at].contains(&id));
            match holder {
                Some(cycle) => assert!(holds(&cycle), "round {round}"),
                None => assert!(!components.cycles().any(|cycle| holds(&cycle)), "round {round}"),
            }
        }
    }
    assert!(cycles > 500, "{cycles}");
}

fn dumps() -> Vec<Input> {
    let mut dumps: Vec<Input> =
        ["threads", "profiles", "leaky"].map(|name| sample(name, "heap.jsonl.gz")).into();
    dumps.extend(recordings("CPYMEM_DATA_HEAPS", ".heap.jsonl.gz").iter().map(|path| open(path)));
    dumps
}

#[test]
fn recorded_dumps_give_the_recorded_garbage_and_every_byte_has_an_owner() {
    for input in dumps() {
        let name = input.name();
        let graph = read(&input);
        assert_eq!(Some(graph.garbage().found()), graph.end.gc_collected_after, "{name}");
        let collected = Rebuilt::new(&input, &graph).unwrap().collect();
        let found: Vec<u32> = graph.garbage().dead().iter().filter(|&id| graph.tracked(id)).collect();
        assert_eq!(found, collected.garbage, "{name}");
        let tree = graph.dominators();
        let retained = graph.retained(&tree);
        let objects = || graph.ids().filter(|&id| graph.is_object(id));
        let total: u64 = objects().map(|id| graph.block_bytes(id)).sum();
        assert_eq!(retained.total(), total, "{name}");
        let owners = graph.owners();
        assert!(objects().all(|id| owners.owner(id).is_some_and(|owner| owners.is_owner(owner))), "{name}");
        assert!(owners.are_named(), "{name}");
    }
}
