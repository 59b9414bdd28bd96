//! Sealed history as the engine asks it: the index points, the entries themselves answer.
//!
//! Answers count every entry before the one being made: durable ones, those on their way to the disk,
//! and those of the group that is still open. Only the sequencer may look at it.
//!
//! A hit of the index is a hint. What answers is an entry that was read and decoded.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;

use paygod_core::{
    Action, CommitmentKey, Effects, Entry, History, HistoryError, Prepared, SealedRequest, Verdict,
    WindowFact, WindowLookup, WindowToken,
};
use paygod_store::{
    DerivedError, EntryBuf, Finder, Group, IndexWriter, KeyMaker, Placer, Reader, Vault,
    VaultError, VaultRef,
};
use paygod_types::{Digest, RequestId, Seq, Timestamp};

use super::outcome::SubmitError;
use super::prepare::BookParts;
use super::windows::{self, Counted, Windows};

/// History and its index, as the sequencer holds them.
pub(super) struct Past {
    index: IndexWriter,
    finder: Finder,
    reader: Reader,
    vault: Vault,
    maker: KeyMaker,
    keys: Vec<u64>,
    /// Of entries that may not be durable yet, in order.
    fresh_keys: VecDeque<(Seq, CommitmentKey)>,
    /// Taken out while it is asked.
    windows: Cell<Option<Windows>>,
}

/// What a sealed entry came to.
pub(super) struct Sealed {
    pub(super) time: Timestamp,
    pub(super) action: Action,
    pub(super) verdict: Option<Verdict>,
}

impl Past {
    pub(super) fn new(index: IndexWriter, book: &BookParts) -> Self {
        let finder = index.finder();
        let maker = finder.keys();
        Self {
            index,
            finder,
            reader: book.reader.clone(),
            vault: book.vault.clone(),
            maker,
            keys: Vec::new(),
            fresh_keys: VecDeque::new(),
            windows: Cell::new(Some(Windows::new(maker, book.kept.clone()))),
        }
    }

    pub(super) const fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Where the vault goes on.
    pub(super) fn placer(&self) -> Placer {
        self.vault.placer()
    }

    /// Keeps the commitment key of an entry until the vault can give it.
    pub(super) fn keep_key(&mut self, seq: Seq, key: &CommitmentKey) {
        self.fresh_keys.push_back((seq, key.clone()));
    }

    /// Lets the entries of a group be found while it is on its way to the disk.
    pub(super) fn stage(&self, group: &Arc<Group>) {
        if !group.is_empty() {
            self.reader.stage(Arc::clone(group));
        }
    }

    /// Forgets the keys that the vault can give: only it knows whether they were erased.
    pub(super) fn forget_keys(&mut self, durable: u64) {
        while self
            .fresh_keys
            .front()
            .is_some_and(|(seq, _)| seq.get() < durable)
        {
            self.fresh_keys.pop_front();
        }
    }

    /// Takes in an entry that was just made.
    pub(super) fn note(&mut self, effects: &Effects) -> Result<(), DerivedError> {
        if let Some(windows) = self.windows.get_mut() {
            windows.note(effects);
        }
        keys_of(self.maker, effects, &mut self.keys);
        self.index.apply(effects.seq, &self.keys)
    }

    pub(super) const fn index_mut(&mut self) -> &mut IndexWriter {
        &mut self.index
    }

    /// History with the open group at its end.
    pub(super) const fn with_open<'a>(&'a self, open: &'a Group) -> OpenPast<'a> {
        OpenPast { past: self, open }
    }
}

/// The index keys that a turn will look up for a prepared request: its id, and the windows that it asks about.
pub(super) fn keys_asked<P>(maker: KeyMaker, prepared: &Prepared<P>, keys: &mut Vec<u64>) {
    keys.push(maker.id(prepared.request().id.as_str().as_bytes()));
    keys.extend(prepared.tokens(true).map(|token| maker.token(&token.0)));
}

/// The index keys that a turn will only add for it: the windows that it counts in and does not ask about.
pub(super) fn keys_added<P>(maker: KeyMaker, prepared: &Prepared<P>, keys: &mut Vec<u64>) {
    keys.extend(prepared.tokens(false).map(|token| maker.token(&token.0)));
}

/// Most entries read ahead for a key, the newest.
const AHEAD_MAX: usize = 32;

/// Reads what a turn will read of durable entries, so that the system has them in its cache: they were written past it.
/// What cannot be read the turn will meet again. Of the keys it leaves those that it looked for, each once.
pub(super) fn read_ahead(book: &BookParts, keys: &mut Vec<u64>, buf: &mut EntryBuf) {
    let BookParts {
        finder,
        reader,
        kept,
        ..
    } = book;
    keys.retain(|key| finder.may_contain(*key) && !kept.has(*key));
    keys.sort_unstable();
    keys.dedup();
    let durable = reader.size();
    let hits = keys
        .iter()
        .flat_map(|key| finder.hits(*key, Seq(0)).take(AHEAD_MAX));
    for seq in hits.flatten().filter(|seq| seq.get() < durable) {
        let _read = reader.entry(seq, buf);
    }
}

