//! The proof of what stands in the registry, as a file, and whether it holds.
//!
//! The file is text; everything in it is hexadecimal, and it says nothing of log, size and root: those are what it
//! is checked against.
//!
//! ```text
//! paygod-ethereum-v1
//! chain <number>
//! registry <address>
//! publisher <address>
//! header <RLP>
//! account <nonce> <balance> <storage root>
//! account-node <RLP>         (from the state root down)
//! size-node <RLP>            (from the storage root down)
//! root-node <RLP>
//! ```
//!
//! INVARIANT(bounded-parser): the file and the number of its nodes are bounded before anything is looked at.

use alloy_primitives::{Address, B256, Bytes, U256, hex, keccak256};
use alloy_rlp::Header as List;
use alloy_trie::proof::verify_proof;
use alloy_trie::{Nibbles, TrieAccount};
use paygod_types::{Code, code};

use super::blocks::Blocks;
use super::registry::{code_hash, slots};
use crate::bitcoin::Proven;
use crate::chain::Statement;

/// Longest file, in bytes. A proof of the main chain has some 20,000.
pub const PROOF_BYTES_MAX: usize = 131_072;

/// Most nodes of a path: a key has 64 digits.
const NODES_MAX: usize = 64;

/// How the file begins.
const KIND: &str = "paygod-ethereum-v1";

/// Where in a header the state root, the number and the time are.
const STATE_ROOT: usize = 3;
const NUMBER: usize = 8;
const TIME: usize = 11;

/// What stands in the registry after one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryProof {
    pub(crate) chain_id: u64,
    pub(crate) registry: Address,
    pub(crate) publisher: Address,
    /// The header's RLP.
    pub(crate) header: Bytes,
    pub(crate) account: AccountProof,
    /// The path to the word with the size.
    pub(crate) size: Vec<Bytes>,
    /// The path to the word with the root.
    pub(crate) root: Vec<Bytes>,
}

/// The registry's account, and the path to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AccountProof {
    pub(crate) nonce: u64,
    pub(crate) balance: U256,
    pub(crate) storage: B256,
    pub(crate) nodes: Vec<Bytes>,
}

/// Why a proof of the registry proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryProofError {
    /// It is no such file.
    #[error(
        "line {line} of the proof is not one of a proof of the registry; get it again from where it was made"
    )]
    Form {
        /// Which, from 1.
        line: usize,
    },
    /// It is of another chain.
    #[error(
        "the proof is of the chain {found}, and the blocks are of {wanted}; bring blocks of that chain"
    )]
    Chain {
        /// The proof's.
        found: u64,
        /// The blocks'.
        wanted: u64,
    },
    /// Its block is none of the chain.
    #[error(
        "block {number} has another hash than the proof's; take the proof as forged, or as of a block that the chain has dropped"
    )]
    Block {
        /// Its number.
        number: u64,
    },
    /// The account is not the registry's, or is not there.
    #[error(
        "the account {account} of the proof has not the code of the registry; take the proof as forged, or as of another contract"
    )]
    Contract {
        /// The account.
        account: Address,
    },
    /// The registry says something else.
    #[error(
        "the registry does not hold this checkpoint in block {number}; take the proof as forged, or as of another log"
    )]
    Other {
        /// The block.
        number: u64,
    },
    /// The auditor's blocks do not have it.
    #[error(
        "block {number} is not among the block hashes, or fewer than {needed} are known from it on; bring more of them"
    )]
    Unknown {
        /// Its number.
        number: u64,
        /// How deep it must be.
        needed: u64,
    },
}

impl RegistryProofError {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Form { .. } => code::ANCHOR_FORMAT,
            _ => code::ANCHOR_PROOF,
        }
    }

    /// Whether something is wrong, and not only missing.
    #[must_use]
    pub const fn is_wrong(&self) -> bool {
        !matches!(self, Self::Unknown { .. } | Self::Chain { .. })
    }
}

