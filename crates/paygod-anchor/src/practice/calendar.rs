//! A fake calendar on this machine.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::chain::PracticeChain;
use crate::ots::{Attestation, CalendarUri, Op, Timestamp};

/// Longest question, in bytes.
const QUESTION_BYTES_MAX: usize = 16_384;

/// How a fake calendar answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mood {
    /// As a calendar should.
    Honest,
    /// With bytes that are no timestamp.
    Garbage,
    /// With a timestamp longer than anybody reads.
    Oversized,
    /// With silence for as long as the question is open.
    Silent,
    /// With a redirect to another address.
    Redirecting(String),
    /// With a failure.
    Failing,
    /// With a promise that another calendar is to keep.
    Elsewhere(String),
    /// With a path to a block that is not there.
    Lying,
}

/// A calendar of our own, on a port of this machine; gone when dropped.
#[derive(Debug)]
pub struct FakeCalendar {
    shared: Arc<Shared>,
    address: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    url: String,
    mood: Mutex<Mood>,
    chain: Mutex<PracticeChain>,
    /// What was taken, and its way to a block once there is one.
    taken: Mutex<Vec<(Vec<u8>, Option<Timestamp>)>>,
    questions: AtomicU64,
    closing: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FakeCalendar {
    /// Starts one.
    ///
    /// # Errors
    /// There is no free port.
    pub fn start(mood: Mood) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            url: format!("http://{address}"),
            mood: Mutex::new(mood),
            chain: Mutex::default(),
            taken: Mutex::default(),
            questions: AtomicU64::new(0),
            closing: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if serving.closing.load(Ordering::Relaxed) {
                    return;
                }
                // Whoever asked may have gone.
                let _gone = serving.serve(stream);
            }
        });
        Ok(Self {
            shared,
            address,
            thread: Some(thread),
        })
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// Answers so from now on.
    pub fn set_mood(&self, mood: Mood) {
        *lock(&self.shared.mood) = mood;
    }

    /// Questions so far.
    #[must_use]
    pub fn questions(&self) -> u64 {
        self.shared.questions.load(Ordering::Relaxed)
    }

    /// Puts everything that was taken into blocks of this time.
    pub fn mine(&self, time_s: u32) {
        let mut chain = lock(&self.shared.chain);
        for (message, path) in lock(&self.shared.taken).iter_mut() {
            if path.is_none() {
                *path = Some(chain.attest(message, time_s));
            }
        }
    }

    /// The chain's headers, as [`crate::bitcoin::Headers::read`] takes them.
    #[must_use]
    pub fn headers(&self) -> String {
        lock(&self.shared.chain).to_text()
    }
}

impl Drop for FakeCalendar {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Relaxed);
        // Wakes the thread; if it is gone already, all the better.
        let _woken = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let question = read_question(&mut stream)?;
        self.questions.fetch_add(1, Ordering::Relaxed);
        let mood = lock(&self.mood).clone();
        let (status, extra, body) = match mood {
            Mood::Garbage => (
                "200 OK",
                String::new(),
                b"<html>out of order</html>".to_vec(),
            ),
            Mood::Oversized => ("200 OK", String::new(), vec![0xf0; 1 << 20]),
            Mood::Failing => ("500 Internal Server Error", String::new(), Vec::new()),
            Mood::Redirecting(to) => ("302 Found", format!("Location: {to}\r\n"), Vec::new()),
            Mood::Silent => {
                // Until the other side hangs up.
                let _nothing = stream.read(&mut [0]);
                return Ok(());
            }
            Mood::Honest | Mood::Elsewhere(_) | Mood::Lying => {
                match self.answer(&question, &mood) {
                    Some(body) => ("200 OK", String::new(), body),
                    None => (
                        "404 Not Found",
                        String::new(),
                        b"Pending confirmation in Bitcoin blockchain".to_vec(),
                    ),
                }
            }
        };
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status}\r\n{extra}Content-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(&body)
    }

    fn answer(&self, question: &Question, mood: &Mood) -> Option<Vec<u8>> {
        if question.path == "/digest" {
            return self.take(&question.body, mood)?.to_bytes().ok();
        }
        let wanted = question.path.strip_prefix("/timestamp/")?;
        let taken = lock(&self.taken);
        let is_it = |message: &[u8]| {
            let mut digits = Vec::new();
            paygod_types::write_hex(message, &mut digits);
            digits == wanted.as_bytes()
        };
        let (_, path) = taken.iter().find(|(message, _)| is_it(message))?;
        if *mood == Mood::Lying {
            let height = 1;
            return Timestamp::of_path([Op::Sha256], Attestation::Bitcoin { height })
                .to_bytes()
                .ok();
        }
        path.as_ref()?.to_bytes().ok()
    }

    /// Takes a digest: a step of the calendar's own, then the promise.
    fn take(&self, digest: &[u8], mood: &Mood) -> Option<Timestamp> {
        let uri = match mood {
            Mood::Elsewhere(uri) => uri,
            _ => &self.url,
        };
        let path = [Op::Append(b"calendar".to_vec()), Op::Sha256];
        let mut message = digest.to_vec();
        for op in &path {
            message = op.apply(&message).ok()?;
        }
        let promise = Attestation::Pending(CalendarUri::new(uri).ok()?);
        let mut taken = lock(&self.taken);
        if taken.iter().all(|(known, _)| *known != message) {
            taken.push((message, None));
        }
        Some(Timestamp::of_path(path, promise))
    }
}

struct Question {
    path: String,
    body: Vec<u8>,
}

fn read_question(stream: &mut TcpStream) -> io::Result<Question> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 1024];
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let begins = head.len().saturating_add(4);
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                let is_it = name.eq_ignore_ascii_case("content-length");
                is_it.then(|| value.trim().parse::<usize>().ok()).flatten()
            });
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let body = bytes.get(begins..begins.saturating_add(length.unwrap_or(0)));
            if let Some(body) = body {
                return Ok(Question {
                    path,
                    body: body.to_vec(),
                });
            }
        }
        let read = stream.read(&mut chunk)?;
        bytes.extend_from_slice(chunk.get(..read).unwrap_or_default());
        if read == 0 || bytes.len() > QUESTION_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}
