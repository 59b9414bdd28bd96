//! Normalised names: what is left of a name when spelling habits are taken away.
//!
//! NFKD, combining marks and what nobody sees stripped, lower case, letters that Unicode does not decompose spelt out (`ø`, `ł`,
//! `ß`), everything that is no letter or digit turned into a gap; then the words in sorted order, so that
//! `ZAYDAN, Muhammad` and `Muhammad Zaydan` are one. Words are kept, never guessed: no phonetics, no edit
//! distance. Printed ASCII takes a path of its own, without Unicode tables and without allocation.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Buffers for normalising, reused from name to name.
#[derive(Debug, Default)]
pub(crate) struct Normaliser {
    /// The words in the order of the name, one space between.
    plain: Vec<u8>,
    /// Where each word lies in `plain`.
    words: Vec<(u32, u32)>,
    /// The words sorted, one space between.
    sorted: Vec<u8>,
}

/// For every ASCII byte its normalised form: a lower-case letter, a digit, or 0 for a gap.
const ASCII: [u8; 128] = ascii_table();

const fn ascii_table() -> [u8; 128] {
    let mut table = [0_u8; 128];
    let mut byte = 0_u8;
    while byte < 128 {
        let normal = byte.to_ascii_lowercase();
        if normal.is_ascii_lowercase() || normal.is_ascii_digit() {
            #[expect(
                clippy::as_conversions,
                clippy::indexing_slicing,
                reason = "INVARIANT(ascii-table): \
                a byte below 128 widens to an index below 128; checked when compiled"
            )]
            {
                table[byte as usize] = normal;
            }
        }
        byte += 1;
    }
    table
}

impl Normaliser {
    /// Normalises a name; the words follow in [`Normaliser::plain`] and [`Normaliser::sorted`].
    pub(crate) fn normalise(&mut self, name: &str) {
        self.plain.clear();
        self.words.clear();
        self.sorted.clear();
        if name.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            self.ascii(name);
        } else {
            self.unicode(name);
        }
        if self.plain.last() == Some(&b' ') {
            self.plain.pop();
        }
        self.sort();
    }

    /// Every byte is written, and the place moves on past those that stay: no branch that names make hard to guess.
    fn ascii(&mut self, name: &str) {
        self.plain.resize(name.len(), 0);
        let (mut at, mut gap) = (0, true);
        for byte in name.bytes() {
            let normal = ASCII.get(usize::from(byte)).copied().unwrap_or(0);
            let ends = normal == 0;
            if let Some(place) = self.plain.get_mut(at) {
                *place = if ends { b' ' } else { normal };
            }
            at += usize::from(!(ends && gap));
            gap = ends;
        }
        self.plain.truncate(at);
    }

    /// Appends a byte of a word, or ends the word at a gap.
    #[inline]
    fn push(&mut self, normal: u8) {
        if normal != 0 {
            self.plain.push(normal);
        } else if !matches!(self.plain.last(), None | Some(b' ')) {
            self.plain.push(b' ');
        }
    }

    #[cold]
    fn unicode(&mut self, name: &str) {
        for c in name.nfkd().filter(|c| !is_mark(*c)) {
            if is_filler(c) {
                self.push(0);
                continue;
            }
            if let Some(spelt) = spelt_out(c) {
                self.plain.extend_from_slice(spelt.as_bytes());
                continue;
            }
            for lower in c.to_lowercase().nfkd().filter(|c| !is_mark(*c)) {
                if lower.is_alphanumeric() {
                    let mut utf8 = [0; 4];
                    self.plain
                        .extend_from_slice(lower.encode_utf8(&mut utf8).as_bytes());
                } else {
                    self.push(0);
                }
            }
        }
    }

    fn sort(&mut self) {
        let mut start = 0_usize;
        for word in self.plain.split(|b| *b == b' ') {
            let end = start + word.len();
            if let (false, Ok(from), Ok(to)) =
                (word.is_empty(), u32::try_from(start), u32::try_from(end))
            {
                self.words.push((from, to));
            }
            start = end + 1;
        }
        let plain = &self.plain;
        self.words
            .sort_unstable_by(|a, b| word(plain, *a).cmp(word(plain, *b)));
        for span in &self.words {
            if !self.sorted.is_empty() {
                self.sorted.push(b' ');
            }
            self.sorted.extend_from_slice(word(plain, *span));
        }
    }

    /// The words in the order of the name, one space between; empty if the name has none.
    pub(crate) fn plain(&self) -> &[u8] {
        &self.plain
    }

    /// The words sorted, one space between.
    pub(crate) fn sorted(&self) -> &[u8] {
        &self.sorted
    }
}

