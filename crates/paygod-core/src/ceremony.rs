//! The documents that key ceremonies carry between machines, each a signed note (C2SP signed-note): what
//! a root key's holder hands out, the root of trust that all holders accept, a revocation.
//!
//! Each text begins with a line of its own, so that a signature over one is never one over another, over
//! a checkpoint or over a rotation. Reading is strict: what parses is written back to the same bytes.
//!
//! Nothing here holds a private key.

use std::fmt::Write as _;
use std::sync::Arc;

use paygod_tlog::{NoteVerifier, SignedNote, VerifierKey};
use paygod_types::{Code, Seq, code};

use crate::entry::{KeyRevocation, RootSignature};
use crate::keys::{self, KeyFault, ROOT_KEYS_MAX};
use crate::publisher::PUBLISHER_KEY_HEADER;
use crate::state::Book;

/// First line of what a holder hands out.
pub const ROOT_KEY_HEADER: &str = "paygod/v1 root key";
/// First line of a root of trust.
pub const ROOTS_HEADER: &str = "paygod/v1 root of trust";
/// First line of a revocation.
pub const REVOCATION_HEADER: &str = "paygod/v1 key revocation";

/// Why a ceremony's document is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CeremonyError {
    /// It is not the document expected.
    #[error("the file is no `{expected}`: {reason}; use the file that the step before made")]
    Form {
        /// Its first line, as expected.
        expected: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Keys, threshold or index do not hold.
    #[error("the `{what}` does not hold: {fault}; begin the step before anew")]
    Fault {
        /// Its first line.
        what: &'static str,
        /// What is wrong.
        fault: KeyFault,
    },
    /// The files are signatures of different documents.
    #[error("the files sign different documents; gather signatures of one and the same")]
    Mixed,
    /// Signatures are missing or not valid.
    #[error("expected {expected}, found {found}; gather what is missing")]
    Signatures {
        /// Whose signatures are needed.
        expected: String,
        /// What there is.
        found: String,
    },
}

impl CeremonyError {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Form { .. } | Self::Mixed => code::KEYS_DOCUMENT,
            Self::Fault { .. } => code::KEYS_REFUSED,
            Self::Signatures { .. } => code::KEYS_SIGNATURES,
        }
    }
}

/// What a holder hands out: a root key's public part, signed by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootKeyText {
    /// The vkey.
    pub key: Arc<str>,
}

impl RootKeyText {
    /// The text that the key signs.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{ROOT_KEY_HEADER}\n{}\n", self.key)
    }

    /// Reads a note and checks that whoever made it holds the key.
    ///
    /// # Errors
    /// It is not such a note, or is not signed by the key that it names.
    pub fn open(bytes: &[u8]) -> Result<Self, CeremonyError> {
        let key = offered(bytes, ROOT_KEY_HEADER)?;
        Ok(Self { key })
    }
}

/// What a publisher of packs hands out: its key's public part, signed by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublisherKeyText {
    /// The vkey.
    pub key: Arc<str>,
}

impl PublisherKeyText {
    /// The text that the key signs.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{PUBLISHER_KEY_HEADER}\n{}\n", self.key)
    }

    /// Reads a note and checks that whoever made it holds the key.
    ///
    /// # Errors
    /// It is not such a note, or is not signed by the key that it names.
    pub fn open(bytes: &[u8]) -> Result<Self, CeremonyError> {
        let key = offered(bytes, PUBLISHER_KEY_HEADER)?;
        Ok(Self { key })
    }
}

/// The key that a note of two lines names, if it is signed by that key.
fn offered(bytes: &[u8], header: &'static str) -> Result<Arc<str>, CeremonyError> {
    let note = note(bytes, header)?;
    let lines: Vec<&str> = note.text().lines().collect();
    let [_, key] = lines.as_slice() else {
        return Err(form(header, "it has not two lines"));
    };
    let verifier = keys::ed25519(key).map_err(fault(header))?;
    match note.verify(&[&verifier]) {
        Ok(_) => Ok((*key).into()),
        Err(error) => Err(CeremonyError::Signatures {
            expected: format!("a signature by {key}"),
            found: error.to_string(),
        }),
    }
}

