//! Built-in containers: what else the data of an object could live in.
//!
//! All functions tell the cost of the container alone, its elements excluded.

use super::abi::{Abi, ListCopy, SMALLEST_SET, SetRule};
use super::footprint::Footprint;
use super::keys::{Keys, Table};
use super::target::{Target, TargetError};

/// From here on sets grow more slowly.
const MANY_ELEMENTS: u64 = 50_000;

/// A `tuple` of `n` elements. The empty one is made once for all: it requests nothing.
///
/// # Errors
/// If the target is not modelled.
pub fn tuple(target: impl Into<Target>, n: u32) -> Result<Footprint, TargetError> {
    let abi = Abi::of(target.into())?;
    let bytes = abi.gc_head + abi.tuple + u64::from(n) * abi.word;
    let requests = if n == 0 { Vec::new() } else { vec![bytes] };
    Ok(Footprint::new(requests, bytes, None, abi))
}

/// A `list` written as a display of `n` elements: `[a, b, c]`.
///
/// # Errors
/// If the target is not modelled.
pub fn list_display(target: impl Into<Target>, n: u32) -> Result<Footprint, TargetError> {
    let (abi, n) = (Abi::of(target.into())?, u64::from(n));
    Ok(list(abi, if n > abi.longest_exact_display { appended(abi, n) } else { n }))
}

/// A `list` grown by `n` calls of `append`.
///
/// # Errors
/// If the target is not modelled.
pub fn list_appended(target: impl Into<Target>, n: u32) -> Result<Footprint, TargetError> {
    let abi = Abi::of(target.into())?;
    Ok(list(abi, appended(abi, u64::from(n))))
}

/// A `list` with room for exactly its `n` elements: `[x] * n`.
///
/// # Errors
/// If the target is not modelled.
pub fn list_exact(target: impl Into<Target>, n: u32) -> Result<Footprint, TargetError> {
    Ok(list(Abi::of(target.into())?, u64::from(n)))
}

/// `list(other)`, where `other` is a tuple or another sequence that knows its length.
///
/// # Errors
/// If the target is not modelled.
pub fn list_copied(target: impl Into<Target>, n: u32) -> Result<Footprint, TargetError> {
    let (abi, n) = (Abi::of(target.into())?, u64::from(n));
    let room = match abi.list_copy {
        _ if n == 0 => 0,
        ListCopy::OverAllocates => over_allocated(abi, n),
        ListCopy::Exact => n,
        ListCopy::Even => n.next_multiple_of(2),
    };
    Ok(list(abi, room))
}

/// A `dict` grown to `n` keys.
///
/// # Errors
/// If the target is not modelled.
pub fn dict(target: impl Into<Target>, n: u32, keys: Keys) -> Result<Footprint, TargetError> {
    let abi = Abi::of(target.into())?;
    let table = (n > 0 || abi.empty_dict_has_table).then(|| Table::grown_to(u64::from(n), keys, abi));
    Ok(dict_with(abi, table))
}

/// A `dict` written as a display of `n` keys: `{"a": 0, "b": 0}`.
///
/// # Errors
/// If the target is not modelled.
pub fn dict_display(target: impl Into<Target>, n: u32, keys: Keys) -> Result<Footprint, TargetError> {
    let abi = Abi::of(target.into())?;
    let table = (n > 0 || abi.empty_dict_has_table).then(|| Table::displayed(u64::from(n), keys, abi));
    Ok(dict_with(abi, table))
}

/// `dict(other)`, where `other` has grown to `n` keys.
///
/// # Errors
/// If the target is not modelled.
pub fn dict_copy(target: impl Into<Target>, n: u32, keys: Keys) -> Result<Footprint, TargetError> {
    let abi = Abi::of(target.into())?;
    let table = (n > 0 || abi.empty_copy_has_table).then(|| Table::copied(u64::from(n), keys, abi));
    Ok(dict_with(abi, table))
}

