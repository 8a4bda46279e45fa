//! Built-in containers: what else the data of an object could live in.
//!
//! All functions tell the cost of the container alone, its elements excluded.

use super::abi::{Abi, WORD};
use super::footprint::Footprint;
use super::keys::{Keys, Table};
use super::target::{Target, TargetError};

/// Displays of more elements are built by appending (`compiler_list`, `Python/compile.c`).
const LONGEST_EXACT_DISPLAY: u64 = 30;

/// A `tuple` of `n` elements. The empty one is made once for all: it requests nothing.
///
/// # Errors
/// If the target is not modelled.
pub fn tuple(target: impl Into<Target>, n: u32) -> Result<Footprint, TargetError> {
    let abi = Abi::of(target.into())?;
    let bytes = abi.gc_head + abi.tuple + u64::from(n) * WORD;
    let requests = if n == 0 { Vec::new() } else { vec![bytes] };
    Ok(Footprint::new(requests, bytes, None))
}

/// A `list` written as a display of `n` elements: `[a, b, c]`.
///
/// # Errors
/// If the target is not modelled.
pub fn list_display(target: impl Into<Target>, n: u32) -> Result<Footprint, TargetError> {
    let n = u64::from(n);
    list(target.into(), if n > LONGEST_EXACT_DISPLAY { appended(n) } else { n })
}

/// A `list` grown by `n` calls of `append`.
///
/// # Errors
/// If the target is not modelled.
pub fn list_appended(target: impl Into<Target>, n: u32) -> Result<Footprint, TargetError> {
    list(target.into(), appended(u64::from(n)))
}

/// A `dict` grown to `n` keys.
///
/// # Errors
/// If the target is not modelled.
pub fn dict(target: impl Into<Target>, n: u32, keys: Keys) -> Result<Footprint, TargetError> {
    let abi = Abi::of(target.into())?;
    let table = table(abi, n, keys);
    let requests = [abi.dict_object()].into_iter().chain(table).collect();
    Ok(Footprint::new(requests, abi.dict_object() + table.unwrap_or(0), None))
}

/// A `types.SimpleNamespace` of `n` attributes: an object and its dict.
///
/// # Errors
/// If the target is not modelled.
pub fn simple_namespace(target: impl Into<Target>, n: u32) -> Result<Footprint, TargetError> {
    let abi = Abi::of(target.into())?;
    let object = abi.gc_head + abi.object + WORD;
    let table = table(abi, n, Keys::Strings);
    let requests = [object, abi.dict_object()].into_iter().chain(table).collect();
    Ok(Footprint::new(requests, object, Some(abi.dict_object() + table.unwrap_or(0))))
}

fn table(abi: &Abi, n: u32, keys: Keys) -> Option<u64> {
    (n > 0).then(|| Table::grown_to(u64::from(n)).bytes(abi, keys))
}

fn list(target: Target, allocated: u64) -> Result<Footprint, TargetError> {
    let abi = Abi::of(target)?;
    let object = abi.gc_head + abi.list;
    let items = allocated * WORD;
    let requests = if allocated == 0 { vec![object] } else { vec![object, items] };
    Ok(Footprint::new(requests, object + items, None))
}

/// Room for elements after `n` appends (`list_resize`, `Objects/listobject.c`).
fn appended(n: u64) -> u64 {
    let mut allocated = 0;
    while allocated < n {
        let needed = allocated + 1;
        allocated = (needed + (needed >> 3) + 6) & !3;
    }
    allocated
}
