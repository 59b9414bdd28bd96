//! What reads a book: the reading half of a [`Ledger`](super::Ledger), or a book opened for reading alone.
//!
//! Opened for reading alone, a book is seen as it was at that moment, beside the process that writes to it
//! if there is one: nothing is written, no lock is taken, and no key that signs is needed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

use paygod_core::{State, WindowKey};
use paygod_store::{
    BalanceHistory, Blobs, Book, BookFiles, EntryBuf, Finder, Fold, OpenError, Options, ReadBook,
    Reader, TreeSource, Vault, expect_book,
};
use paygod_tlog::{SignedCheckpoint, leaf_hash};
use paygod_types::{Seq, write_hex};

use super::clock::Clock;
use super::errand::Errand;
use super::error::BookError;
use super::fold::BookFold;
use super::key_check;
use super::open::{OpenOptions, store_options};
use super::outcome::SubmitError;
use super::shared::Shared;

/// Reads a book: accounts, balances, entries, receipts, copies. Only what is durable is shown.
pub struct LedgerReader {
    pub(super) source: Source,
    pub(super) origin: Arc<str>,
    pub(super) fingerprint: String,
    pub(super) reader: Reader,
    pub(super) finder: Finder,
    pub(super) vault: Vault,
    pub(super) blobs: Blobs,
    pub(super) tree: TreeSource,
    pub(super) balances: BalanceHistory,
    pub(super) files: BookFiles,
    pub(super) missing_input: Option<Seq>,
    pub(super) dir: PathBuf,
    pub(super) window_key: Arc<WindowKey>,
    pub(super) clock: Arc<dyn Clock>,
}

/// Where the state is.
pub(super) enum Source {
    /// With the sequencer of this process.
    Running(Arc<Shared>),
    /// Here, as it was when the book was opened.
    Still(Box<Still>),
}

/// A book as it was.
pub(super) struct Still {
    state: State,
    checkpoint: Option<SignedCheckpoint>,
    witnessed: Option<SignedCheckpoint>,
    /// Entries whose inputs were ordered to be erased, and may be there yet.
    erased: Vec<Seq>,
}

impl LedgerReader {
    /// Opens a book for reading, as it is now.
    ///
    /// # Errors
    /// The folder holds no book, a key file is missing, or what is stored disagrees with what was sealed and
    /// published.
    pub fn open(dir: &Path, options: &OpenOptions) -> Result<Self, BookError> {
        // First of all: whoever names a wrong folder must not be told that a key is lost.
        expect_book(&*options.disk, dir)?;
        let (book, fold) = open_folded(dir, options, Book::open_read_only)?;
        let Begun {
            origin,
            fingerprint,
        } = genesis(&book.reader, &fold.state, dir)?;
        let window_key = key_check::window_key(dir, &fingerprint, options, false)?;
        let ReadBook {
            reader,
            finder,
            history,
            tree,
            checkpoint,
            witnessed,
            vault,
            blobs,
            files,
            opening,
        } = book;
        Ok(Self {
            source: Source::Still(Box::new(Still {
                state: fold.state,
                checkpoint,
                witnessed,
                erased: fold.erased,
            })),
            origin,
            fingerprint,
            reader,
            finder,
            vault,
            blobs,
            tree,
            balances: history,
            files,
            missing_input: opening.missing_input,
            dir: dir.to_path_buf(),
            window_key,
            clock: Arc::clone(&options.clock),
        })
    }

    /// The newest entry with an input, if the vault lacked that when the book was opened. Others may be missing, too:
    /// only the newest is looked for.
    #[must_use]
    pub const fn missing_input(&self) -> Option<Seq> {
        self.missing_input
    }

