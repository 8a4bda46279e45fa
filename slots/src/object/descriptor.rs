//! What a value does as an attribute of a class.

/// Whether a class attribute takes part in the access to attributes of instances
/// (CPython's `tp_descr_get` and `tp_descr_set`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Descriptor {
    /// A plain value; instances may have one of their own instead.
    #[default]
    None,
    /// It has `__get__` alone, as functions do; instances may have a value of their own instead.
    NonData,
    /// It has `__set__` or `__delete__`, as properties do; it comes before what instances have.
    Data,
}

/// A value that can be an attribute.
pub trait Attribute: Clone + 'static {
    /// What it does in a class. If the answer for a value changes, as when the class of a descriptor gets a
    /// `__set__`, tell every class that has it as an attribute: [`Class::modified`](super::Class::modified).
    fn descriptor(&self) -> Descriptor;
}

/// What reading an attribute has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loaded<'o, V> {
    /// A value of the object's own.
    Own(&'o V),
    /// A plain value of the class.
    Shared(V),
    /// A non-data descriptor of the class, such as a function to bind to the object.
    Method(V),
    /// A data descriptor of the class, whose getter is to be called.
    Property(V),
}

/// What setting or deleting an attribute has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored<V> {
    /// It is done; the value before.
    Done(Option<V>),
    /// The class has a data descriptor, whose setter or deleter is to be called. The value, if any, comes back.
    Property {
        /// The descriptor.
        descriptor: V,
        /// The value to set.
        value: Option<V>,
    },
}
