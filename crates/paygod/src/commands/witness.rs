//! `witness`: asking witnesses, and being one.

use super::keys::passphrase;
use crate::book;
use crate::cli::{
    Global, WitnessAsk, WitnessCommand, WitnessInit, WitnessKey, WitnessLogs, WitnessServe,
};
use crate::fault::{Answer, Fault, Outcome, faults_from};
use crate::files;
use crate::output::{Console, Tone};
use paygod_anchor::witness::logs::{self, Log, LogsError};
use paygod_anchor::witness::{Witness, WitnessError, WitnessKey as Key, http};
use paygod_keys::file::{self, KeyFileError, SeedKind};
use paygod_keys::uri::URI_BYTES_MAX;
use paygod_keys::{Algorithm, CosignerKey, Provider};
use paygod_tlog::limits::{POLICY_BYTES_MAX, VERIFIER_KEY_BYTES_MAX};
use paygod_tlog::{
    Cosigner as _, Ed25519Cosigner, KeyName, MlDsa44Cosigner, SignatureType, TlogPolicy,
    VerifierKey,
};
use paygod_types::code;
use serde_json::json;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

faults_from!(
    LogsError,
    WitnessError,
    paygod_tlog::PolicyError,
    paygod_tlog::PolicyFailure
);

/// Longest file of a witness's name.
const NAME_BYTES_MAX: usize = 256;

/// Where the key is, when it is in no file: a URI, and the vkey.
const PLACE: &str = "provider";

/// Longest such file.
const PLACE_BYTES_MAX: usize = URI_BYTES_MAX + VERIFIER_KEY_BYTES_MAX + 2;

/// Runs one of them.
pub(crate) fn run(command: &WitnessCommand, global: &Global, console: &mut Console) -> Outcome {
    match command {
        WitnessCommand::Ask(options) => ask(options, global, console),
        WitnessCommand::Init(options) => init(options, global, console),
        WitnessCommand::AddKey(options) => change(options, logs::add_key, console),
        WitnessCommand::RemoveKey(options) => change(options, logs::remove_key, console),
        WitnessCommand::Logs(options) => list(options, console),
        WitnessCommand::Serve(options) => serve(options, global, console),
    }
}

/// Reads a trust policy.
pub(super) fn policy(path: &Path) -> Result<TlogPolicy, Fault> {
    Ok(TlogPolicy::parse(&files::read(path, POLICY_BYTES_MAX)?)?)
}

fn ask(options: &WitnessAsk, global: &Global, console: &mut Console) -> Outcome {
    let policy = policy(&options.policy)?;
    book::with(global, |ledger| {
        book::wait_signed(ledger)?;
        let round = ledger.ask_witnesses(policy)?;
        let size = ledger.read().witnessed().map(|last| last.head().size);
        let Some(round) = round else {
            console.value(&json!({"witnessed": size.is_some(), "size": size, "faults": []}))?;
            console.line("the newest checkpoint is witnessed already")?;
            return Ok(Answer::Yes);
        };
        let faults: Vec<_> = round
            .faults
            .iter()
            .map(|fault| {
                json!({
                    "witness": fault.witness,
                    "code": fault.code.as_str(),
                    "reason": fault.reason,
                })
            })
            .collect();
        let why = round.witnessed.as_ref().err().map(ToString::to_string);
        console.value(&json!({
            "witnessed": round.witnessed.is_ok(),
            "size": round.size,
            "reason": why,
            "faults": faults,
        }))?;
        match &round.witnessed {
            Ok(count) => console.line(format_args!(
                "{} {} entries, by {count}",
                Tone::Good.paint("witnessed:"),
                round.size
            ))?,
            Err(error) => console.line(format_args!(
                "{} {error} [{}]",
                Tone::Bad.paint("not witnessed:"),
                error.code()
            ))?,
        }
        for fault in &round.faults {
            let text = format!("{}: {} [{}]", fault.witness, fault.reason, fault.code);
            console.sentence(2, Tone::Warn, &text)?;
        }
        Ok(Answer::of(round.witnessed.is_ok()))
    })
}

