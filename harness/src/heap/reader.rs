//! Reads a dump line by line and checks every claim it makes.

use super::dump::{Dump, LabelList};
use super::header::{End, Header, Line, Process, Type};
use super::names::{Attributes, Names, NamesError};
use super::objects::{Flags, Objects};
use crate::budget::{Budget, OverBudget};
use crate::error::{InputError, Place};
use crate::input::Input;
use crate::lines::{Lines, json_fault};
use crate::text::Text;

/// Parsed JSON may take several times its text: an empty string is 3 bytes there and 24 here.
const JSON_BLOW_UP: u64 = 8;

/// Bytes of a type's name that are kept.
const LONGEST_TYPE_NAME: usize = 300;

/// Whether the labels of objects are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labels {
    /// They are checked and kept.
    Keep,
    /// Those of types, modules and functions are kept, hashes of strings are not.
    Code,
    /// They are skipped, and so are the names of keys.
    Skip,
}

impl Dump {
    /// Reads a dump.
    ///
    /// # Errors
    /// If the input is no dump of form PYHEAP 1 or 2, is malformed or cut short, or needs more
    /// memory than its limits allow.
    pub fn read(input: &Input, labels: Labels) -> Result<Self, InputError> {
        Self::from_text(input.open()?, labels)
    }

    /// Reads a dump from the beginning of a text.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn from_text(text: Text<'_>, labels: Labels) -> Result<Self, InputError> {
        let mut budget = Budget::new(text.limits().memory_bytes);
        let mut lines = Lines::new(text);
        let header = read_header(&mut lines, &mut budget)?;
        let mut parts = Parts::new(labels);
        let end = loop {
            if !lines.advance(&mut budget)? {
                let at = Place::Line(lines.number() + 1);
                return Err(lines.error_at(at, "the dump is cut short: there is no \"end\" line"));
            }
            let step = match lines.line().iter().find(|byte| !byte.is_ascii_whitespace()) {
                Some(b'[') => parts.row(&lines, &mut budget).map(|()| None),
                _ => parts.other(&lines, &mut budget),
            };
            if let Some(end) = step? {
                break end;
            }
        };
        if lines.advance(&mut budget)? {
            return Err(lines.error("data after the \"end\" line"));
        }
        parts.finish(header, end, &lines)
    }
}

fn read_header(lines: &mut Lines<'_>, budget: &mut Budget) -> Result<Header, InputError> {
    // A binary file has no lines to speak of; do not look for the end of the first one.
    if lines.peek()?.first() != Some(&b'{') {
        return Err(lines.error_at(Place::Line(1), "not a dump: the first line is no JSON object"));
    }
    lines.advance(budget)?;
    budget.charge(lines.line().len() as u64 * JSON_BLOW_UP).map_err(|over| lines.error(over))?;
    let header: Header = serde_json::from_slice(lines.line())
        .map_err(|e| lines.error(format_args!("bad header: {}", json_fault(&e))))?;
    match header.form.strip_prefix("PYHEAP ") {
        Some("1" | "2") => Ok(header),
        Some(version) => {
            let version: String = version.chars().take(40).collect();
            Err(lines.error(format_args!("a dump of version {version:?}; this program reads 1 and 2")))
        }
        None => Err(lines.error("not a dump: the header's form is not \"PYHEAP 2\"")),
    }
}

/// A dump while it is read.
struct Parts {
    objects: Objects,
    types: Vec<Option<Type>>,
    /// For each type the line of its first object; 0 if it has none yet.
    first_use: Vec<u64>,
    /// The highest referent so far and its line: referents may point forward.
    highest: Option<(u32, u64)>,
    edges_checked: usize,
    process: Option<Process>,
    names_lines: u64,
    attrs_lines: u64,
    keep_labels: Labels,
    labels: LabelList,
    names: Names,
    attributes: Vec<Attributes>,
}

impl Parts {
    fn new(keep_labels: Labels) -> Self {
        Self {
            objects: Objects::new(),
            types: Vec::new(),
            first_use: Vec::new(),
            highest: None,
            edges_checked: 0,
            process: None,
            names_lines: 0,
            attrs_lines: 0,
            keep_labels,
            labels: LabelList::default(),
            names: Names::default(),
            attributes: Vec::new(),
        }
    }

    #[inline]
    fn row(&mut self, lines: &Lines<'_>, budget: &mut Budget) -> Result<(), InputError> {
        let row = self.objects.add(lines.line(), budget).map_err(|what| lines.error(what))?;
        if let Some(class) = row.class {
            let class = class as usize;
            if class >= self.first_use.len() {
                grow_to(&mut self.first_use, class, budget).map_err(|over| lines.error(over))?;
            }
            if self.first_use[class] == 0 {
                self.first_use[class] = lines.number();
            }
        }
        let new = &self.objects.edges()[self.edges_checked..];
        if let Some(&most) = new.iter().max()
            && self.highest.is_none_or(|(highest, _)| most > highest)
        {
            self.highest = Some((most, lines.number()));
        }
        self.edges_checked = self.objects.edges().len();
        if let Some(label) = row.label {
            let keep = match self.keep_labels {
                Labels::Keep => true,
                Labels::Code => Flags::NAMED.bits() & row.flags as u8 != 0,
                Labels::Skip => false,
            };
            if keep {
                self.label(row.id as u32, label, lines, budget)?;
            }
        }
        Ok(())
    }

