//! Reading a ledger: accounts, balances, entries, receipts. Only what is durable is shown.
//!
//! Questions about the state now go to where the state is; everything older is read from the store, beside
//! the writer.

use paygod_core::history::AsOf;
use paygod_core::{
    AccountFlags, AccountInfo, ActivePolicy, Balances, Book, CommandError, Entry, EntryHead,
    KeyPeriod, Pending, Request, RequestRef,
};
use paygod_store::{EntryBuf, Finder, FoldFault, OpenedInput, Reader};
use paygod_tlog::{SignedCheckpoint, TlogProof, TreeReader, leaf_hash};
use paygod_types::{AccountId, Digest, RequestId, Seq, Timestamp};

use super::error::LedgerError;
use super::integrate::restored;
use super::outcome::SubmitError;
use super::reader::LedgerReader;
use super::shared::Shared;

/// An account with what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountState {
    /// What it is, and its limits.
    pub info: AccountInfo,
    /// Whether it is closed or frozen itself.
    pub flags: AccountFlags,
    /// What it holds.
    pub balances: Balances,
}

/// An entry as it is sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedEntry {
    /// Its leaf index.
    pub seq: Seq,
    /// Its canonical bytes: the leaf.
    pub bytes: Vec<u8>,
    /// What the bytes say.
    pub entry: Entry,
    /// Whether the vault was given its input.
    pub has_input: bool,
}

/// How far an entry is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protection {
    /// It is on the disk of this machine.
    Durable,
    /// A signed checkpoint covers it.
    Signed,
    /// A checkpoint that a quorum of witnesses has cosigned covers it.
    Witnessed,
    /// A checkpoint that is anchored in a public chain covers it.
    Anchored,
}

impl Protection {
    /// The word used in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Durable => "durable",
            Self::Signed => "signed",
            Self::Witnessed => "witnessed",
            Self::Anchored => "anchored",
        }
    }
}

/// What a client keeps as proof of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The entry's leaf index.
    pub seq: Seq,
    /// The entry's canonical bytes.
    pub entry: Vec<u8>,
    /// How far it is protected.
    pub protection: Protection,
    /// The proof file (C2SP tlog-proof), once a signed checkpoint covers the entry.
    pub proof: Option<Vec<u8>>,
}

/// What a book is and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The log's origin.
    pub origin: String,
    /// Hex of the leaf hash of entry 0: what a verifier needs.
    pub fingerprint: String,
    /// How many entries are durable.
    pub entries: u64,
    /// How many of them the last published checkpoint covers.
    pub signed: u64,
    /// The time of the last entry.
    pub last_time: Timestamp,
    /// How many accounts were opened.
    pub accounts: usize,
    /// How many reservations wait.
    pub pendings: usize,
    /// The packs and lists in force.
    pub policy: ActivePolicy,
    /// The checkpoint keys, oldest first.
    pub checkpoint_keys: Vec<KeyPeriod>,
    /// Why checkpoints are late, if they are: what the signer of this process said last.
    pub signer_fault: Option<String>,
    /// Why this process did not replace the checkpoint key although it was due, if it did not.
    pub rotation_fault: Option<String>,
}

impl LedgerReader {
    /// What the book is and how far it has come.
    ///
    /// # Errors
    /// The ledger has stopped or is closing.
    pub fn status(&self) -> Result<Status, LedgerError> {
        let (last_time, accounts, pendings, policy, keys, entries) = self.look(|state| {
            let keys = state
                .book()
                .map(|book| book.checkpoint_keys.clone())
                .unwrap_or_default();
            let policy = state.policy().clone();
            let counts = (state.accounts_len(), state.pendings_len());
            (
                state.last_time(),
                counts.0,
                counts.1,
                policy,
                keys,
                state.size(),
            )
        })?;
        Ok(Status {
            origin: self.origin.to_string(),
            fingerprint: self.fingerprint.clone(),
            entries,
            signed: self.signed(),
            last_time,
            accounts,
            pendings,
            policy,
            checkpoint_keys: keys,
            signer_fault: self.running().and_then(Shared::signer_fault),
            rotation_fault: self.running().and_then(Shared::rotation_fault),
        })
    }

    /// Origin and keys, now.
    ///
    /// # Errors
    /// The ledger has stopped or is closing.
    pub fn book_keys(&self) -> Result<Option<Book>, SubmitError> {
        self.look(|state| state.book().cloned())
    }

    /// One account, now.
    ///
    /// # Errors
    /// There is no such account, or the ledger has stopped or is closing.
    pub fn account(&self, account: &AccountId) -> Result<AccountState, LedgerError> {
        let id = account.clone();
        self.look(move |state| state.account(&id).map(AccountState::from))?
            .ok_or_else(|| LedgerError::NoAccount {
                account: account.to_string(),
            })
    }

    /// Every account, now, in the order of opening.
    ///
    /// # Errors
    /// The ledger has stopped or is closing.
    pub fn accounts(&self) -> Result<Vec<AccountState>, LedgerError> {
        Ok(self.look(|state| state.accounts().map(AccountState::from).collect())?)
    }

