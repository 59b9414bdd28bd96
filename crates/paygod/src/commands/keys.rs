//! `keys`: the root ceremony, revocation, and what has been in force.
//!
//! No command here reads more than one root key: whoever runs them holds one share and no more.

use crate::book;
use crate::cli::{
    CeremonyCommand, CeremonyNew, CeremonyPropose, Global, KeysCommand, KeysPolicy, KeysRotate,
    KeysSign, RevokeCommand, RevokeDraft, RevokeSeal,
};
use crate::commands::{ask, requests};
use crate::fault::{Answer, Fault, Outcome, faults_from};
use crate::files;
use crate::narrate;
use crate::narrate::DAY_S;
use crate::output::{Console, Tone};
use crate::table::{Align, Cell, Table};
use paygod_core::ceremony::{
    CeremonyError, REVOCATION_HEADER, ROOTS_HEADER, RevocationText, RootKeyText, RootsText,
};
use paygod_core::key_policy::KeyPolicy;
use paygod_core::{Book, Command, KeyPeriod};
use paygod_keys::file::{self, KeyFileError};
use paygod_service::ledger::{KeyChangeError, LedgerReader, RotationPolicy};
use paygod_tlog::limits::NOTE_BYTES_MAX;
use paygod_tlog::{Ed25519Signer, KeyName, NoteSigner, SignatureType, SignedNote, VerifierKey};
use paygod_types::{Seq, code};
use serde_json::json;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

faults_from!(
    CeremonyError,
    KeyFileError,
    KeyChangeError,
    paygod_tlog::NoteError
);

/// How often the signer is looked at while it signs.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Runs one of them.
pub(crate) fn run(command: &KeysCommand, global: &Global, console: &mut Console) -> Outcome {
    match command {
        KeysCommand::Ceremony(CeremonyCommand::New(options)) => new(options, console),
        KeysCommand::Ceremony(CeremonyCommand::Propose(options)) => propose(options, console),
        KeysCommand::Sign(options) => sign(options, console),
        KeysCommand::Revoke(RevokeCommand::Draft(options)) => draft(options, global, console),
        KeysCommand::Revoke(RevokeCommand::Seal(options)) => seal(options, global, console),
        KeysCommand::Rotate(options) => rotate(options, global, console),
        KeysCommand::Policy(options) => policy(options, global, console),
        KeysCommand::Status(_) => status(global, console),
        KeysCommand::History(_) => history(global, console),
    }
}

fn new(options: &CeremonyNew, console: &mut Console) -> Outcome {
    let text = |key: &str| RootKeyText { key: key.into() }.to_text();
    let public = make(&options.name, &options.key, text, console)?;
    console.note(format_args!(
        "Carry `{}` to the operator. Keep `{}` and its passphrase apart from each other, and a copy of both elsewhere.",
        public.display(),
        options.key.display()
    ))?;
    Ok(Answer::Yes)
}

/// Makes a key file, and beside it what its holder hands out, as `text` spells it, and tells of them. Where the
/// public part is.
pub(crate) fn make(
    name: &str,
    path: &Path,
    text: impl FnOnce(&str) -> String,
    console: &mut Console,
) -> Result<PathBuf, Fault> {
    let name = KeyName::parse(name)?;
    let public = public_path(path);
    check_new(&public)?;
    let signer = file::create(path, name, &passphrase(path, true)?)?;
    hand_out(&signer, &path.display().to_string(), &public, text, console)?;
    Ok(public)
}

/// Refuses to write over what somebody was handed out.
pub(crate) fn check_new(public: &Path) -> Result<(), Fault> {
    if public.exists() {
        let message = format!("`{}` is there already", public.display());
        return Err(Fault::new(code::KEYS_FILE, message).remedy("name another file"));
    }
    Ok(())
}

/// Writes what the holder of a new key hands out, and tells of both.
pub(crate) fn hand_out(
    signer: &dyn NoteSigner,
    place: &str,
    public: &Path,
    text: impl FnOnce(&str) -> String,
    console: &mut Console,
) -> Result<(), Fault> {
    let key = signer.verifier_key().to_string();
    files::write(public, &signed(&text(&key), signer)?)?;
    console.value(&json!({
        "key": key,
        "key_file": place,
        "public_file": public.display().to_string(),
    }))?;
    console.line(format_args!("{} {key}", Tone::Good.paint("made")))
}

/// Whether a key is named by its address in a hardware module or a key service; anything else is a file.
pub(crate) fn is_address(key: &str) -> bool {
    ["pkcs11:", "awskms:", "transit+"]
        .iter()
        .any(|scheme| key.starts_with(scheme))
}

