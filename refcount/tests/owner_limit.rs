//! When there are no more slots for threads, objects are born merged. (Its own process: the limit is the process's.)

use cpymem_refcount::biased::{BiasedRc, poll};
use cpymem_refcount::raw::biased::{is_owner, set_owner_limit};
use std::thread;

#[test]
fn objects_of_threads_without_a_slot_are_born_merged() {
    let before = set_owner_limit(1);
    assert_eq!(before, 65_535);
    let mine = BiasedRc::new(1);
    assert!(BiasedRc::is_owned(&mine) && is_owner());
    let given = mine.clone();
    let theirs = thread::spawn(move || {
        let mut object = BiasedRc::new(2);
        assert!(!is_owner() && !BiasedRc::is_owned(&object) && !BiasedRc::adopt(&mut object));
        *BiasedRc::get_mut(&mut object).unwrap() += *given;
        let weak = BiasedRc::downgrade(&object);
        let clones = [object.clone(), object.clone()];
        assert_eq!((BiasedRc::strong_count(&object), weak.strong_count()), (3, 3));
        drop((object, clones));
        assert!(weak.upgrade().is_none());
        assert_eq!(BiasedRc::try_unwrap(BiasedRc::new_cyclic(|_| 4)), Ok(4));
        BiasedRc::new(3)
    })
    .join()
    .unwrap();
    assert_eq!((*theirs, BiasedRc::strong_count(&theirs)), (3, 1));
    assert_eq!(poll(), 1, "what the other thread left");
    drop(theirs);
    // Those who end make room.
    set_owner_limit(2);
    for _ in 0..100 {
        thread::spawn(|| assert!(BiasedRc::is_owned(&BiasedRc::new(1)))).join().unwrap();
    }
}
