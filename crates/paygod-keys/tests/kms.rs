//! AWS KMS, as far as it can be had here: `ministack`, which keeps real Ed25519 keys behind KMS's interface, on
//! loopback; a proxy before it that lies, throttles and dawdles, and says so in its name; and, because no KMS that
//! runs here has ML-DSA, a fake of our own for those keys, after AWS's description.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

#[path = "kms/fake.rs"]
mod fake;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use paygod_keys::{Algorithm, NoteKey, Provider, PublicKey, Signer, uri};
use paygod_tlog::{KeyName, NoteSigner};
use serde_json::{Value, json};
use sha2::Sha256;

const REGION: &str = "eu-central-1";
const ACCESS_KEY: &str = "AKIDEXAMPLE";
const SECRET_KEY: &str = "a-secret-of-a-test";
const SESSION: &str = "a-session-of-a-test";

/// One server for all tests of this file: each has a prefix of its own.
struct Ministack {
    address: String,
    /// When it closes, with this process, the server ends.
    _alive: ChildStdin,
}

/// The server, or what is missing.
fn ministack() -> Option<&'static str> {
    static SERVER: OnceLock<Option<Ministack>> = OnceLock::new();
    let server = SERVER.get_or_init(start).as_ref();
    if server.is_none() {
        println!(
            "skipped: ministack is not installed; put `ministack` (pip install ministack cryptography) on the PATH or name it in PAYGOD_MINISTACK"
        );
    }
    server.map(|server| server.address.as_str())
}

