//! Objects that are made on one thread and die on another.

use std::alloc::System;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use allocator_api2::alloc::Allocator;
use allocator_api2::boxed::Box as HeapBox;
use cpymem_allocator::Global;
use serde::Serialize;

use crate::bench::record::{Role, SubjectRecord};
use crate::bench::{Failure, Finding, Lane, Page, Setting, Turn, Workload, alternate};
use crate::record::Check;
use crate::units;

/// A producer makes jobs, a consumer drops them.
#[derive(Clone, Copy, Debug)]
pub struct HandOver {
    /// Jobs at scale 1.
    pub jobs: usize,
    /// Jobs on their way at once.
    pub queue: usize,
    /// One of so many jobs is forgotten instead of dropped; 0 if none is.
    pub forget_in: usize,
}

impl HandOver {
    /// What `cpymem bench` runs.
    pub const STANDARD: HandOver = HandOver { jobs: 200_000, queue: 256, forget_in: 0 };
}

const SCRIPT: &str = include_str!("../scripts/hand_over.py");
/// Jobs of one message: what a queue costs should not drown what memory does.
const BATCH: usize = 32;
/// Bytes that may be held beyond those of before: free blocks that are on their way home.
const KEPT: f64 = (4 << 20) as f64;

#[derive(Clone, Copy, Serialize)]
struct Amount {
    jobs: usize,
    queue: usize,
    forget_in: usize,
}

impl Workload for HandOver {
    fn page(&self) -> Page {
        Page {
            name: "hand-over",
            shows: "what one thread makes and another drops goes home: every object dies once, and memory stays \
                    where it was",
            stands_for: "worker threads behind a queue, whose memory grew with each request",
            costs: "0.2 s a turn on 2 threads and a few MiB",
        }
    }

    fn run(&self, setting: &Setting<'_>) -> Result<Finding, Failure> {
        let HandOver { queue, forget_in, .. } = *self;
        let jobs = setting.amount(self.jobs, 20_000).next_multiple_of(BATCH);
        let amount = Amount { jobs, queue, forget_in };
        let mut lanes = vec![
            Lane::new("cpymem", Role::Ours, move |turn| {
                let before = Global::stats().held_bytes();
                hand_over(amount, Global, turn);
                Global::purge();
                turn.bytes(
                    "held beyond before",
                    (Global::stats().held_bytes().saturating_sub(before)) as u64,
                );
            }),
            Lane::new("system", Role::Peer, move |turn| hand_over(amount, System, turn)),
        ];
        for python in setting.pythons {
            lanes.push(python.lane(SCRIPT, &Amount { jobs: jobs / 10, ..amount })?);
        }
        let mut checks = Vec::new();
        let subjects = alternate(lanes, setting, &mut checks)?;
        for subject in &subjects {
            claims(subject, jobs as u64, &mut checks);
        }
        let amount =
            format!("{} jobs with 3 blocks each, {queue} on their way at most", units::count(jobs as u64));
        Ok(Finding { amount, subjects, checks, notes: Vec::new() })
    }
}

fn claims(subject: &SubjectRecord, jobs: u64, checks: &mut Vec<Check>) {
    let name = &subject.name;
    let born = if subject.role == Role::Python { jobs / 10 } else { jobs };
    if let Some(deaths) = subject.count("deaths") {
        checks.push(Check::equal(format!("{name}: deaths of {born} jobs"), born, deaths));
    }
    if let Some(sum) = subject.count("sum of all numbers") {
        checks.push(Check::equal(format!("{name}: sum of all numbers"), born * (born - 1) / 2, sum));
    }
    if let Some(held) = subject.series("held beyond before") {
        checks.push(Check::at_most(format!("{name}: bytes held beyond before"), KEPT, held.estimate.median));
    }
}

/// What is handed over: three blocks.
struct Job<'a, A: Allocator> {
    number: u64,
    name: HeapBox<[u8], A>,
    body: HeapBox<[u8], A>,
    deaths: &'a AtomicU64,
}

impl<A: Allocator> Drop for Job<'_, A> {
    fn drop(&mut self) {
        // Counts; the join of the threads orders it before the read.
        self.deaths.fetch_add(1, Ordering::Relaxed);
    }
}

fn hand_over<A: Allocator + Copy + Send + Sync>(amount: Amount, alloc: A, turn: &mut Turn) {
    let deaths = AtomicU64::new(0);
    let deaths = &deaths;
    let make = move |number: usize| {
        let bytes = |size: usize| {
            let mut bytes = allocator_api2::vec::Vec::with_capacity_in(size, alloc);
            bytes.resize(size, number as u8);
            bytes.into_boxed_slice()
        };
        HeapBox::new_in(
            Job {
                number: number as u64,
                name: bytes(16 + number % 48),
                body: bytes(64 + number % 192),
                deaths,
            },
            alloc,
        )
    };
    let sum = turn.time("job", amount.jobs, || {
        let (send, receive) = crossbeam_channel::bounded((amount.queue / BATCH).max(1));
        thread::scope(|scope| {
            scope.spawn(move || {
                for batch in 0..amount.jobs / BATCH {
                    let jobs: Vec<_> = (batch * BATCH..(batch + 1) * BATCH).map(make).collect();
                    if send.send(jobs).is_err() {
                        return;
                    }
                }
            });
            let consumer = scope.spawn(move || {
                let mut sum = 0;
                for job in receive.into_iter().flatten() {
                    let right = job.name.iter().chain(job.body.iter()).all(|&byte| byte == job.number as u8);
                    sum += if right { job.number } else { 0 };
                    if amount.forget_in > 0 && (job.number as usize).is_multiple_of(amount.forget_in) {
                        std::mem::forget(job);
                    }
                }
                sum
            });
            // A consumer that panicked counted nothing.
            consumer.join().unwrap_or(0)
        })
    });
    turn.count("deaths", deaths.load(Ordering::Relaxed));
    turn.count("sum of all numbers", sum);
}

#[cfg(test)]
mod tests {
    use super::super::tests::{broken, holds};
    use super::*;

    #[test]
    fn a_job_that_is_forgotten_did_not_die() {
        assert_eq!(holds(&HandOver::STANDARD), Vec::<String>::new());
        let claims = broken(&HandOver { forget_in: 1_000, ..HandOver::STANDARD });
        assert!(claims.iter().any(|claim| claim.starts_with("cpymem: deaths")), "{claims:?}");
    }
}
