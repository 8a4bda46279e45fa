//! The streaming reader: bytes to events, every claim of the file checked.

use std::fmt;

use super::column::{BadVarint, Column, ColumnName};
use super::event::{Domain, Event, Op};
use super::header::Header;
use crate::budget::Budget;
use crate::error::{InputError, Place};
use crate::input::Input;
use crate::text::Text;

/// CPython refuses requests above `PY_SSIZE_T_MAX`, so none is ever recorded.
const LARGEST_SIZE: u64 = i64::MAX.cast_unsigned();
/// The recorder numbers threads with 16 bits.
const MOST_THREADS: u64 = 1 << 16;
/// CPython's collector has three generations.
const GENERATIONS: u64 = 3;
/// Requests of up to 512 bytes have a size class for every 16 bytes; each domain has one more.
const ADDRESS_CLASSES: usize = 99 + Domain::ALL.len();

/// Reads the events of a trace in order, holding one block of them at a time.
///
/// # Invariants
/// 1. `left` = events of the current block that were not returned; 0 before the first block.
/// 2. `events <= header.events`, and `events + left <= header.events`.
/// 3. Every id returned is less than `allocations`.
#[derive(Debug)]
pub struct Reader<'a> {
    text: Text<'a>,
    header: Header,
    budget: Budget,
    columns: [Column; 5],
    left: u32,
    events: u64,
    allocations: u64,
    thread: u32,
    now_ns: u64,
    /// Whether the iterator returned an error.
    failed: bool,
    last_addr: Box<[u64; ADDRESS_CLASSES]>,
}

impl<'a> Reader<'a> {
    /// A reader at the first event of `input`.
    ///
    /// # Errors
    /// If the input is no trace of version 1, or cannot be read.
    pub fn open(input: &'a Input) -> Result<Self, InputError> {
        Self::new(input.open()?)
    }

    /// A reader at the first event of a text that begins with the magic line.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn new(text: Text<'a>) -> Result<Self, InputError> {
        let mut budget = Budget::new(text.limits().memory_bytes);
        let (header, text) = Header::read(text, &mut budget)?;
        Ok(Self {
            text,
            header,
            budget,
            columns: Default::default(),
            left: 0,
            events: 0,
            allocations: 0,
            thread: 0,
            now_ns: 0,
            failed: false,
            last_addr: Box::new([0; ADDRESS_CLASSES]),
        })
    }

    /// What the trace says about itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Events returned so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Mallocs and callocs among them.
    pub fn allocations(&self) -> u64 {
        self.allocations
    }

    /// What this pass over the trace may still cost. Tables that grow with the trace charge it too.
    pub fn budget(&mut self) -> &mut Budget {
        &mut self.budget
    }

    /// An error at the event returned last.
    #[cold]
    pub fn error(&self, what: impl fmt::Display) -> InputError {
        self.text.error(Place::Event(self.events.saturating_sub(1)), what)
    }

    /// The next event; none at the end of a trace that holds exactly what its header says.
    ///
    /// # Errors
    /// If the trace is malformed. After an error the reader is at no defined event.
    #[inline]
    pub fn next_event(&mut self) -> Result<Option<Event>, InputError> {
        if self.left == 0 && !self.next_block()? {
            return Ok(None);
        }
        match self.decode() {
            Ok(event) => {
                self.left -= 1;
                self.events += 1;
                Ok(Some(event))
            }
            Err(fault) => Err(self.text.error(Place::Event(self.events), fault)),
        }
    }

    #[inline]
    fn decode(&mut self) -> Result<Event, Fault> {
        let [tags, sizes, ages, addrs, marks] = &mut self.columns;
        let tag = tags.byte().map_err(|bad| Fault::Column(ColumnName::Tags, bad))?;
        if tag & 0xc0 != 0 {
            return Err(Fault::Tag(tag));
        }
        let domain = Domain::of_tag(tag);
        let mut mark = || marks.varint().map_err(|bad| Fault::Column(ColumnName::Marks, bad));
        if tag & 0x20 != 0 {
            self.thread = thread_index(mark()?)?;
        }
        let mut size = || {
            let size = sizes.varint().map_err(|bad| Fault::Column(ColumnName::Sizes, bad))?;
            if size > LARGEST_SIZE { Err(Fault::Size(size)) } else { Ok(size) }
        };
        let mut addr = |size: u64| {
            if !self.header.addresses {
                return Ok(None);
            }
            let step = addrs.zigzag().map_err(|bad| Fault::Column(ColumnName::Addrs, bad))?;
            let last = &mut self.last_addr[address_class(domain, size)];
            *last =
                step.checked_mul(8).and_then(|step| last.checked_add_signed(step)).ok_or(Fault::Address)?;
            Ok(Some(*last))
        };
        let allocations = self.allocations;
        let mut block = || {
            let age = ages.varint().map_err(|bad| Fault::Column(ColumnName::Ages, bad))?;
            if age >= allocations { Err(Fault::Age { age, allocations }) } else { Ok(allocations - 1 - age) }
        };
        let op = match tag & 7 {
            op @ (0 | 1) => {
                let size = size()?;
                self.allocations += 1;
                Op::Alloc { id: allocations, size, zeroed: op == 1, addr: addr(size)? }
            }
            2 => {
                let (id, size) = (block()?, size()?);
                Op::Realloc { id, size, addr: addr(size)? }
            }
            3 => Op::Free { id: block()? },
            7 => Op::Unknown,
            op => {
                self.now_ns = self.now_ns.checked_add(mark()?).ok_or(Fault::Time)?;
                let at_ns = self.now_ns;
                match op {
                    4 => Op::GcStart { at_ns, generation: generation(mark()?)? },
                    5 => Op::GcStop {
                        at_ns,
                        generation: generation(mark()?)?,
                        collected: mark()?,
                        uncollectable: mark()?,
                    },
                    _ => Op::Phase {
                        at_ns,
                        label: label_index(mark()?, self.header.labels.len())?,
                        rss_kib: mark()?,
                    },
                }
            }
        };
        let domain = if matches!(tag & 7, 4..=6) { Domain::Raw } else { domain };
        Ok(Event { op, domain, thread: self.thread })
    }

    /// Reads the next block; false at the end of the trace.
    #[cold]
    fn next_block(&mut self) -> Result<bool, InputError> {
        self.check_columns_used()?;
        if self.text.fill()?.is_empty() {
            self.check_counts()?;
            return Ok(false);
        }
        let start = Place::Offset(self.text.offset());
        let remaining = self.header.events - self.events;
        if remaining == 0 {
            return Err(self.text.error(start, "bytes after the last event that the header counts"));
        }
        let events = self.word()?;
        if events == 0 {
            return Err(self.text.error(start, "a block of no events"));
        }
        if u64::from(events) > remaining {
            let what = format_args!("a block of {events} events where the header leaves {remaining}");
            return Err(self.text.error(start, what));
        }
        for name in ColumnName::ALL {
            self.read_column(name, events)?;
        }
        self.left = events;
        Ok(true)
    }

    fn read_column(&mut self, name: ColumnName, events: u32) -> Result<(), InputError> {
        let start = Place::Offset(self.text.offset());
        let length = self.word()?;
        let most = u64::from(events) * name.most_bytes_an_event();
        if u64::from(length) > most || name == ColumnName::Tags && u64::from(length) != most {
            let what = format_args!("a column of {length} bytes of {name} for {events} events");
            return Err(self.text.error(start, what));
        }
        let column = &mut self.columns[name as usize];
        column.clear();
        let read = self.text.append(&mut column.bytes, length as usize, &mut self.budget)?;
        if read < length as usize {
            let what = format_args!("the trace ends inside the {name} of a block: {read} of {length} bytes");
            return Err(self.text.error(Place::Offset(self.text.offset()), what));
        }
        Ok(())
    }

    fn word(&mut self) -> Result<u32, InputError> {
        let mut word = [0; 4];
        if self.text.read_up_to(&mut word)? < word.len() {
            let at = Place::Offset(self.text.offset());
            return Err(self.text.error(at, "the trace ends inside the head of a block"));
        }
        Ok(u32::from_le_bytes(word))
    }

    fn check_columns_used(&self) -> Result<(), InputError> {
        for name in ColumnName::ALL {
            let left = self.columns[name as usize].left();
            if left > 0 {
                return Err(self.error(format_args!("{left} bytes of {name} are left over in the block")));
            }
        }
        Ok(())
    }

    fn check_counts(&self) -> Result<(), InputError> {
        let at_end = Place::Event(self.events);
        let claims = [
            ("events", self.header.events, self.events),
            ("allocations", self.header.allocations, self.allocations),
        ];
        for (what, claimed, read) in claims {
            if claimed != read {
                let what = format_args!("the header counts {claimed} {what}, the trace has {read}");
                return Err(self.text.error(at_end, what));
            }
        }
        Ok(())
    }
}

