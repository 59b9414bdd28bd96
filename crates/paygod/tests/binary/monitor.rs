//! A monitor of a book that is served by a web server, and the alarms it raises.

use crate::support::{Book, paygod, repository, text};
use crate::web::{Web, told, whole};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A book of some bundles, its exports on a web server, and a webhook.
struct Scene {
    book: Book,
    genesis: String,
    web: Arc<Web>,
    export: String,
    hook: String,
    alarms: Arc<Web>,
}

/// What authorises whoever raises alarms.
const SECRET: &str = "services-T0-B0-XXXX";

impl Scene {
    fn new() -> Self {
        let book = Book::empty();
        let genesis = book.value(&["checkpoint"])["fingerprint"].clone();
        let genesis = genesis.as_str().expect("a fingerprint").to_owned();
        let (alarms, hook) = Web::serve(&book.path("nothing"));
        let hook = book.file("webhook", &format!("{hook}/{SECRET}\n"));
        let (web, export) = Web::serve(&book.path("nothing"));
        let scene = Self {
            book,
            genesis,
            web,
            export,
            hook,
            alarms,
        };
        scene.grow("first", 0..300);
        scene
    }

    /// More entries, exported and shown.
    fn grow(&self, export: &str, accounts: std::ops::Range<u32>) -> PathBuf {
        let line = |n| {
            format!(
                "{{\"by\":\"ana\",\"id\":\"open-{n}\",\"account_open\":{{\"account\":\"a-{n}\",\"currency\":\"EUR\"}}}}\n"
            )
        };
        let requests: String = accounts.map(line).collect();
        self.book.yes(&[
            "submit",
            &self.book.file("open.jsonl", &requests),
            "--format",
            "jsonl",
        ]);
        let folder = self.book.path(export);
        self.book.yes(&["export", &folder]);
        self.web.show(&folder);
        folder.into()
    }

    /// One visit: exit code, what it printed and what it said.
    fn visit(&self, more: &[&str]) -> (Option<i32>, String, String) {
        let state = self.book.path("seen");
        let mut all = vec!["monitor", &self.export, "--state", &state];
        all.extend(["--genesis", &self.genesis, "--webhook-file", &self.hook]);
        all.extend_from_slice(more);
        let output = paygod(&all);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(!out.contains(SECRET) && !err.contains(SECRET), "{out}{err}");
        (output.status.code(), out, err)
    }

    /// The one alarm raised since this was asked last.
    fn alarm(&self) -> Value {
        let mut posted = self.alarms.posted.lock().expect("not poisoned");
        assert_eq!(posted.len(), 1, "{posted:?}");
        let alarm = posted.remove(0);
        assert!(!alarm.contains(SECRET));
        let alarm: Value = serde_json::from_str(&alarm).expect("JSON");
        let schema = repository().join("contracts/schemas/monitor-alarm.v1.json");
        let schema = std::fs::read_to_string(schema).expect("a schema");
        let schema = serde_json::from_str(&schema).expect("JSON");
        let checked = jsonschema::validate(&schema, &alarm);
        assert!(checked.is_ok(), "{checked:?}: {alarm}");
        alarm
    }

    fn is_quiet(&self) -> bool {
        self.alarms.posted.lock().expect("not poisoned").is_empty()
    }

    /// Says something else in place of a file.
    fn lie(&self, path: &str, answer: Vec<u8>) {
        let mut lies = self.web.lies.lock().expect("not poisoned");
        lies.clear();
        lies.insert(path.to_owned(), answer);
    }

    fn tell_the_truth(&self) {
        self.web.lies.lock().expect("not poisoned").clear();
    }
}

#[test]
fn an_export_on_a_web_server_is_mirrored_once_and_a_change_of_it_raises_the_alarm() {
    let scene = Scene::new();
    assert_eq!(scene.visit(&[]).0, Some(0));
    let asked = scene.web.take_asked();
    assert_eq!(asked["tile/entries/000"], 1, "{asked:?}");
    assert_eq!(asked["tile/0/000"], 1);

    // What cannot change is not fetched again, and the log of checkpoints from where the mirror ends.
    let second = scene.grow("second", 300..600);
    assert_eq!(scene.visit(&[]).0, Some(0));
    let asked = scene.web.take_asked();
    assert!(!asked.contains_key("tile/entries/000"), "{asked:?}");
    assert_eq!(asked["tile/entries/001"], 1);
    let log = |path: PathBuf| std::fs::read(path.join("checkpoints.log")).expect("a log");
    assert_eq!(
        log(Path::new(&scene.book.path("seen/mirror")).to_owned()),
        log(second.clone())
    );
    assert_eq!(scene.visit(&[]).0, Some(0), "nothing is new");
    assert!(scene.is_quiet());

    // What is new was changed on the way.
    let third = scene.grow("third", 600..900);
    let bundle = std::fs::read(third.join("tile/entries/002")).expect("a bundle");
    let mut changed = bundle.clone();
    let last = changed.len() - 2;
    changed[last] ^= 1;
    scene.lie("tile/entries/002", whole(&changed));
    assert_eq!(scene.visit(&[]).0, Some(1));
    let alarm = scene.alarm();
    assert_eq!(alarm["outcome"], "not-valid", "{alarm}");
    assert_eq!(alarm["origin"], "paygod.test/book");
    assert_eq!(alarm["exit"], 1);
    // What did not hold is not kept: the truth is fetched again.
    scene.tell_the_truth();
    assert_eq!(scene.visit(&[]).0, Some(0));

    // What was seen before, changed behind the monitor's back, is found when all is looked at again.
    scene.lie("tile/entries/000", whole(&changed));
    assert_eq!(scene.visit(&[]).0, Some(0));
    let again = scene.visit(&["--again"]);
    assert_eq!(again.0, Some(1), "{again:?}");
    assert_eq!(scene.alarm()["outcome"], "not-valid");
    scene.tell_the_truth();
    assert_eq!(scene.visit(&[]).0, Some(0));

    // The book set back: sound in itself, and not what was seen.
    scene.web.show(&scene.book.path("second"));
    assert_eq!(scene.visit(&[]).0, Some(1));
    assert_eq!(scene.alarm()["code"], "verify.kept");
}

