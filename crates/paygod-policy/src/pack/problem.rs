//! What is wrong with a pack, and showing it: file, line, column, the line itself and a mark under the place.

use core::fmt;

/// One thing wrong with a pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackProblem {
    /// The file, relative to the pack's folder.
    pub file: String,
    /// The line, from 1; 0 if the problem is with the file as a whole.
    pub line: usize,
    /// The column in characters, from 1; 0 if the problem is with the line or file as a whole.
    pub column: usize,
    /// What is wrong and what to write instead.
    pub message: String,
    /// The line of the file, if there is one to show.
    pub excerpt: String,
    /// How many characters to mark under it.
    pub width: usize,
}

impl PackProblem {
    /// A problem with a file as a whole.
    pub(crate) fn of_file(file: &str, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: 0,
            column: 0,
            message: message.into(),
            excerpt: String::new(),
            width: 0,
        }
    }

    /// A problem at a place of a file, by line and column.
    pub(crate) fn at(file: &str, source: &str, place: Place, message: impl Into<String>) -> Self {
        let excerpt = source
            .lines()
            .nth(place.line.saturating_sub(1))
            .unwrap_or_default();
        let after = excerpt
            .chars()
            .count()
            .saturating_sub(place.column.saturating_sub(1));
        Self {
            file: file.to_owned(),
            line: place.line,
            column: place.column,
            message: message.into(),
            excerpt: excerpt.to_owned(),
            width: place.width.clamp(1, after.max(1)),
        }
    }
}

/// A place in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) width: usize,
}

impl fmt::Display for PackProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            column,
            message,
            excerpt,
            width,
        } = self;
        if *line == 0 {
            return write!(f, "{file}: {message}");
        }
        write!(f, "{file}:{line}:{column}: {message}")?;
        if excerpt.is_empty() {
            return Ok(());
        }
        let gutter = line.to_string().len();
        let indent = column.saturating_sub(1);
        write!(
            f,
            "\n{:gutter$} |\n{line} | {excerpt}\n{:gutter$} | {:indent$}{}",
            "",
            "",
            "",
            "^".repeat(*width)
        )
    }
}

/// The place of a byte of a file.
pub(crate) fn place_of(source: &str, byte: usize, width: usize) -> Place {
    let before = source.get(..byte).unwrap_or(source);
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    Place {
        line,
        column,
        width,
    }
}

/// Finds, in the raw text of a YAML scalar, the byte that became the byte `target` of its value: quotes,
/// escapes, folding and indentation are passed over.
pub(crate) fn raw_offset(raw: &str, value: &str, target: usize) -> usize {
    let mut rest = raw.char_indices().peekable();
    if raw.starts_with(['"', '\'']) {
        rest.next();
    }
    for (at, wanted) in value.char_indices() {
        loop {
            match rest.peek().copied() {
                Some((offset, found)) if found == wanted => {
                    if at >= target {
                        return offset;
                    }
                    rest.next();
                    break;
                }
                Some((_, found)) if found.is_whitespace() || matches!(found, '\\' | '\'') => {
                    rest.next();
                }
                // White space of the value that the raw text does not spell: the end of a folded line.
                _ if wanted.is_whitespace() => break,
                _ => return 0,
            }
        }
    }
    raw.trim_end().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_survive_quotes_escapes_and_folding() {
        let check = |raw: &str, value: &str, mark: char| {
            let offset = raw_offset(raw, value, value.find(mark).unwrap());
            assert_eq!(
                raw.get(offset..).and_then(|t| t.chars().next()),
                Some(mark),
                "{raw}"
            );
        };
        check("a && X", "a && X", 'X');
        check("\"a == \\\"b\\\" X\"", "a == \"b\" X", 'X');
        check("'a == ''b'' X'", "a == 'b' X", 'X');
        check("a &&\n      X", "a && X", 'X');
        check("a\n    && b\n    || X\n", "a\n&& b\n|| X\n", 'X');
    }
}
