//! How text looks: for a terminal with bars, for a pipe plain.

use std::borrow::Cow;
use std::env;
use std::io::IsTerminal;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use crate::units;

/// How text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether bars and line drawing may be used.
    graphic: bool,
    /// Whether words may be set in bold.
    bold: bool,
}

/// Characters of a full bar.
const BAR: usize = 24;
/// Characters of a full short one.
const SHORT_BAR: usize = 10;

impl Style {
    /// For standard output: bars if it is a terminal, bold unless `NO_COLOR` is set.
    pub fn of_stdout() -> Style {
        let graphic = std::io::stdout().is_terminal();
        Style { graphic, bold: graphic && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) }
    }

    /// Plain text.
    pub const PLAIN: Style = Style { graphic: false, bold: false };

    /// With bars, without bold.
    pub const GRAPHIC: Style = Style { graphic: true, bold: false };

    /// Whether bars and line drawing may be used.
    pub fn is_graphic(&self) -> bool {
        self.graphic
    }

    /// A word that should catch the eye.
    pub fn strong<'a>(&self, word: &'a str) -> Cow<'a, str> {
        if self.bold { Cow::Owned(format!("\x1b[1m{word}\x1b[0m")) } else { Cow::Borrowed(word) }
    }

    /// A bar for `value` where `most` is a full one, in eighths of a character; nothing in plain text.
    pub fn bar(&self, value: f64, most: f64) -> String {
        self.bar_of(BAR, value, most)
    }

    /// A bar of at most ten characters, for tables that fill a line.
    pub fn short_bar(&self, value: f64, most: f64) -> String {
        self.bar_of(SHORT_BAR, value, most)
    }

    fn bar_of(&self, full: usize, value: f64, most: f64) -> String {
        if !self.graphic || most <= 0.0 || !value.is_finite() {
            return String::new();
        }
        let eighths = (value / most * (full * 8) as f64).round().clamp(0.0, (full * 8) as f64) as usize;
        let mut bar = "█".repeat(eighths / 8);
        bar.extend("▏▎▍▌▋▊▉".chars().nth((eighths % 8).wrapping_sub(1)));
        bar
    }

    /// A table without borders: the first column to the left, numbers to the right. A title that ends in a
    /// space is a column to the left.
    pub fn table(&self, titles: &[&str], rows: Vec<Vec<String>>) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(titles.iter().map(|title| title.trim_end()));
        for row in rows {
            table.add_row(row.iter().map(|cell| units::printable(cell)));
        }
        for (index, title) in titles.iter().enumerate() {
            if let Some(column) = table.column_mut(index) {
                let left = index == 0 || title.ends_with(' ') || title.is_empty();
                column.set_cell_alignment(if left { CellAlignment::Left } else { CellAlignment::Right });
            }
        }
        let mut out = String::new();
        for line in table.lines() {
            out.push_str("  ");
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_in_eighths_and_never_longer_than_full() {
        let style = Style::GRAPHIC;
        assert_eq!(style.bar(0.0, 10.0), "");
        assert_eq!(style.bar(10.0, 10.0), "█".repeat(24));
        assert_eq!(style.bar(99.0, 10.0), "█".repeat(24));
        assert_eq!(style.bar(1.0, 24.0 * 8.0), "▏");
        assert_eq!(style.bar(7.0, 24.0 * 8.0), "▉");
        assert_eq!(style.bar(f64::NAN, 1.0), "");
        assert_eq!(Style::PLAIN.bar(10.0, 10.0), "");
    }

    #[test]
    fn a_table_lines_up() {
        let rows = vec![vec!["a".into(), "1".into()], vec!["long".into(), "1000".into()]];
        assert_eq!(Style::PLAIN.table(&["name", "n"], rows), "   name     n\n   a        1\n   long  1000\n");
    }
}
