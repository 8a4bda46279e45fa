//! Interning, with every pointer, every way to hold what is interned, and several threads.

use cpymem_refcount::biased::BiasedRc;
use cpymem_refcount::intern::{
    CPYTHON, CPYTHON_3_15, Immortal, Interner, Keep, LocalHits, Pointer, SharedHits, SmallInts, Stats,
    Strong, SyncInterner, Weakly,
};
use cpymem_refcount::rc::Rc;
use cpymem_refcount::sync::Arc;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Whatever the pointer: equal values are one object, others are not; compared with a map on seeded random words.
fn one_object_for_equal_values<R, K>()
where
    R: Pointer<Target = str> + for<'a> From<&'a str>,
    K: Keep<R>,
{
    let mut interner: Interner<R, K> = Interner::new();
    let mut oracle: HashMap<String, R> = HashMap::new();
    let mut state = 1_u64;
    let mut hits = 0;
    for _ in 0..5_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let word = format!("{:x}", (state >> 33) % 700);
        let object = interner.intern(word.as_str());
        assert_eq!(*object, *word);
        match oracle.get(&word) {
            Some(known) => {
                hits += 1;
                assert!(std::ptr::eq(&**known, &*object), "{word}");
            }
            None => drop(oracle.insert(word, object)),
        }
    }
    assert_eq!(interner.len(), oracle.len());
    assert_eq!(interner.stats(), Stats { hits, misses: 5_000 - hits, swept: 0 });
    assert!(interner.get("not a number").is_none());
    assert!(
        oracle.iter().all(|(word, object)| interner
            .get(word.as_str())
            .is_some_and(|it| std::ptr::eq(&*it, &**object)))
    );
}

#[test]
fn every_pointer_and_every_way_to_hold() {
    one_object_for_equal_values::<Rc<str>, Strong>();
    one_object_for_equal_values::<Rc<str>, Weakly>();
    one_object_for_equal_values::<Arc<str>, Strong>();
    one_object_for_equal_values::<Arc<str>, Weakly>();
    one_object_for_equal_values::<BiasedRc<str>, Strong>();
    one_object_for_equal_values::<BiasedRc<str>, Weakly>();
}

#[test]
fn immortal_values() {
    let mut interner: Interner<Arc<str>, Immortal> = Interner::new();
    let spam = interner.intern("spam");
    assert!(Arc::is_immortal(&spam) && Arc::ptr_eq(&spam, &interner.intern("spam")));
    drop(interner);
    assert_eq!(&*spam, "spam");
}

#[test]
fn what_nobody_has_is_swept() {
    let mut interner: Interner<Rc<u64>, Weakly> = Interner::new();
    let kept: Vec<_> = (0..10).map(|i| interner.intern_value(i)).collect();
    for i in 100..10_000 {
        drop(interner.intern_value(i));
    }
    assert!(interner.len() < 100, "a full table sweeps before it grows: {}", interner.len());
    assert_eq!((interner.stats().hits, interner.stats().misses), (0, 9_910));
    interner.sweep();
    assert_eq!(interner.len(), 10);
    assert!(kept.iter().all(|object| Rc::ptr_eq(object, &interner.intern_value(**object))));
    assert_eq!(interner.stats().swept, 9_900);
    drop(kept);
    assert_eq!((interner.sweep(), interner.is_empty()), (10, true));
}

#[test]
fn other_values_and_other_hashers() {
    /// All hashes are equal.
    #[derive(Default)]
    struct Same;
    impl Hasher for Same {
        fn finish(&self) -> u64 {
            7
        }
        fn write(&mut self, _: &[u8]) {}
    }
    impl BuildHasher for Same {
        type Hasher = Same;
        fn build_hasher(&self) -> Same {
            Same
        }
    }
    let mut interner: Interner<Rc<[u16]>, Weakly, Same> = Interner::with_hasher(Same);
    let all: Vec<_> = (0..50_u16).map(|i| interner.intern(&[i, i + 1][..])).collect();
    assert!(all.iter().enumerate().all(|(i, object)| object[0] == i as u16));
    assert!(all.iter().all(|object| Rc::ptr_eq(object, &interner.intern(&**object))));
    let built = interner.intern_with(&[1_u16][..], |values| values.iter().copied().collect());
    assert_eq!(&*built, &[1]);
}

