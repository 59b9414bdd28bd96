//! A witness and a log that asks it, over HTTP on loopback: every status of C2SP tlog-witness.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use paygod_anchor::witness::ask::{AskError, Asker, Proofs};
use paygod_anchor::witness::{Refusal, Witness, WitnessError, http, logs};
use paygod_tlog::limits::REQUEST_BYTES_MAX;
use paygod_tlog::{
    AddCheckpoint, Checkpoint, Cosigner, Ed25519Cosigner, Ed25519Signer, Hash, KeyName,
    MlDsa44Cosigner, NoteSigner, SignedCheckpoint, SignedNote, TlogPolicy, TreeHead, cosign,
    leaf_hash, node_hash, tree_root,
};
use tokio::sync::oneshot;

const ORIGIN: &str = "log.example.com/one";
const NOW: u64 = 1_700_000_000;

fn name(text: &str) -> KeyName {
    KeyName::parse(text).unwrap()
}

fn log_key() -> Ed25519Signer {
    Ed25519Signer::new(name(ORIGIN), &[1; 32])
}

/// The leaves of a log; `story` tells one history from another.
fn leaves(count: u64, story: &str) -> Vec<Hash> {
    (0..count)
        .map(|n| leaf_hash(format!("{story} {n}").as_bytes()))
        .collect()
}

fn root(leaves: &[Hash]) -> Hash {
    tree_root(&mut leaves.to_vec())
}

fn checkpoint(leaves: &[Hash]) -> SignedCheckpoint {
    let head = TreeHead {
        size: leaves.len().try_into().unwrap(),
        root: root(leaves),
    };
    let origin = ORIGIN.to_owned();
    SignedCheckpoint::sign(Checkpoint { origin, head }, &[&log_key()]).unwrap()
}

/// RFC 6962 section 2.1.2, as it is written there.
fn subproof(old: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if whole {
            Vec::new()
        } else {
            vec![root(leaves)]
        };
    }
    let split = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(split);
    let (mut proof, other) = if old <= split {
        (subproof(old, left, whole), right)
    } else {
        (subproof(old - split, right, false), left)
    };
    proof.push(root(other));
    proof
}

fn proof(old: usize, leaves: &[Hash]) -> Vec<Hash> {
    if old == 0 {
        Vec::new()
    } else {
        subproof(old, leaves, true)
    }
}

struct Tree(Vec<Hash>);

impl Proofs for Tree {
    fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, String> {
        Ok(proof(
            old.try_into().unwrap(),
            &self.0[..new.try_into().unwrap()],
        ))
    }
}

fn request(old: u64, proof: Vec<Hash>, signed: &SignedCheckpoint) -> Vec<u8> {
    let note = signed.note().clone();
    AddCheckpoint { old, proof, note }.to_bytes()
}

fn keys(n: u8) -> Vec<Box<dyn Cosigner + Send + Sync>> {
    let name = name(&format!("witness.example.com/w{n}"));
    vec![
        Box::new(MlDsa44Cosigner::new(name.clone(), &[n; 32]).unwrap()),
        Box::new(Ed25519Cosigner::new(name, &[n + 100; 32]).unwrap()),
    ]
}

fn witness(dir: &Path, n: u8) -> Witness {
    logs::add_key(dir, ORIGIN, log_key().verifier_key()).unwrap();
    Witness::open(dir, keys(n)).unwrap()
}

fn status(answer: &Result<Vec<u8>, Refusal>) -> u16 {
    answer.as_ref().map_or_else(Refusal::status, |_| 200)
}

