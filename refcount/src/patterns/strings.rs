//! Finding strings that are interned already.

use super::subject::Outcome;
use crate::intern::{Immortal, Interner, Strong, SyncInterner};
use core::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

const WORDS: usize = 1024;

/// An interner for one thread.
pub(super) trait Strings: Default {
    type Key: PartialEq;

    fn intern(&mut self, text: &str) -> Self::Key;

    fn is(&self, key: &Self::Key, text: &str) -> bool;
}

/// An interner for many threads.
pub(super) trait SharedStrings: Default + Sync {
    type Key: PartialEq + Send;

    fn intern(&self, text: &str) -> Self::Key;

    fn is(&self, key: &Self::Key, text: &str) -> bool;
}

impl<S: SharedStrings> Strings for S {
    type Key = S::Key;

    #[inline]
    fn intern(&mut self, text: &str) -> S::Key {
        SharedStrings::intern(self, text)
    }

    fn is(&self, key: &S::Key, text: &str) -> bool {
        SharedStrings::is(self, key, text)
    }
}

impl Strings for Interner<crate::rc::Rc<str>, Strong> {
    type Key = crate::rc::Rc<str>;

    #[inline]
    fn intern(&mut self, text: &str) -> Self::Key {
        Interner::intern(self, text)
    }

    fn is(&self, key: &Self::Key, text: &str) -> bool {
        **key == *text
    }
}

impl SharedStrings for SyncInterner<crate::sync::Arc<str>, Immortal> {
    type Key = crate::sync::Arc<str>;

    #[inline]
    fn intern(&self, text: &str) -> Self::Key {
        SyncInterner::intern(self, text)
    }

    fn is(&self, key: &Self::Key, text: &str) -> bool {
        **key == *text
    }
}

#[cfg(feature = "rivals")]
mod rivals {
    use super::*;

    impl Strings for lasso::Rodeo {
        type Key = lasso::Spur;

        #[inline]
        fn intern(&mut self, text: &str) -> lasso::Spur {
            self.get_or_intern(text)
        }

        fn is(&self, key: &lasso::Spur, text: &str) -> bool {
            self.resolve(key) == text
        }
    }

    impl SharedStrings for lasso::ThreadedRodeo {
        type Key = lasso::Spur;

        #[inline]
        fn intern(&self, text: &str) -> lasso::Spur {
            self.get_or_intern(text)
        }

        fn is(&self, key: &lasso::Spur, text: &str) -> bool {
            self.resolve(key) == text
        }
    }

    impl Strings for string_interner::DefaultStringInterner {
        type Key = string_interner::DefaultSymbol;

        #[inline]
        fn intern(&mut self, text: &str) -> Self::Key {
            self.get_or_intern(text)
        }

        fn is(&self, key: &Self::Key, text: &str) -> bool {
            self.resolve(*key) == Some(text)
        }
    }

    /// The interner of the process.
    #[derive(Default)]
    pub(in super::super) struct Ustr;

    impl SharedStrings for Ustr {
        type Key = ustr::Ustr;

        #[inline]
        fn intern(&self, text: &str) -> ustr::Ustr {
            ustr::ustr(text)
        }

        fn is(&self, key: &ustr::Ustr, text: &str) -> bool {
            key.as_str() == text
        }
    }
}

#[cfg(feature = "rivals")]
pub(super) use rivals::Ustr;

/// Different strings of so many bytes.
fn words(bytes: usize) -> Vec<String> {
    let mut state = 1_u64;
    let mut letter = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'a' + u8::try_from((state >> 33) % 26).unwrap_or(0))
    };
    let mut words: Vec<String> = Vec::new();
    while words.len() < WORDS {
        let word: String = (0..bytes).map(|_| letter()).collect();
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

fn hits<K>(operations: u64, words: &[String], offset: usize, mut intern: impl FnMut(&str) -> K) -> Duration {
    let start = Instant::now();
    let mut at = offset;
    for _ in 0..operations {
        at = (at + 617) % WORDS;
        drop(black_box(intern(black_box(&words[at]))));
    }
    start.elapsed()
}

pub(super) fn alone<S: Strings>(operations: u64, bytes: usize) -> Outcome {
    let words = words(bytes);
    let mut interner = S::default();
    let keys: Vec<S::Key> = words.iter().map(|word| interner.intern(word)).collect();
    let elapsed = hits(operations, &words, 0, |word| interner.intern(word));
    let wrong = words
        .iter()
        .zip(&keys)
        .filter(|(word, key)| interner.intern(word) != **key || !interner.is(key, word));
    let wrong = wrong.count() as u64;
    Outcome { operations, elapsed, wrong, ..Outcome::default() }
}

/// The time is the mean of both threads; the operations are one thread's.
pub(super) fn together<S: SharedStrings>(operations: u64, bytes: usize) -> Outcome {
    let words = words(bytes);
    let interner = S::default();
    let keys: Vec<S::Key> = words.iter().map(|word| SharedStrings::intern(&interner, word)).collect();
    let barrier = Barrier::new(2);
    let run = |offset: usize| {
        barrier.wait();
        hits(operations, &words, offset, |word| SharedStrings::intern(&interner, word))
    };
    let elapsed: Duration = thread::scope(|scope| {
        let threads = [0, WORDS / 3].map(|offset| scope.spawn(move || run(offset)));
        threads.map(|thread| thread.join().expect("no panic")).into_iter().sum()
    });
    let is_right = |(word, key): &(&String, &S::Key)| {
        SharedStrings::intern(&interner, word) == **key && SharedStrings::is(&interner, key, word)
    };
    let wrong = words.iter().zip(&keys).filter(|pair| !is_right(pair)).count() as u64;
    Outcome { operations, elapsed: elapsed / 2, wrong, ..Outcome::default() }
}
