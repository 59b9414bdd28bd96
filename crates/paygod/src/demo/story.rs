//! How the demo is told: numbered steps, short sentences, a bar that says how far it is.

use crate::fault::Fault;
use crate::output::{Console, Tone};
use crate::progress;
use crate::table::Table;
use indicatif::ProgressBar;
use serde_json::{Map, Value};

/// Steps of the demo.
const STEPS: u64 = 10;
/// Text stands this far in, under the step's number.
const INDENT: usize = 4;
/// Text of files stands further in.
const SHOWN_INDENT: usize = 6;

/// Tells the demo to people, and gathers it for programs.
pub(super) struct Story<'c> {
    console: &'c mut Console,
    bar: ProgressBar,
    step: u64,
    told: Map<String, Value>,
}

impl<'c> Story<'c> {
    /// Begins.
    pub(super) fn begin(console: &'c mut Console) -> Self {
        let bar = progress::steps(console, STEPS);
        Self {
            console,
            bar,
            step: 0,
            told: Map::new(),
        }
    }

    /// The next step.
    pub(super) fn step(&mut self, title: &str) -> Result<(), Fault> {
        self.step = self.step.saturating_add(1);
        self.bar.set_position(self.step.saturating_sub(1));
        self.bar.set_message(title.to_owned());
        let heading = Tone::Strong.paint(format_args!("{:>2}  {title}", self.step));
        let console = &mut *self.console;
        self.bar.suspend(|| {
            console.line("")?;
            console.line(heading)
        })
    }

    /// A paragraph.
    pub(super) fn say(&mut self, text: &str) -> Result<(), Fault> {
        self.say_in(Tone::Plain, text)
    }

    /// A paragraph in a tone.
    pub(super) fn say_in(&mut self, tone: Tone, text: &str) -> Result<(), Fault> {
        let console = &mut *self.console;
        self.bar.suspend(|| console.sentence(INDENT, tone, text))
    }

    /// Text as it is, such as a file's.
    pub(super) fn show(&mut self, text: &str) -> Result<(), Fault> {
        let console = &mut *self.console;
        let blank = " ".repeat(SHOWN_INDENT);
        self.bar.suspend(|| {
            for line in text.lines() {
                console.line(format_args!("{blank}{}", Tone::Faint.paint(line)))?;
            }
            Ok(())
        })
    }

    /// Columns that [`Story::show`] has.
    pub(super) const fn width(&self) -> usize {
        self.console.width().saturating_sub(SHOWN_INDENT)
    }

    /// A table.
    pub(super) fn table(&mut self, table: &Table) -> Result<(), Fault> {
        let console = &mut *self.console;
        self.bar.suspend(|| console.table(INDENT, table))
    }

    /// Lets another part of the command print.
    pub(super) fn with<T>(
        &mut self,
        print: impl FnOnce(&mut Console) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let console = &mut *self.console;
        self.bar.suspend(|| print(console))
    }

    /// Keeps a value for programs.
    pub(super) fn keep(&mut self, name: &str, value: impl Into<Value>) {
        self.told.insert(name.to_owned(), value.into());
    }

    /// Ends: the bar goes, programs get everything at once.
    pub(super) fn end(self) -> Result<(), Fault> {
        self.bar.finish_and_clear();
        self.console.value(&Value::Object(self.told))
    }
}
