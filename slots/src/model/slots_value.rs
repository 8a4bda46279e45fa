//! The value of `__slots__`, as a class body writes it.

/// What a class body assigns to `__slots__`.
///
/// ```
/// use cpymem_slots::model::{ClassLayout, SlotItem, SlotsValue, Target};
///
/// let object = ClassLayout::object("3.12".parse::<Target>()?)?;
/// let listed = [SlotItem::Name("a"), SlotItem::Other("int")];
/// let error = ClassLayout::with_slots_value("C", &[&object], SlotsValue::Items(&listed), &[]).unwrap_err();
/// assert_eq!(error.to_string(), "TypeError: __slots__ items must be strings, not 'int'");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotsValue<'a> {
    /// One text: one slot of that name, not one for each character.
    Text(&'a str),
    /// A text with a `b` before it. 2.7 takes it for a text; later versions for integers.
    Bytes(&'a str),
    /// A tuple, a list, a set, or a dict of which the keys count.
    Items(&'a [SlotItem<'a>]),
    /// An iterator over these. It is exhausted when the class is made, so nobody can read the names again.
    Iterator(&'a [SlotItem<'a>]),
    /// Something of this type, which cannot be iterated over.
    NotIterable(&'a str),
}

/// One of the things in `__slots__`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotItem<'a> {
    /// A `str`.
    Name(&'a str),
    /// A text with a `u` before it: in 2.7 a `unicode`, which must be ASCII; later as [`SlotItem::Name`].
    Unicode(&'a str),
    /// A text of one lone surrogate, which no Rust text can hold.
    LoneSurrogate(u16),
    /// Something of this type, which is no text.
    Other(&'a str),
}

impl<'a> SlotsValue<'a> {
    /// The items that type creation sees; the type's name if it sees none (`type_new_slots`,
    /// `Objects/typeobject.c`).
    pub(crate) fn items(self, bytes_are_text: bool) -> Result<Vec<SlotItem<'a>>, &'a str> {
        Ok(match self {
            SlotsValue::Text(name) => vec![SlotItem::Name(name)],
            SlotsValue::Bytes(name) if bytes_are_text => vec![SlotItem::Name(name)],
            SlotsValue::Bytes(bytes) => bytes.chars().map(|_| SlotItem::Other("int")).collect(),
            SlotsValue::Items(items) | SlotsValue::Iterator(items) => items.to_vec(),
            SlotsValue::NotIterable(kind) => return Err(kind),
        })
    }
}
