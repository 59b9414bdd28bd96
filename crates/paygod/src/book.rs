//! Opening the book that the options name, and closing it so that its last entries are published.

use crate::cli::Global;
use crate::fault::{Fault, faults_from};
use paygod_core::Request;
use paygod_service::ledger::{
    BookError, Ledger, LedgerError, OpenOptions, Outcome, Submission, SubmitError,
};
use paygod_types::code;
use std::path::Path;
use std::time::{Duration, Instant};

faults_from!(BookError, LedgerError, SubmitError);

/// The folder that the options name.
pub(crate) fn folder(global: &Global) -> Result<&Path, Fault> {
    global
        .book
        .as_deref()
        .ok_or_else(|| Fault::new(code::CLI_NO_BOOK, "no book is named"))
}

/// How a book is opened.
pub(crate) fn options(global: &Global) -> OpenOptions {
    OpenOptions {
        production: global.production,
        ..OpenOptions::default()
    }
}

/// Opens the book, hands it to `work`, and closes it whatever came of that.
pub(crate) fn with<T>(
    global: &Global,
    work: impl FnOnce(&Ledger) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let ledger = Ledger::open(folder(global)?, options(global))?;
    let outcome = work(&ledger);
    let cause = ledger.fault().map(str::to_owned);
    let closed = ledger.close().map_err(Fault::from);
    let done = outcome.and_then(|done| closed.map(|()| done));
    match cause {
        // That it stopped is of little use without why.
        Some(cause) => done.map_err(|fault| fault.because(&cause)),
        None => done,
    }
}

/// How long a signer that fails is given to recover, and how often it is looked at.
const SIGNER_PATIENCE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Waits until a signed checkpoint covers everything; gives up when the signer stays away.
pub(crate) fn wait_signed(ledger: &Ledger) -> Result<(), Fault> {
    let size = ledger.size();
    let began = Instant::now();
    while ledger.signed() < size {
        if let Some(reason) = ledger.signer_fault()
            && began.elapsed() >= SIGNER_PATIENCE
        {
            return Err(Fault::new(code::TLOG_SIGNER, reason));
        }
        if let Some(fault) = ledger.fault() {
            return Err(Fault::new(code::LEDGER_POISONED, fault));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// Submits one request and waits for its outcome.
pub(crate) fn submit(ledger: &Ledger, request: Request) -> Result<Outcome, Fault> {
    let answers = ledger.submit(vec![Submission::Request(request)]);
    match answers.into_iter().next() {
        Some(answer) => Ok(answer?),
        None => Err(SubmitError::Closed.into()),
    }
}
