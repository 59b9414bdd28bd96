//! Packs and lists: `pack`, `list`.

mod lists;
pub(crate) mod packs;

pub(crate) use lists::run as list;
pub(crate) use packs::run as pack;

use crate::fault::faults_from;

faults_from!(
    paygod_policy::ListError,
    paygod_policy::PackError,
    paygod_policy::PrepareError,
    paygod_service::ingest::ofac::OfacError,
    paygod_service::ledger::PolicyError,
);