/// `dict(pairs)` or `dict.fromkeys(names)`, of `n` string keys.
///
/// # Errors
/// If the target is not modelled.
pub fn dict_from_pairs(target: impl Into<Target>, n: u32) -> Result<Footprint, TargetError> {
    let abi = Abi::of(target.into())?;
    let table = (n > 0 || abi.empty_copy_has_table).then(|| Table::grown_to(n.into(), Keys::Strings, abi));
    Ok(dict_with(abi, table))
}

/// A `set` grown to `n` elements.
///
/// # Errors
/// If the target is not modelled.
pub fn set(target: impl Into<Target>, n: u32) -> Result<Footprint, TargetError> {
    let abi = Abi::of(target.into())?;
    let entry = 2 * abi.word;
    let object = abi.gc_head + abi.set();
    let places = set_places(abi, u64::from(n));
    let table = (places > SMALLEST_SET).then(|| places * entry);
    let requests = [object].into_iter().chain(table).collect();
    Ok(Footprint::new(requests, object + table.unwrap_or(0), None, abi))
}

/// A `frozenset` made of `n` elements that do not come from another set. Up to 3.9 the empty one is made once for
/// all: it requests nothing.
///
/// # Errors
/// If the target is not modelled.
pub fn frozenset(target: impl Into<Target>, n: u32) -> Result<Footprint, TargetError> {
    let target = target.into();
    let mut footprint = set(target, n)?;
    if n == 0 && Abi::of(target)?.empty_frozenset_is_made_once {
        footprint.requests.clear();
    }
    Ok(footprint)
}

/// A `types.SimpleNamespace` of `n` attributes: an object and its dict.
///
/// # Errors
/// If the target is not modelled.
pub fn simple_namespace(target: impl Into<Target>, n: u32) -> Result<Footprint, TargetError> {
    let target = target.into();
    let abi = Abi::of(target)?;
    let dict = dict(target, n, Keys::Strings)?;
    let object = abi.gc_head + abi.object + abi.word;
    let requests = dict.requests().iter().map(|&(size, _)| size).chain([object]).collect();
    Ok(Footprint::new(requests, object, Some(dict.getsizeof()), abi))
}

/// Places of the table after `n` elements were added one by one (`set_add_entry`, `Objects/setobject.c`).
fn set_places(abi: &Abi, n: u64) -> u64 {
    let mut places = SMALLEST_SET;
    loop {
        // With so many elements the table grows.
        let full = match abi.set_is_full {
            SetRule::TwoThirdsOfPlaces => (2 * places).div_ceil(3),
            SetRule::TwoThirdsOfMask => (2 * (places - 1)).div_ceil(3),
            SetRule::ThreeFifthsOfMask => (3 * (places - 1)).div_ceil(5),
        };
        if n < full {
            return places;
        }
        let wanted = full * if full > MANY_ELEMENTS { 2 } else { 4 };
        places = (wanted + 1).next_power_of_two();
    }
}

fn dict_with(abi: &'static Abi, table: Option<Table>) -> Footprint {
    // The smallest table of 2.7 is part of the object.
    let table = table.map(|table| table.bytes(abi)).filter(|&bytes| bytes > 0);
    let requests = [abi.dict_object()].into_iter().chain(table).collect();
    Footprint::new(requests, abi.dict_object() + table.unwrap_or(0), None, abi)
}

fn list(abi: &'static Abi, allocated: u64) -> Footprint {
    let object = abi.gc_head + abi.list;
    let items = allocated * abi.word;
    let requests = if allocated == 0 { vec![object] } else { vec![object, items + abi.list_items_header] };
    Footprint::new(requests, object + items, None, abi)
}

/// Room for elements after `n` appends (`list_resize`, `Objects/listobject.c`).
fn appended(abi: &Abi, n: u64) -> u64 {
    let mut allocated = 0;
    while allocated < n {
        allocated = over_allocated(abi, allocated + 1);
    }
    allocated
}

/// What a list allocates that needs room for `needed` elements.
fn over_allocated(abi: &Abi, needed: u64) -> u64 {
    if abi.list_grows_by_fours {
        (needed + (needed >> 3) + 6) & !3
    } else {
        needed + (needed >> 3) + if needed < 9 { 3 } else { 6 }
    }
}
