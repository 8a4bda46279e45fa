//! Objects with slots: fixed attributes, a header and one word each.
#![allow(unsafe_code, reason = "an inline cache that hits proves the index, so it is not compared again")]

use core::fmt;

use allocator_api2::alloc::{AllocError, Allocator, Global};

use super::block::{Block, Place};
use super::cache::InlineCache;
use super::caches::Caches;
use super::error::AttributeError;
use super::footprint::Footprint;
use super::name::Name;
use super::shape::{Shape, Shapes};

/// An object whose attributes are the slots of its class, and no others.
///
/// One allocation: 8 bytes of header, then the values, then a bit for each slot from the 17th on that
/// tells whether it is set (the header has those of the first 16).
///
/// ```
/// use cpymem_slots::object::{AttributeError, InlineCache, Shapes, Slots};
///
/// let mut shapes = Shapes::new();
/// let (name, age) = (shapes.intern("name"), shapes.intern("age"));
/// let user = shapes.class(&[name, age]).unwrap();
///
/// let mut alice: Slots<u64> = Slots::new(user);
/// alice.set(name, 7, &shapes).unwrap();
/// let mut cache = InlineCache::new(); // one for each place in the program that reads an attribute
/// assert_eq!(alice.get_cached(&mut cache, name, &shapes), Ok(&7));
/// assert_eq!(alice.get(age, &shapes), Err(AttributeError::Unset { name: age }));
/// assert_eq!(alice.footprint().bytes, 8 + 2 * 8);
/// ```
pub struct Slots<V, A: Allocator = Global> {
    block: Block<V, A, false>,
}

impl<V> Slots<V> {
    /// An object without values.
    ///
    /// Aborts as [`std::alloc::handle_alloc_error`] does if there is no memory.
    pub fn new(shape: Shape) -> Slots<V> {
        Slots::new_in(shape, Global)
    }

    /// An object with these values in the order of the slots; values beyond the slots are dropped.
    pub fn with_values(shape: Shape, values: impl IntoIterator<Item = V>) -> Slots<V> {
        Slots::with_values_in(shape, values, Global)
    }
}

impl<V, A: Allocator> Slots<V, A> {
    /// As [`Slots::new`], from this allocator.
    pub fn new_in(shape: Shape, alloc: A) -> Slots<V, A> {
        Slots { block: Block::new_or_abort(shape.id(), shape.len() as u16, alloc) }
    }

    /// As [`Slots::new_in`], but tells of a lack of memory.
    ///
    /// # Errors
    /// If the allocator has no memory.
    pub fn try_new_in(shape: Shape, alloc: A) -> Result<Slots<V, A>, AllocError> {
        let block = Block::new(shape.id(), shape.len() as u16, alloc)?;
        Ok(Slots { block })
    }

    /// As [`Slots::with_values`], from this allocator.
    pub fn with_values_in(shape: Shape, values: impl IntoIterator<Item = V>, alloc: A) -> Slots<V, A> {
        let mut slots = Slots::new_in(shape, alloc);
        for (index, value) in (0..shape.len()).zip(values) {
            slots.block.set(index, value);
        }
        slots
    }

    /// Whether the object is of this shape.
    pub fn is_of(&self, shape: Shape) -> bool {
        self.block.shape() == shape.id()
    }

    /// The value of an attribute.
    ///
    /// # Errors
    /// If the class has no such slot, or the slot no value.
    pub fn get(&self, name: Name, shapes: &Shapes) -> Result<&V, AttributeError> {
        let index = self.index(name, shapes)?;
        self.block.get(index).ok_or(AttributeError::Unset { name })
    }

    /// As [`Slots::get`], without a look-up if the cache has seen the shape; the name is not looked at then.
    ///
    /// # Errors
    /// As [`Slots::get`].
    #[inline]
    pub fn get_cached(
        &self,
        cache: &mut InlineCache,
        name: Name,
        shapes: &Shapes,
    ) -> Result<&V, AttributeError> {
        if let Some(place) = cache.hit(self.block.shape()) {
            debug_assert_eq!(
                self.index(name, shapes),
                Ok(place.index()),
                "an inline cache was used for two names"
            );
            // SAFETY: the cache's index is below the length of blocks of this shape: it was looked up in it.
            if let Some(value) = unsafe { self.block.get_near(place) } {
                return Ok(value);
            }
        }
        self.get_missed(cache, name, shapes).ok_or_else(|| self.missing(name, shapes))
    }

    /// As [`Slots::get_cached`], for a place where objects of several shapes come by.
    ///
    /// # Errors
    /// As [`Slots::get`].
    #[inline]
    pub fn get_polymorphic(
        &self,
        cache: &mut InlineCache,
        caches: &mut Caches,
        name: Name,
        shapes: &Shapes,
    ) -> Result<&V, AttributeError> {
        let shape = self.block.shape();
        let place = match cache.hit(shape) {
            Some(place) => Some(place),
            None => caches.find(cache, shape.bits(), name).map(Place::from_bits),
        };
        let Some(place) = place else { return self.get_learning(cache, caches, name, shapes) };
        debug_assert_eq!(
            self.index(name, shapes),
            Ok(place.index()),
            "an inline cache was used for two names"
        );
        // SAFETY: the index was found in this shape, and so is below the length of its blocks.
        let near = unsafe { self.block.get_near(place) };
        near.or_else(|| self.block.get(place.index())).ok_or(AttributeError::Unset { name })
    }

