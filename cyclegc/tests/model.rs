//! Random graphs and random mutations against a slow, obvious oracle: reachability from the handles.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use cpymem_cyclegc::{Collector, Gc, Trace, Weak};
use proptest::prelude::*;

#[derive(Trace)]
#[trace(drop)]
struct Node {
    id: usize,
    edges: RefCell<Vec<Gc<Node>>>,
    #[trace(skip)]
    dead: Rc<RefCell<BTreeSet<usize>>>,
    #[trace(skip)]
    double: Rc<Cell<bool>>,
}

impl Drop for Node {
    fn drop(&mut self) {
        if !self.dead.borrow_mut().insert(self.id) {
            self.double.set(true);
        }
    }
}

#[derive(Clone, Debug)]
enum Op {
    New,
    Link(usize, usize),
    Unlink(usize, usize),
    Hold(usize, usize),
    Release(usize),
    Weak(usize),
    Upgrade(usize),
    Collect,
}

fn op() -> impl Strategy<Value = Op> {
    let n = any::<usize>;
    prop_oneof![
        6 => Just(Op::New),
        10 => (n(), n()).prop_map(|(a, b)| Op::Link(a, b)),
        3 => (n(), n()).prop_map(|(a, b)| Op::Unlink(a, b)),
        3 => (n(), n()).prop_map(|(a, b)| Op::Hold(a, b)),
        6 => n().prop_map(Op::Release),
        1 => n().prop_map(Op::Weak),
        1 => n().prop_map(Op::Upgrade),
        1 => Just(Op::Collect),
    ]
}

/// The oracle: edges by id.
#[derive(Default)]
struct Model {
    edges: BTreeMap<usize, Vec<usize>>,
}

impl Model {
    fn reachable(&self, handles: &[(usize, Gc<Node>)]) -> BTreeSet<usize> {
        let mut seen = BTreeSet::new();
        let mut stack: Vec<usize> = handles.iter().map(|(id, _)| *id).collect();
        while let Some(id) = stack.pop() {
            if seen.insert(id) {
                stack.extend(&self.edges[&id]);
            }
        }
        seen
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn nothing_live_dies_and_nothing_dead_stays(ops in prop::collection::vec(op(), 1..600)) {
        let collector = Collector::new();
        let dead = Rc::new(RefCell::new(BTreeSet::new()));
        let double = Rc::new(Cell::new(false));
        let mut model = Model::default();
        let mut handles: Vec<(usize, Gc<Node>)> = Vec::new();
        let mut weaks: Vec<(usize, Weak<Node>)> = Vec::new();
        for op in ops {
            let n = handles.len().max(1);
            match op {
                Op::New => {
                    let id = model.edges.len();
                    model.edges.insert(id, Vec::new());
                    let node = Node {
                        id, edges: RefCell::default(), dead: dead.clone(), double: double.clone(),
                    };
                    handles.push((id, collector.alloc(node)));
                }
                Op::Collect => {
                    let reachable = model.reachable(&handles);
                    let before = collector.objects();
                    let found = collector.collect();
                    prop_assert_eq!(collector.objects(), reachable.len());
                    prop_assert_eq!(before - found, reachable.len());
                }
                _ if handles.is_empty() => {}
                Op::Link(a, b) => {
                    let ((from, a), (to, b)) = (&handles[a % n], &handles[b % n]);
                    a.edges.borrow_mut().push(b.clone());
                    model.edges.get_mut(from).unwrap().push(*to);
                }
                Op::Unlink(a, k) => {
                    let (from, node) = &handles[a % n];
                    let degree = node.edges.borrow().len();
                    if degree > 0 {
                        let gone = node.edges.borrow_mut().swap_remove(k % degree);
                        drop(gone);
                        model.edges.get_mut(from).unwrap().swap_remove(k % degree);
                    }
                }
                Op::Hold(a, k) => {
                    let node = handles[a % n].1.clone();
                    let edges = node.edges.borrow();
                    if !edges.is_empty() {
                        let target = edges[k % edges.len()].clone();
                        handles.push((target.id, target));
                    }
                }
                Op::Release(a) => drop(handles.swap_remove(a % n)),
                Op::Weak(a) => weaks.push((handles[a % n].0, Gc::downgrade(&handles[a % n].1))),
                Op::Upgrade(k) => {
                    if !weaks.is_empty() {
                        let (id, weak) = &weaks[k % weaks.len()];
                        let strong = weak.upgrade();
                        prop_assert_eq!(strong.is_none(), dead.borrow().contains(id));
                        handles.extend(strong.map(|strong| (*id, strong)));
                    }
                }
            }
            let reachable = model.reachable(&handles);
            prop_assert!(dead.borrow().is_disjoint(&reachable), "a live object died");
        }
        let reachable = model.reachable(&handles);
        collector.collect();
        prop_assert_eq!(dead.borrow().len() + reachable.len(), model.edges.len());
        prop_assert!(handles.iter().all(|(id, node)| node.id == *id));
        drop(handles);
        collector.collect();
        prop_assert_eq!(dead.borrow().len(), model.edges.len());
        prop_assert!(!double.get(), "an object died twice");
        prop_assert_eq!(collector.objects(), 0);
        prop_assert!(weaks.iter().all(|(_, weak)| weak.upgrade().is_none()));
    }
}
