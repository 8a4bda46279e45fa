//! Values of the tests, and what reading an attribute gives.

use std::cell::Cell;
use std::rc::Rc;

use cpymem_slots::object::{Attribute, AttributeError, Class, Descriptor, Instance, Loaded};

/// A value that knows its nature, which can be changed from outside.
#[derive(Clone, Debug)]
pub(crate) struct Value(Rc<(u32, Cell<Descriptor>)>);

impl Value {
    pub(crate) fn of(number: u32, nature: Descriptor) -> Value {
        Value(Rc::new((number, Cell::new(nature))))
    }

    pub(crate) fn plain(number: u32) -> Value {
        Value::of(number, Descriptor::None)
    }

    pub(crate) fn number(&self) -> u32 {
        self.0.0
    }

    /// Changes what it is for every class that has it; the classes must be told.
    pub(crate) fn become_a(&self, nature: Descriptor) {
        self.0.1.set(nature);
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        self.0.0 == other.0.0
    }
}

impl Attribute for Value {
    fn descriptor(&self) -> Descriptor {
        self.0.1.get()
    }
}

pub(crate) type C = Class<Value>;
pub(crate) type O = Instance<Value>;
pub(crate) type TestClass = Rc<C>;

/// What reading an attribute gives, in words.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Own(u32),
    Shared(u32),
    Method(u32),
    Property(u32),
    Missing,
}

pub(crate) fn answer(loaded: Result<Loaded<'_, Value>, AttributeError>) -> Answer {
    match loaded {
        Ok(Loaded::Own(value)) => Answer::Own(value.0.0),
        Ok(Loaded::Shared(value)) => Answer::Shared(value.0.0),
        Ok(Loaded::Method(value)) => Answer::Method(value.0.0),
        Ok(Loaded::Property(value)) => Answer::Property(value.0.0),
        Err(_) => Answer::Missing,
    }
}
