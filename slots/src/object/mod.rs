//! Objects that run: slots and key-sharing dictionaries, generic over the value.
//!
//! ```text
//!   Shapes ---- names, and shapes as a tree of transitions       SharedKeys ---- up to 30 names of a class
//!      |                                                            |
//!   Shape      {name, age, api_token}                            {name, age, api_token}, room for 1 more
//!      |                                                            |
//!   Slots      [shape|present] Alice  41  3f9c...                Dict  [keys|present] Alice  41  3f9c...  -  (order)
//!                                   ^                                                    ^
//!   InlineCache {shape, index} -----'                            InlineCache {keys, index}
//! ```
//!
//! A [`Slots`] object has the attributes of its class and no others; a [`Dict`] object takes any. Both are
//! one pointer to one allocation with an 8-byte header. Names are interned ([`Name`]); an [`InlineCache`]
//! at each place of the program that reads or writes an attribute makes that a comparison and a load.

mod arena;
mod block;
mod body;
mod cache;
mod caches;
mod cells;
mod class;
mod class_error;
#[cfg(feature = "cyclegc")]
mod collected;
mod compact_dict;
mod descriptor;
mod dict;
mod entry;
mod error;
mod footprint;
mod handles;
mod id;
mod instance;
mod key;
mod name;
mod shape;
mod shared_keys;
mod slots;
mod table;
mod text;
mod width;

pub use cache::{CacheState, InlineCache};
pub use caches::Caches;
pub use class::Class;
pub use class_error::ClassError;
#[cfg(feature = "cyclegc")]
pub use collected::Collected;
pub use compact_dict::{CompactDict, Iter};
pub use descriptor::{Attribute, Descriptor, Loaded, Stored};
pub use dict::Dict;
pub use error::AttributeError;
pub use footprint::Footprint;
pub use handles::{Counted, Handles};
pub use instance::Instance;
pub use key::{Key, Lookup};
pub use name::Name;
pub use shape::{MAX_ATTRIBUTES, Shape, ShapeError, Shapes};
pub use shared_keys::{MAX_SHARED, SharedKeys};
pub use slots::Slots;
pub use text::{Spelling, Text, TextRef};