    /// Finds an account by another name of it: an IBAN, a bank's own number. Spaces do not count.
    ///
    /// # Errors
    /// The ledger has stopped or is closing.
    pub fn account_named(&self, name: &str) -> Result<Option<AccountState>, LedgerError> {
        let alias = self.alias(name);
        Ok(self.look(move |state| state.account_by_alias(alias).map(AccountState::from))?)
    }

    /// The token under which an account of this other name is found.
    #[must_use]
    pub fn alias(&self, name: &str) -> paygod_core::command::Alias {
        let plain: String = name
            .chars()
            .filter(|letter| !letter.is_whitespace())
            .collect();
        self.window_key.alias(plain.as_bytes())
    }

    /// An account's balances as they were.
    ///
    /// # Errors
    /// There is no such account, or history cannot be read.
    pub fn balances_at(&self, account: &AccountId, moment: AsOf) -> Result<Balances, LedgerError> {
        let id = account.clone();
        let ix = self
            .look(move |state| state.account(&id).map(|account| account.ix))?
            .ok_or_else(|| LedgerError::NoAccount {
                account: account.to_string(),
            })?;
        let at = match moment {
            AsOf::Seq(seq) => Some(seq.get().min(self.size().saturating_sub(1))),
            AsOf::Time(time) => self.last_at(time)?,
        };
        let Some(at) = at else {
            return Ok(Balances::default());
        };
        if let Some(shared) = self.running() {
            // What is derived follows a moment behind what is durable.
            shared.progress.wait_integrated(at.saturating_add(1))?;
        }
        let found = self.balances.as_of(ix.0, Seq(at))?;
        Ok(found.map_or_else(Balances::default, |(_, stored)| restored(&stored)))
    }

    /// The last durable entry at this time or before.
    fn last_at(&self, time: Timestamp) -> Result<Option<u64>, LedgerError> {
        let after = self
            .reader
            .first_at(|bytes| match EntryHead::decode(bytes) {
                Ok(head) => Ok(head.time <= time),
                Err(error) => Err(FoldFault {
                    code: error.code(),
                    message: error.to_string(),
                }),
            })?;
        Ok(after.get().checked_sub(1))
    }

    /// The reservations that wait, in the order of sealing.
    ///
    /// # Errors
    /// The ledger has stopped or is closing.
    pub fn pendings(&self) -> Result<Vec<Pending>, LedgerError> {
        Ok(self.look(|state| state.pendings().cloned().collect())?)
    }

