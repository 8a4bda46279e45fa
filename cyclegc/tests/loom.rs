//! What threads that collect together do with one another, in every order that loom can make of it:
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test --release -p cpymem-cyclegc --test loom
//! ```
//!
//! The file under test is the library's. A visit writes a cell of the object's, so loom sees two visits that nothing orders; the
//! inboxes are locked ones, as loom does not look into those of `crossbeam-deque`.
#![cfg(loom)]
#![allow(unsafe_code, reason = "loom's cells are written through pointers")]

use std::collections::VecDeque;

use loom::cell::UnsafeCell;
use loom::sync::{Arc, Mutex};
use loom::thread;

use protocol::post::{Inbox, Post};

#[path = "../src/protocol/mod.rs"]
mod protocol;

/// Runs a model with at most three preemptions a run, which find what so few threads can do to each other.
fn model(run: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(builder.preemption_bound.unwrap_or(3));
    builder.check(run);
}

#[derive(Default)]
struct Locked(Mutex<VecDeque<usize>>);

impl Inbox for Locked {
    type Work = usize;

    fn put(&self, work: usize) {
        self.0.lock().unwrap().push_back(work);
    }

    fn take(&self) -> Option<usize> {
        self.0.lock().unwrap().pop_front()
    }
}

fn post(workers: usize) -> Post<Locked> {
    Post::new((0..workers).map(|_| Locked::default()).collect())
}

/// A graph that is marked. Object `i` belongs to worker `i % workers`; its cells are whether it was reached and how often it was visited, plain
/// memory, as in a shard.
struct Graph {
    edges: &'static [&'static [usize]],
    reached: Vec<UnsafeCell<bool>>,
    visits: Vec<UnsafeCell<usize>>,
}

impl Graph {
    fn new(edges: &'static [&'static [usize]]) -> Graph {
        let cells = || edges.iter();
        Graph {
            edges,
            reached: cells().map(|_| UnsafeCell::new(false)).collect(),
            visits: cells().map(|_| UnsafeCell::new(0)).collect(),
        }
    }

    /// Reaches an object and all of the same worker's that are reached from there; sends the edges that lead to others.
    fn mark(&self, from: usize, own: usize, post: &Post<Locked>) {
        let mut waiting = vec![from];
        while let Some(object) = waiting.pop() {
            if object % post.workers() != own {
                post.send(object % post.workers(), object);
                continue;
            }
            // SAFETY: the object is this worker's; loom checks that.
            if self.reached[object].with_mut(|reached| unsafe { std::mem::replace(&mut *reached, true) }) {
                continue;
            }
            // SAFETY: as above.
            self.visits[object].with_mut(|visits| unsafe { *visits += 1 });
            waiting.extend(self.edges[object]);
        }
    }

    /// What a worker does in a phase, as `Job::run` in `src/parallel.rs`.
    fn work(&self, roots: &[usize], own: usize, post: &Post<Locked>) {
        roots.iter().for_each(|&root| self.mark(root, own, post));
        while let Some(object) = post.take(own).or_else(|| post.wait(own)) {
            assert_eq!(object % post.workers(), own);
            self.mark(object, own, post);
        }
    }
}

/// Marks a graph from a root of each worker's; every object that they reach was visited once.
fn mark(edges: &'static [&'static [usize]], roots: &'static [&'static [usize]]) {
    model(move || {
        let shared = Arc::new((Graph::new(edges), post(roots.len())));
        let helpers: Vec<_> = (1..roots.len())
            .map(|own| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || shared.0.work(roots[own], own, &shared.1))
            })
            .collect();
        let (graph, post) = &*shared;
        graph.work(roots[0], 0, post);
        helpers.into_iter().for_each(|helper| helper.join().unwrap());
        for visits in &graph.visits {
            // SAFETY: all workers were joined; loom checks that.
            assert_eq!(visits.with(|visits| unsafe { *visits }), 1);
        }
        assert!(post.take_any().is_none(), "work was left");
    });
}

impl Post<Locked> {
    fn take_any(&self) -> Option<usize> {
        (0..self.workers()).find_map(|own| self.take(own))
    }
}

/// An edge each way at once: both have a root, and each root leads to the other's.
#[test]
fn edges_cross() {
    mark(&[&[1, 3], &[0, 2], &[], &[]], &[&[0], &[1]]);
}

/// Work goes to and fro: who waits gets up again and again, and nobody goes home too early.
#[test]
fn a_chain_goes_to_and_fro() {
    mark(&[&[1], &[2], &[3], &[0]], &[&[0], &[]]);
}

/// One's own edge and one that is sent lead to the same object, which is visited once.
#[test]
fn an_object_is_claimed_once() {
    mark(&[&[2], &[2], &[]], &[&[0], &[1]]);
}

/// Nobody has anything to do.
#[test]
fn all_go_home_at_once() {
    mark(&[], &[&[], &[]]);
}

/// After a panic everybody goes home, whatever is left and whoever still has a token.
#[test]
fn the_dismissed_go_home() {
    model(|| {
        let post = Arc::new(post(2));
        let helper = thread::spawn({
            let post = Arc::clone(&post);
            move || while post.take(1).or_else(|| post.wait(1)).is_some_and(|_| !post.is_dismissed()) {}
        });
        // This worker never waits, as one that has panicked.
        post.send(1, 7);
        post.dismiss();
        helper.join().unwrap();
    });
}
