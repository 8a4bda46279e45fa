//! How long a prediction takes, and that a million of them leave nothing behind.
//!
//! ```text
//! cargo run --release -p cpymem-slots --example predictions
//! ```

use std::time::Instant;

use cpymem_slots::model::{ClassLayout, Target};

/// Resident kilobytes of this process; 0 where it cannot be told.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const PREDICTIONS: u32 = 1_000_000;
    for label in ["3.8", "3.13"] {
        let object = ClassLayout::object(label.parse::<Target>()?)?;
        let before = resident();
        let begin = Instant::now();
        let mut sum = 0;
        for i in 0..PREDICTIONS {
            let names = [format!("a{i}"), format!("b{i}"), format!("c{i}")];
            let class = ClassLayout::new("C", &[&object])?;
            sum += class.steady(&names)?.heap_bytes();
        }
        let each = begin.elapsed().as_nanos() / u128::from(PREDICTIONS);
        println!(
            "{label}: {each} ns a prediction, {sum} bytes predicted, resident {before} -> {} kB",
            resident()
        );
    }
    Ok(())
}
