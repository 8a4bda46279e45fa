//! User profiles: name, age, API token.

use std::hash::{BuildHasherDefault, DefaultHasher};
use std::hint::black_box;

use super::outcome::{Outcome, Random, Scale};
use crate::object::Text;

/// Objects that are read again and again.
const HOT: usize = 1000;
/// Objects of which there are many.
pub(super) const MANY: usize = 1_000_000;

/// An attribute of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// `user17`.
    Name,
    /// 0 to 99.
    Age,
    /// 32 hexadecimal digits.
    Token,
}

/// What the profile of a number holds.
#[derive(Clone, Copy, Debug)]
pub struct Source(pub u32);

/// The hasher of texts.
pub(super) type Hasher = BuildHasherDefault<DefaultHasher>;

impl Source {
    /// The name.
    pub fn name(self) -> String {
        format!("user{}", self.0)
    }

    /// The age.
    pub fn age(self) -> u8 {
        (self.0 % 100) as u8
    }

    /// The token's 16 bytes.
    pub fn token(self) -> [u8; 16] {
        (u128::from(self.0) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes()
    }

    /// The token, written out.
    pub fn token_text(self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digits = self.token().into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
        digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
    }

    /// A text of the name.
    pub fn name_value(self) -> Text {
        Text::new(&self.name(), &Hasher::default())
    }

    /// A text of the token.
    pub fn token_value(self) -> Text {
        Text::new(&self.token_text(), &Hasher::default())
    }

    /// What reading an attribute should give.
    pub fn weight(self, attribute: Attribute) -> u64 {
        match attribute {
            Attribute::Name => 5 + u64::from(self.0.max(1).ilog10()),
            Attribute::Age => self.age().into(),
            Attribute::Token => 32,
        }
    }
}

/// A way to lay out profiles.
pub trait Layout {
    /// What stands for a profile.
    type Object;

    /// A program that has not made any yet.
    fn new() -> Self;

    /// Makes a profile.
    fn make(&mut self, source: Source) -> Self::Object;

    /// Reads an attribute at a place in the program: the age, or the length of a text.
    fn read(&mut self, object: &Self::Object, attribute: Attribute) -> u64;

    /// Bytes that a profile has asked for, its texts included.
    fn bytes(&self, object: &Self::Object) -> u64;
}

fn made<L: Layout>(layout: &mut L, count: usize) -> Vec<L::Object> {
    (0..count as u32).map(|i| layout.make(Source(i))).collect()
}

/// Reads the age of a thousand objects, again and again.
pub(super) fn hot<L: Layout>(scale: Scale) -> Outcome {
    let mut layout = L::new();
    let objects = made(&mut layout, HOT);
    let expected: u64 = (0..HOT as u32).map(|i| Source(i).weight(Attribute::Age)).sum();
    let rounds = scale.of(20_000);
    layout.read(&objects[0], Attribute::Age);
    Outcome::of(|| {
        let mut wrong = 0;
        for _ in 0..rounds {
            let sum: u64 =
                black_box(&objects[..]).iter().map(|object| layout.read(object, Attribute::Age)).sum();
            wrong += u64::from(sum != expected);
        }
        (rounds * HOT, wrong)
    })
}

/// Reads the age of each of a million objects, in random order.
pub(super) fn shuffled<L: Layout>(scale: Scale) -> Outcome {
    let mut layout = L::new();
    let count = scale.of(MANY);
    let objects = made(&mut layout, count);
    let order = Random::new(7).shuffled(count);
    let expected: u64 = (0..count as u32).map(|i| Source(i).weight(Attribute::Age)).sum();
    layout.read(&objects[0], Attribute::Age);
    Outcome::of(|| {
        let read = |&i: &u32| layout.read(&objects[i as usize], Attribute::Age);
        let sum: u64 = order.iter().map(read).sum();
        (count, u64::from(sum != expected))
    })
}

/// Makes a million profiles with their strings.
pub(super) fn build<L: Layout>(scale: Scale) -> Outcome {
    let mut layout = L::new();
    let count = scale.of(MANY);
    let mut objects = Vec::with_capacity(count);
    let mut outcome = Outcome::of(|| {
        objects.extend((0..count as u32).map(|i| layout.make(Source(i))));
        (count, 0)
    });
    for (i, object) in (0..).zip(&objects) {
        for attribute in [Attribute::Name, Attribute::Age, Attribute::Token] {
            outcome.wrong += u64::from(layout.read(object, attribute) != Source(i).weight(attribute));
        }
    }
    let held = objects.iter().map(|object| layout.bytes(object)).sum::<u64>();
    let list = count * size_of::<L::Object>();
    outcome.holding(held + list as u64, count)
}
