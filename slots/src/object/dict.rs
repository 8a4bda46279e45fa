//! Objects with a dictionary: any attributes, under names shared with the class.
#![allow(unsafe_code, reason = "an inline cache that hits proves the index, so it is not compared again")]

use core::fmt;

use allocator_api2::alloc::{AllocError, Allocator, Global};

use super::block::Block;
use super::body::{Body, Keyed, View};
use super::cache::InlineCache;
use super::compact_dict::CompactDict;
use super::error::AttributeError;
use super::footprint::Footprint;
use super::name::Name;
use super::shared_keys::SharedKeys;

/// An object that takes any attribute, as a CPython instance with a `__dict__` does.
///
/// As long as its class can share the names ([`SharedKeys`]), the object is one allocation: header,
/// values, and a byte a value for the order in which they were set. When the keys are full and a new name
/// comes, the object gets a table of its own, and its names no longer matter to the class.
///
/// ```
/// use cpymem_slots::object::{Dict, InlineCache, Shapes, SharedKeys};
///
/// let mut shapes = Shapes::new();
/// let (name, age) = (shapes.intern("name"), shapes.intern("age"));
/// let mut user = SharedKeys::new();
/// let mut alice: Dict<&str> = Dict::new(&mut user);
/// alice.set(age, "41", &mut user).unwrap();
/// alice.set(name, "Alice", &mut user).unwrap();
///
/// let mut cache = InlineCache::new(); // one for each place in the program that reads an attribute
/// assert_eq!(alice.get_cached(&mut cache, name, &user), Ok(&"Alice"));
/// let order: Vec<_> = alice.iter(&user).collect();
/// assert_eq!(order, [(age, &"41"), (name, &"Alice")]);
/// ```
pub struct Dict<V, A: Allocator = Global> {
    body: Body<V, A>,
}

impl<V> Dict<V> {
    /// An object without attributes.
    ///
    /// Aborts as [`std::alloc::handle_alloc_error`] does if there is no memory.
    pub fn new(keys: &mut SharedKeys) -> Dict<V> {
        Dict::new_in(keys, Global)
    }
}

impl<V, A: Allocator + Clone> Dict<V, A> {
    /// As [`Dict::new`], from this allocator.
    pub fn new_in(keys: &mut SharedKeys, alloc: A) -> Dict<V, A> {
        let capacity = keys.new_instance();
        Dict { body: Body::keyed(Block::new_or_abort(keys.id(), capacity, alloc)) }
    }

    /// As [`Dict::new_in`], but tells of a lack of memory.
    ///
    /// # Errors
    /// If the allocator has no memory.
    pub fn try_new_in(keys: &mut SharedKeys, alloc: A) -> Result<Dict<V, A>, AllocError> {
        let capacity = keys.new_instance();
        Ok(Dict { body: Body::keyed(Block::new(keys.id(), capacity, alloc)?) })
    }

