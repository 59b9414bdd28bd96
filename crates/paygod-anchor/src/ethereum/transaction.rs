//! A transaction with the fees of EIP-1559, signed by a key that pays.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_rlp::{BufMut as _, Encodable as _};
use bitcoin::secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use bitcoin::secp256k1::{Message, Secp256k1};

use super::rlp::list;
use crate::chain::ChainError;
use crate::paying::{self, PayingKey};

/// The type of the envelope (EIP-2718) and of what is signed.
const TYPE: u8 = 2;

/// What is signed, without who signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) chain_id: u64,
    pub(super) nonce: u64,
    /// Most for each unit of gas, in wei, the tip included.
    pub(super) fee_max: u128,
    /// The tip for each unit of gas, in wei.
    pub(super) tip: u128,
    pub(super) gas: u64,
    /// `None`: makes a contract.
    pub(super) to: Option<Address>,
    pub(super) input: Bytes,
}

/// A transaction ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) hash: B256,
    pub(super) bytes: Vec<u8>,
}

impl Draft {
    /// The fields in their order (EIP-1559), then the signature if there is one.
    fn encode(&self, signature: Option<(bool, U256, U256)>) -> Vec<u8> {
        let mut fields = Vec::new();
        self.chain_id.encode(&mut fields);
        self.nonce.encode(&mut fields);
        self.tip.encode(&mut fields);
        self.fee_max.encode(&mut fields);
        self.gas.encode(&mut fields);
        match &self.to {
            Some(to) => to.encode(&mut fields),
            None => fields.put_u8(alloy_rlp::EMPTY_STRING_CODE),
        }
        // No money goes along.
        U256::ZERO.encode(&mut fields);
        self.input.encode(&mut fields);
        // No access list.
        fields.put_u8(alloy_rlp::EMPTY_LIST_CODE);
        if let Some((odd, r, s)) = signature {
            odd.encode(&mut fields);
            r.encode(&mut fields);
            s.encode(&mut fields);
        }
        let mut out = vec![TYPE];
        list(&fields, &mut out);
        out
    }

    pub(super) fn sign(&self, key: &dyn PayingKey) -> Result<Signed, ChainError> {
        let digest = keccak256(self.encode(None));
        let signature = paying::sign(key, &digest.0)?.serialize_compact();
        let odd = is_odd(key, &digest, &signature)?;
        let (r, s) = signature.split_at(32);
        let word = U256::from_be_slice;
        let bytes = self.encode(Some((odd, word(r), word(s))));
        Ok(Signed {
            hash: keccak256(&bytes),
            bytes,
        })
    }
}

/// Which of the two points with that `r` it was: nobody says, so both are tried.
fn is_odd(key: &dyn PayingKey, digest: &B256, signature: &[u8; 64]) -> Result<bool, ChainError> {
    let curve = Secp256k1::verification_only();
    let (message, public) = (Message::from_digest(digest.0), paying::public_key(key)?);
    for id in [0, 1] {
        let recovered = RecoveryId::from_i32(id)
            .and_then(|id| RecoverableSignature::from_compact(signature, id))
            .and_then(|signature| curve.recover_ecdsa(&message, &signature));
        if recovered == Ok(public) {
            return Ok(id == 1);
        }
    }
    Err(ChainError::key(
        "it returned what is not its signature of what it was given",
    ))
}

/// The address of a key: the last 20 bytes of the hash of its point.
pub(super) fn address(key: &dyn PayingKey) -> Result<Address, ChainError> {
    let point = paying::public_key(key)?.serialize_uncompressed();
    let (_, point) = point.split_first().unwrap_or((&0, &[]));
    Ok(Address::from_word(keccak256(point)))
}
