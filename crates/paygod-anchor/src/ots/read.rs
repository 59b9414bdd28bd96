//! Reads timestamps. INVARIANT(bounded-parser): recursion ends at the depth limit, counts at theirs, and
//! nothing is allocated before its bytes are there.

use super::attestation::{Attestation, BITCOIN, CalendarUri, PENDING, TAG_BYTES, UnknownTag};
use super::op::FileHash;
use super::write::{ATTESTATION, FORK, MAGIC, VERSION};
use super::{
    ATTESTATIONS_MAX, DEPTH_MAX, DetachedFile, FILE_BYTES_MAX, MESSAGE_BYTES_MAX, OPS_MAX, Op,
    OtsError, PAYLOAD_BYTES_MAX, Timestamp, URI_BYTES_MAX,
};

pub(super) fn file(bytes: &[u8]) -> Result<DetachedFile, OtsError> {
    let mut reader = Reader::new(bytes)?;
    if reader.take(MAGIC.len()).ok() != Some(MAGIC) {
        return Err(OtsError::Magic);
    }
    let version = reader.byte()?;
    if version != VERSION {
        return Err(OtsError::Version { found: version });
    }
    let tag = reader.byte()?;
    let hash = FileHash::of_tag(tag).ok_or(OtsError::FileHash { tag })?;
    let digest = reader.take(hash.digest_bytes())?.to_vec();
    let timestamp = reader.timestamp(&digest, 0)?;
    reader.end()?;
    Ok(DetachedFile {
        hash,
        digest,
        timestamp,
    })
}

pub(super) fn timestamp(bytes: &[u8], message: &[u8]) -> Result<Timestamp, OtsError> {
    let mut reader = Reader::new(bytes)?;
    if message.is_empty() || message.len() > MESSAGE_BYTES_MAX {
        return Err(OtsError::message(message.len()));
    }
    let timestamp = reader.timestamp(message, 0)?;
    reader.end()?;
    Ok(timestamp)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    ops: usize,
    attestations: usize,
}

impl<'a> Reader<'a> {
    const fn new(bytes: &'a [u8]) -> Result<Self, OtsError> {
        if bytes.len() > FILE_BYTES_MAX {
            return Err(OtsError::file(bytes.len()));
        }
        Ok(Self {
            bytes,
            at: 0,
            ops: 0,
            attestations: 0,
        })
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], OtsError> {
        let end = self.at.saturating_add(length);
        let Some(taken) = self.bytes.get(self.at..end) else {
            return Err(OtsError::Truncated {
                at: self.bytes.len(),
            });
        };
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, OtsError> {
        self.take(1)?
            .first()
            .copied()
            .ok_or(OtsError::Truncated { at: self.at })
    }

    const fn end(&self) -> Result<(), OtsError> {
        if self.at < self.bytes.len() {
            return Err(OtsError::Trailing { at: self.at });
        }
        Ok(())
    }

    /// In the shortest form: ten groups of seven bits at most, the last one not zero unless it is alone.
    fn number(&mut self) -> Result<u64, OtsError> {
        let mut value = 0_u64;
        for place in 0..10_u32 {
            let byte = self.byte()?;
            let group = u64::from(byte & 0x7f);
            let shifted = group << (7 * place);
            if shifted >> (7 * place) != group {
                break;
            }
            value |= shifted;
            if byte & 0x80 == 0 {
                if byte == 0 && place > 0 {
                    break;
                }
                return Ok(value);
            }
        }
        Err(OtsError::Number { at: self.at })
    }

    fn counted(&mut self, max: usize, refuse: fn(u64) -> OtsError) -> Result<&'a [u8], OtsError> {
        let number = self.number()?;
        let length = usize::try_from(number).ok().filter(|length| *length <= max);
        self.take(length.ok_or_else(|| refuse(number))?)
    }

    fn timestamp(&mut self, message: &[u8], depth: usize) -> Result<Timestamp, OtsError> {
        if depth >= DEPTH_MAX {
            return Err(OtsError::Depth);
        }
        let mut timestamp = Timestamp::default();
        loop {
            let mut tag = self.byte()?;
            let another = tag == FORK;
            if another {
                tag = self.byte()?;
            }
            if tag == ATTESTATION {
                let attestation = self.attestation()?;
                timestamp.attestations.insert(attestation);
            } else {
                let op = self.op(tag)?;
                let result = op.apply(message)?;
                let below = self.timestamp(&result, depth.saturating_add(1))?;
                timestamp.ops.entry(op).or_default().absorb(below);
            }
            if !another {
                return Ok(timestamp);
            }
        }
    }

    fn op(&mut self, tag: u8) -> Result<Op, OtsError> {
        self.ops = self.ops.saturating_add(1);
        if self.ops > OPS_MAX {
            return Err(OtsError::Ops);
        }
        Ok(match tag {
            0x02 => Op::Sha1,
            0x03 => Op::Ripemd160,
            0x08 => Op::Sha256,
            0x67 => Op::Keccak256,
            0xf0 => Op::Append(self.argument()?),
            0xf1 => Op::Prepend(self.argument()?),
            0xf2 => Op::Reverse,
            0xf3 => Op::Hexlify,
            _ => return Err(OtsError::UnknownOp { tag, at: self.at }),
        })
    }

    fn argument(&mut self) -> Result<Vec<u8>, OtsError> {
        let argument = self.counted(MESSAGE_BYTES_MAX, OtsError::argument)?;
        if argument.is_empty() {
            return Err(OtsError::argument(0));
        }
        Ok(argument.to_vec())
    }

    fn attestation(&mut self) -> Result<Attestation, OtsError> {
        self.attestations = self.attestations.saturating_add(1);
        if self.attestations > ATTESTATIONS_MAX {
            return Err(OtsError::Attestations);
        }
        let mut tag = [0_u8; TAG_BYTES];
        for (to, from) in tag.iter_mut().zip(self.take(TAG_BYTES)?) {
            *to = *from;
        }
        let payload = self.counted(PAYLOAD_BYTES_MAX, OtsError::payload)?;
        if let Some(unknown) = UnknownTag::new(tag) {
            return Ok(Attestation::Unknown(unknown, payload.to_vec()));
        }
        let mut inside = Reader::new(payload)?;
        let attestation = if tag == BITCOIN {
            Attestation::Bitcoin {
                height: inside.number()?,
            }
        } else {
            debug_assert_eq!(tag, PENDING, "there is no third kind that is known");
            let uri = inside.counted(URI_BYTES_MAX, OtsError::uri)?;
            let uri = core::str::from_utf8(uri).map_err(|_| OtsError::Uri)?;
            Attestation::Pending(CalendarUri::new(uri)?)
        };
        if inside.end().is_err() {
            return Err(OtsError::Payload { at: self.at });
        }
        Ok(attestation)
    }
}
