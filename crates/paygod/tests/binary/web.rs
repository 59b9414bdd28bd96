//! A small web server on loopback: a folder's files, as any web server has them, and what is posted to it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// What a test looks at and turns.
#[derive(Default)]
pub(crate) struct Web {
    /// How often each file was asked for, since this was last taken.
    pub(crate) asked: Mutex<BTreeMap<String, u32>>,
    /// What was posted.
    pub(crate) posted: Mutex<Vec<String>>,
    /// Instead of the file: the answer as it goes over the line.
    pub(crate) lies: Mutex<BTreeMap<String, Vec<u8>>>,
    /// The folder that is served once a file was asked for.
    pub(crate) next: Mutex<Option<(String, PathBuf)>>,
    folder: Mutex<PathBuf>,
}

impl Web {
    /// Serves, until the test ends.
    pub(crate) fn serve(folder: &str) -> (Arc<Self>, String) {
        let web = Arc::new(Self::default());
        web.show(folder);
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
        let address = listener.local_addr().expect("an address");
        let serving = Arc::clone(&web);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let web = Arc::clone(&serving);
                // A visitor that went away is no failure of the server's.
                std::thread::spawn(move || web.answer(&stream).ok());
            }
        });
        (web, format!("http://{address}"))
    }

    /// Serves another folder from now on.
    pub(crate) fn show(&self, folder: &str) {
        *self.folder.lock().expect("not poisoned") = folder.into();
    }

    /// The files asked for since this was called last.
    pub(crate) fn take_asked(&self) -> BTreeMap<String, u32> {
        std::mem::take(&mut *self.asked.lock().expect("not poisoned"))
    }

    fn answer(&self, stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
                break;
            }
            head.push(line.trim().to_ascii_lowercase());
        }
        let first = head.first().cloned().unwrap_or_default();
        let path = first.split(' ').nth(1).unwrap_or_default();
        let path = path.trim_start_matches('/').to_owned();
        let field = |name: &str| {
            let line = head.iter().find_map(|line| line.strip_prefix(name));
            line.map(|value| value.trim().to_owned())
        };
        let mut asked = self.asked.lock().expect("not poisoned");
        *asked.entry(path.clone()).or_default() += 1;
        drop(asked);
        let length = field("content-length:").map_or(0, |length| length.parse().expect("a length"));
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let mut next = self.next.lock().expect("not poisoned");
        if let Some((_, folder)) = next.take_if(|(asked, _)| *asked == path) {
            *self.folder.lock().expect("not poisoned") = folder;
        }
        drop(next);
        let lie = self.lies.lock().expect("not poisoned").get(&path).cloned();
        let answer = if let Some(lie) = lie {
            lie
        } else if first.starts_with("post ") {
            let body = String::from_utf8(body).expect("UTF-8");
            self.posted.lock().expect("not poisoned").push(body);
            whole(b"")
        } else {
            let file = self.folder.lock().expect("not poisoned").join(&path);
            let from = field("range:").and_then(|range| {
                let from = range.strip_prefix("bytes=")?.strip_suffix('-')?;
                from.parse::<usize>().ok()
            });
            file_answer(std::fs::read(file).ok(), from)
        };
        let mut stream = stream;
        stream.write_all(&answer)
    }
}

/// A whole answer.
pub(crate) fn whole(body: &[u8]) -> Vec<u8> {
    told("200 OK", "", body)
}

/// An answer with a status and more fields.
pub(crate) fn told(status: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{fields}\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn file_answer(file: Option<Vec<u8>>, from: Option<usize>) -> Vec<u8> {
    let Some(bytes) = file else {
        return told("404 Not Found", "", b"");
    };
    let length = bytes.len();
    match from {
        None => whole(&bytes),
        Some(from) if from < length => {
            let range = format!("content-range: bytes {from}-{}/{length}\r\n", length - 1);
            told("206 Partial Content", &range, &bytes[from..])
        }
        Some(_) => {
            let range = format!("content-range: bytes */{length}\r\n");
            told("416 Range Not Satisfiable", &range, b"")
        }
    }
}
