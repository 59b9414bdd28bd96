//! What the command prints: answers on standard output, notes and errors on standard error.
//!
//! People get text, coloured on a terminal; programs get JSON with `--json`. `NO_COLOR` and
//! `CLICOLOR` are obeyed. A reader that closes its end early (`paygod entries | head`) is no error.

use crate::cli::{Colour, Global};
use crate::fault::Fault;
use crate::table::{Table, wrap};
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use paygod_types::code;
use serde_json::{Value, json};
use std::fmt::Display;
use std::io::{self, IsTerminal, Stderr, Stdout, Write};

/// What a piece of text means; colours follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// No meaning of its own.
    Plain,
    /// A heading.
    Strong,
    /// Allowed, valid, caught.
    Good,
    /// Needs a look: held for review, flagged.
    Warn,
    /// Denied, invalid, tampered.
    Bad,
    /// Less important.
    Faint,
}

impl Tone {
    /// The style that shows it.
    pub(crate) const fn style(self) -> Style {
        let plain = Style::new();
        match self {
            Self::Plain => plain,
            Self::Strong => plain.bold(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Warn => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Faint => plain.dimmed(),
        }
    }

    /// Text between the style's escape codes.
    pub(crate) fn paint(self, text: impl Display) -> String {
        let style = self.style();
        format!("{style}{text}{style:#}")
    }
}

/// Widest text for people, whatever the terminal.
const WIDTH_MAX: usize = 120;
/// When the output is no terminal.
const WIDTH_DEFAULT: usize = 100;
/// Narrower than this and nothing can be laid out.
const WIDTH_MIN: usize = 40;

/// The two streams of a command and how to write to them.
pub(crate) struct Console {
    json: bool,
    quiet: bool,
    out: AutoStream<Stdout>,
    err: AutoStream<Stderr>,
    width: usize,
}

impl Console {
    /// As the options say.
    pub(crate) fn new(global: &Global) -> Self {
        let choice = |auto: ColorChoice| match global.color {
            Colour::Auto => auto,
            Colour::Always => ColorChoice::Always,
            Colour::Never => ColorChoice::Never,
        };
        let (out, err) = (io::stdout(), io::stderr());
        let out_choice = choice(AutoStream::choice(&out));
        let err_choice = choice(AutoStream::choice(&err));
        Self {
            json: global.json,
            quiet: global.quiet,
            out: AutoStream::new(out, out_choice),
            err: AutoStream::new(err, err_choice),
            width: terminal_width(),
        }
    }

    /// As `--json` says, where the options could not be read.
    pub(crate) fn for_programs() -> Self {
        Self::new(&Global {
            book: None,
            production: false,
            wait: 0,
            json: true,
            quiet: false,
            color: Colour::Never,
        })
    }

    /// Whether the answer is for a program.
    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    /// Whether a progress bar may be drawn: on a terminal, for a person who wants notes.
    pub(crate) fn draws_progress(&self) -> bool {
        !self.quiet && !self.json && io::stderr().is_terminal()
    }

    /// Columns that text for people may take.
    pub(crate) const fn width(&self) -> usize {
        self.width
    }

    /// One line of the answer, for people; nothing with `--json`.
    pub(crate) fn line(&mut self, text: impl Display) -> Result<(), Fault> {
        if self.json {
            return Ok(());
        }
        writeln!(self.out, "{text}").map_err(told)
    }

    /// A sentence of the answer, wrapped to the terminal; nothing with `--json`.
    pub(crate) fn sentence(&mut self, indent: usize, tone: Tone, text: &str) -> Result<(), Fault> {
        let blank = " ".repeat(indent);
        for line in wrap(text, self.width.saturating_sub(indent)) {
            self.line(format_args!("{blank}{}", tone.paint(line)))?;
        }
        Ok(())
    }

    /// A table, for people; nothing with `--json`.
    pub(crate) fn table(&mut self, indent: usize, table: &Table) -> Result<(), Fault> {
        let blank = " ".repeat(indent);
        for line in table.render(self.width.saturating_sub(indent)).lines() {
            self.line(format_args!("{blank}{line}"))?;
        }
        Ok(())
    }

    /// One JSON document on a line, for programs; nothing without `--json`.
    pub(crate) fn value(&mut self, value: &Value) -> Result<(), Fault> {
        if self.json {
            writeln!(self.out, "{value}").map_err(told)
        } else {
            Ok(())
        }
    }

    /// Bytes as they are, for both: entries, checkpoints, scripts.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.out.as_inner().lock().write_all(bytes).map_err(told)
    }

    /// A note beside the answer, for people; nothing with `--quiet` or `--json`.
    pub(crate) fn note(&mut self, text: impl Display) -> Result<(), Fault> {
        if self.json || self.quiet {
            return Ok(());
        }
        writeln!(self.err, "{}", Tone::Faint.paint(text)).map_err(told)
    }

    /// Tells a failure: its code, what happened, what to do next.
    pub(crate) fn fault(&mut self, fault: &Fault) {
        let code = fault.code();
        // If standard error is gone there is nobody left to tell; the exit code remains.
        let _ = if self.json {
            let value = json!({"error": {
                "code": code.as_str(),
                "message": fault.message(),
                "remedy": fault.next(),
                "retryable": code.retryable(),
            }});
            writeln!(self.err, "{value}")
        } else {
            let error = Tone::Bad.paint("error");
            let code = Tone::Faint.paint(format_args!("[{code}]"));
            let next = Tone::Strong.paint("next:");
            writeln!(
                self.err,
                "{error} {code} {}\n  {next} {}",
                fault.message(),
                fault.next()
            )
        };
    }

    /// Hands everything on to the reader.
    pub(crate) fn flush(&mut self) -> Result<(), Fault> {
        self.out.flush().map_err(told)
    }
}

/// A failure to print. A reader that has seen enough is told apart by its code.
fn told(error: io::Error) -> Fault {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Fault::new(code::CLI_READER_GONE, "the reader of the output has gone");
    }
    Fault::of(code::CLI_OUTPUT, &error).while_doing("cannot write the output")
}

/// The terminal's width; `COLUMNS` overrides it, as it does for other commands.
fn terminal_width() -> usize {
    let told = std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok());
    let seen = || terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0.into());
    told.or_else(seen)
        .unwrap_or(WIDTH_DEFAULT)
        .clamp(WIDTH_MIN, WIDTH_MAX)
}
