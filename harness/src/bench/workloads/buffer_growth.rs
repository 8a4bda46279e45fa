//! Buffers that grow past 512 bytes, where pymalloc hands over to the C library.

use serde::Serialize;

use crate::bench::blocks::Blocks;
use crate::bench::record::{Role, SubjectRecord};
use crate::bench::{Failure, Finding, Lane, Page, Setting, Turn, Workload, alternate};
use crate::pymalloc::{Pymalloc, SMALL_REQUEST_THRESHOLD};
use crate::record::Check;
use crate::replay::subject::{Cpymem, Subject, System};
use crate::units;

/// Grows many buffers side by side from a few bytes to many, by an eighth at a time.
#[derive(Clone, Copy, Debug)]
pub struct BufferGrowth {
    /// Buffers at scale 1.
    pub buffers: usize,
    /// Bytes of a full-grown buffer.
    pub grown: usize,
}

impl BufferGrowth {
    /// What `cpymem bench` runs.
    pub const STANDARD: BufferGrowth = BufferGrowth { buffers: 2_000, grown: 16 << 10 };
}

const SCRIPT: &str = include_str!("../scripts/buffer_growth.py");

#[derive(Clone, Copy, Serialize)]
struct Amount {
    buffers: usize,
    grown: usize,
}

/// The sizes of a buffer on its way: what CPython's lists and bytearrays ask for, an eighth more each time.
fn steps(grown: usize) -> Vec<usize> {
    std::iter::successors(Some(16), |&size| Some(size + (size >> 3) + 8))
        .take_while(|&size| size <= grown)
        .collect()
}

impl Workload for BufferGrowth {
    fn page(&self) -> Page {
        Page {
            name: "buffer-growth",
            shows: "a buffer that grows moves at most once a size class while it is small; above 512 bytes it leaves \
                    pymalloc's pools for good, and the C library holds it",
            stands_for: "\"the heap is flat and RSS grows\": what is larger than 512 bytes is no business of pymalloc",
            costs: "0.2 s a turn and 60 MiB",
        }
    }

    fn run(&self, setting: &Setting<'_>) -> Result<Finding, Failure> {
        let amount = Amount { buffers: setting.amount(self.buffers, 200), grown: self.grown };
        let mut lanes = vec![
            lane::<Cpymem>(amount, Role::Ours),
            lane::<Pymalloc>(amount, Role::Peer),
            lane::<System>(amount, Role::Peer),
        ];
        for python in setting.pythons {
            lanes.push(python.lane(SCRIPT, &amount)?);
        }
        let mut checks = Vec::new();
        let subjects = alternate(lanes, setting, &mut checks)?;
        for subject in &subjects {
            claims(subject, amount, &mut checks);
        }
        let old = setting.pythons.iter().filter(|python| python.version() < (3, 3));
        let notes =
            old.map(|python| format!("{} does not tell what is in its pools", python.name())).collect();
        let steps = steps(amount.grown).len();
        let amount = format!(
            "{} buffers, each from 16 bytes to {} in {steps} steps",
            units::count(amount.buffers as u64),
            units::bytes(amount.grown as u64)
        );
        Ok(Finding { amount, subjects, checks, notes })
    }
}

/// Moves that CPython's rule makes while a buffer grows in pools: a block stays if it has room and would not be left
/// three quarters empty; growing, only the first half of that matters.
fn moves_in_pools(grown: usize) -> u64 {
    let class = |size: usize| size.div_ceil(16);
    let small: Vec<usize> =
        steps(grown).into_iter().filter(|&size| size <= SMALL_REQUEST_THRESHOLD).collect();
    small.windows(2).filter(|pair| class(pair[0]) != class(pair[1])).count() as u64
}

fn claims(subject: &SubjectRecord, amount: Amount, checks: &mut Vec<Check>) {
    let buffers = amount.buffers as u64;
    let count = |what: &str| subject.count(what);
    let name = &subject.name;
    if let Some(moves) = count("moves up to 512 bytes").filter(|_| name == "pymalloc") {
        let expected = moves_in_pools(amount.grown) * buffers;
        checks.push(Check::equal(format!("{name}: moves while buffers are small"), expected, moves));
    }
    if let Some(pools) = count("pools, full-grown").filter(|_| name == "pymalloc") {
        checks.push(Check::equal(format!("{name}: pools with full-grown buffers"), 0, pools));
    }
    let pooled = |size: usize| subject.series(&format!("in pools for objects of {size} bytes"));
    if let (Some(small), Some(large)) = (pooled(512), pooled(513)) {
        let (small, large) = (small.estimate.median, large.estimate.median);
        let all = (buffers * 512) as f64;
        // Beside them the script makes a few objects of its own.
        checks.push(Check::at_least(
            format!("{name}: bytes in pools for {buffers} objects of 512"),
            all,
            small,
        ));
        checks.push(Check::at_most(
            format!("{name}: bytes in pools for {buffers} objects of 513"),
            all / 20.0,
            large,
        ));
    }
    if let Some(lost) = count("blocks that lost their content") {
        checks.push(Check::equal(format!("{name}: blocks that lost their content"), 0, lost));
    }
}

fn lane<'a, S: Subject + 'a>(amount: Amount, role: Role) -> Lane<'a> {
    Lane::new(S::NAME, role, move |turn| grow::<S>(amount, turn))
}

fn grow<S: Subject>(amount: Amount, turn: &mut Turn) {
    let steps = steps(amount.grown);
    let small = steps.iter().filter(|&&size| size <= SMALL_REQUEST_THRESHOLD).count();
    let mut blocks = Blocks::<S>::new(amount.buffers);
    let grow = |blocks: &mut Blocks<S>, steps: &[usize]| {
        // Side by side, so that no buffer's neighbour is free.
        for &size in steps {
            (0..amount.buffers).for_each(|buffer| blocks.resize(buffer, size));
        }
    };
    let counted = S::NAME != "system";
    blocks.during(|blocks| {
        turn.time("step up to 512 bytes", small * amount.buffers, || grow(blocks, &steps[..small]));
    });
    turn.held("512 bytes", blocks.live_bytes(), blocks.held_bytes());
    let (moves, _) = blocks.moves();
    if counted {
        turn.count("moves up to 512 bytes", moves);
    }
    blocks.during(|blocks| {
        turn.time("step above", (steps.len() - small) * amount.buffers, || grow(blocks, &steps[small..]));
    });
    turn.held("full-grown", blocks.live_bytes(), blocks.held_bytes());
    let (moves, bytes) = blocks.moves();
    // Whether the C library moves a block depends on where its heap lies.
    turn.gauge("moves in all", moves as f64);
    turn.bytes("moved", bytes);
    if let Some((pools, _)) = blocks.pools_and_arenas() {
        turn.count("pools, full-grown", pools);
    }
    blocks.clear();
    turn.count("blocks that lost their content", blocks.clobbered() + blocks.out_of_memory());
}

#[cfg(test)]
mod tests {
    use super::super::tests::{broken, holds};
    use super::*;

    #[test]
    fn buffers_that_stay_small_stay_in_pools() {
        let small = BufferGrowth { buffers: 300, ..BufferGrowth::STANDARD };
        assert_eq!(holds(&small), Vec::<String>::new());
        // Grown to no more than 512 bytes they never leave the pools; the claim must see it.
        let claims = broken(&BufferGrowth { grown: 500, ..small });
        assert_eq!(claims, ["pymalloc: pools with full-grown buffers"]);
    }
}
