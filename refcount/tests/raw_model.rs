//! Random traces on a raw header and its side headers, beside plain numbers that say what must come out.
#![allow(unsafe_code, reason = "the raw interface is unsafe")]

use allocator_api2::alloc::Global;
use cpymem_refcount::raw::{Header, Side};
use proptest::prelude::*;
use std::ptr::NonNull;

#[derive(Clone, Debug)]
enum Op {
    Increment,
    Decrement,
    SetMeta(u32),
    Retain,
    Release(usize),
    Upgrade(usize),
    Kill,
    Revive,
    Detach,
    Immortalize,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => Just(Op::Increment),
        6 => Just(Op::Decrement),
        1 => any::<u32>().prop_map(Op::SetMeta),
        4 => Just(Op::Retain),
        3 => (0_usize..8).prop_map(Op::Release),
        4 => (0_usize..8).prop_map(Op::Upgrade),
        1 => Just(Op::Kill),
        1 => Just(Op::Revive),
        1 => Just(Op::Detach),
        1 => Just(Op::Immortalize),
    ]
}

/// What the header must say; and which side header, by its number, each weak reference belongs to.
#[derive(Default)]
struct Model {
    count: u32,
    immortal: bool,
    meta: u32,
    killed: bool,
    /// The current side header's number, if the header is outlined.
    side: Option<usize>,
    sides: usize,
}

impl Model {
    fn count(&self) -> u32 {
        if self.immortal { u32::MAX } else { self.count }
    }
}

fn run(trace: &[Op]) -> Result<(), TestCaseError> {
    let header = Header::new(0);
    let mut model = Model { count: 1, ..Model::default() };
    let mut weak: Vec<(NonNull<Side>, usize)> = Vec::new();
    for op in trace {
        match *op {
            Op::Increment => {
                header.increment();
                model.count += 1;
            }
            Op::Decrement => {
                let last = header.decrement();
                model.count -= 1;
                prop_assert_eq!(last, model.count == 0 && !model.immortal);
                if last {
                    break;
                }
                model.count = model.count.max(1);
            }
            Op::SetMeta(meta) => {
                header.set_meta(meta);
                model.meta = meta;
            }
            Op::Retain => {
                let side = header.side_or_insert(&Global).unwrap();
                let number = *model.side.get_or_insert_with(|| {
                    model.sides += 1;
                    model.killed = false;
                    model.sides
                });
                // SAFETY: the header has its share.
                unsafe { side.as_ref() }.retain();
                weak.push((side, number));
            }
            Op::Release(i) if !weak.is_empty() => {
                let (side, _) = weak.swap_remove(i % weak.len());
                // SAFETY: a share from `Retain`.
                unsafe { Side::release(side, &Global) };
            }
            Op::Upgrade(i) if !weak.is_empty() => {
                let (side, number) = weak[i % weak.len()];
                // SAFETY: a share from `Retain`.
                let upgraded = unsafe { side.as_ref() }.upgrade();
                prop_assert_eq!(upgraded, Some(number) == model.side && !model.killed);
                model.count += u32::from(upgraded);
            }
            Op::Kill | Op::Revive => {
                let kill = matches!(op, Op::Kill);
                if let Some(side) = header.side() {
                    // SAFETY: the header has its share.
                    let side = unsafe { side.as_ref() };
                    if kill {
                        side.kill()
                    } else {
                        side.revive()
                    }
                    model.killed = kill;
                }
            }
            Op::Detach => {
                // SAFETY: the same allocator as in `Retain`.
                unsafe { header.detach_side(&Global) };
                model.side = None;
            }
            Op::Immortalize => {
                header.immortalize();
                model.immortal = true;
            }
            Op::Release(_) | Op::Upgrade(_) => {}
        }
        prop_assert_eq!(header.count().get(), model.count());
        prop_assert_eq!(header.count().is_immortal(), model.immortal);
        prop_assert_eq!(header.meta(), model.meta);
        prop_assert_eq!(header.is_outlined(), model.side.is_some());
        for &(side, number) in &weak {
            // SAFETY: a share from `Retain`.
            let side = unsafe { side.as_ref() };
            let shares = weak.iter().filter(|&&(_, other)| other == number).count();
            prop_assert_eq!(side.weak_count() as usize, shares);
            let count = if model.side == Some(number) { model.count() } else { 0 };
            prop_assert_eq!(side.count().get(), count);
        }
        // SAFETY: a header on this stack.
        let peeked = unsafe { Header::peek(NonNull::from(&header)) };
        prop_assert!(peeked.is_some());
    }
    // SAFETY: the same allocator as in `Retain`.
    unsafe { header.release_side(&Global) };
    prop_assert!(!header.is_outlined());
    for (side, _) in weak {
        // SAFETY: a share from `Retain`.
        let upgraded = unsafe { side.as_ref() }.upgrade();
        prop_assert!(!upgraded);
        // SAFETY: as above; not used again.
        unsafe { Side::release(side, &Global) };
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn header_and_side_agree_with_plain_numbers(trace in proptest::collection::vec(op(), 0..100)) {
        run(&trace)?;
    }
}