/// Opens the key file whose public part is `vkey`.
pub(crate) fn open(path: &Path, vkey: &str) -> Result<Ed25519Signer, Fault> {
    let name = VerifierKey::parse(vkey)?.name().clone();
    let signer = file::open(path, name, &passphrase(path, false)?)?;
    if signer.verifier_key().to_string() == vkey {
        return Ok(signer);
    }
    let public = public_path(path);
    let message = format!(
        "`{}` is not the public part of `{}`",
        public.display(),
        path.display()
    );
    Err(Fault::new(code::KEYS_FILE, message)
        .remedy("restore both files from where their copies are kept"))
}

fn propose(options: &CeremonyPropose, console: &mut Console) -> Outcome {
    KeyName::parse(&options.origin)?;
    let most = u32::try_from(options.public.len()).unwrap_or(u32::MAX);
    if !(1..=most).contains(&options.threshold) {
        let message = format!(
            "`--threshold {}` with {most} `.pub` files",
            options.threshold
        );
        return Err(Fault::new(code::CLI_ARGUMENT, message)
            .remedy(format!("let between 1 and {most} keys sign together")));
    }
    let mut keys = Vec::with_capacity(options.public.len());
    for path in &options.public {
        keys.push(RootKeyText::open(&files::read(path, NOTE_BYTES_MAX)?)?.key);
    }
    let roots = RootsText::new(options.origin.as_str().into(), keys, options.threshold)?;
    files::write(&options.out, roots.to_text().as_bytes())?;
    console.value(&roots_value(&roots))?;
    tell_roots(&roots, console)?;
    console.note(format_args!(
        "Carry `{}` to every holder, who signs it: paygod keys sign. Then: paygod init --roots, with all that they signed.",
        options.out.display()
    ))?;
    Ok(Answer::Yes)
}

fn sign(options: &KeysSign, console: &mut Console) -> Outcome {
    let bytes = files::read(&options.document, NOTE_BYTES_MAX)?;
    let offer = RootKeyText::open(&files::read(&public_path(&options.key), NOTE_BYTES_MAX)?)?;
    let text = document(&bytes)?;
    match text.lines().next() {
        Some(ROOTS_HEADER) => {
            let roots = RootsText::from_text(&text)?;
            if !roots.keys.contains(&offer.key) {
                let message = format!("the root of trust does not name the key {}", offer.key);
                return Err(Fault::new(code::KEYS_NOT_A_HOLDER, message));
            }
            tell_roots(&roots, console)?;
        }
        Some(REVOCATION_HEADER) => tell_revocation(&RevocationText::from_text(&text)?, console)?,
        _ => {
            let message = format!(
                "`{}` is neither a root of trust nor a revocation",
                options.document.display()
            );
            return Err(Fault::new(code::KEYS_DOCUMENT, message));
        }
    }
    let signer = open(&options.key, &offer.key)?;
    files::write(&options.out, &signed(&text, &signer)?)?;
    console.value(&json!({
        "document": text,
        "signed_by": *offer.key,
        "out": options.out.display().to_string(),
    }))?;
    console.line(format_args!(
        "{} by {}",
        Tone::Good.paint("signed"),
        offer.key
    ))?;
    console.note(format_args!(
        "Carry `{}` back to the operator.",
        options.out.display()
    ))?;
    Ok(Answer::Yes)
}

fn draft(options: &RevokeDraft, global: &Global, console: &mut Console) -> Outcome {
    book::with(global, |ledger| {
        let keys = ledger.read().book_keys()?.ok_or(KeyChangeError::NoRoots)?;
        let stolen = match &options.stolen {
            Some(stolen) => stolen.clone(),
            None => keys.checkpoint_key().to_owned(),
        };
        let known = keys.checkpoint_keys.iter().any(|key| *key.vkey == *stolen);
        if !known || options.last_good >= ledger.read().size() {
            let message = if known {
                format!("the book has no entry {} yet", options.last_good)
            } else {
                format!("`{stolen}` never signed checkpoints of this book")
            };
            return Err(Fault::new(code::CLI_ARGUMENT, message).remedy(
                "see `paygod keys history` for its keys, and `paygod entries` for entries",
            ));
        }
        let draft = ledger.draft_revocation(&stolen, Seq(options.last_good))?;
        files::write(&options.out, &draft.note)?;
        console.value(&revocation_value(&draft.text))?;
        tell_revocation(&draft.text, console)?;
        console.note(format_args!(
            "Nothing is revoked yet. Carry `{}` to {} of the {} holders of root keys, who sign it: paygod keys sign. Then: paygod keys revoke seal.",
            options.out.display(),
            keys.root_threshold,
            keys.root_keys.len()
        ))?;
        Ok(Answer::Yes)
    })
}

