//! Instances of classes: slots, inline values, and dictionary mode.

use core::fmt;

use allocator_api2::alloc::{AllocError, Allocator, Global, handle_alloc_error};

use super::cache::InlineCache;
use super::caches::Caches;
use super::cells::{Cells, Kind};
use super::class::{Class, Location, Member};
use super::class_error::ClassError;
use super::compact_dict::CompactDict;
use super::descriptor::{Attribute, Loaded, Stored};
use super::error::AttributeError;
use super::footprint::Footprint;
use super::handles::{Counted, Handles};
use super::name::Name;

/// An instance of a [`Class`]: one pointer to one allocation.
///
/// ```text
///   slots only    [class|counts][name|age|api_token]                              16 + 8 n bytes
///   with a dict   [class|counts|table][name age api_token -][order]               inline values
///                               |     [ -    -     -     -]                       dictionary mode
///                               '--> CompactDict {name, age, api_token, ...}
/// ```
///
/// Attributes without slots are *inline values*, as in CPython 3.13: under names that the class shares among its
/// instances ([`Class::shared_names`]), with a byte each for their order, in as much room as the class still had for names when the
/// instance was made. Their part of the allocation - counts, values, order - has the bytes of 3.13's `PyDictValues`. The first name that the class has no room for, another class, or a
/// replaced dict puts the instance in *dictionary mode* for good: its attributes move to a [`CompactDict`] of its own, and the
/// room for inline values stays, unused. (CPython 3.13 inlines only classes without slots, 3.14 all of a fixed size;
/// here it is as in 3.14.)
///
/// Attributes are found as Python finds them: data descriptors of the class, slots among them, come first, then what the
/// instance has, then other attributes of the class. `V` should have a niche, as references and boxes have: a cell holds an
/// `Option<V>`.
///
/// Reading, setting and deleting take the name alone, or with it an [`InlineCache`] of the place in the program and the
/// runtime's [`Caches`]. A class example is at [`Class`].
pub struct Instance<V: Attribute, H: Handles = Counted, A: Allocator = Global> {
    pub(super) cells: Cells<V, H::Strong<Class<V, H>>, A>,
}

/// Where an attribute was found, in the 32 bits of an inline cache.
///
/// ```text
///   bit 0          16      24     32
///       | index    | depth | kind |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Site {
    /// A cell.
    Cell(Kind, usize),
    /// An attribute of the class.
    Class(Location),
    /// An attribute in the table of an instance in dictionary mode, at this position when it was looked for.
    Table(usize),
}

const BARE: u32 = 0;
const EMBEDDING: u32 = 1 << 24;
const CLASS: u32 = 2 << 24;
const TABLE: u32 = 3 << 24;

impl Site {
    /// `None` if the numbers are too large.
    fn bits(self) -> Option<u32> {
        let small = |index: usize| u16::try_from(index).ok().map(u32::from);
        match self {
            Site::Cell(Kind::Bare, index) => Some(BARE | small(index)?),
            Site::Cell(Kind::Embedding, index) => Some(EMBEDDING | small(index)?),
            Site::Class(Location { depth, position }) => {
                Some(CLASS | u32::from(u8::try_from(depth).ok()?) << 16 | small(position)?)
            }
            Site::Table(position) => Some(TABLE | small(position)?),
        }
    }

    #[inline(always)]
    fn of(bits: u32) -> Site {
        let index = (bits & 0xffff) as usize;
        match bits & 0xff00_0000 {
            BARE => Site::Cell(Kind::Bare, index),
            EMBEDDING => Site::Cell(Kind::Embedding, index),
            CLASS => Site::Class(Location { depth: (bits >> 16 & 0xff) as usize, position: index }),
            _ => Site::Table(index),
        }
    }
}

impl<V: Attribute, H: Handles> Instance<V, H> {
    /// An instance without values.
    ///
    /// Aborts as [`std::alloc::handle_alloc_error`] does if there is no memory.
    pub fn new(class: &H::Strong<Class<V, H>>) -> Instance<V, H> {
        Instance::new_in(class, Global)
    }
}

impl<V: Attribute, H: Handles, A: Allocator + Clone> Instance<V, H, A> {
    /// As [`Instance::new`], from this allocator.
    pub fn new_in(class: &H::Strong<Class<V, H>>, alloc: A) -> Instance<V, H, A> {
        let (slots, capacity) = (class.slots().len() as u16, class.new_instance());
        let Ok(cells) = Cells::new(class.clone(), slots, capacity, alloc) else {
            handle_alloc_error(Cells::<V, H::Strong<Class<V, H>>, A>::layout_of(slots, capacity))
        };
        Instance { cells }
    }

