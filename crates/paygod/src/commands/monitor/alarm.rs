//! The alarm: a small JSON document, posted when a visit does not hold or could not be made.
//!
//! The address authorises whoever has it, so it stands in a file, and in no argument and no message.

use super::web;
use crate::fault::Fault;
use crate::files;
use paygod_types::code;
use paygod_verify::Report;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use zeroize::Zeroizing;

/// Longest file of an address, in bytes.
const ADDRESS_BYTES_MAX: usize = 4_096;

/// One attempt, from beginning to end.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);

/// Longest sentence told, in characters: what an export says of itself is repeated in it.
const TEXT_CHARS_MAX: usize = 500;

/// Where alarms go.
pub(super) struct Webhook(Zeroizing<String>);

/// What came of a visit.
pub(super) type Visited = Result<Report, Fault>;

impl Webhook {
    /// Reads the address from a file of one line.
    pub(super) fn read(path: &Path) -> Result<Self, Fault> {
        let refuse = |why: &str| {
            let message = format!("no alarm can be sent: `{}`: {why}", path.display());
            Fault::new(code::MONITOR_WEBHOOK, message)
                .remedy("put one line into the file: the https address that alarms go to")
        };
        let bytes = files::read(path, ADDRESS_BYTES_MAX);
        let bytes = Zeroizing::new(bytes.map_err(|_| refuse("it cannot be read"))?);
        let text = std::str::from_utf8(&bytes).map_err(|_| refuse("it is no text"))?;
        web::may_ask(text.trim()).map_err(refuse)?;
        Ok(Self(Zeroizing::new(text.trim().to_owned())))
    }

    /// Posts the alarm, unless everything held.
    pub(super) fn tell(&self, export: &str, origin: &str, visited: &Visited) -> Result<(), Fault> {
        let Some(alarm) = alarm(export, origin, visited) else {
            return Ok(());
        };
        let agent = web::agent(ATTEMPT_TIMEOUT);
        let mut why = String::new();
        let mut wait = web::ATTEMPT_WAIT;
        for attempt in 1..=web::ATTEMPTS_MAX {
            let sent = agent
                .post(self.0.as_str())
                .header("content-type", "application/json")
                .send(alarm.to_string().as_bytes());
            match sent.map(|answer| answer.status().as_u16()) {
                Ok(200..=299) => return Ok(()),
                Ok(status) => {
                    why = format!("it answered {status}");
                    if !web::may_pass(status) {
                        break;
                    }
                }
                Err(error) => why = web::why(&error),
            }
            if attempt < web::ATTEMPTS_MAX {
                std::thread::sleep(wait);
                wait = wait.saturating_mul(2);
            }
        }
        let message = format!("the alarm did not reach its webhook: {why}");
        Err(Fault::new(code::MONITOR_WEBHOOK, message))
    }
}

/// What is posted (`contracts/schemas/monitor-alarm.v1.json`): nothing if everything held.
fn alarm(export: &str, origin: &str, visited: &Visited) -> Option<Value> {
    let (outcome, code, text, failures, exit) = match visited {
        Ok(report) if report.is_valid() => return None,
        Ok(report) => {
            let count = u64::try_from(report.failures.len()).unwrap_or(u64::MAX);
            let first = report.failures.first()?;
            let text = format!(
                "{}: {}: expected {}, found {}",
                first.place,
                first.check.code().title(),
                first.expected,
                first.found
            );
            let code = first.check.code();
            let count = count.saturating_add(report.failures_omitted);
            ("not-valid", code, text, count, 1)
        }
        Err(fault) => {
            let (code, text) = (fault.code(), fault.message().to_owned());
            ("not-checked", code, text, 0, code.exit_code())
        }
    };
    // An export may have line ends in what it says of itself.
    let text = text.chars().take(TEXT_CHARS_MAX);
    let text: String = text
        .map(|char| if char.is_control() { ' ' } else { char })
        .collect();
    let size = visited.as_ref().ok().and_then(|report| report.head);
    Some(json!({
        "kind": "monitor-alarm",
        "v": 1,
        "outcome": outcome,
        "exit": exit,
        "code": code.as_str(),
        "text": format!("paygod monitor: `{origin}` at {export}: {outcome}: {text} [{code}]"),
        "origin": origin,
        "export": export,
        "entries": size.map(|head| head.size),
        "failures": failures,
        "time": paygod_anchor::witness::http::now(),
    }))
}
