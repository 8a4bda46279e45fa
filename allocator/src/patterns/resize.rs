//! Structures: a list, a tree, buffers that grow, and a population that goes at once.
#![allow(unsafe_code, reason = "nodes hold the addresses of nodes")]

use core::alloc::Layout;
use core::hint::black_box;
use core::ptr::{self, NonNull};

use super::single::{places, small};
use super::worker::{Block, Scale, Worker};

/// A node of the list and of the tree.
#[repr(C)]
struct Node {
    left: *mut Node,
    right: *mut Node,
    key: u64,
}

/// A node with these children; the tree's own key is its number.
#[inline(always)]
fn node(worker: &Worker<'_>, left: *mut Node, right: *mut Node, key: u64) -> *mut Node {
    let layout = black_box(Layout::new::<Node>());
    // SAFETY: a node's size is not 0.
    let node: *mut Node = unsafe { worker.subject.alloc(layout) }.cast();
    let node = NonNull::new(node).expect("the allocator has no memory for a node");
    // SAFETY: the block has a node's layout.
    unsafe { node.write(Node { left, right, key }) };
    node.as_ptr()
}

/// Frees a node and returns what it held.
///
/// # Safety
/// The node is live and of `node`.
#[inline(always)]
unsafe fn take(worker: &Worker<'_>, node: *mut Node) -> Node {
    // SAFETY: the caller's promise.
    let content = unsafe { node.read() };
    // SAFETY: the caller's promise; nobody uses the node any more.
    unsafe { worker.subject.dealloc(node.cast(), black_box(Layout::new::<Node>())) };
    content
}

/// Ends a structure's life for allocators that only give back everything.
fn finish(worker: &Worker<'_>) {
    if !worker.subject.frees() {
        // SAFETY: the structure was the only user of its blocks.
        unsafe { worker.subject.release() }
    }
}

/// Builds a list and takes it down from its head.
pub(super) fn list(worker: &mut Worker<'_>, scale: Scale) {
    let (nodes, rounds) = (scale.of(100_000, 100), 4);
    worker.start();
    for _ in 0..rounds {
        let mut head = ptr::null_mut();
        for key in 0..nodes as u64 {
            head = node(worker, head, ptr::null_mut(), key);
        }
        let mut expected = nodes as u64;
        while !head.is_null() {
            expected = expected.wrapping_sub(1);
            // SAFETY: the list's nodes are live, each is taken once.
            let content = unsafe { take(worker, head) };
            worker.add_clobbered(u64::from(content.key != expected));
            head = content.left;
        }
        worker.add_clobbered(u64::from(expected != 0));
        finish(worker);
    }
    worker.stop(nodes * rounds);
}

fn grow(worker: &Worker<'_>, depth: u32, key: u64) -> *mut Node {
    if depth == 0 {
        return ptr::null_mut();
    }
    let left = grow(worker, depth - 1, 2 * key);
    let right = grow(worker, depth - 1, 2 * key + 1);
    node(worker, left, right, key)
}

/// Takes a tree down; returns how many nodes it had, or more if one did not hold its key.
///
/// # Safety
/// `root` is null or a live node of `grow`, whose tree nobody uses any more.
unsafe fn fell(worker: &Worker<'_>, root: *mut Node, key: u64) -> u64 {
    if root.is_null() {
        return 0;
    }
    // SAFETY: the caller's promise: the tree is live.
    let content = unsafe { take(worker, root) };
    let wrong = u64::from(content.key != key) << 40;
    // SAFETY: the children were the node's alone.
    let left = unsafe { fell(worker, content.left, 2 * key) };
    // SAFETY: as above.
    1 + wrong + left + unsafe { fell(worker, content.right, 2 * key + 1) }
}

/// Builds binary trees and takes them down from the root.
pub(super) fn tree(worker: &mut Worker<'_>, scale: Scale) {
    let depth = scale.of(1 << 16, 32).ilog2();
    let (nodes, rounds) = ((1usize << depth) - 1, 6);
    worker.start();
    for _ in 0..rounds {
        let root = grow(worker, depth, 1);
        // SAFETY: the tree is used here alone.
        let count = unsafe { fell(worker, root, 1) };
        worker.add_clobbered(u64::from(count != nodes as u64));
        finish(worker);
    }
    worker.stop(nodes * rounds);
}

/// Eight buffers that grow as CPython's lists do, by an eighth, from 64 bytes to 64 KiB, a step each in turn.
/// An operation is a change of size.
pub(super) fn growing(worker: &mut Worker<'_>, scale: Scale) {
    const END: usize = 64 << 10;
    let rounds = scale.of(40, 1);
    let mut steps = 0;
    worker.start();
    for _ in 0..rounds {
        let mut buffers = [Block::NONE; 8];
        for (index, buffer) in buffers.iter_mut().enumerate() {
            *buffer = worker.make(64, index as u32);
        }
        let mut size = 64;
        while size < END {
            size += ((size >> 3) + 48) & !15;
            for buffer in &mut buffers {
                *buffer = worker.resize(*buffer, size);
                steps += 1;
            }
        }
        buffers.into_iter().for_each(|buffer| worker.free(buffer));
    }
    worker.stop(steps);
}

/// Builds a population and gives it back at once. An operation is one of its blocks; building them is not timed.
pub(super) fn drop_all(worker: &mut Worker<'_>, scale: Scale) {
    let mut blocks = places(scale.of(300_000, 1000));
    for place in &mut blocks {
        let random = worker.random();
        *place = worker.make(small(random), random as u32);
    }
    worker.start();
    // SAFETY: no block is used any more: the pattern ends here.
    unsafe { worker.subject.release() };
    worker.stop(blocks.len());
}
