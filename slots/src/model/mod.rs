//! What a Python instance costs, predicted: CPython 2.7 and 3.6 to 3.15, 64 and 32 bits, with and without the GIL.
//!
//! ```text
//!   Target            version and build        a row of facts: sizes, where __dict__ and __weakref__ live
//!     ClassLayout     what type creation decides: slots and offsets, basicsize, the errors CPython raises
//!       Class         the names its instances share, and the room for more
//!         Instance    set, delete, touch_dict ...
//!           Footprint requests, pymalloc blocks, libc chunks, sys.getsizeof
//! ```
//!
//! Without the GIL only 3.13 is known: every other free-threaded build is [`TargetError::NotModelled`], which names
//! the known ones.
//!
//! The rules are those of CPython's sources, named where they stand; every number is compared with
//! interpreters that were measured (`tests/data/README.md`). [`container`] has tuples, lists and dicts for
//! comparison, [`value`] and [`standard`] what attributes refer to; [`advise`] says what another layout
//! of a class would save.
//!
//! ```
//! use cpymem_slots::model::{Class, ClassLayout, Target};
//!
//! let object = ClassLayout::object("3.13.0".parse::<Target>()?)?;
//! let class = Class::new(&ClassLayout::new("User", &[&object])?);
//! let mut user = class.instance();
//! user.set("name")?;
//! let before = user.footprint().heap_bytes();
//! user.touch_dict()?; // what vars(user) does
//! assert_eq!(user.footprint().heap_bytes() - before, 64);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod abi;
mod advise;
mod attributes;
mod blocks;
mod builtin;
mod class;
pub mod container;
mod creation;
mod dataclass;
mod facts;
mod footprint;
mod instance;
mod instance_error;
mod keys;
mod layout;
mod layout_error;
mod mro;
mod object_size;
mod population;
mod shared_keys;
mod slot_names;
mod slots_value;
mod solid;
pub mod standard;
mod target;
pub mod value;

pub use advise::{Advice, ClassSpec, Cliff, Remedy, RemedyKind, advise};
pub use blocks::Pymalloc;
pub use builtin::Builtin;
pub use class::Class;
pub use dataclass::Dataclass;
pub use footprint::Footprint;
pub use instance::Instance;
pub use instance_error::InstanceError;
pub use keys::Keys;
pub use layout::ClassLayout;
pub use layout_error::LayoutError;
pub use population::Population;
pub use slots_value::{SlotItem, SlotsValue};
pub use target::{Arch, Build, PyVersion, Target, TargetError};
