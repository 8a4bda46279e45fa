//! Values of one word.
#![allow(unsafe_code, reason = "the lowest bits of a word tell what it is")]

use core::mem::ManuallyDrop;
use core::num::NonZeroUsize;
use core::ptr::NonNull;
use std::hash::{BuildHasherDefault, DefaultHasher};

use allocator_api2::alloc::Global;
use cpymem_cyclegc::{Clearer, Gc, Trace, Visitor};
use cpymem_refcount::rc::Rc;
use cpymem_slots::object::{Attribute, Descriptor, Text};

use crate::object::Object;

/// A tagged word.
///
/// ```text
///   object     address of an object of the collector      00d    d: dead, in garbage that is being destroyed
///   text       address of a counted text                  010
///   constant   which one                                  100
///   number     62 bits ................................... 11
/// ```
///
/// # Invariants
/// 1. A word with the tag of an object is a `Gc<Object>`, which this value owns.
/// 2. A word with the tag of a text came from `Rc::into_raw_with_allocator`, and this value owns that reference.
pub(crate) struct Value(NonNull<()>);

const _: () = assert!(size_of::<Gc<Object>>() == size_of::<Value>() && size_of::<Option<Value>>() == 8);
const _: () = assert!(align_of::<Gc<Object>>() == align_of::<Value>() && align_of::<Text>() == 8);

const TEXT: usize = 2;

const fn constant(number: usize) -> Value {
    match NonZeroUsize::new(number << 3 | 4) {
        Some(bits) => Value(NonNull::without_provenance(bits)),
        None => unreachable!(),
    }
}

impl Value {
    pub(crate) const NONE: Value = constant(0);
    pub(crate) const FALSE: Value = constant(1);
    pub(crate) const TRUE: Value = constant(2);
    /// A global that has no value yet.
    pub(crate) const UNSET: Value = constant(3);

    /// A number; its two highest bits are lost.
    #[inline(always)]
    pub(crate) fn number(number: i64) -> Value {
        let bits = NonZeroUsize::MIN | (number as usize) << 2 | 3;
        Value(NonNull::without_provenance(bits))
    }

    pub(crate) fn bool(value: bool) -> Value {
        if value { Value::TRUE } else { Value::FALSE }
    }

    pub(crate) fn text(text: &str) -> Value {
        let text = Text::new(text, &BuildHasherDefault::<DefaultHasher>::default());
        let (pointer, Global) = Rc::into_raw_with_allocator(Rc::new(text));
        // SAFETY: no object lies at the end of the address space.
        Value(unsafe { NonNull::new_unchecked(pointer.cast_mut().wrapping_byte_add(TEXT).cast()) })
    }

    pub(crate) fn object(object: Gc<Object>) -> Value {
        // SAFETY: a `Gc` of a sized type is one pointer that is not null, as the size of `Option<Value>` and the
        // asserts above say of both; ownership passes on.
        Value(unsafe { core::mem::transmute::<Gc<Object>, NonNull<()>>(object) })
    }

    #[inline(always)]
    fn bits(&self) -> usize {
        self.0.addr().get()
    }

    #[inline(always)]
    pub(crate) fn as_number(&self) -> Option<i64> {
        if self.bits() & 3 == 3 { Some(self.bits() as i64 >> 2) } else { None }
    }

    #[inline(always)]
    pub(crate) fn is(&self, other: &Value) -> bool {
        self.0 == other.0
    }

    #[inline(always)]
    fn is_object(&self) -> bool {
        self.bits() & 6 == 0
    }

    #[inline(always)]
    pub(crate) fn as_gc(&self) -> Option<&Gc<Object>> {
        if !self.is_object() {
            return None;
        }
        // SAFETY: invariant 1: the word is a `Gc`, borrowed as long as this.
        Some(unsafe { &*(&raw const self.0).cast::<Gc<Object>>() })
    }

    /// The object; `None` of other values and of dead handles.
    #[inline(always)]
    pub(crate) fn as_object(&self) -> Option<&Object> {
        Gc::try_deref(self.as_gc()?)
    }

    fn is_text(&self) -> bool {
        self.bits() & 7 == TEXT
    }

    fn counted(&self) -> ManuallyDrop<Rc<Text>> {
        let address = self.0.as_ptr().cast_const().wrapping_byte_sub(TEXT).cast::<Text>();
        // SAFETY: callers have compared the tag: invariant 2; the reference stays this value's.
        ManuallyDrop::new(unsafe { Rc::from_raw_in(address, Global) })
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        if !self.is_text() {
            return None;
        }
        let text: *const str = self.counted().as_str();
        // SAFETY: the text lives as long as this value holds its reference.
        Some(unsafe { &*text })
    }

    pub(crate) fn is_true(&self) -> bool {
        match self.as_number() {
            Some(number) => number != 0,
            None if self.is(&Value::NONE) || self.is(&Value::FALSE) => false,
            None => match (self.as_text(), self.as_object()) {
                (Some(text), _) => !text.is_empty(),
                (None, Some(Object::List(items))) => !items.borrow().is_empty(),
                _ => true,
            },
        }
    }
}

impl Clone for Value {
    #[inline(always)]
    fn clone(&self) -> Value {
        if self.bits() & 3 == 3 {
            return Value(self.0);
        }
        clone_counted(self)
    }
}

#[inline]
fn clone_counted(value: &Value) -> Value {
    if let Some(object) = value.as_gc() {
        return Value::object(object.clone());
    }
    if value.is_text() {
        core::mem::forget(Rc::clone(&value.counted()));
    }
    Value(value.0)
}

impl Drop for Value {
    #[inline(always)]
    fn drop(&mut self) {
        if self.is_object() {
            // SAFETY: invariant 1; the value is not used again.
            drop(unsafe { core::mem::transmute::<NonNull<()>, Gc<Object>>(self.0) });
        } else if self.is_text() {
            drop(ManuallyDrop::into_inner(self.counted()));
        }
    }
}

// SAFETY: the one `Gc` that the value may be is visited, and cleared; texts own none.
unsafe impl Trace for Value {
    #[inline]
    fn visit(&self, visitor: &mut Visitor<'_>) {
        if let Some(object) = self.as_gc() {
            visitor.visit(object);
        }
    }

    #[inline]
    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        if self.is_object() {
            // SAFETY: invariant 1; a severed `Gc` keeps the tag of an object.
            clearer.clear(unsafe { &mut *(&raw mut self.0).cast::<Gc<Object>>() });
        }
    }
}

impl Attribute for Value {
    #[inline]
    fn descriptor(&self) -> Descriptor {
        match self.as_object() {
            Some(Object::Function(_)) => Descriptor::NonData,
            _ => Descriptor::None,
        }
    }
}
