//! What a drill prints: a table for people, one document for programs.

use super::attack::{Attack, Expected, Finding, Halt, Window};
use crate::fault::Fault;
use crate::output::{Console, Tone};
use crate::table::{Align, Cell, Table};
use paygod_types::code;
use serde_json::{Value, json};

/// What became of one attack.
pub(super) struct Outcome {
    /// Which part of the book was attacked.
    pub(super) target: &'static str,
    /// The attack.
    pub(super) attack: Attack,
    /// What became of it; nothing when this book has nothing of the kind.
    pub(super) finding: Result<Finding, &'static str>,
}

/// How all of it went.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) caught: usize,
    pub(super) harmless: usize,
    pub(super) open: usize,
    pub(super) skipped: usize,
    pub(super) unexpected: usize,
}

impl Outcome {
    pub(super) fn new(
        target: &'static str,
        attack: Attack,
        acted: Result<Finding, Halt>,
    ) -> Result<Self, Fault> {
        let finding = match acted {
            Ok(finding) => Ok(finding),
            Err(Halt::NotHere(what)) => Err(what),
            // A key that was rotated out and destroyed cannot be stolen any more.
            Err(Halt::Failed(fault)) if fault.code() == code::LEDGER_KEY_FILE => {
                Err("a key that the thief would need is gone")
            }
            Err(Halt::Failed(fault)) => {
                return Err(fault.while_doing(&format!("attack `{}`", attack.name)));
            }
        };
        Ok(Self {
            target,
            attack,
            finding,
        })
    }

    /// Whether it went as it must, or could not be tried.
    pub(super) fn is_expected(&self) -> bool {
        self.finding
            .as_ref()
            .map_or(true, |finding| self.attack.expected.is_met(finding))
    }

    const fn word(&self) -> &'static str {
        match &self.finding {
            Err(_) => "skipped",
            Ok(Finding::Caught(_)) => "caught",
            Ok(Finding::Unharmed) => "harmless",
            Ok(Finding::Unnoticed(_)) => "not caught",
        }
    }

    fn tone(&self) -> Tone {
        match &self.finding {
            _ if !self.is_expected() => Tone::Bad,
            Err(_) => Tone::Faint,
            Ok(Finding::Caught(_) | Finding::Unharmed) => Tone::Good,
            Ok(Finding::Unnoticed(_)) => Tone::Warn,
        }
    }

    fn row(&self) -> [Cell; 4] {
        let (check, place) = match &self.finding {
            Ok(Finding::Caught(catch)) => (catch.check, catch.place.as_str()),
            Ok(Finding::Unharmed | Finding::Unnoticed(_)) => ("", ""),
            Err(what) => ("", *what),
        };
        [
            Cell::from(self.attack.name),
            Cell::toned(self.word(), self.tone()),
            Cell::from(check),
            Cell::from(place),
        ]
    }

    /// What the insider did, and who was there to notice.
    fn story(&self) -> String {
        let Attack {
            story,
            kept,
            expected,
            ..
        } = self.attack;
        match expected {
            Expected::Harmless(why) if matches!(self.finding, Ok(Finding::Unharmed)) => {
                format!("{story} · {why}")
            }
            Expected::Harmless(_) | Expected::Caught | Expected::Open { .. } => {
                format!("{story} · kept: {}", kept.as_str())
            }
        }
    }

    fn value(&self) -> Value {
        let mut value = json!({
            "attack": self.attack.name,
            "target": self.target,
            "story": self.attack.story,
            "kept": self.attack.kept.as_str(),
            "outcome": self.word(),
            "expected": self.is_expected(),
        });
        let mut add = |key: &str, of: Value| {
            if let Value::Object(value) = &mut value {
                value.insert(key.to_owned(), of);
            }
        };
        match &self.finding {
            Ok(Finding::Caught(catch)) => {
                add("check", catch.check.into());
                add("at", catch.place.as_str().into());
                add("detail", catch.detail.as_str().into());
            }
            Ok(Finding::Unnoticed(Some(window))) => {
                add(
                    "exposed",
                    json!({"entries": window.entries, "seconds": window.seconds()}),
                );
            }
            Ok(_) => {}
            Err(what) => add("reason", (*what).into()),
        }
        match self.attack.expected {
            Expected::Caught => {}
            Expected::Harmless(why) => add("why", why.into()),
            Expected::Open { why, needs } => {
                add("why", why.into());
                add("needs", needs.into());
            }
        }
        value
    }
}