    /// The entry at a place of the log.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn entry(&self, seq: Seq) -> Result<SealedEntry, LedgerError> {
        entry(&self.reader, seq)
    }

    /// Gives each durable entry from `from` up to, not including, `to` to `visit`; `to` past the end
    /// means the end. Reads ahead; stops at the first error of `visit`.
    ///
    /// # Errors
    /// An entry cannot be read, or what `visit` gives.
    pub fn entries<E: From<LedgerError>>(
        &self,
        from: Seq,
        to: Seq,
        mut visit: impl FnMut(Seq, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let to = Seq(to.get().min(self.size()));
        if from >= to {
            return Ok(());
        }
        self.reader
            .scan(from, to, |entry| {
                visit(entry.seq, entry.bytes).map_err(Scanned)
            })
            .map_err(|Scanned(error)| error)
    }

    /// The entry that was sealed for a request.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn find(&self, id: &RequestId) -> Result<SealedEntry, LedgerError> {
        find(&self.reader, &self.finder, self.size(), id)
    }

    /// Whether a request was sealed before, and as what, as the ledger would answer it.
    ///
    /// # Errors
    /// Its id was sealed with another body, or what was sealed was erased; or something cannot be read.
    pub fn sealed_before(
        &self,
        request: &Request,
    ) -> Result<Result<Option<Seq>, CommandError>, LedgerError> {
        let sealed = match self.find(&request.id) {
            Ok(sealed) => sealed.entry,
            Err(LedgerError::NoRequest { .. }) => return Ok(Ok(None)),
            Err(error) => return Err(error),
        };
        let (id, seq) = (request.id.as_str().into(), sealed.seq);
        let body = request.to_json().map_err(SubmitError::from)?;
        let same = match sealed.request {
            Some(RequestRef::Digest(digest)) => Digest::sha256(&body) == digest,
            Some(RequestRef::Commitment(_)) => match self.input(seq)? {
                Some(input) => input == body,
                None => return Ok(Err(CommandError::Erased { id, seq })),
            },
            None => false,
        };
        Ok(if same {
            Ok(Some(seq))
        } else {
            Err(CommandError::Conflict { id, seq })
        })
    }

    /// What a client keeps as proof of an entry. [`Protection::Durable`] without a proof while no
    /// checkpoint covers it: ask again within a second.
    ///
    /// # Errors
    /// There is no such entry, or the tree cannot be read.
    pub fn receipt(&self, seq: Seq) -> Result<Receipt, LedgerError> {
        let entry = self.entry(seq)?.bytes;
        let covers = |checkpoint: &SignedCheckpoint| seq.get() < checkpoint.head().size;
        let witnessed = self.witnessed().filter(covers);
        let protection = match &witnessed {
            Some(_) => Protection::Witnessed,
            None => Protection::Signed,
        };
        let Some(checkpoint) = witnessed.or_else(|| self.checkpoint().filter(covers)) else {
            return Ok(Receipt {
                seq,
                entry,
                protection: Protection::Durable,
                proof: None,
            });
        };
        self.receipt_by(seq, checkpoint, protection)
    }

    /// The receipt by a checkpoint that covers the entry.
    pub(super) fn receipt_by(
        &self,
        seq: Seq,
        checkpoint: SignedCheckpoint,
        protection: Protection,
    ) -> Result<Receipt, LedgerError> {
        let entry = self.entry(seq)?.bytes;
        let size = checkpoint.head().size;
        let inclusion =
            TreeReader::new(&self.tree, size).and_then(|mut tree| tree.inclusion(seq.get(), size));
        let fault = |error: &dyn std::fmt::Display| LedgerError::Tree {
            seq,
            reason: error.to_string(),
        };
        let inclusion = inclusion.map_err(|error| fault(&error))?;
        // The entry on the disk may not be the one that was sealed.
        inclusion
            .verify(leaf_hash(&entry), checkpoint.head())
            .map_err(|error| fault(&error))?;
        let proof = TlogProof {
            extra: None,
            index: seq.get(),
            hashes: inclusion.hashes,
            checkpoint,
        };
        let proof = Some(proof.to_bytes()?);
        Ok(Receipt {
            seq,
            entry,
            protection,
            proof,
        })
    }

    /// The canonical request of an entry, from the vault, which is given those with details of people and those denied.
    /// `None` if it was not given this one, or if it was erased.
    ///
    /// # Errors
    /// There is no such entry, the vault cannot be read, or it holds another input than the entry's.
    pub fn input(&self, seq: Seq) -> Result<Option<Vec<u8>>, LedgerError> {
        use paygod_store::VaultError;
        let mut buf = EntryBuf::default();
        let found = self.reader.entry(seq, &mut buf)?;
        let Some(reference) = found.input else {
            return Ok(None);
        };
        let sealed = Entry::decode(found.bytes)
            .map_err(|source| LedgerError::Entry { seq, source })?
            .request;
        if self.is_erased(seq) {
            return Ok(None);
        }
        match self.vault.load(reference) {
            // Whoever can write to the disk can point an entry at another input: what the entry says of it tells.
            Ok(opened) if !sealed.is_some_and(|sealed| is_of(&opened, sealed)) => {
                let (reference, what) = (reference.get(), "the entry commits to another input");
                Err(VaultError::Refused { reference, what }.into())
            }
            Ok(opened) => Ok(Some(opened.bytes.to_vec())),
            Err(VaultError::Erased { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A pack or list of the book, by its digest.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn blob(&self, digest: &Digest) -> Result<Vec<u8>, LedgerError> {
        Ok(self.blobs.get(digest)?)
    }
}

/// The entry at a place of the log.
fn entry(reader: &Reader, seq: Seq) -> Result<SealedEntry, LedgerError> {
    let mut buf = EntryBuf::default();
    let found = reader.entry(seq, &mut buf)?;
    let entry = Entry::decode(found.bytes).map_err(|source| LedgerError::Entry { seq, source })?;
    Ok(SealedEntry {
        seq,
        bytes: found.bytes.to_vec(),
        entry,
        has_input: found.input.is_some(),
    })
}

/// The entry of a request among the first `durable` ones.
pub(super) fn find(
    reader: &Reader,
    finder: &Finder,
    durable: u64,
    id: &RequestId,
) -> Result<SealedEntry, LedgerError> {
    let key = finder.keys().id(id.as_str().as_bytes());
    for seq in finder.hits(key, Seq(0)) {
        let seq = seq?;
        // The index runs ahead of the disk; what is not durable is not shown.
        if seq.get() >= durable {
            continue;
        }
        let found = entry(reader, seq)?;
        if found.entry.id == *id {
            return Ok(found);
        }
    }
    Err(LedgerError::NoRequest { id: id.to_string() })
}

impl From<paygod_core::AccountView<'_>> for AccountState {
    fn from(view: paygod_core::AccountView<'_>) -> Self {
        Self {
            info: view.info.clone(),
            flags: view.flags,
            balances: *view.balances,
        }
    }
}

/// Carries an error of a visitor through the store's scan.
struct Scanned<E>(E);

impl<E: From<LedgerError>> From<paygod_store::ReadError> for Scanned<E> {
    fn from(error: paygod_store::ReadError) -> Self {
        Self(E::from(LedgerError::from(error)))
    }
}

/// Whether this is the request that an entry names.
fn is_of(opened: &OpenedInput, sealed: RequestRef) -> bool {
    match sealed {
        RequestRef::Commitment(commitment) => commitment == opened.key.commitment(&opened.bytes),
        RequestRef::Digest(digest) => digest == Digest::sha256(&opened.bytes),
    }
}
