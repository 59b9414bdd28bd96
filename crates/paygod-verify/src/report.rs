//! What verifying found, for people and for machines.

use paygod_core::{CurrencyTotals, Revoked};
use paygod_tlog::{Hash, TreeHead};
use paygod_types::Money;
use paygod_types::canonical::Writer;

use crate::anchors::{AnchorReport, Marks};
use crate::failure::Failure;
use crate::options::Depth;

/// What was checked and what is wrong.
#[derive(Clone, Debug)]
pub struct Report {
    /// How much was checked.
    pub depth: Depth,
    /// The log's origin, as its genesis says. Empty when there is none.
    pub origin: String,
    /// The fingerprint of the first entry as found.
    pub genesis: Option<Hash>,
    /// The auditor brought a fingerprint to compare it with.
    pub genesis_pinned: bool,
    /// Entries checked and the root over them.
    pub head: Option<TreeHead>,
    /// Checkpoint keys that have been in force.
    pub keys: u64,
    /// Checkpoints carry an ML-DSA-44 cosignature too.
    pub hybrid: bool,
    /// Size of the newest checkpoint that the auditor's quorum of witnesses has cosigned.
    pub witnessed: Option<u64>,
    /// Checkpoint keys that have been revoked, and the entries that their checkpoints count up to.
    pub revoked: Vec<Revoked>,
    /// Published checkpoints checked.
    pub checkpoints: u64,
    /// The auditor's own checkpoints and proofs checked.
    pub kept: u64,
    /// Accounts rebuilt.
    pub accounts: u64,
    /// The sums over all accounts of each currency, rebuilt.
    pub totals: Vec<CurrencyTotals>,
    /// What whoever checks anchors needs to know of the log.
    pub marks: Marks,
    /// What checking the anchors found, if they were.
    pub anchors: Option<AnchorReport>,
    /// What is wrong, the most telling first: by entry where one can be named.
    pub failures: Vec<Failure>,
    /// How many more failures were seen and are not listed.
    pub failures_omitted: u64,
}

impl Report {
    /// Nothing is wrong.
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        self.failures.is_empty() && self.failures_omitted == 0
    }

    /// The first failure, by entry where one can be named.
    #[must_use]
    pub fn first(&self) -> Option<&Failure> {
        self.failures.first()
    }

    /// Adds what was found beside the log itself; past `failures_max` it is counted only.
    pub fn add(&mut self, failure: Failure, failures_max: usize) {
        if self.failures.len() < failures_max.max(1) {
            self.failures.push(failure);
        } else {
            self.failures_omitted = self.failures_omitted.saturating_add(1);
        }
    }

    /// Appends the report as canonical JSON.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        writer.begin_object();
        writer.key("accounts");
        writer.u64(self.accounts);
        if let Some(anchors) = &self.anchors {
            writer.key("anchors");
            anchors.write_json(&mut writer);
        }
        writer.key("checkpoints");
        writer.u64(self.checkpoints);
        writer.key("depth");
        writer.string(self.depth.as_str());
        writer.key("failures");
        writer.begin_array();
        self.failures
            .iter()
            .for_each(|failure| failure.write_json(&mut writer));
        writer.end_array();
        writer.key("failures_omitted");
        writer.u64(self.failures_omitted);
        if let Some(genesis) = &self.genesis {
            writer.key("genesis");
            writer.hex(genesis.as_bytes());
        }
        writer.key("genesis_pinned");
        writer.bool(self.genesis_pinned);
        writer.key("hybrid");
        writer.bool(self.hybrid);
        writer.key("kept");
        writer.u64(self.kept);
        writer.key("keys");
        writer.u64(self.keys);
        writer.key("origin");
        writer.string(&self.origin);
        writer.key("revoked");
        writer.begin_array();
        for key in &self.revoked {
            writer.begin_object();
            writer.key("at");
            writer.u64(key.at.get());
            writer.key("key");
            writer.string(&key.vkey);
            writer.key("last_good");
            writer.u64(key.last_good.get());
            writer.end_object();
        }
        writer.end_array();
        if let Some(head) = &self.head {
            writer.key("root");
            writer.hex(head.root.as_bytes());
            writer.key("size");
            writer.u64(head.size);
        }
        writer.key("totals");
        writer.begin_array();
        self.totals
            .iter()
            .for_each(|of| write_totals(of, &mut writer));
        writer.end_array();
        writer.key("valid");
        writer.bool(self.is_valid());
        if let Some(size) = self.witnessed {
            writer.key("witnessed");
            writer.u64(size);
        }
        writer.end_object();
    }
}

/// Debits equal credits, so one figure a layer tells both.
fn write_totals(of: &CurrencyTotals, writer: &mut Writer<'_>) {
    let money = |amount| Money {
        amount,
        currency: of.currency,
    };
    writer.begin_object();
    writer.key("currency");
    writer.string(of.currency.code());
    writer.key("pending");
    writer.amount(&money(of.totals.debits_pending));
    writer.key("posted");
    writer.amount(&money(of.totals.debits_posted));
    writer.end_object();
}
