//! The outcome of cases as JUnit XML, which every CI reads: a suite a pack, a case a case.

use super::test::Tested;
use crate::fault::Fault;
use paygod_types::code;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

/// Without times or host names: the same outcome makes the same bytes.
pub(super) fn write(tested: &[Tested]) -> Result<Vec<u8>, Fault> {
    let mut report = Report::new("paygod pack test");
    for one in tested {
        let named = one.pack.named();
        let name = format!("{} {}", named.name, named.version);
        let mut suite = TestSuite::new(name);
        for case in &one.report.cases {
            let status = case
                .failure
                .as_deref()
                .map_or_else(TestCaseStatus::success, failed);
            let mut case = TestCase::new(case.name.as_str(), status);
            case.set_classname(named.name.as_str());
            suite.add_test_case(case);
        }
        if let Some(short_of) = &one.short_of {
            let mut case = TestCase::new("coverage", failed(short_of));
            case.set_classname(named.name.as_str());
            suite.add_test_case(case);
        }
        report.add_test_suite(suite);
    }
    let mut bytes = Vec::new();
    report
        .serialize(&mut bytes)
        .map_err(|error| Fault::of(code::CLI_OUTPUT, &error).while_doing("cannot write JUnit"))?;
    Ok(bytes)
}

fn failed(why: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(why.lines().next().unwrap_or_default());
    status.set_description(why);
    status
}
