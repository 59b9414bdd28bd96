//! Writes timestamps, in the order of the stock client: the same tree has the same bytes.

use super::attestation::Attestation;
use super::op::FileHash;
use super::{MESSAGE_BYTES_MAX, Op, OtsError, PAYLOAD_BYTES_MAX, Timestamp};

/// The beginning of every file.
pub(super) const MAGIC: &[u8] =
    b"\x00OpenTimestamps\x00\x00Proof\x00\xbf\x89\xe2\xe8\x84\xe8\x92\x94";

/// The only version there is.
pub(super) const VERSION: u8 = 1;

/// Before an item that another one follows.
pub(super) const FORK: u8 = 0xff;

/// Before an attestation.
pub(super) const ATTESTATION: u8 = 0x00;

pub(super) fn head(hash: FileHash, digest: &[u8]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.push(VERSION);
    out.push(hash.tag());
    out.extend_from_slice(digest);
    out
}

pub(super) fn timestamp(timestamp: &Timestamp, out: &mut Vec<u8>) -> Result<(), OtsError> {
    let items = timestamp
        .attestations
        .len()
        .saturating_add(timestamp.ops.len());
    if items == 0 {
        return Err(OtsError::Empty);
    }
    let mut left = items;
    let mut begin = |out: &mut Vec<u8>| {
        left = left.saturating_sub(1);
        if left > 0 {
            out.push(FORK);
        }
    };
    for attestation in &timestamp.attestations {
        begin(out);
        out.push(ATTESTATION);
        write_attestation(attestation, out)?;
    }
    for (op, below) in &timestamp.ops {
        begin(out);
        write_op(op, out)?;
        self::timestamp(below, out)?;
    }
    Ok(())
}

fn write_op(op: &Op, out: &mut Vec<u8>) -> Result<(), OtsError> {
    out.push(op.tag());
    if let Some(argument) = op.argument() {
        if argument.is_empty() || argument.len() > MESSAGE_BYTES_MAX {
            return Err(OtsError::argument(wide(argument.len())));
        }
        bytes(argument, out);
    }
    Ok(())
}

fn write_attestation(attestation: &Attestation, out: &mut Vec<u8>) -> Result<(), OtsError> {
    out.extend_from_slice(&attestation.tag());
    let mut payload = Vec::new();
    match attestation {
        Attestation::Bitcoin { height } => number(*height, &mut payload),
        Attestation::Pending(uri) => bytes(uri.as_str().as_bytes(), &mut payload),
        Attestation::Unknown(_, unknown) => payload.extend_from_slice(unknown),
    }
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Err(OtsError::payload(wide(payload.len())));
    }
    bytes(&payload, out);
    Ok(())
}

fn bytes(bytes: &[u8], out: &mut Vec<u8>) {
    number(wide(bytes.len()), out);
    out.extend_from_slice(bytes);
}

/// Little-endian in groups of seven bits, the highest bit saying that another group follows.
fn number(mut value: u64, out: &mut Vec<u8>) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            return out.push(low & 0x7f);
        }
        out.push(low | 0x80);
    }
}

fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