#[allow(
    clippy::zombie_processes,
    reason = "it outlives its tests: it ends when this process does"
)]
fn start() -> Option<Ministack> {
    let named = std::env::var_os("PAYGOD_MINISTACK");
    let program = named.map_or_else(|| "ministack".into(), PathBuf::from);
    let help = Command::new(&program).arg("--help").output().ok()?;
    if !help.status.success() {
        return None;
    }
    let port = free_port();
    let mut shell = Command::new("sh")
        .args(["-c", r#""$0" & read -r _; kill $!"#])
        .arg(&program)
        .env("BIND_HOST", "127.0.0.1")
        .env("GATEWAY_PORT", port.to_string())
        .env("IOT_MTLS_ENABLED", "0")
        .env("SERVICES", "kms")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let server = Ministack {
        address: format!("http://127.0.0.1:{port}"),
        _alive: shell.stdin.take().unwrap(),
    };
    let began = Instant::now();
    // It tries its port before it listens: only an answer tells that it is there.
    let answers = |address: &str| {
        let request = ureq::get(address).config().http_status_as_error(false);
        let request = request.timeout_global(Some(Duration::from_secs(1)));
        request.build().call().is_ok()
    };
    while !answers(&server.address) {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "it does not start"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    Some(server)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Asks KMS for something as its operator would.
fn ask(address: &str, operation: &str, body: &Value) -> Value {
    let scope = format!(
        "AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20261125/{REGION}/kms/aws4_request, SignedHeaders=host, Signature=0"
    );
    let answer = ureq::post(address)
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", format!("TrentService.{operation}"))
        .header("authorization", scope)
        .send(body.to_string());
    let text = answer.unwrap().into_body().read_to_string().unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A home with credentials, and where KMS is asked.
struct Home {
    folder: tempfile::TempDir,
    address: String,
}

impl Home {
    fn at(address: &str) -> Self {
        let home = Self {
            folder: tempfile::tempdir().unwrap(),
            address: address.to_owned(),
        };
        home.write_credentials(SECRET_KEY);
        home
    }

    fn write_credentials(&self, secret: &str) {
        let text = format!(
            "[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {secret}\naws_session_token = {SESSION}\n"
        );
        fs::write(self.folder.path().join("credentials"), text).unwrap();
    }

    fn provider(&self, prefix: &str) -> Arc<dyn Provider> {
        let uri = format!(
            "awskms:{REGION}/{prefix}?endpoint={}&credentials-source=file:{}",
            self.address,
            self.folder.path().join("credentials").display()
        );
        uri::open(&uri).unwrap()
    }
}

fn note_key(signer: Arc<dyn Signer>) -> NoteKey {
    NoteKey::new(KeyName::parse("ledger.example/kms").unwrap(), signer).unwrap()
}

fn signs(key: &NoteKey) -> Result<(), String> {
    let signed = key.sign("ledger.example/kms\n1\nroot\n");
    signed.map(drop).map_err(|error| error.to_string())
}

fn alias(prefix: &str, public: &PublicKey) -> String {
    let hex: String = public
        .bytes
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("alias/{prefix}-{hex}")
}

#[test]
fn ministack_key_is_made_inside_found_by_its_public_half_signs_and_is_deleted() {
    let Some(address) = ministack() else { return };
    let home = Home::at(address);
    let provider = home.provider("first");
    assert!(provider.is_for_production());
    let old = provider.create(Algorithm::Ed25519).unwrap();
    let new = provider.create(Algorithm::Ed25519).unwrap();
    assert_ne!(old.public_key(), new.public_key());
    // As after a restart.
    let found = home.provider("first").find(old.public_key()).unwrap();
    assert_eq!(found.key_id(), old.key_id());
    signs(&note_key(found)).unwrap();
    // Another book's keys are not this one's.
    assert!(home.provider("second").find(old.public_key()).is_err());

    provider.retire(old.public_key()).unwrap();
    provider.retire(old.public_key()).unwrap();
    assert!(old.sign(b"once more").is_err());
    let error = provider.find(old.public_key()).unwrap_err();
    assert!(
        !error.retry && error.reason.contains("PendingDeletion"),
        "{error}"
    );
    signs(&note_key(new)).unwrap();
    let long = provider.create(Algorithm::Ed25519).unwrap();
    assert!(long.sign(&[0; 4_097]).is_err());
    provider
        .retire(&PublicKey {
            algorithm: Algorithm::Ed25519,
            bytes: vec![7; 32],
        })
        .unwrap();
}

#[test]
fn ministack_key_of_p_256_signs_in_der_is_found_by_its_public_half_and_is_deleted() {
    let Some(address) = ministack() else { return };
    let home = Home::at(address);
    let provider = home.provider("p256");
    let key = provider.create(Algorithm::EcdsaP256).unwrap();
    let found = home.provider("p256").find(key.public_key()).unwrap();
    assert_eq!(found.key_id(), key.key_id());
    let note = note_key(found);
    for _ in 0..20 {
        signs(&note).unwrap();
    }
    let vkey = note.verifier_key().to_string();
    assert_eq!(NoteKey::public_key_of(&vkey).unwrap(), *key.public_key());
    provider.retire(key.public_key()).unwrap();
    assert!(provider.find(key.public_key()).is_err());
}

#[test]
fn ministack_key_that_is_disabled_is_named_and_taken_up_again_once_enabled() {
    let Some(address) = ministack() else { return };
    let home = Home::at(address);
    let provider = home.provider("disabled");
    let key = provider.create(Algorithm::Ed25519).unwrap();
    let of = json!({ "KeyId": key.key_id() });
    ask(address, "DisableKey", &of);
    let error = key.sign(b"text").unwrap_err();
    assert!(
        !error.retry && error.reason.contains("DisabledException"),
        "{error}"
    );
    let error = provider.find(key.public_key()).unwrap_err();
    assert!(error.reason.contains("is Disabled"), "{error}");
    ask(address, "EnableKey", &of);
    signs(&note_key(provider.find(key.public_key()).unwrap())).unwrap();
}

#[test]
fn ministack_key_of_another_kind_imported_or_behind_a_moved_alias_is_refused() {
    let Some(address) = ministack() else { return };
    let home = Home::at(address);
    let provider = home.provider("wrong");
    let public = PublicKey {
        algorithm: Algorithm::Ed25519,
        bytes: vec![1; 32],
    };
    for (spec, origin, said) in [
        ("ECC_NIST_P256", "AWS_KMS", "of another kind"),
        ("ECC_NIST_EDWARDS25519", "EXTERNAL", "was not made in KMS"),
        ("ECC_NIST_EDWARDS25519", "AWS_KMS", "another key"),
    ] {
        let wanted = json!({ "KeySpec": spec, "KeyUsage": "SIGN_VERIFY", "Origin": origin });
        let made = ask(address, "CreateKey", &wanted);
        let of = json!({
            "AliasName": alias("wrong", &public), "TargetKeyId": made["KeyMetadata"]["KeyId"],
        });
        ask(address, "CreateAlias", &of);
        let error = provider.find(&public).unwrap_err();
        assert!(
            !error.retry && error.reason.contains(said),
            "{said}: {error}"
        );
        // Nor is somebody else's key deleted as one of ours.
        assert!(provider.retire(&public).is_err());
        ask(
            address,
            "DeleteAlias",
            &json!({ "AliasName": alias("wrong", &public) }),
        );
    }
    // A signer goes on by its own key, wherever the alias points.
    let (key, other) = (
        provider.create(Algorithm::Ed25519).unwrap(),
        provider.create(Algorithm::Ed25519).unwrap(),
    );
    let moved = json!({
        "AliasName": alias("wrong", key.public_key()), "TargetKeyId": other.key_id(),
    });
    ask(address, "UpdateAlias", &moved);
    signs(&note_key(Arc::clone(&key))).unwrap();
    assert!(provider.find(key.public_key()).is_err());
}

/// A request as it came.
struct Asked {
    operation: String,
    headers: BTreeMap<String, String>,
    body: String,
}

/// What the proxy says in place of KMS; `None`: what KMS says.
type Lie = Box<dyn FnMut(&Asked) -> Option<String> + Send>;

/// A proxy before KMS that lies, throttles and dawdles. How often each operation was asked for.
fn lying_proxy(to: &str, lie: Lie) -> (String, Arc<Mutex<BTreeMap<String, u32>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked: Arc<Mutex<BTreeMap<String, u32>>> = Arc::default();
    let (counts, to, lie) = (Arc::clone(&asked), to.to_owned(), Arc::new(Mutex::new(lie)));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (counts, to, lie) = (Arc::clone(&counts), to.clone(), Arc::clone(&lie));
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                let Some(asked) = receive(&stream) else {
                    return;
                };
                *counts
                    .lock()
                    .unwrap()
                    .entry(asked.operation.clone())
                    .or_default() += 1;
                let told = (lie.lock().unwrap())(&asked);
                let told = told.unwrap_or_else(|| forward(&to, &asked));
                // The other side may have had enough.
                drop(stream.write_all(told.as_bytes()));
            });
        }
    });
    (address, asked)
}

