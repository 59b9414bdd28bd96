//! Deciding sealed history once more, from the first entry: what was sealed must come out again to the
//! byte, and a pack that is not in force shows what it would have decided.
//!
//! The state is folded beside it (INVARIANT(fold)), so balances are as they stood before each entry;
//! windows are rebuilt as they stood; rulesets are those whose activation came before; inputs come from
//! the vault. A request that held nothing personal is made again from its entry, and believed if it has
//! the digest that was sealed. What cannot be had is counted and named, never guessed.
//!
//! It changes nothing in the book.

mod report;
mod shadow;
mod windows;

use std::sync::Arc;

use paygod_core::command::{Correction, PendingTerms, TransferRequest};
use paygod_core::engine::{self, Context};
use paygod_core::entry::Posting;
use paygod_core::{
    Body, Command, CommitmentKey, Effects, Entry, History, HistoryError, Prepared, Preparer,
    Request, RequestRef, SealedRequest, State, Transfer, WindowFact, WindowLookup, Workspace,
};
use paygod_policy::{Ruleset, Scratch};
use paygod_store::{Entry as Stored, VaultError};
use paygod_tlog::{TreeHead, TreeReader};
use paygod_types::{RequestId, Seq};

use super::error::LedgerError;
use super::outcome::SubmitError;
use super::reader::LedgerReader;
use super::rulesets;
use windows::Windows;

pub use report::{
    Change, Difference, ENTRIES_LISTED_MAX, Moved, Named as ReplayedEntry, Replayed, RuleChange,
    Shadowed, Speaks, Tally, Unreplayable,
};
use shadow::Shadow;
pub use shadow::ShadowPacks;

/// After how many entries progress is told.
const TELL_EVERY: u64 = 256;

impl LedgerReader {
    /// Decides every judged entry that the last published checkpoint covers once more, or of the first
    /// `size` entries. With `packs`, also as if they had been active in place of those of their names, or
    /// beside the others. `tell` is given the number of entries done, now and then.
    ///
    /// # Errors
    /// An entry, a pack or the vault cannot be read, an entry does not follow from those before it, or the
    /// packs do not go with those that were in force.
    pub fn replay(
        &self,
        packs: Option<&ShadowPacks>,
        size: Option<u64>,
        mut tell: impl FnMut(u64),
    ) -> Result<Replayed, LedgerError> {
        let head = self.head_at(size)?;
        let mut replayer = Replayer {
            book: self,
            state: State::new(),
            effects: None,
            ruleset: rulesets::build(&self.blobs, &State::new().policy().set)?,
            space: Workspace::default(),
            scratch: Scratch::default(),
            windows: Windows::default(),
            shadow: packs.map(|packs| Shadow::new(self, packs)).transpose()?,
            again: Vec::new(),
            report: Replayed::begin(&self.origin, &self.fingerprint, head),
        };
        self.reader.scan(
            Seq(0),
            Seq(head.size),
            |stored| -> Result<(), LedgerError> {
                if stored.seq.get().is_multiple_of(TELL_EVERY) {
                    tell(stored.seq.get());
                }
                replayer.step(stored)
            },
        )?;
        tell(head.size);
        let Replayer {
            mut report, shadow, ..
        } = replayer;
        report.shadow = shadow.map(Shadow::finish);
        Ok(report)
    }
}

impl LedgerReader {
    /// The head of the last published checkpoint's tree, or of that of its first `size` entries.
    fn head_at(&self, size: Option<u64>) -> Result<TreeHead, LedgerError> {
        let checkpoint = self.checkpoint();
        let signed = checkpoint.as_ref().map(|checkpoint| *checkpoint.head());
        let signed = signed.ok_or(LedgerError::NotSignedYet { seq: Seq(0) })?;
        let size = size.unwrap_or(signed.size);
        let last = Seq(size.saturating_sub(1));
        if size > signed.size {
            return Err(LedgerError::NotSignedYet { seq: last });
        }
        let head = TreeReader::new(&self.tree, signed.size).and_then(|mut tree| tree.head_at(size));
        head.map_err(|error| LedgerError::Tree {
            seq: last,
            reason: error.to_string(),
        })
    }
}

