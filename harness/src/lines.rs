//! Lines of a text, numbered from 1 and bounded in length.

use crate::budget::Budget;
use crate::error::{InputError, Place};
use crate::text::Text;

/// The longest line that is read, in bytes.
pub const LONGEST_LINE: usize = 64 << 20;

/// Reads a text line by line into one buffer that is used again.
#[derive(Debug)]
pub struct Lines<'a> {
    text: Text<'a>,
    line: Vec<u8>,
    number: u64,
}

impl<'a> Lines<'a> {
    /// The lines of `text` from its beginning.
    pub fn new(text: Text<'a>) -> Self {
        Self::after(text, 0)
    }

    /// The lines of `text` where `lines` of them were read by other means.
    pub fn after(text: Text<'a>, lines: u64) -> Self {
        Self { text, line: Vec::new(), number: lines }
    }

    /// The number of the line read last; 0 before the first.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The line read last, without its newline.
    #[inline]
    pub fn line(&self) -> &[u8] {
        &self.line
    }

    /// The bytes that come next, as far as they are buffered; none at the end of the text.
    ///
    /// # Errors
    /// As [`Text::fill`].
    pub fn peek(&mut self) -> Result<&[u8], InputError> {
        self.text.fill()
    }

    /// Goes to the next line; false at the end of the text. A last line without a newline counts.
    ///
    /// # Errors
    /// As [`Text::fill`], or if the line is longer than [`LONGEST_LINE`] or than the budget allows.
    pub fn advance(&mut self, budget: &mut Budget) -> Result<bool, InputError> {
        self.line.clear();
        loop {
            let chunk = self.text.fill()?;
            if chunk.is_empty() {
                self.number += u64::from(!self.line.is_empty());
                return Ok(!self.line.is_empty());
            }
            let found = chunk.iter().position(|&b| b == b'\n');
            let n = found.unwrap_or(chunk.len());
            if self.line.len() + n > LONGEST_LINE {
                return Err(self.error_next(format_args!("a line of more than {LONGEST_LINE} bytes")));
            }
            if let Err(over) = budget.reserve(&mut self.line, n) {
                return Err(self.error_next(over));
            }
            self.line.extend_from_slice(&self.text.fill()?[..n]);
            self.text.consume(n + usize::from(found.is_some()));
            if found.is_some() {
                self.number += 1;
                return Ok(true);
            }
        }
    }

    /// The text, standing behind the line read last.
    pub fn into_text(self) -> Text<'a> {
        self.text
    }

    /// An error at the line read last.
    #[cold]
    pub fn error(&self, what: impl std::fmt::Display) -> InputError {
        self.text.error(Place::Line(self.number), what)
    }

    /// An error at another place of the text.
    #[cold]
    pub fn error_at(&self, place: Place, what: impl std::fmt::Display) -> InputError {
        self.text.error(place, what)
    }

    #[cold]
    fn error_next(&self, what: impl std::fmt::Display) -> InputError {
        self.text.error(Place::Line(self.number + 1), what)
    }
}

/// What is wrong with a line of JSON, without the line number that its parser counts from the
/// line's own beginning.
pub(crate) fn json_fault(e: &serde_json::Error) -> String {
    let what = e.to_string();
    let what = what.split(" at line 1 column").next().unwrap_or(&what);
    format!("{what} (column {})", e.column())
}