    /// As [`Instance::new_in`], but tells of a lack of memory.
    ///
    /// # Errors
    /// If the allocator has no memory.
    pub fn try_new_in(class: &H::Strong<Class<V, H>>, alloc: A) -> Result<Instance<V, H, A>, AllocError> {
        let (slots, capacity) = (class.slots().len() as u16, class.new_instance());
        Ok(Instance { cells: Cells::new(class.clone(), slots, capacity, alloc)? })
    }

    /// Its class.
    #[inline]
    pub fn class(&self) -> &H::Strong<Class<V, H>> {
        self.cells.class()
    }

    /// Whether attributes without slots are inline values; not in dictionary mode, and not if there is no dict.
    pub fn is_inline(&self) -> bool {
        self.cells.is_inline()
    }

    /// The room for inline values, used or not; `None` if the class gives its instances no dict.
    pub fn inline_capacity(&self) -> Option<usize> {
        self.cells.capacity()
    }

    /// The value of an attribute.
    ///
    /// # Errors
    /// If there is none.
    pub fn get(&self, name: Name) -> Result<Loaded<'_, V>, AttributeError> {
        self.look_up(name).0
    }

    /// As [`Instance::get`], without a look-up if the cache has seen the version of the class; the name is not looked at
    /// then.
    ///
    /// # Errors
    /// As [`Instance::get`].
    #[inline]
    pub fn get_cached(
        &self,
        cache: &mut InlineCache,
        caches: &mut Caches,
        name: Name,
    ) -> Result<Loaded<'_, V>, AttributeError> {
        let version = self.class().version();
        if cache.key == version
            && let Site::Cell(kind, index) = Site::of(cache.place)
            && let Some(value) = self.cells.get(kind, index)
        {
            debug_assert!(matches!(self.get(name), Ok(Loaded::Own(own)) if core::ptr::eq(own, value)));
            return Ok(Loaded::Own(value));
        }
        self.get_uncommon(cache, caches, name)
    }

    /// What is not in a cell, or not known to a monomorphic cache.
    #[inline(never)]
    fn get_uncommon(
        &self,
        cache: &mut InlineCache,
        caches: &mut Caches,
        name: Name,
    ) -> Result<Loaded<'_, V>, AttributeError> {
        let version = self.class().version();
        let place = if cache.key == version { Some(cache.place) } else { caches.find(cache, version, name) };
        if let Some(loaded) = place.and_then(|place| self.get_from(Site::of(place), name)) {
            return Ok(loaded);
        }
        // The version is given before the look-up, so that it is that of what is found.
        let version = self.class().assign_version();
        let (loaded, site) = self.look_up(name);
        if let (Some(version), Some(place)) = (version, site.and_then(Site::bits)) {
            caches.remember(cache, version, name, place);
        }
        loaded
    }

    /// What is where an attribute was found in another instance of the same version; `None` if this one is different.
    #[inline]
    fn get_from(&self, site: Site, name: Name) -> Option<Loaded<'_, V>> {
        match site {
            Site::Cell(kind, index) => self.cells.get(kind, index).map(Loaded::Own),
            // What instances with inline values can have of their own has another name: `Class::admit`.
            Site::Class(location) => {
                let has_table = self.cells.table().is_some() && !self.cells.is_inline();
                if has_table && self.cells.table()?.contains_key(&name) {
                    return None;
                }
                self.class().at(location)?.into_loaded()
            }
            Site::Table(position) => {
                let (&known, value) = self.cells.table()?.get_at(position)?;
                (known == name && !self.cells.is_inline()).then_some(Loaded::Own(value))
            }
        }
    }

    /// An attribute, and where it was found if that can be cached (`_PyObject_GenericGetAttrWithDict`).
    fn look_up(&self, name: Name) -> (Result<Loaded<'_, V>, AttributeError>, Option<Site>) {
        let location = self.class().locate(name);
        let member = location.and_then(|location| self.class().at(location));
        if let Some(Member::Slot(index)) = member {
            let value = self.cells.cells().get(usize::from(index)).and_then(Option::as_ref);
            let site = Site::Cell(self.kind(), index.into());
            return (value.map(Loaded::Own).ok_or(AttributeError::Unset { name }), Some(site));
        }
        if !member.as_ref().is_some_and(Member::is_data)
            && let Some((value, site)) = self.own(name)
        {
            return (Ok(Loaded::Own(value)), Some(site));
        }
        // A name that instances share may be one's own: not cached.
        let site = location.filter(|_| self.class().shared(name).is_none()).map(Site::Class);
        match member.and_then(Member::into_loaded) {
            Some(loaded) => (Ok(loaded), site),
            None => (Err(AttributeError::Absent { name }), None),
        }
    }

    fn kind(&self) -> Kind {
        if self.cells.capacity().is_some() { Kind::Embedding } else { Kind::Bare }
    }

    /// An attribute of its dict.
    fn own(&self, name: Name) -> Option<(&V, Site)> {
        if self.cells.is_inline() {
            let index = self.cells.slots() + self.class().shared(name)?;
            return Some((self.cells.cells().get(index)?.as_ref()?, Site::Cell(Kind::Embedding, index)));
        }
        let table = self.cells.table()?;
        let position = table.position(&name)?;
        Some((table.get_at(position)?.1, Site::Table(position)))
    }

    /// Sets an attribute.
    ///
    /// # Errors
    /// If the object has no place for it; the value is dropped then.
    pub fn set(&mut self, name: Name, value: V) -> Result<Stored<V>, AttributeError> {
        self.store(name, value).0
    }

    /// As [`Instance::set`], without a look-up if the cache has seen the version of the class; the name is not looked at
    /// then.
    ///
    /// # Errors
    /// As [`Instance::set`].
    #[inline]
    pub fn set_cached(
        &mut self,
        cache: &mut InlineCache,
        caches: &mut Caches,
        name: Name,
        value: V,
    ) -> Result<Stored<V>, AttributeError> {
        let version = self.class().version();
        if cache.key == version
            && let Site::Cell(kind, index) = Site::of(cache.place)
            && let Some(cell @ Some(_)) = self.cells.get_mut(kind, index)
        {
            return Ok(Stored::Done(cell.replace(value)));
        }
        self.set_uncommon(cache, caches, name, value)
    }

    /// What is not a cell with a value, or not known to a monomorphic cache.
    #[inline(never)]
    fn set_uncommon(
        &mut self,
        cache: &mut InlineCache,
        caches: &mut Caches,
        name: Name,
        value: V,
    ) -> Result<Stored<V>, AttributeError> {
        let version = self.class().version();
        let place = if cache.key == version { Some(cache.place) } else { caches.find(cache, version, name) };
        if let Some(Site::Cell(kind, index)) = place.map(Site::of) {
            let (slots, inline) = (self.cells.slots(), self.cells.is_inline());
            if let Some(cell) = self.cells.get_mut(kind, index)
                && (inline || index < slots)
            {
                let before = cell.replace(value);
                if before.is_none() && index >= slots {
                    self.cells.note((index - slots) as u8);
                }
                return Ok(Stored::Done(before));
            }
        }
        let (stored, site) = self.store(name, value);
        // Setting may take the version away, and the site is of the class as it is now.
        if let (Some(place), Some(version)) = (site.and_then(Site::bits), self.class().assign_version()) {
            caches.remember(cache, version, name, place);
        }
        stored
    }

    /// Sets an attribute; the cell, if the next can be set there (`_PyObject_GenericSetAttrWithDict`).
    fn store(&mut self, name: Name, value: V) -> (Result<Stored<V>, AttributeError>, Option<Site>) {
        let location = self.class().locate(name);
        match location.and_then(|location| self.class().at(location)) {
            Some(Member::Slot(index)) => {
                let site = Site::Cell(self.kind(), index.into());
                let before =
                    self.cells.cells_mut().get_mut(usize::from(index)).and_then(|cell| cell.replace(value));
                return (Ok(Stored::Done(before)), Some(site));
            }
            Some(Member::Value(descriptor)) if Member::Value(descriptor.clone()).is_data() => {
                return (Ok(Stored::Property { descriptor, value: Some(value) }), None);
            }
            _ if self.cells.capacity().is_none() => {
                let error = if location.is_some() {
                    AttributeError::ReadOnly { name }
                } else {
                    AttributeError::Absent { name }
                };
                return (Err(error), None);
            }
            _ => {}
        }
        if self.cells.is_inline() {
            let number = self.class().admit(name);
            let slots = self.cells.slots();
            if let Some(number) = number
                && let Some(cell) = self.cells.cells_mut().get_mut(slots + number)
            {
                let before = cell.replace(value);
                if before.is_none() {
                    self.cells.note(number as u8);
                }
                return (Ok(Stored::Done(before)), Some(Site::Cell(Kind::Embedding, slots + number)));
            }
            self.leave_inline();
        }
        let before = self.cells.table_mut().and_then(|table| table.insert(name, value));
        (Ok(Stored::Done(before)), None)
    }

    /// Deletes an attribute; its value, which is always there. The class goes on sharing its name.
    ///
    /// # Errors
    /// If there is none to delete.
    pub fn delete(&mut self, name: Name) -> Result<Stored<V>, AttributeError> {
        let location = self.class().locate(name);
        let deleted = match location.and_then(|location| self.class().at(location)) {
            Some(Member::Slot(index)) => {
                let value = self.cells.cells_mut().get_mut(usize::from(index)).and_then(Option::take);
                return value.map(|value| Stored::Done(Some(value))).ok_or(AttributeError::Unset { name });
            }
            Some(Member::Value(descriptor)) if Member::Value(descriptor.clone()).is_data() => {
                return Ok(Stored::Property { descriptor, value: None });
            }
            Some(_) if self.cells.capacity().is_none() => return Err(AttributeError::ReadOnly { name }),
            _ => self.delete_own(name),
        };
        deleted.map(|value| Stored::Done(Some(value))).ok_or(AttributeError::Absent { name })
    }

    /// Deletes an attribute of its dict.
    fn delete_own(&mut self, name: Name) -> Option<V> {
        if !self.cells.is_inline() {
            return self.cells.table_mut()?.remove(&name);
        }
        let (slots, number) = (self.cells.slots(), self.class().shared(name)?);
        let value = self.cells.cells_mut().get_mut(slots + number)?.take()?;
        self.cells.forget(number as u8);
        Some(value)
    }

    /// The attributes of its dict, in the order in which they were set; values of slots are not among them.
    pub fn iter(&self) -> impl Iterator<Item = (Name, &V)> {
        let (slots, cells) = (self.cells.slots(), self.cells.cells());
        let inline = self.cells.order().iter().filter_map(move |&number| {
            let number = usize::from(number);
            Some((self.class().shared_name(number)?, cells.get(slots + number)?.as_ref()?))
        });
        inline.chain(self.cells.table().into_iter().flatten().map(|(&name, value)| (name, value)))
    }

    /// How many attributes its dict has.
    pub fn dict_len(&self) -> usize {
        self.cells.order().len() + self.cells.table().map_or(0, CompactDict::len)
    }

    /// Empties its dict (`obj.__dict__.clear()`), values of slots stay. Inline values stay in use.
    pub fn clear_dict(&mut self) {
        let slots = self.cells.slots();
        let inline = self.cells.is_inline();
        self.cells.forget_all(inline);
        let mut values: Vec<V> = Vec::new();
        values.extend(self.cells.cells_mut()[slots..].iter_mut().filter_map(Option::take));
        if let Some(table) = self.cells.table_mut() {
            table.clear();
        }
    }

    /// Gives it another dict (`obj.__dict__ = dict`) and so puts it in dictionary mode; the one before is dropped.
    /// `dict` comes back if the class gives its instances none.
    ///
    /// # Errors
    /// If the class gives its instances no dict.
    pub fn replace_dict(&mut self, dict: CompactDict<Name, V, A>) -> Result<(), CompactDict<Name, V, A>> {
        let slots = self.cells.slots();
        let Some(table) = self.cells.table_mut() else { return Err(dict) };
        let before = core::mem::replace(table, dict);
        self.cells.forget_all(false);
        let values: Vec<V> = self.cells.cells_mut()[slots..].iter_mut().filter_map(Option::take).collect();
        drop((before, values));
        Ok(())
    }

    /// Makes it an instance of another class (`obj.__class__ = class`); inline values move to its own table.
    ///
    /// # Errors
    /// If the classes differ in slots, or one has a dict and the other none.
    pub fn set_class(&mut self, class: &H::Strong<Class<V, H>>) -> Result<(), ClassError> {
        if !self.class().is_laid_out_as(class) {
            return Err(ClassError::LayoutDiffers);
        }
        if self.cells.is_inline() {
            self.leave_inline();
        }
        drop(core::mem::replace(self.cells.class_mut(), class.clone()));
        Ok(())
    }

    /// What the instance took from its allocator, its class excluded.
    pub fn footprint(&self) -> Footprint {
        let table = self.cells.table().map(CompactDict::footprint).unwrap_or_default();
        Footprint { allocations: 1 + table.allocations, bytes: self.cells.bytes() + table.bytes }
    }

    /// Moves inline values to the table (`_PyDict_DetachFromObject`, `insertion_resize`).
    #[cold]
    fn leave_inline(&mut self) {
        let count = self.cells.order().len();
        if count > 0 {
            let mut table = CompactDict::grown_from(count, self.cells.alloc().clone());
            let mut order = [0; u8::MAX as usize];
            order[..count].copy_from_slice(self.cells.order());
            let slots = self.cells.slots();
            for number in order[..count].iter().map(|&number| usize::from(number)) {
                let name = self.class().shared_name(number);
                let value = self.cells.cells_mut().get_mut(slots + number).and_then(Option::take);
                if let (Some(name), Some(value)) = (name, value) {
                    table.insert(name, value);
                }
            }
            if let Some(place) = self.cells.table_mut() {
                *place = table;
            }
        }
        self.cells.forget_all(false);
    }
}

impl<V: Attribute + fmt::Debug, H: Handles, A: Allocator + Clone> fmt::Debug for Instance<V, H, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slots = self.class().slots().iter().zip(self.cells.cells());
        let slots = slots.filter_map(|(&name, cell)| Some((name, cell.as_ref()?)));
        f.debug_map().entries(slots.chain(self.iter())).finish()
    }
}