#[test]
fn every_status_is_the_one_of_the_specification() {
    let dir = tempfile::tempdir().unwrap();
    let witness = witness(dir.path(), 1);
    let all = leaves(20, "true");
    let (five, nine) = (checkpoint(&all[..5]), checkpoint(&all[..9]));
    let other = leaves(20, "other");
    let ask = |body: &[u8]| witness.add_checkpoint(body, NOW);
    assert_eq!(status(&ask(b"old x\n")), 400);
    assert_eq!(status(&ask(&vec![b'a'; REQUEST_BYTES_MAX + 1])), 413);
    // A log that is not known, signed or not.
    let stranger = Ed25519Signer::new(name("stranger.example.com"), &[2; 32]);
    let note = SignedNote::sign(
        &five.note().text().replace(ORIGIN, "stranger.example.com"),
        &[&stranger],
    );
    let body = AddCheckpoint {
        old: 0,
        proof: vec![],
        note: note.unwrap(),
    };
    assert_eq!(status(&ask(&body.to_bytes())), 404);
    // Nobody known signed; somebody known signed another text.
    let note = SignedNote::sign(five.note().text(), &[&stranger]).unwrap();
    let body = AddCheckpoint {
        old: 0,
        proof: vec![],
        note,
    };
    assert_eq!(status(&ask(&body.to_bytes())), 403);
    let forged =
        SignedNote::from_parts(five.note().text(), nine.note().signatures().to_vec()).unwrap();
    let body = AddCheckpoint {
        old: 0,
        proof: vec![],
        note: forged,
    };
    assert_eq!(status(&ask(&body.to_bytes())), 403);
    // Old sizes that cannot be, and one that is not remembered.
    assert_eq!(status(&ask(&request(6, vec![], &five))), 400);
    let conflict = ask(&request(3, proof(3, &all[..5]), &five));
    assert!(matches!(conflict, Err(Refusal::Conflict { size: 0 })));
    assert_eq!(
        status(&ask(&request(0, vec![Hash::EMPTY_TREE], &five))),
        422
    );
    assert!(
        witness
            .checkpoint(&logs::origin_hash(ORIGIN))
            .unwrap()
            .is_none()
    );
    // The first one, again, and the next.
    assert_eq!(status(&ask(&request(0, vec![], &five))), 200);
    assert_eq!(status(&ask(&request(0, vec![], &five))), 409);
    assert_eq!(status(&ask(&request(5, vec![], &five))), 200);
    let fork = checkpoint(&other[..5]);
    assert_eq!(status(&ask(&request(5, vec![], &fork))), 422);
    let fork = checkpoint(&other[..9]);
    assert_eq!(status(&ask(&request(5, proof(5, &other[..9]), &fork))), 422);
    assert_eq!(status(&ask(&request(5, vec![], &nine))), 422);
    assert_eq!(status(&ask(&request(5, proof(5, &all[..9]), &nine))), 200);
    let conflict = ask(&request(5, vec![], &five));
    assert!(matches!(conflict, Err(Refusal::Conflict { size: 9 })));
    // An empty tree has one root.
    let origin = ORIGIN.to_owned();
    let head = TreeHead {
        size: 0,
        root: all[0],
    };
    let empty = SignedCheckpoint::sign(Checkpoint { origin, head }, &[&log_key()]).unwrap();
    let fresh = tempfile::tempdir().unwrap();
    let fresh = self::witness(fresh.path(), 2);
    let answer = fresh.add_checkpoint(&request(0, vec![], &empty), NOW);
    assert_eq!(status(&answer), 422);
}

#[test]
fn what_was_cosigned_is_remembered_across_restarts_and_changes_of_keys() {
    let dir = tempfile::tempdir().unwrap();
    let all = leaves(9, "true");
    let (five, nine) = (checkpoint(&all[..5]), checkpoint(&all));
    let first = witness(dir.path(), 1);
    first
        .add_checkpoint(&request(0, vec![], &five), NOW)
        .unwrap();
    assert!(matches!(
        Witness::open(dir.path(), keys(1)),
        Err(WitnessError::Locked { .. })
    ));
    drop(first);
    let again = Witness::open(dir.path(), keys(1)).unwrap();
    logs::remove_key(dir.path(), ORIGIN, log_key().verifier_key()).unwrap();
    let body = request(5, proof(5, &all), &nine);
    assert_eq!(status(&again.add_checkpoint(&body, NOW)), 404);
    assert!(logs::remove_key(dir.path(), ORIGIN, log_key().verifier_key()).is_err());
    logs::add_key(dir.path(), ORIGIN, log_key().verifier_key()).unwrap();
    let anew = again.add_checkpoint(&request(0, vec![], &nine), NOW);
    assert!(matches!(anew, Err(Refusal::Conflict { size: 5 })));
    // A clock that was put back does not make the larger tree the older one.
    let lines = again.add_checkpoint(&body, NOW - 100).unwrap();
    let mut note = format!("{}\n", nine.note().text()).into_bytes();
    note.extend_from_slice(&lines);
    let note = SignedNote::parse(&note).unwrap();
    for line in note.signatures() {
        assert_eq!(line.signature[..8], NOW.to_be_bytes());
    }
    let known = logs::list(dir.path()).unwrap();
    assert_eq!((known.len(), known[0].keys.len()), (1, 1));
    let served = again.checkpoint(&logs::origin_hash(ORIGIN)).unwrap();
    let served = SignedNote::parse(&served.unwrap()).unwrap();
    assert_eq!(served.signatures().len(), 3);
    assert!(again.checkpoint("../../etc/passwd").unwrap().is_none());
}

