//! What a forked child copies, in a process of its own: of a page that another test writes to meanwhile, the child's
//! would look like a copy, too.

use cpymem_harness::bench::{self, Setting, workloads::PreforkCow};
use cpymem_harness::progress::Progress;

/// The claims that do not hold; `None` where the kernel does not tell what is shared.
fn broken(workload: PreforkCow) -> Option<Vec<String>> {
    let progress = Progress::silent();
    let setting = Setting { seed: 1, scale: 0.1, turns: 1, pythons: &[], progress: &progress };
    let record = bench::run(&workload, &setting).unwrap();
    if !record.checks.iter().any(|check| check.claim.contains("pages copied")) {
        eprintln!("skipped: {}", record.notes.join("; "));
        return None;
    }
    let broken = record.checks.iter().filter(|check| !check.holds);
    Some(broken.map(|check| check.claim.clone()).collect())
}

fn copied(what: &str) -> String {
    format!("cpymem: pages copied by {what}, of the objects'")
}

// One after the other, so one test.
#[test]
fn each_claim_falls_with_its_effect() {
    const STANDARD: PreforkCow = PreforkCow::STANDARD;
    let Some(claims) = broken(STANDARD) else { return };
    assert_eq!(claims, Vec::<String>::new());

    let takes_no_reference = broken(PreforkCow { counts: false, ..STANDARD }).unwrap();
    assert!(takes_no_reference.contains(&copied("counts")), "{takes_no_reference:?}");
    let mortal = broken(PreforkCow { immortal: false, ..STANDARD }).unwrap();
    assert_eq!(mortal, [copied("atomic counts of immortal objects")]);
    let counts_in_the_objects = broken(PreforkCow { collects: false, ..STANDARD }).unwrap();
    assert_eq!(counts_in_the_objects, [copied("a collection"), copied("a collection of the frozen heap")]);
}
