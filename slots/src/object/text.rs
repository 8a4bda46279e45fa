//! Strings of one word that know their hash.
#![allow(unsafe_code, reason = "length and hash lie before the bytes, behind one pointer")]

use core::alloc::Layout;
use core::fmt;
use core::hash::{BuildHasher, Hash, Hasher};
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::NonNull;

use allocator_api2::alloc::{Allocator, Global, handle_alloc_error};

use super::footprint::Footprint;
use super::key::{Key, Lookup};

/// An owned string behind one pointer, with its hash, as CPython's `str` keeps it.
///
/// ```text
///   hash | length | bytes ...
///   8      4        length
/// ```
///
/// The hash is the one that a hasher gave when the text was made. Texts of different hashers are never equal keys, so
/// a program uses one hasher for all.
///
/// ```
/// use cpymem_slots::object::{CompactDict, Text};
/// use std::hash::RandomState;
///
/// let hasher = RandomState::new();
/// let mut ages = CompactDict::new();
/// ages.insert(Text::new("Alice", &hasher), 41);
/// assert_eq!(ages.get(&Text::new("Alice", &hasher)), Some(&41));
/// ```
///
/// # Invariants
/// `head` points to an allocation of `Text::layout(len)` from `alloc`, whose bytes are UTF-8; nobody writes to it.
pub struct Text<A: Allocator = Global> {
    head: NonNull<Head>,
    alloc: A,
}

#[repr(C)]
struct Head {
    hash: u64,
    len: u32,
}

/// Where the length stands.
const LEN: usize = core::mem::offset_of!(Head, len);
/// Where the bytes start.
const BYTES: usize = LEN + size_of::<u32>();

// SAFETY: a text owns its bytes like a box.
unsafe impl<A: Allocator + Send> Send for Text<A> {}
// SAFETY: a shared text lends nothing but shared bytes.
unsafe impl<A: Allocator + Sync> Sync for Text<A> {}

impl Text {
    /// A copy of `text`.
    ///
    /// Aborts as [`std::alloc::handle_alloc_error`] does if there is no memory.
    ///
    /// # Panics
    /// If the text is longer than 4 GiB.
    pub fn new(text: &str, hasher: &impl BuildHasher) -> Text {
        Text::new_in(text, hasher, Global)
    }
}

impl Text {
    /// The address of the text, which the caller owns from now on; [`Text::from_raw`] takes it back. It is a multiple of 8.
    pub fn into_raw(self) -> NonNull<()> {
        core::mem::ManuallyDrop::new(self).head.cast()
    }

    /// The text of an address.
    ///
    /// # Safety
    /// The address came from [`Text::into_raw`] and was not taken back since.
    #[inline]
    pub unsafe fn from_raw(address: NonNull<()>) -> Text {
        Text { head: address.cast(), alloc: Global }
    }
}

impl<A: Allocator> Text<A> {
    /// As [`Text::new`], from this allocator.
    ///
    /// # Panics
    /// As [`Text::new`].
    pub fn new_in(text: &str, hasher: &impl BuildHasher, alloc: A) -> Text<A> {
        Text::copied(text, hasher.hash_one(text), alloc)
    }

    fn copied(text: &str, hash: u64, alloc: A) -> Text<A> {
        let len = u32::try_from(text.len()).expect("a text of less than 4 GiB");
        let layout = Text::<A>::layout(len);
        let Ok(head) = alloc.allocate(layout) else { handle_alloc_error(layout) };
        let head = head.cast::<Head>();
        // SAFETY: the layout begins with a hash ...
        unsafe { head.cast::<u64>().write(hash) };
        // SAFETY: ... then has the length, after two words of its size ...
        let place = unsafe { head.cast::<u32>().add(LEN / size_of::<u32>()) };
        // SAFETY: ... as a word ...
        unsafe { place.write(len) };
        // SAFETY: ... and so many bytes.
        let bytes = unsafe { head.cast::<u8>().add(BYTES) };
        // SAFETY: as many bytes as the text has, in memory that was just allocated.
        unsafe { bytes.copy_from_nonoverlapping(NonNull::from(text).cast(), text.len()) };
        Text { head, alloc }
    }

    /// A borrowed text of one word, such as a key of a dict that owns no texts.
    #[inline]
    pub fn to_ref(&self) -> TextRef<'_> {
        TextRef { head: self.head, text: PhantomData }
    }

    fn layout(len: u32) -> Layout {
        let size = BYTES + len as usize;
        Layout::from_size_align(size, align_of::<Head>()).expect("4 GiB and a head are a layout")
    }

    #[inline]
    fn hash_bits(&self) -> u64 {
        self.to_ref().hash_bits()
    }

    #[inline]
    fn len_bits(&self) -> u32 {
        self.to_ref().len_bits()
    }

    /// The text.
    #[inline]
    pub fn as_str(&self) -> &str {
        self.to_ref().as_str()
    }

    /// What the text took from its allocator.
    pub fn footprint(&self) -> Footprint {
        Footprint { allocations: 1, bytes: Text::<A>::layout(self.len_bits()).size() }
    }
}

