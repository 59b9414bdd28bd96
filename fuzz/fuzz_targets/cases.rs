//! Any text as the cases of a sound pack: they load and run, or are refused, without a panic.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use paygod_fuzz::{MANIFEST_HEAD, MIB, bounded};
use paygod_policy::Pack;

/// What follows `MANIFEST_HEAD`.
const RULES: &str = "  policy:
    rules:
      - { name: a, decision: allow, reason: small, condition: 'velocity([payment.debit], duration(\"1h\")).count < 3' }
      - { name: d, decision: deny, reason: listed, condition: 'payment.credit in list(\"l\")' }
";

fuzz_target!(|bytes: &[u8]| {
    let Ok(cases) = std::str::from_utf8(bytes) else { return };
    bounded(64 * MIB, || {
        let files = BTreeMap::from([
            ("pack.yaml".to_owned(), format!("{MANIFEST_HEAD}{RULES}")),
            ("tests/cases.yaml".to_owned(), cases.to_owned()),
        ]);
        let Ok(pack) = Pack::from_files(&files) else { return };
        let report = pack.run_cases(&[]);
        let covered = report.branches_covered();
        assert!(covered.covered <= covered.of);
        let _ = pack.lint();
    });
});
