//! `submit`: a file of payments or requests, checked whole, then judged and sealed one by one.
//!
//! Nothing is sealed of a file in which anything is wrong, unless `--accept-rest` says so.

mod intake;
mod results;

use crate::book;
use crate::cli::{Global, Submit, SubmitFormat};
use crate::fault::{Answer, Fault, Outcome};
use crate::files;
use crate::output::{Console, Tone};
use crate::progress;
use crate::table::{Align, Cell, Table};
use intake::Batch;
use paygod_core::Request;
use paygod_service::ledger::{Answer as LedgerAnswer, Ledger, Submission};
use paygod_types::code;
use results::Results;
use serde_json::json;

/// Largest file: beyond it, split.
const FILE_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Requests submitted together: a full group, so that one flush serves them all.
const BATCH_REQUESTS: usize = 4_096;
/// Problems listed one by one; the rest are counted.
const PROBLEMS_SHOWN_MAX: usize = 20;

/// Something in the file that keeps it, or a part of it, from being sealed.
#[derive(Debug)]
pub(crate) struct Problem {
    /// Where: `line 12, payment 3 (INV-7)`.
    place: String,
    /// What and what to do.
    fault: Fault,
}

/// Reads, checks, submits, tells.
pub(crate) fn run(options: &Submit, global: &Global, console: &mut Console) -> Outcome {
    let bytes = files::read(&options.file, FILE_BYTES_MAX)?;
    book::with(global, |ledger| {
        let batch = intake::read(&bytes, options, ledger.read())?;
        if !options.format.is_none_or(|format| format == batch.format) {
            return Err(Fault::new(
                code::CLI_ARGUMENT,
                format!("`{}` is not of the format given", options.file.display()),
            )
            .remedy("leave `--format` out, or name the right one"));
        }
        tell_file(&batch, console)?;
        if !batch.problems.is_empty() {
            tell_problems(&batch, console)?;
            if !options.accept_rest {
                return Err(refused(&batch));
            }
        }
        if options.check {
            return checked(&batch, console);
        }
        let left_out = batch.problems.len();
        let results = submit(ledger, batch.requests, console)?;
        let answer = results.tell(ledger.read(), console)?;
        // Not all of the file went through: a script must not take that for a yes.
        Ok(if left_out > 0 { Answer::No } else { answer })
    })
}

/// Submits in batches, with a bar, and waits for every answer.
pub(crate) fn submit(
    ledger: &Ledger,
    requests: Vec<Request>,
    console: &Console,
) -> Result<Results, Fault> {
    let total = u64::try_from(requests.len()).unwrap_or(u64::MAX);
    let bar = progress::entries(console, total);
    let mut results = Results::default();
    let mut requests = requests.into_iter().peekable();
    while requests.peek().is_some() {
        let batch: Vec<Request> = requests.by_ref().take(BATCH_REQUESTS).collect();
        let ids: Vec<_> = batch.iter().map(|request| request.id.clone()).collect();
        let answers: Vec<LedgerAnswer> =
            ledger.submit(batch.into_iter().map(Submission::Request).collect());
        bar.inc(u64::try_from(answers.len()).unwrap_or(u64::MAX));
        results.add(ids, answers);
    }
    bar.finish_and_clear();
    Ok(results)
}

fn tell_file(batch: &Batch, console: &mut Console) -> Result<(), Fault> {
    let Some(about) = &batch.about else {
        return Ok(());
    };
    console.note(format_args!("{about}; read and checked"))
}

fn tell_problems(batch: &Batch, console: &mut Console) -> Result<(), Fault> {
    for problem in &batch.problems {
        console.value(&json!({"problem": {
            "place": problem.place,
            "code": problem.fault.code().as_str(),
            "message": problem.fault.message(),
        }}))?;
    }
    let mut table = Table::new(&[("where", Align::Left), ("what is wrong", Align::Left)]);
    for problem in batch.problems.iter().take(PROBLEMS_SHOWN_MAX) {
        let told = format!("{} [{}]", problem.fault.message(), problem.fault.code());
        table.row([
            Cell::from(problem.place.as_str()),
            Cell::toned(told, Tone::Bad),
        ]);
    }
    console.table(0, &table)?;
    let more = batch.problems.len().saturating_sub(PROBLEMS_SHOWN_MAX);
    if more > 0 {
        console.line(format_args!("… and {more} more; --json lists them all"))?;
    }
    Ok(())
}

fn refused(batch: &Batch) -> Fault {
    let code = batch
        .problems
        .first()
        .map_or(code::CLI_INPUT, |problem| problem.fault.code());
    let found = match batch.problems.len() {
        1 => "1 problem".to_owned(),
        many => format!("{many} problems"),
    };
    Fault::new(
        code,
        format!("the file has {found}, so nothing of it was sealed"),
    )
    .remedy("correct the file and submit it again, or take the rest of it with `--accept-rest`")
}

fn checked(batch: &Batch, console: &mut Console) -> Outcome {
    let requests = batch.requests.len();
    console.value(&json!({"requests": requests, "problems": batch.problems.len()}))?;
    console.line(format_args!(
        "{} {requests} requests can be submitted; nothing was sealed",
        Tone::Good.paint("checked:")
    ))?;
    Ok(Answer::of(batch.problems.is_empty()))
}

/// Which format a file is: XML begins with `<`, JSON Lines with `{`. What is in UTF-16 or UTF-32 is XML's to refuse,
/// which names the encoding.
fn is_xml(bytes: &[u8]) -> bool {
    let wide = [
        &b"\xFF\xFE"[..],
        b"\xFE\xFF",
        b"\0\0\xFE\xFF",
        b"<\0",
        b"\0<",
        b"\0\0\0<",
    ];
    if wide.iter().any(|start| bytes.starts_with(start)) {
        return true;
    }
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    text.trim_ascii_start().first() == Some(&b'<')
}

impl SubmitFormat {
    const fn of_xml(is_outgoing: bool) -> Self {
        if is_outgoing {
            Self::Pain001
        } else {
            Self::Pacs008
        }
    }
}
