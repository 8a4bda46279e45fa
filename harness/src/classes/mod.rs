//! Classes of a Python program, priced: from source text to described classes to records.
//!
//! ```text
//!   guard      refuses text that is nested too deeply for a parser
//!   parse      text -> statements, on a stack that is large enough
//!   collect    statements -> described classes: attributes, slots, bases
//!   price      described classes -> bytes on every version the model knows
//!   rewrite    a dataclass with slots, as a diff
//! ```

mod collect;
mod describe;
mod guard;
mod parse;
mod price;
mod rewrite;

pub use describe::{Decorator, Described, WrittenItem, WrittenSlots};

use crate::error::{InputError, Place};
use crate::input::Input;
use crate::record::InputRecord;
use crate::record_classes::ClassesRecord;
use cpymem_slots::model::Target;

/// Bytes of the longest program text that is read.
const LONGEST_SOURCE: usize = 16 << 20;

/// What to price, and for which interpreters.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Instances of each class.
    pub count: u64,
    /// The interpreters; those the model knows if there is none.
    pub targets: Vec<Target>,
}

/// Prices every class of a Python file.
///
/// # Errors
/// If the file cannot be read or is no Python; the place is a line.
pub fn of_file(input: &Input, wish: &Wish) -> Result<ClassesRecord, InputError> {
    let source = text_of(input)?;
    let classes = parse::classes(&source).map_err(|error| {
        let line = 1 + source.as_bytes().iter().take(error.offset).filter(|&&b| b == b'\n').count();
        InputError::new(input.name(), Place::Line(line as u64), error.what)
    })?;
    let mut record = price::all(&classes, wish);
    record.input = vec![InputRecord::new(input, "Python", None)];
    for (described, record) in classes.iter().zip(&mut record.classes) {
        record.diff = rewrite::diff(described, &classes, &source, input.name());
    }
    Ok(record)
}

/// Prices one class that is described by its attributes alone.
pub fn of_attributes(name: &str, attributes: &[String], slots: bool, wish: &Wish) -> ClassesRecord {
    let described = Described {
        name: name.to_owned(),
        assigned: attributes.to_vec(),
        slots: slots
            .then(|| WrittenSlots::Items(attributes.iter().cloned().map(WrittenItem::Name).collect())),
        mutable: false,
        ..Described::default()
    };
    price::all(&[described], wish)
}

fn text_of(input: &Input) -> Result<String, InputError> {
    let mut text = input.open()?;
    let mut bytes = Vec::new();
    loop {
        let part = text.fill()?;
        let n = part.len();
        if n == 0 {
            break;
        }
        bytes.extend_from_slice(part);
        text.consume(n);
        if bytes.len() > LONGEST_SOURCE {
            let what = format!("more than {LONGEST_SOURCE} bytes of Python");
            return Err(InputError::new(input.name(), Place::Line(1), what));
        }
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + before.iter().filter(|&&b| b == b'\n').count();
        InputError::new(input.name(), Place::Line(line as u64), "SyntaxError: not UTF-8")
    })
}
