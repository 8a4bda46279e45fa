//! Objects of the collector's heap.

use std::cell::RefCell;

use cpymem_cyclegc::{Gc, Trace};
use cpymem_slots::object::{Class, Collected, Instance};

use crate::builtins::Builtin;
use crate::code::Code;
use crate::value::Value;

pub(crate) type ClassOf = Class<Value, Collected>;

/// What a value can refer to.
#[derive(Trace)]
pub(crate) enum Object {
    Instance(RefCell<Instance<Value, Collected>>),
    Class(Gc<ClassOf>),
    Function(Function),
    /// A function and the object that it was read from.
    Method(Value, Value),
    List(RefCell<Vec<Value>>),
    /// A captured variable.
    Cell(RefCell<Value>),
    Builtin(#[trace(skip)] Builtin),
}

/// A closure.
#[derive(Trace)]
pub(crate) struct Function {
    #[trace(skip)]
    pub(crate) code: &'static Code,
    pub(crate) cells: Box<[Value]>,
}
