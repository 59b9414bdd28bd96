//! Opening a book: snapshot, the entries after it, comparison with what was published, stages.

use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use paygod_anchor::witness::ask::Asker;
use paygod_core::key_policy::KeyPolicy;
use paygod_core::{Book as CoreBook, EntryHead, KeyPeriod, KeysInForce, State};
use paygod_keys::Provider;
use paygod_store::{
    Book, BookLock, Disk, EntryBuf, FileKek, Kek, Opening, Options, RealDisk, SEGMENT_BYTES,
    Witnessed, expect_book,
};
use paygod_tlog::{KeyName, TlogPolicy};
use paygod_types::{Seq, Timestamp};

use super::CopyProgress;
use super::anchors::{self, AnchorPolicy, Anchorer, Folder};
use super::clock::{Clock, SystemClock};
use super::commit::{Committer, erase};
use super::durable::Progress;
use super::error::BookError;
use super::fold::BookFold;
use super::history::Past;
use super::integrate::Integrator;
use super::key_check;
use super::keys::{self, BookKeyError, BookKeys, CheckpointSigner, KeyFile, Signers};
use super::outcome::{Answer, Submission, SubmitError};
use super::prepare::BookParts;
use super::publish::{Due, Key, Leaving, Outbox, Publisher};
use super::reader::{Begun, LedgerReader, Source, genesis, open_folded};
use super::rotate::Rotator;
use super::rotation_policy::{Follower, RotationPolicy};
use super::rulesets;
use super::sequence::{Sequencer, Turns};
use super::shared::Shared;
use super::snapshots::{Desk, Snapshots};
use super::stages::{self, Stages};
use super::ticket::{Share, Ticket};
use super::windows::KeptTokens;
use super::witness::Witnesser;

/// Most groups that are durable and not yet in the tree: past that the commit stage waits, so that
/// checkpoints never fall far behind.
const GROUPS_TO_INTEGRATE_MAX: usize = 8;

/// How long a closing waits for a snapshot that is being made; then it cuts it short. Some hundred thousand accounts take
/// a fraction of a second.
const CLOSING_WAITS_MAX: Duration = Duration::from_secs(10);

/// Hears how many of the entries that an opening folds were folded, now and then; from the beginning again if a snapshot
/// turns out not to be believed.
pub type OpeningProgress = Arc<dyn Fn(CopyProgress) + Send + Sync>;

/// How a book is opened. The default is the product's; tests and providers of keys put in their own.
#[derive(Clone)]
pub struct OpenOptions {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Signs checkpoints. `None`: what `provider` or the key files of the book hold.
    pub signer: Option<CheckpointSigner>,
    /// Holds the checkpoint keys. `None`: the key files of the book.
    pub provider: Option<Arc<dyn Provider>>,
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
    /// How long a key that was rotated out signs beside the new one, before its provider retires it.
    /// Opening the book again ends it.
    pub rotation_overlap: Duration,
    /// When the checkpoint key is replaced without anybody's asking, besides when the book itself says so.
    pub rotation: RotationPolicy,
    /// When checkpoints are anchored without anybody's asking. `None`: never.
    pub anchoring: Option<AnchorPolicy>,
    /// Most entries that may wait for a signed checkpoint: past that requests are refused until the
    /// signer is back. The book may say less.
    pub unsigned_max: u64,
    /// The trust policy whose witnesses are asked to cosign checkpoints while the book is open. `None`: none
    /// are asked.
    pub witnesses: Option<TlogPolicy>,
    /// Refuses what only development may do: checkpoint keys that whoever reads the disk has, and a book
    /// whose keys nobody can revoke.
    pub production: bool,
    /// Hears how far the opening has come, if that takes long: entries are folded that no snapshot covers.
    pub progress: Option<OpeningProgress>,
}

impl OpenOptions {
    /// In production, keys are out of the disk's reach, and root keys stand behind them.
    pub(super) fn check_production(&self, has_roots: bool) -> Result<(), BookError> {
        let protected = match (&self.signer, &self.provider) {
            (Some(_), _) => true,
            (None, provider) => provider.as_ref().is_some_and(|one| one.is_for_production()),
        };
        let lacks = match (protected, has_roots) {
            _ if !self.production => return Ok(()),
            (true, true) => return Ok(()),
            (false, _) => "keys in a hardware module or a key service: make it with `init --keys`",
            (true, false) => "root keys: make it with `init --roots`",
        };
        Err(BookError::Production { lacks })
    }
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            signer: None,
            provider: None,
            kek: None,
            disk: Arc::new(RealDisk),
            segment_bytes: SEGMENT_BYTES,
            background: true,
            workers: 2,
            snapshot_every: 500_000,
            publish_every: Duration::from_millis(200),
            rotation_overlap: Duration::from_secs(24 * 3_600),
            rotation: RotationPolicy::default(),
            anchoring: None,
            unsigned_max: u64::MAX,
            witnesses: None,
            production: false,
            progress: None,
        }
    }
}