fn init(options: &WitnessInit, global: &Global, console: &mut Console) -> Outcome {
    let name = KeyName::parse(&options.name)?;
    let named = options.dir.join("name");
    if named.exists() {
        let message = format!("`{}` is a witness already", options.dir.display());
        return Err(Fault::new(code::CLI_FOLDER_IN_USE, message));
    }
    std::fs::create_dir_all(&options.dir).map_err(|error| {
        Fault::of(code::CLI_OUTPUT, &error).while_doing("cannot make the witness's folder")
    })?;
    let keys = match &options.keys {
        Some(uri) => vec![make_elsewhere(&options.dir, name, uri, global)?],
        None => make_files(&options.dir, name, global)?,
    };
    // The name last: without it the folder is no witness.
    files::write(&named, format!("{}\n", options.name).as_bytes())?;
    let key_of = |kind| {
        let mut keys = keys.iter().map(|key| key.verifier_key());
        keys.find(|key| key.kind() == kind).map(ToString::to_string)
    };
    console.value(&json!({
        "ml_dsa_44": key_of(SignatureType::CosignatureMlDsa44),
        "ed25519": key_of(SignatureType::CosignatureEd25519),
    }))?;
    console.line(format_args!(
        "{} the witness `{}`",
        Tone::Good.paint("made"),
        options.name
    ))?;
    console.note("For the policies of logs and auditors, one key for each:")?;
    for key in &keys {
        let key = key.verifier_key();
        let kind = match key.kind() {
            SignatureType::CosignatureMlDsa44 => "ML-DSA-44",
            _ => "Ed25519  ",
        };
        console.line(format_args!("  {kind}  {key}"))?;
    }
    Ok(Answer::Yes)
}

/// Makes the two keys of a witness in files.
fn make_files(dir: &Path, name: KeyName, global: &Global) -> Result<Vec<Key>, Fault> {
    refuse_files(global)?;
    let word = passphrase(&ed25519_path(dir), true)?;
    in_files(dir, name, |path, kind| file::create_seed(path, kind, &word))
}

/// The two keys of a witness from the seeds in its files.
fn in_files(
    dir: &Path,
    name: KeyName,
    seed: impl Fn(&Path, SeedKind) -> Result<Zeroizing<[u8; 32]>, KeyFileError>,
) -> Result<Vec<Key>, Fault> {
    let ed25519 = seed(&ed25519_path(dir), SeedKind::Ed25519)?;
    let ed25519 = Ed25519Cosigner::new(name.clone(), &ed25519)?;
    let ml_dsa = seed(&ml_dsa_path(dir), SeedKind::MlDsa44)?;
    let ml_dsa = MlDsa44Cosigner::new(name, &ml_dsa)?;
    Ok(vec![Box::new(ml_dsa), Box::new(ed25519)])
}

/// The provider at an address; in production not one that keeps its keys in files.
fn provider_at(uri: &str, global: &Global) -> Result<Arc<dyn Provider>, Fault> {
    let provider = paygod_keys::uri::open(uri)?;
    if !provider.is_for_production() {
        refuse_files(global)?;
    }
    Ok(provider)
}

/// Makes the key of a witness in a provider, and writes down where it is.
fn make_elsewhere(dir: &Path, name: KeyName, uri: &str, global: &Global) -> Result<Key, Fault> {
    let provider = provider_at(uri, global)?;
    let key = CosignerKey::new(name, provider.create(Algorithm::Ed25519)?)?;
    let place = format!("{uri}\n{}\n", key.verifier_key());
    files::write(&dir.join(PLACE), place.as_bytes())?;
    Ok(Box::new(key))
}

