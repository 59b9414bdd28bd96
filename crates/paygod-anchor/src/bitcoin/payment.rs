//! The transaction that carries a digest: made, signed, and what is kept of it on the disk.

use bitcoin::absolute::LockTime;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::key::CompressedPublicKey;
use bitcoin::script::{Builder, ScriptBuf};
use bitcoin::secp256k1::ecdsa::Signature;
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::transaction::Version;
use bitcoin::{
    Address, Amount, KnownHrp, OutPoint, Sequence, Transaction, TxIn, TxOut, Witness, ecdsa,
    hashes::Hash as _, opcodes,
};

use super::network::Network;
use super::node::{Coin, read_transaction};
use crate::chain::ChainError;
use crate::paying::{self, PayingKey};

/// Most coins that pay for one anchor.
pub(super) const COINS_PER_ANCHOR_MAX: usize = 8;

/// Most transactions for one anchor: the first and its replacements.
pub(super) const CANDIDATES_MAX: usize = 32;

/// Where the money that is left goes: the second output.
const CHANGE: u32 = 1;

/// How the state of an anchor under way begins.
const KIND: &str = "paygod-bitcoin-v1";

/// A transaction that pays for the anchor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) transaction: Transaction,
    /// The chain's height when it was made.
    pub(super) height: u64,
    /// What it pays.
    pub(super) fee: Amount,
}

impl Candidate {
    /// Where what is left is.
    pub(super) fn change(&self) -> OutPoint {
        OutPoint::new(self.transaction.compute_txid(), CHANGE)
    }
}

/// An anchor under way: all transactions spend the same coins, so one of them can come into a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Payment {
    pub(super) coins: Vec<Coin>,
    /// The newest last. Never empty.
    pub(super) candidates: Vec<Candidate>,
}

impl Payment {
    pub(super) fn newest(&self) -> Result<&Candidate, ChainError> {
        self.candidates
            .last()
            .ok_or_else(|| ChainError::state("it holds no transaction"))
    }

    /// One line for each coin and each transaction.
    pub(super) fn to_text(&self) -> String {
        let coins = self
            .coins
            .iter()
            .map(|Coin { place, value }| format!("coin {place} {}\n", value.to_sat()));
        let candidates = self.candidates.iter().map(|one| {
            let hex = serialize_hex(&one.transaction);
            format!("tx {} {} {hex}\n", one.height, one.fee.to_sat())
        });
        let lines: String = coins.chain(candidates).collect();
        format!("{KIND}\n{lines}")
    }

    /// Reads it back.
    pub(super) fn parse(text: &str) -> Result<Self, ChainError> {
        let malformed = || ChainError::state("a line of it is malformed");
        let mut lines = text.lines();
        if lines.next() != Some(KIND) {
            return Err(malformed());
        }
        let mut payment = Self {
            coins: Vec::new(),
            candidates: Vec::new(),
        };
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["coin", place, sats] if payment.coins.len() < COINS_PER_ANCHOR_MAX => {
                    payment.coins.push(Coin {
                        place: place.parse().map_err(|_| malformed())?,
                        value: Amount::from_sat(sats.parse().map_err(|_| malformed())?),
                    });
                }
                ["tx", height, fee, hex] if payment.candidates.len() < CANDIDATES_MAX => {
                    payment.candidates.push(Candidate {
                        height: height.parse().map_err(|_| malformed())?,
                        fee: Amount::from_sat(fee.parse().map_err(|_| malformed())?),
                        transaction: read_transaction(hex)?,
                    });
                }
                _ => return Err(malformed()),
            }
        }
        payment.newest().map(|_| ())?;
        Ok(payment)
    }
}

/// The key's own address (P2WPKH), on a chain.
pub(super) fn address(key: &dyn PayingKey, network: Network) -> Result<Address, ChainError> {
    let key = CompressedPublicKey(paying::public_key(key)?);
    let chain = match network {
        Network::Main => KnownHrp::Mainnet,
        Network::Test => KnownHrp::Testnets,
        Network::Regtest => KnownHrp::Regtest,
    };
    Ok(Address::p2wpkh(&key, chain))
}

/// A transaction that carries the digest and gives the rest back to the key, before it is signed.
pub(super) fn draft(
    digest: &[u8; 32],
    coins: &[Coin],
    script: ScriptBuf,
    left: Amount,
) -> Transaction {
    let input = coins
        .iter()
        .map(|coin| TxIn {
            previous_output: coin.place,
            script_sig: ScriptBuf::new(),
            // It may be replaced (BIP 125).
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            witness: Witness::new(),
        })
        .collect();
    let carrier = Builder::new()
        .push_opcode(opcodes::all::OP_RETURN)
        .push_slice(digest)
        .into_script();
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input,
        output: vec![
            TxOut {
                value: Amount::ZERO,
                script_pubkey: carrier,
            },
            TxOut {
                value: left,
                script_pubkey: script,
            },
        ],
    }
}

/// Signs every input (BIP 143).
pub(super) fn sign(
    transaction: &mut Transaction,
    coins: &[Coin],
    script: &ScriptBuf,
    key: &dyn PayingKey,
) -> Result<(), ChainError> {
    let public = CompressedPublicKey(paying::public_key(key)?);
    let mut cache = SighashCache::new(&mut *transaction);
    for (place, coin) in coins.iter().enumerate() {
        let hash = cache
            .p2wpkh_signature_hash(place, script, coin.value, EcdsaSighashType::All)
            .map_err(|error| ChainError::key(error.to_string()))?;
        let signature = paying::sign(key, &hash.to_byte_array())?;
        let witness = cache.witness_mut(place);
        let witness = witness.ok_or_else(|| ChainError::key("an input has no place"))?;
        *witness = unlocked(signature, public);
    }
    Ok(())
}

fn unlocked(signature: Signature, public: CompressedPublicKey) -> Witness {
    Witness::p2wpkh(&ecdsa::Signature::sighash_all(signature), &public.0)
}

/// Virtual bytes of such a transaction once it is signed, at most: a witness has two items, a signature of
/// 72 bytes and a key of 33, each with its length (BIP 141).
pub(super) fn virtual_bytes(unsigned: &Transaction) -> u64 {
    let witness = 1_usize.saturating_add(1 + 72).saturating_add(1 + 33);
    let inputs = unsigned.input.len();
    let base = unsigned.base_size();
    // Marker and flag, then a witness for each input; a quarter of a virtual byte each.
    let extra = 2_usize.saturating_add(witness.saturating_mul(inputs));
    let weight = base.saturating_mul(4).saturating_add(extra);
    u64::try_from(weight.div_ceil(4)).unwrap_or(u64::MAX)
}