/// The root of trust of a book: whose keys, and how many of them must sign together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootsText {
    /// The log's origin.
    pub origin: Arc<str>,
    /// The root keys, as vkeys, ascending.
    pub keys: Vec<Arc<str>>,
    /// How many must sign together.
    pub threshold: u32,
}

impl RootsText {
    /// Puts a root of trust together; the keys come in any order.
    ///
    /// # Errors
    /// A key twice, under one name or two; too many or none; a threshold that they cannot reach.
    pub fn new(
        origin: Arc<str>,
        mut keys: Vec<Arc<str>>,
        threshold: u32,
    ) -> Result<Self, CeremonyError> {
        keys.sort_unstable();
        let roots = Self {
            origin,
            keys,
            threshold,
        };
        roots.check().map_err(fault(ROOTS_HEADER))?;
        Ok(roots)
    }

    /// The text that every holder signs.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("{ROOTS_HEADER}\n{}\n{}\n", self.origin, self.threshold);
        for key in &self.keys {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{key}");
        }
        text
    }

    /// Reads the text.
    ///
    /// # Errors
    /// It is not one, or its keys and threshold do not hold.
    pub fn from_text(text: &str) -> Result<Self, CeremonyError> {
        let mut lines = text.lines();
        let head = [lines.next(), lines.next(), lines.next()];
        let [Some(ROOTS_HEADER), Some(origin), Some(threshold)] = head else {
            return Err(form(ROOTS_HEADER, "it does not begin with its three lines"));
        };
        let threshold = threshold
            .parse()
            .map_err(|_| form(ROOTS_HEADER, "its third line is no threshold"))?;
        let roots = Self {
            origin: origin.into(),
            keys: lines.take(ROOT_KEYS_MAX + 1).map(Into::into).collect(),
            threshold,
        };
        roots.check().map_err(fault(ROOTS_HEADER))?;
        if roots.to_text() != text {
            return Err(form(ROOTS_HEADER, "it is not in its one spelling"));
        }
        Ok(roots)
    }

    /// Joins what the holders signed, and checks that every one of them has: a key whose holder has not
    /// signed is one that nobody has shown to hold for this book.
    ///
    /// # Errors
    /// The notes sign different texts, or a holder's signature is missing or not valid.
    pub fn accepted(notes: &[Vec<u8>]) -> Result<Self, CeremonyError> {
        let note = join(notes, ROOTS_HEADER)?;
        let roots = Self::from_text(note.text())?;
        let signed = signers(&note, &roots.keys, ROOTS_HEADER)?;
        if signed.len() == roots.keys.len() {
            return Ok(roots);
        }
        let missing: Vec<&str> = (roots.keys.iter().enumerate())
            .filter(|(place, _)| !signed.contains(place))
            .map(|(_, key)| name(key))
            .collect();
        Err(CeremonyError::Signatures {
            expected: format!("the signatures of all {} holders", roots.keys.len()),
            found: format!("none by {}", missing.join(", ")),
        })
    }

    /// Ascending, of distinct owners, and a threshold within them.
    pub(crate) fn check(&self) -> Result<(), KeyFault> {
        let fault = |expected: String, found: String| Err(KeyFault { expected, found });
        let ascending = self.keys.is_sorted_by(|a, b| a < b);
        if !ascending || self.keys.len() > ROOT_KEYS_MAX {
            let expected = format!("at most {ROOT_KEYS_MAX} root keys, ascending, each once");
            return fault(expected, "others".to_owned());
        }
        let mut public: Vec<VerifierKey> = self.verifier_keys()?;
        public.sort_by(|a, b| a.public_key().cmp(b.public_key()));
        let twice = public
            .windows(2)
            .find(|pair| matches!(pair, [a, b] if a.public_key() == b.public_key()));
        if let Some([one, other]) = twice {
            let found = format!("one key named `{}` and `{}`", one.name(), other.name());
            return fault("root keys of distinct holders".to_owned(), found);
        }
        let threshold = usize::try_from(self.threshold).unwrap_or(usize::MAX);
        if !(1..=self.keys.len()).contains(&threshold) {
            let expected = format!("a threshold within {} root keys", self.keys.len());
            return fault(expected, threshold.to_string());
        }
        Ok(())
    }

    pub(crate) fn verifier_keys(&self) -> Result<Vec<VerifierKey>, KeyFault> {
        self.keys
            .iter()
            .map(|key| {
                keys::ed25519(key)?;
                keys::parse(key)
            })
            .collect()
    }
}