impl RegistryProof {
    /// The file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let AccountProof {
            nonce,
            balance,
            storage,
            nodes,
        } = &self.account;
        let mut text = format!(
            "{KIND}\nchain {}\nregistry {}\npublisher {}\nheader {}\naccount {nonce} {balance} {}\n",
            self.chain_id,
            hex::encode(self.registry),
            hex::encode(self.publisher),
            hex::encode(&self.header),
            hex::encode(storage),
        );
        let lists = [
            ("account-node", nodes),
            ("size-node", &self.size),
            ("root-node", &self.root),
        ];
        for (word, nodes) in lists {
            for node in nodes {
                text.push_str(&format!("{word} {}\n", hex::encode(node)));
            }
        }
        text
    }

    /// Reads the file.
    ///
    /// # Errors
    /// It is none, or past a limit.
    pub fn parse(bytes: &[u8]) -> Result<Self, RegistryProofError> {
        let form = |line: usize| RegistryProofError::Form { line };
        let text = core::str::from_utf8(bytes).map_err(|_| form(1))?;
        if text.len() > PROOF_BYTES_MAX {
            return Err(form(1));
        }
        let mut lines = (1..).zip(text.lines());
        if lines.next() != Some((1, KIND)) {
            return Err(form(1));
        }
        let mut next = |word: &str| -> Result<(usize, &str), RegistryProofError> {
            let (number, line) = lines.next().ok_or_else(|| form(1))?;
            let value = line
                .strip_prefix(word)
                .and_then(|rest| rest.strip_prefix(' '));
            Ok((number, value.ok_or_else(|| form(number))?))
        };
        let (line, chain) = next("chain")?;
        let chain_id = chain.parse().map_err(|_| form(line))?;
        let (line, registry) = next("registry")?;
        let registry =
            Address::from(paygod_types::parse_hex::<20>(registry).map_err(|_| form(line))?);
        let (line, publisher) = next("publisher")?;
        let publisher =
            Address::from(paygod_types::parse_hex::<20>(publisher).map_err(|_| form(line))?);
        let (line, header) = next("header")?;
        let header = Bytes::from(hex::decode(header).map_err(|_| form(line))?);
        let (line, account) = next("account")?;
        let mut account = read_account(account).ok_or_else(|| form(line))?;
        let (mut size, mut root) = (Vec::new(), Vec::new());
        for (line, text) in lines {
            let (word, digits) = text.split_once(' ').ok_or_else(|| form(line))?;
            let node = hex::decode(digits).map_err(|_| form(line))?;
            let list = match word {
                "account-node" => &mut account.nodes,
                "size-node" => &mut size,
                "root-node" => &mut root,
                _ => return Err(form(line)),
            };
            if list.len() >= NODES_MAX {
                return Err(form(line));
            }
            list.push(node.into());
        }
        Ok(Self {
            chain_id,
            registry,
            publisher,
            header,
            account,
            size,
            root,
        })
    }

    /// The number of the block, as its header says.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        Some(HeaderFields::read(&self.header)?.number)
    }

    /// Whether the registry held the checkpoint after a block of the chain.
    ///
    /// # Errors
    /// It did not, or the auditor's blocks do not reach it.
    pub fn verify(&self, of: &Statement, blocks: &Blocks) -> Result<Proven, RegistryProofError> {
        let fields = self.fields(of)?;
        let number = fields.number;
        if self.chain_id != blocks.chain_id() {
            return Err(RegistryProofError::Chain {
                found: self.chain_id,
                wanted: blocks.chain_id(),
            });
        }
        let (depth, needed) = (blocks.depth(number), blocks.depth_min());
        match blocks.hash(number) {
            Some(hash) if *hash != keccak256(&self.header) => {
                return Err(RegistryProofError::Block { number });
            }
            Some(_) if depth >= needed => {}
            _ => return Err(RegistryProofError::Unknown { number, needed }),
        }
        Ok(Proven {
            height: number,
            time_s: fields.time_s,
            depth,
        })
    }

    /// Everything but whether the block is of the chain.
    ///
    /// # Errors
    /// It is not a proof of this checkpoint.
    pub fn check(&self, of: &Statement) -> Result<(), RegistryProofError> {
        self.fields(of).map(|_| ())
    }

    fn fields(&self, of: &Statement) -> Result<HeaderFields, RegistryProofError> {
        let fields =
            HeaderFields::read(&self.header).ok_or(RegistryProofError::Form { line: 5 })?;
        let account = TrieAccount {
            nonce: self.account.nonce,
            balance: self.account.balance,
            storage_root: self.account.storage,
            code_hash: code_hash(),
        };
        let key = Nibbles::unpack(keccak256(self.registry));
        let encoded = Some(alloy_rlp::encode(account));
        verify_proof(fields.state_root, key, encoded, &self.account.nodes).map_err(|_| {
            RegistryProofError::Contract {
                account: self.registry,
            }
        })?;
        let (size_slot, root_slot) = slots(self.publisher, &B256::from(*of.log.as_bytes()));
        let size = U256::from(of.head.size);
        let root = U256::from_be_bytes(*of.head.root.as_bytes());
        for (slot, word, nodes) in [(size_slot, size, &self.size), (root_slot, root, &self.root)] {
            let key = Nibbles::unpack(keccak256(slot));
            let encoded = Some(alloy_rlp::encode(word));
            verify_proof(self.account.storage, key, encoded, nodes).map_err(|_| {
                RegistryProofError::Other {
                    number: fields.number,
                }
            })?;
        }
        Ok(fields)
    }
}

fn read_account(text: &str) -> Option<AccountProof> {
    let mut words = text.split(' ');
    let account = AccountProof {
        nonce: words.next()?.parse().ok()?,
        balance: U256::from_str_radix(words.next()?, 10).ok()?,
        storage: B256::from(paygod_types::parse_hex::<32>(words.next()?).ok()?),
        nodes: Vec::new(),
    };
    words.next().is_none().then_some(account)
}

/// What is read of a header.
struct HeaderFields {
    state_root: B256,
    number: u64,
    time_s: u32,
}

impl HeaderFields {
    fn read(mut header: &[u8]) -> Option<Self> {
        let list = List::decode(&mut header).ok().filter(|list| list.list)?;
        if list.payload_length != header.len() {
            return None;
        }
        let (mut state_root, mut number, mut time) = (None, None, None);
        for place in 0..=TIME {
            let field = List::decode_bytes(&mut header, false).ok()?;
            match place {
                STATE_ROOT => state_root = B256::try_from(field).ok(),
                NUMBER => number = integer(field),
                TIME => time = integer(field),
                _ => {}
            }
        }
        Some(Self {
            state_root: state_root?,
            number: number?,
            time_s: u32::try_from(time?).ok()?,
        })
    }
}

/// Big-endian without leading zeros.
fn integer(bytes: &[u8]) -> Option<u64> {
    if bytes.len() > 8 {
        return None;
    }
    Some(
        bytes
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    )
}
