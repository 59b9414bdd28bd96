//! The work that needs order: the tree grows, the state is rebuilt, and each checkpoint is checked when
//! the tree has its size. One thread at a time does it.

use paygod_core::{Body, Book, Entry};
use paygod_tlog::limits::TILE_HEIGHT;
use paygod_tlog::{
    CheckpointError, Hash, NoteError, NoteVerifier, Rows, SignedCheckpoint, TlogProof, TreeHead,
    TreeWriter,
};

use crate::anchors::Marker;
use crate::batch::{Batch, Buffers, Bundle, Read, Reader};
use crate::checkpoints::{Checkpoints, Due, Origin, WITNESSED};
use crate::error::VerifyError;
use crate::failure::{Check, Failure, Failures, Place};
use crate::keys::Keys;
use crate::levels::Levels;
use crate::limits::ENTRIES_PER_RUN;
use crate::options::{Depth, Options};
use crate::rebuild::Rebuild;
use crate::report::Report;
use crate::revocations::Revocations;

/// Everything known about the log up to some entry.
pub(crate) struct Audit<'a> {
    reader: &'a Reader<'a>,
    options: &'a Options<'a>,
    failures: Failures,
    /// For bundles that were not read ahead.
    buffers: Buffers,
    tree: TreeWriter,
    rows: Rows,
    levels: Levels,
    checkpoints: Checkpoints<'a>,
    /// The auditor's proofs, the highest index first.
    proofs: Vec<TlogProof>,
    keys: Keys,
    revocations: Revocations,
    rebuild: Option<Rebuild>,
    marker: Marker<'a>,
    genesis: Option<Hash>,
    /// Size of the last checkpoint that stands, of any, and of those the auditor kept. One that the
    /// thief of the key made anew says nothing about where a kept one parts from the log.
    stands: u64,
    kept_stands: u64,
    /// A published checkpoint has failed.
    broken: bool,
    checkpoints_checked: u64,
    kept_checked: u64,
    /// Size of the newest checkpoint with the auditor's quorum, and whether one was shown.
    witnessed: Option<u64>,
    witnessed_seen: bool,
}

impl<'a> Audit<'a> {
    pub(crate) fn new(
        reader: &'a Reader<'a>,
        options: &'a Options<'a>,
        checkpoints: Checkpoints<'a>,
        mut proofs: Vec<TlogProof>,
        failures: Failures,
    ) -> Self {
        proofs.sort_by_key(|proof| std::cmp::Reverse(proof.index));
        Self {
            reader,
            options,
            failures,
            buffers: Buffers::default(),
            tree: TreeWriter::default(),
            rows: Rows::new(),
            levels: Levels::default(),
            checkpoints,
            proofs,
            keys: Keys::default(),
            revocations: Revocations::default(),
            rebuild: (options.depth == Depth::Whole).then(|| Rebuild::new(options)),
            marker: Marker::new(options.marks),
            genesis: None,
            stands: 0,
            kept_stands: 0,
            broken: false,
            checkpoints_checked: 0,
            kept_checked: 0,
            witnessed: None,
            witnessed_seen: false,
        }
    }

    /// Takes the next batch.
    pub(crate) fn take(&mut self, batch: &mut Batch) -> Result<(), VerifyError> {
        let Batch {
            bundles, failures, ..
        } = batch;
        self.note(failures);
        for bundle in bundles {
            let deferred = bundle.deferred;
            if let Some(number) = deferred {
                let buffers = &mut self.buffers;
                self.reader.read_bundle(number, buffers, bundle, failures)?;
                self.note(failures);
            }
            self.take_bundle(bundle)?;
            if deferred.is_some() {
                *bundle = Bundle::default();
            }
        }
        Ok(())
    }

    fn note(&mut self, failures: &mut Vec<Failure>) {
        failures
            .drain(..)
            .for_each(|failure| self.failures.push(failure));
    }

    /// Enough failures were found.
    pub(crate) fn is_enough(&self) -> bool {
        self.failures.is_enough()
    }

    pub(crate) const fn entries_done(&self) -> u64 {
        self.tree.size()
    }

