//! The outcome of judging one transfer: verdict, fuel and the rules that led there.
//!
//! A reason names only what may stand in an entry for ever: rule texts, list hits by uid, counts and
//! sums. Field values of the judged document (names, accounts) never appear here.

use std::sync::Arc;

use paygod_types::Name;

/// What a decision, or one rule, says. Ordered: across rules and packs the greater wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// The money moves.
    Allow,
    /// The money moves, and somebody should look at it afterwards.
    Flag,
    /// The money is reserved until enough approvers agree.
    Review,
    /// Nothing moves.
    Deny,
}

impl Verdict {
    /// The word used in packs, entries and output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Flag => "flag",
            Self::Review => "review",
            Self::Deny => "deny",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "allow" => Some(Self::Allow),
            "flag" => Some(Self::Flag),
            "review" => Some(Self::Review),
            "deny" => Some(Self::Deny),
            _ => None,
        }
    }
}

impl core::fmt::Display for Verdict {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The unchanging part of a reason: which rule of which pack, and its own words.
#[derive(Debug, PartialEq, Eq)]
pub struct RuleInfo {
    /// The pack's name; `policy` for reasons that no pack gave (no rule matched, fuel ran out).
    pub pack: Name,
    /// The pack's version.
    pub version: String,
    /// The rule's name.
    pub rule: Name,
    /// What the rule says when it fires; [`Verdict::Deny`] for an error.
    pub decision: Verdict,
    /// The rule's reason, or what went wrong when it was evaluated.
    pub reason: String,
}

/// One rule that fired or erred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Which rule, and what it says.
    pub rule: Arc<RuleInfo>,
    /// What it read: list hits and window answers, sorted by key; empty for most rules.
    pub facts: Vec<(String, String)>,
}

/// The outcome of judging one transfer, or of several linked ones after [`Decision::merge`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The verdict.
    pub verdict: Verdict,
    /// Nodes evaluated, over all rules of all packs. Deterministic; never wall time.
    pub fuel: u64,
    /// How many approvers a review needs, none of whom made the request; 0 unless `verdict` is review.
    pub approvals_required: u32,
    /// Rules that fired or erred, in the order of the ruleset.
    pub reasons: Vec<Reason>,
}

impl Decision {
    /// Takes in the decision on another transfer of the same linked request: the stricter verdict wins,
    /// fuel adds up, reasons already given are not repeated.
    pub fn merge(&mut self, other: Self) {
        self.verdict = self.verdict.max(other.verdict);
        self.fuel = self.fuel.saturating_add(other.fuel);
        self.approvals_required = self.approvals_required.max(other.approvals_required);
        if self.verdict != Verdict::Review {
            self.approvals_required = 0;
        }
        for reason in other.reasons {
            if !self.reasons.contains(&reason) {
                self.reasons.push(reason);
            }
        }
    }
}