/// Where a replay stands: before the next entry.
struct Replayer<'a> {
    book: &'a LedgerReader,
    state: State,
    effects: Option<Effects>,
    ruleset: Arc<Ruleset>,
    space: Workspace<Ruleset>,
    scratch: Scratch,
    windows: Windows,
    shadow: Option<Shadow<'a>>,
    again: Vec<u8>,
    report: Replayed,
}

/// What is left of a request.
enum Input {
    Vaulted(Vec<u8>, CommitmentKey),
    Remade(Box<Request>),
    Erased,
    NotKept,
    Lost(VaultError),
}

impl Replayer<'_> {
    fn step(&mut self, stored: Stored<'_>) -> Result<(), LedgerError> {
        let seq = stored.seq;
        let entry =
            Entry::decode(stored.bytes).map_err(|source| LedgerError::Entry { seq, source })?;
        let mut shadowed = false;
        if entry.body.decision().is_some() {
            shadowed = self.judged(&entry, &stored)?;
        }
        let effects = self
            .effects
            .get_or_insert_with(|| Effects::reusable(entry.id.clone()));
        self.state
            .apply_into(&entry, effects)
            .map_err(|source| LedgerError::Fold { seq, source })?;
        for hit in &effects.windows {
            self.windows.record(*hit, seq, entry.time);
            // Of what could not be judged by the shadow, the tokens that were sealed count there too.
            if let Some(shadow) = self.shadow.as_mut().filter(|_| !shadowed) {
                shadow.windows.record(*hit, seq, entry.time);
            }
        }
        if let Body::PolicyActivate { set, .. } = &entry.body {
            self.ruleset = rulesets::build(&self.book.blobs, set)?;
            if let Some(shadow) = &mut self.shadow {
                shadow.activate(set)?;
            }
        }
        Ok(())
    }

    /// Decides a judged entry once more; says whether the shadow judged it too.
    fn judged(&mut self, entry: &Entry, stored: &Stored<'_>) -> Result<bool, LedgerError> {
        self.report.judged = self.report.judged.saturating_add(1);
        let input = input(self.book, entry, stored)?;
        let ruleset = Arc::clone(&self.ruleset);
        let mut preparer = Preparer::new(&*ruleset, &self.book.window_key, &mut self.space);
        let prepared = match &input {
            Input::Vaulted(bytes, key) => preparer.json(bytes).map(|mut prepared| {
                if prepared.is_personal() {
                    prepared.commit(key);
                }
                prepared
            }),
            Input::Remade(request) => preparer.request(Request::clone(request)),
            Input::Erased => {
                self.report.erased.note(entry);
                return Ok(false);
            }
            Input::NotKept => {
                self.report.not_kept.note(entry);
                return Ok(false);
            }
            Input::Lost(error) => {
                self.report.differs(entry, format!("input: {error}"));
                return Ok(false);
            }
        };
        let prepared = prepared.map_err(SubmitError::from)?;
        if prepared.reference() != entry.request {
            let what = if matches!(input, Input::Remade(_)) {
                "request: its digest is not that of what the entry says"
            } else {
                "input: the vault holds another than the entry commits to"
            };
            self.report.differs(entry, what.to_owned());
            return Ok(false);
        }
        self.compare(entry, stored.bytes, &prepared);
        let transfers = prepared.request().command.transfers();
        let shadow = self
            .shadow
            .as_mut()
            .map(|shadow| shadow.judge(&mut self.state, entry, prepared.canonical(), transfers));
        shadow.transpose()?;
        self.space.recycle(prepared);
        Ok(self.shadow.is_some())
    }

    fn compare(
        &mut self,
        entry: &Entry,
        sealed: &[u8],
        prepared: &Prepared<paygod_policy::Prepared>,
    ) {
        let history = Before {
            book: self.book,
            windows: &self.windows,
            before: entry.seq,
        };
        let mut context = Context {
            judge: &*self.ruleset,
            scratch: &mut self.scratch,
            history: &history,
            now: entry.time,
        };
        match engine::draft(&mut self.state, &mut context, prepared) {
            Ok(again) => {
                self.again.clear();
                again.encode(&mut self.again);
                if self.again == sealed {
                    self.report.same = self.report.same.saturating_add(1);
                } else {
                    self.report.differs(entry, report::differing(entry, &again));
                }
            }
            Err(error) => {
                let what = format!("it cannot be sealed again: {error}");
                self.report.differs(entry, what);
            }
        }
    }
}

