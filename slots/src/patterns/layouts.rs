//! Profiles in every layout.

use std::collections::HashMap;
use std::rc::Rc;

use indexmap::IndexMap;

use super::profiles::{Attribute, Layout, Source};
use super::word::Word;
use crate::object::{
    Caches, Class, Counted, Dict, InlineCache, Instance, Loaded, Name, Shape, Shapes, SharedKeys, Slots,
};

fn words(source: Source) -> [Word; 3] {
    [Word::text(source.name_value()), Word::number(source.age().into()), Word::text(source.token_value())]
}

fn word_bytes<'w>(words: impl Iterator<Item = &'w Word>) -> u64 {
    words.map(Word::text_bytes).sum()
}

/// Names of the attributes, and a cache for each place that reads one.
struct Sites {
    names: [Name; 3],
    caches: [InlineCache; 3],
}

const TEXTS: [&str; 3] = ["name", "age", "api_token"];

impl Sites {
    fn new(shapes: &mut Shapes) -> Sites {
        Sites { names: TEXTS.map(|text| shapes.intern(text)), caches: [InlineCache::new(); 3] }
    }
}

/// A struct of three words in a box.
pub struct Plain;

impl Layout for Plain {
    type Object = Box<[Word; 3]>;

    fn new() -> Plain {
        Plain
    }

    fn make(&mut self, source: Source) -> Box<[Word; 3]> {
        Box::new(words(source))
    }

    #[inline]
    fn read(&mut self, object: &Box<[Word; 3]>, attribute: Attribute) -> u64 {
        object[attribute as usize].weight()
    }

    fn bytes(&self, object: &Box<[Word; 3]>) -> u64 {
        size_of::<[Word; 3]>() as u64 + word_bytes(object.iter())
    }
}

/// [`Slots`].
pub struct SlotObject {
    shapes: Shapes,
    class: Shape,
    sites: Sites,
}

impl Layout for SlotObject {
    type Object = Slots<Word>;

    fn new() -> SlotObject {
        let mut shapes = Shapes::new();
        let sites = Sites::new(&mut shapes);
        let class = shapes.class(&sites.names).expect("three names");
        SlotObject { shapes, class, sites }
    }

    fn make(&mut self, source: Source) -> Slots<Word> {
        Slots::with_values(self.class, words(source))
    }

    #[inline]
    fn read(&mut self, object: &Slots<Word>, attribute: Attribute) -> u64 {
        let (name, cache) =
            (self.sites.names[attribute as usize], &mut self.sites.caches[attribute as usize]);
        object.get_cached(cache, name, &self.shapes).map_or(u64::MAX, Word::weight)
    }

    fn bytes(&self, object: &Slots<Word>) -> u64 {
        object.footprint().bytes as u64 + word_bytes(object.iter(&self.shapes).map(|(_, word)| word))
    }
}

/// [`Dict`], an object whose names its class shares.
pub struct KeySharing {
    keys: SharedKeys,
    sites: Sites,
}

impl Layout for KeySharing {
    type Object = Dict<Word>;

    fn new() -> KeySharing {
        KeySharing { keys: SharedKeys::new(), sites: Sites::new(&mut Shapes::new()) }
    }

    fn make(&mut self, source: Source) -> Dict<Word> {
        let mut object = Dict::new(&mut self.keys);
        for (name, word) in self.sites.names.into_iter().zip(words(source)) {
            object.set(name, word, &mut self.keys).expect("the object's own keys");
        }
        object
    }

    #[inline]
    fn read(&mut self, object: &Dict<Word>, attribute: Attribute) -> u64 {
        let (name, cache) =
            (self.sites.names[attribute as usize], &mut self.sites.caches[attribute as usize]);
        object.get_cached(cache, name, &self.keys).map_or(u64::MAX, Word::weight)
    }

    fn bytes(&self, object: &Dict<Word>) -> u64 {
        object.footprint().bytes as u64 + word_bytes(object.iter(&self.keys).map(|(_, word)| word))
    }
}

/// Instances of one class.
struct Instances {
    class: Rc<Class<Word>>,
    caches: Caches,
    sites: Sites,
    writes: [InlineCache; 3],
}

impl Instances {
    fn new(slots: bool) -> Instances {
        let sites = Sites::new(&mut Shapes::new());
        let slots = if slots { &sites.names[..] } else { &[] };
        let class = Class::<Word, Counted>::make("User", &[], slots, slots.is_empty(), Rc::new);
        let class = class.expect("three names and no bases");
        Instances { class, caches: Caches::new(), sites, writes: [InlineCache::new(); 3] }
    }

    fn make(&mut self, source: Source) -> Instance<Word> {
        let mut object = Instance::new(&self.class);
        let sites = self.sites.names.into_iter().zip(&mut self.writes);
        for ((name, cache), word) in sites.zip(words(source)) {
            object.set_cached(cache, &mut self.caches, name, word).expect("a place for the value");
        }
        object
    }

    #[inline]
    fn read(&mut self, object: &Instance<Word>, attribute: Attribute) -> u64 {
        let (name, cache) =
            (self.sites.names[attribute as usize], &mut self.sites.caches[attribute as usize]);
        match object.get_cached(cache, &mut self.caches, name) {
            Ok(Loaded::Own(word)) => word.weight(),
            _ => u64::MAX,
        }
    }

