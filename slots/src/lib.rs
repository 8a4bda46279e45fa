//! What a Python instance costs, exact to the byte, and the same layouts running in Rust.
//!
//! ```text
//!              class User: name, age, api_token                CPython 3.13, blocks of pymalloc
//!
//!   with a __dict__     [weakref|dict][gc  gc][refs|type][values: name age api_token -][order]      96 bytes
//!   with __slots__                    [gc  gc][refs|type][name|age|api_token]                       64 bytes
//!
//!   model::Instance     says so for every class, version and history, without a Python at hand
//!
//!   object::Dict        [keys|present][name|age|api_token|-][order]       8 + 4 V + 5 bytes
//!   object::Slots       [shape|present][name|age|api_token]               8 + 3 V bytes
//! ```
//!
//! * [`model`] predicts CPython: layouts of class hierarchies, requests, blocks and `sys.getsizeof` of instances
//!   as they are made, filled and looked at. It is compared row by row with interpreters that were measured.
//! * [`object`] is for runtimes written in Rust: shapes, slot objects, key-sharing dict objects and inline
//!   caches, generic over the value and the allocator. The room in its objects is compared with the model.
//!
//! # Example
//! ```
//! use cpymem_slots::model::{ClassLayout, Target};
//! use cpymem_slots::object::{Dict, InlineCache, Shapes, SharedKeys, Slots};
//!
//! // What would `__slots__` save?
//! let object = ClassLayout::object("3.13.0".parse::<Target>()?)?;
//! let attributes = ["name", "age", "api_token"];
//! let with_dict = ClassLayout::new("User", &[&object])?;
//! let with_slots = ClassLayout::with_slots("User", &[&object], &attributes)?;
//! assert_eq!(with_dict.steady(attributes)?.heap_bytes(), 96);
//! assert_eq!(with_slots.steady(attributes)?.heap_bytes(), 64);
//!
//! // The same two objects in Rust, with values of eight bytes.
//! let mut shapes = Shapes::new();
//! let names = attributes.map(|attribute| shapes.intern(attribute));
//! let class = shapes.class(&names)?;
//! let mut cache = InlineCache::new();
//! let slotted = Slots::with_values(class, [1u64, 41, 3]);
//! assert_eq!(slotted.get_cached(&mut cache, names[1], &shapes)?, &41);
//! assert_eq!(slotted.footprint().bytes, 32);
//!
//! let mut keys = SharedKeys::new();
//! let mut free: Dict<u64> = Dict::new(&mut keys);
//! free.set(names[1], 41, &mut keys)?;
//! let nickname = shapes.intern("nickname");
//! free.set(nickname, 5, &mut keys)?; // takes any attribute
//! assert!(free.iter(&keys).eq([(names[1], &41), (nickname, &5)]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it costs
//! A read through a warm inline cache compares two words and loads: measured, twice the time of a field of a
//! boxed struct, where a hash map in each object takes more than twenty times as long. The README has the
//! figures and the command that measures them.
//!
//! In the model a class costs time and memory in proportion to its own slots, one with several bases in
//! proportion to all its ancestors; an event looks through up to eight ancestors for a slot of that name, through a
//! table where there are more.
//!
//! # What it does not do
//! The model knows no free-threaded 3.14 and later, and of CPython's free lists only the one for tables of dicts. The objects are not counted, collected or shared between
//! threads; they have no methods, descriptors or class attributes. An object that has fallen back to a table
//! of its own is not served by inline caches.

mod c3;

pub mod model;
pub mod object;
