//! `pack stage`, `pack retire`: steps in the life of a pack.

use super::find;
use crate::book;
use crate::cli::{Global, PackRetire, PackStaged as Options};
use crate::commands::{ask, requests};
use crate::fault::{Fault, Outcome};
use crate::output::Console;
use paygod_core::Command;
use paygod_core::command::Activation;
use paygod_core::pack_trust::{PackStage, PackStaged};
use paygod_types::code;

/// Seals a step of a review.
pub(super) fn run(options: &Options, global: &Global, console: &mut Console) -> Outcome {
    let stage = PackStage::parse(&options.stage).ok_or_else(|| {
        let message = format!("`{}` is no stage", options.stage);
        Fault::new(code::CLI_ARGUMENT, message)
            .remedy("write draft, reviewed, approved or published")
    })?;
    let pack = find::open(&options.pack)?.named().clone();
    let about = [stage.as_str().to_owned(), pack.digest.to_string()];
    let about: Vec<&str> = about.iter().map(String::as_str).collect();
    let command = Command::PackStage(PackStaged { pack, stage });
    let request = ask::request(&options.asked, &about, command)?;
    book::with(global, |ledger| requests::seal(ledger, request, console))
}

/// Seals an activation without the pack.
pub(super) fn retire(options: &PackRetire, global: &Global, console: &mut Console) -> Outcome {
    book::with(global, |ledger| {
        let policy = ledger.read().status()?.policy;
        let mut set = policy.set;
        let before = set.packs.len();
        set.packs.retain(|pack| pack.name.as_str() != options.name);
        if set.packs.len() == before {
            let message = format!("the pack `{}` is not active", options.name);
            return Err(Fault::new(code::CLI_ARGUMENT, message)
                .remedy("see `paygod pack list` for those that are"));
        }
        let since = policy.since.map_or(0, |seq| seq.get()).to_string();
        let signatures = ledger.read().signatures(&set, &[])?;
        let command = Command::PolicyActivate(Activation { set, signatures });
        let request = ask::request(&options.asked, &["retire", &options.name, &since], command)?;
        requests::seal(ledger, request, console)
    })
}
