//! An interner: the words of a text, each of them one object however often it occurs, found by two threads.
//!
//! ```text
//! cargo run --release -p cpymem-refcount --example interner [FILE]
//! ```

use cpymem_refcount::intern::{CPYTHON, Immortal, Interner, LocalHits, SmallInts, SyncInterner, Weakly};
use cpymem_refcount::rc::Rc;
use cpymem_refcount::sync::Arc;
use std::thread;

const TEXT: &str = "the Larch and the Horse Chestnut\nand the Larch again\n";

fn main() -> std::io::Result<()> {
    let text = match std::env::args().nth(1) {
        Some(path) => std::fs::read_to_string(path)?,
        None => TEXT.repeat(1_000),
    };

    // Immortal words for all threads: a clone of one writes nowhere.
    let words: SyncInterner<Arc<str>, Immortal> = SyncInterner::new();
    let all = || text.split_whitespace().map(|word| words.intern(word)).collect::<Vec<Arc<str>>>();
    let (mine, theirs) = thread::scope(|scope| {
        let other = scope.spawn(all);
        (all(), other.join().expect("no panic"))
    });
    assert!(mine.iter().zip(&theirs).all(|(mine, theirs)| Arc::ptr_eq(mine, theirs)), "the same objects");
    println!("{} words, {} of them different: {:?}", mine.len(), words.len(), words.stats());

    // Lines that are kept only as long as somebody has them.
    let mut lines: Interner<Rc<str>, Weakly> = Interner::new();
    let held: Vec<Rc<str>> = text.lines().map(|line| lines.intern(line)).collect();
    let different = lines.len();
    drop(held);
    println!("{different} different lines; nobody has them any more: {} swept", lines.sweep());
    assert!(lines.is_empty());

    // CPython's small integers, for the lengths of the words.
    let ints: SmallInts<Rc<i64>, LocalHits> = SmallInts::new(CPYTHON);
    let lengths: Vec<Rc<i64>> = mine
        .iter()
        .filter_map(|word| i64::try_from(word.len()).ok())
        .map(|length| ints.get(length))
        .collect();
    let (hits, misses) = ints.hits_and_misses();
    println!("{} lengths: {hits} existed already, {misses} had to be made", lengths.len());
    Ok(())
}