fn word(plain: &[u8], (start, end): (u32, u32)) -> &[u8] {
    match (usize::try_from(start), usize::try_from(end)) {
        (Ok(start), Ok(end)) => plain.get(start..end).unwrap_or_default(),
        _ => &[],
    }
}

/// What is taken away without leaving a gap: marks on letters, and what shows as nothing.
fn is_mark(c: char) -> bool {
    is_combining_mark(c) || shows_nothing(c)
}

/// Characters that show as nothing (controls, and most of Unicode's `Default_Ignorable_Code_Point`), which could cut
/// a listed name in two that reads as one, or make one account number two. White space is none of them.
pub(crate) fn shows_nothing(c: char) -> bool {
    c.is_control() && !c.is_whitespace()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Letters by their category that show as a blank: the fillers of Hangul, as compatibility decomposition leaves them.
const fn is_filler(c: char) -> bool {
    matches!(c, '\u{115f}' | '\u{1160}')
}

/// Letters that Unicode does not decompose, as passports spell them (ICAO Doc 9303 part 3, section 6).
fn spelt_out(c: char) -> Option<&'static str> {
    Some(match c {
        'ß' | 'ẞ' => "ss",
        'æ' | 'Æ' => "ae",
        'œ' | 'Œ' => "oe",
        'ø' | 'Ø' => "o",
        'đ' | 'Đ' | 'ð' | 'Ð' => "d",
        'ł' | 'Ł' => "l",
        'þ' | 'Þ' => "th",
        'ħ' | 'Ħ' => "h",
        'ŧ' | 'Ŧ' => "t",
        'ŋ' | 'Ŋ' => "n",
        'ı' => "i",
        'ĸ' => "k",
        'ə' | 'Ə' => "e",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn forms(name: &str) -> (String, String) {
        let mut n = Normaliser::default();
        n.normalise(name);
        let text = |b: &[u8]| String::from_utf8(b.to_vec()).unwrap();
        (text(n.plain()), text(n.sorted()))
    }

    #[test]
    fn spelling_habits_do_not_matter() {
        assert_eq!(forms("ZAYDAN, Muhammad").1, forms("muhammad  zaydan").1);
        assert_eq!(forms("Société Générale S.A.").0, "societe generale s a");
        assert_eq!(forms("Straße Łódź Ørsted").0, "strasse lodz orsted");
        assert_eq!(forms("ＦＵＬＬ　ｗｉｄｔｈ").0, "full width");
        assert_eq!(forms("İstanbul").0, "istanbul");
        assert_eq!(forms(" -- ").0, "");
        assert_eq!(forms("Владимир").0, "владимир");
    }

    #[test]
    fn what_nobody_sees_hides_no_name() {
        assert_eq!(forms("Muhammad\u{3164}Zaydan\u{ffa0}").0, "muhammad zaydan");
        assert_eq!(forms("two\tlines\nof it").0, "two lines of it");
        for hidden in [
            '\u{7f}',
            '\u{1}',
            '\u{9f}',
            '\u{fff9}',
            '\u{200b}',
            '\u{ad}',
            '\u{feff}',
            '\u{2060}',
            '\u{e0041}',
            '\u{34f}',
            '\u{17b4}',
        ] {
            let name = format!("AERO{hidden}CARIBBEAN {hidden}AIRLINES{hidden}");
            assert_eq!(
                forms(&name).0,
                "aerocaribbean airlines",
                "{}",
                hidden.escape_unicode()
            );
        }
    }

    proptest! {
        #[test]
        fn ascii_and_unicode_paths_agree(name in "[ -~]{0,40}") {
            let mut n = Normaliser::default();
            n.unicode(&name);
            if n.plain.last() == Some(&b' ') { n.plain.pop(); }
            prop_assert_eq!(String::from_utf8(n.plain).unwrap(), forms(&name).0);
        }

        #[test]
        fn normalising_twice_changes_nothing(name in "\\PC{0,40}") {
            let once = forms(&name).0;
            prop_assert_eq!(&forms(&once).0, &once);
        }
    }
}
