//! What a replay found, and its canonical form, which can be signed and checked.
//!
//! The form is one canonical JSON document (`contracts/schemas/replay-report.v1.json`), a function of the
//! log up to the checkpoint it names, of the packs, and of what the vault still holds: whoever has the book
//! makes it again, to the byte. It holds request ids, rules and amounts, and nothing of an input.

use std::collections::BTreeMap;

use paygod_core::entry::Decision;
use paygod_core::policy_set::write_named;
use paygod_core::{Entry, Transfer, Verdict};
use paygod_policy::{Named as PolicyNamed, Reason};
use paygod_tlog::TreeHead;
use paygod_types::canonical::Writer;
use paygod_types::{Amount, Currency, RequestId, Seq};

/// Most entries that a report lists of a kind; all are counted.
pub const ENTRIES_LISTED_MAX: usize = 1_000;

/// The version of the form.
const REPORT_VERSION: u64 = 1;

/// The outcome of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The log's origin.
    pub origin: String,
    /// Hex of the leaf hash of entry 0.
    pub fingerprint: String,
    /// What was replayed: the tree of the checkpoint that covers it.
    pub head: TreeHead,
    /// Judged entries.
    pub judged: u64,
    /// Those that came out the same, to the byte.
    pub same: u64,
    /// How many came out different, which must not be.
    pub different: u64,
    /// The first [`ENTRIES_LISTED_MAX`] of them.
    pub differences: Vec<Difference>,
    /// Those whose inputs were erased.
    pub erased: Unreplayable,
    /// Those whose requests held nothing personal and were not kept, and do not follow from their entries.
    pub not_kept: Unreplayable,
    /// What other packs would have decided, if that was asked.
    pub shadow: Option<Shadowed>,
}

/// An entry, by both its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its leaf index.
    pub seq: Seq,
    /// Its request's id.
    pub id: RequestId,
}

/// An entry that came out different.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which.
    pub entry: Named,
    /// What differs, and how.
    pub what: String,
}

/// Entries that cannot be decided once more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unreplayable {
    /// How many.
    pub count: u64,
    /// The first [`ENTRIES_LISTED_MAX`] of them.
    pub listed: Vec<Named>,
}

/// What other packs would have decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shadowed {
    /// The packs.
    pub packs: Vec<PolicyNamed>,
    /// The lists they were given at the end.
    pub lists: Vec<PolicyNamed>,
    /// From the sealed verdict to that of the packs: how many, and how much money. Unchanged ones too.
    pub verdicts: BTreeMap<(Verdict, Verdict), Tally>,
    /// Which rules made the changes.
    pub rules: BTreeMap<RuleChange, Tally>,
    /// How many verdicts change.
    pub changed: u64,
    /// The first [`ENTRIES_LISTED_MAX`] of them.
    pub changes: Vec<Change>,
}

/// How many, and how much.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Entries.
    pub count: u64,
    /// What their transfers were to move.
    pub money: Moved,
}

/// Amounts by currency. A sum that passes 128 bits stays at the largest amount there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved(pub BTreeMap<Currency, Amount>);

/// A rule and what it changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleChange {
    /// Its pack.
    pub pack: String,
    /// Its name.
    pub rule: String,
    /// Whether it now speaks and did not before, or no longer does.
    pub speaks: Speaks,
    /// The sealed verdict.
    pub before: Verdict,
    /// The packs' verdict.
    pub after: Verdict,
}

/// Which of the two decisions a rule stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Speaks {
    /// In that of the packs, as the reason of a stricter verdict.
    Now,
    /// In the sealed one, as the reason of a stricter verdict.
    NoLonger,
}

impl Speaks {
    /// The word used in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Now => "speaks",
            Self::NoLonger => "silent",
        }
    }
}

/// A verdict that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Of which entry.
    pub entry: Named,
    /// As sealed.
    pub before: Verdict,
    /// As the packs decide.
    pub after: Verdict,
    /// The rules that made the difference, as `pack#rule`.
    pub rules: Vec<String>,
    /// What the transfers were to move.
    pub money: Moved,
}

impl Replayed {
    pub(super) fn begin(origin: &str, fingerprint: &str, head: TreeHead) -> Self {
        Self {
            origin: origin.to_owned(),
            fingerprint: fingerprint.to_owned(),
            head,
            judged: 0,
            same: 0,
            different: 0,
            differences: Vec::new(),
            erased: Unreplayable::default(),
            not_kept: Unreplayable::default(),
            shadow: None,
        }
    }

