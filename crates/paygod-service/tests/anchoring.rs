//! Anchoring a book: what is submitted, upgraded and receipted, and that being killed or left alone for
//! days costs nothing but the days.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use paygod_anchor::bitcoin::{Headers, Network, judge};
use paygod_anchor::ots::DetachedFile;
use paygod_anchor::practice::{FakeCalendar, Mood};
use paygod_core::entry::Body;
use paygod_service::ledger::{AnchorPolicy, Clock, Held, Ledger, OpenOptions};
use paygod_types::{Digest, Timestamp};
use support::{TestBook, open_account};

const DAY_NS: u64 = 86_400_000_000_000;

/// A clock that the test moves.
#[derive(Debug, Default)]
struct Hand(AtomicU64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

struct Scene {
    book: TestBook,
    hand: Arc<Hand>,
    calendar: FakeCalendar,
    policy: AnchorPolicy,
}

impl Scene {
    fn new() -> Self {
        let hand = Arc::new(Hand(AtomicU64::new(1_700_000_000_000_000_000)));
        let open = OpenOptions {
            clock: Arc::<Hand>::clone(&hand),
            ..OpenOptions::default()
        };
        let calendar = FakeCalendar::start(Mood::Honest).unwrap();
        let mut policy = AnchorPolicy::new(&[calendar.url().to_owned()]).unwrap();
        policy.timeout = Duration::from_secs(5);
        Self {
            book: TestBook::with(open),
            hand,
            calendar,
            policy,
        }
    }

    fn open(&self) -> Ledger {
        let options = OpenOptions {
            clock: Arc::<Hand>::clone(&self.hand),
            publish_every: Duration::from_millis(1),
            ..OpenOptions::default()
        };
        Ledger::open(&self.book.path(), options).unwrap()
    }

    fn later(&self, nanos: u64) {
        self.hand.0.fetch_add(nanos, Ordering::Relaxed);
    }

    fn headers(&self) -> Headers {
        Headers::read(&mut self.calendar.headers().as_bytes(), Network::Regtest).unwrap()
    }

    fn anchors(&self) -> std::path::PathBuf {
        self.book.path().join("anchors")
    }
}

fn one_more(ledger: &Ledger, account: &str) {
    ledger.submit(vec![open_account(account, "EUR")])[0]
        .as_ref()
        .unwrap();
    ledger.wait_signed().unwrap();
}

fn receipts(ledger: &Ledger) -> Vec<(u64, Digest)> {
    (0..ledger.read().size())
        .filter_map(|seq| {
            match ledger
                .read()
                .entry(paygod_types::Seq(seq))
                .unwrap()
                .entry
                .body
            {
                Body::Anchor(receipt) => Some((receipt.size, receipt.digest)),
                _ => None,
            }
        })
        .collect()
}

#[test]
fn a_checkpoint_is_submitted_upgraded_receipted_and_exported() {
    let scene = Scene::new();
    let ledger = scene.open();
    one_more(&ledger, "a");
    let size = ledger.read().size();
    let round = ledger.anchor_now(&scene.policy, None).unwrap();
    assert_eq!((round.submitted, round.pending), (Some(size), 1));
    // Not yet in a block, and nothing newer.
    let round = ledger.anchor_now(&scene.policy, None).unwrap();
    assert_eq!((round.held, round.pending), (Some(Held::NothingNew), 1));
    scene.calendar.mine(1_700_000_600);
    let round = ledger
        .anchor_now(&scene.policy, Some(&scene.headers()))
        .unwrap();
    assert_eq!(round.faults, Vec::<String>::new());
    assert_eq!(round.sealed, [(size, paygod_types::Seq(size))]);
    ledger.wait_signed().unwrap();
    // A receipt is no news: it calls for no other anchor.
    let round = ledger.anchor_now(&scene.policy, None).unwrap();
    assert_eq!((round.held, round.pending), (Some(Held::NothingNew), 0));
    let files = ledger.read().anchor_files().unwrap();
    assert_eq!(receipts(&ledger), [(size, Digest::sha256(&files[0].bytes))]);
    let proof = DetachedFile::parse(&files[0].bytes).unwrap();
    assert_eq!(
        judge(&proof, &scene.headers()).unwrap().time_s,
        1_700_000_600
    );
    scene.book.verify_whole(&ledger);
    let exported = scene
        .book
        .scratch("export")
        .join(format!("anchors/{size}.ots"));
    assert_eq!(std::fs::read(exported).unwrap(), files[0].bytes);
    let status = ledger.read().anchor_status().unwrap();
    assert_eq!(
        (status.anchored, status.newer, status.today),
        (vec![size], 1, 1)
    );
}

#[test]
fn a_backup_takes_the_anchors_along() {
    let scene = Scene::new();
    let ledger = scene.open();
    one_more(&ledger, "a");
    ledger.anchor_now(&scene.policy, None).unwrap();
    scene.calendar.mine(1_700_000_600);
    ledger.anchor_now(&scene.policy, None).unwrap();
    one_more(&ledger, "b");
    ledger.anchor_now(&scene.policy, None).unwrap();
    let before = ledger.read().anchor_status().unwrap();
    ledger
        .read()
        .backup(&scene.book.scratch("backup"), &mut |_| {})
        .unwrap();
    ledger.close().unwrap();
    let restored = scene.book.scratch("restored");
    let (backup, options) = (scene.book.scratch("backup"), OpenOptions::default());
    Ledger::restore(&backup, &restored, &options, &mut |_| {}).unwrap();
    let options = OpenOptions {
        clock: Arc::<Hand>::clone(&scene.hand),
        ..OpenOptions::default()
    };
    let ledger = Ledger::open(&restored, options).unwrap();
    assert_eq!(ledger.read().anchor_status().unwrap(), before);
}

/// Every file that a round writes is there whole or not at all, so being killed leaves one of these.
#[test]
fn killed_between_any_two_steps_a_round_goes_on_where_it_was() {
    let scene = Scene::new();
    let ledger = scene.open();
    one_more(&ledger, "a");
    let size = ledger.read().size();
    ledger.anchor_now(&scene.policy, None).unwrap();
    let pending = scene.anchors().join(format!("pending/{size}.ots"));
    let promised = std::fs::read(&pending).unwrap();
    scene.calendar.mine(1_700_000_600);
    ledger.anchor_now(&scene.policy, None).unwrap();
    let place = scene.anchors().join(format!("{size}.ots"));
    let proof = std::fs::read(&place).unwrap();
    assert_eq!(receipts(&ledger).len(), 1);

    // After the receipt, before the pending proof went.
    std::fs::write(&pending, &promised).unwrap();
    let round = ledger.anchor_now(&scene.policy, None).unwrap();
    assert_eq!((round.sealed.len(), round.pending), (0, 0));
    assert_eq!(
        (receipts(&ledger).len(), std::fs::read(&place).unwrap()),
        (1, proof)
    );

    // After the proof, before the receipt: another checkpoint, whose files are put as they would be.
    one_more(&ledger, "b");
    let next = ledger.read().size();
    ledger.anchor_now(&scene.policy, None).unwrap();
    let pending = scene.anchors().join(format!("pending/{next}.ots"));
    std::fs::copy(&pending, scene.anchors().join(format!("{next}.ots"))).unwrap();
    let round = ledger.anchor_now(&scene.policy, None).unwrap();
    assert_eq!(round.sealed.len(), 1);
    assert_eq!(receipts(&ledger).len(), 2);

    // Half a file beside its place.
    std::fs::write(scene.anchors().join("9.new"), b"half").unwrap();
    assert_eq!(
        ledger.read().anchor_status().unwrap().anchored,
        [size, next]
    );
}

#[test]
fn after_days_without_a_calendar_one_submission_covers_them_all() {
    let scene = Scene::new();
    let ledger = scene.open();
    scene.calendar.set_mood(Mood::Failing);
    for day in 0..3 {
        one_more(&ledger, &format!("day-{day}"));
        let round = ledger.anchor_if_due(&scene.policy).unwrap();
        assert_eq!(round.held, Some(Held::Refused));
        assert_eq!(round.faults.len(), 1);
        scene.later(DAY_NS);
    }
    assert_eq!(
        ledger.read().anchor_status().unwrap().pending,
        Vec::<u64>::new()
    );
    scene.calendar.set_mood(Mood::Honest);
    let round = ledger.anchor_if_due(&scene.policy).unwrap();
    assert_eq!(
        (round.submitted, round.pending),
        (Some(ledger.read().size()), 1)
    );
}

#[test]
fn the_schedule_and_the_budget_are_kept() {
    let mut scene = Scene::new();
    scene.policy.daily_max = 3;
    scene.policy.entries = Some(3);
    let ledger = scene.open();
    let minutes = |minutes: u64| minutes * 60_000_000_000;
    let due = |account: &str| {
        one_more(&ledger, account);
        ledger.anchor_if_due(&scene.policy).unwrap()
    };
    assert!(due("a").submitted.is_some(), "the first one is due at once");
    assert_eq!(due("b").held, Some(Held::NotYet));
    scene.later(minutes(11));
    assert!(due("c").submitted.is_some(), "its time has come");
    assert_eq!(due("d").held, Some(Held::NotYet));
    assert_eq!(due("e").held, Some(Held::NotYet));
    assert!(due("f").submitted.is_some(), "three entries are newer");
    scene.later(minutes(11));
    assert_eq!(due("g").held, Some(Held::Budget));
    scene.later(DAY_NS);
    assert!(due("h").submitted.is_some(), "another day");
}

#[test]
fn what_headers_refute_is_not_receipted_and_may_come_right_later() {
    let scene = Scene::new();
    let ledger = scene.open();
    one_more(&ledger, "a");
    ledger.anchor_now(&scene.policy, None).unwrap();
    scene.calendar.mine(1_700_000_600);
    scene.calendar.set_mood(Mood::Lying);
    let headers = scene.headers();
    let round = ledger.anchor_now(&scene.policy, Some(&headers)).unwrap();
    assert_eq!(
        (round.sealed.len(), round.pending, round.faults.len()),
        (0, 1, 1)
    );
    scene.calendar.set_mood(Mood::Honest);
    let round = ledger.anchor_now(&scene.policy, Some(&headers)).unwrap();
    assert_eq!((round.sealed.len(), round.pending), (1, 0));
}

#[test]
fn a_promise_that_another_host_is_to_keep_is_not_followed() {
    let scene = Scene::new();
    let other = FakeCalendar::start(Mood::Honest).unwrap();
    let ledger = scene.open();
    one_more(&ledger, "a");
    scene
        .calendar
        .set_mood(Mood::Elsewhere(other.url().to_owned()));
    ledger.anchor_now(&scene.policy, None).unwrap();
    let round = ledger.anchor_now(&scene.policy, None).unwrap();
    assert!(
        round.faults[0].contains("not on the list"),
        "{:?}",
        round.faults
    );
    assert_eq!(other.questions(), 0);
}

#[test]
fn a_bad_file_among_the_pending_keeps_nobody_waiting() {
    let scene = Scene::new();
    let ledger = scene.open();
    one_more(&ledger, "a");
    ledger.anchor_now(&scene.policy, None).unwrap();
    scene.calendar.mine(1_700_000_600);
    std::fs::write(scene.anchors().join("pending/1.ots"), b"torn").unwrap();
    std::fs::write(
        scene.anchors().join("pending/99999.ots"),
        b"from the future",
    )
    .unwrap();
    let round = ledger.anchor_now(&scene.policy, None).unwrap();
    assert_eq!(
        (round.sealed.len(), round.faults.len()),
        (1, 2),
        "{:?}",
        round.faults
    );
}

#[test]
fn an_open_ledger_anchors_by_itself_and_requests_do_not_wait_for_it() {
    let scene = Scene::new();
    // Silent: every question lasts until its timeout.
    scene.calendar.set_mood(Mood::Silent);
    let mut policy = scene.policy.clone();
    policy.timeout = Duration::from_secs(1);
    let options = OpenOptions {
        clock: Arc::<Hand>::clone(&scene.hand),
        anchoring: Some(policy.clone()),
        publish_every: Duration::from_millis(1),
        ..OpenOptions::default()
    };
    let ledger = Ledger::open(&scene.book.path(), options).unwrap();
    one_more(&ledger, "a");
    wait_until(|| scene.calendar.questions() > 0);
    for number in 0..20 {
        ledger.submit(vec![open_account(&format!("b-{number}"), "EUR")])[0]
            .as_ref()
            .unwrap();
    }
    wait_until(|| ledger.read().anchor_status().unwrap().fault.is_some());
    ledger.close().unwrap();

    scene.calendar.set_mood(Mood::Honest);
    let options = OpenOptions {
        clock: Arc::<Hand>::clone(&scene.hand),
        anchoring: Some(policy),
        ..OpenOptions::default()
    };
    let ledger = Ledger::open(&scene.book.path(), options).unwrap();
    wait_until(|| !ledger.read().anchor_status().unwrap().pending.is_empty());
    assert!(pending_files(&scene.anchors()) > 0);
}

fn pending_files(anchors: &Path) -> usize {
    std::fs::read_dir(anchors.join("pending")).map_or(0, Iterator::count)
}

fn wait_until(is: impl Fn() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "it did not come about"
        );
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn the_verifier_marks_the_tree_where_proofs_are_and_hands_on_the_receipts() {
    let scene = Scene::new();
    let ledger = scene.open();
    for number in 0..300 {
        ledger.submit(vec![open_account(&format!("a-{number}"), "EUR")])[0]
            .as_ref()
            .unwrap();
    }
    ledger.wait_signed().unwrap();
    let size = ledger.read().size();
    ledger.anchor_now(&scene.policy, None).unwrap();
    scene.calendar.mine(1_700_000_600);
    ledger.anchor_now(&scene.policy, None).unwrap();
    one_more(&ledger, "last");
    let export = scene.book.scratch("marked");
    ledger.read().export(&export, &mut |_| {}).unwrap();
    let scratch = scene.book.scratch("scratch");
    std::fs::create_dir(&scratch).unwrap();
    let mut options = paygod_verify::Options::new(scratch);
    let end = ledger.read().size();
    let wanted = [1, 255, 256, 257, size, end, end + 1];
    options.marks = &wanted;
    let report =
        paygod_verify::verify(&paygod_verify::Directory::new(&export), &options, &|_| {}).unwrap();
    assert!(report.is_valid(), "{:?}", report.first());
    let marks = &report.marks;
    let sizes: Vec<u64> = marks.marked.iter().map(|one| one.head.size).collect();
    assert_eq!(
        sizes,
        [1, 255, 256, 257, size, end],
        "what is past the end is left out"
    );
    let anchored = &ledger.read().anchor_files().unwrap()[0];
    assert_eq!(marks.marked[4].head, anchored.head);
    for (place, marked) in marks.marked.iter().enumerate() {
        let next = ledger.read().entry(paygod_types::Seq(marked.head.size));
        let next = next.ok().map(|entry| entry.entry.time);
        assert_eq!(marked.next, next, "{place}");
    }
    assert_eq!(marks.receipts.len(), 1);
    assert_eq!(
        (marks.receipts[0].0, marks.receipts[0].1.size),
        (size, size)
    );
    assert!(marks.first < marks.last);
}
