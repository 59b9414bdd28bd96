//! What a book says of its checkpoint keys: when one is replaced without anybody's asking, and how long the book goes
//! on without one that signs.
//!
//! A book that never said anything replaces keys when somebody asks, and goes on.

use paygod_types::canonical::Writer;

/// Largest value of a limit: what every reader of JSON reads exactly (RFC 7493, section 2.2).
pub const KEY_LIMIT_MAX: u64 = (1 << 53) - 1;

/// The rules for checkpoint keys. A limit that is not there does not hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyPolicy {
    /// A key is replaced once it has been in force for so long, in seconds.
    pub age_s: Option<u64>,
    /// A key is replaced once it has signed so many checkpoints.
    pub signatures: Option<u64>,
    /// So many entries may wait for a signed checkpoint; past that requests are refused.
    pub unsigned: Option<u64>,
}

impl KeyPolicy {
    /// Name and value of each limit, in the order of their bytes.
    pub(crate) const fn limits(&self) -> [(&'static str, Option<u64>); 3] {
        [
            ("age_s", self.age_s),
            ("signatures", self.signatures),
            ("unsigned", self.unsigned),
        ]
    }

    /// Whether every limit is one.
    ///
    /// # Errors
    /// What was expected.
    pub fn check(&self) -> Result<(), &'static str> {
        let sound = |limit: u64| (1..=KEY_LIMIT_MAX).contains(&limit);
        if self
            .limits()
            .iter()
            .all(|(_, limit)| limit.is_none_or(sound))
        {
            return Ok(());
        }
        Err("limits above zero and below 2^53")
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        writer.begin_object();
        for (name, limit) in self.limits() {
            if let Some(limit) = limit {
                writer.key(name);
                writer.u64(limit);
            }
        }
        writer.end_object();
    }
}