    pub(super) fn differs(&mut self, entry: &Entry, what: String) {
        self.different = self.different.saturating_add(1);
        if self.differences.len() < ENTRIES_LISTED_MAX {
            let entry = Named::of(entry);
            self.differences.push(Difference { entry, what });
        }
    }

    /// Whether everything that could be replayed came out the same.
    #[must_use]
    pub const fn reproduces(&self) -> bool {
        self.different == 0
    }

    /// The canonical JSON.
    #[must_use]
    pub fn to_canonical(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        writer.begin_object();
        writer.key("differences");
        writer.begin_array();
        for difference in &self.differences {
            writer.begin_object();
            writer.key("id");
            writer.string(difference.entry.id.as_str());
            writer.key("seq");
            writer.u64(difference.entry.seq.get());
            writer.key("what");
            writer.string(&difference.what);
            writer.end_object();
        }
        writer.end_array();
        writer.key("different");
        writer.u64(self.different);
        writer.key("erased");
        self.erased.write(&mut writer);
        writer.key("judged");
        writer.u64(self.judged);
        writer.key("kind");
        writer.string("replay-report");
        writer.key("log");
        writer.begin_object();
        writer.key("fingerprint");
        writer.string(&self.fingerprint);
        writer.key("origin");
        writer.string(&self.origin);
        writer.key("root");
        writer.hex(self.head.root.as_bytes());
        writer.key("size");
        writer.u64(self.head.size);
        writer.end_object();
        writer.key("not_kept");
        self.not_kept.write(&mut writer);
        writer.key("same");
        writer.u64(self.same);
        if let Some(shadow) = &self.shadow {
            writer.key("shadow");
            shadow.write(&mut writer);
        }
        writer.key("v");
        writer.u64(REPORT_VERSION);
        writer.end_object();
        out
    }
}

impl Named {
    fn of(entry: &Entry) -> Self {
        Self {
            seq: entry.seq,
            id: entry.id.clone(),
        }
    }
}

impl Unreplayable {
    pub(super) fn note(&mut self, entry: &Entry) {
        self.count = self.count.saturating_add(1);
        if self.listed.len() < ENTRIES_LISTED_MAX {
            self.listed.push(Named::of(entry));
        }
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.begin_object();
        writer.key("count");
        writer.u64(self.count);
        writer.key("listed");
        writer.begin_array();
        for entry in &self.listed {
            writer.begin_object();
            writer.key("id");
            writer.string(entry.id.as_str());
            writer.key("seq");
            writer.u64(entry.seq.get());
            writer.end_object();
        }
        writer.end_array();
        writer.end_object();
    }
}

impl Moved {
    fn of(transfers: &[Transfer]) -> Self {
        let mut moved = Self::default();
        for transfer in transfers {
            moved.add(transfer.money.currency, transfer.money.amount);
        }
        moved
    }

    fn add(&mut self, currency: Currency, amount: Amount) {
        let sum = self.0.entry(currency).or_insert(Amount::ZERO);
        *sum = sum
            .checked_add(amount)
            .unwrap_or(Amount::from_minor(i128::MAX));
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.begin_array();
        for (currency, amount) in &self.0 {
            writer.begin_object();
            writer.key("amount");
            writer.amount(&amount.of(*currency));
            writer.key("currency");
            writer.string(currency.code());
            writer.end_object();
        }
        writer.end_array();
    }
}

impl Tally {
    fn add(&mut self, money: &Moved) {
        self.count = self.count.saturating_add(1);
        for (currency, amount) in &money.0 {
            self.money.add(*currency, *amount);
        }
    }

    fn write_members(&self, writer: &mut Writer<'_>) {
        writer.key("count");
        writer.u64(self.count);
        writer.key("money");
        self.money.write(writer);
    }
}

impl Shadowed {
    pub(super) fn begin(packs: impl Iterator<Item = PolicyNamed>) -> Self {
        let mut packs: Vec<PolicyNamed> = packs.collect();
        packs.sort();
        Self {
            packs,
            lists: Vec::new(),
            verdicts: BTreeMap::new(),
            rules: BTreeMap::new(),
            changed: 0,
            changes: Vec::new(),
        }
    }