fn receive(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut headers = BTreeMap::new();
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    assert_eq!(line.trim(), "POST / HTTP/1.1");
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers["content-length"].parse().unwrap();
    let mut body = String::new();
    reader.take(length).read_to_string(&mut body).unwrap();
    let target = &headers["x-amz-target"];
    Some(Asked {
        operation: target.strip_prefix("TrentService.").unwrap().to_owned(),
        headers,
        body,
    })
}

fn forward(to: &str, asked: &Asked) -> String {
    let mut request = ureq::post(to).config().http_status_as_error(false).build();
    for name in ["content-type", "x-amz-target", "authorization"] {
        request = request.header(name, &asked.headers[name]);
    }
    let answer = request.send(&asked.body).unwrap();
    let status = answer.status();
    reply(
        &status.to_string(),
        &answer.into_body().read_to_string().unwrap(),
    )
}

fn reply(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn refusal(status: &str, kind: &str) -> String {
    let body = json!({ "__type": format!("com.amazonaws.kms#{kind}"), "message": "said\nso" });
    reply(status, &body.to_string())
}

/// The first answers to an operation, in turn; after them what KMS says.
fn first(operation: &'static str, answers: Vec<String>) -> Lie {
    let mut answers = answers.into_iter();
    Box::new(move |asked| {
        (asked.operation == operation)
            .then(|| answers.next())
            .flatten()
    })
}

#[test]
fn ministack_behind_a_proxy_that_throttles_or_fails_is_asked_again_and_not_for_ever() {
    let Some(address) = ministack() else { return };
    let throttled = || refusal("400 Bad Request", "ThrottlingException");
    let broken = || refusal("500 Internal Server Error", "KMSInternalException");
    let twice = vec![throttled(), broken()];
    let (proxy, asked) = lying_proxy(address, first("Sign", twice));
    let home = Home::at(&proxy);
    let key = home.provider("busy").create(Algorithm::Ed25519).unwrap();
    signs(&note_key(Arc::clone(&key))).unwrap();
    assert_eq!(asked.lock().unwrap()["Sign"], 3);

    let (proxy, asked) = lying_proxy(address, first("Sign", vec![throttled(); 50]));
    let home = Home::at(&proxy);
    let provider = home.provider("busy");
    let found = provider.find(key.public_key()).unwrap();
    let began = Instant::now();
    let error = found.sign(b"text").unwrap_err();
    assert!(
        error.retry && error.code.as_str() == "keys.provider",
        "{error}"
    );
    assert!(error.reason.contains("ThrottlingException said"), "{error}");
    assert_eq!(asked.lock().unwrap()["Sign"], 4);
    assert!(began.elapsed() < Duration::from_secs(15));
}

#[test]
fn ministack_that_may_have_made_a_key_is_not_asked_for_another() {
    let Some(address) = ministack() else { return };
    let broken = vec![refusal("500 Internal Server Error", "KMSInternalException")];
    let (proxy, asked) = lying_proxy(address, first("CreateKey", broken));
    let home = Home::at(&proxy);
    let made = home.provider("once").create(Algorithm::Ed25519);
    let error = made.unwrap_err();
    assert!(error.retry, "{error}");
    assert_eq!(asked.lock().unwrap()["CreateKey"], 1);
    // KMS said that it made none.
    let throttled = vec![refusal("400 Bad Request", "ThrottlingException")];
    let (proxy, asked) = lying_proxy(address, first("CreateKey", throttled));
    let home = Home::at(&proxy);
    let provider = home.provider("once");
    provider.create(Algorithm::Ed25519).unwrap();
    assert_eq!(asked.lock().unwrap()["CreateKey"], 2);
    // One that could not be given its name does not stay.
    let refused = vec![refusal("400 Bad Request", "LimitExceededException")];
    let (proxy, asked) = lying_proxy(address, first("CreateAlias", refused));
    let home = Home::at(&proxy);
    let provider = home.provider("once");
    assert!(provider.create(Algorithm::Ed25519).is_err());
    assert_eq!(asked.lock().unwrap()["ScheduleKeyDeletion"], 1);
}

#[test]
fn ministack_key_that_is_not_known_everywhere_yet_is_waited_for() {
    let Some(address) = ministack() else { return };
    let absent = || refusal("400 Bad Request", "NotFoundException");
    for operation in ["GetPublicKey", "CreateAlias", "DescribeKey", "Sign"] {
        let (proxy, _) = lying_proxy(address, first(operation, vec![absent(), absent()]));
        let home = Home::at(&proxy);
        let provider = home.provider("new");
        let key = provider.create(Algorithm::Ed25519).unwrap();
        signs(&note_key(key)).unwrap();
    }
    // An answer that was lost: the alias is there when it is asked for again.
    let mut lost = false;
    let to = address.to_owned();
    let lie: Lie = Box::new(move |asked| {
        if asked.operation != "CreateAlias" || std::mem::replace(&mut lost, true) {
            return None;
        }
        forward(&to, asked);
        Some(String::new())
    });
    let (proxy, _) = lying_proxy(address, lie);
    let home = Home::at(&proxy);
    let provider = home.provider("new");
    signs(&note_key(provider.create(Algorithm::Ed25519).unwrap())).unwrap();
}

#[test]
fn ministack_refusing_credentials_names_their_file_and_takes_up_renewed_ones() {
    let Some(address) = ministack() else { return };
    let valid = Arc::new(Mutex::new(SECRET_KEY.to_owned()));
    let known = Arc::clone(&valid);
    let lie: Lie = Box::new(move |asked| {
        (!is_signed_by(asked, &known.lock().unwrap()))
            .then(|| refusal("400 Bad Request", "ExpiredTokenException"))
    });
    let (proxy, asked) = lying_proxy(address, lie);
    let home = Home::at(&proxy);
    let provider = home.provider("expired");
    let key = note_key(provider.create(Algorithm::Ed25519).unwrap());
    signs(&key).unwrap();
    // Expired, and nobody has renewed them.
    "another-secret".clone_into(&mut valid.lock().unwrap());
    let public = NoteKey::public_key_of(&key.verifier_key().to_string()).unwrap();
    let before = asked.lock().unwrap()["DescribeKey"];
    let error = provider.find(&public).unwrap_err();
    assert_eq!(error.code.as_str(), "keys.token", "{error}");
    assert!(error.reason.contains("/credentials`"), "{error}");
    assert_eq!(asked.lock().unwrap()["DescribeKey"], before + 2);
    let told = format!("{error} {error:?} {provider:?} {key:?}");
    for secret in [SECRET_KEY, SESSION, "another-secret", ACCESS_KEY] {
        assert!(!told.contains(secret), "{told}");
    }
    // Renewed: the very next signature, by the same signer.
    home.write_credentials("another-secret");
    signs(&key).unwrap();
    fs::write(home.folder.path().join("credentials"), "[other]\n").unwrap();
    let error = home.provider("expired").find(&public).unwrap_err();
    assert_eq!(error.code.as_str(), "keys.token", "{error}");
}

#[test]
fn ministack_behind_a_proxy_that_lies_is_not_believed() {
    let Some(address) = ministack() else { return };
    let home = Home::at(address);
    let made = home.provider("lies").create(Algorithm::Ed25519);
    let key = made.unwrap();
    let arn = key.key_id();
    let signed = |key: &str, algorithm: &str, signature: &[u8]| {
        let body = json!({
            "KeyId": key, "SigningAlgorithm": algorithm, "Signature": STANDARD.encode(signature),
        });
        reply("200 OK", &body.to_string())
    };
    let raw = "ED25519_SHA_512";
    let other = "arn:aws:kms:eu-central-1:000000000000:key/other";
    let flood = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}",
        "[".repeat(3 << 20)
    );
    let redirect = "HTTP/1.1 307 Temporary Redirect\r\nConnection: close\r\nLocation: http://127.0.0.1:1/\r\n\
                    Content-Length: 0\r\n\r\n";
    for (answer, said) in [
        (reply("200 OK", ""), "does not give"),
        (reply("200 OK", "{}"), "does not give"),
        (reply("200 OK", "null"), "does not give"),
        (reply("200 OK", &"[".repeat(100_000)), "does not give"),
        (signed(other, raw, &[1; 64]), "no Ed25519 signature"),
        (signed(arn, "ECDSA_SHA_256", &[1; 64]), "no Ed25519"),
        (signed(arn, raw, &[1; 63]), "no Ed25519 signature"),
        (signed(arn, raw, &[1; 64]), "not its own"),
        (flood, "limit"),
        (redirect.to_owned(), "307"),
        (reply("418 I'm a teapot", "\u{1b}[31m"), "418"),
        (String::new(), "`http://127.0.0.1"),
    ] {
        let shown: String = answer.chars().take(90).collect();
        let (proxy, _) = lying_proxy(address, first("Sign", vec![answer; 10]));
        let home = Home::at(&proxy);
        let provider = home.provider("lies");
        let error = signs(&note_key(provider.find(key.public_key()).unwrap())).unwrap_err();
        assert!(error.contains(said), "{shown}: {error}");
        assert!(
            error.len() < 600 && !error.contains(char::is_control),
            "{error}"
        );
    }
    for operation in ["DescribeKey", "GetPublicKey"] {
        let (proxy, _) = lying_proxy(address, first(operation, vec![reply("200 OK", ""); 10]));
        let home = Home::at(&proxy);
        assert!(home.provider("lies").find(key.public_key()).is_err());
    }
}

