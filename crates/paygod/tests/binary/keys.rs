//! Root keys, from the ceremony to the day the checkpoint key is stolen, each step on its own machine.

use crate::support::{Book, for_owner_alone, paygod, repository, shown, text};
use crate::witness::Serving;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

const ORIGIN: &str = "keys.test/book";

/// A machine: a folder of its own, and the passphrase that its owner knows.
struct Machine(PathBuf);

impl Machine {
    fn new(of: &Book, name: &str) -> Self {
        let folder = of.folder.path().join(name);
        std::fs::create_dir(&folder).expect("made");
        let passphrase = format!("only {name} knows this sentence\n");
        std::fs::write(folder.join("passphrase"), passphrase).expect("written");
        for_owner_alone(&shown(&folder.join("passphrase")));
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        shown(&self.0.join(name))
    }

    /// Runs a command here; what it printed and its exit code.
    fn run(&self, arguments: &[&str]) -> (String, i32) {
        let output = Command::new(env!("CARGO_BIN_EXE_paygod"))
            .args(arguments)
            .current_dir(&self.0)
            .env_remove("PAYGOD_BOOK")
            .env("PAYGOD_PASSPHRASE_FILE", self.path("passphrase"))
            .env("NO_COLOR", "1")
            .output()
            .expect("the binary runs");
        let all = format!("{}{}", text(&output.stdout), text(&output.stderr));
        (all, output.status.code().expect("an exit code"))
    }

    fn yes(&self, arguments: &[&str]) -> String {
        let (printed, code) = self.run(arguments);
        assert_eq!(code, 0, "{arguments:?}\n{printed}");
        printed
    }

    /// Carries a file here.
    fn receive(&self, file: &str) -> String {
        let name = Path::new(file).file_name().expect("a name");
        let to = self.0.join(name);
        std::fs::copy(file, &to).expect("carried");
        shown(&to)
    }
}

/// Three holders with a key each, and what all of them signed.
fn ceremony(of: &Book) -> ([Machine; 3], Vec<String>) {
    let holders = ["root-1", "root-2", "root-3"].map(|name| Machine::new(of, name));
    let operator = Machine::new(of, "operator");
    let mut public = Vec::new();
    for (holder, number) in holders.iter().zip(1..) {
        let name = format!("root-{number}.example");
        holder.yes(&[
            "keys", "ceremony", "new", "--name", &name, "--key", "root.key",
        ]);
        let carried = operator.path(&format!("root-{number}.pub"));
        std::fs::copy(holder.path("root.key.pub"), &carried).expect("carried");
        public.push(carried);
    }
    let mut propose = vec![
        "keys",
        "ceremony",
        "propose",
        "--origin",
        ORIGIN,
        "--threshold",
        "2",
        "--out",
        "roots.txt",
    ];
    propose.extend(public.iter().map(String::as_str));
    operator.yes(&propose);
    let signed = sign(&holders, &operator.path("roots.txt"));
    (holders, signed)
}

/// Each holder signs a document on their own machine.
fn sign(holders: &[Machine], document: &str) -> Vec<String> {
    let mut signed = Vec::new();
    for holder in holders {
        let document = holder.receive(document);
        holder.yes(&[
            "keys", "sign", &document, "--key", "root.key", "--out", "signed",
        ]);
        signed.push(holder.path("signed"));
    }
    signed
}

fn book() -> Book {
    Book {
        folder: tempfile::tempdir().expect("a folder"),
    }
}

fn with<'a>(arguments: &[&'a str], files: &'a [String]) -> Vec<&'a str> {
    let mut all = arguments.to_vec();
    all.extend(files.iter().map(String::as_str));
    all
}

#[test]
fn a_stolen_key_is_revoked_by_two_of_three_holders_and_the_thief_is_refused() {
    revoked(&["init", "--roots"], 1);
}

#[test]
fn revoking_a_stolen_key_of_a_hybrid_book_replaces_its_ml_dsa_key_too() {
    revoked(&["init", "--hybrid", "--roots"], 2);
}