    fn label(
        &mut self,
        id: u32,
        quoted: &[u8],
        lines: &Lines<'_>,
        budget: &mut Budget,
    ) -> Result<(), InputError> {
        let label: std::borrow::Cow<'_, str> = match quoted {
            // Nearly all labels are plain: nothing to decode.
            [b'"', plain @ .., b'"'] if plain.iter().all(|&b| b != b'\\' && (32..127).contains(&b)) => {
                String::from_utf8_lossy(plain)
            }
            _ => serde_json::from_slice::<String>(quoted)
                .map_err(|e| lines.error(format_args!("bad label: {}", json_fault(&e))))?
                .into(),
        };
        let list = &mut self.labels;
        let over = |over: OverBudget| lines.error(over);
        budget.reserve(&mut list.text, label.len()).map_err(over)?;
        budget.reserve(&mut list.ends, 1).map_err(over)?;
        list.text.extend_from_slice(label.as_bytes());
        let end = u32::try_from(list.text.len()).map_err(|_| lines.error("more than 4 GiB of labels"))?;
        list.ends.push((id, end));
        Ok(())
    }

    /// Takes a line that is no row; gives the end of the dump if it is that.
    fn other(&mut self, lines: &Lines<'_>, budget: &mut Budget) -> Result<Option<End>, InputError> {
        if lines.line().starts_with(br#"{"names""#) {
            return self.named(lines, budget).map(|()| None);
        }
        let cost = lines.line().len() as u64 * JSON_BLOW_UP;
        budget.charge(cost).map_err(|over| lines.error(over))?;
        let line: Line = serde_json::from_slice(lines.line())
            .map_err(|e| lines.error(format_args!("bad line: {}", json_fault(&e))))?;
        let keeps = line.process.is_some() || line.class.is_some() || line.attrs.is_some();
        if !keeps {
            budget.release(cost);
        }
        if line.names.is_some() {
            self.named(lines, budget)?;
        }
        if let Some(attributes) = line.attrs {
            self.attrs_lines += 1;
            budget.reserve(&mut self.attributes, 1).map_err(|over| lines.error(over))?;
            self.attributes.push(attributes);
        }
        if line.form.is_some() {
            return Err(lines.error("a second header"));
        }
        if let Some(process) = line.process
            && self.process.replace(process).is_some()
        {
            return Err(lines.error("a second \"process\" line"));
        }
        if let Some(class) = line.class {
            self.add_type(class, lines, budget)?;
        }
        Ok(line.end)
    }

    fn named(&mut self, lines: &Lines<'_>, budget: &mut Budget) -> Result<(), InputError> {
        self.names_lines += 1;
        if self.keep_labels == Labels::Skip {
            return Ok(());
        }
        self.names.read(lines.line(), budget).map_err(|e| match e {
            NamesError::Json(e) => lines.error(format_args!("bad names: {}", json_fault(&e))),
            NamesError::Over(over) => lines.error(over),
            NamesError::TooMany => lines.error("more names than can be counted"),
        })
    }

    fn add_type(
        &mut self,
        mut class: Type,
        lines: &Lines<'_>,
        budget: &mut Budget,
    ) -> Result<(), InputError> {
        // Reports repeat names.
        class.name.truncate(class.name.floor_char_boundary(LONGEST_TYPE_NAME));
        let id = class.id as usize;
        // Types are dense, but for a dump that was cut by hand; see `Objects` for the same limit.
        if id >= 1 << 22 {
            return Err(lines.error(format_args!("type {id} is out of range")));
        }
        if id >= self.types.len() {
            grow_to(&mut self.types, id, budget).map_err(|over| lines.error(over))?;
        }
        if self.types[id].replace(class).is_some() {
            return Err(lines.error(format_args!("type {id} for the second time")));
        }
        Ok(())
    }

    fn finish(mut self, header: Header, end: End, lines: &Lines<'_>) -> Result<Dump, InputError> {
        let objects = u64::from(self.objects.len());
        let edges = self.objects.edges().len() as u64;
        for (what, claimed, read) in [("objects", end.objects, objects), ("edges", end.edges, edges)] {
            if claimed != read {
                let what = format_args!("the \"end\" line counts {claimed} {what}, the dump has {read}");
                return Err(lines.error(what));
            }
        }
        if let Some((referent, line)) = self.highest
            && u64::from(referent) >= objects
        {
            let what = format_args!("referent {referent} is out of range: the dump has {objects} objects");
            return Err(lines.error_at(Place::Line(line), what));
        }
        let defined = |class: usize| matches!(self.types.get(class), Some(Some(_)));
        if let Some((class, &line)) =
            self.first_use.iter().enumerate().find(|&(class, &line)| line > 0 && !defined(class))
        {
            let what = format_args!("type {class} has no \"type\" line");
            return Err(lines.error_at(Place::Line(line), what));
        }
        self.objects.shrink();
        let object = |id: u32| u64::from(id) < objects;
        let names_dropped = self.names.finish(|id| object(id).then(|| self.objects.referents(id).len()));
        self.attributes.sort_by_key(|it| it.class);
        self.attributes.dedup_by_key(|it| it.class);
        Ok(Dump {
            names: self.names,
            names_dropped,
            attributes: self.attributes,
            header,
            process: self.process,
            end,
            names_lines: self.names_lines,
            attrs_lines: self.attrs_lines,
            types: self.types,
            objects: self.objects,
            labels: self.labels,
        })
    }
}

/// Makes `items[index]` exist.
fn grow_to<T: Default + Clone>(
    items: &mut Vec<T>,
    index: usize,
    budget: &mut Budget,
) -> Result<(), OverBudget> {
    budget.reserve(items, index + 1 - items.len())?;
    items.resize(index + 1, T::default());
    Ok(())
}
