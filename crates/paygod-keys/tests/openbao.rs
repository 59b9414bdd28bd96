//! A real key service, OpenBao: each test with a server of its own on loopback. And a fake one, that lies.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use paygod_keys::{Algorithm, NoteKey, Provider, PublicKey, Signer, uri};
use paygod_tlog::{KeyName, NoteSigner};
use serde_json::json;

const TOKEN: &str = "root-token-of-a-test";

/// A server, in memory, that ends with the test.
struct Bao {
    child: Child,
    program: PathBuf,
    address: String,
    home: tempfile::TempDir,
    unseal_key: String,
}

impl Drop for Bao {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Starts a server, or says what is missing.
fn bao(tls: bool) -> Option<Bao> {
    let program = std::env::var_os("PAYGOD_BAO").map_or_else(|| "bao".into(), PathBuf::from);
    if Command::new(&program).arg("version").output().is_err() {
        println!(
            "skipped: OpenBao is not installed; put `bao` on the PATH or name it in PAYGOD_BAO"
        );
        return None;
    }
    let home = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut command = Command::new(&program);
    command
        .args(["server", "-dev-no-store-token"])
        .arg(format!("-dev-root-token-id={TOKEN}"))
        .arg(format!("-dev-listen-address=127.0.0.1:{port}"));
    if tls {
        let certificates = home.path().to_string_lossy().into_owned();
        command.args(["-dev-tls", &format!("-dev-tls-cert-dir={certificates}")]);
    } else {
        command.arg("-dev");
    }
    let child = command
        .env("HOME", home.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut bao = Bao {
        child,
        program,
        address: format!("{}://127.0.0.1:{port}", if tls { "https" } else { "http" }),
        home,
        unseal_key: String::new(),
    };
    let mut lines = BufReader::new(bao.child.stdout.take().unwrap()).lines();
    bao.unseal_key = lines
        .find_map(|line| {
            line.unwrap()
                .strip_prefix("Unseal Key: ")
                .map(str::to_owned)
        })
        .unwrap();
    std::thread::spawn(move || lines.for_each(drop));
    bao.write_token(TOKEN);
    let started = Instant::now();
    while !bao.run(&["secrets", "enable", "transit"]) {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "it does not start"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    Some(bao)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl Bao {
    /// Runs the service's own command line; says whether it succeeded.
    fn run(&self, arguments: &[&str]) -> bool {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env("BAO_ADDR", &self.address)
            .env("BAO_TOKEN", TOKEN)
            .env("HOME", self.home.path());
        let authority = self.authority();
        if authority.exists() {
            command.env("BAO_CACERT", authority);
        }
        command.output().unwrap().status.success()
    }

    fn write_token(&self, token: &str) {
        fs::write(self.home.path().join("token"), format!("{token}\n")).unwrap();
    }

    /// The certificate to trust, under TLS.
    fn authority(&self) -> PathBuf {
        self.home.path().join("vault-ca.pem")
    }

    fn uri(&self) -> String {
        let token = self.home.path().join("token");
        format!(
            "transit+{}/transit/checkpoint?token-source=file:{}",
            self.address,
            token.display()
        )
    }

    fn provider(&self) -> Arc<dyn Provider> {
        uri::open(&self.uri()).unwrap()
    }
}

fn note_key(signer: Arc<dyn Signer>) -> NoteKey {
    NoteKey::new(KeyName::parse("ledger.example/bao").unwrap(), signer).unwrap()
}

fn signs(key: &NoteKey) -> Result<(), String> {
    let signed = key.sign("ledger.example/bao\n1\nroot\n");
    signed.map(drop).map_err(|error| error.to_string())
}

/// The name of a key in the service, out of its id.
fn name_of(key_id: &str) -> String {
    let (_, rest) = key_id.split_once('/').unwrap();
    rest.split_once('#').unwrap().0.to_owned()
}

#[test]
fn openbao_key_is_made_inside_found_by_its_public_half_signs_and_is_deleted() {
    let Some(bao) = bao(false) else { return };
    let provider = bao.provider();
    assert!(provider.is_for_production());
    let old = provider.create(Algorithm::Ed25519).unwrap();
    let new = provider.create(Algorithm::Ed25519).unwrap();
    assert_ne!(old.public_key(), new.public_key());
    // As after a restart.
    let found = bao.provider().find(old.public_key()).unwrap();
    assert_eq!(found.key_id(), old.key_id());
    signs(&note_key(found)).unwrap();
    let name = name_of(old.key_id());
    assert!(!bao.run(&["read", &format!("transit/export/signing-key/{name}")]));

    provider.retire(old.public_key()).unwrap();
    provider.retire(old.public_key()).unwrap();
    assert!(old.sign(b"once more").is_err());
    let error = provider.find(old.public_key()).unwrap_err();
    assert!(
        !error.retry && error.reason.contains("no key of that public half"),
        "{error}"
    );
    signs(&note_key(new)).unwrap();
}

#[test]
fn openbao_key_of_p_256_signs_in_der_is_found_by_its_public_half_and_is_deleted() {
    let Some(bao) = bao(false) else { return };
    let provider = bao.provider();
    let key = provider.create(Algorithm::EcdsaP256).unwrap();
    let beside = provider.create(Algorithm::Ed25519).unwrap();
    let found = bao.provider().find(key.public_key()).unwrap();
    assert_eq!(found.key_id(), key.key_id());
    let note = note_key(found);
    for _ in 0..20 {
        signs(&note).unwrap();
    }
    let vkey = note.verifier_key().to_string();
    assert_eq!(NoteKey::public_key_of(&vkey).unwrap(), *key.public_key());
    provider.retire(key.public_key()).unwrap();
    assert!(provider.find(key.public_key()).is_err());
    signs(&note_key(beside)).unwrap();
}

#[test]
fn openbao_key_that_somebody_rotates_goes_on_signing_as_the_same_key() {
    let Some(bao) = bao(false) else { return };
    let key = bao.provider().create(Algorithm::Ed25519).unwrap();
    let path = format!("transit/keys/{}", name_of(key.key_id()));
    assert!(bao.run(&["write", "-f", &format!("{path}/rotate")]));
    signs(&note_key(Arc::clone(&key))).unwrap();
    let found = bao.provider().find(key.public_key()).unwrap();
    assert_eq!(found.key_id(), key.key_id());
    signs(&note_key(found)).unwrap();
}

#[test]
fn openbao_key_that_could_leave_the_service_is_refused() {
    let Some(bao) = bao(false) else { return };
    let key = bao.provider().create(Algorithm::Ed25519).unwrap();
    let path = format!("transit/keys/{}/config", name_of(key.key_id()));
    assert!(bao.run(&["write", &path, "exportable=true"]));
    let error = bao.provider().find(key.public_key()).unwrap_err();
    assert!(
        !error.retry && error.reason.contains("can be exported"),
        "{error}"
    );
}

#[test]
fn openbao_token_that_is_refused_is_named_by_its_file_and_a_renewed_one_is_taken_up() {
    let Some(bao) = bao(false) else { return };
    let key = note_key(bao.provider().create(Algorithm::Ed25519).unwrap());
    for wrong in ["an-expired-token", "", "two words", "caf\u{e9}"] {
        bao.write_token(wrong);
        let error = bao.provider().create(Algorithm::Ed25519).unwrap_err();
        assert_eq!(error.code.as_str(), "keys.token", "{error}");
        assert!(error.reason.contains("/token`"), "{error}");
        assert!(wrong.is_empty() || !format!("{error} {error:?}").contains(wrong));
        assert!(signs(&key).is_err());
    }
    fs::remove_file(bao.home.path().join("token")).unwrap();
    assert!(signs(&key).unwrap_err().contains("the token's file"));
    bao.write_token(TOKEN);
    signs(&key).unwrap();
}

#[test]
fn openbao_that_is_sealed_or_gone_is_away_and_taken_up_again() {
    let Some(mut bao) = bao(false) else { return };
    let provider = bao.provider();
    let key = note_key(provider.create(Algorithm::Ed25519).unwrap());
    let public = NoteKey::public_key_of(&key.verifier_key().to_string()).unwrap();
    assert!(bao.run(&["operator", "seal"]));
    let error = provider.find(&public).unwrap_err();
    assert!(
        error.retry && error.code.as_str() == "keys.provider",
        "{error}"
    );
    assert!(signs(&key).unwrap_err().contains("unsealed"));
    let unseal_key = bao.unseal_key.clone();
    assert!(bao.run(&["operator", "unseal", &unseal_key]));
    signs(&key).unwrap();
    bao.child.kill().unwrap();
    bao.child.wait().unwrap();
    let error = provider.find(&public).unwrap_err();
    assert!(
        error.retry && error.code.as_str() == "keys.provider",
        "{error}"
    );
}

#[test]
fn openbao_under_tls_is_trusted_by_the_certificates_given_and_no_others() {
    let Some(bao) = bao(true) else { return };
    let uri = format!("{}&ca-source=file:{}", bao.uri(), bao.authority().display());
    let provider = uri::open(&uri).unwrap();
    signs(&note_key(provider.create(Algorithm::Ed25519).unwrap())).unwrap();
    // Without them the public authorities are trusted, who know nothing of it.
    assert!(bao.provider().create(Algorithm::Ed25519).is_err());
    let empty = bao.home.path().join("empty.pem");
    fs::write(&empty, "").unwrap();
    let error = uri::open(&format!("{}&ca-source={}", bao.uri(), empty.display())).unwrap_err();
    assert_eq!(error.code.as_str(), "keys.config");
}

/// A service that is none: answers every request by what `answer` says of its first line.
fn fake_transit(
    answer: impl Fn(&str) -> String + Send + 'static,
) -> (tempfile::TempDir, Arc<dyn Provider>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut first, mut length) = (String::new(), 0);
            reader.read_line(&mut first).unwrap();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = text.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            reader.take(length).read_to_end(&mut Vec::new()).unwrap();
            // The other side may have had enough.
            drop(stream.write_all(answer(first.trim()).as_bytes()));
        }
    });
    let home = tempfile::tempdir().unwrap();
    let token = home.path().join("token");
    fs::write(&token, TOKEN).unwrap();
    let uri = format!(
        "transit+http://127.0.0.1:{port}/transit/checkpoint?token-source={}",
        token.display()
    );
    (home, uri::open(&uri).unwrap())
}