#[test]
fn a_state_that_does_not_read_is_never_taken_as_a_new_log() {
    let dir = tempfile::tempdir().unwrap();
    let witness = witness(dir.path(), 1);
    let all = leaves(5, "true");
    let body = request(0, vec![], &checkpoint(&all));
    witness.add_checkpoint(&body, NOW).unwrap();
    let path = dir
        .path()
        .join("logs")
        .join(logs::origin_hash(ORIGIN))
        .join("checkpoint");
    std::fs::write(&path, b"garbage").unwrap();
    assert_eq!(status(&witness.add_checkpoint(&body, NOW)), 500);
}

#[test]
fn of_two_histories_asked_at_once_one_is_cosigned() {
    let dir = tempfile::tempdir().unwrap();
    let witness = witness(dir.path(), 1);
    let bodies: Vec<Vec<u8>> = (0..8)
        .map(|n| {
            let history = checkpoint(&leaves(5, &n.to_string()));
            request(0, vec![], &history)
        })
        .collect();
    let cosigned = std::thread::scope(|scope| {
        let asked: Vec<_> = bodies
            .iter()
            .map(|body| scope.spawn(|| witness.add_checkpoint(body, NOW).is_ok()))
            .collect();
        let done = asked.into_iter().map(|thread| thread.join().unwrap());
        done.filter(|cosigned| *cosigned).count()
    });
    assert_eq!(cosigned, 1);
}

#[test]
fn logs_of_others_may_have_extension_lines_and_keys_of_any_type() {
    let dir = tempfile::tempdir().unwrap();
    let key = MlDsa44Cosigner::new(name("other.example.com/key"), &[7; 32]).unwrap();
    logs::add_key(dir.path(), "other.example.com", key.verifier_key()).unwrap();
    let witness = Witness::open(dir.path(), keys(1)).unwrap();
    let root = root(&leaves(3, "other"));
    let text = format!("other.example.com\n3\n{}\nan extension\n", root.to_base64());
    let line = cosign(&key, &text, NOW).unwrap();
    let note = SignedNote::from_parts(&text, vec![line]).unwrap();
    let body = AddCheckpoint {
        old: 0,
        proof: vec![],
        note,
    };
    assert!(witness.add_checkpoint(&body.to_bytes(), NOW).is_ok());
}

/// A witness that serves until it is dropped.
struct Served {
    url: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    fn new(witness: Witness) -> Self {
        Self::within(witness, http::Bounds::default())
    }

