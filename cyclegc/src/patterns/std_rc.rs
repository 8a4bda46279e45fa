//! std's `Rc` as the floor: it frees no cycles.

use std::cell::RefCell;
use std::rc::Rc;

use super::Counted;
use super::handles::objects;

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
pub struct Bag {
    targets: RefCell<Vec<Rc<Bag>>>,
}

impl Counted for StdRc {
    objects! { Rc }

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
    fn bag(&self) -> Rc<Bag> {
        Rc::new(Bag { targets: RefCell::default() })
    }
}
