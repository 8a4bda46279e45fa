//! The patterns: every subject does the same, what is wrong is seen, and what cannot be done is said.

use cpymem_cyclegc::graph::{Graph, References};
use cpymem_cyclegc::patterns::{
    Counted, Latencies, OURS, Ours, Outcome, PATTERNS, Pattern, SUBJECTS, Scale, Shape, Subject, Work,
    on_big_stack,
};

const TINY: f64 = 0.002;

#[test]
fn every_subject_plays_without_a_fault_and_counts_the_same() {
    on_big_stack(|| {
        for pattern in PATTERNS {
            let ours = pattern.run(&OURS, Scale::new(TINY), 3).unwrap();
            assert_eq!(ours.faults, [""; 0], "{}", pattern.name);
            assert!(ours.operations > 0 && ours.counts.made > 0 && !pattern.about.is_empty());
            let mut players = 1;
            for subject in &SUBJECTS[1..] {
                let Ok(outcome) = pattern.run(subject, Scale::new(TINY), 3) else { continue };
                let what = format!("{}: {}", pattern.name, subject.name);
                assert_eq!((&outcome.faults[..], outcome.counts), (&[][..], ours.counts), "{what}");
                assert_eq!(outcome.operations, ours.operations, "{what}");
                players += 1;
            }
            assert!(cfg!(not(feature = "rivals")) || players >= 7, "{}", pattern.name);
        }
    });
}

#[test]
fn counts_depend_on_scale_and_seed_alone() {
    let run = |pattern: &Pattern, scale, seed| {
        let outcome = pattern.run(&OURS, Scale::new(scale), seed).unwrap();
        (outcome.counts, outcome.uncollected)
    };
    let random = ["references", "churn-look", "requests"];
    for pattern in PATTERNS.iter().filter(|pattern| random.contains(&pattern.name)) {
        assert_eq!(run(pattern, TINY, 1), run(pattern, TINY, 1), "{}", pattern.name);
        assert_ne!(run(pattern, TINY, 1).0.checksum, run(pattern, TINY, 2).0.checksum, "{}", pattern.name);
        assert!(run(pattern, 2.0 * TINY, 1).0.made > run(pattern, TINY, 1).0.made, "{}", pattern.name);
    }
}

/// A collector that never collects, one that loses an object, and one that recurses.
#[test]
fn what_is_wrong_is_seen() {
    struct Lazy(Ours);
    impl Counted for Lazy {
        type Node = <Ours as Counted>::Node;
        type Bag = <Ours as Counted>::Bag;

        fn new(_: bool) -> Lazy {
            Lazy(Ours::new(false))
        }
        fn set_automatic(&self, _: bool) {}
        fn collect(&self) {}
        fn alive(&self) -> usize {
            self.0.alive()
        }
        fn node(&self, id: u32) -> Self::Node {
            self.0.node(id)
        }
        fn id(node: &Self::Node) -> u32 {
            Ours::id(node)
        }
        fn set(node: &Self::Node, place: usize, target: Option<Self::Node>) {
            // One reference is lost.
            if Ours::id(node) != 5 || place != 0 {
                Ours::set(node, place, target);
            }
        }
        fn target(node: &Self::Node, place: usize) -> Option<Self::Node> {
            Ours::target(node, place)
        }
        fn bag(&self) -> Self::Bag {
            self.0.bag()
        }
        fn with_bag<R>(bag: &Self::Bag, change: impl FnOnce(&mut Vec<Self::Bag>) -> R) -> R {
            Ours::with_bag(bag, change)
        }
    }
    let lazy = Subject::counted::<Lazy>("lazy", false);
    let faults = |name: &str| {
        let pattern = Pattern::named(name).unwrap();
        pattern.run(&lazy, Scale::new(TINY), 1).unwrap().faults.join("; ")
    };
    assert!(faults("ring-dead").contains("6 of 2048 live objects were there"));
    assert!(faults("pairs-dead").contains("of 2048 garbage objects are there"));
    assert!(faults("ring-live").contains("6 of 2048 live objects are reached"), "{}", faults("ring-live"));
    assert!(faults("churn").contains("2048 are live"));
    assert!(faults("requests").contains("are live"));
    assert!(faults("references").contains("that nothing holds"));
    assert!(faults("imported").contains("are live"));
    let recursive = Subject::counted::<Ours>("recursive", true);
    let skipped = Pattern::named("ring-live").unwrap().run(&recursive, Scale::new(TINY), 1).unwrap_err();
    assert!(skipped.to_string().contains("on_big_stack"));
    let std_rc = SUBJECTS.iter().find(|subject| subject.name == "std Rc").unwrap();
    let skipped =
        on_big_stack(|| Pattern::named("ring-live").unwrap().run(std_rc, Scale::new(TINY), 1)).unwrap_err();
    assert_eq!(skipped.to_string(), "it frees no cycles");
}

#[test]
fn graphs_are_what_they_are_called() {
    for shape in Shape::ALL {
        let targets = shape.targets(64, 9);
        let edges = targets.iter().flatten().flatten().count();
        let expected = match shape {
            Shape::Tree => 126,
            Shape::Pairs | Shape::Ring => 64,
            Shape::Random => 192,
        };
        assert_eq!(edges, expected, "{shape:?}");
        assert!(targets.iter().flatten().flatten().all(|&target| target < 64));
    }
    assert_eq!(Shape::Tree.targets(64, 1)[5], [Some(11), Some(12), Some(2)]);
}

#[test]
fn a_graph_of_ones_own() {
    let mut graph = Graph::new();
    graph.push(References::Total(1), [1]).unwrap();
    graph.push(References::Total(2), [1]).unwrap();
    graph.push(References::Total(1), [2]).unwrap();
    let outcome = OURS.collect_graph(&graph).unwrap();
    assert_eq!((outcome.counts.made, outcome.counts.garbage, outcome.faults.len()), (3, 1, 0));
    graph.push(References::Total(1), [7]).unwrap();
    assert_eq!(
        OURS.collect_graph(&graph).unwrap().faults,
        ["object 3 refers to object 7, which does not exist"]
    );
}

#[test]
fn latencies_and_scales() {
    let requests = Pattern::named("requests").unwrap();
    assert_eq!(requests.work, Work::Requests);
    let outcome: Outcome = requests.run(&OURS, Scale::new(TINY), 1).unwrap();
    let latencies: Latencies = outcome.latencies.unwrap();
    assert_eq!((latencies.len(), latencies.is_empty()), (400, false));
    assert_eq!(latencies.histogram().iter().sum::<usize>(), 400);
    assert!(latencies.quantile(0.5) <= latencies.quantile(0.999));
    assert_eq!(outcome.longest, Some(latencies.quantile(1.0)));
    assert_eq!((Scale::new(f64::NAN), Scale::new(-1.0)), (Scale::new(1.0), Scale::new(0.001)));
    assert_eq!((Scale::new(1.0).objects(), Scale::new(0.0).of(10)), (1 << 20, 1));
}