fn input(book: &LedgerReader, entry: &Entry, stored: &Stored<'_>) -> Result<Input, LedgerError> {
    let Some(reference) = stored.input else {
        return Ok(remade(entry).map_or(Input::NotKept, |request| Input::Remade(Box::new(request))));
    };
    if book.is_erased(entry.seq) {
        return Ok(Input::Erased);
    }
    match book.vault.load(reference) {
        Ok(opened) => Ok(Input::Vaulted(
            opened.bytes.to_vec(),
            CommitmentKey::new(*opened.key.commitment_key()),
        )),
        Err(VaultError::Erased { .. }) => Ok(Input::Erased),
        Err(error) if error.is_loss() => Ok(Input::Lost(error)),
        Err(error) => Err(error.into()),
    }
}

/// The request of an entry, if the entry spells out all that it said: it held nothing personal, and was
/// not denied. Whoever takes it compares its digest with the sealed one.
pub(super) fn remade(entry: &Entry) -> Option<Request> {
    if !matches!(entry.request, Some(RequestRef::Digest(_))) || entry.body.postings().is_empty() {
        return None;
    }
    let transfers = transfers(entry.body.postings());
    let command = match &entry.body {
        Body::Transfer(body) => Command::Transfer(TransferRequest {
            transfers,
            pending: body.two_phase.then(|| PendingTerms {
                timeout_s: body.timeout.map(|until| {
                    let nanos = until.as_nanos().saturating_sub(entry.time.as_nanos());
                    nanos.checked_div(1_000_000_000).unwrap_or(0)
                }),
            }),
        }),
        Body::Correct(body) => Command::Correct(Correction {
            corrects: body.corrects.id.clone(),
            transfers,
            reason: body.reason.clone(),
        }),
        _ => return None,
    };
    Some(Request {
        id: entry.id.clone(),
        by: entry.by.clone(),
        command,
    })
}

/// Postings stand in pairs: a debit, then the equal credit of another account.
fn transfers(postings: &[Posting]) -> Vec<Transfer> {
    let (pairs, _) = postings.as_chunks::<2>();
    let transfer = |[debit, credit]: &[Posting; 2]| Transfer {
        debit: debit.account.clone(),
        credit: credit.account.clone(),
        money: debit.money,
        payment: None,
    };
    pairs.iter().map(transfer).collect()
}

/// History as it was before an entry.
struct Before<'a> {
    book: &'a LedgerReader,
    windows: &'a Windows,
    before: Seq,
}

impl History for Before<'_> {
    fn find_request(&self, id: &RequestId) -> Result<Option<SealedRequest>, HistoryError> {
        match self.book.find(id) {
            Ok(found) if found.seq < self.before => Ok(Some(SealedRequest::of(&found.entry))),
            Ok(_) | Err(LedgerError::NoRequest { .. }) => Ok(None),
            Err(error) => Err(HistoryError::new(error)),
        }
    }

    fn commitment_key(&self, _: Seq) -> Result<Option<CommitmentKey>, HistoryError> {
        Ok(None)
    }

    fn window(&self, query: WindowLookup) -> Result<WindowFact, HistoryError> {
        self.windows.fact(query).map_err(HistoryError::new)
    }
}