    fn bytes(&self, object: &Instance<Word>) -> u64 {
        let own = self.sites.names.into_iter().filter_map(|name| match object.get(name) {
            Ok(Loaded::Own(word)) => Some(word),
            _ => None,
        });
        object.footprint().bytes as u64 + word_bytes(own)
    }
}

macro_rules! instances {
    ($(#[$doc:meta])* $layout:ident, $slots:literal) => {
        $(#[$doc])*
        pub struct $layout(Instances);

        impl Layout for $layout {
            type Object = Instance<Word>;

            fn new() -> $layout {
                $layout(Instances::new($slots))
            }

            fn make(&mut self, source: Source) -> Instance<Word> {
                self.0.make(source)
            }

            #[inline]
            fn read(&mut self, object: &Instance<Word>, attribute: Attribute) -> u64 {
                self.0.read(object, attribute)
            }

            fn bytes(&self, object: &Instance<Word>) -> u64 {
                self.0.bytes(object)
            }
        }
    };
}

instances!(
    /// [`Instance`] of a class with slots.
    SlotInstance,
    true
);
instances!(
    /// [`Instance`] with inline values.
    InlineProfile,
    false
);

/// Bytes that hashbrown asks for so many buckets, with entries of this size (its documentation of the layout: control
/// bytes for the buckets and a group of 16 more, entries before them).
fn hashbrown_bytes(capacity: usize, entry: usize) -> u64 {
    if capacity == 0 {
        return 0;
    }
    let buckets = if capacity < 4 {
        4
    } else if capacity < 8 {
        8
    } else {
        (capacity * 8 / 7).next_power_of_two()
    };
    ((entry * buckets).next_multiple_of(16) + buckets + 16) as u64
}

/// A map of texts in each object; each kind says how many bytes it asks for beside those of the words.
macro_rules! maps {
    ($(#[$doc:meta])* $layout:ident, $map:ident, |$object:ident| $bytes:expr) => {
        $(#[$doc])*
        pub struct $layout;

        impl Layout for $layout {
            type Object = $map<&'static str, Word>;

            fn new() -> $layout {
                $layout
            }

            fn make(&mut self, source: Source) -> Self::Object {
                TEXTS.into_iter().zip(words(source)).collect()
            }

            #[inline]
            fn read(&mut self, object: &Self::Object, attribute: Attribute) -> u64 {
                object.get(TEXTS[attribute as usize]).map_or(u64::MAX, Word::weight)
            }

            fn bytes(&self, $object: &Self::Object) -> u64 {
                let map: u64 = $bytes;
                map + word_bytes($object.values())
            }
        }
    };
}

maps!(
    /// A [`HashMap`] in each object.
    PlainMap,
    HashMap,
    |object| hashbrown_bytes(object.capacity(), size_of::<(&str, Word)>())
);
maps!(
    /// An [`IndexMap`] in each object: entries in a list, their positions in a table.
    PlainIndexMap,
    IndexMap,
    |object| {
        let entries = object.capacity() * size_of::<(u64, &str, Word)>();
        entries as u64 + hashbrown_bytes(object.len(), size_of::<usize>())
    }
);

/// A struct that knows its types: a short name in place, a byte of age, the token's 16 bytes.
pub struct TypedProfile;

/// What a Rust program that knows its attributes would write.
pub struct Typed {
    name: [u8; 22],
    name_len: u8,
    age: u8,
    token: [u8; 16],
}

impl Layout for TypedProfile {
    type Object = Box<Typed>;

    fn new() -> TypedProfile {
        TypedProfile
    }

    fn make(&mut self, source: Source) -> Box<Typed> {
        let text = source.name();
        let mut name = [0; 22];
        name[..text.len()].copy_from_slice(text.as_bytes());
        Box::new(Typed { name, name_len: text.len() as u8, age: source.age(), token: source.token() })
    }

    #[inline]
    fn read(&mut self, object: &Box<Typed>, attribute: Attribute) -> u64 {
        match attribute {
            Attribute::Name => object.name[..object.name_len.into()].len() as u64,
            Attribute::Age => object.age.into(),
            Attribute::Token => 2 * object.token.len() as u64,
        }
    }

    fn bytes(&self, _: &Box<Typed>) -> u64 {
        size_of::<Typed>() as u64
    }
}

/// A column for each attribute.
pub struct Columns {
    names: Vec<u8>,
    ends: Vec<u32>,
    ages: Vec<u8>,
    tokens: Vec<[u8; 16]>,
}

impl Layout for Columns {
    type Object = u32;

    fn new() -> Columns {
        Columns { names: Vec::new(), ends: Vec::new(), ages: Vec::new(), tokens: Vec::new() }
    }

    fn make(&mut self, source: Source) -> u32 {
        self.names.extend_from_slice(source.name().as_bytes());
        self.ends.push(self.names.len() as u32);
        self.ages.push(source.age());
        self.tokens.push(source.token());
        self.ages.len() as u32 - 1
    }

    #[inline]
    fn read(&mut self, &object: &u32, attribute: Attribute) -> u64 {
        let row = object as usize;
        match attribute {
            Attribute::Name => {
                let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
                u64::from(self.ends[row] - start)
            }
            Attribute::Age => self.ages[row].into(),
            Attribute::Token => 2 * self.tokens[row].len() as u64,
        }
    }

    fn bytes(&self, &object: &u32) -> u64 {
        let row = object as usize;
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        // A number of the list, its column, and what the columns hold of the row.
        u64::from(self.ends[row] - start) + 4 + 1 + 16
    }
}
