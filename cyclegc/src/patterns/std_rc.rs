//! std's `Rc` as the floor: it frees no cycles.

use std::cell::RefCell;
use std::rc::Rc;

use super::Counted;

/// std's `Rc`. It frees no cycles: what patterns make of it leaks, or has none.
#[derive(Debug)]
pub struct StdRc;

/// An object with three references.
#[derive(Debug)]
pub struct Node {
    id: u32,
    edges: RefCell<[Option<Rc<Node>>; 3]>,
}

/// An object with any number of references.
#[derive(Debug)]
pub struct Bag(RefCell<Vec<Rc<Bag>>>);

impl Counted for StdRc {
    type Node = Rc<Node>;
    type Bag = Rc<Bag>;

    const FREES_CYCLES: bool = false;

    fn new(_: bool) -> StdRc {
        StdRc
    }

    fn set_automatic(&self, _: bool) {}

    fn collect(&self) {}

    /// Nobody counts them.
    fn alive(&self) -> usize {
        0
    }

    #[inline]
    fn node(&self, id: u32) -> Rc<Node> {
        Rc::new(Node { id, edges: RefCell::default() })
    }

    #[inline]
    fn id(node: &Rc<Node>) -> u32 {
        node.id
    }

    #[inline]
    fn set(node: &Rc<Node>, place: usize, target: Option<Rc<Node>>) {
        node.edges.borrow_mut()[place] = target;
    }

    #[inline]
    fn target(node: &Rc<Node>, place: usize) -> Option<Rc<Node>> {
        node.edges.borrow()[place].clone()
    }

    #[inline]
    fn bag(&self) -> Rc<Bag> {
        Rc::new(Bag(RefCell::default()))
    }

    #[inline]
    fn with_bag<R>(bag: &Rc<Bag>, change: impl FnOnce(&mut Vec<Rc<Bag>>) -> R) -> R {
        change(&mut bag.0.borrow_mut())
    }
}
