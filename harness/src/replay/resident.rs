//! Resident memory of this process.

use std::fs;

/// Anonymous resident bytes, to the page; `None` where the kernel does not tell (Linux since 4.14 does).
///
/// `/proc/self/statm` would be cheaper, but its counters lag behind by up to some hundred KiB.
pub(crate) fn anonymous_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Anonymous:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn touched_memory_is_counted() {
        let Some(before) = anonymous_bytes() else {
            eprintln!("skipped: no /proc/self/smaps_rollup here");
            return;
        };
        // Far more than other tests, which run beside this one, may free meanwhile.
        let touched = std::hint::black_box(vec![1u8; 256 << 20]);
        let after = anonymous_bytes().unwrap();
        assert!(after >= before + (128 << 20), "{before} -> {after}");
        assert_eq!(touched[touched.len() - 1], 1);
    }
}
