//! Packs that are not in force, judging what was sealed: what would have changed.
//!
//! History stays as it was sealed: what went through counts in windows and balances, whatever the
//! shadow says of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use paygod_core::command::PolicySet;
use paygod_core::engine::{self, Context};
use paygod_core::{Entry, Preparer, State, Transfer, Verdict, WindowHit, Workspace};
use paygod_policy::{List, Named, Pack, Ruleset, Scratch};
use paygod_types::Name;

use super::super::error::LedgerError;
use super::super::outcome::SubmitError;
use super::super::reader::LedgerReader;
use super::super::rulesets::PolicyError;
use super::Before;
use super::report::Shadowed;
use super::windows::Windows;

/// Packs to judge sealed history with, as if they had been active: each in place of the pack of its name,
/// or beside those that were in force.
#[derive(Debug)]
pub struct ShadowPacks {
    /// The packs.
    pub packs: Vec<Pack>,
    /// Lists of the book to use in place of those in force, or beside them. One that a pack reads and that
    /// is in neither is the one of its name that the book holds; of several none is taken.
    pub lists: Vec<Named>,
}

/// The shadow's own judge and windows.
pub(super) struct Shadow<'a> {
    book: &'a LedgerReader,
    packs: &'a ShadowPacks,
    /// `None` until a set in force says which of several versions of a list is meant.
    ruleset: Option<Arc<Ruleset>>,
    space: Workspace<Ruleset>,
    scratch: Scratch,
    pub(super) windows: Windows,
    report: Shadowed,
}

impl<'a> Shadow<'a> {
    pub(super) fn new(book: &'a LedgerReader, packs: &'a ShadowPacks) -> Result<Self, LedgerError> {
        if let Some(pack) = packs.packs.iter().find(|pack| pack.judges_documents()) {
            let name = pack.named().name.to_string();
            return Err(PolicyError::Subject { name }.into());
        }
        let ruleset = match ruleset(book, packs, &PolicySet::default()) {
            Ok(ruleset) => Some(ruleset),
            Err(LedgerError::Policy(PolicyError::ListVersions { .. })) => None,
            Err(error) => return Err(error),
        };
        Ok(Self {
            book,
            packs,
            ruleset,
            space: Workspace::default(),
            scratch: Scratch::default(),
            windows: Windows::default(),
            report: Shadowed::begin(packs.packs.iter().map(|pack| pack.named().clone())),
        })
    }

    /// Another set came into force.
    pub(super) fn activate(&mut self, set: &PolicySet) -> Result<(), LedgerError> {
        self.ruleset = Some(ruleset(self.book, self.packs, set)?);
        Ok(())
    }

    /// Judges what an entry sealed, with the state and history before it.
    pub(super) fn judge(
        &mut self,
        state: &mut State,
        entry: &Entry,
        request: &[u8],
        transfers: &[Transfer],
    ) -> Result<(), LedgerError> {
        let ruleset = match &self.ruleset {
            Some(ruleset) => Arc::clone(ruleset),
            None => ruleset(self.book, self.packs, &PolicySet::default())?,
        };
        let mut preparer = Preparer::new(&*ruleset, &self.book.window_key, &mut self.space);
        let prepared = preparer.json(request).map_err(SubmitError::from)?;
        let history = Before {
            book: self.book,
            windows: &self.windows,
            before: entry.seq,
        };
        let mut context = Context {
            judge: &*ruleset,
            scratch: &mut self.scratch,
            history: &history,
            now: entry.time,
        };
        let after = engine::judge_as(ruleset.packs(), state, &mut context, &prepared)
            .map_err(SubmitError::from)?;
        if let Some(before) = entry.body.decision() {
            self.report.compare(entry, before, &after, transfers);
            if before.verdict != Verdict::Deny {
                for window in prepared.windows() {
                    let place = usize::try_from(window.transfer).unwrap_or(usize::MAX);
                    if let Some(transfer) = transfers.get(place) {
                        let hit = WindowHit {
                            token: window.token,
                            money: transfer.money,
                            value: window.value,
                        };
                        self.windows.record(hit, entry.seq, entry.time);
                    }
                }
            }
        }
        self.space.recycle(prepared);
        Ok(())
    }

    pub(super) fn finish(self) -> Shadowed {
        let mut report = self.report;
        let lists = self.ruleset.map(|ruleset| ruleset.lists().to_vec());
        report.lists = lists.unwrap_or_default();
        report
    }
}

/// The set that was in force, with the shadow's packs in it.
fn ruleset(
    book: &LedgerReader,
    shadow: &ShadowPacks,
    set: &PolicySet,
) -> Result<Arc<Ruleset>, LedgerError> {
    let mut builder = Ruleset::builder();
    let own = |name: &Name| shadow.packs.iter().any(|pack| pack.named().name == *name);
    for named in set.packs.iter().filter(|named| !own(&named.name)) {
        let pack = Pack::from_archive(&book.blobs.get(&named.digest)?);
        builder = builder.pack(pack.map_err(PolicyError::from)?);
    }
    let mut needed: BTreeSet<&str> = BTreeSet::new();
    for pack in &shadow.packs {
        needed.extend(pack.lists().iter().map(String::as_str));
        builder = builder.pack(pack.clone());
    }
    let given = |name: &Name| shadow.lists.iter().any(|list| list.name == *name);
    let kept = set.lists.iter().filter(|named| !given(&named.name));
    let mut lists: Vec<Named> = kept.chain(&shadow.lists).cloned().collect();
    for name in needed {
        if !lists.iter().any(|list| list.name.as_str() == name) {
            let name = Name::parse(name).map_err(|_| PolicyError::NoList {
                name: name.to_owned(),
            })?;
            lists.push(book.only_list(&name)?);
        }
    }
    for named in lists {
        let list = List::parse(&book.blobs.get(&named.digest)?).map_err(PolicyError::from)?;
        builder = builder.list(Arc::new(list));
    }
    Ok(Arc::new(builder.build().map_err(PolicyError::from)?))
}
