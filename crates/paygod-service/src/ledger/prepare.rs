//! Stage 1, without state: canonical bytes, typed fields, the packs' first step, window tokens, and
//! for details of people encryption and the commitment. Several workers do it at once.
//!
//! It decides nothing by state or history, and only has read ahead what the turn will read of it: a prepared request may
//! still be refused.

use std::sync::Arc;

use paygod_core::{Command, CommitmentKey, Prepared, Preparer, WindowKey, Workspace};
use paygod_policy::Ruleset;
use paygod_store::{
    Blobs, EntryBuf, Finder, FreshKey, InputMemory, Reader, SealedInput, Vault, VaultError,
};
use paygod_types::limits::REQUEST_BYTES_MAX;

use super::history::{keys_added, keys_asked, read_ahead};
use super::intake::Part;
use super::outcome::{Submission, SubmitError};
use super::rulesets;
use super::ticket::Share;
use super::windows::KeptTokens;

/// Longest document looked at, in bytes: room for white space and escapes around the longest request.
const DOCUMENT_BYTES_MAX: usize = 2 * REQUEST_BYTES_MAX;

/// Most memory of an encrypted input that is kept, in bytes.
const INPUT_BYTES_USUAL: usize = 4_096;

/// One prepared request.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every item is ready, and a box would be one more allocation on each"
)]
pub(super) enum Item {
    /// Ready for the sequencer.
    Ready(Ready),
    /// Refused already.
    Refused(SubmitError),
}

/// A request as the sequencer takes it.
pub(super) struct Ready {
    pub(super) prepared: Prepared<paygod_policy::Prepared>,
    /// The request, encrypted: if it carries details of people or, once judged, if it was denied.
    pub(super) input: Option<Input>,
    /// The ruleset that it activates, if it does.
    pub(super) ruleset: Option<Arc<Ruleset>>,
}

/// An encrypted request.
pub(super) struct Input {
    pub(super) sealed: SealedInput,
    pub(super) key: CommitmentKey,
}

/// Prepared requests of one place in the order. A worker has two, the one whose turn it waits for and the one after, and
/// fills them again and again.
#[derive(Default)]
pub(super) struct Chunk {
    pub(super) items: Vec<Item>,
    /// Whose they are: so many requests each, in order.
    pub(super) callers: Vec<(Share, usize)>,
    space: Workspace<Ruleset>,
    pub(super) safe: Safe,
    /// Kept from chunk to chunk to spare allocations.
    keys: Vec<u64>,
    entry: EntryBuf,
}

impl Chunk {
    /// Gives a request back that is answered: its memory serves the next.
    pub(super) fn recycle(&mut self, ready: Ready) {
        self.space.recycle(ready.prepared);
        let memory = ready.input.map(|input| InputMemory::from(input.sealed));
        let usual = memory.filter(|memory| memory.capacity() <= INPUT_BYTES_USUAL);
        self.safe.memory.extend(usual);
    }

    /// INVARIANT(poisoned): none of them has an outcome.
    pub(super) fn answer_poisoned(&mut self) {
        self.items.clear();
        for (share, count) in self.callers.drain(..) {
            share.poison(count);
        }
    }
}

/// What a worker prepares with.
pub(super) struct Tools<'a> {
    pub(super) ruleset: &'a Ruleset,
    pub(super) window_key: &'a WindowKey,
    pub(super) book: &'a BookParts,
}

/// The parts of a book that every worker has.
#[derive(Clone)]
pub(super) struct BookParts {
    pub(super) vault: Vault,
    pub(super) blobs: Blobs,
    pub(super) finder: Finder,
    pub(super) reader: Reader,
    pub(super) kept: KeptTokens,
}

