//! The text of an input, decompressed as it is read and never longer than its limits allow.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use crate::budget::{Budget, Limits};
use crate::error::{InputError, Place};
use crate::progress::Bytes;

/// Bytes read and decompressed at a time; also the step in which claimed lengths are believed.
pub const STEP: usize = 1 << 16;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// A buffered reader of one pass over an input.
///
/// # Invariants
/// 1. `start <= end <= buffer.len()`; `buffer[start..end]` is text that was read and not consumed.
/// 2. `read` = bytes of text ever put into the buffer, so that the offset of `buffer[start]` is
///    `read - (end - start)`.
pub struct Text<'a> {
    name: String,
    source: Source<'a>,
    limits: Limits,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    read: u64,
    watch: Option<Bytes>,
}

enum Source<'a> {
    Plain(BufReader<Counted<'a>>),
    Gzip(Box<MultiGzDecoder<BufReader<Counted<'a>>>>),
}

/// Counts what is read from the stored input.
struct Counted<'a> {
    stored: Box<dyn Read + Send + 'a>,
    read: u64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.stored.read(buffer)?;
        self.read += n as u64;
        Ok(n)
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Text")
            .field("name", &self.name)
            .field("gzip", &matches!(self.source, Source::Gzip(_)))
            .field("offset", &self.offset())
            .finish_non_exhaustive()
    }
}

impl<'a> Text<'a> {
    /// The text of `stored`, an input shown as `name`: gzip (any number of members) or plain, told
    /// by the first two bytes.
    ///
    /// # Errors
    /// If the first bytes cannot be read.
    pub fn new(name: &str, stored: Box<dyn Read + Send + 'a>, limits: Limits) -> Result<Self, InputError> {
        let mut raw = BufReader::with_capacity(STEP, Counted { stored, read: 0 });
        let gzip = match raw.fill_buf() {
            Ok([first]) if *first == GZIP_MAGIC[0] => {
                // A reader may hand out a single byte at first; put it back in front of the rest.
                let mut rest = raw.into_inner();
                let mut pair = GZIP_MAGIC.to_vec();
                let n = read_some(&mut rest.stored, &mut pair[1..]).map_err(|e| unreadable(name, 1, &e))?;
                pair.truncate(1 + n);
                let gzip = pair == GZIP_MAGIC;
                let stored = Box::new(io::Cursor::new(pair).chain(rest.stored));
                raw = BufReader::with_capacity(STEP, Counted { stored, read: 0 });
                gzip
            }
            Ok(head) => head.starts_with(&GZIP_MAGIC),
            Err(e) => return Err(unreadable(name, 0, &e)),
        };
        let source = if gzip { Source::Gzip(Box::new(MultiGzDecoder::new(raw))) } else { Source::Plain(raw) };
        Ok(Self {
            name: name.to_owned(),
            source,
            limits,
            buffer: vec![0; STEP].into_boxed_slice(),
            start: 0,
            end: 0,
            read: 0,
            watch: None,
        })
    }

    /// Tells from now on how many bytes of the stored input were read.
    pub fn watched(mut self, watch: Bytes) -> Self {
        self.watch = Some(watch);
        self
    }

    /// The input's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What reading the input may cost.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Bytes of text consumed so far.
    pub fn offset(&self) -> u64 {
        self.read - (self.end - self.start) as u64
    }

    /// An error at a place of this input.
    #[cold]
    pub fn error(&self, place: Place, what: impl fmt::Display) -> InputError {
        InputError::new(&*self.name, place, what)
    }

    /// The next bytes of the text; none at its end.
    ///
    /// # Errors
    /// If the input cannot be read, its gzip data is damaged or cut short, or the text grows
    /// beyond the limit.
    #[inline]
    pub fn fill(&mut self) -> Result<&[u8], InputError> {
        if self.start == self.end {
            self.refill()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    /// Marks the first `n` bytes of what [`fill`](Self::fill) returned as used.
    ///
    /// # Panics
    /// If there were not that many.
    #[inline]
    pub fn consume(&mut self, n: usize) {
        assert!(n <= self.end - self.start, "consumed more than was filled");
        self.start += n;
    }

    /// Reads into `out` until it is full or the text ends; returns the bytes read.
    ///
    /// # Errors
    /// As [`fill`](Self::fill).
    pub fn read_up_to(&mut self, out: &mut [u8]) -> Result<usize, InputError> {
        let mut done = 0;
        while done < out.len() {
            let chunk = self.fill()?;
            if chunk.is_empty() {
                break;
            }
            let n = chunk.len().min(out.len() - done);
            out[done..done + n].copy_from_slice(&chunk[..n]);
            self.consume(n);
            done += n;
        }
        Ok(done)
    }

    /// Appends up to `length` bytes to `out`, whose storage grows in steps and out of `budget`;
    /// returns the bytes appended, fewer only where the text ends.
    ///
    /// # Errors
    /// As [`fill`](Self::fill), or if the budget is used up.
    pub fn append(
        &mut self,
        out: &mut Vec<u8>,
        length: usize,
        budget: &mut Budget,
    ) -> Result<usize, InputError> {
        let mut done = 0;
        while done < length {
            let n = self.fill()?.len().min(length - done);
            if n == 0 {
                break;
            }
            if let Err(over) = budget.reserve(out, n) {
                return Err(self.error(Place::Offset(self.offset()), over));
            }
            out.extend_from_slice(&self.buffer[self.start..self.start + n]);
            self.consume(n);
            done += n;
        }
        Ok(done)
    }

    #[cold]
    fn refill(&mut self) -> Result<(), InputError> {
        let outcome = match &mut self.source {
            Source::Plain(raw) => read_some(raw, &mut self.buffer),
            Source::Gzip(decoder) => read_some(decoder, &mut self.buffer),
        };
        match outcome {
            Ok(n) => {
                (self.start, self.end) = (0, n);
                self.read += n as u64;
            }
            Err(e) => return Err(self.damaged(&e)),
        }
        if let Some(watch) = &self.watch {
            watch.at(self.stored_read());
        }
        let allowed = self.limits.text_allowed(self.stored_read());
        if self.read > allowed {
            let what = format_args!(
                "more than {allowed} bytes of text in {} compressed bytes (--max-memory allows more)",
                self.stored_read()
            );
            return Err(self.error(Place::Offset(allowed), what));
        }
        Ok(())
    }

    /// Bytes taken from the stored input, read ahead included.
    fn stored_read(&self) -> u64 {
        match &self.source {
            Source::Plain(raw) => raw.get_ref().read,
            Source::Gzip(decoder) => decoder.get_ref().get_ref().read,
        }
    }

    #[cold]
    fn damaged(&self, e: &io::Error) -> InputError {
        let Source::Gzip(decoder) = &self.source else {
            return unreadable(&self.name, self.read, e);
        };
        let raw = decoder.get_ref();
        let at = raw.get_ref().read - raw.buffer().len() as u64;
        let what = match e.kind() {
            io::ErrorKind::UnexpectedEof => "the gzip data ends too early".to_owned(),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                format!("the gzip data is damaged: {e}")
            }
            _ => format!("cannot read: {e}"),
        };
        self.error(Place::Offset(at), what)
    }
}

/// One read that is not interrupted.
fn read_some(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match from.read(buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

#[cold]
fn unreadable(name: &str, offset: u64, e: &io::Error) -> InputError {
    InputError::new(name, Place::Offset(offset), format_args!("cannot read: {e}"))
}
