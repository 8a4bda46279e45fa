//! Workers that send work to one another until there is none left.
//!
//! Every worker has an inbox; a piece of work belongs to one worker, and whoever comes upon it sends it there. A worker works off what it has,
//! takes what is in its inbox, and waits when that is empty. All go home when nobody works and nothing is on its way.
//!
//! # The tokens
//!
//! ```text
//!   tokens == workers that do not wait + pieces of work in inboxes
//! ```
//!
//! A worker starts with one. Sending makes one, before the work is put into the inbox; a worker that takes work and has a token
//! destroys that of the work; one that waits has given its own back and keeps that of the work. So the count is at least 1
//! while somebody has something to do: who sends has a token of its own meanwhile, and gives it back later, when that of the work is counted.
//! Once the count is 0 it stays 0, since only who has a token makes one. Then nothing is in any inbox, and everybody may go home.

use super::sync::{AtomicBool, AtomicUsize, Ordering, yield_now};

/// Where work for one worker is left.
pub(crate) trait Inbox {
    /// A piece of work.
    type Work;

    /// Leaves work; by any worker.
    fn put(&self, work: Self::Work);

    /// Takes work; by the owner.
    fn take(&self) -> Option<Self::Work>;
}

/// The inboxes of all workers.
#[derive(Debug)]
pub(crate) struct Post<I> {
    inboxes: Vec<I>,
    tokens: AtomicUsize,
    dismissed: AtomicBool,
}

// Ordering, throughout: the count and the flag are Relaxed. They hand nothing on: work goes through the inboxes, which synchronise, and
// what came of it is read after the workers were joined. That the count is never too low is a matter of the order of its own modifications:
// a sender's addition comes before its own subtraction, as both are one thread's, and before the taker's, as the inbox is between them.
impl<I: Inbox> Post<I> {
    /// An inbox for each worker, none of which waits.
    pub(crate) fn new(inboxes: Vec<I>) -> Post<I> {
        let tokens = AtomicUsize::new(inboxes.len());
        Post { inboxes, tokens, dismissed: AtomicBool::new(false) }
    }

    /// Workers in all.
    pub(crate) fn workers(&self) -> usize {
        self.inboxes.len()
    }

    /// Sends work to a worker. The caller does not wait.
    pub(crate) fn send(&self, to: usize, work: I::Work) {
        self.tokens.fetch_add(1, Ordering::Relaxed);
        self.inboxes[to].put(work);
    }

    /// Work that has come for a worker, which has not waited.
    pub(crate) fn take(&self, own: usize) -> Option<I::Work> {
        let work = self.inboxes[own].take()?;
        self.tokens.fetch_sub(1, Ordering::Relaxed);
        Some(work)
    }

    /// The worker has nothing to do and has sent what it had to send. Waits until work has come for it; `None`: it may go home.
    pub(crate) fn wait(&self, own: usize) -> Option<I::Work> {
        self.tokens.fetch_sub(1, Ordering::Relaxed);
        loop {
            if let Some(work) = self.inboxes[own].take() {
                return Some(work);
            }
            if self.tokens.load(Ordering::Relaxed) == 0 || self.is_dismissed() {
                return None;
            }
            yield_now();
        }
    }

    /// Everybody is to go home, whatever is left.
    pub(crate) fn dismiss(&self) {
        self.dismissed.store(true, Ordering::Relaxed);
    }

    /// Whether everybody is to go home.
    pub(crate) fn is_dismissed(&self) -> bool {
        self.dismissed.load(Ordering::Relaxed)
    }
}