/// Prepares a chunk, empty by now, under the policy in force when it begins.
pub(super) fn prepare(parts: &mut Vec<Part<Submission>>, tools: &Tools<'_>, chunk: &mut Chunk) {
    let Chunk {
        items,
        callers,
        space,
        safe,
        keys,
        entry,
    } = chunk;
    let book = tools.book;
    let mut preparer = Preparer::new(tools.ruleset, tools.window_key, space);
    for part in parts.drain(..) {
        callers.push((part.share, part.requests.len()));
        let requests = part.requests.into_iter();
        items.extend(requests.map(|request| one(&mut preparer, &book.blobs, request)));
    }
    if let Err(error) = encrypt(items, &book.vault, safe) {
        let error = Arc::new(error);
        for item in items.iter_mut().filter(|item| item.is_judged()) {
            *item = Item::Refused(SubmitError::Vault(Arc::clone(&error)));
        }
    }
    // What the turn will look up is fetched before it comes: others wait for it.
    keys.clear();
    let ready = || items.iter().filter_map(Item::prepared);
    let maker = book.finder.keys();
    ready().for_each(|prepared| keys_asked(maker, prepared, keys));
    let asked = keys.len();
    ready().for_each(|prepared| keys_added(maker, prepared, keys));
    std::hint::black_box(book.finder.warm(keys));
    keys.truncate(asked);
    read_ahead(book, keys, entry);
}

fn one(preparer: &mut Preparer<'_, Ruleset>, blobs: &Blobs, request: Submission) -> Item {
    let prepared = match request {
        Submission::Json(document) if document.len() > DOCUMENT_BYTES_MAX => {
            return Item::Refused(SubmitError::TooLarge {
                found: document.len(),
            });
        }
        Submission::Json(document) => preparer.json(&document),
        Submission::Request(request) => preparer.request(request),
    };
    match prepared {
        Ok(prepared) => match activated(&prepared, blobs) {
            Ok(ruleset) => Item::Ready(Ready {
                prepared,
                input: None,
                ruleset,
            }),
            Err(error) => Item::Refused(error),
        },
        Err(error) => Item::Refused(error.into()),
    }
}

/// Loads the ruleset that a request is about to activate: what does not load is never sealed.
fn activated(
    prepared: &Prepared<paygod_policy::Prepared>,
    blobs: &Blobs,
) -> Result<Option<Arc<Ruleset>>, SubmitError> {
    match &prepared.request().command {
        Command::PolicyActivate(activation) => match rulesets::build(blobs, &activation.set) {
            Ok(ruleset) => Ok(Some(ruleset)),
            Err(error) => Err(SubmitError::Policy(Box::new(error))),
        },
        _ => Ok(None),
    }
}

/// Encrypts what is personal and commits to it. What else is judged gets a data key, since it is encrypted if it is denied;
/// that nobody is denied it costs nothing, as the next chunk has those keys then. One call for randomness a chunk.
fn encrypt(items: &mut [Item], vault: &Vault, safe: &mut Safe) -> Result<(), VaultError> {
    let judged = items.iter().filter(|item| item.is_judged()).count();
    if let Some(missing @ 1..) = judged.checked_sub(safe.keys.len()) {
        safe.keys.append(&mut vault.fresh_keys(missing)?);
    }
    for item in items {
        if let Item::Ready(ready) = item
            && ready.prepared.is_personal()
        {
            let input = safe.lock(vault, ready.prepared.canonical())?;
            ready.prepared.commit(&input.key);
            ready.input = Some(input);
        }
    }
    Ok(())
}

/// What requests are encrypted with.
#[derive(Default)]
pub(super) struct Safe {
    /// Data keys that nothing was encrypted under yet.
    keys: Vec<FreshKey>,
    /// Of inputs that are done with, for the next ones.
    memory: Vec<InputMemory>,
}

impl Safe {
    /// Encrypts a request under a data key of its own.
    pub(super) fn lock(&mut self, vault: &Vault, canonical: &[u8]) -> Result<Input, VaultError> {
        let fresh = self.keys.pop().ok_or(VaultError::Randomness)?;
        let memory = self.memory.pop().unwrap_or_default();
        Ok(Input {
            sealed: vault.seal_fresh(&fresh, canonical, memory)?,
            key: CommitmentKey::new(*fresh.key().commitment_key()),
        })
    }
}

impl Item {
    /// The prepared request, unless it was refused.
    pub(super) fn prepared(&self) -> Option<&Prepared<paygod_policy::Prepared>> {
        match self {
            Self::Ready(ready) => Some(&ready.prepared),
            Self::Refused(_) => None,
        }
    }

    /// Whether packs judge it.
    fn is_judged(&self) -> bool {
        self.prepared()
            .is_some_and(|prepared| !prepared.request().command.transfers().is_empty())
    }
}
