//! Opening a book: snapshot, the entries after it, comparison with what was published, stages.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use paygod_core::{State, WindowKey};
use paygod_store::{
    BalanceHistory, Blobs, Book, BookFiles, BookLock, Checkpoints, Disk, EntryBuf, FileKek, Finder,
    Kek, OpenError, Opening, Options, Reader, RealDisk, SEGMENT_BYTES, TreeSource, Vault,
    expect_book,
};
use paygod_tlog::{Ed25519Verifier, KeyError, KeyName, leaf_hash};
use paygod_types::{Seq, write_hex};

use super::clock::{Clock, SystemClock};
use super::commit::{Committer, erase};
use super::durable::Progress;
use super::error::BookError;
use super::fold::BookFold;
use super::history::Past;
use super::integrate::Integrator;
use super::keys::{self, CheckpointSigner, KeyFile};
use super::outcome::{Answer, Submission, SubmitError};
use super::publish::Publisher;
use super::rulesets;
use super::sequence::{Sequencer, Turns};
use super::shared::Shared;
use super::snapshots::Snapshots;
use super::stages::{self, Stages};
use super::ticket::{Answers, Ticket};

/// Most groups that are durable and not yet in the tree: past that the commit stage waits, so that
/// checkpoints never fall far behind.
const GROUPS_TO_INTEGRATE_MAX: usize = 8;

/// How a book is opened. The default is the product's; tests and providers of keys put in their own.
#[derive(Clone)]
pub struct OpenOptions {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Signs checkpoints. `None`: the key file of the book.
    pub signer: Option<CheckpointSigner>,
    /// Wraps the data keys of the vault. `None`: the key file of the book.
    pub kek: Option<Arc<dyn Kek>>,
    /// Where the files are. (Key files are always the operating system's.)
    pub disk: Arc<dyn Disk>,
    /// Length of a segment of the store, in bytes.
    pub segment_bytes: u64,
    /// Whether the store's derived work has threads of its own.
    pub background: bool,
    /// How many workers prepare requests and take turns at the state.
    pub workers: usize,
    /// After how many entries a snapshot is made.
    pub snapshot_every: u64,
    /// How long at least between two checkpoints under load.
    pub publish_every: Duration,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            signer: None,
            kek: None,
            disk: Arc::new(RealDisk),
            segment_bytes: SEGMENT_BYTES,
            background: true,
            workers: 2,
            snapshot_every: 500_000,
            publish_every: Duration::from_millis(200),
        }
    }
}

/// The ledger of an open book.
pub struct Ledger {
    pub(super) shared: Arc<Shared>,
    pub(super) origin: Arc<str>,
    pub(super) fingerprint: String,
    pub(super) reader: Reader,
    pub(super) finder: Finder,
    pub(super) vault: Vault,
    pub(super) blobs: Blobs,
    pub(super) tree: TreeSource,
    pub(super) balances: BalanceHistory,
    pub(super) files: BookFiles,
    pub(super) dir: PathBuf,
    stages: Stages,
    opening: Opening,
    _lock: BookLock,
}