#[test]
fn ministack_behind_a_proxy_that_never_answers_is_waited_for_only_so_long() {
    let Some(address) = ministack() else { return };
    let home = Home::at(address);
    let made = home.provider("slow").create(Algorithm::Ed25519);
    let key = made.unwrap();
    let lie: Lie = Box::new(|asked| {
        if asked.operation == "Sign" {
            // Longer than anybody waits.
            std::thread::park_timeout(Duration::from_secs(60));
        }
        None
    });
    let (proxy, _) = lying_proxy(address, lie);
    let home = Home::at(&proxy);
    let found = home.provider("slow").find(key.public_key()).unwrap();
    let began = Instant::now();
    let error = found.sign(b"text").unwrap_err();
    let took = began.elapsed();
    assert!(
        error.retry && error.code.as_str() == "keys.provider",
        "{error}"
    );
    assert!(took < Duration::from_secs(20), "{took:?}");
}

/// Signature Version 4, worked out here from AWS's description of it and from nothing else.
fn is_signed_by(asked: &Asked, secret: &str) -> bool {
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let sha256 = |text: &str| paygod_types::Digest::sha256(text.as_bytes()).to_string();
    let mac = |key: &[u8], text: &str| -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().to_vec()
    };
    let authorization = &asked.headers["authorization"];
    let part = |name: &str| {
        let (_, rest) = authorization.split_once(name).unwrap();
        rest.split([',', ' ']).next().unwrap().to_owned()
    };
    let (credential, names) = (part("Credential="), part("SignedHeaders="));
    let (access_key, scope) = credential.split_once('/').unwrap();
    let date = scope.split('/').next().unwrap();
    assert_eq!(access_key, ACCESS_KEY);
    assert_eq!(scope, format!("{date}/{REGION}/kms/aws4_request"));
    for name in ["host", "x-amz-target", "x-amz-security-token", "x-amz-date"] {
        assert!(names.split(';').any(|one| one == name), "{names}");
    }
    assert_eq!(asked.headers["x-amz-security-token"], SESSION);
    assert_eq!(asked.headers["x-amz-content-sha256"], sha256(&asked.body));
    let headers: String = names
        .split(';')
        .map(|name| format!("{name}:{}\n", asked.headers[name]))
        .collect();
    let canonical = format!("POST\n/\n\n{headers}\n{names}\n{}", sha256(&asked.body));
    let time = &asked.headers["x-amz-date"];
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", sha256(&canonical));
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in scope.split('/') {
        key = mac(&key, part);
    }
    hex(&mac(&key, &to_sign)) == part("Signature=")
}

