//! Patterns that are one class of characters, such as `[\p{L}\p{N}]`: whether a text has one of them is asked without
//! an automaton, and at once of text that is ASCII.

use regex_syntax::Parser;
use regex_syntax::hir::{Class, HirKind};

/// The characters of a class.
#[derive(Clone, Debug)]
pub(crate) struct CharClass {
    /// A bit for each ASCII character.
    ascii: u128,
    /// From the first to the last of each run of characters, in order.
    ranges: Box<[(char, char)]>,
}

impl CharClass {
    /// The class that a pattern is, if it is nothing but that.
    pub(crate) fn of(pattern: &str) -> Option<Self> {
        let parsed = Parser::new().parse(pattern).ok()?;
        let HirKind::Class(Class::Unicode(class)) = parsed.kind() else {
            return None;
        };
        let ranges = class.iter().map(|range| (range.start(), range.end()));
        let mut class = Self {
            ascii: 0,
            ranges: ranges.collect(),
        };
        let ascii = (0_u8..128).filter(|byte| class.finds(char::from(*byte)));
        class.ascii = ascii.fold(0, |all, byte| all | (1 << byte));
        Some(class)
    }

    /// Whether the text has a character of the class.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        if self.ascii == 0 && text.is_ascii() {
            return false;
        }
        text.chars().any(|c| {
            if c.is_ascii() {
                self.ascii >> u32::from(c) & 1 == 1
            } else {
                self.finds(c)
            }
        })
    }

    fn finds(&self, c: char) -> bool {
        let after = self.ranges.partition_point(|(first, _)| *first <= c);
        let range = after.checked_sub(1).and_then(|at| self.ranges.get(at));
        range.is_some_and(|(_, last)| c <= *last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use regex::Regex;

    const CLASSES: [&str; 8] = [
        r"[\p{L}\p{N}&&\P{Default_Ignorable_Code_Point}]",
        r"[\p{L}--[\p{Latin}\p{Common}]]",
        r"[A-Z0-9]",
        r"(?i)[k-s]",
        r"[^a-z]",
        r"\d",
        r"[^\x00-\x7f]",
        r".",
    ];

    #[test]
    fn only_a_class_is_one() {
        assert!(CLASSES.iter().all(|text| CharClass::of(text).is_some()));
        for other in [
            "",
            "a",
            "[ab]c",
            "[a-z]+",
            "^[a-z]",
            "[a-z]|bc",
            "(",
            r"(?-u:[a-z])",
        ] {
            assert!(CharClass::of(other).is_none(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn a_class_finds_what_its_pattern_finds(text in "\\PC{0,8}|[ -~]{0,8}|\\n|[\u{400}-\u{4ff}\u{3164}K\u{17f}]{0,3}") {
            for class in CLASSES {
                let regex = Regex::new(class).unwrap();
                let found = CharClass::of(class).unwrap().is_in(&text);
                prop_assert_eq!(found, regex.is_match(&text), "{} in {:?}", class, &text);
            }
        }
    }
}