    fn take_bundle(&mut self, bundle: &Bundle) -> Result<(), VerifyError> {
        if bundle.first == 0 {
            self.check_genesis(bundle.leaves.first().copied())?;
        }
        self.check_proofs(bundle);
        self.marker.take(bundle, self.tree.frontier());
        let end = bundle
            .first
            .saturating_add(u64::try_from(bundle.leaves.len()).unwrap_or(0));
        let mut entries = bundle.entries.as_slice();
        // A checkpoint is checked with the key in force at its size: after the entries before it.
        while let Some(size) = self.checkpoints.next_size().filter(|size| *size < end) {
            let before = entries.partition_point(|read| read.index < size);
            let (now, later) = entries.split_at_checked(before).unwrap_or((entries, &[]));
            self.take_entries(now)?;
            entries = later;
            let leaves = usize::try_from(size.saturating_sub(bundle.first)).unwrap_or(usize::MAX);
            let mut frontier = self.tree.frontier().clone();
            frontier.append_batch(bundle.leaves.get(..leaves).unwrap_or(&[]));
            self.check_checkpoints(frontier.head())?;
        }
        self.take_entries(entries)?;
        match bundle
            .root
            .map(|root| self.tree.append_subtree(TILE_HEIGHT, root, &mut self.rows))
        {
            Some(Ok(())) => {}
            Some(Err(_)) | None => self.tree.append(&bundle.leaves, &mut self.rows),
        }
        self.levels
            .extend(&self.rows, self.reader.source, &mut self.failures)?;
        if self.checkpoints.next_size() == Some(end) {
            self.check_checkpoints(self.tree.head())?;
        }
        Ok(())
    }

    fn take_entries(&mut self, entries: &[Read]) -> Result<(), VerifyError> {
        if !self.options.kept.revocations.is_empty() {
            entries
                .iter()
                .filter_map(|read| read.entry().map(|entry| (entry, read.index)))
                .try_for_each(|(entry, index)| self.note_keys(entry, index))?;
        }
        if let Some(rebuild) = &mut self.rebuild {
            for run in entries.chunks(ENTRIES_PER_RUN) {
                rebuild.prepare(run, self.reader);
                for read in run {
                    rebuild.take(read, self.reader, &mut self.keys, &mut self.failures)?;
                }
            }
            return Ok(());
        }
        for read in entries {
            if let Some(entry) = read.entry()
                && let Err(failure) = self.keys.apply(entry, read.index)
            {
                self.failures.push(failure);
            }
        }
        Ok(())
    }

    /// Who may revoke, and who replaced whom, for the revocations that the auditor brought.
    fn note_keys(&mut self, entry: &Entry, index: u64) -> Result<(), VerifyError> {
        match &entry.body {
            Body::Genesis(genesis) if index == 0 => {
                // A genesis that is none fails by itself.
                if let Ok(book) = Book::begin(genesis) {
                    self.revocations = Revocations::read(self.options.kept.revocations, &book)?;
                    self.kept_checked = self.kept_checked.saturating_add(self.revocations.len());
                }
            }
            Body::KeyRotate(rotation) => self.revocations.rotated(&rotation.old, index),
            _ => {}
        }
        Ok(())
    }

    fn check_genesis(&mut self, leaf: Option<Hash>) -> Result<(), VerifyError> {
        self.genesis = leaf;
        let Some(found) = leaf else { return Ok(()) };
        if let Some(expected) = self.options.genesis
            && expected != found
        {
            let expected = format!("the fingerprint {expected}");
            let place = Place::Entry(0);
            self.failures.push(Failure::new(
                Check::Genesis,
                place,
                expected,
                found.to_string(),
            ));
        }
        let mut text = Vec::new();
        // One byte more than the fingerprint and the end of its line: nothing stands behind them.
        if self.reader.source.read("genesis", 0..66, &mut text)? {
            let says = text.strip_suffix(b"\n").unwrap_or(&text);
            if says != found.to_string().as_bytes() {
                let expected = format!("the fingerprint of entry 0, {found}");
                let place = Place::File("genesis".to_owned());
                self.failures.push(Failure::new(
                    Check::Genesis,
                    place,
                    expected,
                    "another text",
                ));
            }
        }
        Ok(())
    }