/// A revocation before it is sealed: what the root keys sign.
///
/// It names no place in the log, which goes on while signatures are gathered: that the replacement is a
/// key never used before lets it be sealed once only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationText {
    /// The log's origin.
    pub origin: Arc<str>,
    /// The stolen key.
    pub revoked: Arc<str>,
    /// The last entry that checkpoints of the stolen key may cover.
    pub last_good: Seq,
    /// The checkpoint key from now on.
    pub new: Arc<str>,
    /// In a hybrid book, the ML-DSA-44 key from now on; `None`: the one in force stays.
    pub hybrid: Option<Arc<str>>,
}

impl RevocationText {
    pub(crate) fn of(origin: &Arc<str>, revocation: &KeyRevocation) -> Self {
        Self {
            origin: Arc::clone(origin),
            revoked: Arc::clone(&revocation.revoked),
            last_good: revocation.last_good,
            new: Arc::clone(&revocation.new),
            hybrid: (revocation.hybrid.as_ref()).map(|change| Arc::clone(&change.new)),
        }
    }

    /// The text that root keys and the new key sign.
    #[must_use]
    pub fn to_text(&self) -> String {
        let Self {
            origin,
            revoked,
            last_good,
            new,
            hybrid,
        } = self;
        let mut text = format!("{REVOCATION_HEADER}\n{origin}\n{revoked}\n{last_good}\n{new}\n");
        if let Some(hybrid) = hybrid {
            text += hybrid;
            text += "\n";
        }
        text
    }

    /// Reads the text.
    ///
    /// # Errors
    /// It is not one in its one spelling.
    pub fn from_text(text: &str) -> Result<Self, CeremonyError> {
        let lines: Vec<&str> = text.lines().take(7).collect();
        let [
            REVOCATION_HEADER,
            origin,
            revoked,
            last_good,
            new,
            hybrid @ ..,
        ] = lines.as_slice()
        else {
            return Err(form(REVOCATION_HEADER, "it has not five lines"));
        };
        let hybrid = match hybrid {
            [] => None,
            [one] => {
                keys::hybrid_verifier(one, origin).map_err(fault(REVOCATION_HEADER))?;
                Some((*one).into())
            }
            _ => return Err(form(REVOCATION_HEADER, "it has more than six lines")),
        };
        let last_good = last_good
            .parse()
            .map_err(|_| form(REVOCATION_HEADER, "its fourth line is no index"))?;
        let parsed = Self {
            origin: (*origin).into(),
            revoked: (*revoked).into(),
            last_good: Seq(last_good),
            new: (*new).into(),
            hybrid,
        };
        if parsed.to_text() != text {
            return Err(form(REVOCATION_HEADER, "it is not in its one spelling"));
        }
        Ok(parsed)
    }

