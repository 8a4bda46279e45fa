//! This crate as a subject.

use std::cell::RefCell;

use cpymem_cyclegc_derive::Trace;

use super::Counted;
use crate::collector::Collector;
use crate::gc_ptr::Gc;

/// This crate: a [`Collector`] with CPython 3.13's thresholds.
#[derive(Debug)]
pub struct Ours(Collector);

/// An object with three references.
#[derive(Trace)]
pub struct Node {
    id: u32,
    edges: RefCell<[Option<Gc<Node>>; 3]>,
}

/// An object with any number of references.
#[derive(Trace)]
pub struct Bag(RefCell<Vec<Gc<Bag>>>);

impl Counted for Ours {
    type Node = Gc<Node>;
    type Bag = Gc<Bag>;

    fn new(automatic: bool) -> Ours {
        let ours = Ours(Collector::new());
        ours.set_automatic(automatic);
        ours
    }

    fn set_automatic(&self, automatic: bool) {
        match automatic {
            true => self.0.enable(),
            false => self.0.disable(),
        }
    }

    fn collect(&self) {
        self.0.collect();
    }

    fn alive(&self) -> usize {
        self.0.objects()
    }

    #[inline]
    fn node(&self, id: u32) -> Gc<Node> {
        self.0.alloc(Node { id, edges: RefCell::default() })
    }

    #[inline]
    fn id(node: &Gc<Node>) -> u32 {
        node.id
    }

    #[inline]
    fn set(node: &Gc<Node>, place: usize, target: Option<Gc<Node>>) {
        node.edges.borrow_mut()[place] = target;
    }

    #[inline]
    fn target(node: &Gc<Node>, place: usize) -> Option<Gc<Node>> {
        node.edges.borrow()[place].clone()
    }

    #[inline]
    fn bag(&self) -> Gc<Bag> {
        self.0.alloc(Bag(RefCell::default()))
    }

    #[inline]
    fn with_bag<R>(bag: &Gc<Bag>, change: impl FnOnce(&mut Vec<Gc<Bag>>) -> R) -> R {
        change(&mut bag.0.borrow_mut())
    }
}