    /// A kept proof names its entry exactly: its root was signed, so if the entry's hash leads to
    /// another root now, the entry was changed.
    fn check_proofs(&mut self, bundle: &Bundle) {
        while let Some(proof) = self.proofs.pop_if(|proof| {
            let at = usize::try_from(proof.index.saturating_sub(bundle.first));
            at.is_ok_and(|at| at < bundle.leaves.len())
        }) {
            let at = usize::try_from(proof.index.saturating_sub(bundle.first)).unwrap_or(0);
            let Some(leaf) = bundle.leaves.get(at) else {
                continue;
            };
            self.kept_checked = self.kept_checked.saturating_add(1);
            if let Err(error) = inclusion(&proof).verify(*leaf, proof.checkpoint.head()) {
                let place = Place::Entry(proof.index);
                let expected = "the entry that the kept proof is of";
                self.failures.push(Failure::new(
                    Check::Kept,
                    place,
                    expected,
                    error.to_string(),
                ));
            }
        }
    }

    /// Checks every checkpoint of this size.
    fn check_checkpoints(&mut self, head: TreeHead) -> Result<(), VerifyError> {
        while let Some(due) = self.checkpoints.take(head.size, &mut self.failures)? {
            self.check_checkpoint(&due, head);
        }
        Ok(())
    }

    fn check_checkpoint(&mut self, due: &Due, head: TreeHead) {
        let size = due.signed.head().size;
        if let Err(found) = check_signature(&due.signed, &self.keys) {
            let expected = match self.keys.in_force() {
                Some(key) => format!(
                    "a signature by the key in force, {} {}",
                    key.name(),
                    key.id()
                ),
                None => "a key in force".to_owned(),
            };
            let place = Place::Checkpoint(size);
            self.failures
                .push(Failure::new(Check::Signature, place, expected, found));
        }
        if let Err((expected, found)) = self.check_hybrid(&due.signed) {
            let place = Place::Checkpoint(size);
            self.failures
                .push(Failure::new(Check::Hybrid, place, expected, found));
        }
        self.revocations.check(&due.signed);
        let found = *due.signed.head();
        match due.origin {
            Origin::Published => self.checkpoints_checked += 1,
            Origin::Witnessed => self.check_witnessed(&due.signed, found == head),
            Origin::Kept => self.kept_checked += 1,
        }
        if found == head {
            self.stands = size;
            if due.origin == Origin::Kept {
                self.kept_stands = size;
            }
            return;
        }
        // Once one is broken all later ones are; the auditor's own still say how far back it goes.
        if self.broken && due.origin != Origin::Kept {
            return;
        }
        let (check, stands) = match due.origin {
            Origin::Published | Origin::Witnessed => (Check::Root, self.stands),
            Origin::Kept => (Check::Kept, self.kept_stands),
        };
        self.broken |= due.origin != Origin::Kept;
        let place = Place::Entries(stands..size);
        let expected = format!("the entries whose root at size {size} is {}", found.root);
        let found = format!("entries with the root {}", head.root);
        self.failures
            .push(Failure::new(check, place, expected, found));
    }

    /// Whether the auditor's quorum cosigned what the log shows as witnessed.
    fn check_witnessed(&mut self, signed: &SignedCheckpoint, stands: bool) {
        let Some(asked) = self.options.witnesses else {
            return;
        };
        let size = signed.head().size;
        match asked.policy.verify(signed.note(), Some(asked.now)) {
            Ok(_) if stands => self.witnessed = Some(size),
            Ok(_) => {}
            Err(error) => {
                let place = Place::File(WITNESSED.to_owned());
                let expected = format!(
                    "the quorum `{}` of your witnesses",
                    asked.policy.quorum_name()
                );
                self.failures.push(Failure::new(
                    Check::Witness,
                    place,
                    expected,
                    error.to_string(),
                ));
            }
        }
        self.witnessed_seen = true;
    }

    /// With a policy, a witnessed checkpoint must be there.
    fn finish_witnessed(&mut self) {
        if self.options.witnesses.is_some() && !self.witnessed_seen {
            let place = Place::File(WITNESSED.to_owned());
            let expected = "the log's newest witnessed checkpoint";
            self.failures
                .push(Failure::new(Check::Witness, place, expected, "none"));
        }
    }