#[test]
fn what_a_web_server_does_not_serve_as_it_should_is_told_and_fails_the_visit() {
    let scene = Scene::new();
    // A file that the log must have.
    scene.lie("tile/0/000", told("404 Not Found", "", b""));
    assert_eq!(scene.visit(&[]).0, Some(1));
    assert_eq!(scene.alarm()["code"], "verify.missing");
    let endless = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; 9_000]].concat();
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 8192\r\n\r\nxx".to_vec();
    let elsewhere = told("302 Found", "location: http://127.0.0.1:9/\r\n", b"");
    for (path, lie, why) in [
        ("tile/0/000", endless, "longer than the 8192 bytes"),
        ("tile/0/000", cut, "cut off"),
        ("tile/0/000", elsewhere, "answered 302"),
        ("checkpoint", told("500 Oh", "", b""), "answered 500"),
        ("checkpoint", told("404 Not", "", b""), "no `checkpoint`"),
        ("checkpoint", b"what?\r\n\r\n".to_vec(), "is no HTTP"),
    ] {
        scene.lie(path, lie);
        let (code, _, said) = scene.visit(&[]);
        assert_eq!(code, Some(3), "{said}");
        assert!(
            said.contains("monitor.fetch") && said.contains(why),
            "{said}"
        );
        let alarm = scene.alarm();
        assert_eq!(
            (&alarm["outcome"], &alarm["exit"]),
            (&"not-checked".into(), &3.into())
        );
        assert_eq!(alarm["code"], "monitor.fetch");
    }
    // A failure that passes is not one, and what was fetched in the meantime is taken up.
    scene.tell_the_truth();
    scene.web.take_asked();
    assert_eq!(scene.visit(&[]).0, Some(0));
    assert!(!scene.web.take_asked().contains_key("tile/entries/000"));
    assert!(scene.is_quiet());
}

#[test]
fn an_export_that_is_replaced_during_a_visit_is_visited_again_and_raises_no_alarm() {
    let scene = Scene::new();
    scene.grow("second", 300..310);
    let second = scene.book.path("second");
    scene.web.show(&scene.book.path("first"));
    // The checkpoint of the first, and the log of checkpoints of the second.
    let asked = ("checkpoints.log".to_owned(), second.into());
    *scene.web.next.lock().expect("not poisoned") = Some(asked);
    assert_eq!(scene.visit(&[]).0, Some(0));
    assert!(scene.is_quiet());
    assert_eq!(scene.web.take_asked()["checkpoint"], 3);
    let seen = std::fs::read_to_string(scene.book.path("seen/checkpoint")).expect("seen");
    assert!(seen.contains("\n311\n"), "{seen}");
}

#[test]
fn an_alarm_that_does_not_arrive_is_said_and_hides_nothing() {
    let mut scene = Scene::new();
    assert_eq!(scene.visit(&[]).0, Some(0));
    scene.lie("checkpoint", told("404 Not Found", "", b""));
    let mut lies = scene.alarms.lies.lock().expect("not poisoned");
    lies.insert(SECRET.to_ascii_lowercase(), told("500 Oh", "", b""));
    drop(lies);
    let (code, _, said) = scene.visit(&[]);
    assert_eq!(code, Some(3));
    assert!(
        said.contains("monitor.webhook") && said.contains("answered 500"),
        "{said}"
    );
    assert!(said.contains("monitor.fetch"), "{said}");
    let asked = scene.alarms.take_asked();
    assert_eq!(asked[&SECRET.to_ascii_lowercase()], 3);

    // Without an address nobody would hear an alarm: that fails a visit in which all else is well.
    scene.tell_the_truth();
    for address in ["http://alarms.example.com/secret", "no address", ""] {
        scene.hook = scene.book.file("other", address);
        let (code, out, said) = scene.visit(&[]);
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains("monitor.webhook"), "{said}");
        assert!(!said.contains("secret") && out.contains("VALID"), "{said}");
    }
    // Nor does one go over a way that others read, nor to an address with a name in it.
    for export in [
        "http://ledger.example.com/e",
        "https://me:word@ledger.example.com/e",
    ] {
        export.clone_into(&mut scene.export);
        assert_eq!(scene.visit(&[]).0, Some(2));
    }
}
