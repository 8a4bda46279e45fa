//! An input as the user named it: a file, standard input, or bytes that are built in.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use crate::budget::Limits;
use crate::error::{InputError, Place};
use crate::text::Text;

/// Bytes of a stream (standard input, a pipe) that are kept when the user sets no limit.
const STREAM_BYTES: u64 = 1 << 30;

/// An input that can be read any number of times.
///
/// A trace is read in several passes, so a stream that can be read only once is kept in memory.
#[derive(Debug)]
pub struct Input {
    name: String,
    content: Content,
    bytes: u64,
    limits: Limits,
    sha256: OnceLock<String>,
}

#[derive(Debug)]
enum Content {
    File(PathBuf),
    Bytes(Cow<'static, [u8]>),
}

impl Input {
    /// The input that a command line names: a path, or `-` for standard input.
    ///
    /// `max_memory`, in bytes, replaces the limits that follow from the input's length.
    ///
    /// # Errors
    /// If there is no such file, it cannot be read, is a directory or is empty, or if a stream is
    /// longer than `max_memory` (1 GiB without).
    pub fn from_arg(arg: &OsStr, max_memory: Option<u64>) -> Result<Self, InputError> {
        if arg == "-" {
            return Self::from_stream("-", &mut io::stdin().lock(), max_memory);
        }
        let name = arg.to_string_lossy();
        let fail = |doing: &str, e: io::Error| {
            InputError::new(name.as_ref(), Place::Offset(0), format_args!("{doing}: {e}"))
        };
        let mut file = File::open(arg).map_err(|e| fail("cannot open", e))?;
        let about = file.metadata().map_err(|e| fail("cannot read", e))?;
        if about.is_dir() {
            return Err(InputError::new(name.as_ref(), Place::Offset(0), "is a directory"));
        }
        if !about.is_file() {
            return Self::from_stream(&name, &mut file, max_memory);
        }
        Self::new(&name, Content::File(PathBuf::from(arg)), about.len(), max_memory)
    }

    /// An input that is already in memory, shown as `name`.
    ///
    /// # Errors
    /// If there are no bytes.
    pub fn from_bytes(
        name: &str,
        bytes: impl Into<Cow<'static, [u8]>>,
        max_memory: Option<u64>,
    ) -> Result<Self, InputError> {
        let bytes = bytes.into();
        let length = bytes.len() as u64;
        Self::new(name, Content::Bytes(bytes), length, max_memory)
    }

    fn from_stream(name: &str, stream: &mut dyn Read, max_memory: Option<u64>) -> Result<Self, InputError> {
        let most = max_memory.unwrap_or(STREAM_BYTES);
        let mut bytes = Vec::new();
        let read = stream.take(most.saturating_add(1)).read_to_end(&mut bytes);
        let length = bytes.len() as u64;
        match read {
            Err(e) => Err(InputError::new(name, Place::Offset(length), format_args!("cannot read: {e}"))),
            Ok(_) if length > most => Err(InputError::new(
                name,
                Place::Offset(most),
                format_args!("a stream of more than {most} bytes; give it as a file"),
            )),
            Ok(_) => Self::from_bytes(name, bytes, max_memory),
        }
    }

    fn new(name: &str, content: Content, bytes: u64, max_memory: Option<u64>) -> Result<Self, InputError> {
        if bytes == 0 {
            return Err(InputError::new(name, Place::Offset(0), "is empty"));
        }
        let limits = max_memory.map_or_else(|| Limits::of_input(bytes), Limits::of_memory);
        Ok(Self { name: name.to_owned(), content, bytes, limits, sha256: OnceLock::new() })
    }

    /// The input as the user named it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes as stored (compressed, if the input is).
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What reading this input may cost.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The text of the input from its beginning, decompressed if it is gzip by its first bytes.
    ///
    /// # Errors
    /// If the file cannot be opened or read any more.
    pub fn open(&self) -> Result<Text<'_>, InputError> {
        Text::new(&self.name, self.stored()?, self.limits)
    }

    /// The SHA-256 of the bytes as stored, in lower-case hexadecimal; computed once.
    ///
    /// # Errors
    /// If the file cannot be read any more.
    pub fn sha256(&self) -> Result<&str, InputError> {
        if let Some(known) = self.sha256.get() {
            return Ok(known);
        }
        let mut stored = self.stored()?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 16];
        let mut offset = 0;
        loop {
            match stored.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => {
                    hash.update(&buffer[..n]);
                    offset += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.unreadable(offset, &e)),
            }
        }
        let hex = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
        Ok(self.sha256.get_or_init(|| hex))
    }

    fn stored(&self) -> Result<Box<dyn Read + Send + '_>, InputError> {
        Ok(match &self.content {
            Content::File(path) => Box::new(File::open(path).map_err(|e| self.unreadable(0, &e))?),
            Content::Bytes(bytes) => Box::new(&bytes[..]),
        })
    }

    #[cold]
    fn unreadable(&self, offset: u64, e: &io::Error) -> InputError {
        InputError::new(&*self.name, Place::Offset(offset), format_args!("cannot read: {e}"))
    }
}
