//! Making a book: its folder, its keys, and genesis, the entry that everything else hangs on.

use std::path::Path;
use std::sync::Arc;

use paygod_core::ceremony::RootsText;
use paygod_core::engine;
use paygod_core::entry::Genesis;
use paygod_core::{State, SystemCommand};
use paygod_store::{Book, FileKek, Group, Options};
use paygod_tlog::KeyName;
use paygod_types::Seq;

use super::error::BookError;
use super::keys::{self, BookKeyError, BookKeys, KeyFile};
use super::open::{Ledger, OpenOptions};

/// What a new book is to be.
#[derive(Clone, Debug)]
pub struct BookOptions {
    /// The log's origin, the first line of its checkpoints: a host name and a path, without a scheme.
    pub origin: String,
    /// The root of trust that its holders have signed. `None`: a book for development, in which a
    /// stolen checkpoint key can never be revoked.
    pub roots: Option<RootsText>,
    /// Where its checkpoint keys are made and stay: an address as in [`paygod_keys::uri`]. `None`: in key
    /// files of the folder.
    pub keys: Option<String>,
    /// Whether every checkpoint also carries an ML-DSA-44 cosignature by the log: what is sealed today then
    /// holds against a quantum computer too. Genesis fixes its first key.
    pub hybrid: bool,
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
    /// The ML-DSA-44 key of a hybrid book, as a vkey.
    pub hybrid_key: Option<String>,
    /// The root keys, as vkeys; none in a book for development.
    pub root_keys: Vec<String>,
    /// How many of them must sign together.
    pub root_threshold: u32,
}

impl Ledger {
    /// Makes a book in a new or empty folder: its keys, genesis sealed, first checkpoint published.
    ///
    /// Keys that no provider holds are in files: whoever reads the folder has them.
    ///
    /// # Errors
    /// The folder is occupied or cannot be written, the origin cannot name a log, or the root of trust
    /// is another log's.
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
        if let Some(roots) = &options.roots
            && *roots.origin != *options.origin
        {
            return Err(BookError::Roots {
                origin: options.origin.clone(),
                found: roots.origin.to_string(),
            });
        }
        let mut open = open;
        if let Some(uri) = &options.keys {
            open.provider = Some(paygod_keys::uri::open(uri).map_err(BookKeyError::from)?);
        }
        open.check_production(options.roots.is_some())?;
        let kek = keys::draw()?;
        let store = Options {
            disk: Arc::clone(&open.disk),
            kek: Some(Arc::new(FileKek::from_bytes(&kek))),
            segment_bytes: open.segment_bytes,
            background: false,
            ..Options::default()
        };
        let book = Book::create(dir, &store)?;
        let book_keys = BookKeys {
            dir: dir.to_path_buf(),
            name,
            provider: open.provider.clone(),
            given: open.signer.clone(),
        };
        let genesis = make_keys(&book_keys, options, &kek)?;
        if let Some(uri) = &options.keys {
            keys::write_provider(dir, uri)?;
        }
        let created = Created {
            origin: options.origin.clone(),
            fingerprint: String::new(),
            checkpoint_key: genesis.checkpoint_key.to_string(),
            hybrid_key: genesis.hybrid_key.as_ref().map(ToString::to_string),
            root_keys: genesis.root_keys.iter().map(ToString::to_string).collect(),
            root_threshold: genesis.root_threshold,
        };
        seal_genesis(book, genesis, &open)?;
        // The rest is what opening any book does: index, tree, first checkpoint.
        let ledger = Self::open(dir, open)?;
        let created = Created {
            fingerprint: ledger.read.fingerprint.clone(),
            ..created
        };
        ledger.wait_signed().map_err(BookError::from)?;
        ledger.close().map_err(BookError::from)?;
        Ok(created)
    }
}

/// Makes the book's own keys, and names the public ones.
fn make_keys(book: &BookKeys, options: &BookOptions, kek: &[u8; 32]) -> Result<Genesis, BookError> {
    let roots = options.roots.as_ref();
    keys::write_new(&book.dir, KeyFile::Vault, kek)?;
    keys::create(&book.dir, KeyFile::Window)?;
    let checkpoint = match &book.given {
        Some(given) => Arc::clone(given),
        None => book.create()?,
    };
    let hybrid = options.hybrid.then(|| book.create_hybrid()).transpose()?;
    Ok(Genesis {
        origin: book.name.as_str().into(),
        checkpoint_key: checkpoint.verifier_key().to_string().into(),
        hybrid_key: hybrid.map(|key| key.verifier_key().to_string().into()),
        root_keys: roots.map(|roots| roots.keys.clone()).unwrap_or_default(),
        root_threshold: roots.map_or(0, |roots| roots.threshold),
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