impl Ledger {
    /// Opens a book and starts its stages. There is one ledger of a book at a time.
    ///
    /// # Errors
    /// The folder holds no book, another process has it open, a key is missing, or what is stored
    /// disagrees with what was sealed and published: then nothing is started.
    pub fn open(dir: &Path, options: OpenOptions) -> Result<Self, BookError> {
        let (book, fold) = open_book(dir, &options)?;
        let genesis = genesis(&book, &fold.state, dir)?;
        for seq in &fold.erased {
            erase(*seq, &book.reader, &book.vault)?;
        }
        let window_key = WindowKey::new(&*keys::read(dir, KeyFile::Window)?);
        let ruleset = rulesets::build(&book.blobs, &fold.state.policy().set)?;
        let publisher = publisher(dir, &options, &fold.state, book.checkpoints)?;
        let size = book.reader.size();
        let signed = publisher
            .checkpoints
            .last_head()
            .map_or(0, |head| head.size);
        let shared = Arc::new(Shared::new(
            Arc::clone(&options.clock),
            window_key,
            Arc::clone(&ruleset),
            Progress::new(size, signed),
            publisher.checkpoints.last().cloned(),
        ));
        let mut ledger = Self {
            shared: Arc::clone(&shared),
            origin: genesis.origin,
            fingerprint: genesis.fingerprint,
            reader: book.reader.clone(),
            finder: book.index.finder(),
            vault: book.vault.clone(),
            blobs: book.blobs.clone(),
            tree: book.tree.source(),
            balances: book.history.reader(),
            files: book.files.clone(),
            dir: dir.to_path_buf(),
            stages: Stages::default(),
            opening: book.opening,
            _lock: book.lock,
        };
        let (to_integrate, groups) = mpsc::sync_channel(GROUPS_TO_INTEGRATE_MAX);
        let snapshots = Snapshots::new(options.snapshot_every, book.opening.from_snapshot);
        let past = Past::new(book.index, book.reader.clone(), book.vault.clone());
        let sequencer = Sequencer::new(fold.state, ruleset, past, snapshots, Arc::clone(&shared));
        let committer = Committer {
            writer: book.writer,
            reader: book.reader,
            vault: book.vault,
            integrate: to_integrate,
            shared: Arc::clone(&shared),
        };
        let integrator = Integrator {
            tree: book.tree,
            balances: book.history,
            publisher,
            publish_every: options.publish_every,
            snapshotter: book.snapshots,
            groups,
            shared: Arc::clone(&shared),
        };
        let started = ledger.start(options.workers, sequencer, committer, integrator);
        match started {
            Ok(()) => Ok(ledger),
            Err(source) => {
                shared.poison(&source);
                Err(BookError::Thread { source })
            }
        }
    }

    fn start(
        &mut self,
        workers: usize,
        sequencer: Sequencer,
        committer: Committer,
        integrator: Integrator,
    ) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let workers = workers.max(1);
        let turns = Arc::new(Turns::new(sequencer, workers));
        for number in 0..workers {
            let (own, turns) = (Arc::clone(&shared), Arc::clone(&turns));
            let (vault, blobs) = (self.vault.clone(), self.blobs.clone());
            let name = format!("work-{number}");
            self.stages.start(&name, &shared, move || {
                stages::worker(&own, &turns, &vault, &blobs)
            })?;
        }
        self.stages
            .start("integrate", &shared, move || integrator.run())?;
        self.stages
            .start("commit", &shared, move || committer.run())
    }

    /// What was found while the book was opened.
    #[must_use]
    pub const fn opening(&self) -> Opening {
        self.opening
    }

    /// Submits requests and waits for their answers, which come in the order of the requests. Requests
    /// of one submission are sequenced in their order.
    #[must_use]
    pub fn submit(&self, requests: Vec<Submission>) -> Vec<Answer> {
        let count = requests.len();
        match self.begin(requests) {
            Ok(ticket) => ticket.wait(),
            Err(SubmitError::Poisoned) => (0..count).map(|_| Err(SubmitError::Poisoned)).collect(),
            Err(_) => (0..count).map(|_| Err(SubmitError::Closed)).collect(),
        }
    }

    /// Submits requests without waiting for their answers; waits only while too many are in flight.
    ///
    /// # Errors
    /// The ledger has stopped or is closing; nothing was submitted.
    pub fn begin(&self, requests: Vec<Submission>) -> Result<Ticket, SubmitError> {
        let (ticket, answers) = Answers::awaited(requests.len());
        self.shared.intake.put(requests, &answers)?;
        Ok(ticket)
    }

    /// Submits requests without waiting for anything: `answered` is called, from a thread of the
    /// ledger, with the answers. It must be quick.
    ///
    /// # Errors
    /// Too many requests are in flight, or the ledger has stopped or is closing; nothing was submitted.
    pub fn try_submit(
        &self,
        requests: Vec<Submission>,
        answered: impl FnOnce(Vec<Answer>) + Send + 'static,
    ) -> Result<(), SubmitError> {
        let answers = Answers::called(requests.len(), Box::new(answered));
        self.shared.intake.try_put(requests, &answers)
    }

    /// Why the ledger stopped, if it did. Opening the book again heals it.
    #[must_use]
    pub fn fault(&self) -> Option<&str> {
        self.shared.fault()
    }

    /// Finishes what is in flight, publishes a last checkpoint and ends the stages. Dropping the
    /// ledger does the same, but says nothing about how it went.
    ///
    /// # Errors
    /// The ledger had stopped after a failed write.
    pub fn close(mut self) -> Result<(), SubmitError> {
        self.end();
        match self.shared.fault() {
            None => Ok(()),
            Some(_) => Err(SubmitError::Poisoned),
        }
    }

    fn end(&mut self) {
        self.shared.intake.close();
        self.stages.join();
    }

    /// The error of a caller whom the sequencer did not answer.
    pub(super) fn gone(&self) -> SubmitError {
        if self.shared.progress.is_poisoned() {
            SubmitError::Poisoned
        } else {
            SubmitError::Closed
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.end();
    }
}

