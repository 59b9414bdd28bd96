//! Which chain headers are of, and what it demands of them.

use core::fmt;

use super::target::Target;

/// A chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// The chain that counts.
    Main,
    /// The test chain: anybody can make its blocks, so it proves nothing.
    Test,
    /// A chain of one's own, for tests and drills: proves nothing.
    Regtest,
}

impl Network {
    /// Reads `main`, `test` or `regtest`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Main, Self::Test, Self::Regtest]
            .into_iter()
            .find(|network| network.as_str() == text)
    }

    /// Its name, as Bitcoin Core has it (`-chain=`).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Test => "test",
            Self::Regtest => "regtest",
        }
    }

    /// The easiest target, in its short form.
    pub(super) const fn easiest_bits(self) -> u32 {
        match self {
            Self::Main | Self::Test => 0x1d00_ffff,
            Self::Regtest => 0x207f_ffff,
        }
    }

    /// The easiest target.
    pub(super) fn easiest(self) -> Target {
        // INVARIANT(fail-closed): a constant that is no target lets no block through.
        Target::from_bits(self.easiest_bits()).unwrap_or(Target::from_bytes(&[0; 32]))
    }

    /// Blocks that must be known, the one that attests included, before an attestation counts. Six is
    /// custom: a chain that forks is one again by then.
    #[must_use]
    pub const fn depth_min(self) -> u64 {
        match self {
            Self::Main | Self::Test => 6,
            Self::Regtest => 1,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
