//! Attacks on receipts: the proof file of one payment and the entry beside it.

use super::attack::{Attack, Expected, Finding, Halt, Kept};
use super::forgery::{raise, tenfold};
use super::scene::is_posted_payment;
use super::stage::{Stage, encode, noticed};
use crate::commands::receipt;
use crate::insider::rogue;
use paygod_core::entry::Body;
use paygod_tlog::{TlogProof, VerifierKey};

type Acted = Result<Finding, Halt>;

/// In the order of the table.
pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "receipt-of-another-entry",
        story: "handed out the proof of one payment with another payment's entry",
        kept: Kept::Receipt,
        expected: Expected::Caught,
        act: |stage| {
            let index = payment(stage)?;
            let other = stage
                .scene
                .bytes
                .get(index.saturating_sub(1))
                .cloned()
                .unwrap_or_default();
            checked(stage, &stage.scene.receipt(index)?, &other)
        },
    },
    Attack {
        name: "receipt-edited",
        story: "raised the amount in the entry of a receipt",
        kept: Kept::Receipt,
        expected: Expected::Caught,
        act: |stage| {
            let index = payment(stage)?;
            let mut entry = stage
                .scene
                .entries
                .get(index)
                .cloned()
                .ok_or(Halt::NotHere("no payment"))?;
            raise(&mut entry, tenfold);
            checked(stage, &stage.scene.receipt(index)?, &encode(&entry))
        },
    },
    Attack {
        name: "receipt-moved",
        story: "said in a proof that the entry stands elsewhere in the log",
        kept: Kept::Receipt,
        expected: Expected::Caught,
        act: |stage| {
            let index = payment(stage)?;
            let mut proof = stage.scene.receipt(index)?;
            proof.index = proof.index.saturating_sub(1);
            checked(
                stage,
                &proof,
                stage.scene.bytes.get(index).map_or(&[], Vec::as_slice),
            )
        },
    },
    Attack {
        name: "receipt-of-a-stranger",
        story: "proved a payment against a checkpoint signed by a key of their own",
        kept: Kept::Receipt,
        expected: Expected::Caught,
        act: |stage| {
            let index = payment(stage)?;
            let mut proof = stage.scene.receipt(index)?;
            let head = *proof.checkpoint.head();
            let note = stage
                .scene
                .keys
                .checkpoint(&rogue(&stage.scene.origin)?, head)?;
            proof.checkpoint = paygod_tlog::SignedCheckpoint::parse(&note)?;
            checked(
                stage,
                &proof,
                stage.scene.bytes.get(index).map_or(&[], Vec::as_slice),
            )
        },
    },
];

fn payment(stage: &Stage<'_>) -> Result<usize, Halt> {
    stage.scene.last("no posted payment", is_posted_payment)
}

/// Whoever holds the receipt checks it against the log's public key.
fn checked(stage: &Stage<'_>, proof: &TlogProof, entry: &[u8]) -> Acted {
    let key = stage
        .scene
        .entries
        .iter()
        .rev()
        .find_map(|entry| match &entry.body {
            Body::KeyRotate(rotation) => Some(&rotation.new),
            Body::Genesis(genesis) => Some(&genesis.checkpoint_key),
            _ => None,
        });
    let key = VerifierKey::parse(key.ok_or(Halt::NotHere("no key"))?)?;
    Ok(match receipt::verify(proof, entry, &[key]) {
        Ok(()) => Finding::Unnoticed(None),
        Err(fault) => noticed(&fault, format!("entry {}", proof.index)),
    })
}
