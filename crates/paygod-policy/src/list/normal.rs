//! Normalised names: what is left of a name when spelling habits are taken away.
//!
//! NFKD, combining marks and what nobody sees stripped, lower case, letters that Unicode does not decompose spelt out (`ø`, `ł`,
//! `ß`), everything that is no letter or digit turned into a gap; `ae`, `oe`, `ue` and `aa` shortened to their first
//! letter, so that `Mueller` and `Müller` are one; then the words in sorted order, so that
//! `ZAYDAN, Muhammad` and `Muhammad Zaydan` are one. Words are kept, never guessed: no phonetics, no edit
//! distance. Single letters one behind the other also make a second form, in which they are one word: `S.A.` as `SA`.
//! Printed ASCII takes a path of its own, without Unicode tables and without allocation.

use core::mem;

use unicode_general_category::{GeneralCategory, get_general_category};
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
    /// What [`Normaliser::join`] makes of `plain`.
    joined: Vec<u8>,
    /// Whether single letters follow each other in `plain`.
    has_initials: bool,
}

/// For every ASCII byte its normalised form: a lower-case letter, a digit, or a space for a gap.
const ASCII: [u8; 128] = ascii_table();

const fn ascii_table() -> [u8; 128] {
    let mut table = [b' '; 128];
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

/// Whether a byte is left out behind another: a second gap, and the second letter of `ae`, `oe`, `ue` and `aa`, which is how
/// `ä`, `ö`, `ü`, `ø` and `å` are written where they cannot be typed. Both ways of writing come to the bare vowel, and so
/// do names that have these letters for another reason, on both sides.
const fn is_left_out(last: u8, next: u8) -> bool {
    match next {
        b'e' => matches!(last, b'a' | b'o' | b'u'),
        b'a' => last == b'a',
        b' ' => last == b' ',
        _ => false,
    }
}

impl Normaliser {
    /// Normalises a name; the words follow in [`Normaliser::plain`] and [`Normaliser::sorted`].
    pub(crate) fn normalise(&mut self, name: &str) {
        self.plain.clear();
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
        let (mut at, mut last) = (0, b' ');
        for byte in name.bytes() {
            let normal = ASCII.get(usize::from(byte)).copied().unwrap_or(b' ');
            if let Some(place) = self.plain.get_mut(at) {
                *place = normal;
            }
            let stays = !is_left_out(last, normal);
            at += usize::from(stays);
            last = if stays { normal } else { last };
        }
        self.plain.truncate(at);
    }

    #[cold]
    fn unicode(&mut self, name: &str) {
        for c in name.nfkd().filter(|c| !is_mark(*c)) {
            if is_filler(c) {
                push(&mut self.plain, b' ');
                continue;
            }
            for lower in c.to_lowercase().nfkd().filter(|c| !is_mark(*c)) {
                let mut utf8 = [0; 4];
                let spelt: &str = match spelt_out(lower) {
                    Some(spelt) => spelt,
                    None if lower.is_alphanumeric() => lower.encode_utf8(&mut utf8),
                    None => " ",
                };
                for byte in spelt.bytes() {
                    push(&mut self.plain, byte);
                }
            }
        }
    }

    /// Takes the second form of the name that was normalised, in which single letters one behind the other are one word;
    /// `false`, and nothing changes, if it has none.
    pub(crate) fn join(&mut self) -> bool {
        if !self.has_initials {
            return false;
        }
        let mut joined = mem::take(&mut self.joined);
        joined.clear();
        let mut is_behind_initial = false;
        for word in self.plain.split(|byte| *byte == b' ') {
            let is_initial = is_letter(word);
            if !(is_initial && is_behind_initial) {
                push(&mut joined, b' ');
            }
            for byte in word {
                push(&mut joined, *byte);
            }
            is_behind_initial = is_initial;
        }
        self.joined = mem::replace(&mut self.plain, joined);
        self.sort();
        true
    }

    fn sort(&mut self) {
        self.words.clear();
        self.sorted.clear();
        self.has_initials = false;
        let (mut start, mut is_behind_initial) = (0_usize, false);
        for word in self.plain.split(|b| *b == b' ') {
            let end = start + word.len();
            if let (false, Ok(from), Ok(to)) =
                (word.is_empty(), u32::try_from(start), u32::try_from(end))
            {
                self.words.push((from, to));
            }
            let is_initial = is_letter(word);
            self.has_initials |= is_initial && is_behind_initial;
            is_behind_initial = is_initial;
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

/// Appends a byte of a word, or a space that ends it, unless it is left out there.
fn push(out: &mut Vec<u8>, byte: u8) {
    if !is_left_out(out.last().copied().unwrap_or(b' '), byte) {
        out.push(byte);
    }
}

/// Whether a word is one letter or digit, of any script.
fn is_letter(word: &[u8]) -> bool {
    match word {
        [_] => true,
        [0xc0..=0xff, rest @ ..] => rest.len() < 4 && rest.iter().all(|byte| byte & 0xc0 == 0x80),
        _ => false,
    }
}

/// What is taken away without leaving a gap: marks on letters, what shows as nothing, and characters of private use or
/// that Unicode has not given out, which show as anything.
fn is_mark(c: char) -> bool {
    is_combining_mark(c)
        || shows_nothing(c)
        || match get_general_category(c) {
            GeneralCategory::PrivateUse => true,
            // The standard library may know a newer Unicode.
            GeneralCategory::Unassigned => !c.is_alphanumeric(),
            _ => false,
        }
}

/// Characters that show as nothing (controls, format characters, and Unicode's `Default_Ignorable_Code_Point` but for the fillers of
/// Hangul), which could cut a listed name in two that reads as one, or make one account number two. White space is none of them.
pub(crate) fn shows_nothing(c: char) -> bool {
    if c.is_ascii() {
        return c.is_control() && !c.is_whitespace();
    }
    let category = get_general_category(c);
    matches!(category, GeneralCategory::Control | GeneralCategory::Format) && !c.is_whitespace()
        || matches!(c,
            '\u{34f}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2065}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{fff0}'..='\u{fff8}' | '\u{e0000}'..='\u{e0fff}')
}

/// Letters by their category that show as a blank: the fillers of Hangul, as compatibility decomposition leaves them.
const fn is_filler(c: char) -> bool {
    matches!(c, '\u{115f}' | '\u{1160}')
}

/// Small letters that Unicode does not decompose, as passports spell them (ICAO Doc 9303 part 3, section 6), and letters
/// that look like small capitals.
fn spelt_out(c: char) -> Option<&'static str> {
    Some(match c {
        'ß' => "ss",
        'æ' | 'ᴁ' => "ae",
        'œ' | 'ɶ' => "oe",
        'ø' => "o",
        'đ' | 'ð' | 'ᴅ' | 'ᴆ' => "d",
        'ł' | 'ʟ' | 'ᴌ' => "l",
        'þ' => "th",
        'ħ' | 'ʜ' => "h",
        'ŧ' | 'ᴛ' => "t",
        'ŋ' | 'ɴ' => "n",
        'ı' | 'ɪ' => "i",
        'ĸ' | 'ᴋ' => "k",
        'ə' | 'ᴇ' => "e",
        'ᴀ' => "a",
        'ʙ' => "b",
        'ᴄ' => "c",
        'ꜰ' => "f",
        'ɢ' => "g",
        'ᴊ' => "j",
        'ᴍ' => "m",
        'ᴏ' => "o",
        'ᴘ' => "p",
        'ꞯ' => "q",
        'ʀ' => "r",
        'ꜱ' => "s",
        'ᴜ' => "u",
        'ᴠ' => "v",
        'ᴡ' => "w",
        'ʏ' => "y",
        'ᴢ' => "z",
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
    fn umlauts_and_what_stands_for_them_are_one() {
        for (one, other) in [
            ("Müller", "Mueller"),
            ("Müller", "MULLER"),
            ("Schröder", "Schroeder"),
            ("Jäger", "Jaeger"),
            ("Sørensen", "Soerensen"),
            ("Åse Ågård", "Aase Aagaard"),
            ("Æsir Œuvre", "aesir oeuvre"),
            ("Mu\u{308}ller", "mueller"),
            ("MÜLLER", "MUELLER"),
        ] {
            assert_eq!(forms(one), forms(other), "{one}");
        }
        assert_ne!(forms("Miller"), forms("Muller"));
    }

    #[test]
    fn letters_that_look_like_small_capitals_are_letters() {
        let small = "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘꞯʀꜱᴛᴜᴠᴡʏᴢ";
        assert_eq!(forms(small).0, "abcdefghijklmnopqrstuvwyz");
        assert_eq!(forms("Ʀɪᴠᴇʀ").0, "river");
    }

    #[test]
    fn single_letters_in_a_row_have_a_second_form_as_one_word() {
        let joined = |name: &str| {
            let mut n = Normaliser::default();
            n.normalise(name);
            let text = |n: &Normaliser| String::from_utf8(n.sorted().to_vec()).unwrap();
            n.join().then(|| text(&n))
        };
        assert_eq!(joined("Banco S.A."), Some("banco sa".to_owned()));
        assert_eq!(
            joined("Ferro S. p. A. Roma"),
            Some("ferro roma spa".to_owned())
        );
        assert_eq!(joined("ΟΤΕ Α.Ε."), Some("αε οτε".to_owned()));
        assert_eq!(joined("OTE A.E."), Some("a ote".to_owned()));
        assert_eq!(joined("J. Smith"), None);
        assert_eq!(joined("J. Smith B. Jr"), None);
        assert_eq!(joined(""), None);
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
            '\u{2065}',
            '\u{600}',
            '\u{13430}',
            '\u{e000}',
            '\u{10fffd}',
            '\u{378}',
            '\u{fdd0}',
        ] {
            let name = format!("AERO{hidden}CARIBBEAN {hidden}AIRLINES{hidden}");
            assert_eq!(
                forms(&name).0,
                "arocaribbean airlines",
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

        #[test]
        fn vowels_written_out_change_nothing(name in "[a-zA-ZäöüåøÄÖÜÅØ .]{0,20}") {
            let mut written = name.clone();
            for (letter, as_two) in [
                ("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("å", "aa"), ("ø", "oe"),
                ("Ä", "AE"), ("Ö", "OE"), ("Ü", "UE"), ("Å", "Aa"), ("Ø", "Oe"),
            ] {
                written = written.replace(letter, as_two);
            }
            prop_assert_eq!(forms(&written), forms(&name));
        }
    }
}
