//! Random traces of operations on `cpymem_refcount::rc` and on `std::rc`: every answer must be the same.

use cpymem_refcount::rc as ours;
use proptest::prelude::*;
use std::cell::Cell;
use std::rc as theirs;

/// One operation; the numbers choose among the references there are, modulo their number.
#[derive(Clone, Debug)]
enum Op {
    New,
    Clone(usize),
    Drop(usize),
    Downgrade(usize),
    CloneWeak(usize),
    DropWeak(usize),
    Upgrade(usize),
    GetMut(usize),
    MakeMut(usize),
    TryUnwrap(usize),
    IntoInner(usize),
    PtrEq(usize, usize),
    WeakPtrEq(usize, usize),
}

fn op() -> impl Strategy<Value = Op> {
    let at = || 0_usize..64;
    prop_oneof![
        2 => Just(Op::New),
        6 => at().prop_map(Op::Clone),
        5 => at().prop_map(Op::Drop),
        4 => at().prop_map(Op::Downgrade),
        2 => at().prop_map(Op::CloneWeak),
        3 => at().prop_map(Op::DropWeak),
        4 => at().prop_map(Op::Upgrade),
        2 => at().prop_map(Op::GetMut),
        2 => at().prop_map(Op::MakeMut),
        2 => at().prop_map(Op::TryUnwrap),
        1 => at().prop_map(Op::IntoInner),
        1 => (at(), at()).prop_map(|(a, b)| Op::PtrEq(a, b)),
        1 => (at(), at()).prop_map(|(a, b)| Op::WeakPtrEq(a, b)),
    ]
}

/// A value whose drops are recorded, in their order.
struct Value {
    number: u64,
    drops: theirs::Rc<Cell<u64>>,
}

impl Clone for Value {
    fn clone(&self) -> Value {
        Value { number: self.number + 1000, drops: self.drops.clone() }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.drops.set(mix(self.drops.get(), self.number));
    }
}

/// An order-sensitive digest, so that what is compared stays small.
fn mix(state: u64, value: u64) -> u64 {
    (state ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
}

fn digest(counts: impl Iterator<Item = (usize, usize)>) -> u64 {
    counts.fold(1, |state, (strong, weak)| mix(mix(state, strong as u64), weak as u64))
}

/// Runs a trace and returns everything that could be observed on the way. The two instances differ in the names they import.
macro_rules! runner {
    ($name:ident, $rc:ident) => {
        fn $name(trace: &[Op]) -> Vec<[u64; 4]> {
            let drops = theirs::Rc::new(Cell::new(0));
            let mut strong: Vec<$rc::Rc<Value>> = Vec::new();
            let mut weak: Vec<$rc::Weak<Value>> = Vec::new();
            let mut seen = Vec::new();
            for (step, op) in trace.iter().enumerate() {
                let (s, w) = (strong.len(), weak.len());
                let answer = match *op {
                    Op::New => {
                        strong.push($rc::Rc::new(Value { number: step as u64, drops: drops.clone() }));
                        1
                    }
                    Op::Clone(i) if s > 0 => {
                        strong.push(strong[i % s].clone());
                        1
                    }
                    Op::Drop(i) if s > 0 => {
                        strong.swap_remove(i % s);
                        1
                    }
                    Op::Downgrade(i) if s > 0 => {
                        weak.push($rc::Rc::downgrade(&strong[i % s]));
                        1
                    }
                    Op::CloneWeak(i) if w > 0 => {
                        weak.push(weak[i % w].clone());
                        1
                    }
                    Op::DropWeak(i) if w > 0 => {
                        weak.swap_remove(i % w);
                        1
                    }
                    Op::Upgrade(i) if w > 0 => {
                        let up = weak[i % w].upgrade();
                        let answer = up.as_ref().map_or(0, |rc| rc.number + 1);
                        strong.extend(up);
                        answer
                    }
                    Op::GetMut(i) if s > 0 => match $rc::Rc::get_mut(&mut strong[i % s]) {
                        Some(value) => {
                            value.number += 1;
                            value.number
                        }
                        None => 0,
                    },
                    Op::MakeMut(i) if s > 0 => {
                        let value = $rc::Rc::make_mut(&mut strong[i % s]);
                        value.number += 1;
                        value.number
                    }
                    Op::TryUnwrap(i) if s > 0 => match $rc::Rc::try_unwrap(strong.swap_remove(i % s)) {
                        Ok(value) => value.number + 1,
                        Err(rc) => {
                            strong.push(rc);
                            0
                        }
                    },
                    Op::IntoInner(i) if s > 0 => {
                        $rc::Rc::into_inner(strong.swap_remove(i % s)).map_or(0, |value| value.number + 1)
                    }
                    Op::PtrEq(a, b) if s > 0 => u64::from($rc::Rc::ptr_eq(&strong[a % s], &strong[b % s])),
                    // Only between living objects: `std` compares addresses of objects, which it keeps for the dead.
                    Op::WeakPtrEq(a, b) if w > 0 => {
                        let (a, b) = (&weak[a % w], &weak[b % w]);
                        u64::from(a.strong_count() > 0 && b.strong_count() > 0 && a.ptr_eq(b))
                    }
                    _ => 0,
                };
                let counts = strong.iter().map(|rc| ($rc::Rc::strong_count(rc), $rc::Rc::weak_count(rc)));
                let weak_counts = weak.iter().map(|weak| (weak.strong_count(), weak.weak_count()));
                seen.push([answer, digest(counts), digest(weak_counts), drops.get()]);
            }
            drop(strong);
            drop(weak);
            seen.push([0, 0, 0, drops.get()]);
            seen
        }
    };
}

runner!(run_ours, ours);
runner!(run_theirs, theirs);

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn same_answers_as_std(trace in proptest::collection::vec(op(), 0..200)) {
        let (ours, theirs) = (run_ours(&trace), run_theirs(&trace));
        for (step, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            prop_assert_eq!(ours, theirs, "step {}: {:?}", step, trace.get(step));
        }
        prop_assert_eq!(ours.len(), theirs.len());
    }
}
