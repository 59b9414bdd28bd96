//! Text safety and size: what a reader sees is what the compiler reads, and files stay readable.

use crate::{Faults, tracked_files};
use std::path::Path;

/// Source files longer than this hold more than one concept.
const SOURCE_LINES_MAX: usize = 800;

/// Files that are bytes, or foreign text kept as it was published.
const AS_PUBLISHED: &[&str] = &["contracts/vectors/", "examples/lists/", "fuzz/seeds/"];

pub(crate) fn faults(root: &Path) -> Result<Faults, String> {
    let mut faults = Faults::new();
    for path in tracked_files(root)? {
        let shown = path.to_string_lossy().into_owned();
        if AS_PUBLISHED.iter().any(|prefix| shown.starts_with(prefix)) {
            continue;
        }
        let bytes = std::fs::read(root.join(&path)).map_err(|error| format!("{shown}: {error}"))?;
        check(&shown, &bytes, &mut faults);
    }
    Ok(faults)
}

/// What is wrong with one file.
fn check(shown: &str, bytes: &[u8], faults: &mut Faults) {
    let Ok(source) = std::str::from_utf8(bytes) else {
        faults.push(format!("{shown}: not UTF-8"));
        return;
    };
    if source.contains('\r') && !shown.ends_with(".xml") {
        faults.push(format!(
            "{shown}: has carriage returns: save it with LF line ends"
        ));
    }
    for (number, line) in source.lines().enumerate() {
        if line.chars().any(is_bidirectional_control) {
            faults.push(format!(
                "{shown}:{}: bidirectional control character",
                number.saturating_add(1)
            ));
        }
    }
    if shown.ends_with(".rs") && source.lines().count() > SOURCE_LINES_MAX {
        faults.push(format!(
            "{shown}: over {SOURCE_LINES_MAX} lines: one concept a file"
        ));
    }
}

/// The characters of Unicode's bidirectional algorithm that can reorder what a reader sees.
fn is_bidirectional_control(character: char) -> bool {
    matches!(character, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::{SOURCE_LINES_MAX, check};
    use crate::Faults;

    fn faults(name: &str, bytes: &[u8]) -> Faults {
        let mut faults = Faults::new();
        check(name, bytes, &mut faults);
        faults
    }

    #[test]
    fn plain_text_is_no_fault() {
        assert!(faults("contracts/schemas/x.json", "{\"a\": \"é\"}\n".as_bytes()).is_empty());
    }

    #[test]
    fn text_that_reads_otherwise_than_it_compiles_is_a_fault() {
        for control in ['\u{202e}', '\u{2066}', '\u{200f}', '\u{61c}'] {
            let text = format!("let admin = false; // {control} true");
            assert_eq!(faults("a.rs", text.as_bytes()).len(), 1, "{control:?}");
        }
    }

    #[test]
    fn carriage_returns_and_bytes_that_are_no_text_are_faults() {
        assert_eq!(faults("contracts/schemas/x.json", b"{\r\n}").len(), 1);
        assert_eq!(faults("docs/x.md", &[b'a', 0xff]).len(), 1);
    }

    #[test]
    fn a_source_past_its_length_is_a_fault() {
        let long = "//\n".repeat(SOURCE_LINES_MAX + 1);
        assert_eq!(faults("a.rs", long.as_bytes()).len(), 1);
        assert!(faults("a.md", long.as_bytes()).is_empty());
    }
}