    #[cold]
    fn get_learning(
        &self,
        cache: &mut InlineCache,
        caches: &mut Caches,
        name: Name,
        shapes: &Shapes,
    ) -> Result<&V, AttributeError> {
        let index = self.index(name, shapes)?;
        caches.remember(cache, self.block.shape().bits(), name, Place::of(index as u16).bits());
        self.block.get(index).ok_or(AttributeError::Unset { name })
    }

    /// A value that the cache does not know of, that is far, or that is not there.
    #[cold]
    fn get_missed(&self, cache: &mut InlineCache, name: Name, shapes: &Shapes) -> Option<&V> {
        if let Some(place) = cache.hit(self.block.shape()) {
            return self.block.get(place.index());
        }
        let index = self.index(name, shapes).ok()?;
        cache.remember(self.block.shape(), index as u16);
        self.block.get(index)
    }

    /// Why there is no value.
    #[cold]
    fn missing(&self, name: Name, shapes: &Shapes) -> AttributeError {
        self.index(name, shapes).map_or_else(|error| error, |_| AttributeError::Unset { name })
    }

    /// The value of an attribute, to change it in place.
    ///
    /// # Errors
    /// As [`Slots::get`].
    pub fn get_mut(&mut self, name: Name, shapes: &Shapes) -> Result<&mut V, AttributeError> {
        let index = self.index(name, shapes)?;
        self.block.get_mut(index).ok_or(AttributeError::Unset { name })
    }

    /// Sets an attribute; the value before, if there was one.
    ///
    /// # Errors
    /// If the class has no such slot; the value is dropped then.
    pub fn set(&mut self, name: Name, value: V, shapes: &Shapes) -> Result<Option<V>, AttributeError> {
        let index = self.index(name, shapes)?;
        Ok(self.block.set(index, value))
    }

    /// As [`Slots::set`], without a look-up if the cache has seen the shape; the name is not looked at then.
    ///
    /// # Errors
    /// As [`Slots::set`].
    #[inline]
    pub fn set_cached(
        &mut self,
        cache: &mut InlineCache,
        name: Name,
        value: V,
        shapes: &Shapes,
    ) -> Result<Option<V>, AttributeError> {
        let Some(place) = cache.hit(self.block.shape()) else {
            return self.set_missed(cache, name, value, shapes);
        };
        debug_assert_eq!(
            self.index(name, shapes),
            Ok(place.index()),
            "an inline cache was used for two names"
        );
        // SAFETY: the cache's index is below the length of blocks of this shape: it was looked up in it.
        Ok(unsafe { self.block.set_at(place, value) })
    }

    #[cold]
    fn set_missed(
        &mut self,
        cache: &mut InlineCache,
        name: Name,
        value: V,
        shapes: &Shapes,
    ) -> Result<Option<V>, AttributeError> {
        cache.remember(self.block.shape(), self.index(name, shapes)? as u16);
        self.set(name, value, shapes)
    }

    /// Deletes an attribute; its value.
    ///
    /// # Errors
    /// As [`Slots::get`].
    pub fn delete(&mut self, name: Name, shapes: &Shapes) -> Result<V, AttributeError> {
        let index = self.index(name, shapes)?;
        self.block.take(index).ok_or(AttributeError::Unset { name })
    }

    /// The attributes that have a value, in the order of the slots. No order in time is kept.
    pub fn iter(&self, shapes: &Shapes) -> impl Iterator<Item = (Name, &V)> {
        let names = shapes.names_of(self.block.shape()).into_iter().enumerate();
        names.filter_map(|(index, name)| Some((name, self.block.get(index)?)))
    }

    /// What the object took from its allocator.
    pub fn footprint(&self) -> Footprint {
        Footprint { allocations: 1, bytes: self.block.bytes() }
    }

    /// Every value that is set.
    #[cfg(feature = "cyclegc")]
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        (0..self.block.len()).filter_map(|index| self.block.get(index))
    }

    /// Calls `f` with every value that is set.
    #[cfg(feature = "cyclegc")]
    pub(super) fn each_mut(&mut self, mut f: impl FnMut(&mut V)) {
        self.block.each_mut(&mut f);
    }

    fn index(&self, name: Name, shapes: &Shapes) -> Result<usize, AttributeError> {
        shapes.lookup_id(self.block.shape(), name).ok_or(AttributeError::Absent { name })
    }
}

impl<V: fmt::Debug, A: Allocator> fmt::Debug for Slots<V, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries((0..self.block.len()).map(|index| self.block.get(index))).finish()
    }
}