#[test]
fn ministack_key_that_pays_is_made_once_found_by_its_prefix_and_signs_digests_with_a_low_s() {
    let Some(address) = ministack() else { return };
    let home = Home::at(address);
    let provider = home.provider("pays");
    assert!(provider.sole(Algorithm::Secp256k1).is_err());
    let made = provider.create(Algorithm::Secp256k1).unwrap();
    let found = home.provider("pays").sole(Algorithm::Secp256k1).unwrap();
    assert_eq!(found.key_id(), made.key_id());
    assert_eq!(found.public_key(), made.public_key());
    let point = secp256k1::PublicKey::from_slice(&found.public_key().bytes).unwrap();
    let verifier = secp256k1::Secp256k1::verification_only();
    for number in 0..20_u8 {
        let digest = [number; 32];
        let compact = found.sign(&digest).unwrap();
        let signature = secp256k1::ecdsa::Signature::from_compact(&compact).unwrap();
        let mut low = signature;
        low.normalize_s();
        assert_eq!(low, signature);
        let message = secp256k1::Message::from_digest(digest);
        verifier.verify_ecdsa(&message, &signature, &point).unwrap();
    }
    assert!(found.sign(&[1; 31]).is_err());
    assert!(found.sign(&[1; 33]).is_err());
    // A second one would leave it open which of them pays, and does not stay.
    let error = provider.create(Algorithm::Secp256k1).unwrap_err();
    assert!(!error.retry, "{error}");
    let again = provider.sole(Algorithm::Secp256k1).unwrap();
    assert_eq!(again.key_id(), made.key_id());
    // Keys that sign for books are not found so.
    assert!(provider.sole(Algorithm::Ed25519).is_err());
}
