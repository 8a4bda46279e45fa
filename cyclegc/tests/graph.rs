//! Heaps that are built of graphs: counts, garbage, faults.

use std::collections::BTreeSet;

use cpymem_cyclegc::graph::{Graph, GraphError, MAX_REFERENCES, References};
use cpymem_cyclegc::{Collector, Generation};

use References::{Outside, Total};

fn graph(objects: &[(References, &[u32])]) -> Graph {
    let mut graph = Graph::new();
    for (references, targets) in objects {
        graph.push(*references, targets.iter().copied()).unwrap();
    }
    graph
}

fn fault(objects: &[(References, &[u32])]) -> GraphError {
    graph(objects).build(Collector::new()).expect_err("a faulty graph")
}

#[test]
fn a_heap_has_the_counts_and_the_garbage_of_its_graph() {
    // 0 is held twice and reaches 1; 2 and 3 hold each other and 1; 4 holds itself and is held.
    let graph = graph(&[
        (Outside(2), &[1, 1]),
        (Total(4), &[]),
        (Total(1), &[3, 1]),
        (Outside(0), &[2, 1]),
        (Total(2), &[4]),
    ]);
    assert_eq!((graph.objects(), graph.edges()), (5, 7));
    assert_eq!(graph.targets(2), [3, 1]);
    assert_eq!((graph.targets(1), graph.targets(5)), (&[][..], &[][..]));
    let mut heap = graph.build(Collector::new()).unwrap();
    assert_eq!(heap.counts().collect::<Vec<_>>(), [(0, 2), (1, 4), (2, 1), (3, 1), (4, 2)]);
    assert_eq!(heap.outside_references(), 3);
    assert_eq!(heap.collector().collect(), 0);
    heap.release_all();
    assert_eq!((heap.collector().collect(), heap.collector().collect()), (2, 0));
    assert_eq!(heap.destroyed(), [2, 3]);
    assert!(heap.give_up(4) && !heap.give_up(4) && !heap.give_up(1));
    assert_eq!((heap.collector().collect(), heap.destroyed().len()), (1, 3));
    assert!(heap.give_up(0));
    assert_eq!((heap.collector().objects(), heap.destroyed()), (0, vec![2, 3, 4, 0, 1]));
}

#[test]
fn what_nothing_refers_to_dies_when_it_is_released() {
    let mut heap = graph(&[(Outside(0), &[1]), (Outside(0), &[])]).build(Collector::new()).unwrap();
    assert!(heap.release(1) && !heap.release(1) && !heap.release(2));
    assert!(heap.destroyed().is_empty());
    assert!(heap.release(0));
    assert_eq!(heap.destroyed(), [0, 1]);
}

#[test]
fn many_references_from_outside_cost_no_memory() {
    let many = 5_000_000;
    let mut heap = graph(&[(Outside(many), &[0]), (Total(many), &[])]).build(Collector::new()).unwrap();
    assert_eq!(heap.counts().collect::<Vec<_>>(), [(0, many as usize + 1), (1, many as usize)]);
    assert_eq!(heap.outside_references(), 2 * u64::from(many));
    heap.release_all();
    assert!(heap.give_up(1));
    assert_eq!(heap.destroyed(), [1]);
    assert_eq!(heap.collector().collect(), 0);
    assert!(heap.give_up(0));
    assert_eq!(heap.collector().collect(), 1);
}

#[test]
fn faults_are_named() {
    assert_eq!(fault(&[(Outside(1), &[0, 1])]), GraphError::UnknownTarget { object: 0, target: 1 });
    assert_eq!(
        fault(&[(Outside(1), &[]), (Outside(1), &[u32::MAX])]),
        GraphError::UnknownTarget { object: 1, target: u32::MAX }
    );
    assert_eq!(fault(&[(Outside(1), &[]), (Total(0), &[])]), GraphError::NoReferences { object: 1 });
    assert_eq!(fault(&[(Total(1), &[0, 0])]), GraphError::TooFewReferences { object: 0, total: 1, edges: 2 });
    let too_many = |references| GraphError::TooManyReferences { object: 0, references };
    assert_eq!(fault(&[(Outside(u32::MAX), &[0])]), too_many(u64::from(u32::MAX) + 1));
    assert_eq!(fault(&[(Outside(MAX_REFERENCES), &[0])]), too_many(u64::from(MAX_REFERENCES) + 1));
    assert_eq!(fault(&[(Total(MAX_REFERENCES + 1), &[])]), too_many(u64::from(MAX_REFERENCES) + 1));
    let full = (Outside(MAX_REFERENCES), &[][..]);
    assert_eq!(
        fault(&[full; 5]),
        GraphError::TooManyReferencesInAll { references: 5 * u64::from(MAX_REFERENCES) }
    );
    let text = GraphError::TooFewReferences { object: 3, total: 1, edges: 2 }.to_string();
    assert_eq!(text, "object 3 counts 1 references, but 2 edges lead to it");
    assert!(!GraphError::OutOfMemory.to_string().is_empty());
}

/// Edges that never end: the graph takes what memory gives and stays as it was.
#[test]
fn a_graph_without_end() {
    let mut graph = Graph::new();
    graph.push(Outside(1), [0]).unwrap();
    let endless = std::iter::repeat_n(0, usize::MAX).take_while({
        let mut left = 1_000_000;
        move |_| {
            left -= 1;
            left > 0
        }
    });
    assert_eq!(graph.push(Outside(0), endless), Ok(1));
    assert_eq!((graph.edges(), graph.targets(1).len()), (1_000_000, 999_999));
    assert!(graph.build_bytes() > 8_000_000);
}

fn random(state: &mut u64, below: usize) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    ((u128::from(*state >> 11) * below as u128) >> 53) as usize
}

/// What nothing from outside reaches, by the slow and obvious way.
fn unreachable(graph: &Graph, outside: &[u32]) -> BTreeSet<u32> {
    let mut reached: Vec<bool> = outside.iter().map(|&count| count > 0).collect();
    let mut stack: Vec<u32> = (0..).zip(outside).filter(|(_, count)| **count > 0).map(|(i, _)| i).collect();
    while let Some(object) = stack.pop() {
        for &target in graph.targets(object) {
            if !std::mem::replace(&mut reached[target as usize], true) {
                stack.push(target);
            }
        }
    }
    (0..).zip(reached).filter(|(_, reached)| !reached).map(|(i, _)| i).collect()
}

#[test]
fn random_graphs_against_reachability() {
    let mut state = 7;
    let mut garbage_seen = 0;
    for round in 0..300 {
        let objects = 1 + random(&mut state, 200);
        let (mut graph, mut outside) = (Graph::new(), Vec::new());
        for _ in 0..objects {
            outside.push(if random(&mut state, 10) == 0 { 1 + random(&mut state, 3) as u32 } else { 0 });
            let edges = random(&mut state, 4);
            let targets: Vec<u32> = (0..edges).map(|_| random(&mut state, objects) as u32).collect();
            graph.push(Outside(outside[outside.len() - 1]), targets).unwrap();
        }
        let mut heap = graph.build(Collector::new()).unwrap();
        if round % 3 > 0 {
            heap.collector().collect_generation(Generation::ALL[round % 3]);
        }
        while heap.release(random(&mut state, objects) as u32) {}
        heap.release_all();
        heap.collector().collect();
        let destroyed: BTreeSet<u32> = heap.destroyed().into_iter().collect();
        assert_eq!(destroyed, unreachable(&graph, &outside), "round {round}");
        assert_eq!(destroyed.len(), heap.destroyed().len());
        garbage_seen += destroyed.len();
    }
    assert!(garbage_seen > 1000);
}
