//! The attribute names that the instances of a class share.

use super::id::Id;
use super::name::Name;

/// The room for names that a class starts with (`SHARED_KEYS_MAX_SIZE`,
/// `Include/internal/pycore_dict.h`). The first instance takes one place, so 29 names can be shared.
pub const MAX_SHARED: usize = 30;

/// The keys of a key-sharing dictionary ([PEP 412](https://peps.python.org/pep-0412/)), one for each
/// class. Names are only ever added, so their indices stay.
///
/// As in CPython 3.13 a new class has room for 30 names, and each instance lowers the room that is left by
/// one, to no less than one. An instance has room for as many values as the class had for names when it
/// was made: 30 the first, and in a class of three attributes 4 from the 27th on.
///
/// ```
/// use cpymem_slots::object::{Dict, SharedKeys, Shapes};
///
/// let mut shapes = Shapes::new();
/// let (name, age) = (shapes.intern("name"), shapes.intern("age"));
/// let mut user = SharedKeys::new();
/// let mut alice: Dict<u64> = Dict::new(&mut user);
/// alice.set(name, 7, &mut user).unwrap();
/// alice.set(age, 41, &mut user).unwrap();
/// assert_eq!(user.names(), [name, age]);
/// ```
#[derive(Debug)]
pub struct SharedKeys {
    id: Id,
    names: [Name; MAX_SHARED],
    len: u8,
    /// # Invariant
    /// `len + free` never grows: names take their place from `free`. So every index is below the number of
    /// values of every instance made before.
    free: u8,
}

impl Default for SharedKeys {
    fn default() -> SharedKeys {
        SharedKeys::new()
    }
}

impl SharedKeys {
    /// The keys of a new class.
    ///
    /// # Panics
    /// After 2^32 - 3 shapes and keys in the process.
    pub fn new() -> SharedKeys {
        SharedKeys { id: Id::fresh(), names: [Name(0); MAX_SHARED], len: 0, free: MAX_SHARED as u8 }
    }

    /// The names, in the order in which they came.
    pub fn names(&self) -> &[Name] {
        &self.names[..self.len.into()]
    }

    /// The index of a name.
    #[inline]
    pub fn index(&self, name: Name) -> Option<usize> {
        self.names().iter().position(|&known| known == name)
    }

    pub(super) fn id(&self) -> Id {
        self.id
    }

    /// An instance is made: how many values it has room for.
    pub(super) fn new_instance(&mut self) -> u16 {
        let capacity = self.len + self.free;
        if self.free > 1 {
            self.free -= 1;
        }
        capacity.into()
    }

    /// The index of a name, which is added if there is room; `None` if there is none.
    pub(super) fn admit(&mut self, name: Name) -> Option<usize> {
        if let Some(index) = self.index(name) {
            return Some(index);
        }
        self.free = self.free.checked_sub(1)?;
        let index = usize::from(self.len);
        self.names[index] = name;
        self.len += 1;
        Some(index)
    }
}
