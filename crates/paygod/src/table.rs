//! Tables for people: columns as wide as they need, the last ones wrapped to the terminal.
//!
//! Cells are plain text with at most one style each, so that widths are counted without having to
//! look through escape codes.

use crate::output::Tone;
use anstyle::Style;
use std::fmt::Write;

/// Where a column's text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// At the left: words.
    Left,
    /// At the right: amounts and counts.
    Right,
}

/// One cell.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// Text in a tone.
    pub(crate) fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self {
            text: text.into(),
            tone,
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::toned(text, Tone::Plain)
    }
}

/// A table, filled row by row.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    heads: Vec<(String, Align)>,
    rows: Vec<Vec<Cell>>,
}

/// Between two columns.
const GAP: &str = "  ";
/// No column is squeezed below this.
const COLUMN_WIDTH_MIN: usize = 12;

impl Table {
    /// A table with these columns.
    pub(crate) fn new(heads: &[(&str, Align)]) -> Self {
        Self {
            heads: heads
                .iter()
                .map(|(head, align)| ((*head).to_owned(), *align))
                .collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; cells past the last column are dropped.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows
            .push(cells.into_iter().take(self.heads.len()).collect());
    }

    /// Whether there are no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as lines, none wider than `width` unless a column cannot be squeezed further.
    pub(crate) fn render(&self, width: usize) -> String {
        let widths = self.widths(width);
        let mut text = String::new();
        let heads: Vec<Cell> = self
            .heads
            .iter()
            .map(|(head, _)| Cell::toned(head.clone(), Tone::Faint))
            .collect();
        self.render_row(&heads, &widths, &mut text);
        for row in &self.rows {
            self.render_row(row, &widths, &mut text);
        }
        text
    }

    fn widths(&self, width: usize) -> Vec<usize> {
        let mut widths: Vec<usize> = self
            .heads
            .iter()
            .enumerate()
            .map(|(column, (head, _))| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells
                    .map(|cell| count(&cell.text))
                    .chain([count(head)])
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let gaps = GAP.len().saturating_mul(widths.len().saturating_sub(1));
        // The widest column gives way first, a character at a time: tables are small.
        loop {
            let total: usize = widths.iter().sum::<usize>().saturating_add(gaps);
            if total <= width {
                return widths;
            }
            match widths.iter_mut().max() {
                Some(widest) if *widest > COLUMN_WIDTH_MIN => *widest = widest.saturating_sub(1),
                _ => return widths,
            }
        }
    }

    fn render_row(&self, cells: &[Cell], widths: &[usize], text: &mut String) {
        let columns: Vec<Vec<String>> = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| wrap(&cell.text, *width))
            .collect();
        let height = columns.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..height {
            let mut row = String::new();
            let mut pending = String::new();
            for (((cell, lines), width), (_, align)) in
                cells.iter().zip(&columns).zip(widths).zip(&self.heads)
            {
                let piece = lines.get(line).map_or("", String::as_str);
                let space = " ".repeat(width.saturating_sub(count(piece)));
                let style: Style = cell.tone.style();
                if !piece.is_empty() {
                    row.push_str(&pending);
                    pending.clear();
                }
                // Trailing blanks are held back until something follows them. Writing to a string
                // cannot fail.
                let _ = match (align, piece.is_empty()) {
                    (_, true) => write!(pending, "{space}"),
                    (Align::Left, false) => {
                        pending.push_str(&space);
                        write!(row, "{style}{piece}{style:#}")
                    }
                    (Align::Right, false) => write!(row, "{space}{style}{piece}{style:#}"),
                };
                pending.push_str(GAP);
            }
            text.push_str(&row);
            text.push('\n');
        }
    }
}

fn count(text: &str) -> usize {
    text.chars().count()
}

/// Breaks text at blanks into lines of at most `width` characters. A longer word is broken after the
/// last of `/ - : .` that fits, such as in a path, or cut.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && count(&line).saturating_add(1).saturating_add(count(word)) > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        let mut rest = word;
        while count(rest) > width {
            let (head, tail) = broken(rest, width);
            lines.push(head.to_owned());
            rest = tail;
        }
        line.push_str(rest);
    }
    lines.push(line);
    lines
}

/// The part of a long word that stands on its own line, and the rest.
fn broken(word: &str, width: usize) -> (&str, &str) {
    let fits = word
        .char_indices()
        .nth(width)
        .map_or(word.len(), |(at, _)| at);
    let (head, _) = word.split_at_checked(fits).unwrap_or((word, ""));
    let after_break = head
        .rfind(['/', '-', ':', '.'])
        .map(|at| at.saturating_add(1));
    let at = after_break.filter(|at| *at > fits / 2).unwrap_or(fits);
    word.split_at_checked(at).unwrap_or((word, ""))
}

#[cfg(test)]
mod tests {
    use super::{Align, Cell, Table, wrap};

    fn table() -> Table {
        let mut table = Table::new(&[
            ("what", Align::Left),
            ("amount", Align::Right),
            ("why", Align::Left),
        ]);
        table.row([
            "a".into(),
            "1.00".into(),
            Cell::from("one two three four five six"),
        ]);
        table.row(["bb".into(), "1000.00".into(), Cell::from("short")]);
        table
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn columns_line_up_and_lines_end_without_blanks() {
        let text = plain(&table().render(80));
        let expected = "what   amount  why\n\
                        a        1.00  one two three four five six\n\
                        bb    1000.00  short\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_narrow_terminal_wraps_the_widest_column() {
        let text = plain(&table().render(31));
        assert!(
            text.lines().all(|line| line.chars().count() <= 31),
            "{text}"
        );
        assert!(text.contains("four five six"), "{text}");
    }

    #[test]
    fn a_word_longer_than_the_line_is_cut() {
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("", 3), [""]);
        assert_eq!(
            wrap("see SUPPLIERS/INV-4711", 13),
            ["see", "SUPPLIERS/", "INV-4711"]
        );
        assert_eq!(wrap("ü→üüü ü", 4), ["ü→üü", "ü ü"]);
    }
}
