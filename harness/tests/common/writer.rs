//! Writes PMTRACE 1 for tests, whole or with a fault in it.

use cpymem_harness::trace::{Domain, Event, Op};

/// A varint as the form has it.
pub(crate) fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 127 {
        bytes.push(value as u8 | 128);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// One block of a trace, its columns open to be spoilt.
#[derive(Clone, Default)]
pub(crate) struct Block {
    pub(crate) events: u32,
    pub(crate) columns: [Vec<u8>; 5],
}

impl Block {
    /// The block as it stands in the file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.events.to_le_bytes().to_vec();
        for column in &self.columns {
            bytes.extend((column.len() as u32).to_le_bytes());
            bytes.extend(column);
        }
        bytes
    }
}

/// Turns events into blocks; what it keeps between them is what a reader has to keep.
pub(crate) struct Writer {
    pub(crate) addresses: bool,
    pub(crate) blocks: Vec<Block>,
    pub(crate) events: u64,
    pub(crate) allocations: u64,
    block_events: u32,
    thread: u32,
    now_ns: u64,
    last_addr: [u64; 103],
}

impl Writer {
    pub(crate) fn new(addresses: bool, block_events: u32) -> Self {
        Self {
            addresses,
            blocks: Vec::new(),
            events: 0,
            allocations: 0,
            block_events,
            thread: 0,
            now_ns: 0,
            last_addr: [0; 103],
        }
    }

    pub(crate) fn event(&mut self, event: &Event) {
        if self.blocks.last().is_none_or(|block| block.events == self.block_events) {
            self.blocks.push(Block::default());
        }
        let (mut tag, time) = match event.op {
            Op::Alloc { zeroed, .. } => (u8::from(zeroed), None),
            Op::Realloc { .. } => (2, None),
            Op::Free { .. } => (3, None),
            Op::Unknown => (7, None),
            Op::GcStart { at_ns, .. } => (4, Some(at_ns)),
            Op::GcStop { at_ns, .. } => (5, Some(at_ns)),
            Op::Phase { at_ns, .. } => (6, Some(at_ns)),
        };
        tag |= (event.domain as u8) << 3;
        if event.thread != self.thread {
            self.thread = event.thread;
            tag |= 0x20;
            self.put(4, u64::from(event.thread));
        }
        self.put_byte(tag);
        if let Some(at_ns) = time {
            self.put(4, at_ns - self.now_ns);
            self.now_ns = at_ns;
        }
        match event.op {
            Op::Alloc { size, addr, .. } => {
                self.allocations += 1;
                self.size(event.domain, size, addr);
            }
            Op::Realloc { id, size, addr } => {
                self.put(2, self.allocations - 1 - id);
                self.size(event.domain, size, addr);
            }
            Op::Free { id } => self.put(2, self.allocations - 1 - id),
            Op::GcStart { generation, .. } => self.put(4, u64::from(generation)),
            Op::GcStop { generation, collected, uncollectable, .. } => {
                self.put(4, u64::from(generation));
                self.put(4, collected);
                self.put(4, uncollectable);
            }
            Op::Phase { label, rss_kib, .. } => {
                self.put(4, u64::from(label));
                self.put(4, rss_kib);
            }
            Op::Unknown => {}
        }
        self.events += 1;
        self.blocks.last_mut().unwrap().events += 1;
    }

    fn size(&mut self, domain: Domain, size: u64, addr: Option<u64>) {
        self.put(1, size);
        if let (true, Some(addr)) = (self.addresses, addr) {
            let pooled = matches!(domain, Domain::Mem | Domain::Object) && size <= 512;
            let class = if pooled { size.div_ceil(16) as usize } else { 99 + domain as usize };
            let step = (addr as i64 - self.last_addr[class] as i64) / 8;
            self.last_addr[class] = addr;
            self.put(3, ((step << 1) ^ (step >> 63)) as u64);
        }
    }

    fn put(&mut self, column: usize, value: u64) {
        self.blocks.last_mut().unwrap().columns[column].extend(varint(value));
    }

    fn put_byte(&mut self, tag: u8) {
        self.blocks.last_mut().unwrap().columns[0].push(tag);
    }

    /// The head of the file: the magic line and the header.
    pub(crate) fn head(&self) -> Vec<u8> {
        let (events, allocations, addresses) = (self.events, self.allocations, self.addresses);
        format!(
            "PMTRACE 1\n{{\"form\": \"PMTRACE 1\", \"program\": \"test\", \"python\": \"3.12.1\", \
             \"events\": {events}, \"allocations\": {allocations}, \"addresses\": {addresses}, \
             \"labels\": [\"one\", \"two\"], \"domains\": [\"raw\", \"mem\", \"object\", \"native\"], \
             \"something\": {{\"new\": [1, 2]}}}}\n"
        )
        .into_bytes()
    }

    /// The file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head();
        self.blocks.iter().for_each(|block| bytes.extend(block.bytes()));
        bytes
    }
}

/// The file that holds these events.
pub(crate) fn encode(events: &[Event], addresses: bool, block_events: u32) -> Vec<u8> {
    let mut writer = Writer::new(addresses, block_events);
    events.iter().for_each(|event| writer.event(event));
    writer.bytes()
}