/// Steals what signs a book, in which so many keys sign each checkpoint, and revokes it.
fn revoked(init: &[&str], signing: usize) {
    let book = book();
    let (holders, signed) = ceremony(&book);
    let made = book.value(&with(init, &signed));
    assert_eq!(made["origin"], ORIGIN);
    assert_eq!(made["root_threshold"], 2);
    let fingerprint = made["fingerprint"]
        .as_str()
        .expect("a fingerprint")
        .to_owned();
    book.yes(&["account", "open", "till-eur", "--currency", "EUR"]);

    // The thief takes a copy of everything on the machine and goes on with it.
    let (taken, thief) = (book.path("taken"), book.path("thief"));
    book.yes(&["backup", &taken]);
    let at_thief = |arguments: &[&str]| {
        let mut all = vec!["--book", thief.as_str()];
        all.extend_from_slice(arguments);
        let output = paygod(&all);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    };
    at_thief(&["restore", &taken]);
    at_thief(&["account", "open", "thief-eur", "--currency", "EUR"]);
    at_thief(&["export", &book.path("thief-export")]);

    let draft = book.path("revocation.txt");
    book.yes(&[
        "keys",
        "revoke",
        "draft",
        "--last-good",
        "1",
        "--out",
        &draft,
    ]);
    let by_one = sign(&holders[..1], &draft);
    let out = book.path("revocation.signed");
    let mut seal = vec!["keys", "revoke", "seal", draft.as_str(), "--out", &out];
    seal.push(&by_one[0]);
    let refused = book.code(1, &seal);
    assert!(!Path::new(&out).exists(), "{refused}");
    let by_two = sign(&holders[1..], &draft);
    seal.extend(by_two.iter().map(String::as_str));
    book.yes(&seal);

    let keys = book.json(0, &["keys", "history"]);
    let keys: &Vec<Value> = keys[0].as_array().expect("keys");
    assert_eq!(keys.len(), 2 * signing);
    assert_eq!(keys[0]["last_good"], 1);
    assert_eq!(keys[1]["until"], Value::Null);
    for pair in keys.chunks(2) {
        assert_eq!(pair[0]["until"], pair[1]["since"]);
    }
    book.yes(&["account", "open", "other-eur", "--currency", "EUR"]);
    book.yes(&["keys", "status"]);
    book.yes(&["export", &book.path("export")]);

    let verify = |export: &str, kept: &[&str]| {
        let export = book.path(export);
        let mut all = vec![
            "verify",
            export.as_str(),
            "--genesis",
            &fingerprint,
            "--json",
        ];
        for file in kept {
            all.extend(["--kept", file]);
        }
        let output = paygod(&all);
        let report: Value = serde_json::from_str(&text(&output.stdout)).expect("JSON");
        let check = report["failures"][0]["check"].as_str().unwrap_or("none");
        (output.status.code(), check.to_owned())
    };
    assert_eq!(verify("export", &[]), (Some(0), "none".to_owned()));
    assert_eq!(verify("export", &[&out]), (Some(0), "none".to_owned()));
    // To those who have not heard of it the thief's log looks sound; to the others it does not.
    assert_eq!(verify("thief-export", &[]), (Some(0), "none".to_owned()));
    assert_eq!(
        verify("thief-export", &[&out]),
        (Some(1), "verify.revoked".to_owned())
    );
}

#[test]
fn a_book_is_not_made_until_every_holder_has_signed() {
    let book = book();
    let (_, signed) = ceremony(&book);
    let said = book.run(&with(&["init", "--roots"], &signed[..2]));
    assert_eq!(said.status.code(), Some(1), "{}", text(&said.stderr));
    assert!(text(&said.stderr).contains("root-3.example"));
    let elsewhere = with(
        &["init", "--origin", "elsewhere.test/book", "--roots"],
        &signed,
    );
    let said = book.run(&elsewhere);
    assert_eq!(said.status.code(), Some(1), "{}", text(&said.stderr));
    assert!(!book.folder.path().join("book/segments").exists());
}

