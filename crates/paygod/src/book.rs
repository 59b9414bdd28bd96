//! Opening the book that the options name: for reading, or for writing and closed so that its last entries are
//! published.

use crate::cli::Global;
use crate::fault::{Fault, faults_from};
use crate::output::Console;
use crate::progress;
use paygod_core::Request;
use paygod_service::ledger::{
    BookError, Ledger, LedgerError, LedgerReader, OpenOptions, Outcome, Submission, SubmitError,
};
use paygod_store::OpenError;
use paygod_types::{Seq, code};
use std::path::Path;
use std::time::{Duration, Instant};

faults_from!(LedgerError, SubmitError);

impl From<BookError> for Fault {
    fn from(error: BookError) -> Self {
        let fault = Self::of(error.code(), &error);
        match error {
            // Here a new book is not what is wanted.
            BookError::Open(OpenError::NoIdentity { .. }) => {
                fault.remedy("restore a backup into a new folder: paygod restore --help")
            }
            _ => fault,
        }
    }
}

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
        progress: progress::opening(&Console::new(global)),
        ..OpenOptions::default()
    }
}

/// Opens the book, hands it to `work`, and closes it whatever came of that.
pub(crate) fn with<T>(
    global: &Global,
    work: impl FnOnce(&Ledger) -> Result<T, Fault>,
) -> Result<T, Fault> {
    closing(open(global)?, work)
}

/// Opens the book, once the process that writes to it is done.
fn open(global: &Global) -> Result<Ledger, Fault> {
    let (folder, options) = (folder(global)?, options(global));
    let patience = Duration::from_secs(global.wait.into());
    let began = Instant::now();
    let mut waits = None;
    loop {
        match Ledger::open(folder, options.clone()) {
            Err(BookError::Open(OpenError::Locked { .. })) if began.elapsed() < patience => {
                waits.get_or_insert_with(|| progress::waiting(&Console::new(global)));
                std::thread::sleep(LOOK_AGAIN_AFTER);
            }
            opened => return Ok(opened?),
        }
    }
}

fn closing<T>(ledger: Ledger, work: impl FnOnce(&Ledger) -> Result<T, Fault>) -> Result<T, Fault> {
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

/// Opens the book for reading, beside the process that writes to it if there is one, and hands it to `work`.
pub(crate) fn read<T>(
    global: &Global,
    work: impl FnOnce(&LedgerReader) -> Result<T, Fault>,
) -> Result<T, Fault> {
    work(&LedgerReader::open(folder(global)?, &options(global))?)
}

/// As [`read`], once a signed checkpoint covers all there is.
pub(crate) fn read_signed<T>(
    global: &Global,
    work: impl FnOnce(&LedgerReader) -> Result<T, Fault>,
) -> Result<T, Fault> {
    read_signed_to(global, |reader| Ok(reader.size()), work)
}

/// As [`read`], once a signed checkpoint covers the first entries, as many as `size` says: the process that
/// writes signs them in a moment; where there is none, they are signed here.
pub(crate) fn read_signed_to<T>(
    global: &Global,
    size: impl FnOnce(&LedgerReader) -> Result<u64, Fault>,
    work: impl FnOnce(&LedgerReader) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let (folder, options) = (folder(global)?, options(global));
    let mut reader = LedgerReader::open(folder, &options)?;
    let size = size(&reader)?;
    let began = Instant::now();
    while reader.signed() < size {
        // Whoever writes has signed by then, and nothing is needed to do it here.
        if began.elapsed() >= WRITER_SIGNS_WITHIN {
            match Ledger::open(folder, options.clone()) {
                Ok(ledger) => {
                    return closing(ledger, |ledger| {
                        wait_signed(ledger)?;
                        work(ledger.read())
                    });
                }
                Err(BookError::Open(OpenError::Locked { .. })) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if began.elapsed() >= SIGNER_PATIENCE {
            let seq = Seq(size.saturating_sub(1));
            return Err(LedgerError::NotSignedYet { seq }.into());
        }
        std::thread::sleep(LOOK_AGAIN_AFTER);
        reader = LedgerReader::open(folder, &options)?;
    }
    work(&reader)
}

/// How long a process that writes takes to sign what it sealed, by far.
const WRITER_SIGNS_WITHIN: Duration = Duration::from_secs(1);

/// How often the book is looked at again while another process writes or signs.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(250);

/// How long a signer that fails is given to recover, and how often it is looked at.
const SIGNER_PATIENCE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Waits until a signed checkpoint covers everything; gives up when the signer stays away.
pub(crate) fn wait_signed(ledger: &Ledger) -> Result<(), Fault> {
    let size = ledger.read().size();
    let began = Instant::now();
    while ledger.read().signed() < size {
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