fn reply(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The answers of a fake service with one key, whose signatures are these.
fn with_signature(line: &str, signature: &str) -> String {
    let name = "checkpoint-0123456789abcdef";
    if line.contains("list=true") {
        return reply(
            "200 OK",
            &json!({"data": {"keys": [name, "other"]}}).to_string(),
        );
    }
    if line.contains("/sign/") {
        return reply(
            "200 OK",
            &json!({"data": {"signature": signature}}).to_string(),
        );
    }
    let key = json!({
        "type": "ed25519", "exportable": false, "allow_plaintext_backup": false, "derived": false,
        "keys": {"3": {"public_key": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="}},
    });
    reply("200 OK", &json!({"data": key}).to_string())
}

fn public() -> PublicKey {
    PublicKey {
        algorithm: Algorithm::Ed25519,
        bytes: vec![1; 32],
    }
}

#[test]
fn a_fake_service_that_signs_by_another_version_or_with_rubbish_is_refused() {
    let zeros = "A".repeat(86);
    for (signature, well_formed) in [
        (format!("vault:v3:{zeros}=="), true),
        (format!("vault:v4:{zeros}=="), false),
        (format!("vault:v33:{zeros}=="), false),
        (format!("{zeros}=="), false),
        ("vault:v3:AAAA".to_owned(), false),
        ("vault:v3:!".to_owned(), false),
        (String::new(), false),
    ] {
        let told = signature.clone();
        let (_home, provider) = fake_transit(move |line| with_signature(line, &told));
        let key = provider.find(&public()).unwrap();
        assert_eq!(key.sign(b"text").is_ok(), well_formed, "{signature}");
    }
}

#[test]
fn a_fake_service_with_rubbish_floods_refusals_or_a_redirect_gives_an_error_of_one_line() {
    let flood = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}",
        "[".repeat(3 << 20)
    );
    let words =
        json!({"errors": [format!("no\nsuch\u{1b}[31m {}", "x".repeat(5_000))]}).to_string();
    let away = "HTTP/1.1 307 Temporary Redirect\r\nConnection: close\r\nLocation: http://127.0.0.1:1/\r\n\
                Content-Length: 0\r\n\r\n";
    for (answer, retry) in [
        (reply("200 OK", "not json"), false),
        (reply("200 OK", r#"{"data":{"keys":[1]}}"#), false),
        (
            reply(
                "200 OK",
                &format!(r#"{{"data":{{"keys":{}"#, "[".repeat(100_000)),
            ),
            false,
        ),
        (reply("400 Bad Request", &words), false),
        (reply("418 I am none", ""), false),
        (reply("503 Service Unavailable", ""), true),
        (flood, true),
        (away.to_owned(), false),
        (String::new(), true),
    ] {
        let shown: String = answer.chars().take(60).collect();
        let (_home, provider) = fake_transit(move |_| answer.clone());
        let error = provider.find(&public()).unwrap_err();
        assert_eq!(error.retry, retry, "{shown}: {error}");
        let text = error.to_string();
        assert!(
            text.len() < 500 && !text.contains(char::is_control),
            "{shown}: {text}"
        );
    }
}