    /// Whether a checkpoint has the ML-DSA-44 cosignature that its book or the auditor demands; else what
    /// was expected and what was found.
    fn check_hybrid(&self, signed: &SignedCheckpoint) -> Result<(), (String, String)> {
        let Some(key) = self.keys.hybrid() else {
            if self.options.demand_hybrid {
                let expected = "a hybrid book, whose genesis names an ML-DSA-44 key".to_owned();
                return Err((expected, "a genesis that names none".to_owned()));
            }
            return Ok(());
        };
        let expected = || {
            format!(
                "a cosignature by the book's ML-DSA-44 key, {} {}",
                key.name(),
                key.id()
            )
        };
        match signed.note().verify(&[key]) {
            Ok(_) => Ok(()),
            Err(NoteError::NoTrustedSignature) => Err((expected(), "none".to_owned())),
            Err(error) => Err((expected(), error.to_string())),
        }
    }

    /// Checks what is left when all entries were taken, and reports.
    pub(crate) fn finish(mut self) -> Result<Report, VerifyError> {
        let head = self.tree.head();
        if head.size == self.reader.size {
            self.revocations
                .finish(&self.keys, head.size, &mut self.failures);
            self.levels.finish(self.reader.source, &mut self.failures)?;
            self.check_past_the_end(head)?;
            self.finish_witnessed();
            // What tiles say of a tree that was found changed would only confuse.
            if self.failures.is_none() {
                self.marker
                    .check(self.reader.source, head.size, &mut self.failures)?;
            }
        }
        if let Some(rebuild) = &self.rebuild {
            rebuild.finish(self.reader, self.options.threads, &mut self.failures)?;
        }
        let (failures, failures_omitted) = self.failures.finish();
        let mut report = Report {
            depth: self.options.depth,
            origin: self.keys.origin().to_owned(),
            genesis: self.genesis,
            genesis_pinned: self.options.genesis.is_some(),
            head: Some(head),
            keys: self.keys.changes(),
            hybrid: self.keys.hybrid().is_some(),
            witnessed: self.witnessed,
            revoked: self.keys.revoked().to_vec(),
            checkpoints: self.checkpoints_checked,
            kept: self.kept_checked,
            accounts: 0,
            totals: Vec::new(),
            marks: self.marker.marks,
            anchors: None,
            failures,
            failures_omitted,
        };
        if let Some(rebuild) = &self.rebuild {
            report.accounts = u64::try_from(rebuild.state().accounts_len()).unwrap_or(u64::MAX);
            report.totals = rebuild.state().totals().to_vec();
        }
        Ok(report)
    }

    /// Checkpoints and proofs of trees larger than this one: its tail is gone.
    fn check_past_the_end(&mut self, head: TreeHead) -> Result<(), VerifyError> {
        while let Some(due) = self.checkpoints.take(u64::MAX, &mut self.failures)? {
            let size = due.signed.head().size;
            let (check, who) = match due.origin {
                Origin::Published => (Check::Order, "published"),
                Origin::Witnessed => (Check::Order, "witnessed"),
                Origin::Kept => (Check::Kept, "kept"),
            };
            let expected = format!("a log of {size} entries or more: a checkpoint of it was {who}");
            let place = Place::Entries(head.size..size);
            let found = format!("{} entries", head.size);
            self.failures
                .push(Failure::new(check, place, expected, found));
        }
        for proof in self.proofs.drain(..) {
            let place = Place::Entry(proof.index);
            let found = format!("{} entries", head.size);
            let expected = "an entry that a proof was kept of";
            self.failures
                .push(Failure::new(Check::Kept, place, expected, found));
        }
        Ok(())
    }
}

fn inclusion(proof: &TlogProof) -> paygod_tlog::InclusionProof {
    paygod_tlog::InclusionProof {
        index: proof.index,
        size: proof.checkpoint.head().size,
        hashes: proof.hashes.clone(),
    }
}

fn check_signature(signed: &SignedCheckpoint, keys: &Keys) -> Result<(), String> {
    let Some(key) = keys.in_force() else {
        return Err("none".to_owned());
    };
    signed
        .verify(keys.origin(), &[key])
        .map_err(|error| match error {
            CheckpointError::Note(NoteError::NoTrustedSignature) => {
                let by: Vec<String> = signed
                    .note()
                    .signatures()
                    .iter()
                    .take(4)
                    .map(|signature| format!("{} {}", signature.name, signature.id))
                    .collect();
                format!("signatures by {}", by.join(", "))
            }
            error => error.to_string(),
        })
}
