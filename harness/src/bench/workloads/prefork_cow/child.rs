//! A forked child that does something to its memory and says how much of it it had to copy.
//!
//! The child is one thread of a process that may have had others, so whatever lock they held stays held in it. It
//! therefore does nothing but compute, read `/proc/self/smaps_rollup` by system calls into its stack, write to a pipe
//! and leave without running destructors or handlers. What it is given to do may allocate: glibc takes its
//! malloc's locks before it forks and releases them on both sides, and `cpymem_allocator` has no locks. Should it
//! hang all the same, it is killed.
#![allow(unsafe_code, reason = "calls fork, pipe, poll and _exit")]

use std::time::Instant;

use cpymem_allocator::Global;

/// What a child did to its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Made {
    /// Bytes of the parent's pages of which it made a copy. Fresh memory, of which the kernel may give whole huge
    /// pages, is not among them.
    pub(super) copied_bytes: u64,
    /// How long it took.
    pub(super) ns: u64,
}

/// Why there is no answer of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// The kernel does not tell what is shared.
    NoSmaps,
    /// The system gives no pipe or no process.
    NoChild,
    /// It ended without a word, or was killed after [`PATIENCE_MS`].
    Lost,
}

/// How long a child may take.
const PATIENCE_MS: libc::c_int = 20_000;

/// Forks; the child does `act`, which computes and allocates and does nothing else (see above), and ends.
///
/// The allocator gives back what is free before the fork. If it did so in the child, when the time for it came, the
/// pages that leave the child would look like pages that it copied.
pub(super) fn in_child(act: &dyn Fn()) -> Result<Made, Silence> {
    Global::purge();
    let mut ends = [0; 2];
    // SAFETY: the array has room for both descriptors.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
        return Err(Silence::NoChild);
    }
    let [reading, writing] = ends;
    // SAFETY: the child keeps to what the head of this file says, and does not return from `live`.
    let child = unsafe { libc::fork() };
    if child == 0 {
        live(act, writing);
    }
    close(writing);
    let answer = if child > 0 { answer(reading) } else { None };
    close(reading);
    if child < 0 {
        return Err(Silence::NoChild);
    }
    if answer.is_none() {
        // SAFETY: the child was not waited for, so its id is still its own.
        unsafe { libc::kill(child, libc::SIGKILL) };
    }
    loop {
        // SAFETY: no status is asked for.
        let waited = unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
        if waited >= 0 || std::io::Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
            break;
        }
    }
    match answer {
        None => Err(Silence::Lost),
        Some([u64::MAX, _]) => Err(Silence::NoSmaps),
        Some([copied_bytes, ns]) => Ok(Made { copied_bytes, ns }),
    }
}

/// The child's whole life.
fn live(act: &dyn Fn(), writing: libc::c_int) -> ! {
    /// Ends the process, also when a panic unwinds: the frames below are the parent's.
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            // SAFETY: ends the process without running anything of it.
            unsafe { libc::_exit(0) }
        }
    }
    let leave = Leave;
    let before = private_beside_fresh();
    let start = Instant::now();
    act();
    let ns = start.elapsed().as_nanos() as u64;
    let copied = before.and_then(|before| Some(private_beside_fresh()? - before));
    let copied = copied.map_or(u64::MAX, |bytes| u64::try_from(bytes).unwrap_or(0));
    let mut message = [0; 16];
    message[..8].copy_from_slice(&copied.to_ne_bytes());
    message[8..].copy_from_slice(&ns.to_ne_bytes());
    // SAFETY: the message has that many bytes. So few go into an empty pipe at once or not at all.
    unsafe { libc::write(writing, message.as_ptr().cast(), message.len()) };
    drop(leave);
    unreachable!("the process has ended")
}

/// The child's message, if it comes in time.
fn answer(reading: libc::c_int) -> Option<[u64; 2]> {
    let mut wanted = libc::pollfd { fd: reading, events: libc::POLLIN, revents: 0 };
    // SAFETY: one entry.
    if unsafe { libc::poll(&raw mut wanted, 1, PATIENCE_MS) } <= 0 {
        return None;
    }
    let mut message = [0; 16];
    // SAFETY: the message has room for so many bytes.
    let read = unsafe { libc::read(reading, message.as_mut_ptr().cast(), message.len()) };
    let word = |at: usize| message[at..at + 8].try_into().ok().map(u64::from_ne_bytes);
    (read == 16).then(|| Some([word(0)?, word(8)?]))?
}

/// Bytes of pages that were written to and are this process's alone, less its anonymous memory, without allocating
/// anything: a copy of a shared page adds to the first, a fresh page to both.
fn private_beside_fresh() -> Option<i64> {
    let mut text = [0; 4096];
    // SAFETY: the path ends with 0.
    let file = unsafe { libc::open(c"/proc/self/smaps_rollup".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
    if file < 0 {
        return None;
    }
    // SAFETY: the buffer has room for so many bytes; the kernel gives the whole file, which is shorter, at once.
    let read = unsafe { libc::read(file, text.as_mut_ptr().cast(), text.len()) };
    close(file);
    let text = text.get(..usize::try_from(read).ok()?)?;
    let bytes = |field| i64::try_from(kib_of(text, field)?.checked_mul(1024)?).ok();
    Some(bytes(b"Private_Dirty:")? - bytes(b"Anonymous:")?)
}

/// The number of a line of smaps.
fn kib_of(text: &[u8], field: &[u8]) -> Option<u64> {
    let line = text.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(field))?;
    let digits = line.iter().skip_while(|byte| **byte == b' ').take_while(|byte| byte.is_ascii_digit());
    digits
        .map(|digit| u64::from(digit - b'0'))
        .try_fold(0u64, |sum, digit| sum.checked_mul(10)?.checked_add(digit))
}

fn close(file: libc::c_int) {
    // SAFETY: the descriptor is the caller's own and is not used again.
    unsafe { libc::close(file) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_says_what_it_wrote_to_and_a_lost_one_is_noticed() {
        let shared = std::cell::RefCell::new(vec![1u8; 64 << 20]);
        let reads = in_child(&|| assert!(shared.borrow().iter().all(|&byte| byte == 1)));
        let writes = in_child(&|| shared.borrow_mut().fill(2));
        match (reads, writes) {
            (Err(Silence::NoSmaps), _) => eprintln!("skipped: no /proc/self/smaps_rollup here"),
            (Ok(reads), Ok(writes)) => {
                // Other tests, which run beside this one, may write and fork meanwhile, too.
                assert!(
                    writes.copied_bytes >= 60 << 20 && reads.copied_bytes < writes.copied_bytes,
                    "{reads:?} {writes:?}"
                );
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(shared.borrow()[5], 1, "the child wrote to its own memory");
        // SAFETY: ends the child at once.
        assert_eq!(in_child(&|| unsafe { libc::_exit(0) }), Err(Silence::Lost));
    }

    #[test]
    fn numbers_of_smaps() {
        let text = b"Rss:    12 kB\nPrivate_Clean:   3 kB\nPrivate_Dirty:       41 kB\n";
        assert_eq!(kib_of(text, b"Private_Dirty:"), Some(41));
        assert_eq!(kib_of(text, b"Swap:"), None);
    }
}