fn seal(options: &RevokeSeal, global: &Global, console: &mut Console) -> Outcome {
    let mut notes = Vec::with_capacity(options.signed.len());
    for path in &options.signed {
        notes.push(files::read(path, NOTE_BYTES_MAX)?);
    }
    book::with(global, |ledger| {
        let (seq, note) = ledger.revoke(&notes)?;
        files::write(&options.out, &note)?;
        book::wait_signed(ledger)?;
        console.value(&json!({"seq": seq.get(), "out": options.out.display().to_string()}))?;
        console.line(format_args!(
            "{} as entry {seq}; the replacement has signed the checkpoint that covers it",
            Tone::Good.paint("revoked")
        ))?;
        console.note(format_args!(
            "Give `{}` to everyone who verifies this book: paygod verify --kept.",
            options.out.display()
        ))?;
        Ok(Answer::Yes)
    })
}

fn rotate(options: &KeysRotate, global: &Global, console: &mut Console) -> Outcome {
    let asked = RotationPolicy {
        age_max: (options.age_days).map(|days| Duration::from_secs(days.saturating_mul(DAY_S))),
        signatures_max: options.signatures,
    };
    book::with(global, |ledger| {
        let policy = if options.if_due {
            let book = ledger.read().book_keys()?;
            RotationPolicy::of(&book.map(|book| book.key_policy).unwrap_or_default())
        } else {
            asked
        };
        let rotated = if !options.if_due && policy == RotationPolicy::default() {
            ledger.rotate_key()?
        } else if let Some(rotated) = ledger.rotate_if_due(&policy)? {
            rotated
        } else {
            console.value(&json!({"rotated": false}))?;
            console.line("the key has passed no limit and stays in force")?;
            return Ok(Answer::Yes);
        };
        book::wait_signed(ledger)?;
        console.value(&json!({
            "rotated": true,
            "seq": rotated.seq.get(),
            "old": *rotated.old.checkpoint,
            "new": *rotated.new.checkpoint,
            "hybrid_old": rotated.old.hybrid.as_deref(),
            "hybrid_new": rotated.new.hybrid.as_deref(),
        }))?;
        console.line(format_args!(
            "{} as entry {}",
            Tone::Good.paint("rotated"),
            rotated.seq
        ))?;
        for (word, keys) in [("from", &rotated.old), ("to", &rotated.new)] {
            console.line(format_args!("  {word:<4}  {}", keys.checkpoint))?;
            if let Some(key) = keys.hybrid.as_deref() {
                console.line(format_args!("        {}", shown(key)))?;
            }
        }
        Ok(Answer::Yes)
    })
}

fn policy(options: &KeysPolicy, global: &Global, console: &mut Console) -> Outcome {
    let age_s = options.age_days.map(|days| days.saturating_mul(DAY_S));
    let policy = KeyPolicy {
        age_s,
        signatures: options.signatures,
        unsigned: options.unsigned,
    };
    if policy == KeyPolicy::default() && !options.none {
        return book::read(global, |reader| {
            let book = reader.book_keys()?;
            let said = book.map(|book| book.key_policy).unwrap_or_default();
            console.value(&policy_value(&said))?;
            console.line(format_args!(
                "checkpoint keys: {}",
                narrate::key_policy(&said)
            ))?;
            Ok(Answer::Yes)
        });
    }
    policy.check().map_err(|expected| {
        Fault::new(
            code::CLI_ARGUMENT,
            format!("a policy of keys has {expected}"),
        )
    })?;
    book::with(global, |ledger| {
        // What was in force before can be again.
        let about = [format!("{policy:?}"), ledger.read().size().to_string()];
        let about: Vec<&str> = about.iter().map(String::as_str).collect();
        let request = ask::request(&options.asked, &about, Command::KeyPolicy(policy))?;
        requests::seal(ledger, request, console)
    })
}

fn policy_value(policy: &KeyPolicy) -> serde_json::Value {
    json!({
        "age_s": policy.age_s,
        "signatures": policy.signatures,
        "unsigned": policy.unsigned,
    })
}

fn status(global: &Global, console: &mut Console) -> Outcome {
    let told = book::with(global, |ledger| {
        // Signed, or known why not.
        while ledger.read().signed() < ledger.read().size() && ledger.signer_fault().is_none() {
            std::thread::sleep(LOOK_EVERY);
        }
        tell_status(ledger.read(), console)
    });
    match told {
        // The process that writes signs in a moment, if it can. Where nothing may be written, all may be signed already.
        Err(fault) if matches!(fault.code(), code::STORE_LOCKED | code::STORE_READ_ONLY) => {
            book::read_signed(global, |reader| tell_status(reader, console))
        }
        told => told,
    }
}

