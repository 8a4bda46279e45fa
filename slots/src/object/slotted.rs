//! Rust structs as classes with slots.

use core::marker::PhantomData;

use super::cache::InlineCache;
use super::error::AttributeError;
use super::name::Name;
use super::shape::{Shape, ShapeError, Shapes};

/// A field that is read and set as a value of type `V`, which a program has for all.
pub trait Field<V> {
    /// The value.
    fn load(&self) -> V;

    /// Sets the field.
    ///
    /// # Errors
    /// The value, if it is not of the field's type.
    fn store(&mut self, value: V) -> Result<(), V>;
}

/// A struct whose fields are also reachable by name.
///
/// The derive of the feature `derive` writes it. The struct stays as it is: no header, no words but its fields. A
/// [`SlottedClass`] finds fields by name.
pub trait Slotted {
    /// What fields are read and set as.
    type Value;

    /// The names of the fields.
    const FIELDS: &'static [&'static str];

    /// The field of this number, from 0 on in the order of `FIELDS`.
    fn field(&self, index: usize) -> Option<Self::Value>;

    /// Sets a field.
    ///
    /// # Errors
    /// The value, if there is no such field, it cannot be set by name, or the value is not of its type.
    fn set_field(&mut self, index: usize, value: Self::Value) -> Result<(), Self::Value>;
}

/// The class of a [`Slotted`] struct in a registry of names.
///
/// ```
/// # #[cfg(feature = "derive")] {
/// use cpymem_slots::object::{Field, InlineCache, Shapes, Slotted, SlottedClass};
///
/// #[derive(Debug, PartialEq)]
/// enum Value { Int(i64), Text(String) }
///
/// impl Field<Value> for u8 {
///     fn load(&self) -> Value { Value::Int((*self).into()) }
///     fn store(&mut self, value: Value) -> Result<(), Value> {
///         let Value::Int(number) = value else { return Err(value) };
///         *self = number.try_into().map_err(|_| value)?;
///         Ok(())
///     }
/// }
/// impl Field<Value> for String {
///     fn load(&self) -> Value { Value::Text(self.clone()) }
///     fn store(&mut self, value: Value) -> Result<(), Value> {
///         let Value::Text(text) = value else { return Err(value) };
///         *self = text;
///         Ok(())
///     }
/// }
///
/// #[derive(Slotted)]
/// #[slotted(value = Value)]
/// struct Profile {
///     name: String,
///     age: u8,
///     #[slotted(skip)]
///     token: [u8; 16],
/// }
///
/// let mut names = Shapes::new();
/// let class = SlottedClass::<Profile>::new(&mut names)?;
/// let mut alice = Profile { name: "Alice".into(), age: 41, token: [0; 16] };
/// let (age, mut site) = (names.intern("age"), InlineCache::new());
/// assert_eq!(class.get_cached(&alice, &mut site, age, &names)?, Value::Int(41));
/// class.set(&mut alice, age, Value::Int(42), &names)?;
/// assert_eq!((alice.age, alice.token.len()), (42, 16));
/// assert!(class.set(&mut alice, age, Value::Int(1000), &names).is_err());
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SlottedClass<T> {
    shape: Shape,
    objects: PhantomData<fn(&T)>,
}

impl<T: Slotted> SlottedClass<T> {
    /// The class.
    ///
    /// # Errors
    /// If two fields have one name, or there are too many.
    pub fn new(names: &mut Shapes) -> Result<SlottedClass<T>, ShapeError> {
        let fields: Vec<Name> = T::FIELDS.iter().map(|field| names.intern(field)).collect();
        let shape = names.own_class(&fields)?;
        Ok(SlottedClass { shape, objects: PhantomData })
    }

    /// Its shape: the names of the fields. No other class has this one.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The value of a field.
    ///
    /// # Errors
    /// If the struct has no such field.
    pub fn get(&self, object: &T, name: Name, names: &Shapes) -> Result<T::Value, AttributeError> {
        let index = names.lookup(self.shape, name).ok_or(AttributeError::Absent { name })?;
        object.field(index).ok_or(AttributeError::Absent { name })
    }

    /// As [`SlottedClass::get`], without a look-up if the cache has seen the class; the name is not looked at then.
    ///
    /// # Errors
    /// As [`SlottedClass::get`].
    #[inline]
    pub fn get_cached(
        &self,
        object: &T,
        cache: &mut InlineCache,
        name: Name,
        names: &Shapes,
    ) -> Result<T::Value, AttributeError> {
        let value = match cache.hit(self.shape.id()) {
            Some(place) => object.field(place.index()),
            None => self.remember(cache, name, names).and_then(|index| object.field(index)),
        };
        value.ok_or(AttributeError::Absent { name })
    }

    #[cold]
    fn remember(&self, cache: &mut InlineCache, name: Name, names: &Shapes) -> Option<usize> {
        let index = names.lookup(self.shape, name)?;
        cache.remember(self.shape.id(), index as u16);
        Some(index)
    }

    /// Sets a field; the value is dropped if that cannot be.
    ///
    /// # Errors
    /// If the struct has no such field, or the field does not take the value.
    pub fn set(
        &self,
        object: &mut T,
        name: Name,
        value: T::Value,
        names: &Shapes,
    ) -> Result<(), AttributeError> {
        let index = names.lookup(self.shape, name).ok_or(AttributeError::Absent { name })?;
        object.set_field(index, value).map_err(|_| AttributeError::ReadOnly { name })
    }
}