/// The ledger of an open book.
pub struct Ledger {
    pub(super) shared: Arc<Shared>,
    pub(super) read: LedgerReader,
    pub(super) keys: BookKeys,
    pub(super) rotator: Rotator,
    pub(super) anchorer: Anchorer,
    pub(super) witnessed: Arc<Mutex<Witnessed>>,
    /// While they are there, the policies of rotation, anchoring and witnessing are followed.
    alive: Vec<Sender<()>>,
    stages: Stages,
    desk: Arc<Desk>,
    opening: Opening,
    _lock: BookLock,
}

impl Ledger {
    /// Opens a book and starts its stages. There is one ledger of a book at a time.
    ///
    /// # Errors
    /// The folder holds no book, another process has it open, a key is missing, or what is stored
    /// disagrees with what was sealed and published: then nothing is started.
    pub fn open(dir: &Path, mut options: OpenOptions) -> Result<Self, BookError> {
        // First of all: whoever names a wrong folder must not be told that a key is lost.
        expect_book(&*options.disk, dir)?;
        if options.provider.is_none() && options.signer.is_none() {
            options.provider = keys::provider(dir)?;
        }
        let (mut book, fold) = open_folded(dir, &options, Book::open)?;
        let Begun {
            origin,
            fingerprint,
        } = genesis(&book.reader, &fold.state, dir)?;
        let window_key = key_check::window_key(dir, &fingerprint, &options, true)?;
        let roots = fold.state.book().map_or(0, |book| book.root_keys.len());
        options.check_production(roots > 0)?;
        let snapshot = carry_out(&mut book, &fold)?;
        let ruleset = rulesets::build(&book.blobs, &fold.state.policy().set)?;
        let outbox = Arc::new(Outbox::default());
        let (keys, in_force) = book_keys(dir, &options, &fold.state)?;
        let key = signing_keys(&keys, &in_force)?;
        let leaving = leaving(&fold.state);
        let since_seq = fold.state.checkpoint_key().map_or(Seq(0), |key| key.since);
        let size = book.reader.size();
        let signed = book.checkpoints.last_head().map_or(0, |head| head.size);
        let shared = Arc::new(Shared::new(
            Arc::clone(&options.clock),
            Arc::clone(&window_key),
            Arc::clone(&ruleset),
            Progress::new(size, signed),
            book.checkpoints.last().cloned(),
            options.unsigned_max,
        ));
        shared.set_key_policy(
            fold.state
                .book()
                .map_or_else(KeyPolicy::default, |book| book.key_policy),
        );
        shared.set_witnessed(book.witnessed.last().cloned());
        let witnessed = Arc::new(Mutex::new(book.witnessed));
        let read = LedgerReader {
            source: Source::Running(Arc::clone(&shared)),
            origin: Arc::clone(&origin),
            fingerprint,
            reader: book.reader.clone(),
            finder: book.index.finder(),
            vault: book.vault.clone(),
            blobs: book.blobs.clone(),
            tree: book.tree.source(),
            balances: book.history.reader(),
            files: book.files.clone(),
            missing_input: book.opening.missing_input,
            dir: dir.to_path_buf(),
            window_key,
            clock: Arc::clone(&options.clock),
        };
        let mut ledger = Self {
            shared: Arc::clone(&shared),
            read,
            keys: keys.clone(),
            rotator: Rotator {
                origin: Arc::clone(&origin),
                keys: keys.clone(),
                shared: Arc::clone(&shared),
                turn: Arc::default(),
            },
            anchorer: Anchorer {
                origin: Arc::clone(&origin),
                folder: Folder::of(dir),
                reader: book.reader.clone(),
                finder: book.index.finder(),
                tree: book.tree.source(),
                shared: Arc::clone(&shared),
                turn: Arc::default(),
                closing: Arc::default(),
            },
            witnessed: Arc::clone(&witnessed),
            alive: Vec::new(),
            stages: Stages::default(),
            desk: Arc::default(),
            opening: book.opening,
            _lock: book.lock,
        };
        let (to_integrate, groups) = mpsc::sync_channel(GROUPS_TO_INTEGRATE_MAX);
        let desk = Arc::clone(&ledger.desk);
        let last = snapshot.map_or(book.opening.from_snapshot, Seq::get);
        let snapshots = Snapshots::new(options.snapshot_every, last, desk);
        let parts = BookParts {
            vault: book.vault.clone(),
            blobs: book.blobs,
            finder: book.index.finder(),
            reader: book.reader.clone(),
            kept: KeptTokens::default(),
        };
        let past = Past::new(book.index, &parts);
        let sequencer = Sequencer::new(fold.state, ruleset, past, snapshots, Arc::clone(&shared));
        let committer = Committer {
            writer: book.writer,
            reader: book.reader,
            vault: book.vault,
            integrate: to_integrate,
            shared: Arc::clone(&shared),
        };
        let publisher = Publisher {
            origin,
            checkpoints: book.checkpoints,
            keys,
            key,
            every: options.publish_every,
            overlap: options.rotation_overlap,
            leaving,
            outbox: Arc::clone(&outbox),
            shared: Arc::clone(&shared),
        };
        let opened = Due {
            head: book.tree.head(),
            keys: in_force.clone(),
            before: None,
        };
        let integrator = Integrator {
            tree: book.tree,
            balances: book.history,
            keys: in_force,
            before: None,
            outbox: Arc::clone(&outbox),
            snapshotter: book.snapshots,
            groups,
            shared: Arc::clone(&shared),
        };
        let since = ledger.entry_time(since_seq)?;
        let (alive, until) = mpsc::channel();
        let follower = Follower {
            policy: options.rotation,
            rotator: ledger.rotator.clone(),
            dir: dir.to_path_buf(),
            since,
            since_seq,
            before: None,
            shared: Arc::clone(&shared),
            until,
        };
        ledger.alive.push(alive);
        let (alive, until) = mpsc::channel();
        let anchoring = anchors::Follower {
            policy: options.anchoring,
            anchorer: ledger.anchorer.clone(),
            shared: Arc::clone(&shared),
            until,
        };
        ledger.alive.push(alive);
        let (alive, until) = mpsc::channel();
        let witnesser = options.witnesses.map(|policy| Witnesser {
            asker: Asker::new(policy),
            tree: ledger.read.tree.clone(),
            witnessed,
            shared: Arc::clone(&shared),
            until,
        });
        ledger.alive.push(alive);
        let started = ledger
            .stages
            .start("publish", &shared, move || publisher.run(opened))
            .and_then(|()| {
                let stages = &mut ledger.stages;
                stages.start("rotate", &shared, move || follower.run())
            })
            .and_then(|()| {
                let stages = &mut ledger.stages;
                stages.start("anchor", &shared, move || anchoring.run())
            })
            .and_then(|()| match witnesser {
                Some(witnesser) => {
                    let stages = &mut ledger.stages;
                    stages.start("witness", &shared, move || witnesser.run())
                }
                None => Ok(()),
            })
            .and_then(|()| ledger.start(options.workers, &parts, sequencer, committer, integrator));
        match started {
            Ok(()) => Ok(ledger),
            Err(source) => {
                shared.poison(&source);
                // The stage that would have done it never began.
                outbox.close();
                Err(BookError::Thread { source })
            }
        }
    }