fn tell_status(reader: &LedgerReader, console: &mut Console) -> Outcome {
    let status = reader.status()?;
    let Some(keys) = reader.book_keys()? else {
        return Err(Fault::new(code::BOOK_NOT_READY, "the book has no genesis"));
    };
    let since = keys.checkpoint_keys.last().map_or(0, |key| key.since.get());
    let used = reader.key_use()?;
    console.value(&json!({
        "origin": status.origin,
        "fingerprint": status.fingerprint,
        "checkpoint_key": keys.checkpoint_key(),
        "since": since,
        "hybrid_key": keys.hybrid_key(),
        "root_keys": keys.root_keys.iter().map(|key| &**key).collect::<Vec<_>>(),
        "root_threshold": keys.root_threshold,
        "revoked": keys.revoked.len(),
        "entries": status.entries,
        "signed": status.signed,
        "signer_fault": status.signer_fault,
        "signatures": used.signatures,
        "in_force_since": used.since.to_string(),
        "policy": policy_value(&keys.key_policy),
        "rotation_fault": status.rotation_fault,
    }))?;
    console.line(format_args!("{}", Tone::Strong.paint(&status.origin)))?;
    console.line(format_args!("  in force        {}", keys.checkpoint_key()))?;
    if let Some(key) = keys.hybrid_key() {
        console.line(format_args!("                  {}", shown(key)))?;
    }
    console.line(format_args!("  since entry     {since}, {}", used.since))?;
    console.line(format_args!(
        "  has signed      {} checkpoints",
        used.signatures
    ))?;
    let policy = narrate::key_policy(&keys.key_policy);
    console.line(format_args!("  policy          {policy}"))?;
    if let Some(fault) = &status.rotation_fault {
        let said = format!("the key is to be replaced and was not: {fault}");
        console.sentence(2, Tone::Bad, &said)?;
    }
    for key in &keys.root_keys {
        console.line(format_args!("  root key        {key}"))?;
    }
    tell_roots_of(&keys, console)?;
    let Some(fault) = status.signer_fault else {
        console.line(format_args!(
            "  {} {} of {} entries are covered by a signed checkpoint",
            Tone::Good.paint("signing works:"),
            status.signed,
            status.entries
        ))?;
        return Ok(Answer::Yes);
    };
    console.sentence(
        2,
        Tone::Bad,
        &format!(
            "checkpoints wait: {} of {} entries are covered. {fault}",
            status.signed, status.entries
        ),
    )?;
    Ok(Answer::No)
}

fn history(global: &Global, console: &mut Console) -> Outcome {
    book::read(global, |reader| {
        let Some(keys) = reader.book_keys()? else {
            return Err(Fault::new(code::BOOK_NOT_READY, "the book has no genesis"));
        };
        let mut table = Table::new(&[
            ("since entry", Align::Right),
            ("checkpoint key", Align::Left),
            ("what became of it", Align::Left),
        ]);
        let mut values = Vec::new();
        let periods = |keys| Vec::from_iter(followed(keys));
        let all = [periods(&keys.checkpoint_keys), periods(&keys.hybrid_keys)];
        for (key, next) in all.into_iter().flatten() {
            let revoked = keys.revoked.iter().find(|one| one.vkey == key.vkey);
            let (tone, became) = match (revoked, next) {
                (Some(revoked), _) => (
                    Tone::Bad,
                    format!(
                        "revoked by entry {}: counts up to entry {}",
                        revoked.at, revoked.last_good
                    ),
                ),
                (None, Some(next)) => (Tone::Faint, format!("replaced by entry {}", next.since)),
                (None, None) => (Tone::Good, "in force".to_owned()),
            };
            table.row([
                Cell::from(key.since.to_string()),
                Cell::from(shown(&key.vkey)),
                Cell::toned(became, tone),
            ]);
            values.push(json!({
                "since": key.since.get(),
                "key": *key.vkey,
                "until": next.map(|next| next.since.get()),
                "revoked_at": revoked.map(|one| one.at.get()),
                "last_good": revoked.map(|one| one.last_good.get()),
            }));
        }
        console.value(&json!(values))?;
        console.table(0, &table)?;
        Ok(Answer::Yes)
    })
}

/// Each key with the one that followed it.
fn followed(keys: &[KeyPeriod]) -> impl Iterator<Item = (&KeyPeriod, Option<&KeyPeriod>)> {
    keys.iter()
        .enumerate()
        .map(|(place, key)| (key, keys.get(place.saturating_add(1))))
}

