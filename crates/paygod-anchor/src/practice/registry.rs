//! Ethereum in memory: blocks with one account each, in whose storage one checkpoint stands.

use std::fmt::Write as _;

use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_rlp::Encodable as _;
use alloy_trie::proof::{ProofNodes, ProofRetainer};
use alloy_trie::{HashBuilder, Nibbles, TrieAccount};

use crate::chain::Statement;
use crate::ethereum::{AccountProof, RegistryProof, code_hash, list, slots};

/// The number of a chain that is not the one that counts.
const CHAIN_ID: u64 = 31_337;

/// A contract, and who writes to it.
const CONTRACT: Address = Address::repeat_byte(0xc0);
const PUBLISHER: Address = Address::repeat_byte(0xab);

/// The code of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contract {
    /// The registry.
    Registry,
    /// Another, which lets its owner write what he likes.
    Other,
}

/// A chain of which everybody could make another in no time.
#[derive(Clone, Debug, Default)]
pub struct PracticeRegistry {
    blocks: Vec<B256>,
}

impl PracticeRegistry {
    /// The number of the chain.
    #[must_use]
    pub const fn chain_id(&self) -> u64 {
        CHAIN_ID
    }

    /// Appends a block after which a contract holds the checkpoint where the registry would: the proof of it.
    pub fn hold(&mut self, of: &Statement, contract: Contract, time_s: u32) -> RegistryProof {
        let log = B256::from(*of.log.as_bytes());
        let (size_slot, root_slot) = slots(PUBLISHER, &log);
        let root = U256::from_be_bytes(*of.head.root.as_bytes());
        let size = alloy_rlp::encode(U256::from(of.head.size));
        let words = [
            (Nibbles::unpack(keccak256(size_slot)), size),
            (
                Nibbles::unpack(keccak256(root_slot)),
                alloy_rlp::encode(root),
            ),
        ];
        let [(size_key, _), (root_key, _)] = words.clone();
        let (storage, stored) = trie(words.into());
        let account = TrieAccount {
            nonce: 1,
            balance: U256::ZERO,
            storage_root: storage,
            code_hash: match contract {
                Contract::Registry => code_hash(),
                Contract::Other => keccak256(b"whatever its owner says"),
            },
        };
        let key = Nibbles::unpack(keccak256(CONTRACT));
        let (state, accounts) = trie(vec![(key, alloy_rlp::encode(account))]);
        let header = header(&state, self.next(), time_s);
        self.blocks.push(keccak256(&header));
        let path = |nodes: &ProofNodes, key: &Nibbles| {
            let nodes = nodes.matching_nodes_sorted(key);
            nodes.into_iter().map(|(_, node)| node).collect()
        };
        RegistryProof {
            chain_id: CHAIN_ID,
            registry: CONTRACT,
            publisher: PUBLISHER,
            header: header.into(),
            account: AccountProof {
                nonce: 1,
                balance: U256::ZERO,
                storage,
                nodes: path(&accounts, &key),
            },
            size: path(&stored, &size_key),
            root: path(&stored, &root_key),
        }
    }

    fn next(&self) -> u64 {
        u64::try_from(self.blocks.len())
            .unwrap_or(u64::MAX)
            .saturating_add(1)
    }

    /// The hashes of the blocks, as an auditor brings them.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (number, hash) in (1_u64..).zip(&self.blocks) {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{number} {hash}");
        }
        text
    }
}

/// The root of a trie of these values, and its nodes.
fn trie(mut values: Vec<(Nibbles, Vec<u8>)>) -> (B256, ProofNodes) {
    values.sort_by_key(|(key, _)| *key);
    let keys = values.iter().map(|(key, _)| *key).collect();
    let mut builder = HashBuilder::default().with_proof_retainer(ProofRetainer::new(keys));
    for (key, value) in &values {
        builder.add_leaf(*key, value);
    }
    (builder.root(), builder.take_proof_nodes())
}

/// The RLP of a header, with what is read of it in its place and nothing else.
fn header(state: &B256, number: u64, time_s: u32) -> Vec<u8> {
    let mut fields = Vec::new();
    for place in 0..15_u8 {
        match place {
            3 => state.encode(&mut fields),
            8 => number.encode(&mut fields),
            11 => time_s.encode(&mut fields),
            _ => 0_u8.encode(&mut fields),
        }
    }
    let mut out = Vec::new();
    list(&fields, &mut out);
    out
}