#[test]
fn a_holder_signs_nothing_but_a_root_of_trust_that_names_them_or_a_revocation() {
    let book = book();
    let (holders, signed) = ceremony(&book);
    let stranger = Machine::new(&book, "stranger");
    stranger.yes(&[
        "keys",
        "ceremony",
        "new",
        "--name",
        "x.example",
        "--key",
        "root.key",
    ]);
    let (said, code) = stranger.run(&[
        "keys", "sign", &signed[0], "--key", "root.key", "--out", "signed",
    ]);
    assert_eq!(code, 1, "{said}");
    let checkpoint = book.file("checkpoint", "keys.test/book\n1\nAAAA\n");
    let (said, code) = holders[0].run(&[
        "keys",
        "sign",
        &checkpoint,
        "--key",
        "root.key",
        "--out",
        "signed-2",
    ]);
    assert_eq!(code, 2, "{said}");
    // Another's passphrase opens nothing, and is not shown.
    std::fs::copy(stranger.path("passphrase"), holders[0].path("passphrase")).expect("copied");
    let (said, code) = holders[0].run(&[
        "keys", "sign", &signed[1], "--key", "root.key", "--out", "signed-3",
    ]);
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("keys.passphrase") && !said.contains("stranger knows"),
        "{said}"
    );
    assert!(!holders[0].0.join("signed-3").exists());
}

#[test]
fn a_book_without_root_keys_says_so_and_revokes_nothing() {
    let book = Book::empty();
    let said = book.yes(&["keys", "status"]);
    assert!(said.contains("book for development"), "{said}");
    let out = book.path("revocation.txt");
    book.code(
        1,
        &["keys", "revoke", "draft", "--last-good", "0", "--out", &out],
    );
}

#[test]
fn production_refuses_keys_in_files_and_a_book_without_root_keys() {
    let book = book();
    let said = book.code(1, &["--production", "init"]);
    assert!(!book.folder.path().join("book/segments").exists(), "{said}");
    let (_, signed) = ceremony(&book);
    book.code(1, &with(&["--production", "init", "--roots"], &signed));
    book.yes(&with(&["init", "--roots"], &signed));
    book.code(1, &["--production", "keys", "status"]);
    book.yes(&["keys", "status"]);
}

