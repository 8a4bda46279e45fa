
// Added by cpymem's known-crates script: the program of this test allocates with `cpymem_allocator::Global`.
#[cfg(test)]
mod zz_on_cpymem {
    extern crate std;
    use std::io::Write;
    use std::vec::Vec;

    #[global_allocator]
    static GLOBAL: cpymem_allocator::Global = cpymem_allocator::Global;

    #[test]
    fn proof() {
        // Few bytes: there are programs that test how much they allocate.
        let rows: Vec<Vec<u8>> = (0..50).map(|i| std::vec![1; i + 1]).collect();
        let stats = cpymem_allocator::Global::stats();
        assert!(stats.blocks_in_use() >= rows.len(), "the allocator has not served this program");
        // Not through `eprintln!`, whose text the test harness would keep.
        writeln!(std::io::stderr(), "\non cpymem: at most {} KiB held", stats.peak_held_bytes() >> 10).unwrap();
    }
}
