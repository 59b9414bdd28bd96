//! Making a book: its folder, its keys, and genesis, the entry that everything else hangs on.

use std::path::Path;
use std::sync::Arc;

use paygod_core::engine;
use paygod_core::entry::Genesis;
use paygod_core::{State, SystemCommand};
use paygod_store::{Book, FileKek, Group, Options};
use paygod_tlog::{Ed25519Signer, KeyName, NoteSigner};
use paygod_types::Seq;

use super::error::BookError;
use super::keys::{self, KeyFile};
use super::open::{Ledger, OpenOptions};

/// What a new book is to be.
#[derive(Clone, Debug)]
pub struct BookOptions {
    /// The log's origin, the first line of its checkpoints: a host name and a path, without a scheme.
    pub origin: String,
}

/// A book that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// The log's origin.
    pub origin: String,
    /// Hex of the leaf hash of entry 0: what a verifier needs to know.
    pub fingerprint: String,
    /// The checkpoint key, as a vkey.
    pub checkpoint_key: String,
    /// The root keys, as vkeys.
    pub root_keys: Vec<String>,
}

impl Ledger {
    /// Makes a book in a new or empty folder: keys in files, genesis sealed, first checkpoint published.
    ///
    /// The keys are development keys: whoever reads the folder has them.
    ///
    /// # Errors
    /// The folder is occupied or cannot be written, or the origin cannot name a log.
    pub fn create(dir: &Path, options: &BookOptions) -> Result<Created, BookError> {
        Self::create_with(dir, options, OpenOptions::default())
    }

    /// As [`Ledger::create`], with another disk or clock.
    ///
    /// # Errors
    /// As [`Ledger::create`].
    pub fn create_with(
        dir: &Path,
        options: &BookOptions,
        open: OpenOptions,
    ) -> Result<Created, BookError> {
        let name = KeyName::parse(&options.origin).map_err(|error| BookError::Origin {
            origin: options.origin.clone(),
            reason: error.to_string(),
        })?;
        let kek = keys::draw()?;
        let store = Options {
            disk: Arc::clone(&open.disk),
            kek: Some(Arc::new(FileKek::from_bytes(&kek))),
            segment_bytes: open.segment_bytes,
            background: false,
            ..Options::default()
        };
        let book = Book::create(dir, &store)?;
        let genesis = make_keys(dir, &name, &kek)?;
        let created = Created {
            origin: options.origin.clone(),
            fingerprint: String::new(),
            checkpoint_key: genesis.checkpoint_key.to_string(),
            root_keys: genesis.root_keys.iter().map(ToString::to_string).collect(),
        };
        seal_genesis(book, genesis, &open)?;
        // The rest is what opening any book does: index, tree, first checkpoint.
        let ledger = Self::open(dir, open)?;
        let created = Created {
            fingerprint: ledger.fingerprint.clone(),
            ..created
        };
        ledger.wait_signed().map_err(BookError::from)?;
        ledger.close().map_err(BookError::from)?;
        Ok(created)
    }
}

/// Draws the book's keys, writes their files, and names the public ones.
fn make_keys(dir: &Path, name: &KeyName, kek: &[u8; 32]) -> Result<Genesis, BookError> {
    keys::write_new(dir, KeyFile::Vault, kek)?;
    keys::create(dir, KeyFile::Window)?;
    let checkpoint = keys::create(dir, KeyFile::Checkpoint)?;
    let root = keys::create(dir, KeyFile::Root)?;
    let vkey = |seed: &[u8; 32]| -> Arc<str> {
        Ed25519Signer::new(name.clone(), seed)
            .verifier_key()
            .to_string()
            .into()
    };
    Ok(Genesis {
        origin: name.as_str().into(),
        checkpoint_key: vkey(&checkpoint),
        root_keys: vec![vkey(&root)],
        root_threshold: 1,
    })
}

fn seal_genesis(mut book: Book, genesis: Genesis, open: &OpenOptions) -> Result<(), BookError> {
    let mut entry = Vec::new();
    let command = SystemCommand::Genesis(genesis);
    engine::execute_system(&mut State::new(), command, open.clock.now(), &mut entry)?;
    let mut group = Group::new(Seq(0));
    group.push(&entry, None)?;
    book.writer.commit(&group)?;
    Ok(())
}
