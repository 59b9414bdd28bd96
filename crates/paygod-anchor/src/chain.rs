//! A chain that checkpoints are put into by a transaction of our own.
//!
//! An anchor of this kind is a small machine whose whole state is a text: [`Chain::begin`] makes a transaction and
//! gives the state, [`Chain::advance`] looks what became of it. Whoever drives it writes each state down, durably,
//! before the next step, and a transaction is sent only by a step that was given it: killed at any moment, the same
//! transaction is sent again and no second one is paid for.

use core::fmt;

use paygod_tlog::{Checkpoint, CheckpointError, TreeHead};
use paygod_types::{Code, Digest, code};

use crate::rpc::RpcError;

/// What is anchored: a checkpoint, by its three lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// SHA-256 of the log's name: which log, in 32 bytes.
    pub log: Digest,
    /// Size and root.
    pub head: TreeHead,
    /// SHA-256 of the checkpoint's three lines.
    pub digest: Digest,
}

impl Statement {
    /// Of the checkpoint of a log.
    ///
    /// # Errors
    /// The checkpoint cannot be spelled.
    pub fn new(origin: &str, head: TreeHead) -> Result<Self, CheckpointError> {
        let text = Checkpoint {
            origin: origin.to_owned(),
            head,
        }
        .to_text()?;
        Ok(Self {
            log: Digest::sha256(origin.as_bytes()),
            head,
            digest: Digest::sha256(text.as_bytes()),
        })
    }
}

/// What kind of proof a chain gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProofKind {
    /// An OpenTimestamps file that leads to a Bitcoin block.
    OpenTimestamps,
    /// What stood in the registry on Ethereum, with its path to a block's header.
    Ethereum,
}

impl ProofKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::OpenTimestamps, Self::Ethereum];

    /// How the names of its files end.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::OpenTimestamps => "ots",
            Self::Ethereum => "eth",
        }
    }
}

/// What a step came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing to be done yet; says what is waited for.
    Waiting(String),
    /// Another state: to be written down, then the next step at once.
    Changed(String),
    /// It is as deep as was asked for.
    Done {
        /// The bytes of the proof.
        proof: Vec<u8>,
        /// Where it stands, for [`Chain::stands`] and the next [`Chain::begin`].
        settled: String,
    },
    /// It can never come about: to be begun anew. Says why.
    Lost(String),
}

/// Whether a block that an anchor stands in is still of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is, so deep that nobody need look again.
    Final,
    /// It is.
    Stands,
    /// The chain has dropped it.
    Gone,
}

/// A chain, and a key that pays there.
pub trait Chain: Send + Sync + fmt::Debug {
    /// Its name, as folders and messages have it.
    fn name(&self) -> &'static str;

    /// What kind of proof it gives.
    fn kind(&self) -> ProofKind;

    /// Makes the transaction, and sends nothing. `last` is where the last anchor stands, if that is known.
    ///
    /// # Errors
    /// The node or the key fails, or there is too little money.
    fn begin(&self, statement: &Statement, last: Option<&str>) -> Result<String, ChainError>;

    /// Sends it, waits for it, raises its fee, or gives the proof. Sends nothing that is not in `state`.
    ///
    /// # Errors
    /// The node or the key fails, or `state` is not one of this chain and statement.
    fn advance(&self, statement: &Statement, state: &str) -> Result<Step, ChainError>;

    /// Whether an anchor still stands where it did.
    ///
    /// # Errors
    /// The node fails, or `settled` is not of this chain.
    fn stands(&self, settled: &str) -> Result<Standing, ChainError>;
}

/// A node that says which blocks are of its chain, in the lines of the file that an auditor brings.
pub trait BlockSource: Send + Sync + fmt::Debug {
    /// The last block's height or number, if the node is of the chain that was asked for.
    ///
    /// # Errors
    /// The node fails, or is of another chain.
    fn tip(&self) -> Result<u64, ChainError>;

    /// The line of a block, without its end; `None` if the node has no such block.
    ///
    /// # Errors
    /// The node fails, or what it says is no such block.
    fn line(&self, number: u64) -> Result<Option<String>, ChainError>;

    /// Blocks that must be known from the one that bears a proof out on, it included.
    fn depth_min(&self) -> u64;
}

/// A chain could not be asked, paid or believed.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The node fails.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// The node says what cannot be.
    #[error("the node says what cannot be: {reason}; do not believe it, ask another one")]
    Lie {
        /// What.
        reason: String,
    },
    /// The node is of no use now.
    #[error("the node cannot be used: {reason}")]
    Unfit {
        /// Why.
        reason: String,
    },
    /// The key fails.
    #[error("the key that pays for anchors: {reason}")]
    Key {
        /// Why.
        reason: String,
    },
    /// There is too little money.
    #[error("{address} has too little to pay for an anchor: {reason}; send it more")]
    Funds {
        /// Where the money must be.
        address: String,
        /// How much there is and how much is needed.
        reason: String,
    },
    /// The state on the disk is none.
    #[error("what is known of the anchor under way is not what it should be: {reason}")]
    State {
        /// Why.
        reason: String,
    },
}

impl ChainError {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Rpc(error) => error.code(),
            Self::Lie { .. } | Self::Unfit { .. } => code::ANCHOR_NODE,
            Self::Key { .. } => code::ANCHOR_KEY,
            Self::Funds { .. } => code::ANCHOR_FUNDS,
            Self::State { .. } => code::ANCHOR_FOLDER,
        }
    }

    pub(crate) fn key(reason: impl Into<String>) -> Self {
        Self::Key {
            reason: reason.into(),
        }
    }

    pub(crate) fn lie(reason: impl Into<String>) -> Self {
        Self::Lie {
            reason: reason.into(),
        }
    }

    pub(crate) fn state(reason: impl Into<String>) -> Self {
        Self::State {
            reason: reason.into(),
        }
    }
}
