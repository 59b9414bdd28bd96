//! A real PKCS#11 module, SoftHSM2: each test in a process of its own, because a module is initialized
//! once for all of a process, with a token of its own.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use paygod_keys::pkcs11::{Token, TokenConfig};
use paygod_keys::{Algorithm, NoteKey, Provider, Signer};
use paygod_tlog::{KeyName, NoteSigner};

const MODULES: [&str; 3] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
];
const LABEL: &str = "checkpoint";
const HOME: &str = "PAYGOD_TEST_TOKEN";

/// Where the token of this process is.
struct Home(PathBuf);

impl Home {
    fn config(&self, token: &str) -> TokenConfig {
        TokenConfig {
            module: module().unwrap(),
            token: token.to_owned(),
            label: LABEL.to_owned(),
            pin_file: self.0.join("pin"),
        }
    }

    fn token(&self) -> Token {
        Token::new(self.config("paygod")).unwrap()
    }

    fn write_pin(&self, pin: &str) {
        fs::write(self.0.join("pin"), format!("{pin}\n")).unwrap();
    }

    /// Takes the token out, or puts it back.
    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.0.join(from), self.0.join(to)).unwrap();
    }
}

fn module() -> Option<PathBuf> {
    MODULES
        .map(PathBuf::from)
        .into_iter()
        .find(|path| path.exists())
}

/// Runs a test of this name in a process of its own with a fresh token, or says what is missing.
fn in_a_process(name: &str, test: impl FnOnce(&Home)) {
    if let Some(home) = std::env::var_os(HOME) {
        return test(&Home(PathBuf::from(home)));
    }
    if module().is_none()
        || Command::new("softhsm2-util")
            .arg("--version")
            .output()
            .is_err()
    {
        println!("skipped: SoftHSM2 is not installed (apt-get install softhsm2)");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    make_token(home.path(), "paygod");
    fs::write(home.path().join("pin"), "1234\n").unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(HOME, home.path())
        .env("SOFTHSM2_CONF", home.path().join("softhsm2.conf"))
        .output()
        .unwrap();
    assert!(
        child.status.success(),
        "{}{}",
        String::from_utf8_lossy(&child.stdout),
        String::from_utf8_lossy(&child.stderr)
    );
}

fn make_token(home: &Path, label: &str) {
    let tokens = home.join("tokens");
    fs::create_dir_all(&tokens).unwrap();
    let conf = home.join("softhsm2.conf");
    let text = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        tokens.display()
    );
    fs::write(&conf, text).unwrap();
    let made = Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", label, "--pin", "1234"])
        .args(["--so-pin", "5678"])
        .env("SOFTHSM2_CONF", &conf)
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
}

fn note_key(signer: Arc<dyn Signer>) -> NoteKey {
    NoteKey::new(KeyName::parse("ledger.example/hsm").unwrap(), signer).unwrap()
}

fn signs(key: &NoteKey) -> Result<(), String> {
    key.sign("ledger.example/hsm\n1\nroot\n")
        .map(drop)
        .map_err(|error| error.to_string())
}

#[test]
fn softhsm_key_is_made_inside_found_by_its_public_half_and_signs() {
    in_a_process(
        "softhsm_key_is_made_inside_found_by_its_public_half_and_signs",
        |home| {
            let token = home.token();
            let made = token.create(Algorithm::Ed25519).unwrap();
            let other = token.create(Algorithm::Ed25519).unwrap();
            assert_ne!(made.public_key(), other.public_key());
            // As after a restart.
            let found = home.token().find(made.public_key()).unwrap();
            assert_eq!(found.key_id(), made.key_id());
            let key = note_key(found);
            signs(&key).unwrap();
            let vkey = key.verifier_key().to_string();
            assert_eq!(NoteKey::public_key_of(&vkey).unwrap(), *made.public_key());
            assert!(token.is_for_production());
            let outside = Command::new("pkcs11-tool")
                .args(["--module", &module().unwrap().to_string_lossy()])
                .args(["--token-label", "paygod", "--login", "--pin", "1234"])
                .args(["--list-objects", "--type", "privkey"])
                .output();
            match outside {
                Ok(listed) => {
                    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
                    assert!(listed.contains("sensitive"), "{listed}");
                    assert!(listed.contains("never extractable"), "{listed}");
                }
                Err(_) => println!("skipped: no pkcs11-tool (apt-get install opensc)"),
            }
        },
    );
}

