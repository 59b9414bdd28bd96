//! Key files under a passphrase.
#![allow(
    clippy::unwrap_used,
    clippy::string_slice,
    reason = "a test that cannot go on fails"
)]

use super::*;
use paygod_tlog::NoteSigner as _;
use std::process::Command;

const PASSPHRASE: &[u8] = b"a long enough sentence";

fn name() -> KeyName {
    KeyName::parse("root-1.example").unwrap()
}

#[test]
fn a_key_file_opens_with_its_passphrase_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("root.key");
    let made = create(&path, name(), PASSPHRASE).unwrap();
    let opened = open(&path, name(), PASSPHRASE).unwrap();
    assert_eq!(made.verifier_key(), opened.verifier_key());
    for wrong in [&b"another long sentence"[..], b"", b"short"] {
        let error = open(&path, name(), wrong).unwrap_err();
        assert_eq!(error.code().as_str(), "keys.passphrase", "{error}");
    }
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_key_file_is_never_replaced_nor_read_when_others_can() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("root.key");
    create(&path, name(), PASSPHRASE).unwrap();
    assert!(matches!(
        create(&path, name(), PASSPHRASE),
        Err(KeyFileError::Io { .. })
    ));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(
        open(&path, name(), PASSPHRASE),
        Err(KeyFileError::Readable { mode: 0o640, .. })
    ));
}

#[test]
fn a_passphrase_is_not_read_from_a_file_that_others_can_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("passphrase");
    fs::write(&path, "a long enough sentence\n").unwrap();
    for (mode, told) in [(0o644, "644"), (0o640, "640")] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = read_passphrase(&path).unwrap_err();
        assert_eq!(error.code().as_str(), "keys.file", "{error}");
        assert!(error.to_string().contains(told), "{error}");
    }
    for mode in [0o600, 0o400] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(*read_passphrase(&path).unwrap(), PASSPHRASE);
    }
}

#[test]
fn a_short_passphrase_protects_nothing_and_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("root.key");
    let error = create(&path, name(), b"elevenchars").unwrap_err();
    assert_eq!(error.code().as_str(), "keys.passphrase");
    assert!(!path.exists());
}

#[test]
fn damaged_and_foreign_files_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("root.key");
    create(&path, name(), PASSPHRASE).unwrap();
    let pem = fs::read_to_string(&path).unwrap();
    let plain = pem.replace("ENCRYPTED ", "");
    for wrong in ["", "garbage", plain.as_str(), &pem[..pem.len() / 2]] {
        fs::write(&path, wrong).unwrap();
        let error = open(&path, name(), PASSPHRASE).unwrap_err();
        assert!(matches!(error, KeyFileError::Form { .. }), "{error}");
    }
}

#[test]
fn openssl_reads_the_key_file_when_it_is_installed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("root.key");
    let made = create(&path, name(), PASSPHRASE).unwrap();
    let read = Command::new("openssl")
        .args([
            "pkey", "-pubout", "-outform", "DER", "-passin", "env:PASS", "-in",
        ])
        .arg(&path)
        .env("PASS", String::from_utf8_lossy(PASSPHRASE).as_ref())
        .output();
    match read {
        Ok(read) => {
            assert!(
                read.status.success(),
                "{}",
                String::from_utf8_lossy(&read.stderr)
            );
            assert!(read.stdout.ends_with(made.verifier_key().public_key()));
        }
        Err(_) => println!("skipped: openssl is not installed (apt-get install openssl)"),
    }
}

#[test]
fn a_paying_key_reads_back_and_is_of_no_other_kind() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("anchor.key");
    let made = crate::paying::PayingKeyFile::create(&path, b"a passphrase of some length").unwrap();
    let found = crate::paying::PayingKeyFile::open(&path, b"a passphrase of some length").unwrap();
    use crate::Signer as _;
    assert_eq!(found.public_key(), made.public_key());
    assert_eq!(found.sign(&[7; 32]), made.sign(&[7; 32]));
    assert!(found.sign(b"no digest").is_err());
    assert!(!format!("{found:?}").contains("SecretKey"));
    let other = open_seed(&path, SeedKind::Ed25519, b"a passphrase of some length");
    assert!(matches!(other, Err(KeyFileError::Form { .. })));
}
