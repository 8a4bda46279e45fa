//! The names in a dump: keys of the dicts of modules, classes, functions and instances.

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::budget::{Budget, OverBudget};

/// Bytes of a name that are kept.
const LONGEST_NAME: usize = 120;
/// Stands for a key that is not told.
const UNNAMED: u32 = u32::MAX;

/// A name, as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol(pub(super) u32);

/// Every name once.
#[derive(Clone, Debug, Default)]
pub struct Symbols {
    names: Vec<Box<str>>,
    numbers: HashMap<Box<str>, u32>,
}

impl Symbols {
    /// The name of a symbol.
    pub fn name(&self, symbol: Symbol) -> &str {
        self.names.get(symbol.0 as usize).map_or("", |name| name)
    }

    /// The symbol of a name; a new one if there is none yet. Of a name that is too long for any report the
    /// beginning stands for the whole.
    pub(super) fn intern(&mut self, name: &str) -> Symbol {
        let name = &name[..name.floor_char_boundary(LONGEST_NAME)];
        if let Some(&number) = self.numbers.get(name) {
            return Symbol(number);
        }
        let number = self.names.len() as u32;
        self.names.push(name.into());
        self.numbers.insert(name.into(), number);
        Symbol(number)
    }

    /// Bytes that a new name costs.
    fn cost(&self, name: &str) -> u64 {
        if self.numbers.contains_key(name) { 0 } else { 2 * name.len().min(LONGEST_NAME) as u64 + 96 }
    }
}

/// The keys of the referents of dicts.
///
/// # Invariants
/// 1. `dicts` is sorted by id; the keys of dict `k` are `keys[dicts[k].1..]` up to where those of the next begin,
///    and there are as many as the dict has referents.
#[derive(Clone, Debug, Default)]
pub struct Names {
    symbols: Symbols,
    dicts: Vec<(u32, u32)>,
    keys: Vec<u32>,
}

impl Names {
    /// All names.
    pub fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// Whether no dict has names.
    pub fn is_empty(&self) -> bool {
        self.dicts.is_empty()
    }

    /// The keys of a dict's referents in their order; none if the dump does not name them.
    #[inline]
    pub fn keys(&self, dict: u32) -> Option<impl ExactSizeIterator<Item = Option<Symbol>> + Clone> {
        let k = self.dicts.binary_search_by_key(&dict, |&(id, _)| id).ok()?;
        let end = self.dicts.get(k + 1).map_or(self.keys.len(), |next| next.1 as usize);
        let keys = &self.keys[self.dicts[k].1 as usize..end];
        Some(keys.iter().map(|&key| (key != UNNAMED).then_some(Symbol(key))))
    }

    /// Whether the dump names the keys of this dict.
    #[inline]
    pub fn is_named(&self, dict: u32) -> bool {
        self.dicts.binary_search_by_key(&dict, |&(id, _)| id).is_ok()
    }

    /// Puts the dicts in order and drops those that do not have one key for each referent: a process that ran on
    /// while it was dumped may have changed them.
    pub(super) fn finish(&mut self, mut referents: impl FnMut(u32) -> Option<usize>) -> u64 {
        let mut order: Vec<(u32, u32, u32)> = Vec::with_capacity(self.dicts.len());
        for (k, &(id, start)) in self.dicts.iter().enumerate() {
            order.push((id, start, self.dicts.get(k + 1).map_or(self.keys.len() as u32, |next| next.1)));
        }
        order.sort_unstable();
        let (mut dicts, mut keys) = (Vec::with_capacity(order.len()), Vec::with_capacity(self.keys.len()));
        for &(id, start, end) in &order {
            let first = dicts.last().is_none_or(|&(last, _)| last != id);
            if first && referents(id) == Some((end - start) as usize) {
                dicts.push((id, keys.len() as u32));
                keys.extend_from_slice(&self.keys[start as usize..end as usize]);
            }
        }
        let dropped = (order.len() - dicts.len()) as u64;
        (self.dicts, self.keys) = (dicts, keys);
        dropped
    }

    pub(super) fn intern(&mut self, name: &str, budget: &mut Budget) -> Result<Symbol, OverBudget> {
        budget.charge(self.symbols.cost(name))?;
        Ok(self.symbols.intern(name))
    }

