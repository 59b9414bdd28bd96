//! Books and requests for the tests of the ledger.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::path::{Path, PathBuf};

use paygod_service::ledger::{
    ActivationOrder, BookOptions, Created, Ledger, OpenOptions, Submission,
};

/// A book in a folder of its own.
pub(crate) struct TestBook {
    dir: tempfile::TempDir,
    pub(crate) created: Created,
}

impl TestBook {
    pub(crate) fn new() -> Self {
        Self::with(OpenOptions::default())
    }

    /// With keys of another provider, say.
    pub(crate) fn with(open: OpenOptions) -> Self {
        Self::made(open, false)
    }

    /// Whose checkpoints carry an ML-DSA-44 cosignature.
    pub(crate) fn hybrid() -> Self {
        Self::hybrid_with(OpenOptions::default())
    }

    pub(crate) fn hybrid_with(open: OpenOptions) -> Self {
        Self::made(open, true)
    }

    fn made(open: OpenOptions, hybrid: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = BookOptions {
            origin: "ledger.example.com/test".to_owned(),
            roots: None,
            keys: None,
            hybrid,
        };
        let created = Ledger::create_with(&dir.path().join("book"), &options, open).unwrap();
        Self { dir, created }
    }

    /// Exports the book and checks all of it, as an auditor would.
    pub(crate) fn verify_whole(&self, ledger: &Ledger) {
        let export = self.scratch("export");
        ledger.wait_signed().unwrap();
        ledger.read().export(&export, &mut |_| {}).unwrap();
        let mut options = paygod_verify::Options::new(self.dir.path());
        options.genesis = Some(paygod_tlog::Hash::from_hex(&self.created.fingerprint).unwrap());
        let source = paygod_verify::Directory::new(&export);
        let report = paygod_verify::verify(&source, &options, &|_| {}).unwrap();
        assert!(report.is_valid(), "{:?}", report.first());
    }

    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("book")
    }

    pub(crate) fn scratch(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn open(&self) -> Ledger {
        Ledger::open(&self.path(), OpenOptions::default()).unwrap()
    }

    /// Puts two of the starter packs in force.
    pub(crate) fn allow_all(&self, ledger: &Ledger) {
        let packs = ["payment-limits", "duplicate-payment"]
            .map(starter_pack)
            .to_vec();
        let order = ActivationOrder {
            id: None,
            by: None,
            packs,
            lists: Vec::new(),
            signatures: Vec::new(),
        };
        ledger.activate(&order).unwrap();
    }
}

/// The folder of a starter pack.
pub(crate) fn starter_pack(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../packs/core")
        .join(name)
}

pub(crate) fn json(text: &str) -> Submission {
    Submission::Json(text.as_bytes().to_vec())
}

pub(crate) fn open_account(account: &str, currency: &str) -> Submission {
    json(&format!(
        r#"{{"id":"open-{account}","account_open":{{"account":"{account}","currency":"{currency}"}}}}"#
    ))
}

pub(crate) fn payment(id: &str, debit: &str, credit: &str, amount: &str) -> Submission {
    json(&format!(
        r#"{{"id":"{id}","by":"tester","transfer":{{"transfers":[{{"debit":"{debit}","credit":"{credit}","amount":"{amount}","currency":"EUR","payment":{{"creditor":{{"name":"Clara Conti"}},"reference":"{id}"}}}}]}}}}"#
    ))
}

/// Two linked transfers, there and back again.
pub(crate) fn linked_payment(id: &str, debit: &str, credit: &str, amount: &str) -> Submission {
    let leg = |debit: &str, credit: &str| {
        format!(r#"{{"debit":"{debit}","credit":"{credit}","amount":"{amount}","currency":"EUR"}}"#)
    };
    let legs = [leg(debit, credit), leg(credit, debit)].join(",");
    json(&format!(
        r#"{{"id":"{id}","by":"tester","transfer":{{"transfers":[{legs}]}}}}"#
    ))
}

/// Cuts the files of a book's vault off behind their heads, as a disk would that lost what it had.
pub(crate) fn lose_the_vault(book: &Path) {
    let mut cut = 0;
    for file in std::fs::read_dir(book.join("vault")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|end| end == "vault") {
            let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
            file.set_len(16).unwrap();
            cut += 1;
        }
    }
    assert!(cut > 0, "no file of the vault in {}", book.display());
}
