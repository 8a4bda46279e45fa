//! Attribute values: what the numbers and texts cost that an object refers to.
//!
//! All functions tell what one object costs that is made at run time. Those that CPython makes once for all -
//! small integers, the empty text, single characters - request nothing.

use super::abi::Abi;
use super::footprint::Footprint;
use super::target::{Target, TargetError};

/// The widest character of a `str`, which decides the bytes of each
/// ([PEP 393](https://peps.python.org/pep-0393/)). 2.7 has `unicode` of four bytes a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// Up to U+7F: one byte each, and no room for a second form.
    Ascii,
    /// Up to U+FF: one byte each.
    Latin1,
    /// Up to U+FFFF: two bytes each.
    Ucs2,
    /// Beyond: four bytes each.
    Ucs4,
}

/// The integers that are made once for all, first and last.
///
/// # Errors
/// If the target is not modelled.
pub fn small_ints(target: impl Into<Target>) -> Result<(i64, i64), TargetError> {
    Ok(Abi::of(target.into())?.small_ints)
}

/// An `int`.
///
/// # Errors
/// If the target is not modelled.
pub fn int(target: impl Into<Target>, value: i64) -> Result<Footprint, TargetError> {
    let target = target.into();
    let (first, last) = small_ints(target)?;
    let mut footprint = int_of_bits(target, u64::BITS - value.unsigned_abs().leading_zeros())?;
    if (first..=last).contains(&value) {
        footprint.requests.clear();
    }
    Ok(footprint)
}

/// An `int` whose absolute value has so many bits; 0 has none.
///
/// # Errors
/// If the target is not modelled.
pub fn int_of_bits(target: impl Into<Target>, bits: u32) -> Result<Footprint, TargetError> {
    let abi = Abi::of(target.into())?;
    // A C long holds as many bits as a word, its sign among them.
    let fits_long = u64::from(bits) < 8 * abi.word;
    let bytes = if abi.int_is_fixed && fits_long { abi.object + abi.word } else { digits(abi, bits) };
    Ok(Footprint::new(vec![allocated_int(abi, bytes)], bytes, None, abi))
}

/// A `long` of 2.7 whose absolute value has so many bits; of a later version an `int`.
///
/// # Errors
/// If the target is not modelled.
pub fn long_of_bits(target: impl Into<Target>, bits: u32) -> Result<Footprint, TargetError> {
    let abi = Abi::of(target.into())?;
    let bytes = digits(abi, bits);
    Ok(Footprint::new(vec![allocated_int(abi, bytes)], bytes, None, abi))
}

/// `int.__sizeof__`: digits of 30 bits in 4 bytes or of 15 bits in 2.
fn digits(abi: &Abi, bits: u32) -> u64 {
    let digit_bits = if abi.int_digit == 4 { 30 } else { 15 };
    let digits = u64::from(bits.div_ceil(digit_bits)).max(u64::from(abi.zero_has_a_digit));
    abi.var_object + digits * abi.int_digit
}

/// An `int` is allocated with one digit at least (`_PyLong_New`, `Objects/longobject.c`).
fn allocated_int(abi: &Abi, bytes: u64) -> u64 {
    bytes.max(abi.var_object + abi.int_digit)
}

/// A `float`.
///
/// # Errors
/// If the target is not modelled.
pub fn float(target: impl Into<Target>) -> Result<Footprint, TargetError> {
    let abi = Abi::of(target.into())?;
    let bytes = abi.object + 8;
    Ok(Footprint::new(vec![bytes], bytes, None, abi))
}

/// A `bytes` of `n` bytes; of 2.7 a `str`.
///
/// # Errors
/// If the target is not modelled.
pub fn bytes(target: impl Into<Target>, n: u32) -> Result<Footprint, TargetError> {
    let abi = Abi::of(target.into())?;
    let bytes = abi.bytes + u64::from(n);
    let made_once = n == 0 || (n == 1 && abi.single_bytes_are_made_once);
    let requests = if made_once { Vec::new() } else { vec![bytes] };
    Ok(Footprint::new(requests, bytes, None, abi))
}

/// A `str` of `n` characters; of 2.7 a `unicode`.
///
/// # Errors
/// If the target is not modelled.
pub fn text(target: impl Into<Target>, kind: Text, n: u32) -> Result<Footprint, TargetError> {
    let abi = Abi::of(target.into())?;
    let n = u64::from(n);
    let single = n == 1 && matches!(kind, Text::Ascii | Text::Latin1);
    let made_once = n == 0 || single;
    if abi.string_has_items {
        // `PyUnicodeObject`: length, characters, hash, encoded form.
        let (object, characters) = (abi.object + 4 * abi.word, 4 * (n + 1));
        let requests = if made_once { Vec::new() } else { vec![object, characters] };
        return Ok(Footprint::new(requests, object + characters, None, abi));
    }
    let compact = abi.string - abi.word;
    let mut bytes = match kind {
        _ if n == 0 => abi.ascii + 1,
        Text::Ascii => abi.ascii + n + 1,
        Text::Latin1 => compact + n + 1,
        Text::Ucs2 => compact + 2 * (n + 1),
        Text::Ucs4 => compact + 4 * (n + 1),
    };
    if single && kind == Text::Latin1 && abi.characters_have_utf8 {
        bytes += 3;
    }
    let requests = if made_once { Vec::new() } else { vec![bytes] };
    Ok(Footprint::new(requests, bytes, None, abi))
}

/// Bytes that a text adds to itself once it was asked for its UTF-8 form of `utf8` bytes, in a block of their
/// own. An ASCII text is its own UTF-8 form.
pub fn utf8_cache(kind: Text, utf8: u32) -> u64 {
    if kind == Text::Ascii { 0 } else { u64::from(utf8) + 1 }
}
