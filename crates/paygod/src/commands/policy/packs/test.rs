//! `pack test`: run the cases, count what they cover.

use super::{find, junit, named_value};
use crate::cli::PackTest;
use crate::fault::{Answer, Fault, Outcome};
use crate::files;
use crate::output::{Console, Tone};
use paygod_policy::{BranchCoverage, CasesReport, Covered, Pack};
use serde_json::{Value, json};

/// A pack and how its cases went.
pub(super) struct Tested {
    pub(super) pack: Pack,
    pub(super) report: CasesReport,
    /// Why the coverage does not do, if it does not.
    pub(super) short_of: Option<String>,
}

impl Tested {
    fn passed(&self) -> bool {
        self.report.passed() && self.short_of.is_none()
    }
}

/// Runs the cases of every pack; a case that fails, or too little covered, is a no.
pub(super) fn run(options: &PackTest, console: &mut Console) -> Outcome {
    let mut tested = Vec::new();
    for path in find::all(&options.packs.packs)? {
        let pack = find::open(&path)?;
        let report = pack.run_cases(&[]);
        let short_of = options
            .min_coverage
            .and_then(|least| short_of(&report, usize::from(least)));
        let one = Tested {
            pack,
            report,
            short_of,
        };
        console.value(&value(&one))?;
        tell(&one, options.uncovered, console)?;
        tested.push(one);
    }
    if let Some(path) = &options.junit {
        files::write(path, &junit::write(&tested)?)?;
    }
    Ok(Answer::of(tested.iter().all(Tested::passed)))
}

fn short_of(report: &CasesReport, least: usize) -> Option<String> {
    let (rules, branches) = (report.rules_covered(), report.branches_covered());
    if rules.percent() >= least && branches.percent() >= least {
        return None;
    }
    Some(format!(
        "{least} % of rules and of branches must be covered; {} % and {} % are. See --uncovered",
        rules.percent(),
        branches.percent()
    ))
}

fn share(covered: Covered) -> String {
    let tone = if covered.covered == covered.of {
        Tone::Good
    } else {
        Tone::Warn
    };
    tone.paint(format_args!("{}/{}", covered.covered, covered.of))
}

fn tell(tested: &Tested, uncovered: bool, console: &mut Console) -> Result<(), Fault> {
    let Tested { pack, report, .. } = tested;
    let named = pack.named();
    let cases = report.cases.iter();
    let passed = cases.filter(|case| case.failure.is_none()).count();
    let tone = if report.passed() {
        Tone::Good
    } else {
        Tone::Bad
    };
    console.line(format_args!(
        "{} {}: {} of {} cases passed, rules {}, branches {}",
        Tone::Strong.paint(&named.name),
        named.version,
        tone.paint(passed),
        report.cases.len(),
        share(report.rules_covered()),
        share(report.branches_covered())
    ))?;
    for case in &report.cases {
        let Some(failure) = &case.failure else {
            continue;
        };
        console.line(format_args!(
            "  {} {}",
            Tone::Bad.paint("failed"),
            case.name
        ))?;
        if !case.description.is_empty() {
            console.sentence(4, Tone::Faint, &case.description)?;
        }
        for line in failure.lines() {
            let tone = match line.chars().next() {
                Some('+') => Tone::Warn,
                Some('-') => Tone::Bad,
                _ => Tone::Plain,
            };
            console.sentence(4, tone, line)?;
        }
    }
    let silent: Vec<&str> = report
        .coverage
        .iter()
        .filter(|rule| rule.fired == 0)
        .map(|rule| rule.rule.as_str())
        .collect();
    if !silent.is_empty() {
        let told = format!("no case makes these rules speak: {}", silent.join(", "));
        console.sentence(2, Tone::Warn, &told)?;
    }
    if uncovered {
        for branch in &report.branches {
            if let Some(never) = never(branch) {
                console.line(format_args!(
                    "  {} {} in {}: {}",
                    Tone::Warn.paint("never"),
                    Tone::Warn.paint(never),
                    branch.rule,
                    branch.text
                ))?;
            }
        }
    }
    if let Some(short_of) = &tested.short_of {
        console.sentence(2, Tone::Bad, short_of)?;
    }
    Ok(())
}

/// What no case has seen of a branch.
fn never(branch: &BranchCoverage) -> Option<&'static str> {
    match (branch.seen_true, branch.seen_false) {
        (true, true) => None,
        (false, true) => Some("true"),
        (true, false) => Some("false"),
        (false, false) => Some("looked at"),
    }
}

fn value(tested: &Tested) -> Value {
    let Tested { pack, report, .. } = tested;
    let cases: Vec<Value> = report
        .cases
        .iter()
        .map(|case| {
            json!({
                "name": case.name,
                "description": case.description,
                "expected": case.expected.as_str(),
                "found": case.found.as_ref().map(|found| found.verdict.as_str()),
                "failure": case.failure,
            })
        })
        .collect();
    let coverage: serde_json::Map<String, Value> = report
        .coverage
        .iter()
        .map(|rule| (rule.rule.clone(), rule.fired.into()))
        .collect();
    let branches: Vec<Value> = report
        .branches
        .iter()
        .map(|branch| {
            json!({
                "rule": branch.rule,
                "text": branch.text,
                "line": branch.place.0,
                "column": branch.place.1,
                "true": branch.seen_true,
                "false": branch.seen_false,
            })
        })
        .collect();
    let mut value = named_value(pack.named());
    if let Some(object) = value.as_object_mut() {
        object.insert("passed".into(), tested.passed().into());
        object.insert("cases".into(), cases.into());
        object.insert("coverage".into(), coverage.into());
        object.insert("branches".into(), branches.into());
        object.insert(
            "rules_percent".into(),
            report.rules_covered().percent().into(),
        );
        object.insert(
            "branches_percent".into(),
            report.branches_covered().percent().into(),
        );
    }
    value
}
