//! A full pass with several threads.
//!
//! Each has a [shard](crate::shard) of the heap, and they [send](crate::protocol::post) each other the edges that lead from one into another, many
//! at a time.
//!
//! # Why another thread may visit a value that is not `Sync`, nor even `Send`
//! 1. The heap's own thread takes part or waits; it runs no code of the program's but [`visit`](crate::Trace::visit). So no value of the
//!    heap's is used otherwise, and no count, side word or pool changes.
//! 2. A shard is used by one thread, and only that one visits the objects in it, reads and writes their headers and what the pass notes
//!    about them. Of objects of other shards it knows nothing but the addresses.
//! 3. A visit touches nothing but the value; [`Trace`](trait@crate::Trace) demands it. The implementations of this crate follow
//!    what the value owns, and stop at whatever is shared with others: `Rc`, `Arc`, references and `Gc` are not followed. What
//!    they read of cells and locks lies in the value. Derived ones call those of the fields.
//! 4. What the heap's thread did to the value before happens before the visit: it has sent the shard to the helper since. What a visit did to
//!    it, as taking a lock does, happens before all that the heap's thread does later: it gets the shard back first.
//!
//! So a value is only ever used by one thread at a time, and each use happens before the next: as if it were sent to and fro. It
//! need not be `Send`, since what makes a type not so is what it shares with others, or with its thread, and by 3 that is not
//! touched.
//!
//! A panic in a visit of a helper ends the pass for all and goes on in the heap's thread.
#![allow(unsafe_code, reason = "shards and edges go from thread to thread")]

use core::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

use crossbeam_deque::{Injector, Steal};

use crate::protocol::post::{Inbox, Post};
use crate::shard::{Elsewhere, Shard};
use crate::visitor::Target;

/// More threads than so many are not started unless it is asked for.
const MOST: usize = 4;
/// Edges that are sent together.
const TOGETHER: usize = 1024;

/// How many threads there are if it is left to this.
pub(crate) fn usual_threads() -> usize {
    static THREADS: OnceLock<usize> = OnceLock::new();
    *THREADS.get_or_init(|| thread::available_parallelism().map_or(1, NonZero::get).min(MOST))
}

type Panic = Box<dyn core::any::Any + Send>;

/// What is done with a shard.
type Task = fn(&mut Shard, &mut Sending<'_>);
/// What is done with edges that have come from others.
type Receive = fn(&mut Shard, &[Target], &mut Sending<'_>);

/// A phase of the pass.
#[derive(Clone, Copy)]
pub(crate) struct Phase {
    pub(crate) start: Task,
    pub(crate) receive: Receive,
}

/// Edges that lead to objects of one shard.
struct Letter(Vec<Target>);

// SAFETY: addresses; only the receiver, to whom the objects belong, looks at what is there.
unsafe impl Send for Letter {}

impl Inbox for Injector<Letter> {
    type Work = Letter;

    fn put(&self, letter: Letter) {
        self.push(letter);
    }

    fn take(&self) -> Option<Letter> {
        loop {
            match self.steal() {
                Steal::Success(letter) => return Some(letter),
                Steal::Empty => return None,
                Steal::Retry => {}
            }
        }
    }
}

/// The edges that one shard has for others.
pub(crate) struct Sending<'a> {
    own: usize,
    post: &'a Post<Injector<Letter>>,
    letters: Vec<Vec<Target>>,
}

impl Elsewhere for Sending<'_> {
    const DIRECT: bool = false;

    #[inline]
    fn send(&mut self, shard: usize, target: Target) {
        let letter = &mut self.letters[shard];
        letter.push(target);
        if letter.len() >= TOGETHER && shard != self.own {
            let letter = core::mem::replace(letter, Vec::with_capacity(TOGETHER));
            self.post.send(shard, Letter(letter));
        }
    }

    #[inline(always)]
    fn own_len(&self) -> usize {
        self.letters[self.own].len()
    }

    fn take_own(&mut self, edges: &mut Vec<Target>) {
        core::mem::swap(&mut self.letters[self.own], edges);
    }

    #[inline]
    fn received(&mut self) -> Option<Vec<Target>> {
        self.post.take(self.own).map(|Letter(targets)| targets)
    }
}