/// The index keys of an entry: its request id, each window it counts in, and the policy it activates.
pub(super) fn keys_of(maker: KeyMaker, effects: &Effects, keys: &mut Vec<u64>) {
    keys.clear();
    keys.push(maker.id(effects.id.as_str().as_bytes()));
    let windows = effects.windows.iter().map(|hit| maker.token(&hit.token.0));
    for key in windows.chain(
        effects
            .policy
            .as_ref()
            .map(|policy| policy_key(maker, policy)),
    ) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
}

/// The index key of the entries that activated a policy.
pub(super) fn policy_key(maker: KeyMaker, policy: &Digest) -> u64 {
    maker.token(&policy.first_half())
}

/// History up to the entry being made.
pub(super) struct OpenPast<'a> {
    past: &'a Past,
    open: &'a Group,
}

impl OpenPast<'_> {
    fn decode(&self, seq: Seq) -> Result<(Entry, Option<VaultRef>), HistoryError> {
        if let Some((bytes, input)) = self.open.entry(seq) {
            return Ok((Entry::decode(bytes).map_err(HistoryError::new)?, input));
        }
        let mut buf = EntryBuf::default();
        let entry = self
            .past
            .reader
            .staged_entry(seq, &mut buf)
            .map_err(HistoryError::new)?;
        Ok((
            Entry::decode(entry.bytes).map_err(HistoryError::new)?,
            entry.input,
        ))
    }

    /// What the entry at `seq` came to.
    pub(super) fn outcome(&self, seq: Seq) -> Result<Sealed, SubmitError> {
        let unreadable = |error: HistoryError| SubmitError::Unreadable {
            seq,
            reason: error.to_string(),
        };
        let (entry, _) = self.decode(seq).map_err(unreadable)?;
        Ok(Sealed {
            time: entry.time,
            action: entry.body.action(),
            verdict: entry.body.decision().map(|decision| decision.verdict),
        })
    }
}

impl History for OpenPast<'_> {
    fn find_request(&self, id: &RequestId) -> Result<Option<SealedRequest>, HistoryError> {
        let key = self.past.maker.id(id.as_str().as_bytes());
        for seq in self.past.finder.hits(key, Seq(0)) {
            let seq = seq.map_err(HistoryError::new)?;
            let (entry, _) = self.decode(seq)?;
            if entry.id == *id {
                return Ok(Some(SealedRequest::of(&entry)));
            }
        }
        Ok(None)
    }

    fn commitment_key(&self, seq: Seq) -> Result<Option<CommitmentKey>, HistoryError> {
        let fresh = &self.past.fresh_keys;
        if let Ok(index) = fresh.binary_search_by_key(&seq, |(seq, _)| *seq) {
            return Ok(fresh.get(index).map(|(_, key)| key.clone()));
        }
        let (_, input) = self.decode(seq)?;
        let Some(reference) = input else {
            return Ok(None);
        };
        match self.past.vault.load(reference) {
            Ok(opened) => Ok(Some(CommitmentKey::new(*opened.key.commitment_key()))),
            Err(VaultError::Erased { .. }) => Ok(None),
            Err(error) => Err(HistoryError::new(error)),
        }
    }

    fn window(&self, query: WindowLookup) -> Result<WindowFact, HistoryError> {
        let Some(mut windows) = self.past.windows.take() else {
            return windows::count(&query, self);
        };
        let fact = windows.fact(&query, self);
        self.past.windows.set(Some(windows));
        fact
    }
}

impl windows::Sealed for OpenPast<'_> {
    fn newest(&self, token: WindowToken) -> impl Iterator<Item = Result<Seq, HistoryError>> {
        let hits = self
            .past
            .finder
            .hits(self.past.maker.token(&token.0), Seq(0));
        hits.map(|hit| hit.map_err(HistoryError::new))
    }

    fn read(
        &self,
        seq: Seq,
        token: WindowToken,
        out: &mut Vec<Counted>,
    ) -> Result<Timestamp, HistoryError> {
        let (entry, _) = self.decode(seq)?;
        windows::counted(&entry, token, out);
        Ok(entry.time)
    }
}

impl windows::Growing for OpenPast<'_> {
    fn oldest(&self, token: WindowToken, from: Seq, most: usize) -> Result<Vec<Seq>, HistoryError> {
        let key = self.past.maker.token(&token.0);
        let oldest = self.past.finder.oldest(key, from, most);
        oldest.map_err(HistoryError::new)
    }
}
