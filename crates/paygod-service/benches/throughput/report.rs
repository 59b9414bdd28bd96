//! The table, and the same as JSON.

use crate::bare::Limit;
use crate::load::{Done, Reopened};
use crate::memory::disk_bytes;
use crate::options::Options;
use crate::postgres::Rival;
use crate::stalls::Stalls;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// Everything measured, in the order of measuring.
pub(crate) struct Report {
    json: bool,
    rows: Vec<Value>,
    throughput: Vec<Run>,
    reopened: Vec<(u64, Reopened)>,
}

/// A throughput run.
struct Run {
    from: String,
    per_s: f64,
    ratios: Ratios,
}

/// A run beside a bare append.
struct Ratios {
    to_plain: f64,
    to_cached: f64,
    to_entries: f64,
}

impl Report {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            json: options.json,
            rows: Vec::new(),
            throughput: Vec::new(),
            reopened: Vec::new(),
        }
    }

    fn row(&mut self, value: Value) {
        if !self.json {
            println!("{}", line(&value));
        }
        self.rows.push(value);
    }

    pub(crate) fn rival(&mut self, rival: Rival) {
        self.row(match rival {
            Rival::Ran { version, transfers_per_s, chain_holds } => json!({
                "measure": "postgresql", "version": version, "transfers_per_s": transfers_per_s.round(),
                "hash_chain_holds": chain_holds, "clients": 32,
            }),
            Rival::Absent { how_to_install } => json!({
                "measure": "postgresql", "skipped": "not installed", "install": how_to_install,
            }),
            Rival::Failed { reason } => json!({ "measure": "postgresql", "failed": reason }),
        });
    }

    pub(crate) fn throughput(&mut self, name: &str, done: &Done, limit: &Limit, book: &Path) {
        let ratios = Ratios {
            to_plain: done.per_s / limit.plain_per_s,
            to_cached: done.per_s / limit.cached_per_s,
            to_entries: done.per_s / limit.entries_per_s,
        };
        let kinds = disk_bytes(book).unwrap_or_default();
        let per_transfer = |bytes: u64| bytes / done.transfers.max(1);
        let disk: serde_json::Map<String, Value> = kinds
            .iter()
            .filter(|(_, bytes)| per_transfer(*bytes) > 0)
            .map(|(kind, bytes)| (kind.clone(), json!(per_transfer(*bytes))))
            .collect();
        let without_vault: u64 = kinds
            .iter()
            .filter(|(kind, _)| kind != "vault")
            .map(|(_, bytes)| bytes)
            .sum();
        self.row(json!({
            "measure": "throughput", "from": name, "transfers": done.transfers,
            "transfers_per_s": done.per_s.round(),
            "plain_append_per_s": limit.plain_per_s.round(), "ratio_to_plain": thousandths(ratios.to_plain),
            "cached_append_per_s": limit.cached_per_s.round(), "ratio_to_cached": thousandths(ratios.to_cached),
            "cached_append_of_entries_alone_per_s": limit.entries_per_s.round(),
            "ratio_to_cached_of_entries_alone": thousandths(ratios.to_entries), "bare_group": limit.group,
            "flush_us_p50": limit.flush_p50_us, "flush_us_p99": limit.flush_p99_us,
            "entries_per_group": done.entries_per_group.round(),
            "submission_ms_p50": millis(done, 0.5), "submission_ms_p99": millis(done, 0.99),
            "checkpoint_lag_ms_worst": done.checkpoint_lag_ms,
            "rss_mb": megabytes(done.resident.now_kib), "rss_peak_mb": megabytes(done.resident.peak_kib),
            "processor_ns": done.processor_ns, "processor_ns_all": done.processor_ns_all(),
            "not_allowed": done.refused, "disk_bytes_a_transfer": per_transfer(without_vault), "disk_by_kind": disk,
        }));
        self.throughput.push(Run {
            from: name.to_owned(),
            per_s: done.per_s,
            ratios,
        });
    }

    pub(crate) fn signing(&mut self, latency: Duration, done: &Done) {
        let publishing = done
            .processor_ns
            .get("paygod-publish")
            .copied()
            .unwrap_or(0);
        self.row(json!({
            "measure": "signing", "signature_ms": latency.as_millis(), "transfers": done.transfers,
            "transfers_per_s": done.per_s.round(), "publishing_ns": publishing,
            "processor_ns_all": done.processor_ns_all(),
            "checkpoint_lag_ms_worst": done.checkpoint_lag_ms,
        }));
    }

    pub(crate) fn windows(&mut self, before: u64, done: &Done) {
        self.row(json!({
            "measure": "windows", "paid_before": before, "transfers": done.transfers,
            "transfers_per_s": done.per_s.round(), "processor_ns_all": done.processor_ns_all(),
            "submission_ms_p99": millis(done, 0.99), "not_allowed": done.refused,
        }));
    }

    pub(crate) fn latency(&mut self, done: &Done, machine: Stalls) {
        self.row(json!({
            "measure": "latency", "transfers_per_s": done.per_s.round(), "transfers": done.transfers,
            "ms_p50": millis(done, 0.5), "ms_p99": millis(done, 0.99), "ms_p999": millis(done, 0.999),
            "ms_max": millis(done, 1.0), "entries_per_group": done.entries_per_group.round(),
            "checkpoint_lag_ms_worst": done.checkpoint_lag_ms, "not_allowed": done.refused,
            "machine_gap_ms_max": machine.longest.as_micros() as f64 / 1000.0,
            "machine_lost_per_mille": machine.per_mille.round(),
        }));
    }

    pub(crate) fn reopened(&mut self, size: u64, reopened: Reopened) {
        self.row(json!({
            "measure": "reopened", "transfers": size, "entries": reopened.entries, "open_ms": reopened.open_ms,
            "rss_after_open_mb": megabytes(reopened.opened_kib),
            "rss_peak_serving_mb": megabytes(reopened.served_peak_kib),
            "served_per_s": reopened.served_per_s.round(), "processor_ns_all": reopened.processor_ns,
        }));
        self.reopened.push((size, reopened));
    }

    /// The same run at each size: what it cost in the middle of its rounds.
    pub(crate) fn sizes(&mut self, sizes: &[u64]) {
        for size in sizes {
            let rounds = || self.reopened.iter().filter(|(other, _)| other == size);
            let per_s = middle(rounds().map(|(_, round)| round.served_per_s));
            let processor = middle(rounds().map(|(_, round)| round.processor_ns));
            let (Some(per_s), Some(processor)) = (per_s, processor) else {
                continue;
            };
            let row = json!({
                "measure": "cost", "transfers": size, "rounds": rounds().count(),
                "served_per_s": per_s.round(), "processor_ns_all": processor.round(),
            });
            self.row(row);
        }
    }

    pub(crate) fn print(mut self) {
        for name in ["typed", "json"] {
            let runs = || self.throughput.iter().filter(|run| run.from == name);
            let of = |figure: fn(&Run) -> f64| middle(runs().map(figure));
            let Some(per_s) = of(|run| run.per_s) else {
                continue;
            };
            let ratio = |figure| of(figure).map(thousandths);
            let row = json!({
                "measure": "median", "from": name, "runs": runs().count(), "transfers_per_s": per_s.round(),
                "ratio_to_plain": ratio(|run| run.ratios.to_plain),
                "ratio_to_cached": ratio(|run| run.ratios.to_cached),
                "ratio_to_cached_of_entries_alone": ratio(|run| run.ratios.to_entries),
            });
            self.row(row);
        }
        if self.json {
            println!("{}", Value::Array(self.rows));
        }
    }
}

/// The one in the middle.
fn middle(figures: impl Iterator<Item = f64>) -> Option<f64> {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}

fn thousandths(ratio: f64) -> f64 {
    (ratio * 1000.0).round() / 1000.0
}

/// Millions of bytes.
const fn megabytes(kib: u64) -> u64 {
    kib * 1024 / 1_000_000
}

fn millis(done: &Done, quantile: f64) -> f64 {
    done.latency_us.value_at_quantile(quantile) as f64 / 1000.0
}

/// One measure as one line of text: its name, then each figure with its unit in its own name.
fn line(value: &Value) -> String {
    let Some(fields) = value.as_object() else {
        return value.to_string();
    };
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let name = fields.get("measure").map(text).unwrap_or_default();
    let figures: Vec<String> = fields
        .iter()
        .filter(|(key, _)| *key != "measure")
        .map(|(key, value)| format!("{key} {}", text(value)))
        .collect();
    format!("{name:<11} {}", figures.join("  "))
}
