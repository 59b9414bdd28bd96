//! Any bytes as a file of a run: what is not what was written is told, without a panic.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use paygod_fuzz::{MIB, bounded};
use paygod_policy::{Pack, Run};
use paygod_types::Timestamp;

/// A run as it was made.
static RUN: LazyLock<Run> = LazyLock::new(|| {
    let text = |text: &str| text.to_owned();
    let files = [
        (text("pack.yaml"), text(include_str!("../../packs/core/four-eyes/pack.yaml"))),
        (text("tests/cases.yaml"), text(include_str!("../../packs/core/four-eyes/tests/cases.yaml"))),
    ];
    let pack = Pack::from_files(&files.into()).expect("a sound pack");
    let document = br#"{"amount":"1.00","credit":"a","currency":"EUR","debit":"b"}"#;
    Run::judge(&[pack], &[], document, Timestamp::from_nanos(1)).expect("a sound run")
});

fuzz_target!(|bytes: &[u8]| {
    let Some((which, content)) = bytes.split_first() else { return };
    let mut files = RUN.files.clone();
    let nth = usize::from(*which) % files.len();
    let Some((name, before)) = files.iter_mut().nth(nth) else { return };
    let name = name.clone();
    let same = before == content;
    *before = content.to_vec();
    bounded(64 * MIB, || match Run::check(&files) {
        Ok(_) => assert!(same, "{name} was altered and passed"),
        Err(altered) => assert_eq!(altered.file, name),
    });
});