    /// Takes the text of a line `{"names": {"id", "keys"}}`.
    pub(super) fn read(&mut self, line: &[u8], budget: &mut Budget) -> Result<(), NamesError> {
        let start = self.keys.len();
        let mut into = Into { names: self, budget, over: None };
        let mut json = serde_json::Deserializer::from_slice(line);
        let read = Line(&mut into).deserialize(&mut json).and_then(|id| json.end().map(|()| id));
        let over = into.over;
        let id = match (read, over) {
            (_, Some(over)) => return Err(NamesError::Over(over)),
            (Err(error), None) => return Err(NamesError::Json(error)),
            (Ok(id), None) => id,
        };
        budget.reserve(&mut self.dicts, 1).map_err(NamesError::Over)?;
        let start = u32::try_from(start).map_err(|_| NamesError::TooMany)?;
        self.dicts.push((id, start));
        Ok(())
    }
}

/// Why a line of names was not taken.
#[derive(Debug)]
pub(super) enum NamesError {
    Json(serde_json::Error),
    Over(OverBudget),
    TooMany,
}

struct Into<'a> {
    names: &'a mut Names,
    budget: &'a mut Budget,
    over: Option<OverBudget>,
}

impl Into<'_> {
    fn add(&mut self, key: Option<&str>) -> Result<(), OverBudget> {
        let number = match key {
            Some(name) => self.names.intern(name, self.budget)?.0,
            None => UNNAMED,
        };
        self.budget.reserve(&mut self.names.keys, 1)?;
        self.names.keys.push(number);
        Ok(())
    }

    fn take<E: serde::de::Error>(&mut self, key: Option<&str>) -> Result<(), E> {
        self.add(key).map_err(|over| {
            self.over = Some(over);
            E::custom("too many names")
        })
    }
}

/// The outer object of a line.
struct Line<'i, 'a>(&'i mut Into<'a>);

impl<'de> DeserializeSeed<'de> for Line<'_, '_> {
    type Value = u32;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u32, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Line<'_, '_> {
    type Value = u32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("names of a dict")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<u32, M::Error> {
        let mut id = None;
        while let Some(key) = map.next_key::<&str>()? {
            if key == "names" {
                id = Some(map.next_value_seed(OfDict(&mut *self.0))?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        id.ok_or_else(|| serde::de::Error::missing_field("names"))
    }
}

/// The names of one dict.
struct OfDict<'i, 'a>(&'i mut Into<'a>);

impl<'de> DeserializeSeed<'de> for OfDict<'_, '_> {
    type Value = u32;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u32, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OfDict<'_, '_> {
    type Value = u32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the id and the keys of a dict")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<u32, M::Error> {
        let mut id = None;
        let mut keys = false;
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "id" => id = Some(map.next_value()?),
                "keys" if !keys => {
                    map.next_value_seed(Keys(&mut *self.0))?;
                    keys = true;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if !keys {
            return Err(serde::de::Error::missing_field("keys"));
        }
        id.ok_or_else(|| serde::de::Error::missing_field("id"))
    }
}

/// The list of keys.
struct Keys<'i, 'a>(&'i mut Into<'a>);

impl<'de> DeserializeSeed<'de> for Keys<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Keys<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of names and nulls")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<(), S::Error> {
        while let Some(()) = list.next_element_seed(Key(&mut *self.0))? {}
        Ok(())
    }
}

/// A name or null.
struct Key<'i, 'a>(&'i mut Into<'a>);

impl<'de> DeserializeSeed<'de> for Key<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Key<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name or null")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<(), E> {
        self.0.take(Some(name))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.0.take(None)
    }
}

/// The attributes of a class's instances, as a dump samples them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Attributes {
    /// The class.
    #[serde(rename = "type")]
    pub class: u32,
    /// Instances that were looked at.
    #[serde(default)]
    pub sampled: u64,
    /// Attributes and how many of the sampled instances had them, the most frequent first.
    #[serde(default)]
    pub names: Vec<(String, u64)>,
    /// The attributes of instances without a dict of their own, in the order in which they are kept.
    #[serde(default)]
    pub order: Vec<Option<String>>,
}
