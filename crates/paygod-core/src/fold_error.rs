//! What a verifier is told when an entry does not follow from the entries before it.

use paygod_types::{Code, Seq, code};

/// An entry that does not follow from the state before it. Nothing of it was applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "entry {seq} fails the check `{check}`: expected {expected}, found {found}; the log was not \
         written by this state machine, or was changed afterwards"
)]
pub struct FoldError {
    /// The entry.
    pub seq: Seq,
    /// The check it fails.
    pub check: Check,
    /// What was expected.
    pub expected: Box<str>,
    /// What was found.
    pub found: Box<str>,
}

impl FoldError {
    #[cold]
    pub(crate) fn new(
        seq: Seq,
        check: Check,
        expected: impl Into<Box<str>>,
        found: impl Into<Box<str>>,
    ) -> Self {
        Self {
            seq,
            check,
            expected: expected.into(),
            found: found.into(),
        }
    }

    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.check.code()
    }
}

macro_rules! checks {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:ident;)*) => {
        /// What the fold checks on entries, each with its code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Check {
            $($(#[doc = $doc])+ $name,)*
        }

        impl Check {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The permanent code.
            #[must_use]
            pub const fn code(self) -> Code {
                match self {
                    $(Self::$name => code::$code,)*
                }
            }
        }
    };
}

checks! {
    /// Entries follow each other without a gap.
    Sequence = FOLD_SEQUENCE;
    /// Time strictly increases.
    Time = FOLD_TIME;
    /// The first entry, and only it, is a genesis, and a sound one.
    Genesis = FOLD_GENESIS;
    /// An overdue reservation expires before anything else is sealed.
    Overdue = FOLD_OVERDUE;
    /// The id, `by` and `request` are those that the action has.
    Header = FOLD_HEADER;
    /// Every account named is open, or newly opened.
    Account = FOLD_ACCOUNT;
    /// No posting reaches what is frozen; freezes and unfreezes alternate.
    Freeze = FOLD_FREEZE;
    /// Every posting is in its account's currency.
    Currency = FOLD_CURRENCY;
    /// INVARIANT(conservation): postings are pairs of one debit and one equal credit, above zero, and
    /// debits equal credits in every currency.
    Conservation = FOLD_CONSERVATION;
    /// Amounts stay within 128 bits.
    Overflow = FOLD_OVERFLOW;
    /// No account passes its limits.
    Limit = FOLD_LIMIT;
    /// The effects are those that the verdict allows: no money moves on a deny.
    Verdict = FOLD_VERDICT;
    /// A decision names the policy in force, and nothing is allowed without one.
    Policy = FOLD_POLICY;
    /// INVARIANT(every-pack-spoke): what is no deny names a rule of every active pack, and of no other.
    Packs = FOLD_PACKS;
    /// Active packs are vouched for and reviewed as the book asks; reviews go step by step.
    Trust = FOLD_TRUST;
    /// Posts, voids, expiries, approvals and rejections name a reservation that waits for them.
    Pending = FOLD_PENDING;
    /// A post stays within its reservation.
    Reservation = FOLD_RESERVATION;
    /// Approvals come from distinct people, none of them the requester, and count right.
    Approval = FOLD_APPROVAL;
    /// Timeouts lie ahead, and expire no sooner.
    Timeout = FOLD_TIMEOUT;
    /// References point back.
    Reference = FOLD_REFERENCE;
    /// A key rotation is signed by the key in force and by the new one.
    Key = FOLD_KEY;
    /// A key revocation is signed by enough root keys.
    Revocation = FOLD_REVOCATION;
    /// Snapshot entries speak of states that were.
    Snapshot = FOLD_SNAPSHOT;
    /// Anchor receipts are of checkpoints before them.
    Anchor = FOLD_ANCHOR;
}

impl core::fmt::Display for Check {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.code().as_str())
    }
}