/// The keys of a witness, wherever `init` made them.
fn open_keys(dir: &Path, name: KeyName, global: &Global) -> Result<Vec<Key>, Fault> {
    let path = dir.join(PLACE);
    if path.exists() {
        let place = files::read(&path, PLACE_BYTES_MAX)?;
        let place = String::from_utf8_lossy(&place);
        let (uri, vkey) = place.trim_end().split_once('\n').unwrap_or((&place, ""));
        let signer = provider_at(uri, global)?.find(&CosignerKey::public_key_of(vkey)?)?;
        return Ok(vec![Box::new(CosignerKey::new(name, signer)?)]);
    }
    refuse_files(global)?;
    let word = passphrase(&ed25519_path(dir), false)?;
    in_files(dir, name, |path, kind| file::open_seed(path, kind, &word))
}

/// In production no key is in a file.
fn refuse_files(global: &Global) -> Result<(), Fault> {
    if !global.production {
        return Ok(());
    }
    let message = "a witness's key in a file is not for production";
    Err(Fault::new(code::KEYS_CONFIG, message)
        .remedy("make the witness with its key in a hardware module or a key service: --keys URI"))
}

fn ed25519_path(dir: &Path) -> PathBuf {
    dir.join("ed25519.key")
}

fn ml_dsa_path(dir: &Path) -> PathBuf {
    dir.join("ml-dsa-44.key")
}

fn change(
    options: &WitnessKey,
    change: impl Fn(&Path, &str, &VerifierKey) -> Result<Log, LogsError>,
    console: &mut Console,
) -> Outcome {
    expect_witness(&options.dir)?;
    let key = VerifierKey::parse(&options.key)?;
    let origin = options.origin.as_deref();
    let origin = origin.unwrap_or_else(|| key.name().as_str());
    let log = change(&options.dir, origin, &key)?;
    tell(&[log], console)
}

fn list(options: &WitnessLogs, console: &mut Console) -> Outcome {
    expect_witness(&options.dir)?;
    tell(&logs::list(&options.dir)?, console)
}

fn tell(logs: &[Log], console: &mut Console) -> Outcome {
    for log in logs {
        let keys: Vec<String> = log.keys.iter().map(ToString::to_string).collect();
        console.value(&json!({"origin": log.origin, "keys": keys}))?;
        console.line(Tone::Strong.paint(&log.origin))?;
        for key in &keys {
            console.line(format_args!("  {key}"))?;
        }
        if keys.is_empty() {
            console.line("  no key: not witnessed any more")?;
        }
    }
    Ok(Answer::Yes)
}

fn serve(options: &WitnessServe, global: &Global, console: &mut Console) -> Outcome {
    let name = expect_witness(&options.dir)?;
    let keys = open_keys(&options.dir, name, global)?;
    let witness = Witness::open(&options.dir, keys)?;
    let failed = |error: std::io::Error| {
        let what = format!("cannot serve at {}", options.listen);
        Fault::of(code::WITNESS_LISTEN, &error).while_doing(&what)
    };
    let listener = TcpListener::bind(options.listen).map_err(failed)?;
    let listen = listener.local_addr().map_err(failed)?;
    console.value(&json!({"listen": listen.to_string()}))?;
    console.line(format_args!("witnessing at http://{listen}"))?;
    console.flush()?;
    let stop = async {
        // Without signals it serves until it is killed, and has written down all it said.
        if http::told_to_stop().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    http::serve(listener, Arc::new(witness), http::Bounds::default(), stop).map_err(failed)?;
    Ok(Answer::Yes)
}

/// The name of the witness in a folder.
fn expect_witness(dir: &Path) -> Result<KeyName, Fault> {
    let path = dir.join("name");
    if !path.exists() {
        let message = format!("`{}` is no witness's folder", dir.display());
        return Err(Fault::new(code::CLI_INPUT, message)
            .remedy("make one with `paygod witness init`, or name another"));
    }
    let bytes = files::read(&path, NAME_BYTES_MAX)?;
    let name = String::from_utf8_lossy(&bytes).into_owned();
    Ok(KeyName::parse(name.trim_end())?)
}