/// How the store is opened, with the vault's key from where the book's keys are.
pub(super) fn store_options(keys: &Path, options: &OpenOptions) -> Result<Options, BookError> {
    let kek: Arc<dyn Kek> = match &options.kek {
        Some(kek) => Arc::clone(kek),
        None => Arc::new(FileKek::from_bytes(&*keys::read(keys, KeyFile::Vault)?)),
    };
    Ok(Options {
        disk: Arc::clone(&options.disk),
        kek: Some(kek),
        segment_bytes: options.segment_bytes,
        background: options.background,
        ..Options::default()
    })
}

/// Opens the store, with the newest snapshot that an entry vouches for.
fn open_book(dir: &Path, options: &OpenOptions) -> Result<(Book, BookFold), BookError> {
    // First of all: whoever names a wrong folder must not be told that a key is lost.
    expect_book(&*options.disk, dir)?;
    let store = store_options(dir, options)?;
    let mut refuse_from = u64::MAX;
    loop {
        let mut fold = BookFold::new(refuse_from);
        let opened = Book::open(dir, &store, &mut fold);
        match (opened, fold.unvouched) {
            (Ok(book), None) => return Ok((book, fold)),
            // Once more, without this snapshot: an older one, or all entries from the first.
            (Ok(_) | Err(OpenError::Fold { .. }), Some(claim)) => refuse_from = claim.next.get(),
            (Err(error), _) => return Err(error.into()),
        }
    }
}

struct Begun {
    origin: Arc<str>,
    fingerprint: String,
}

fn genesis(book: &Book, state: &State, dir: &Path) -> Result<Begun, BookError> {
    let none = || BookError::NoGenesis {
        path: dir.to_path_buf(),
    };
    let origin = Arc::clone(&state.book().ok_or_else(none)?.origin);
    let mut buf = EntryBuf::default();
    let fingerprint = leaf_hash(book.reader.entry(Seq(0), &mut buf)?.bytes);
    let mut hex = Vec::with_capacity(64);
    write_hex(fingerprint.as_bytes(), &mut hex);
    Ok(Begun {
        origin,
        fingerprint: String::from_utf8_lossy(&hex).into_owned(),
    })
}

/// The publisher, if the signer holds the key that the ledger names.
fn publisher(
    dir: &Path,
    options: &OpenOptions,
    state: &State,
    checkpoints: Checkpoints,
) -> Result<Publisher, BookError> {
    let none = || BookError::NoGenesis {
        path: dir.to_path_buf(),
    };
    let origin = Arc::clone(&state.book().ok_or_else(none)?.origin);
    let named = Arc::clone(&state.checkpoint_key().ok_or_else(none)?.vkey);
    let unusable = |reason: KeyError| BookError::Origin {
        origin: origin.to_string(),
        reason: reason.to_string(),
    };
    let signer = match &options.signer {
        Some(signer) => Arc::clone(signer),
        None => keys::checkpoint_signer(dir, KeyName::parse(&origin).map_err(unusable)?)?,
    };
    let found = signer.verifier_key().to_string();
    if found != *named {
        return Err(BookError::Signer {
            expected: named.to_string(),
            found,
        });
    }
    let verifier = Ed25519Verifier::new(signer.verifier_key()).map_err(unusable)?;
    Ok(Publisher {
        origin,
        checkpoints,
        signer,
        verifier,
    })
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