#[test]
fn a_panic_leaves_the_interner_as_it_was() {
    let shared: SyncInterner<Arc<str>> = SyncInterner::new();
    let mut local: Interner<Rc<str>> = Interner::new();
    assert!(catch_unwind(AssertUnwindSafe(|| shared.intern_with("a", |_| panic!("no value")))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| local.intern_with("a", |_| panic!("no value")))).is_err());
    assert_eq!((&*shared.intern("a"), &*local.intern("a")), ("a", "a"));

    #[derive(Clone)]
    struct Awkward(u8);
    impl Hash for Awkward {
        fn hash<H: Hasher>(&self, state: &mut H) {
            1_u8.hash(state);
        }
    }
    impl PartialEq for Awkward {
        fn eq(&self, other: &Awkward) -> bool {
            assert!(self.0 != 3 && other.0 != 3, "not comparable");
            self.0 == other.0
        }
    }
    impl Eq for Awkward {}
    let shared: SyncInterner<Arc<Awkward>, Strong> = SyncInterner::new();
    let make = |value: &Awkward| Arc::new(value.clone());
    shared.intern_with(&Awkward(1), make);
    assert!(catch_unwind(AssertUnwindSafe(|| shared.intern_with(&Awkward(3), make))).is_err());
    shared.intern_with(&Awkward(1), make);
    assert_eq!(shared.len(), 1, "the lock is open");
}

fn threads_agree<R, K>(interner: &'static SyncInterner<R, K>, same: fn(&R, &R) -> bool)
where
    R: Pointer<Target = str> + for<'a> From<&'a str> + Send + Sync + 'static,
    K: Keep<R, Kept: Send> + 'static,
{
    let words = |thread: usize| {
        move || {
            (0..500)
                .map(|i| interner.intern(format!("{}", (i + thread * 7) % 300).as_str()))
                .collect::<Vec<_>>()
        }
    };
    let threads: Vec<_> = (0..4).map(|thread| thread::spawn(words(thread))).collect();
    let all: Vec<Vec<R>> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    for (thread, words) in all.iter().enumerate() {
        for (i, word) in words.iter().enumerate() {
            let number = (i + thread * 7) % 300;
            assert_eq!(**word, *number.to_string());
            assert!(same(word, &interner.intern(&**word)));
        }
    }
    assert_eq!(interner.len(), 300);
    assert_eq!(interner.stats().hits + interner.stats().misses, 4_000);
}

#[test]
fn several_threads() {
    threads_agree::<Arc<str>, Immortal>(Box::leak(Box::default()), Arc::ptr_eq);
    threads_agree::<Arc<str>, Strong>(Box::leak(Box::default()), Arc::ptr_eq);
    threads_agree::<Arc<str>, Weakly>(Box::leak(Box::default()), Arc::ptr_eq);
    threads_agree::<BiasedRc<str>, Weakly>(Box::leak(Box::default()), BiasedRc::ptr_eq);
    threads_agree::<BiasedRc<str>, Immortal>(Box::leak(Box::default()), BiasedRc::ptr_eq);
}

/// Values that die while others look for them, with a destructor that uses the interner that it was in.
#[test]
fn weakly_held_values_come_and_go() {
    static INTERNER: std::sync::LazyLock<SyncInterner<Arc<Word>, Weakly>> =
        std::sync::LazyLock::new(SyncInterner::new);
    static LIVING: AtomicUsize = AtomicUsize::new(0);
    #[derive(PartialEq, Eq, Hash)]
    struct Word(u32);
    impl Drop for Word {
        fn drop(&mut self) {
            assert!(INTERNER.get(&Word2(self.0)).is_none_or(|other| other.0 == self.0));
            LIVING.fetch_sub(1, Ordering::SeqCst);
        }
    }
    #[derive(Hash)]
    struct Word2(u32);
    impl hashbrown::Equivalent<Word> for Word2 {
        fn equivalent(&self, word: &Word) -> bool {
            self.0 == word.0
        }
    }
    let make = |key: &Word2| {
        LIVING.fetch_add(1, Ordering::SeqCst);
        Arc::new(Word(key.0))
    };
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for i in 0..20_000 {
                    let object = INTERNER.intern_with(&Word2(i % 7), make);
                    assert_eq!(object.0, i % 7);
                }
            });
        }
    });
    assert_eq!(LIVING.load(Ordering::SeqCst), 0);
    INTERNER.sweep();
    assert!(INTERNER.is_empty());
}

#[test]
fn small_integers() {
    let ints: SmallInts<Rc<i64>, LocalHits> = SmallInts::new(CPYTHON);
    for i in [-5, 0, 256] {
        assert!(*ints.get(i) == i && Rc::ptr_eq(&ints.get(i), &ints.get(i)));
    }
    for i in [-6, 257, i64::MIN, i64::MAX] {
        assert!(*ints.get(i) == i && !Rc::ptr_eq(&ints.get(i), &ints.get(i)));
    }
    assert_eq!(ints.hits_and_misses(), (9, 12));
    let ints: SmallInts<BiasedRc<i64>, SharedHits> = SmallInts::new_immortal(CPYTHON_3_15);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..2_000).for_each(|i| assert_eq!(*ints.get(i), i)));
        }
    });
    assert_eq!(ints.hits_and_misses(), (2_050, 1_950));
    #[expect(clippy::reversed_empty_ranges, reason = "no integers")]
    let none: SmallInts<Arc<i64>> = SmallInts::new(5..=4);
    assert_eq!((*none.get(5), none.hits_and_misses()), (5, (0, 0)));
}
