//! Who judges: the seam between the engine and the packs.
//!
//! The engine asks in three steps (prepare without history, facts from history, decide) and does not
//! care who answers; in the product it is [`paygod_policy::Ruleset`], and tests bring judges of their own.

use paygod_policy::{AccountQuery, Decision, Facts, PrepareError, Ruleset, Scratch, WindowQuery};
use paygod_types::Digest;

/// Judges one transfer at a time.
pub trait Judge {
    /// A transfer, parsed and judged as far as possible without history.
    type Prepared: Default;
    /// Buffers of one worker.
    type Scratch: Default;

    /// The digest that decisions carry: the set of packs and lists that judges.
    fn policy(&self) -> Digest;

    /// Parses one element of a request's `transfers` into `out`. Stateless.
    ///
    /// # Errors
    /// The bytes are no JSON object.
    fn prepare(
        &self,
        scratch: &mut Self::Scratch,
        transfer_json: &[u8],
        out: &mut Self::Prepared,
    ) -> Result<(), PrepareError>;

    /// What the transfer asks of history, in the order in which facts are to be given.
    fn windows<'p>(prepared: &'p Self::Prepared) -> impl ExactSizeIterator<Item = WindowQuery<'p>>;

    /// The accounts whose balances the transfer asks for, in the order in which facts are to be given.
    fn accounts<'p>(_: &'p Self::Prepared) -> impl ExactSizeIterator<Item = AccountQuery<'p>> {
        core::iter::empty()
    }

    /// The decision.
    fn decide(
        &self,
        scratch: &mut Self::Scratch,
        prepared: &Self::Prepared,
        facts: Facts<'_>,
    ) -> Decision;
}

impl Judge for Ruleset {
    type Prepared = paygod_policy::Prepared;
    type Scratch = Scratch;

    fn policy(&self) -> Digest {
        self.digest()
    }

    fn prepare(
        &self,
        scratch: &mut Scratch,
        transfer_json: &[u8],
        out: &mut paygod_policy::Prepared,
    ) -> Result<(), PrepareError> {
        Self::prepare(self, scratch, transfer_json, out)
    }

    fn windows<'p>(
        prepared: &'p paygod_policy::Prepared,
    ) -> impl ExactSizeIterator<Item = WindowQuery<'p>> {
        prepared.windows()
    }

    fn accounts<'p>(
        prepared: &'p paygod_policy::Prepared,
    ) -> impl ExactSizeIterator<Item = AccountQuery<'p>> {
        prepared.accounts()
    }

    fn decide(
        &self,
        scratch: &mut Scratch,
        prepared: &paygod_policy::Prepared,
        facts: Facts<'_>,
    ) -> Decision {
        Self::decide(self, scratch, prepared, facts)
    }
}
