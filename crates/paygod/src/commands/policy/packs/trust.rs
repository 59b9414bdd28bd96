//! `pack trust`: what a book asks of packs.

use super::sign;
use crate::book;
use crate::cli::{Global, PackTrusted};
use crate::commands::{ask, requests};
use crate::fault::{Answer, Fault, Outcome};
use crate::output::{Console, Tone};
use paygod_core::Command;
use paygod_core::pack_trust::{Level, PackTrust, Publisher};
use paygod_service::ledger::LedgerReader;
use paygod_types::{Digest, code};
use serde_json::{Value, json};
use std::path::Path;

/// Shows it, or seals another.
pub(super) fn run(options: &PackTrusted, global: &Global, console: &mut Console) -> Outcome {
    let Some(level) = &options.level else {
        return book::read(global, |reader| show(reader, console));
    };
    let mut publishers = Vec::with_capacity(options.publisher.len());
    for text in &options.publisher {
        let (level, path) = ask::pair("publisher", text)?;
        publishers.push(Publisher {
            key: sign::publisher(Path::new(path))?,
            level: self::level(level)?,
        });
    }
    publishers.sort_by(|a, b| a.key.cmp(&b.key));
    let trust = PackTrust {
        approved: options.approved,
        level: self::level(level)?,
        publishers,
    };
    book::with(global, |ledger| {
        // What is in force already is not sealed again; what was in force before can be.
        let size = ledger.read().size();
        let about = [
            Digest::sha256(format!("{trust:?}").as_bytes()).to_string(),
            size.to_string(),
        ];
        let about: Vec<&str> = about.iter().map(String::as_str).collect();
        let request = ask::request(&options.asked, &about, Command::PackTrust(trust))?;
        requests::seal(ledger, request, console)
    })
}

fn level(word: &str) -> Result<Level, Fault> {
    Level::parse(word).ok_or_else(|| {
        let message = format!("`{word}` is no level");
        Fault::new(code::CLI_ARGUMENT, message).remedy("write community, verified or certified")
    })
}

fn show(reader: &LedgerReader, console: &mut Console) -> Outcome {
    let trust = reader.look(|state| state.packs().trust.clone())?;
    let publishers = trust.publishers.iter();
    let publishers: Vec<Value> = publishers
        .map(|one| json!({"key": *one.key, "level": one.level.as_str()}))
        .collect();
    console.value(&json!({
        "level": trust.level.as_str(),
        "approved": trust.approved,
        "publishers": publishers,
    }))?;
    console.line(format_args!(
        "Packs of the level {} and above may be active{}.",
        Tone::Strong.paint(trust.level.as_str()),
        if trust.approved {
            ", once they were approved"
        } else {
            ""
        }
    ))?;
    for publisher in &trust.publishers {
        console.line(format_args!(
            "  {:<9} by {}",
            publisher.level.as_str(),
            publisher.key
        ))?;
    }
    Ok(Answer::Yes)
}