    fn within(witness: Witness, bounds: http::Bounds) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let stopped = async {
                let _ = stopped.await;
            };
            http::serve(listener, Arc::new(witness), bounds, stopped).unwrap();
        });
        Self {
            url,
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

/// Two of three, of which the third is nowhere.
fn policy(urls: [&str; 2], quorum: &str) -> TlogPolicy {
    let (one, two, three) = (keys(1), keys(2), keys(3));
    let text = format!(
        "witness one {} {}\nwitness two {} {}/\nwitness three {} http://127.0.0.1:9\n\
         group most 2 one two three\nquorum {quorum}\n",
        one[0].verifier_key(),
        urls[0],
        two[1].verifier_key(),
        urls[1],
        three[0].verifier_key(),
    );
    TlogPolicy::parse(text.as_bytes()).unwrap()
}

#[test]
fn a_log_gathers_a_quorum_over_http_and_catches_up_with_what_witnesses_remember() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let tree = Tree(leaves(9, "true"));
    let now = http::now();
    let (one, two) = (
        Served::new(witness(dirs[0].path(), 1)),
        Served::new(witness(dirs[1].path(), 2)),
    );
    let mut asker = Asker::new(policy([&one.url, &two.url], "most"));
    for size in [4, 4, 9] {
        let asked = asker.ask(&checkpoint(&tree.0[..size]), &tree, now);
        assert_eq!(asked.witnessed.unwrap().len(), 2, "{size}");
        assert_eq!(asked.checkpoint.note().signatures().len(), 3);
        assert_eq!(asked.faults.len(), 1);
        assert!(matches!(asked.faults[0].1, AskError::Unreachable(_)));
    }
    // Another process of the log remembers nothing, and is told.
    let mut other = Asker::new(policy([&one.url, &two.url], "most"));
    let asked = other.ask(&checkpoint(&tree.0), &tree, now);
    assert!(asked.witnessed.is_ok());
    // A log that was set back, and one that was rewritten.
    let asked = other.ask(&checkpoint(&tree.0[..4]), &tree, now);
    let ahead = AskError::Ahead { size: 9, ours: 4 };
    assert_eq!(asked.faults[0], ("one".to_owned(), ahead));
    let rewritten = Tree(leaves(12, "another"));
    let asked = other.ask(&checkpoint(&rewritten.0), &rewritten, now);
    assert!(asked.witnessed.is_err());
    let (_, refused) = &asked.faults[0];
    assert!(matches!(refused, AskError::Refused { status: 422, .. }));
    assert_eq!(refused.code().as_str(), "witness.fork");
}

#[test]
fn below_quorum_a_checkpoint_is_signed_and_not_witnessed() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let one = Served::new(witness(dirs[0].path(), 1));
    // The second does not know the log.
    let two = Served::new(Witness::open(dirs[1].path(), keys(2)).unwrap());
    let tree = Tree(leaves(4, "true"));
    let mut asker = Asker::new(policy([&one.url, &two.url], "most"));
    let asked = asker.ask(&checkpoint(&tree.0), &tree, http::now());
    assert_eq!(asked.witnessed.unwrap_err().code().as_str(), "tlog.quorum");
    let statuses: Vec<_> = asked.faults.iter().map(|(_, error)| error.code()).collect();
    assert_eq!(statuses[0].as_str(), "witness.refused");
    let mut lenient = Asker::new(policy([&one.url, &two.url], "one"));
    let asked = lenient.ask(&checkpoint(&tree.0), &tree, http::now());
    assert!(asked.witnessed.is_ok());
}

