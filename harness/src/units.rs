//! Numbers as people read them.

use crate::record::{Fact, Unit};

/// `1234567` as `1,234,567`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Bytes in the unit that gives one to four digits before the point.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (n as f64, 0);
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{n} bytes") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// A change of a number: `+1,234`.
pub fn change(n: i64) -> String {
    let sign = if n < 0 { "-" } else { "+" };
    format!("{sign}{}", count(n.unsigned_abs()))
}

/// A change of bytes: `+1.2 MiB`.
pub fn change_of_bytes(n: i64) -> String {
    let sign = if n < 0 { "-" } else { "+" };
    format!("{sign}{}", bytes(n.unsigned_abs()))
}

/// A name in at most `most` characters: the middle of a longer one is left out.
pub fn shortened(text: &str, most: usize) -> String {
    let n = text.chars().count();
    if n <= most {
        return text.to_owned();
    }
    let (head, tail) = ((most - 2) / 3, most - 2 - (most - 2) / 3);
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(n - tail).collect();
    format!("{start}..{end}")
}

/// Nanoseconds in ns, us, ms or s.
pub fn time(ns: u64) -> String {
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{:.1} us", ns as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} ms", ns as f64 / 1e6),
        _ => format!("{:.2} s", ns as f64 / 1e9),
    }
}

/// A share of 1 in percent: two decimals near 0 and near 100 %, one between.
pub fn share(value: f64) -> String {
    let percent = value * 100.0;
    if (1.0..99.0).contains(&percent) { format!("{percent:.1} %") } else { format!("{percent:.2} %") }
}

/// Text of an input as it may be printed: without control characters, which a terminal would obey.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A fact's number in its unit; `unknown` if there is none.
pub fn fact(fact: &Fact) -> String {
    let Some(value) = fact.value else {
        return "unknown".to_owned();
    };
    match fact.unit {
        Unit::Bytes => bytes(value as u64),
        Unit::Share => share(value),
        Unit::Ns => time(value as u64),
        Unit::Count => count(value as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_not_printed() {
        assert_eq!(printable("a\x1b[31mb\r\n\u{9b}c"), "a\u{fffd}[31mb\u{fffd}\u{fffd}\u{fffd}c");
        assert_eq!(printable("Größe 4 µs"), "Größe 4 µs");
    }

    #[test]
    fn long_names_lose_their_middle() {
        assert_eq!(shortened("short", 5), "short");
        assert_eq!(shortened("sqlalchemy.sql.visitors.Visitable", 20), "sqlalc..rs.Visitable");
        assert_eq!(shortened("größe über alles", 8), "gr..lles");
        assert_eq!([change(1234), change(-5), change_of_bytes(-2048)], ["+1,234", "-5", "-2.0 KiB"]);
    }

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!([count(0), count(999), count(1000), count(1234567)], ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([bytes(0), bytes(999), bytes(1000)], ["0 bytes", "999 bytes", "1.0 KiB"]);
        assert_eq!([bytes(5 << 20), bytes(1023 << 20)], ["5.0 MiB", "1.0 GiB"]);
        assert_eq!([time(7), time(1500), time(2_040_000)], ["7 ns", "1.5 us", "2.0 ms"]);
        assert_eq!([share(0.1703), share(0.0007), share(0.99975)], ["17.0 %", "0.07 %", "99.98 %"]);
        assert!(bytes(u64::MAX).ends_with(" TiB") && time(u64::MAX).ends_with(" s"));
    }
}
