//! The feature `checked`: who made a reference, and what became of its object.
//!
//! With the feature every pointer carries the place it was made at, and a table of the process knows of every object where it was created, whether
//! it has died, and where the reference was made that it died with. Every use, clone and drop looks there first, before any memory is touched:
//! a reference that was taken back twice through `from_raw` is caught when it is used or dropped after the object's death, and so is one made of an
//! address whose object is gone. The memory of the last [`QUARANTINE`] dead objects of each thread is kept, so that no new object is there
//! (but for objects that may borrow, whose allocator may be gone).
//!
//! Without the feature all of this is empty and costs nothing.

#[cfg(not(feature = "checked"))]
mod off {
    #![allow(unsafe_code, reason = "the same signature as with the feature")]

    use core::alloc::Layout;
    use core::ptr::NonNull;

    /// Nothing.
    #[derive(Clone, Copy)]
    pub(crate) struct Origin;

    impl Origin {
        #[inline(always)]
        pub(crate) fn here(_: *const ()) -> Origin {
            Origin
        }

        #[inline(always)]
        pub(crate) fn check(self, _: *const ()) {}

        #[inline(always)]
        pub(crate) fn may_drop(self, _: *const ()) -> bool {
            true
        }

        #[inline(always)]
        pub(crate) fn died(self, _: *const ()) {}
    }

    #[inline(always)]
    pub(crate) fn born(_: *const ()) {}

    /// Frees the memory: `free` is called at once.
    ///
    /// # Safety
    ///
    /// None without the feature.
    #[inline(always)]
    pub(crate) unsafe fn retire(
        _: bool,
        memory: NonNull<u8>,
        layout: Layout,
        free: impl FnOnce(NonNull<u8>, Layout),
    ) {
        free(memory, layout);
    }
}

#[cfg(feature = "checked")]
mod on {
    #![allow(unsafe_code, reason = "what waits in quarantine is erased")]

    use std::alloc::Layout;
    use std::cell::RefCell;
    use std::collections::{HashMap, VecDeque};
    use std::mem;
    use std::panic::Location;
    use std::ptr::NonNull;
    use std::sync::{LazyLock, Mutex, MutexGuard};

    type Site = &'static Location<'static>;

    /// How many dead objects of a thread keep their memory.
    const QUARANTINE: usize = 1024;

    struct Life {
        serial: u64,
        born: Site,
        /// Where the reference was made whose end was the object's.
        died: Option<Site>,
    }

    #[derive(Default)]
    struct Table {
        lives: HashMap<usize, Life>,
        serial: u64,
    }

    static TABLE: LazyLock<Mutex<Table>> = LazyLock::new(Mutex::default);

    fn table() -> MutexGuard<'static, Table> {
        TABLE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Where a reference was made, and to which of the objects that have been at its address.
    ///
    /// Serial 0 stands for objects that were not born here: immortal ones in statics.
    #[derive(Clone, Copy)]
    pub(crate) struct Origin {
        site: Site,
        serial: u64,
    }

    impl Origin {
        /// For a reference made by the caller.
        ///
        /// # Panics
        ///
        /// The object is dead.
        #[track_caller]
        pub(crate) fn here(object: *const ()) -> Origin {
            let site = Location::caller();
            let (serial, complaint) = match table().lives.get(&object.addr()) {
                None => (0, None),
                Some(life) => (
                    life.serial,
                    life.died.map(|died| {
                        format!(
                            "a reference is made at {site} to an object that was created at {} and died with the reference made at {died}",
                            life.born
                        )
                    }),
                ),
            };
            match complaint {
                Some(complaint) => panic!("{complaint}"),
                None => Origin { site, serial },
            }
        }

        /// Why this reference must not be used, if so.
        fn complaint(self, object: *const ()) -> Option<String> {
            let site = self.site;
            match table().lives.get(&object.addr()) {
                None if self.serial == 0 => None,
                Some(life) if life.serial == self.serial => life.died.map(|died| {
                    format!(
                        "the reference made at {site} outlives its object, which was created at {} and died with the reference made at {died}",
                        life.born
                    )
                }),
                None => Some(format!("the reference made at {site} outlives its object, whose memory has been freed")),
                Some(other) => Some(format!(
                    "the reference made at {site} outlives its object, whose memory belongs to an object created at {}",
                    other.born
                )),
            }
        }

        /// Before every use.
        ///
        /// # Panics
        ///
        /// The object is dead.
        #[track_caller]
        pub(crate) fn check(self, object: *const ()) {
            if let Some(complaint) = self.complaint(object) {
                panic!("{complaint}, and is used at {}", Location::caller());
            }
        }

        /// Before a drop: `false` if there is nothing to drop and the thread is unwinding already.
        ///
        /// # Panics
        ///
        /// The object is dead, and the thread is not unwinding.
        pub(crate) fn may_drop(self, object: *const ()) -> bool {
            let Some(complaint) = self.complaint(object) else { return true };
            assert!(std::thread::panicking(), "{complaint}, and is dropped");
            false
        }

        /// The object dies with this reference.
        pub(crate) fn died(self, object: *const ()) {
            if let Some(life) = table().lives.get_mut(&object.addr()) {
                life.died = Some(self.site);
            }
        }
    }

    /// There is a new object.
    #[track_caller]
    pub(crate) fn born(object: *const ()) {
        let born = Location::caller();
        let mut table = table();
        table.serial += 1;
        let life = Life { serial: table.serial, born, died: None };
        table.lives.insert(object.addr(), life);
    }

    /// Memory of a dead object, and how it is freed.
    struct Retired {
        memory: NonNull<u8>,
        layout: Layout,
        free: Box<dyn FnOnce(NonNull<u8>, Layout)>,
    }

    impl Drop for Retired {
        fn drop(&mut self) {
            table().lives.remove(&self.memory.addr().get());
            let free = mem::replace(&mut self.free, Box::new(|_, _| {}));
            free(self.memory, self.layout);
        }
    }

    thread_local! {
        static RETIRED: RefCell<VecDeque<Retired>> = const { RefCell::new(VecDeque::new()) };
    }

    /// Frees the memory of a dead object: later, if `may_wait`.
    ///
    /// # Safety
    ///
    /// If `may_wait`, what `free` captures is `'static`, whatever its type says.
    pub(crate) unsafe fn retire(
        may_wait: bool,
        memory: NonNull<u8>,
        layout: Layout,
        free: impl FnOnce(NonNull<u8>, Layout),
    ) {
        let free: Box<dyn FnOnce(NonNull<u8>, Layout) + '_> = Box::new(free);
        // SAFETY: only the lifetime changes. It is called before this function returns, or it is `'static` by the caller's promise.
        let free: Box<dyn FnOnce(NonNull<u8>, Layout)> = unsafe { mem::transmute(free) };
        let retired = Retired { memory, layout, free };
        if !may_wait {
            return drop(retired);
        }
        let mut waiting = Some(retired);
        // At the end of the thread there is no quarantine any more, and `waiting` is dropped here.
        let oldest = RETIRED.try_with(|queue| {
            let mut queue = queue.borrow_mut();
            queue.extend(waiting.take());
            if queue.len() > QUARANTINE { queue.pop_front() } else { None }
        });
        // Outside the borrow, as it may run user code: the allocator's.
        drop(oldest);
    }
}

#[cfg(not(feature = "checked"))]
pub(crate) use off::{Origin, born, retire};
#[cfg(feature = "checked")]
pub(crate) use on::{Origin, born, retire};