    /// Joins what root keys and the new key signed into what is sealed, but for what the ML-DSA-44 keys have
    /// to sign. Whether enough did, the fold says.
    ///
    /// # Errors
    /// The notes sign different texts, the text is of another log, or a signature is missing or not
    /// valid.
    pub fn signed(notes: &[Vec<u8>], book: &Book) -> Result<(Self, KeyRevocation), CeremonyError> {
        let note = join(notes, REVOCATION_HEADER)?;
        let text = Self::from_text(note.text())?;
        if text.origin != book.origin {
            let found = text.origin.to_string();
            let expected = format!("a revocation of the log `{}`", book.origin);
            let fault = KeyFault { expected, found };
            let what = REVOCATION_HEADER;
            return Err(CeremonyError::Fault { what, fault });
        }
        let of = |vkey: &Arc<str>| -> Result<Option<[u8; 64]>, CeremonyError> {
            let key = keys::ed25519(vkey).map_err(fault(REVOCATION_HEADER))?;
            let mine = |s: &&paygod_tlog::NoteSignature| {
                s.name == *key.name() && s.id == key.id() && key.verify(note.text(), &s.signature)
            };
            let signature = note.signatures().iter().find(mine);
            Ok(signature.and_then(|s| s.signature.as_slice().try_into().ok()))
        };
        let mut signatures = Vec::new();
        for key in &book.root_keys {
            if let Some(signature) = of(key)? {
                let key = Arc::clone(key);
                signatures.push(RootSignature { key, signature });
            }
        }
        let missing = || CeremonyError::Signatures {
            expected: format!("a signature by the new key, {}", text.new),
            found: "none that is valid".to_owned(),
        };
        let revocation = KeyRevocation {
            hybrid: None,
            signature_new: of(&text.new)?.ok_or_else(missing)?,
            last_good: text.last_good,
            new: Arc::clone(&text.new),
            revoked: Arc::clone(&text.revoked),
            signatures,
        };
        Ok((text, revocation))
    }
}

/// Notes over one text as one note.
///
/// # Errors
/// One is no note of this kind, or they sign different texts.
pub fn join(notes: &[Vec<u8>], header: &'static str) -> Result<SignedNote, CeremonyError> {
    let mut parsed = notes.iter().map(|bytes| note(bytes, header));
    let mut joined = parsed
        .next()
        .unwrap_or_else(|| Err(form(header, "no file")))?;
    for other in parsed {
        let other = other?;
        if other.text() != joined.text() {
            return Err(CeremonyError::Mixed);
        }
        for signature in other.signatures() {
            if !joined.signatures().contains(signature) {
                joined
                    .add_signature(signature.clone())
                    .map_err(|error| form(header, &error.to_string()))?;
            }
        }
    }
    Ok(joined)
}

/// Which of the keys signed, as places among them.
fn signers(
    note: &SignedNote,
    vkeys: &[Arc<str>],
    what: &'static str,
) -> Result<Vec<usize>, CeremonyError> {
    let mut verifiers = Vec::with_capacity(vkeys.len());
    for key in vkeys {
        verifiers.push(keys::ed25519(key).map_err(fault(what))?);
    }
    let verifiers: Vec<&dyn NoteVerifier> = verifiers
        .iter()
        .map(|verifier| -> &dyn NoteVerifier { verifier })
        .collect();
    note.verify(&verifiers)
        .map_err(|error| CeremonyError::Signatures {
            expected: "valid signatures by root keys".to_owned(),
            found: error.to_string(),
        })
}

fn note(bytes: &[u8], header: &'static str) -> Result<SignedNote, CeremonyError> {
    let note = SignedNote::parse(bytes).map_err(|error| form(header, &error.to_string()))?;
    if note.text().lines().next() != Some(header) {
        return Err(form(header, "its first line is another"));
    }
    Ok(note)
}

fn form(expected: &'static str, reason: &str) -> CeremonyError {
    let reason = reason.to_owned();
    CeremonyError::Form { expected, reason }
}

fn fault(what: &'static str) -> impl Fn(KeyFault) -> CeremonyError {
    move |fault| CeremonyError::Fault { what, fault }
}

/// A vkey's name.
fn name(vkey: &str) -> &str {
    vkey.split('+').next().unwrap_or(vkey)
}
