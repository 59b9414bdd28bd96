//! What the demo works on, built into the binary: an installed command has no examples beside it.

use crate::fault::Fault;
use paygod_policy::{List, Pack};
use paygod_service::ingest::ofac;
use paygod_service::ingest::route::AccountMap;
use paygod_types::Name;
use std::collections::BTreeMap;

/// A month end: payroll, suppliers in CHF and in EUR.
pub(super) const PAYMENT_FILE: &str =
    include_str!("../../../../examples/payments/payroll-and-suppliers.pain.001.001.09.xml");
/// Its name in the examples.
pub(super) const PAYMENT_FILE_NAME: &str = "payroll-and-suppliers.pain.001.001.09.xml";
/// Which account of the book stands for which IBAN.
const ACCOUNTS: &str = include_str!("../../../../examples/payments/accounts.txt");
/// The US Treasury's list as published.
const SDN: &[u8] = include_bytes!("../../../../examples/lists/ofac/sdn.csv");
/// The other names of those on it.
const ALT: &[u8] = include_bytes!("../../../../examples/lists/ofac/alt.csv");
/// The edition that the examples carry.
const LIST_VERSION: &str = "sample";
/// The name that the sanctions pack reads the list by.
const LIST_NAME: &str = "ofac-sdn";

/// The files of a starter pack: all of them, since a pack's digest covers all of them.
macro_rules! starter_pack {
    ($name:literal) => {
        &[
            (
                "README.md",
                include_str!(concat!("../../../../packs/core/", $name, "/README.md")),
            ),
            (
                "pack.yaml",
                include_str!(concat!("../../../../packs/core/", $name, "/pack.yaml")),
            ),
            (
                "tests/cases.yaml",
                include_str!(concat!(
                    "../../../../packs/core/",
                    $name,
                    "/tests/cases.yaml"
                )),
            ),
        ]
    };
}

/// A file by its path within its folder.
type File = (&'static str, &'static str);

const PACKS: &[&[File]] = &[
    starter_pack!("duplicate-payment"),
    starter_pack!("payment-limits"),
    starter_pack!("sanctions-screening"),
];

/// The starter packs, loaded and checked.
pub(super) fn packs() -> Result<Vec<Pack>, Fault> {
    let load = |files: &&[File]| {
        let files = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        Ok(Pack::from_files(&files.collect::<BTreeMap<_, _>>())?)
    };
    PACKS.iter().map(load).collect()
}

/// The sanctions list.
pub(super) fn sanctions() -> Result<List, Fault> {
    Ok(ofac::read(SDN, Some(ALT))?.to_list(Name::parse(LIST_NAME)?, LIST_VERSION)?)
}

/// The table of accounts.
pub(super) fn accounts() -> Result<AccountMap, Fault> {
    Ok(AccountMap::parse(ACCOUNTS)?)
}