    fn start(
        &mut self,
        workers: usize,
        parts: &BookParts,
        sequencer: Sequencer,
        committer: Committer,
        integrator: Integrator,
    ) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let workers = workers.max(1);
        let turns = Arc::new(Turns::new(sequencer, workers));
        for number in 0..workers {
            let (own, turns) = (Arc::clone(&shared), Arc::clone(&turns));
            let parts = parts.clone();
            let name = format!("work-{number}");
            self.stages
                .start(&name, &shared, move || stages::worker(&own, &turns, &parts))?;
        }
        self.stages
            .start("integrate", &shared, move || integrator.run())?;
        self.stages
            .start("commit", &shared, move || committer.run())
    }

    /// What reads the book.
    #[must_use]
    pub const fn read(&self) -> &LedgerReader {
        &self.read
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
            Err(SubmitError::Unsigned { unsigned, allowed }) => (0..count)
                .map(|_| Err(SubmitError::Unsigned { unsigned, allowed }))
                .collect(),
            Err(_) => (0..count).map(|_| Err(SubmitError::Closed)).collect(),
        }
    }

    /// Submits requests without waiting for their answers; waits only while too many are in flight, or too many entries for a
    /// checkpoint that is being signed.
    ///
    /// # Errors
    /// The ledger has stopped or is closing, or its signer is away for too long; nothing was submitted.
    pub fn begin(&self, requests: Vec<Submission>) -> Result<Ticket, SubmitError> {
        let (ticket, share) = Share::awaited(requests.len());
        self.shared.wait_for_signer()?;
        self.shared.intake.put(requests, share)?;
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
        self.shared.refuse_unsigned()?;
        let share = Share::called(requests.len(), Box::new(answered));
        let put = self.shared.intake.try_put(requests, share.clone());
        put.inspect_err(|_| share.refuse())
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

    /// How many groups were made durable since the book was opened.
    #[must_use]
    pub fn groups(&self) -> u64 {
        self.shared.groups.load(Ordering::Relaxed)
    }

    /// Waits until a published checkpoint covers everything that is durable now.
    ///
    /// # Errors
    /// The ledger has stopped.
    pub fn wait_signed(&self) -> Result<(), SubmitError> {
        self.shared.progress.wait_signed(self.read.size())
    }

    /// Why checkpoints are late, if they are: what the signer said last.
    #[must_use]
    pub fn signer_fault(&self) -> Option<String> {
        self.shared.signer_fault()
    }

    /// Which witnesses did not cosign the last checkpoint they were asked about, and why.
    #[must_use]
    pub fn witness_faults(&self) -> Vec<String> {
        self.shared.witness_faults()
    }

    fn entry_time(&self, seq: Seq) -> Result<Timestamp, BookError> {
        let mut buf = EntryBuf::default();
        let bytes = self.read.reader.entry(seq, &mut buf)?.bytes;
        let head = EntryHead::decode(bytes).map_err(|source| BookError::Entry { seq, source })?;
        Ok(head.time)
    }

    fn end(&mut self) {
        self.alive.clear();
        self.anchorer.closing.store(true, Ordering::Relaxed);
        // A book that is only ever open for a moment would have no snapshot, and each opening fold more than the last.
        let is_sound = || !self.shared.progress.is_poisoned();
        self.desk.wait(CLOSING_WAITS_MAX, is_sound);
        self.shared.intake.close();
        self.stages.join();
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.end();
    }
}

