//! Classes and objects in a heap whose cycles are collected: behind the feature `cyclegc`.
#![allow(unsafe_code, reason = "Trace is an unsafe trait")]

use allocator_api2::alloc::Allocator;
use cpymem_cyclegc::{Clearer, Gc, Trace, Visitor, Weak};

use super::class::{Class, Member};
use super::compact_dict::CompactDict;
use super::descriptor::Attribute;
use super::dict::Dict;
use super::handles::Handles;
use super::instance::Instance;
use super::key::Key;
use super::name::Name;
use super::slots::Slots;
use super::text::Text;

/// [`cpymem_cyclegc::Gc`]: a class that refers to itself, through a method, an instance or a subclass, is collected.
///
/// ```
/// use cpymem_cyclegc::{Gc, Trace, collect};
/// use cpymem_slots::object::{Attribute, Class, Collected, Descriptor, Instance, Shapes};
/// use std::cell::RefCell;
///
/// #[derive(Clone, Trace)]
/// enum Value { Number(i64), Object(Gc<RefCell<Instance<Value, Collected>>>) }
///
/// impl Attribute for Value {
///     fn descriptor(&self) -> Descriptor { Descriptor::None }
/// }
///
/// let singleton = Shapes::new().intern("singleton");
/// let class = Class::<Value, Collected>::make("C", &[], &[], true, Gc::new)?;
/// let only = Gc::new(RefCell::new(Instance::new(&class)));
/// class.set(singleton, Value::Object(only.clone()));
/// drop((class, only));
/// assert_eq!(collect(), 2); // the class and its instance
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Collected;

impl Handles for Collected {
    type Strong<T: 'static> = Gc<T>;
    type Weak<T: 'static> = Weak<T>;

    fn downgrade<T: 'static>(strong: &Gc<T>) -> Weak<T> {
        Gc::downgrade(strong)
    }

    fn upgrade<T: 'static>(weak: &Weak<T>) -> Option<Gc<T>> {
        weak.upgrade()
    }

    fn address<T: 'static>(strong: &Gc<T>) -> *const T {
        Gc::as_ptr(strong)
    }
}

/// A type that owns no `Gc`.
macro_rules! leaf {
    ([$($generics:tt)*] $type:ty) => {
        // SAFETY: a value of this type owns no `Gc`.
        unsafe impl<$($generics)*> Trace for $type {
            fn visit(&self, _: &mut Visitor<'_>) {}

            fn clear(&mut self, _: &mut Clearer<'_>) {}

            fn needs_trace() -> bool {
                false
            }
        }
    };
}

leaf!([] Name);
leaf!([A: Allocator] Text<A>);

// SAFETY: every key and value is visited once, and cleared.
unsafe impl<K: Key + Trace, V: Trace, A: Allocator + Clone> Trace for CompactDict<K, V, A> {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        if !core::mem::needs_drop::<(K, V)>() {
            return;
        }
        for (key, value) in self {
            visitor.visit(key);
            visitor.visit(value);
        }
    }

    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        for (key, value) in self.pairs_mut() {
            clearer.clear(key);
            clearer.clear(value);
        }
    }

    fn needs_trace() -> bool {
        core::mem::needs_drop::<(K, V)>()
    }
}

// SAFETY: every value is visited once, and cleared.
unsafe impl<V: Trace, A: Allocator> Trace for Slots<V, A> {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        self.values().for_each(|value| visitor.visit(value));
    }

    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        self.each_mut(|value| clearer.clear(value));
    }

    fn needs_trace() -> bool {
        core::mem::needs_drop::<V>()
    }
}

// SAFETY: every value is visited once, and cleared.
unsafe impl<V: Trace, A: Allocator + Clone> Trace for Dict<V, A> {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        self.each(|value| visitor.visit(value));
    }

    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        self.each_mut(|value| clearer.clear(value));
    }

    fn needs_trace() -> bool {
        core::mem::needs_drop::<V>()
    }
}

// SAFETY: the class, every cell, and every value of the table are visited once, and cleared.
unsafe impl<V: Attribute + Trace, H: Handles, A: Allocator + Clone> Trace for Instance<V, H, A>
where
    H::Strong<Class<V, H>>: Trace,
{
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.visit(self.cells.class());
        self.cells.cells().iter().for_each(|cell| visitor.visit(cell));
        if let Some(table) = self.cells.table() {
            visitor.visit(table);
        }
    }

    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        clearer.clear(self.cells.class_mut());
        self.cells.cells_mut().iter_mut().for_each(|cell| clearer.clear(cell));
        if let Some(table) = self.cells.table_mut() {
            clearer.clear(table);
        }
    }
}

// SAFETY: a value is visited once, and cleared.
unsafe impl<V: Trace> Trace for Member<V> {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        if let Member::Value(value) = self {
            visitor.visit(value);
        }
    }

    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        if let Member::Value(value) = self {
            clearer.clear(value);
        }
    }
}

// SAFETY: attributes, bases, ancestors and the weak pointers to subclasses are visited once, and cleared; there is nothing
// else that could own a `Gc`.
unsafe impl<V: Attribute + Trace, H: Handles> Trace for Class<V, H>
where
    H::Strong<Class<V, H>>: Trace,
    H::Weak<Class<V, H>>: Trace,
{
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.visit(&self.attributes);
        visitor.visit(&self.bases);
        visitor.visit(&self.ancestors);
        visitor.visit(&self.subclasses);
    }

    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        clearer.clear(&mut self.attributes);
        clearer.clear(&mut self.bases);
        clearer.clear(&mut self.ancestors);
        clearer.clear(&mut self.subclasses);
    }
}