    /// Asks about the state. In a running ledger the sequencer answers, and what it saw is told once it is
    /// durable.
    ///
    /// # Errors
    /// The ledger has stopped or is closing.
    pub fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&State) -> T + Send + 'static,
    ) -> Result<T, SubmitError> {
        let shared = match &self.source {
            Source::Running(shared) => shared,
            Source::Still(still) => return Ok(look(&still.state)),
        };
        let (sender, receiver) = mpsc::sync_channel(1);
        let errand = Errand::Look(Box::new(move |state: &State| {
            // Whoever asked may have gone.
            let _gone = sender.send((look(state), state.size()));
        }));
        shared.intake.send(errand)?;
        let (seen, size) = receiver.recv().map_err(|_| shared.gone())?;
        shared.progress.wait_durable(size)?;
        Ok(seen)
    }

    /// How many entries are durable.
    #[must_use]
    pub fn size(&self) -> u64 {
        match &self.source {
            Source::Running(shared) => shared.progress.durable(),
            Source::Still(still) => still.state.size(),
        }
    }

    /// How many entries the last published checkpoint covers.
    #[must_use]
    pub fn signed(&self) -> u64 {
        match &self.source {
            Source::Running(shared) => shared.progress.signed(),
            Source::Still(still) => (still.checkpoint.as_ref()).map_or(0, |last| last.head().size),
        }
    }

    /// The last published checkpoint: a signed note.
    #[must_use]
    pub fn checkpoint(&self) -> Option<SignedCheckpoint> {
        match &self.source {
            Source::Running(shared) => shared.checkpoint(),
            Source::Still(still) => still.checkpoint.clone(),
        }
    }

    /// The newest witnessed checkpoint, with its cosignatures.
    #[must_use]
    pub fn witnessed(&self) -> Option<SignedCheckpoint> {
        match &self.source {
            Source::Running(shared) => shared.witnessed(),
            Source::Still(still) => still.witnessed.clone(),
        }
    }

    /// The running ledger whose half this is.
    pub(super) fn running(&self) -> Option<&Shared> {
        match &self.source {
            Source::Running(shared) => Some(shared),
            Source::Still(_) => None,
        }
    }

    /// Whether an input was ordered to be erased and the writer may not have done it yet.
    pub(super) fn is_erased(&self, seq: Seq) -> bool {
        match &self.source {
            Source::Running(_) => false,
            Source::Still(still) => still.erased.contains(&seq),
        }
    }
}

/// Opens the store, with the newest snapshot that an entry vouches for.
pub(super) fn open_folded<B>(
    dir: &Path,
    options: &OpenOptions,
    open: impl Fn(&Path, &Options, &mut dyn Fold) -> Result<B, OpenError>,
) -> Result<(B, BookFold), BookError> {
    let store = store_options(dir, options)?;
    let mut refuse_from = u64::MAX;
    loop {
        let mut fold = BookFold::new(
            refuse_from,
            options.snapshot_every,
            options.progress.clone(),
        );
        let opened = open(dir, &store, &mut fold);
        match (opened, fold.unvouched) {
            (Ok(book), None) => return Ok((book, fold)),
            // Once more, without this snapshot: an older one, or all entries from the first.
            (Ok(_) | Err(OpenError::Fold { .. }), Some(claim)) => refuse_from = claim.next.get(),
            (Err(error), _) => return Err(error.into()),
        }
    }
}

/// What a book is, as its first entry says.
pub(super) struct Begun {
    pub(super) origin: Arc<str>,
    pub(super) fingerprint: String,
}

pub(super) fn genesis(reader: &Reader, state: &State, dir: &Path) -> Result<Begun, BookError> {
    let none = || BookError::NoGenesis {
        path: dir.to_path_buf(),
    };
    let origin = Arc::clone(&state.book().ok_or_else(none)?.origin);
    let mut buf = EntryBuf::default();
    let fingerprint = leaf_hash(reader.entry(Seq(0), &mut buf)?.bytes);
    let mut hex = Vec::with_capacity(64);
    write_hex(fingerprint.as_bytes(), &mut hex);
    Ok(Begun {
        origin,
        fingerprint: String::from_utf8_lossy(&hex).into_owned(),
    })
}

impl std::fmt::Debug for LedgerReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LedgerReader")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
