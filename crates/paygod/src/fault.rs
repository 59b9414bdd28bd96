//! What goes wrong at the command line, and how it is told.
//!
//! Every failure ends in one of three exit codes, taken from the registered code of the error: the
//! answer is no (1), the input is wrong (2), the system failed (3). A message never holds a secret.

use clap::error::ErrorKind;
use paygod_types::{Code, code};
use std::fmt::Write;

/// How a command ended when nothing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Done, valid, allowed.
    Yes,
    /// Denied, invalid, tampered with.
    No,
}

impl Answer {
    /// `Yes` when `yes` is.
    pub(crate) const fn of(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }

    /// The process's exit code.
    pub(crate) const fn exit_code(self) -> u8 {
        match self {
            Self::Yes => 0,
            Self::No => 1,
        }
    }
}

/// A failure, told to a person: what happened, under which permanent code, and what to do next.
#[derive(Debug)]
pub(crate) struct Fault {
    code: Code,
    message: String,
    /// What to do here, when it is more exact than what the registry says in general.
    remedy: Option<String>,
}

impl Fault {
    /// A failure with this code and message.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            remedy: None,
        }
    }

    /// A failure of a library: its message with those of its causes, and its code.
    pub(crate) fn of(code: Code, error: &dyn std::error::Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let told = error.to_string();
            // Many libraries repeat their cause in their own message.
            if !message.contains(&told) {
                // Writing to a string cannot fail.
                let _ = write!(message, ": {told}");
            }
            cause = error.source();
        }
        Self::new(code, message)
    }

    /// What is wrong with the arguments, without the usage that people are shown below it.
    pub(crate) fn of_usage(error: &clap::Error) -> Self {
        if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            return Self::new(code::CLI_ARGUMENT, "no command is given");
        }
        let told = error.render().to_string();
        let told = told.strip_prefix("error: ").unwrap_or(&told);
        let (what, _) = told.split_once("\n\nUsage:").unwrap_or((told, ""));
        let (what, _) = what
            .split_once("\n\nFor more information")
            .unwrap_or((what, ""));
        // The fault itself, and perhaps a tip.
        let parts: Vec<String> = what
            .split("\n\n")
            .map(|part| Vec::from_iter(part.split_whitespace()).join(" "))
            .collect();
        Self::new(code::CLI_ARGUMENT, parts.join("; "))
    }

    /// Says what to do next here.
    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Says what was being done when it failed.
    pub(crate) fn while_doing(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// Adds what lies behind it, unless it says so already.
    pub(crate) fn because(mut self, cause: &str) -> Self {
        if !self.message.contains(cause) {
            self.message = format!("{} (it stopped because: {cause})", self.message);
        }
        self
    }

    /// The permanent code.
    pub(crate) const fn code(&self) -> Code {
        self.code
    }

    /// What happened.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// What to do next.
    pub(crate) fn next(&self) -> &str {
        self.remedy.as_deref().unwrap_or_else(|| self.code.remedy())
    }
}

/// What every command returns.
pub(crate) type Outcome = Result<Answer, Fault>;

/// Makes `?` work on the errors of the libraries, which all carry a code.
macro_rules! faults_from {
    ($($error:ty),* $(,)?) => {
        $(
            impl From<$error> for $crate::fault::Fault {
                fn from(error: $error) -> Self {
                    Self::of(error.code(), &error)
                }
            }
        )*
    };
}
pub(crate) use faults_from;
