//! What is the same for all crates whose handles are cloned.

/// The part of [`Counted`](super::Counted) that reads and writes objects: `Node { id, edges }` and `Bag { targets }` in cells.
macro_rules! objects {
    ($handle:ident) => {
        type Node = $handle<Node>;
        type Bag = $handle<Bag>;

        #[inline]
        fn id(node: &$handle<Node>) -> u32 {
            node.id
        }

        #[inline]
        fn set(node: &$handle<Node>, place: usize, target: Option<$handle<Node>>) {
            node.edges.borrow_mut()[place] = target;
        }

        #[inline]
        fn target(node: &$handle<Node>, place: usize) -> Option<$handle<Node>> {
            node.edges.borrow()[place].clone()
        }

        #[inline]
        fn with_bag<R>(bag: &$handle<Bag>, change: impl FnOnce(&mut Vec<$handle<Bag>>) -> R) -> R {
            change(&mut bag.targets.borrow_mut())
        }
    };
}

pub(super) use objects;
