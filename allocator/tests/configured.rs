//! Settings that hold before `main`: in a program of its own.

use cpymem_allocator::{Configured, Exceeded, Global, Mode};

#[global_allocator]
static GLOBAL: Configured =
    Configured::new().mode(Mode::Compact).hard_limit(512 << 20).soft_limit(256 << 20, nothing);

fn nothing(_: Exceeded) {}

#[test]
fn the_limit_and_the_mode_were_there_first() {
    assert_eq!(Global::budget().hard_limit(), 512 << 20);
    let mut huge = Vec::<u8>::new();
    assert!(huge.try_reserve_exact(600 << 20).is_err());
    assert!(huge.try_reserve_exact(100 << 20).is_ok());
    assert!(Global::budget().held_bytes() >= 100 << 20);
    drop(huge);
    // Compact: little stays when everything was freed, without a call or a wait.
    drop((0..300_000).map(|i| vec![1u8; 16 + i % 300]).collect::<Vec<_>>());
    assert!(Global::stats().held_bytes() < 4 << 20, "{}", Global::stats());
}