#[test]
fn softhsm_key_of_p_256_signs_in_der_beside_ed25519_and_is_destroyed() {
    in_a_process(
        "softhsm_key_of_p_256_signs_in_der_beside_ed25519_and_is_destroyed",
        |home| {
            let token = home.token();
            let key = token.create(Algorithm::EcdsaP256).unwrap();
            let beside = token.create(Algorithm::Ed25519).unwrap();
            let found = home.token().find(key.public_key()).unwrap();
            assert_eq!(found.key_id(), key.key_id());
            let note = note_key(found);
            // Halves that begin with a zero or a high bit have other lengths in DER.
            for _ in 0..300 {
                signs(&note).unwrap();
            }
            let vkey = note.verifier_key().to_string();
            assert_eq!(NoteKey::public_key_of(&vkey).unwrap(), *key.public_key());
            token.retire(key.public_key()).unwrap();
            assert!(token.find(key.public_key()).is_err());
            signs(&note_key(beside)).unwrap();
        },
    );
}

#[test]
fn softhsm_two_keys_of_one_label_and_public_half_are_refused() {
    in_a_process(
        "softhsm_two_keys_of_one_label_and_public_half_are_refused",
        |home| {
            let token = home.token();
            let made = token.create(Algorithm::Ed25519).unwrap();
            // Somebody copies the token's object file: two objects that say the same.
            let folder = fs::read_dir(home.0.join("tokens")).unwrap().next().unwrap();
            let folder = folder.unwrap().path();
            for object in fs::read_dir(&folder).unwrap() {
                let path = object.unwrap().path();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                if name.ends_with(".object") && name != "token.object" {
                    let copy = format!("copied-{name}");
                    fs::copy(&path, folder.join(copy)).unwrap();
                }
            }
            let again = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "softhsm_child_finds", "--nocapture"])
                .env("PAYGOD_TEST_FIND", format!("{:?}", made.public_key()))
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&again.stdout).into_owned();
            assert!(said.contains("2 public keys"), "{said}");
        },
    );
}

/// A part of the test above: what a process that starts afterwards finds.
#[test]
fn softhsm_child_finds() {
    let (Some(home), Some(public)) = (
        std::env::var_os(HOME),
        std::env::var("PAYGOD_TEST_FIND").ok(),
    ) else {
        return;
    };
    let hex = public.rsplit(':').next().unwrap();
    let digest: paygod_types::Digest = hex.parse().unwrap();
    let public = paygod_keys::PublicKey {
        algorithm: Algorithm::Ed25519,
        bytes: digest.as_bytes().to_vec(),
    };
    match Home(PathBuf::from(home)).token().find(&public) {
        Ok(found) => println!("found {}", found.key_id()),
        Err(error) => println!("{error}"),
    }
}

#[test]
fn softhsm_wrong_pin_is_said_once_and_not_tried_again_until_it_is_another() {
    in_a_process(
        "softhsm_wrong_pin_is_said_once_and_not_tried_again_until_it_is_another",
        |home| {
            home.write_pin("9999");
            let token = home.token();
            for attempt in 0..20 {
                let error = token.create(Algorithm::Ed25519).unwrap_err();
                assert_eq!(error.code.as_str(), "keys.pin");
                assert!(
                    !error.retry && !error.to_string().contains("9999"),
                    "{error}"
                );
                assert_eq!(error.reason.contains("not tried again"), attempt > 0);
            }
            fs::remove_file(home.0.join("pin")).unwrap();
            let error = token.create(Algorithm::Ed25519).unwrap_err();
            assert_eq!(error.code.as_str(), "keys.pin");
            home.write_pin("1234");
            signs(&note_key(token.create(Algorithm::Ed25519).unwrap())).unwrap();
        },
    );
}