/// Does what the folded entries order, and only then finishes the snapshot that was written on the way: whoever opens
/// the book from it does not see those orders any more.
pub(super) fn carry_out(book: &mut Book, fold: &BookFold) -> Result<Option<Seq>, BookError> {
    for seq in &fold.erased {
        erase(*seq, &book.reader, &book.vault)?;
    }
    // One that cannot be finished costs time at the next opening and nothing else.
    Ok(book.written.take().and_then(|one| one.finish().ok()))
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

/// Where the book's keys are, and which are in force.
fn book_keys(
    dir: &Path,
    options: &OpenOptions,
    state: &State,
) -> Result<(BookKeys, KeysInForce), BookError> {
    let none = || BookError::NoGenesis {
        path: dir.to_path_buf(),
    };
    let origin = Arc::clone(&state.book().ok_or_else(none)?.origin);
    let in_force = state.book().and_then(CoreBook::in_force).ok_or_else(none)?;
    let name = KeyName::parse(&origin).map_err(|reason| BookError::Origin {
        origin: origin.to_string(),
        reason: reason.to_string(),
    })?;
    let keys = BookKeys {
        dir: dir.to_path_buf(),
        name,
        provider: options.provider.clone(),
        given: options.signer.clone(),
    };
    Ok((keys, in_force))
}

/// Keys that were replaced before the book was opened.
fn leaving(state: &State) -> Vec<Leaving> {
    let none = (&[][..], &[][..]);
    let (checkpoint, hybrid) = (state.book()).map_or(none, |book| {
        (&book.checkpoint_keys[..], &book.hybrid_keys[..])
    });
    let before = |keys: &[KeyPeriod]| -> Vec<Arc<str>> {
        let before = keys.split_last().map_or(&[][..], |(_, before)| before);
        before.iter().map(|key| Arc::clone(&key.vkey)).collect()
    };
    let vkeys = [before(checkpoint), before(hybrid)].concat();
    vec![Leaving {
        vkeys,
        until: Instant::now(),
        key: None,
    }]
}

/// The keys in force. A provider that does not answer just now delays checkpoints and is no reason not to
/// open; one that answers and has not got them is.
fn signing_keys(keys: &BookKeys, in_force: &KeysInForce) -> Result<Option<Key>, BookError> {
    let found = match (&keys.given, &keys.provider) {
        (Some(given), None) => {
            let hybrid = in_force.hybrid.as_deref();
            let hybrid = hybrid.map(|vkey| keys.find_hybrid(vkey)).transpose();
            hybrid.map(|hybrid| Signers {
                checkpoint: Arc::clone(given),
                hybrid,
            })
        }
        _ => keys.find_all(in_force),
    };
    let signers = match found {
        Ok(signers) => signers,
        Err(BookKeyError::Provider(error)) if error.retry => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let key = Key::of(in_force, signers).map_err(|found| BookError::Signer {
        expected: in_force.checkpoint.to_string(),
        found,
    })?;
    Ok(Some(key))
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger")
            .field("origin", &self.read.origin)
            .finish_non_exhaustive()
    }
}