    /// How many attributes it has.
    pub fn len(&self) -> usize {
        match self.body.view() {
            View::Keyed(block) => in_order(block).len(),
            View::Own(table) => table.len(),
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether its names are shared with the class; false once it has a table of its own.
    pub fn is_shared(&self) -> bool {
        matches!(self.body.view(), View::Keyed(_))
    }

    /// How many values it has room for as long as its names are shared.
    pub fn shared_capacity(&self) -> Option<usize> {
        match self.body.view() {
            View::Keyed(block) => Some(block.len()),
            View::Own(_) => None,
        }
    }

    /// The value of an attribute.
    ///
    /// # Errors
    /// If there is none, or if `keys` are not those of the object's class.
    pub fn get(&self, name: Name, keys: &SharedKeys) -> Result<&V, AttributeError> {
        let value = match self.body.view() {
            View::Keyed(block) => block.get(index(block, name, keys)?),
            View::Own(table) => table.get(&name),
        };
        value.ok_or(AttributeError::Absent { name })
    }

    /// As [`Dict::get`], without a look-up if the cache has seen the keys; neither name nor `keys` are looked
    /// at then. An object with a table of its own never hits.
    ///
    /// # Errors
    /// As [`Dict::get`].
    #[inline]
    pub fn get_cached(
        &self,
        cache: &mut InlineCache,
        name: Name,
        keys: &SharedKeys,
    ) -> Result<&V, AttributeError> {
        let near = cache.hit(self.body.id()).and_then(|place| {
            debug_assert!(is_at(keys, name, place.index()), "an inline cache was used for two names");
            // SAFETY: no cache remembers `OWN_TABLE`.
            let block = unsafe { self.body.block() };
            // SAFETY: the cache's index is one of the shared keys, of which there are no more than values.
            unsafe { block.get_near(place) }
        });
        near.or_else(|| self.get_missed(cache, name, keys)).ok_or_else(|| self.missing(name, keys))
    }

    /// A value that the cache does not know of, that is far, in a table, or not there.
    #[cold]
    fn get_missed(&self, cache: &mut InlineCache, name: Name, keys: &SharedKeys) -> Option<&V> {
        let block = match self.body.view() {
            View::Keyed(block) => block,
            View::Own(table) => return table.get(&name),
        };
        if let Some(place) = cache.hit(block.shape()) {
            return block.get(place.index());
        }
        let index = index(block, name, keys).ok()?;
        cache.remember(block.shape(), index as u16);
        block.get(index)
    }

    /// Why there is no value.
    #[cold]
    fn missing(&self, name: Name, keys: &SharedKeys) -> AttributeError {
        match self.body.view() {
            View::Keyed(block) if block.shape() != keys.id() => AttributeError::ForeignKeys,
            _ => AttributeError::Absent { name },
        }
    }

    /// The value of an attribute, to change it in place.
    ///
    /// # Errors
    /// As [`Dict::get`].
    pub fn get_mut(&mut self, name: Name, keys: &SharedKeys) -> Result<&mut V, AttributeError> {
        let value = match self.body.view_mut() {
            View::Keyed(block) => block.get_mut(index(block, name, keys)?),
            View::Own(table) => table.get_mut(&name),
        };
        value.ok_or(AttributeError::Absent { name })
    }

    /// Sets an attribute; the value before, if there was one.
    ///
    /// # Errors
    /// If `keys` are not those of the object's class; the value is dropped then.
    pub fn set(&mut self, name: Name, value: V, keys: &mut SharedKeys) -> Result<Option<V>, AttributeError> {
        match self.body.view_mut() {
            View::Own(table) => Ok(table.insert(name, value)),
            View::Keyed(block) if block.shape() != keys.id() => Err(AttributeError::ForeignKeys),
            View::Keyed(block) => match keys.admit(name) {
                Some(index) => {
                    let before = block.set(index, value);
                    if before.is_none() {
                        note(block, index);
                    }
                    Ok(before)
                }
                None => {
                    self.make_own(name, value, keys);
                    Ok(None)
                }
            },
        }
    }

    /// As [`Dict::set`], without a look-up if the cache has seen the keys; neither name nor `keys` are looked
    /// at then.
    ///
    /// # Errors
    /// As [`Dict::set`].
    #[inline]
    pub fn set_cached(
        &mut self,
        cache: &mut InlineCache,
        name: Name,
        value: V,
        keys: &mut SharedKeys,
    ) -> Result<Option<V>, AttributeError> {
        let Some(place) = cache.hit(self.body.id()) else { return self.set_missed(cache, name, value, keys) };
        debug_assert!(is_at(keys, name, place.index()), "an inline cache was used for two names");
        // SAFETY: no cache remembers `OWN_TABLE`.
        let block = unsafe { self.body.block_mut() };
        // SAFETY: the cache's index is one of the shared keys, of which there are no more than values.
        let before = unsafe { block.set_at(place, value) };
        if before.is_none() {
            note(block, place.index());
        }
        Ok(before)
    }

    #[cold]
    fn set_missed(
        &mut self,
        cache: &mut InlineCache,
        name: Name,
        value: V,
        keys: &mut SharedKeys,
    ) -> Result<Option<V>, AttributeError> {
        let before = self.set(name, value, keys)?;
        if let (true, Some(index)) = (self.is_shared(), keys.index(name)) {
            cache.remember(keys.id(), index as u16);
        }
        Ok(before)
    }

    /// Deletes an attribute; its value. The class goes on sharing the name.
    ///
    /// # Errors
    /// As [`Dict::get`].
    pub fn delete(&mut self, name: Name, keys: &SharedKeys) -> Result<V, AttributeError> {
        let value = match self.body.view_mut() {
            View::Keyed(block) => {
                let index = index(block, name, keys)?;
                let value = block.take(index);
                if value.is_some() {
                    forget(block, index);
                }
                value
            }
            View::Own(table) => table.remove(&name),
        };
        value.ok_or(AttributeError::Absent { name })
    }

    /// The attributes in the order in which they were set; none if `keys` are not those of the class.
    pub fn iter(&self, keys: &SharedKeys) -> impl Iterator<Item = (Name, &V)> {
        let (keyed, own) = match self.body.view() {
            View::Keyed(block) => (Some(block).filter(|block| block.shape() == keys.id()), None),
            View::Own(table) => (None, Some(table)),
        };
        let keyed = keyed.into_iter().flat_map(|block| {
            let indices = in_order(block).iter().map(|&index| usize::from(index));
            indices.filter_map(|index| Some((*keys.names().get(index)?, block.get(index)?)))
        });
        keyed.chain(own.into_iter().flatten().map(|(&name, value)| (name, value)))
    }

    /// What the object took from its allocator.
    pub fn footprint(&self) -> Footprint {
        match self.body.view() {
            View::Keyed(block) => Footprint { allocations: 1, bytes: block.bytes() },
            View::Own(table) => {
                let Footprint { allocations, bytes } = table.footprint();
                Footprint { allocations: allocations + 1, bytes: bytes + Body::<V, A>::NODE_BYTES }
            }
        }
    }

    /// Calls `f` with every value.
    #[cfg(feature = "cyclegc")]
    pub(super) fn each(&self, mut f: impl FnMut(&V)) {
        match self.body.view() {
            View::Keyed(block) => (0..block.len()).filter_map(|index| block.get(index)).for_each(f),
            View::Own(table) => table.values().for_each(&mut f),
        }
    }

    /// Calls `f` with every value.
    #[cfg(feature = "cyclegc")]
    pub(super) fn each_mut(&mut self, mut f: impl FnMut(&mut V)) {
        match self.body.view_mut() {
            View::Keyed(block) => block.each_mut(&mut f),
            View::Own(table) => table.iter_mut().for_each(|(_, value)| f(value)),
        }
    }

    /// Gives the object a table of its own, with a name that the class has no room for.
    #[cold]
    fn make_own(&mut self, name: Name, value: V, keys: &SharedKeys) {
        let View::Keyed(block) = self.body.view_mut() else { return };
        let alloc = block.alloc().clone();
        let mut table = CompactDict::grown_from(in_order(block).len(), alloc.clone());
        let (mut order, count) = ([0; u8::MAX as usize], in_order(block).len());
        order[..count].copy_from_slice(in_order(block));
        for index in order[..count].iter().map(|&index| usize::from(index)) {
            if let (Some(&name), Some(value)) = (keys.names().get(index), block.take(index)) {
                table.insert(name, value);
            }
        }
        table.insert(name, value);
        self.body = Body::own(table, alloc);
    }
}

/// The index of a name in the keys of the block's class.
fn index<V, A: Allocator>(
    block: &Keyed<V, A>,
    name: Name,
    keys: &SharedKeys,
) -> Result<usize, AttributeError> {
    if block.shape() != keys.id() {
        return Err(AttributeError::ForeignKeys);
    }
    keys.index(name).ok_or(AttributeError::Absent { name })
}

fn is_at(keys: &SharedKeys, name: Name, index: usize) -> bool {
    keys.names().get(index) == Some(&name)
}

/// The indices of the values that are set, in the order in which that happened.
fn in_order<V, A: Allocator>(block: &Keyed<V, A>) -> &[u8] {
    match block.order() {
        [count, order @ ..] => &order[..usize::from(*count)],
        [] => &[],
    }
}

/// A value was set that was not there before.
#[inline]
fn note<V, A: Allocator>(block: &mut Keyed<V, A>, index: usize) {
    if let [count, order @ ..] = block.order_mut() {
        order[usize::from(*count)] = index as u8;
        *count += 1;
    }
}

/// A value was taken out.
fn forget<V, A: Allocator>(block: &mut Keyed<V, A>, index: usize) {
    if let [count, order @ ..] = block.order_mut() {
        let order = &mut order[..usize::from(*count)];
        if let Some(place) = order.iter().position(|&it| usize::from(it) == index) {
            order[place..].rotate_left(1);
            *count -= 1;
        }
    }
}

impl<V: fmt::Debug, A: Allocator> fmt::Debug for Dict<V, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.body.view() {
            View::Keyed(block) => {
                f.debug_list().entries(in_order(block).iter().map(|&index| block.get(index.into()))).finish()
            }
            View::Own(_) => f.write_str("[own table]"),
        }
    }
}
