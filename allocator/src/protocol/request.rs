//! Something that anybody may ask of the owner of a heap, who sees it when it passes by.
#![cfg_attr(not(loom), allow(unreachable_pub, reason = "public for loom alone"))]

use super::sync::{AtomicBool, Ordering, const_unless_loom};

/// Whether something was asked and not done yet.
#[derive(Debug)]
pub struct Request {
    asked: AtomicBool,
}

impl Request {
    const_unless_loom! {
        /// Nothing was asked.
        pub fn new() -> Request {
            Request { asked: AtomicBool::new(false) }
        }
    }

    /// Asks. Whoever asks twice before it was done asks once.
    pub fn ask(&self) {
        // Relaxed: the request orders nothing, and may be seen late.
        self.asked.store(true, Ordering::Relaxed);
    }

    /// True once for what was asked. One load if nothing was.
    #[inline]
    pub fn take(&self) -> bool {
        // Relaxed: as above. The exchange is what lets no request between the two get lost.
        self.asked.load(Ordering::Relaxed) && self.asked.swap(false, Ordering::Relaxed)
    }
}

impl Default for Request {
    fn default() -> Request {
        Request::new()
    }
}