#[test]
fn encrypted_files_sign_rotate_are_restored_and_are_refused_in_production() {
    let book = book();
    let (_, signed) = ceremony(&book);
    let passphrase = book.secret("passphrase", "a long enough sentence\n");
    let folder = book.path("keys");
    let uri = format!("file:{folder}?passphrase-source=file:{passphrase}");
    let refused = |arguments: &[&str]| {
        let output = book.run(arguments);
        assert_eq!(output.status.code(), Some(1));
        let said = text(&output.stderr);
        assert!(said.contains("keys.production"), "{said}");
    };
    let arguments = ["--production", "init", "--keys", &uri, "--roots"];
    refused(&with(&arguments, &signed));
    assert!(!book.folder.path().join("keys").exists());

    book.yes(&with(&["init", "--keys", &uri, "--roots"], &signed));
    book.yes(&["account", "open", "till-eur", "--currency", "EUR"]);
    let rotated = book.value(&["keys", "rotate"]);
    book.yes(&["account", "open", "safe-eur", "--currency", "EUR"]);
    let status = book.value(&["keys", "status"]);
    assert_eq!(status["checkpoint_key"], rotated["new"]);
    book.yes(&["verify"]);
    refused(&["--production", "keys", "status"]);
    // The one in force; the one before was removed.
    let keys = std::fs::read_dir(book.folder.path().join("keys")).expect("listed");
    assert_eq!(keys.count(), 1);

    std::fs::write(&passphrase, "another long sentence\n").expect("written");
    let said = book.code(2, &["keys", "status"]);
    assert!(
        said.contains("keys.passphrase") && !said.contains("another long"),
        "{said}"
    );
    std::fs::write(&passphrase, "a long enough sentence\n").expect("written");
    book.yes(&["keys", "status"]);

    // A copy of the book finds its keys where they were.
    let copy = book.path("copy");
    book.yes(&["backup", &copy]);
    let restored = book.path("restored");
    let output = paygod(&["restore", &copy, "--book", &restored]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let output = paygod(&["keys", "status", "--book", &restored]);
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn a_rotation_of_a_hybrid_book_replaces_both_keys_and_a_backup_has_them() {
    let book = book();
    let made = book.value(&["init", "--hybrid", "--origin", ORIGIN]);
    let rotated = book.value(&["keys", "rotate"]);
    assert_eq!(rotated["hybrid_old"], made["hybrid_key"]);
    assert_ne!(rotated["hybrid_new"], made["hybrid_key"]);
    let status = book.value(&["keys", "status"]);
    assert_eq!(status["hybrid_key"], rotated["hybrid_new"]);
    let shown = book.yes(&["keys", "history"]);
    assert_eq!(shown.matches("(ML-DSA-44)").count(), 2, "{shown}");
    assert_eq!(shown.matches("replaced by entry 1").count(), 2, "{shown}");
    book.yes(&["verify", "--hybrid"]);
    // A receipt is held to both keys, which the command that checks it names.
    let proof = book.path("zero.tlog-proof");
    let proved = book.value(&["prove", "#0", "--out", &proof]);
    let (entry, keys) = (book.path("zero.json"), ["key", "hybrid_key"]);
    let [key, hybrid] = keys.map(|key| proved[key].as_str().expect("a key"));
    let check = [
        "prove", "--check", &proof, "--entry", &entry, "--key", key, "--key", hybrid,
    ];
    book.yes(&check);
    let notes = text(&book.run(&["prove", "#0", "--out", &proof]).stderr);
    assert!(notes.contains(&format!("--key '{hybrid}'")), "{notes}");
    let (copy, restored) = (book.path("copy"), book.path("restored"));
    book.yes(&["backup", &copy]);
    for arguments in [
        ["restore", &copy, "--book", &restored],
        ["keys", "rotate", "--book", &restored],
        ["verify", "--hybrid", "--book", &restored],
    ] {
        let output = paygod(&arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
}

#[test]
fn a_rotation_by_hand_and_one_that_is_due_replace_the_key() {
    let book = Book::empty();
    let rotated = book.value(&["keys", "rotate"]);
    let rotated_from = rotated["old"].as_str().expect("a key").to_owned();
    let early = book.value(&["keys", "rotate", "--age-days", "90", "--signatures", "1000"]);
    assert_eq!(early["rotated"], false);
    let due = book.value(&["keys", "rotate", "--signatures", "1"]);
    assert_eq!(due["old"], rotated["new"]);
    let status = book.value(&["keys", "status"]);
    assert_eq!(status["checkpoint_key"], due["new"]);
    // What was replaced is gone from the folder.
    let files = std::fs::read_dir(book.folder.path().join("book/keys")).expect("listed");
    let checkpoint = files
        .filter(|file| {
            let name = file.as_ref().expect("listed").file_name();
            name.to_string_lossy().starts_with("checkpoint")
        })
        .count();
    assert_eq!(checkpoint, 1, "{rotated_from}");
    book.yes(&["verify"]);
}

#[test]
fn a_policy_of_keys_is_sealed_shown_and_followed() {
    let book = Book::empty();
    assert_eq!(book.value(&["keys", "policy"])["signatures"], Value::Null);
    let kept = book.value(&["keys", "rotate", "--if-due"]);
    assert_eq!(kept["rotated"], false, "a book that says nothing");
    let limits = [
        "--age-days",
        "90",
        "--signatures",
        "1",
        "--unsigned",
        "5000",
    ];
    let said = book.yes(&[&["keys", "policy"], &limits[..], &["--by", "ana"]].concat());
    assert!(said.contains("replaced after 90 days"), "{said}");
    let status = book.yes(&["keys", "status"]);
    assert!(
        status.contains("replaced after 1 checkpoints, at most 5000 entries"),
        "{status}"
    );
    let due = book.value(&["keys", "rotate", "--if-due"]);
    assert_eq!(due["rotated"], true);
    let refused = book.run(&["keys", "policy", "--unsigned", "0"]);
    assert_eq!(refused.status.code(), Some(2));
    book.yes(&["keys", "policy", "--none", "--by", "ana"]);
    let kept = book.value(&["keys", "rotate", "--if-due"]);
    assert_eq!(kept["rotated"], false);
    let shown = book.yes(&["keys", "policy"]);
    assert!(shown.contains("when somebody asks"), "{shown}");
    book.yes(&["verify"]);
}

/// Where Debian puts it.
const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";

/// A token of a test's own: its configuration, and the URI of keys in it under a label.
fn token(book: &Book, label: &str) -> (String, String) {
    let tokens = book.folder.path().join("tokens");
    std::fs::create_dir(&tokens).expect("made");
    let conf = book.file(
        "softhsm2.conf",
        &format!("directories.tokendir = {}\n", tokens.display()),
    );
    let pin = book.file("pin", "1234\n");
    let made = Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", "paygod"])
        .args(["--pin", "1234", "--so-pin", "5678"])
        .env("SOFTHSM2_CONF", &conf)
        .output()
        .expect("softhsm2-util runs");
    assert!(made.status.success());
    let uri =
        format!("pkcs11:token=paygod;object={label}?module-path={SOFTHSM}&pin-source=file:{pin}");
    (conf, uri)
}

#[test]
fn softhsm_book_signs_rotates_and_verifies_with_no_key_on_disk() {
    if !Path::new(SOFTHSM).exists() {
        println!("skipped: SoftHSM2 is not installed (apt-get install softhsm2)");
        return;
    }
    let book = book();
    let (_, signed) = ceremony(&book);
    let tokens = book.folder.path().join("tokens");
    let (conf, uri) = token(&book, "checkpoint");
    let run = |arguments: &[&str], code: i32| -> String {
        let folder = book.path("book");
        let output = Command::new(env!("CARGO_BIN_EXE_paygod"))
            .args(["--book", &folder, "--production"])
            .args(arguments)
            .env("SOFTHSM2_CONF", &conf)
            .env("NO_COLOR", "1")
            .output()
            .expect("the binary runs");
        let all = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{all}");
        all
    };
    run(&with(&["init", "--keys", &uri, "--roots"], &signed), 0);
    run(&["account", "open", "till-eur", "--currency", "EUR"], 0);
    run(&["keys", "rotate"], 0);
    run(&["account", "open", "safe-eur", "--currency", "EUR"], 0);
    let status = run(&["keys", "status"], 0);
    assert!(status.contains("signing works"), "{status}");
    run(&["verify"], 0);
    let files: Vec<_> = std::fs::read_dir(book.folder.path().join("book/keys"))
        .expect("listed")
        .map(|file| {
            file.expect("listed")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    assert!(
        !files.iter().any(|file| file.starts_with("checkpoint")),
        "{files:?}"
    );

    // A publisher's key of packs, found by what was handed out.
    let packs = uri.replace("object=checkpoint", "object=packs");
    let public = book.path("packs.pub");
    let signature = book.path("limits.sig");
    let pack = repository().join("packs/core/payment-limits");
    let pack = pack.to_str().expect("text");
    let new = ["pack", "key", "--name", "packs.test", "--key", &packs];
    let said = run(&new, 2);
    assert!(said.contains("--public"), "{said}");
    for _other in 0..2 {
        std::fs::remove_file(&public).ok();
        run(&[&new[..], &["--public", &public]].concat(), 0);
    }
    run(&[&new[..], &["--public", &public]].concat(), 2);
    let sign = ["pack", "sign", pack, "--key", &packs, "--out", &signature];
    run(&[&sign[..], &["--public", &public]].concat(), 0);
    let verify = ["pack", "verify", pack, "--publisher", &public];
    run(&[&verify[..], &["--signature", &signature]].concat(), 0);

    // The token is taken out: the book still takes requests, and says that checkpoints wait.
    std::fs::rename(&tokens, book.folder.path().join("taken-out")).expect("renamed");
    std::fs::create_dir(&tokens).expect("made");
    let status = run(&["keys", "status"], 0);
    assert!(
        status.contains("signing works"),
        "nothing waits yet: {status}"
    );
    run(&["account", "open", "late-eur", "--currency", "EUR"], 0);
    let status = run(&["keys", "status"], 1);
    assert!(status.contains("checkpoints wait"), "{status}");
    std::fs::remove_dir(&tokens).expect("removed");
    std::fs::rename(book.folder.path().join("taken-out"), &tokens).expect("renamed");
    run(&["keys", "status"], 0);
    run(&["verify"], 0);
}

#[test]
fn softhsm_witness_cosigns_with_no_key_on_disk_and_not_without_its_token() {
    if !Path::new(SOFTHSM).exists() {
        println!("skipped: SoftHSM2 is not installed (apt-get install softhsm2)");
        return;
    }
    let book = Book::empty();
    let (conf, uri) = token(&book, "w1");
    let dir = book.path("witness");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paygod"));
        command.args(["--production", "witness"]).args(arguments);
        command.args(["--dir", &dir]).env("SOFTHSM2_CONF", &conf);
        command.env("NO_COLOR", "1");
        command
    };
    let made = |arguments: &[&str]| {
        let output =
            run(&[&["init", "--name", "w.test/hsm", "--json"], arguments].concat()).output();
        let output = output.expect("the binary runs");
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    let (code, _, refused) = made(&[]);
    assert_eq!(code, Some(2), "{refused}");
    assert!(refused.contains("keys.config"), "{refused}");
    let (code, keys, _) = made(&["--keys", &uri]);
    assert_eq!(code, Some(0));
    let keys: Value = serde_json::from_str(&keys).expect("JSON");
    assert_eq!(keys["ml_dsa_44"], Value::Null);
    let vkey = keys["ed25519"].as_str().expect("a key");
    let log_key = book.value(&["checkpoint"])["keys"][0]["vkey"].clone();
    let added = run(&["add-key", "--key", log_key.as_str().expect("a key")]).status();
    assert!(added.expect("the binary runs").success());
    let files: Vec<_> = std::fs::read_dir(&dir).expect("listed").collect();
    let names = files
        .iter()
        .map(|file| file.as_ref().expect("listed").file_name());
    assert!(
        names
            .into_iter()
            .all(|name| !name.to_string_lossy().ends_with(".key"))
    );

    let ask = |url: &str, code: i32| {
        let policy = format!("witness w {vkey} {url}\nquorum w\n");
        let policy = book.file("policy", &policy);
        book.json(code, &["witness", "ask", "--policy", &policy])
            .remove(0)
    };
    let witness = Serving::start(run(&["serve", "--listen", "127.0.0.1:0"]));
    assert_eq!(ask(&witness.url, 0)["witnessed"], true);
    witness.stop();
    let witness = Serving::start(run(&["serve", "--listen", "127.0.0.1:0"]));
    book.yes(&["account", "open", "a", "--currency", "EUR"]);
    assert_eq!(ask(&witness.url, 0)["size"], 2);
    // The token is taken out, and put back.
    let (tokens, out) = (book.path("tokens"), book.path("taken-out"));
    std::fs::rename(&tokens, &out).expect("renamed");
    std::fs::create_dir(&tokens).expect("made");
    book.yes(&["account", "open", "b", "--currency", "EUR"]);
    let asked = ask(&witness.url, 1);
    assert_eq!(asked["faults"][0]["code"], "witness.unavailable", "{asked}");
    let reason = asked["faults"][0]["reason"].as_str().expect("a reason");
    assert!(reason.contains("its operator knows why"), "{reason}");
    std::fs::remove_dir(&tokens).expect("removed");
    std::fs::rename(&out, &tokens).expect("renamed");
    assert_eq!(ask(&witness.url, 0)["size"], 3);
    witness.stop();
    // Without its token it does not begin to serve.
    std::fs::rename(&tokens, &out).expect("renamed");
    std::fs::create_dir(&tokens).expect("made");
    let output = run(&["serve", "--listen", "127.0.0.1:0"]).output();
    assert_eq!(output.expect("the binary runs").status.code(), Some(3));
}

/// A server that ends with the test.
struct Server(std::process::Child);

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn openbao_book_signs_rotates_and_verifies_with_no_key_on_disk() {
    let bao = std::env::var("PAYGOD_BAO").unwrap_or_else(|_| "bao".to_owned());
    if Command::new(&bao).arg("version").output().is_err() {
        println!(
            "skipped: OpenBao is not installed; put `bao` on the PATH or name it in PAYGOD_BAO"
        );
        return;
    }
    let book = book();
    let (_, signed) = ceremony(&book);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let server = Command::new(&bao)
        .args([
            "server",
            "-dev",
            "-dev-no-store-token",
            "-dev-root-token-id=a-test",
        ])
        .arg(format!("-dev-listen-address={address}"))
        .env("HOME", book.folder.path())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("bao runs");
    let _server = Server(server);
    let mut mounted = false;
    for _ in 0..400 {
        let asked = Command::new(&bao)
            .args(["secrets", "enable", "transit"])
            .env("BAO_ADDR", format!("http://{address}"))
            .env("BAO_TOKEN", "a-test")
            .output()
            .expect("bao runs");
        mounted = asked.status.success();
        if mounted {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(mounted, "the server does not start");
    let token = book.file("token", "a-test\n");
    let run = |arguments: &[&str], code: i32| -> String {
        let output = paygod(&[&["--book", &book.path("book")], arguments].concat());
        let all = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{all}");
        all
    };
    let uri = format!("transit+http://{address}/transit/checkpoint?token-source=file:{token}");
    run(&with(&["init", "--keys", &uri, "--roots"], &signed), 0);
    run(&["account", "open", "till-eur", "--currency", "EUR"], 0);
    run(&["keys", "rotate"], 0);
    run(&["account", "open", "safe-eur", "--currency", "EUR"], 0);
    run(&["verify"], 0);
    let folder = std::fs::read_dir(book.folder.path().join("book/keys")).expect("listed");
    let on_disk = folder.filter(|file| {
        let name = file.as_ref().expect("listed").file_name();
        name.to_string_lossy().starts_with("checkpoint")
    });
    assert_eq!(on_disk.count(), 0);

    // The token is revoked: the book says so and where to look; with a good one it goes on.
    std::fs::write(&token, "another\n").expect("written");
    let refused = run(&["keys", "rotate"], 3);
    assert!(
        refused.contains("keys.token") && !refused.contains("another"),
        "{refused}"
    );
    std::fs::write(&token, "a-test\n").expect("written");
    run(&["keys", "status"], 0);
    run(&["verify"], 0);
}

#[test]
fn ministack_book_signs_rotates_and_verifies_by_credentials_of_the_environment() {
    let named = std::env::var("PAYGOD_MINISTACK");
    let program = named.unwrap_or_else(|_| "ministack".to_owned());
    if Command::new(&program).arg("--help").output().is_err() {
        println!(
            "skipped: ministack is not installed; put `ministack` (pip install ministack cryptography) on the PATH or name it in PAYGOD_MINISTACK"
        );
        return;
    }
    let book = book();
    let (_, signed) = ceremony(&book);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let server = Command::new(&program)
        .env("BIND_HOST", "127.0.0.1")
        .env("GATEWAY_PORT", address.port().to_string())
        .env("IOT_MTLS_ENABLED", "0")
        .env("SERVICES", "kms")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("ministack runs");
    let _server = Server(server);
    let run = |arguments: &[&str], secret: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paygod"));
        command
            .args(["--production", "--book", &book.path("book")])
            .args(arguments)
            .env("HOME", book.folder.path())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("NO_COLOR", "1");
        if let Some(secret) = secret {
            command
                .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
                .env("AWS_SECRET_ACCESS_KEY", secret);
        }
        let output = command.output().expect("the binary runs");
        let all = format!("{}{}", text(&output.stdout), text(&output.stderr));
        (output.status.code(), all)
    };
    let uri = format!("awskms:eu-central-1/checkpoint?endpoint=http://{address}");
    let init = with(&["init", "--keys", &uri, "--roots"], &signed);
    // Nobody is authorised, wherever one looks.
    let (code, said) = run(&init, None);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("keys.token"), "{said}");
    std::fs::remove_dir_all(book.folder.path().join("book")).expect("removed");
    let mut made = run(&init, Some("a-secret-of-a-test"));
    for _ in 0..100 {
        if made.0 == Some(0) {
            break;
        }
        // It is not up yet.
        assert!(made.1.contains("keys.provider"), "{}", made.1);
        std::thread::sleep(std::time::Duration::from_millis(50));
        std::fs::remove_dir_all(book.folder.path().join("book")).expect("removed");
        made = run(&init, Some("a-secret-of-a-test"));
    }
    for arguments in [
        &["account", "open", "till-eur", "--currency", "EUR"][..],
        &["keys", "rotate"],
        &["account", "open", "safe-eur", "--currency", "EUR"],
        &["keys", "status"],
        &["verify"],
    ] {
        let (code, said) = run(arguments, Some("a-secret-of-a-test"));
        assert_eq!(code, Some(0), "{arguments:?}\n{said}");
        assert!(!said.contains("a-secret"), "{said}");
    }

    // A key that pays for anchors, made once and found by its prefix.
    let new = ["anchor", "key", "new", &uri];
    let (code, made) = run(&new, Some("a-secret-of-a-test"));
    assert_eq!(code, Some(0), "{made}");
    let (code, shown) = run(&["anchor", "key", "show", &uri], Some("a-secret-of-a-test"));
    assert_eq!(code, Some(0), "{shown}");
    let address = shown.lines().find(|line| line.contains("ethereum"));
    assert!(made.contains(address.expect("an address")), "{made}");
    let (code, again) = run(&new, Some("a-secret-of-a-test"));
    assert_eq!(code, Some(3), "{again}");
}