#[test]
fn softhsm_token_that_goes_and_comes_back_is_taken_up_again() {
    in_a_process(
        "softhsm_token_that_goes_and_comes_back_is_taken_up_again",
        |home| {
            let token = home.token();
            let key = note_key(token.create(Algorithm::Ed25519).unwrap());
            signs(&key).unwrap();
            let public = NoteKey::public_key_of(&key.verifier_key().to_string()).unwrap();
            for _ in 0..3 {
                home.rename("tokens", "taken-out");
                fs::create_dir(home.0.join("tokens")).unwrap();
                // What is open may go on for a while; what is looked for anew is not there.
                let error = home.token().find(&public).unwrap_err();
                assert!(error.retry, "{error}");
                assert_eq!(error.code.as_str(), "keys.provider");
                assert!(signs(&key).unwrap_err().contains("token"));
                fs::remove_dir(home.0.join("tokens")).unwrap();
                home.rename("taken-out", "tokens");
                signs(&key).unwrap();
            }
        },
    );
}

#[test]
fn softhsm_key_that_is_retired_signs_no_more() {
    in_a_process("softhsm_key_that_is_retired_signs_no_more", |home| {
        let token = home.token();
        let old = token.create(Algorithm::Ed25519).unwrap();
        let new = token.create(Algorithm::Ed25519).unwrap();
        token.retire(old.public_key()).unwrap();
        token.retire(old.public_key()).unwrap();
        assert!(old.sign(b"once more").is_err());
        let error = home.token().find(old.public_key()).unwrap_err();
        assert!(!error.retry, "{error}");
        signs(&note_key(new)).unwrap();
    });
}

#[test]
fn softhsm_threads_sign_side_by_side() {
    in_a_process("softhsm_threads_sign_side_by_side", |home| {
        let token = home.token();
        let key = note_key(token.create(Algorithm::Ed25519).unwrap());
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..50).for_each(|_| signs(&key).unwrap()));
            }
        });
    });
}

#[test]
fn softhsm_token_of_another_label_is_not_there() {
    in_a_process("softhsm_token_of_another_label_is_not_there", |home| {
        let token = Token::new(home.config("other")).unwrap();
        let error = token.create(Algorithm::Ed25519).unwrap_err();
        assert!(
            error.retry && error.to_string().contains("`other`"),
            "{error}"
        );
    });
}

#[test]
fn a_module_that_is_not_there_is_named() {
    let config = TokenConfig {
        module: "/nowhere/module.so".into(),
        token: "paygod".to_owned(),
        label: LABEL.to_owned(),
        pin_file: "/nowhere/pin".into(),
    };
    let error = Token::new(config).unwrap_err();
    assert!(!error.retry && error.to_string().contains("/nowhere/module.so"));
}

#[test]
fn softhsm_paying_key_is_made_inside_found_alone_and_signs_with_a_low_s() {
    in_a_process(
        "softhsm_paying_key_is_made_inside_found_alone_and_signs_with_a_low_s",
        |home| {
            let token = home.token();
            token.create(Algorithm::Ed25519).unwrap();
            assert!(token.sole(Algorithm::Secp256k1).is_err());
            let made = token.create(Algorithm::Secp256k1).unwrap();
            let found = home.token().sole(Algorithm::Secp256k1).unwrap();
            assert_eq!(found.key_id(), made.key_id());
            let point = secp256k1::PublicKey::from_slice(&found.public_key().bytes).unwrap();
            for number in 0..32 {
                let digest = [number; 32];
                let signed = found.sign(&digest).unwrap();
                let signature = secp256k1::ecdsa::Signature::from_compact(&signed).unwrap();
                let mut low = signature;
                low.normalize_s();
                assert_eq!(low, signature);
                let message = secp256k1::Message::from_digest(digest);
                let verifier = secp256k1::Secp256k1::verification_only();
                verifier.verify_ecdsa(&message, &signature, &point).unwrap();
            }
            assert!(found.sign(b"no digest").is_err());
            token.create(Algorithm::Secp256k1).unwrap();
            let error = token.sole(Algorithm::Secp256k1).unwrap_err();
            assert!(error.to_string().contains('2'), "{error}");
        },
    );
}