/// Sends a request byte by byte until the server has had enough; what it answered.
fn drip(url: &str, request: &str) -> String {
    use std::io::{ErrorKind, Read as _, Write as _};
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    // Waiting for an answer that does not come is what keeps the bytes apart.
    let between = Some(Duration::from_millis(20));
    stream.set_read_timeout(between).unwrap();
    let mut answer = Vec::new();
    for byte in request.bytes().cycle() {
        let mut read = [0; 512];
        match stream.read(&mut read) {
            Ok(0) => break,
            Ok(bytes) => answer.extend_from_slice(&read[..bytes]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
        if stream.write_all(&[byte]).is_err() {
            break;
        }
    }
    String::from_utf8(answer).unwrap()
}

/// A head without an end, and a body that never gets there.
const SLOW: [&str; 2] = [
    "POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ncontent-length: 9999\r\nx: ",
    "POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ncontent-length: 9999\r\n\r\n",
];

/// Whether a witness cosigns for a log that asks it now.
fn is_asked_well(served: &Served) -> bool {
    let tree = Tree(leaves(4, "true"));
    let mut asker = Asker::new(policy([&served.url, "http://127.0.0.1:9"], "one"));
    let asked = asker.ask(&checkpoint(&tree.0), &tree, http::now());
    asked.witnessed.is_ok()
}

#[test]
fn others_are_served_while_someone_dawdles() {
    use std::io::Write as _;
    let dir = tempfile::tempdir().unwrap();
    let served = Served::new(witness(dir.path(), 1));
    let slow = SLOW.map(|request| {
        let address = served.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    });
    assert!(is_asked_well(&served));
    drop(slow);
}

#[test]
fn who_drips_is_cut_off_and_makes_place_for_who_waits() {
    let dir = tempfile::tempdir().unwrap();
    let bounds = http::Bounds {
        connections: 1,
        head: Duration::from_millis(300),
        body: Duration::from_millis(300),
        connection: Duration::from_secs(60),
    };
    let served = Served::within(witness(dir.path(), 1), bounds);
    for request in SLOW {
        std::thread::scope(|scope| {
            let slow = scope.spawn(|| drip(&served.url, request));
            assert!(is_asked_well(&served));
            let answer = slow.join().unwrap();
            assert!(answer.is_empty() || answer.contains(" 408 "), "{answer}");
        });
    }
}

#[test]
fn a_connection_is_used_again_and_ends_when_it_has_lasted_long_enough() {
    use std::io::{Read as _, Write as _};
    let dir = tempfile::tempdir().unwrap();
    let bounds = http::Bounds {
        connection: Duration::from_millis(500),
        ..http::Bounds::default()
    };
    let served = Served::within(witness(dir.path(), 1), bounds);
    let address = served.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    for _ in 0..2 {
        stream
            .write_all(b"GET /nothing/checkpoint HTTP/1.1\r\nhost: w\r\n\r\n")
            .unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"was cosigned\n") {
            let mut read = [0; 512];
            let bytes = stream.read(&mut read).unwrap();
            assert!(bytes > 0, "closed too early");
            answer.extend_from_slice(&read[..bytes]);
        }
    }
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0, "closed in the end");
}

/// Whether a request with a body of a given length was read to its end.
fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else {
        return false;
    };
    let head = head.to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.unwrap().parse().unwrap()
}

#[test]
fn a_witness_that_lies_counts_for_nothing() {
    use std::io::{Read as _, Write as _};
    let forged = {
        // Another's cosignature under the name and id of the one that was asked.
        let (one, two) = (keys(1), keys(2));
        let text = checkpoint(&leaves(4, "true")).note().text().to_owned();
        let mut line = cosign(&*two[0], &text, http::now()).unwrap();
        line.name = one[0].verifier_key().name().clone();
        line.id = one[0].verifier_key().id();
        let note = SignedNote::from_parts(&text, vec![line]).unwrap();
        String::from_utf8(note.to_bytes()[text.len() + 1..].to_vec()).unwrap()
    };
    for (head, body) in [
        ("200 OK", forged.as_str()),
        ("200 OK", "garbage"),
        ("200 OK", ""),
        ("409 Conflict", "not a size"),
        ("500 Internal Server Error", "\u{1b}[31m"),
        ("302 Found\r\nLocation: http://127.0.0.1:9/", ""),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = format!(
            "HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let liar = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // The whole request first: closing on bytes that were not read resets the connection.
            let mut read = String::new();
            let mut piece = [0_u8; 4_096];
            while !is_whole(&read) {
                let count = stream.read(&mut piece).unwrap();
                read.push_str(std::str::from_utf8(&piece[..count]).unwrap());
            }
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let tree = Tree(leaves(4, "true"));
        let mut asker = Asker::new(policy([&url, "http://127.0.0.1:9"], "one"));
        let asked = asker.ask(&checkpoint(&tree.0), &tree, http::now());
        liar.join().unwrap();
        assert!(asked.witnessed.is_err(), "{head} {body}");
        assert_eq!(asked.checkpoint.note().signatures().len(), 1);
        let (_, error) = &asked.faults[0];
        assert!(!error.to_string().contains('\u{1b}'), "{error}");
    }
    // What the proofs are made of here.
    let four = leaves(4, "true");
    let pair = |one, two| node_hash(&four[one], &four[two]);
    assert_eq!(proof(2, &four), [pair(2, 3)]);
    assert_eq!(root(&four), node_hash(&pair(0, 1), &pair(2, 3)));
}
