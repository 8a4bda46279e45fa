//! Objects of the standard library that attributes often refer to: dates, decimal numbers, methods and their kin.
//!
//! [`cost`] tells what one object costs that is made at run time, what it refers to excluded. Those that CPython
//! makes once for all request nothing. The sizes are sums of the words of CPython's structures; the tests compare
//! them with `sys.getsizeof` of measured interpreters.

use super::abi::Abi;
use super::container;
use super::footprint::Footprint;
use super::target::{Target, TargetError};
use super::value;

/// Elements that a block of a `deque` holds (`BLOCKLEN`, `Modules/_collectionsmodule.c`); 2.7 had 62.
const DEQUE_BLOCK: u64 = 64;
const OLD_DEQUE_BLOCK: u64 = 62;

/// A kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standard {
    /// `None`, `Ellipsis` or `NotImplemented`.
    Singleton,
    /// `False`.
    False,
    /// `True`.
    True,
    /// `complex`.
    Complex,
    /// `datetime.date`.
    Date,
    /// `datetime.time` without a time zone.
    Time,
    /// `datetime.time` with one.
    AwareTime,
    /// `datetime.datetime` without a time zone.
    DateTime,
    /// `datetime.datetime` with one.
    AwareDateTime,
    /// `datetime.timedelta`.
    TimeDelta,
    /// `decimal.Decimal` of up to 76 digits (36 on 32 bits); 2.7: of any, its parts excluded.
    Decimal,
    /// `bytearray` of so many bytes, made from `bytes`.
    ByteArray(u32),
    /// `collections.deque` to which so many elements were appended.
    Deque(u32),
    /// `range`; in 2.7 `range(3)` is a list.
    Range,
    /// `slice`.
    Slice,
    /// A function written in Python.
    Function,
    /// A method bound to its object.
    Method,
    /// A function written in C.
    BuiltinFunction,
    /// The variable of an outer function.
    Cell,
    /// `property`.
    Property,
    /// The descriptor of a slot.
    MemberDescriptor,
    /// A module, its dict excluded.
    Module,
    /// `weakref.ref` without a callback.
    Weakref,
}

/// What one such object costs.
///
/// # Errors
/// If the target is not modelled.
pub fn cost(target: impl Into<Target>, what: Standard) -> Result<Footprint, TargetError> {
    let target = target.into();
    let abi = Abi::of(target)?;
    let same = |bytes| Footprint::new(vec![bytes], bytes, None, abi);
    let collectable = |fields: u64| same(abi.gc_head + abi.object + fields * abi.word);
    // Fields of dates: a hash, a flag, then packed bytes.
    let packed = |bytes: u64| (abi.object + abi.word + bytes).next_multiple_of(abi.word);
    let made_once = |bytes| Footprint::new(Vec::new(), bytes, None, abi);
    // 2.7 is older than every 3.x.
    let age = if abi.major == 2 { 0 } else { abi.minor };
    Ok(match what {
        Standard::Singleton => made_once(abi.object),
        Standard::False => made_once(value::int_of_bits(target, 0)?.getsizeof()),
        Standard::True => made_once(value::int_of_bits(target, 1)?.getsizeof()),
        Standard::Complex => same(abi.object + 16),
        Standard::Date => same(packed(1 + 4)),
        // Without a time zone its word is not allocated, but counted.
        Standard::Time => Footprint::new(vec![packed(1 + 6)], packed(1 + 6 + 1) + abi.word, None, abi),
        Standard::AwareTime => same(packed(1 + 6 + 1) + abi.word),
        Standard::DateTime => Footprint::new(vec![packed(1 + 10)], packed(1 + 10 + 1) + abi.word, None, abi),
        Standard::AwareDateTime => same(packed(1 + 10 + 1) + abi.word),
        Standard::TimeDelta => same(packed(12)),
        Standard::Decimal => decimal(abi, age),
        Standard::ByteArray(n) => byte_array(abi, target, age, n)?,
        Standard::Deque(n) => deque(abi, age, u64::from(n)),
        Standard::Range if age == 0 => container::list_exact(target, 3)?,
        Standard::Range => same(abi.object + 4 * abi.word),
        Standard::Slice => collectable(3),
        Standard::Function => collectable(match age {
            0 => 9,
            1..8 => 12,
            8..10 => 13,
            10 => 14,
            11 => 15,
            12..14 => 16,
            _ => 17,
        }),
        Standard::Method => collectable(match age {
            1..8 => 3,
            _ => 4,
        }),
        Standard::BuiltinFunction => collectable(match age {
            0 => 3,
            1..8 => 4,
            _ => 5,
        }),
        Standard::Cell => collectable(1),
        Standard::Property => collectable(if age < 10 { 5 } else { 6 }),
        Standard::MemberDescriptor => collectable(if age == 0 { 3 } else { 4 }),
        Standard::Module => collectable(match age {
            0 => 1,
            1..15 => 5 + u64::from(abi.free_threaded),
            _ => 11,
        }),
        Standard::Weakref => same(abi.weakref_object),
    })
}

/// The digits of an ordinary number lie in the object (`PyDecObject`, `Modules/_decimal/_decimal.c`). 2.7 has a
/// class with four slots.
fn decimal(abi: &Abi, age: u8) -> Footprint {
    let bytes = match age {
        0 => abi.gc_head + abi.object + 4 * abi.word,
        // Hash; flags, exponent, digits, length, allocated, data; four words of digits.
        _ => abi.object + (1 + 6 + 4) * abi.word + if age >= 13 { abi.gc_head } else { 0 },
    };
    Footprint::new(vec![bytes], bytes, None, abi)
}

/// The bytes and a NUL lie in a block of their own; from 3.15 on in a `bytes` object.
fn byte_array(abi: &'static Abi, target: Target, age: u8, n: u32) -> Result<Footprint, TargetError> {
    let fields = match age {
        0 => 3,
        1..15 => 4,
        _ => 5,
    };
    let object = abi.var_object + fields * abi.word;
    let content = match (n, age) {
        (0, _) => 0,
        (_, 15..) => value::bytes(target, n)?.getsizeof(),
        _ => u64::from(n) + 1,
    };
    let requests = [object].into_iter().chain(Some(content).filter(|&bytes| bytes > 0)).collect();
    Ok(Footprint::new(requests, object + content, None, abi))
}

/// The first element lies in the middle of the first block.
fn deque(abi: &Abi, age: u8, n: u64) -> Footprint {
    let in_block = if age == 0 { OLD_DEQUE_BLOCK } else { DEQUE_BLOCK };
    // From 3.11 on a deque keeps some freed blocks.
    let fields = if age >= 11 { 25 } else { 8 };
    let object = abi.gc_head + abi.object + fields * abi.word;
    let block = (in_block + 2) * abi.word;
    let blocks = 1 + n.saturating_sub(in_block / 2).div_ceil(in_block);
    let mut requests = vec![(object, 1), (block, blocks)];
    requests.sort_unstable();
    Footprint { requests, getsizeof: object + blocks * block, getsizeof_dict: None, allocator: abi.allocator }
}
