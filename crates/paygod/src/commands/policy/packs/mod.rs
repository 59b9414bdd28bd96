//! `pack`: write, check, lint, test, explain, compare, build, sign, activate, replay.

mod activate;
mod build;
mod check;
mod diff;
mod explain;
mod find;
mod history;
mod junit;
mod lint;
mod list;
mod new;
mod replay;
mod sign;
mod stage;
mod test;
mod trust;

pub(crate) use explain::tone;
pub(crate) use find::{lists, open};

use crate::cli::{Global, PackCommand};
use crate::fault::Outcome;
use crate::output::Console;
use paygod_policy::Named;
use serde_json::{Value, json};

/// Runs the command.
pub(crate) fn run(command: &PackCommand, global: &Global, console: &mut Console) -> Outcome {
    match command {
        PackCommand::List => list::run(global, console),
        PackCommand::New(options) => new::run(options, console),
        PackCommand::Check(options) => check::run(options, console),
        PackCommand::Lint(options) => lint::run(options, console),
        PackCommand::Test(options) => test::run(options, console),
        PackCommand::Explain(options) => explain::run(options, console),
        PackCommand::Diff(options) => diff::run(options, console),
        PackCommand::Build(options) => build::run(options, console),
        PackCommand::Key(options) => sign::key(options, console),
        PackCommand::Sign(options) => sign::run(options, console),
        PackCommand::Verify(options) => sign::verify(options, console),
        PackCommand::Trust(options) => trust::run(options, global, console),
        PackCommand::Stage(options) => stage::run(options, global, console),
        PackCommand::Activate(options) => activate::run(options, global, console),
        PackCommand::Retire(options) => stage::retire(options, global, console),
        PackCommand::History(options) => history::run(options, global, console),
        PackCommand::Replay(options) => replay::run(options, global, console),
    }
}

/// The start of a digest, which is enough for people to compare; programs get all of it.
pub(super) fn short(named: &Named) -> String {
    let digest: String = named
        .digest
        .to_string()
        .chars()
        .take(DIGEST_SHOWN)
        .collect();
    format!("{digest}…")
}

/// Digits of a digest that people are shown.
const DIGEST_SHOWN: usize = 16;

pub(super) fn named_value(named: &Named) -> Value {
    json!({
        "name": named.name.as_str(),
        "version": named.version,
        "digest": named.digest.to_string(),
    })
}