/// What a book without root keys has to be told.
pub(crate) fn tell_roots_of(keys: &Book, console: &mut Console) -> Result<(), Fault> {
    if keys.root_keys.is_empty() {
        return console.sentence(2, Tone::Warn, NO_ROOTS);
    }
    console.line(format_args!(
        "  {} of {} root keys can revoke a checkpoint key",
        keys.root_threshold,
        keys.root_keys.len()
    ))
}

/// Said of every book without root keys.
pub(crate) const NO_ROOTS: &str = "A book for development: it has no root keys, so a stolen checkpoint key can never be revoked. For a book that counts, hold a ceremony first: paygod keys ceremony new --help.";

fn tell_roots(roots: &RootsText, console: &mut Console) -> Result<(), Fault> {
    console.line(format_args!(
        "{} of the log `{}`: {} of these {} keys must sign together",
        Tone::Strong.paint("root of trust"),
        roots.origin,
        roots.threshold,
        roots.keys.len()
    ))?;
    for key in &roots.keys {
        console.line(format_args!("  {key}"))?;
    }
    Ok(())
}

fn tell_revocation(text: &RevocationText, console: &mut Console) -> Result<(), Fault> {
    console.line(format_args!(
        "{} in the log `{}`",
        Tone::Strong.paint("revocation"),
        text.origin
    ))?;
    console.line(format_args!("  revoked         {}", text.revoked))?;
    console.line(format_args!("  last good       entry {}", text.last_good))?;
    console.line(format_args!("  replaced by     {}", text.new))?;
    match &text.hybrid {
        Some(key) => console.line(format_args!("                  {key}")),
        None => Ok(()),
    }
}

/// A key on one line: an ML-DSA-44 key, which would fill a screen, by its name and id.
fn shown(vkey: &str) -> String {
    match VerifierKey::parse(vkey) {
        Ok(key) if key.kind() == SignatureType::CosignatureMlDsa44 => {
            format!("{}+{} (ML-DSA-44)", key.name(), key.id())
        }
        _ => vkey.to_owned(),
    }
}

fn roots_value(roots: &RootsText) -> serde_json::Value {
    json!({
        "origin": *roots.origin,
        "threshold": roots.threshold,
        "root_keys": roots.keys.iter().map(|key| &**key).collect::<Vec<_>>(),
    })
}

fn revocation_value(text: &RevocationText) -> serde_json::Value {
    json!({
        "origin": *text.origin,
        "revoked": *text.revoked,
        "last_good": text.last_good.get(),
        "new": *text.new,
        "hybrid": text.hybrid.as_deref(),
    })
}

/// The text of a document, signed already or not yet.
fn document(bytes: &[u8]) -> Result<String, Fault> {
    if let Ok(note) = SignedNote::parse(bytes) {
        return Ok(note.text().to_owned());
    }
    String::from_utf8(bytes.to_vec())
        .map_err(|_| Fault::new(code::KEYS_DOCUMENT, "the document is not text"))
}

pub(crate) fn signed(text: &str, signer: &dyn NoteSigner) -> Result<Vec<u8>, Fault> {
    Ok(SignedNote::sign(text, &[signer])?.to_bytes())
}

/// `root-1.key` → `root-1.key.pub`
pub(crate) fn public_path(key: &Path) -> PathBuf {
    let mut name = key.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}

/// The passphrase of a key file: from the file that the environment names, else typed by a person.
pub(crate) fn passphrase(key: &Path, is_new: bool) -> Result<Zeroizing<Vec<u8>>, Fault> {
    if let Some(path) = std::env::var_os(file::PASSPHRASE_FILE) {
        return Ok(file::read_passphrase(Path::new(&path))?);
    }
    if !std::io::stdin().is_terminal() {
        let message = format!(
            "nobody is there to type the passphrase of `{}`",
            key.display()
        );
        return Err(Fault::new(code::KEYS_PASSPHRASE, message));
    }
    let typed = ask(&format!("Passphrase of {}: ", key.display()))?;
    if is_new && *ask("The same once more: ")? != *typed {
        let message = "the two passphrases are not the same";
        return Err(Fault::new(code::KEYS_PASSPHRASE, message).remedy("type them again"));
    }
    Ok(typed)
}

fn ask(prompt: &str) -> Result<Zeroizing<Vec<u8>>, Fault> {
    rpassword::prompt_password(prompt)
        .map(|typed| Zeroizing::new(typed.into_bytes()))
        .map_err(|error| Fault::of(code::KEYS_PASSPHRASE, &error))
}