impl Window {
    const fn seconds(self) -> u64 {
        self.nanos / 1_000_000_000
    }

    fn told(self) -> String {
        let minutes = self.seconds() / 60;
        format!("exposed: {} entries, {minutes} min", self.entries)
    }
}

/// Counts.
pub(super) fn totals(outcomes: &[Outcome]) -> Totals {
    let mut totals = Totals::default();
    for outcome in outcomes {
        let count = match &outcome.finding {
            Err(_) => &mut totals.skipped,
            Ok(Finding::Caught(_)) => &mut totals.caught,
            Ok(Finding::Unharmed) => &mut totals.harmless,
            Ok(Finding::Unnoticed(_)) => &mut totals.open,
        };
        *count = count.saturating_add(1);
        if !outcome.is_expected() {
            totals.unexpected = totals.unexpected.saturating_add(1);
        }
    }
    totals
}

/// Prints all of it.
pub(super) fn print(
    outcomes: &[Outcome],
    entries: usize,
    console: &mut Console,
) -> Result<(), Fault> {
    let totals = totals(outcomes);
    console.value(&json!({
        "entries": entries,
        "attacks": outcomes.iter().map(Outcome::value).collect::<Vec<_>>(),
        "caught": totals.caught,
        "harmless": totals.harmless,
        "not_caught": totals.open,
        "skipped": totals.skipped,
        "unexpected": totals.unexpected,
    }))?;
    print_table(outcomes, console)?;
    print_open(outcomes, console)?;
    console.line("")?;
    console.line(summary(totals, entries))
}

/// One line an attack, and below it what the insider did and what was kept of the time before.
fn print_table(outcomes: &[Outcome], console: &mut Console) -> Result<(), Fault> {
    let mut table = Table::new(&[
        ("attack", Align::Left),
        ("", Align::Left),
        ("by the check", Align::Left),
        ("at", Align::Left),
    ]);
    for outcome in outcomes {
        table.row(outcome.row());
    }
    // Never wrapped, so that every row is one line.
    let text = table.render(usize::MAX);
    let mut lines = text.lines();
    if let Some(heads) = lines.next() {
        console.line(format_args!("  {heads}"))?;
    }
    let mut target = "";
    for (outcome, line) in outcomes.iter().zip(lines) {
        if outcome.target != target {
            target = outcome.target;
            console.line("")?;
            console.line(Tone::Strong.paint(target))?;
        }
        console.line(format_args!("  {line}"))?;
        console.sentence(6, Tone::Faint, &outcome.story())?;
    }
    Ok(())
}

/// What could not be caught, why not, and what will; what went otherwise than it must.
fn print_open(outcomes: &[Outcome], console: &mut Console) -> Result<(), Fault> {
    for outcome in outcomes {
        let name = outcome.attack.name;
        if !outcome.is_expected() {
            console.line("")?;
            console.line(format_args!(
                "{} {name}: {}",
                Tone::Bad.paint("not as it must be:"),
                outcome.word()
            ))?;
            console.sentence(
                2,
                Tone::Plain,
                &format!("The insider {}.", outcome.attack.story),
            )?;
            continue;
        }
        if let (Expected::Open { why, needs }, Ok(Finding::Unnoticed(window))) =
            (outcome.attack.expected, &outcome.finding)
        {
            console.line("")?;
            console.line(format_args!("{} {name}", Tone::Warn.paint("not caught:")))?;
            console.sentence(
                2,
                Tone::Plain,
                &format!("The insider {}.", outcome.attack.story),
            )?;
            console.sentence(2, Tone::Plain, &format!("Why: {why}."))?;
            console.sentence(2, Tone::Plain, &format!("What will: {needs}."))?;
            if let Some(window) = window {
                console.sentence(2, Tone::Warn, &window.told())?;
            }
        }
    }
    Ok(())
}

fn summary(totals: Totals, entries: usize) -> String {
    let tone = if totals.unexpected == 0 {
        Tone::Good
    } else {
        Tone::Bad
    };
    let tried = totals
        .caught
        .saturating_add(totals.harmless)
        .saturating_add(totals.open);
    tone.paint(format_args!(
        "{tried} attacks on {entries} entries: {} caught, {} harmless, {} that nothing at hand can catch yet{}{}",
        totals.caught,
        totals.harmless,
        totals.open,
        if totals.skipped > 0 { format!(", {} skipped", totals.skipped) } else { String::new() },
        if totals.unexpected > 0 { format!("; {} NOT as it must be", totals.unexpected) } else { String::new() },
    ))
}
