//! JSON Lines of native commands: one request document a line.
//!
//! [`Lines`] walks a file line by line; [`check`] reads a whole file first, so that a caller can refuse
//! all of it for one bad line. Blank lines are passed over. What comes out is the parsed request and its
//! canonical bytes, the ones the ledger commits to.
//!
//! It checks shape only; whether a request may happen is for packs and the ledger.

use paygod_core::{Request, RequestError};
use paygod_types::limits::REQUEST_BYTES_MAX;
use paygod_types::{ActorId, Code, code};
use thiserror::Error;

/// Bytes of one line: a request, with room for the blanks and longer spellings that canonical form drops.
pub const LINE_BYTES_MAX: usize = 2 * REQUEST_BYTES_MAX;
/// Bad lines that [`check`] lists before it gives up on a file.
pub const ERRORS_MAX: usize = 100;

/// Why a line was refused.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("line {line}: {fault}")]
pub struct LineError {
    /// Line, from 1.
    pub line: u64,
    /// What was wrong.
    pub fault: LineFault,
}

/// Why a line was refused.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum LineFault {
    /// Longer than a request can be.
    #[error(
        "the line has {found} bytes, at most {LINE_BYTES_MAX} are read; put one request on a line"
    )]
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// Not a request.
    #[error(transparent)]
    Request(#[from] RequestError),
}

impl LineError {
    /// The permanent code of this error.
    #[must_use]
    pub fn code(&self) -> Code {
        match &self.fault {
            LineFault::TooLong { .. } => code::INGEST_LIMIT,
            LineFault::Request(error) => error.code(),
        }
    }
}

/// A request and the line it stood on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineRequest {
    /// Line, from 1.
    pub line: u64,
    /// The request, parsed.
    pub request: Request,
    /// Its canonical bytes.
    pub bytes: Vec<u8>,
}

/// The requests of a file, line by line; goes on after a bad line.
#[derive(Debug, Clone)]
pub struct Lines<'a> {
    rest: Option<&'a [u8]>,
    line: u64,
    by: Option<&'a ActorId>,
}

impl<'a> Lines<'a> {
    /// Over the bytes of a file; a byte order mark is passed over.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: Some(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)),
            line: 0,
            by: None,
        }
    }

    /// Requests that name nobody are asked for by this one.
    #[must_use]
    pub const fn asked_by(self, by: Option<&'a ActorId>) -> Self {
        Self { by, ..self }
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<LineRequest, LineError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let bytes = self.rest?;
            let (line, rest) = match bytes.iter().position(|&byte| byte == b'\n') {
                Some(end) => bytes.split_at(end),
                None => (bytes, &[][..]),
            };
            self.rest = rest.split_first().map(|(_, rest)| rest);
            self.line = self.line.saturating_add(1);
            let line = line.trim_ascii();
            if !line.is_empty() {
                let number = self.line;
                return Some(one(line, number, self.by).map_err(|fault| LineError {
                    line: number,
                    fault,
                }));
            }
        }
    }
}

fn one(document: &[u8], line: u64, by: Option<&ActorId>) -> Result<LineRequest, LineFault> {
    if document.len() > LINE_BYTES_MAX {
        return Err(LineFault::TooLong {
            found: document.len(),
        });
    }
    let request = Request::from_json_by(document, by)?;
    let bytes = request.to_json()?;
    Ok(LineRequest {
        line,
        request,
        bytes,
    })
}

/// Reads a whole file.
///
/// # Errors
/// Any bad line: all of them, up to [`ERRORS_MAX`], in their order.
pub fn check(bytes: &[u8]) -> Result<Vec<LineRequest>, Vec<LineError>> {
    let mut requests = Vec::new();
    let mut errors = Vec::new();
    for outcome in Lines::new(bytes) {
        match outcome {
            Ok(request) => requests.push(request),
            Err(error) => errors.push(error),
        }
        if errors.len() >= ERRORS_MAX {
            break;
        }
    }
    if errors.is_empty() {
        Ok(requests)
    } else {
        Err(errors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = "\u{FEFF}{\"id\":\"open-1\",\"account_open\":{\"account\":\"a\",\"currency\":\"EUR\"}}\r\n\
        \n\
        { \"transfer\": {\"transfers\":[{\"debit\":\"a\",\"credit\":\"b\",\"amount\":\"1.00\",\"currency\":\"EUR\"}]}, \"id\": \"pay-1\" }";

    #[test]
    fn lines_become_canonical_requests() {
        let requests = check(GOOD.as_bytes()).unwrap();
        assert_eq!(
            requests
                .iter()
                .map(|request| request.line)
                .collect::<Vec<_>>(),
            [1, 3]
        );
        assert_eq!(
            String::from_utf8(requests[1].bytes.clone()).unwrap(),
            "{\"id\":\"pay-1\",\"transfer\":{\"transfers\":[{\"amount\":\"1.00\",\"credit\":\"b\",\
             \"currency\":\"EUR\",\"debit\":\"a\"}]}}"
        );
        for request in requests {
            assert_eq!(Request::from_json(&request.bytes).unwrap(), request.request);
        }
    }

    #[test]
    fn one_bad_line_refuses_the_file_and_names_itself() {
        let file = format!("{GOOD}\nnonsense\n{{\"id\":\"x\"}}\n");
        let errors = check(file.as_bytes()).unwrap_err();
        assert_eq!(
            errors.iter().map(|error| error.line).collect::<Vec<_>>(),
            [4, 5]
        );
        assert_eq!(Lines::new(file.as_bytes()).filter(Result::is_ok).count(), 2);
    }

    #[test]
    fn a_line_longer_than_a_request_is_refused_unread() {
        let line = "x".repeat(LINE_BYTES_MAX + 1);
        let errors = check(line.as_bytes()).unwrap_err();
        assert_eq!(
            errors[0].fault,
            LineFault::TooLong {
                found: LINE_BYTES_MAX + 1
            }
        );
        assert_eq!(errors[0].code().as_str(), "ingest.limit");
    }

    #[test]
    fn a_flood_of_bad_lines_is_cut_off() {
        assert_eq!(
            check("?\n".repeat(10_000).as_bytes()).unwrap_err().len(),
            ERRORS_MAX
        );
    }

    #[test]
    fn the_example_file_is_canonical_line_by_line() {
        let file = include_str!("../../../../examples/payments/transfers.jsonl");
        let requests = check(file.as_bytes()).unwrap();
        assert_eq!(requests.len(), 4);
        for (request, line) in requests.iter().zip(file.lines()) {
            assert_eq!(request.bytes, line.as_bytes());
        }
    }

    #[test]
    fn an_empty_file_has_no_requests() {
        assert_eq!(check(b"").unwrap(), []);
        assert_eq!(check(b"\n \n\r\n").unwrap(), []);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn damaged_lines_never_panic(at in 0_usize..220, byte: u8) {
            let mut bytes = GOOD.as_bytes().to_vec();
            if let Some(slot) = bytes.get_mut(at) { *slot = byte; }
            for request in Lines::new(&bytes).flatten() {
                prop_assert_eq!(Request::from_json(&request.bytes).unwrap(), request.request);
            }
        }
    }
}