/// The events in order; the first error is the last item.
impl Iterator for Reader<'_> {
    type Item = Result<Event, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.next_event();
        self.failed = next.is_err();
        next.transpose()
    }
}

/// The size classes over which address distances are taken.
#[inline]
fn address_class(domain: Domain, size: u64) -> usize {
    if domain.is_pymalloc() && size <= 512 { size.div_ceil(16) as usize } else { 99 + domain as usize }
}

fn thread_index(index: u64) -> Result<u32, Fault> {
    if index < MOST_THREADS { Ok(index as u32) } else { Err(Fault::Thread(index)) }
}

fn generation(generation: u64) -> Result<u8, Fault> {
    if generation < GENERATIONS { Ok(generation as u8) } else { Err(Fault::Generation(generation)) }
}

fn label_index(index: u64, labels: usize) -> Result<u32, Fault> {
    if index < labels as u64 { Ok(index as u32) } else { Err(Fault::Label { index, labels }) }
}

/// What is wrong with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Tag(u8),
    Column(ColumnName, BadVarint),
    Size(u64),
    Age { age: u64, allocations: u64 },
    Address,
    Thread(u64),
    Time,
    Generation(u64),
    Label { index: u64, labels: usize },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => write!(f, "unknown operation: bits 6 and 7 of tag {tag:#04x} are not 0"),
            Self::Column(name, BadVarint::Short) => {
                write!(f, "the column {name} is shorter than its events need")
            }
            Self::Column(name, BadVarint::Long) => {
                write!(f, "a number of more than 64 bits in column {name}")
            }
            Self::Size(size) => write!(f, "a block of {size} bytes, more than any process has"),
            Self::Age { age, allocations } => {
                write!(f, "a block {age} allocations old after {allocations} allocations")
            }
            Self::Address => f.write_str("an address outside the address space"),
            Self::Thread(index) => write!(f, "thread {index}, where {MOST_THREADS} are possible"),
            Self::Time => f.write_str("a time of more than 64 bits"),
            Self::Generation(generation) => write!(f, "generation {generation} of {GENERATIONS}"),
            Self::Label { index, labels } => write!(f, "label {index}, where the header has {labels}"),
        }
    }
}
