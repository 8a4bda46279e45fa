//! Allocation traces: the form PMTRACE 1, read one block at a time.
//!
//! ```text
//! "PMTRACE 1\n"  header (one line of JSON)  "\n"  block*
//! block = u32 events, then five columns, each u32 length and bytes (integers little endian):
//!
//!   tags    one byte an event       7 6 | 5          | 4 3    | 2 1 0
//!                                   0 0 | new thread | domain | operation
//!   sizes   a varint for each malloc, calloc, realloc
//!   ages    a varint for each realloc, free: allocations made since the block's own
//!   addrs   if the header says so, a zigzag varint for each malloc, calloc, realloc:
//!           an eighth of the distance to the last address of the same size class
//!   marks   varints: the thread, where new; then what a collection's start or stop, or a phase, says
//! ```
//!
//! A block of memory is named by the number of the allocation that made it, so an age names a block
//! without an id table in the file. [`Reader`] turns that back into [`Event`]s, [`Live`] maps the ever growing ids to
//! dense slots, and [`scan`](scan()) makes one pass over everything and says what is in a trace.

mod column;
mod event;
mod header;
mod live;
mod pools;
mod reader;
mod scan;

pub use event::{Domain, Event, Op};
pub use header::Header;
pub use live::{Live, LiveError, Slot};
pub use pools::RecordedPools;
pub use reader::Reader;
pub use scan::{Collections, Deaths, Phase, Scan, scan};
