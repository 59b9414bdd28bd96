//! The stock client (`ots` of PyPI `opentimestamps-client` 0.7) and ours read each other's files, against
//! a fake calendar and a fake node on this machine.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use paygod_anchor::bitcoin::{Headers, Network, judge};
use paygod_anchor::calendar::{AllowList, Calendar};
use paygod_anchor::ots::{Attestation, CalendarUri, DetachedFile, FileHash, Op};
use paygod_anchor::practice::{FakeCalendar, Mood};
use paygod_types::Digest;

/// The client, or the reason to skip.
fn client(test: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PAYGOD_OTS").map_or_else(|| PathBuf::from("ots"), PathBuf::from);
    match Command::new(&path).arg("--version").output() {
        Ok(output) if output.status.success() => Some(path),
        _ => {
            println!(
                "skipped {test}: no stock `ots`; `pip install opentimestamps-client==0.7.2` in a venv and name its `ots` in PAYGOD_OTS"
            );
            None
        }
    }
}

fn ots(client: &Path, arguments: &[&str]) -> Output {
    // Nothing of the user's, no public calendar, no cache.
    Command::new(client)
        .arg("--no-cache")
        .args(arguments)
        .env_remove("http_proxy")
        .env_remove("HTTP_PROXY")
        .env("no_proxy", "*")
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Answers what the client asks a node about blocks, from a file of headers.
fn fake_node(headers: &str) -> String {
    let blocks: Vec<(u64, String)> = headers
        .lines()
        .map(|line| {
            line.split_once(' ')
                .map(|(height, header)| (height.parse().unwrap(), header.to_owned()))
                .unwrap()
        })
        .collect();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://node:node@{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let blocks = blocks.clone();
            std::thread::spawn(move || while answer(&stream, &blocks).is_some() {});
        }
    });
    url
}

fn answer(mut stream: &TcpStream, blocks: &[(u64, String)]) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    let number = || {
        body.split_once("\"params\": [")
            .and_then(|(_, rest)| rest.split(']').next()?.trim().parse::<u64>().ok())
    };
    let result = if body.contains("getblockcount") {
        blocks.last()?.0.to_string()
    } else if body.contains("getblockhash") {
        // The height stands in for the hash; the client only hands it back.
        format!("\"{:064x}\"", number()?)
    } else {
        let (height, header) = blocks
            .iter()
            .find(|(height, _)| body.contains(&format!("{height:064x}")))?;
        assert!(*height > 0);
        format!("\"{header}\"")
    };
    let answer = format!("{{\"result\": {result}, \"error\": null, \"id\": 1}}");
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{answer}",
        answer.len()
    )
    .ok()
}

/// Ours, from submission to the block.
fn made_by_us(fake: &FakeCalendar, digest: &Digest) -> DetachedFile {
    let calendar = Calendar::new(
        AllowList::new([fake.url()]).unwrap(),
        Duration::from_secs(5),
    );
    let uri = CalendarUri::new(fake.url()).unwrap();
    let mut timestamp = calendar.submit(&uri, digest.as_bytes()).unwrap();
    let (mut path, mut message): (Vec<Op>, Vec<u8>) = (Vec::new(), Vec::new());
    timestamp
        .walk(digest.as_bytes(), &mut |found| {
            path = found.path.iter().map(|op| (*op).clone()).collect();
            message = found.message().to_vec();
        })
        .unwrap();
    fake.mine(1_700_000_000);
    let more = calendar.upgrade(&uri, &message).unwrap().unwrap();
    timestamp
        .graft(&path.iter().collect::<Vec<_>>(), more)
        .unwrap();
    DetachedFile::new(digest, timestamp)
}

#[test]
fn real_stock_client_verifies_what_we_make() {
    let Some(client) = client("real_stock_client_verifies_what_we_make") else {
        return;
    };
    let fake = FakeCalendar::start(Mood::Honest).unwrap();
    let digest = Digest::sha256(b"paygod.test/book\n7\nroot\n");
    let file = made_by_us(&fake, &digest);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("7.ots");
    std::fs::write(&path, file.to_bytes().unwrap()).unwrap();
    let path = path.to_str().unwrap();

    let info = ots(&client, &["info", path]);
    assert!(info.status.success(), "{}", said(&info));
    assert!(
        said(&info).contains("BitcoinBlockHeaderAttestation(1)"),
        "{}",
        said(&info)
    );

    let node = fake_node(&fake.headers());
    let hex = digest.to_string();
    let verified = ots(
        &client,
        &[
            "--btc-regtest",
            "--bitcoin-node",
            &node,
            "verify",
            "-d",
            &hex,
            path,
        ],
    );
    assert!(verified.status.success(), "{}", said(&verified));
    assert!(
        said(&verified).contains("Success! Bitcoin block 1"),
        "{}",
        said(&verified)
    );

    let other = Digest::sha256(b"another").to_string();
    let refused = ots(
        &client,
        &[
            "--btc-regtest",
            "--bitcoin-node",
            &node,
            "verify",
            "-d",
            &other,
            path,
        ],
    );
    assert!(!refused.status.success(), "{}", said(&refused));
}

#[test]
fn real_stock_client_makes_what_we_verify() {
    let Some(client) = client("real_stock_client_makes_what_we_verify") else {
        return;
    };
    let fake = FakeCalendar::start(Mood::Honest).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("note");
    std::fs::write(&path, "paygod.test/book\n7\nroot\n").unwrap();
    let stamped = ots(
        &client,
        &["stamp", "-m", "1", "-c", fake.url(), path.to_str().unwrap()],
    );
    assert!(stamped.status.success(), "{}", said(&stamped));
    let proof = folder.path().join("note.ots");
    let pending = DetachedFile::parse(&std::fs::read(&proof).unwrap()).unwrap();
    assert!(pending.is_of(&Digest::sha256(b"paygod.test/book\n7\nroot\n")));
    assert_eq!(pending.hash(), FileHash::Sha256);
    assert!(matches!(
        pending.timestamp.attestations()[..],
        [Attestation::Pending(_)]
    ));

    fake.mine(1_700_000_000);
    let upgraded = ots(
        &client,
        &["-l", fake.url(), "upgrade", proof.to_str().unwrap()],
    );
    assert!(upgraded.status.success(), "{}", said(&upgraded));
    let bytes = std::fs::read(&proof).unwrap();
    let file = DetachedFile::parse(&bytes).unwrap();
    assert_eq!(file.to_bytes().unwrap(), bytes);
    let headers = Headers::read(&mut fake.headers().as_bytes(), Network::Regtest).unwrap();
    assert_eq!(judge(&file, &headers).unwrap().height, 1);
}