impl Sending<'_> {
    /// Sends what has not filled a letter.
    fn flush(&mut self) {
        for (shard, letter) in self.letters.iter_mut().enumerate().filter(|(_, letter)| !letter.is_empty()) {
            self.post.send(shard, Letter(core::mem::take(letter)));
        }
    }
}

/// A shard, a phase, and those who work on the others.
struct Job {
    shard: Shard,
    own: usize,
    phase: Phase,
    post: Arc<Post<Injector<Letter>>>,
}

// SAFETY: who has the job is the only one to use the shard's objects; see the head of this file.
unsafe impl Send for Job {}

/// What became of a job.
struct Done {
    shard: Shard,
    panic: Option<Panic>,
}

// SAFETY: as for `Job`.
unsafe impl Send for Done {}

impl Job {
    fn run(self) -> Done {
        let Job { mut shard, own, phase, post } = self;
        let work = AssertUnwindSafe(|| {
            let letters = (0..post.workers()).map(|_| Vec::new()).collect();
            let mut sending = Sending { own, post: &post, letters };
            (phase.start)(&mut shard, &mut sending);
            loop {
                sending.flush();
                let Some(Letter(targets)) = post.take(own).or_else(|| post.wait(own)) else { break };
                if post.is_dismissed() {
                    break;
                }
                (phase.receive)(&mut shard, &targets, &mut sending);
            }
        });
        let panic = catch_unwind(work).err();
        if panic.is_some() {
            post.dismiss();
        }
        Done { shard, panic }
    }
}

/// A thread that waits for jobs.
struct Helper {
    jobs: Sender<Job>,
    done: Receiver<Done>,
    thread: JoinHandle<()>,
}

impl Helper {
    /// `None` if the system has no thread to spare.
    fn hire() -> Option<Helper> {
        let (jobs, inbox) = channel::<Job>();
        let (outbox, done) = channel();
        let work = move || {
            for job in inbox {
                if outbox.send(job.run()).is_err() {
                    break; // nobody waits for it any more
                }
            }
        };
        let thread = thread::Builder::new().name("cyclegc".to_owned()).spawn(work).ok()?;
        Some(Helper { jobs, done, thread })
    }
}

/// The helpers of one pass. They go home when it is dropped.
#[derive(Default)]
pub(crate) struct Helpers(Vec<Helper>);

impl Helpers {
    /// So many, or as many as the system has to spare.
    pub(crate) fn hire(helpers: usize) -> Helpers {
        Helpers((0..helpers).map_while(|_| Helper::hire()).collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Does one phase on all shards: the first is this thread's, the others one helper's each.
    ///
    /// # Panics
    /// With the first panic of a visit, when all have stopped.
    pub(crate) fn run(&self, shards: Vec<Shard>, phase: Phase) -> Vec<Shard> {
        let inboxes = shards.iter().map(|_| Injector::new()).collect();
        let post = Arc::new(Post::new(inboxes));
        let mut jobs = shards.into_iter().enumerate().map(|(own, shard)| Job {
            shard,
            own,
            phase,
            post: Arc::clone(&post),
        });
        let Some(first) = jobs.next() else { return Vec::new() };
        for (helper, job) in self.0.iter().zip(jobs) {
            if let Err(unsent) = helper.jobs.send(job) {
                drop(unsent); // a helper listens as long as it is not dropped
                post.dismiss();
            }
        }
        let mut all = vec![first.run()];
        all.extend(self.0.iter().filter_map(|helper| helper.done.recv().ok()));
        let (shards, panics): (Vec<Shard>, Vec<_>) =
            all.into_iter().map(|done| (done.shard, done.panic)).unzip();
        if let Some(panic) = panics.into_iter().flatten().next() {
            std::panic::resume_unwind(panic);
        }
        assert_eq!(shards.len(), post.workers(), "a helper has gone");
        shards
    }
}

impl Drop for Helpers {
    fn drop(&mut self) {
        for Helper { jobs, done, thread } in self.0.drain(..) {
            drop((jobs, done));
            let _ = thread.join(); // it has caught all panics
        }
    }
}