/// A borrowed [`Text`]: one word, equal to itself at one glance.
///
/// # Invariants
/// `head` is that of a text that lives for `'t`.
#[derive(Clone, Copy)]
pub struct TextRef<'t> {
    head: NonNull<Head>,
    text: PhantomData<&'t str>,
}

// SAFETY: a borrowed text lends nothing but shared bytes.
unsafe impl Send for TextRef<'_> {}
// SAFETY: as above.
unsafe impl Sync for TextRef<'_> {}

impl<'t> TextRef<'t> {
    #[inline]
    fn hash_bits(self) -> u64 {
        // SAFETY: the type's invariant.
        unsafe { (*self.head.as_ptr()).hash }
    }

    #[inline]
    fn len_bits(self) -> u32 {
        // SAFETY: the type's invariant.
        unsafe { (*self.head.as_ptr()).len }
    }

    /// The text.
    #[inline]
    pub fn as_str(self) -> &'t str {
        // SAFETY: the bytes start there.
        let bytes = unsafe { self.head.cast::<u8>().add(BYTES) };
        // SAFETY: so many of them, which nobody writes to.
        let bytes = unsafe { core::slice::from_raw_parts(bytes.as_ptr(), self.len_bits() as usize) };
        // SAFETY: they were copied from a `str`.
        unsafe { core::str::from_utf8_unchecked(bytes) }
    }
}

impl PartialEq for TextRef<'_> {
    /// Whether hash and bytes are equal.
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.head == other.head || (self.hash_bits() == other.hash_bits() && self.as_str() == other.as_str())
    }
}

impl Eq for TextRef<'_> {}

impl Hash for TextRef<'_> {
    /// As [`Text`].
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash_bits());
    }
}

impl Key for TextRef<'_> {
    #[inline]
    fn hash(&self) -> u64 {
        self.hash_bits()
    }

    #[inline]
    fn carries_hash(&self) -> bool {
        true
    }

    #[inline]
    fn same(&self, other: &Self) -> bool {
        self.head == other.head
    }
}

impl fmt::Debug for TextRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl<A: Allocator> Drop for Text<A> {
    fn drop(&mut self) {
        let layout = Text::<A>::layout(self.len_bits());
        // SAFETY: the type's invariant; the text is not used again.
        unsafe { self.alloc.deallocate(self.head.cast(), layout) }
    }
}

impl<A: Allocator + Clone> Clone for Text<A> {
    /// A copy, with the hash that is known.
    fn clone(&self) -> Text<A> {
        Text::copied(self.as_str(), self.hash_bits(), self.alloc.clone())
    }
}

impl<A: Allocator> Deref for Text<A> {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl<A: Allocator> PartialEq for Text<A> {
    /// Whether hash and bytes are equal.
    #[inline]
    fn eq(&self, other: &Text<A>) -> bool {
        self.to_ref() == other.to_ref()
    }
}

impl<A: Allocator> Eq for Text<A> {}

impl<A: Allocator> Hash for Text<A> {
    /// Writes the hash that the text has, for maps whose hasher passes it on.
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash_bits());
    }
}

impl<A: Allocator> Key for Text<A> {
    #[inline]
    fn hash(&self) -> u64 {
        self.hash_bits()
    }

    #[inline]
    fn carries_hash(&self) -> bool {
        true
    }

    #[inline]
    fn same(&self, other: &Self) -> bool {
        self.head == other.head
    }
}

impl<A: Allocator> fmt::Debug for Text<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl<A: Allocator> fmt::Display for Text<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

/// A spelling to look a [`Text`] up by, hashed once.
///
/// ```
/// use cpymem_slots::object::{CompactDict, Spelling, Text};
/// use std::hash::RandomState;
///
/// let hasher = RandomState::new();
/// let ages = CompactDict::from_iter([(Text::new("Alice", &hasher), 41)]);
/// assert_eq!(ages.get(&Spelling::new("Alice", &hasher)), Some(&41));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Spelling<'t> {
    text: &'t str,
    hash: u64,
}

impl<'t> Spelling<'t> {
    /// The spelling of texts that were made with this hasher.
    pub fn new(text: &'t str, hasher: &impl BuildHasher) -> Spelling<'t> {
        Spelling { text, hash: hasher.hash_one(text) }
    }
}

impl<A: Allocator> Lookup<Text<A>> for Spelling<'_> {
    #[inline]
    fn hash(&self) -> u64 {
        self.hash
    }

    #[inline]
    fn is(&self, key: &Text<A>) -> bool {
        self.hash == key.hash_bits() && self.text == key.as_str()
    }
}