    pub(super) fn compare(
        &mut self,
        entry: &Entry,
        sealed: &Decision,
        shadow: &Decision,
        transfers: &[Transfer],
    ) {
        let (before, after) = (sealed.verdict, shadow.verdict);
        let money = Moved::of(transfers);
        self.verdicts
            .entry((before, after))
            .or_default()
            .add(&money);
        if before == after {
            return;
        }
        self.changed = self.changed.saturating_add(1);
        // A verdict is the strictest of its reasons, so it is the stricter one that has something to say.
        let (stricter, speaks) = if after > before {
            (shadow, Speaks::Now)
        } else {
            (sealed, Speaks::NoLonger)
        };
        let deciding = |reason: &&Reason| reason.rule.decision == stricter.verdict;
        let mut rules = Vec::new();
        for reason in stricter.reasons.iter().filter(deciding) {
            let (pack, rule) = (reason.rule.pack.to_string(), reason.rule.rule.to_string());
            let name = format!("{pack}#{rule}");
            if rules.contains(&name) {
                continue;
            }
            rules.push(name);
            let change = RuleChange {
                pack,
                rule,
                speaks,
                before,
                after,
            };
            self.rules.entry(change).or_default().add(&money);
        }
        if self.changes.len() < ENTRIES_LISTED_MAX {
            self.changes.push(Change {
                entry: Named::of(entry),
                before,
                after,
                rules,
                money,
            });
        }
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.begin_object();
        writer.key("changed");
        writer.u64(self.changed);
        writer.key("changes");
        writer.begin_array();
        for change in &self.changes {
            change.write(writer);
        }
        writer.end_array();
        writer.key("lists");
        write_named(&self.lists, writer);
        writer.key("packs");
        write_named(&self.packs, writer);
        writer.key("rules");
        writer.begin_array();
        for (change, tally) in &self.rules {
            writer.begin_object();
            writer.key("after");
            writer.string(change.after.as_str());
            writer.key("before");
            writer.string(change.before.as_str());
            tally.write_members(writer);
            writer.key("pack");
            writer.string(&change.pack);
            writer.key("rule");
            writer.string(&change.rule);
            writer.key("speaks");
            writer.bool(change.speaks == Speaks::Now);
            writer.end_object();
        }
        writer.end_array();
        writer.key("verdicts");
        writer.begin_array();
        for ((before, after), tally) in &self.verdicts {
            writer.begin_object();
            writer.key("after");
            writer.string(after.as_str());
            writer.key("before");
            writer.string(before.as_str());
            tally.write_members(writer);
            writer.end_object();
        }
        writer.end_array();
        writer.end_object();
    }
}

impl Change {
    fn write(&self, writer: &mut Writer<'_>) {
        writer.begin_object();
        writer.key("after");
        writer.string(self.after.as_str());
        writer.key("before");
        writer.string(self.before.as_str());
        writer.key("id");
        writer.string(self.entry.id.as_str());
        writer.key("money");
        self.money.write(writer);
        writer.key("rules");
        writer.begin_array();
        for rule in &self.rules {
            writer.string(rule);
        }
        writer.end_array();
        writer.key("seq");
        writer.u64(self.entry.seq.get());
        writer.end_object();
    }
}

/// What of a sealed entry came out different, for people.
pub(super) fn differing(sealed: &Entry, again: &Entry) -> String {
    let (Some(before), Some(after)) = (sealed.body.decision(), again.body.decision()) else {
        return "action".to_owned();
    };
    if before.policy != after.policy {
        return format!(
            "policy: {} was sealed, {} is replayed",
            before.policy, after.policy
        );
    }
    if before.verdict != after.verdict {
        return format!(
            "verdict: {} was sealed, {} is replayed",
            before.verdict, after.verdict
        );
    }
    let rules = |decision: &Decision| -> Vec<String> {
        let spoke = decision.reasons.iter();
        let spoke = spoke.map(|reason| format!("{}#{}", reason.rule.pack, reason.rule.rule));
        decision
            .allowed
            .iter()
            .map(ToString::to_string)
            .chain(spoke)
            .collect()
    };
    let (spoke, speak) = (rules(before), rules(after));
    if spoke != speak {
        return format!(
            "rules: {} were sealed, {} are replayed",
            spoke.join(", "),
            speak.join(", ")
        );
    }
    // Facts may be details of people, so they are not told.
    for (was, is) in before.reasons.iter().zip(&after.reasons) {
        if was != is {
            return format!(
                "facts or words of the rule {}#{}",
                was.rule.pack, was.rule.rule
            );
        }
    }
    if before.fuel != after.fuel {
        return format!(
            "fuel: {} was sealed, {} is replayed",
            before.fuel, after.fuel
        );
    }
    if before.approvals != after.approvals {
        return format!(
            "approvals: {} were sealed, {} are replayed",
            before.approvals, after.approvals
        );
    }
    "postings, windows or what the entry is called".to_owned()
}
