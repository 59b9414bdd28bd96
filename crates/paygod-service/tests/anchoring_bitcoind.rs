//! Anchoring a book through a real `bitcoind`: what is paid, waited for, receipted, and done after a reorganisation.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use paygod_anchor::bitcoin::{BitcoinChain, BitcoinTerms, Headers, Network, judge};
use paygod_anchor::ots::DetachedFile;
use paygod_anchor::practice::{Bitcoind, PracticeKey};
use paygod_core::entry::{AnchorReceipt, Body};
use paygod_service::ledger::{AnchorPolicy, AnchorRound, ChainRound, Held, Ledger, OpenOptions};
use paygod_tlog::{LogVerifier, TlogProof, leaf_hash};
use paygod_types::{Digest, Seq};
use serde_json::json;
use support::{TestBook, open_account, payment};

struct Scene {
    book: TestBook,
    node: Bitcoind,
    _folder: tempfile::TempDir,
    policy: AnchorPolicy,
}

fn address(number: u8) -> String {
    let key = PracticeKey::new(number).unwrap();
    BitcoinChain::address_of(&key, Network::Regtest).unwrap()
}

fn scene(test: &str) -> Option<Scene> {
    let Some(program) = Bitcoind::program() else {
        println!(
            "skipped {test}: no `bitcoind`; install Bitcoin Core 25 or later and name it in PAYGOD_BITCOIND"
        );
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let node = Bitcoind::start(&program, folder.path()).unwrap();
    node.mine(2, &address(1)).unwrap();
    node.mine(102, &address(9)).unwrap();
    let key = Arc::new(PracticeKey::new(1).unwrap());
    let rpc = node.rpc().clone();
    let chain = BitcoinChain::new(Network::Regtest, rpc, key, BitcoinTerms::default());
    let mut policy = AnchorPolicy::new(&[]).unwrap();
    policy.calendars.clear();
    policy.chains.push(Arc::new(chain));
    let book = TestBook::with(OpenOptions::default());
    Some(Scene {
        book,
        node,
        _folder: folder,
        policy,
    })
}

impl Scene {
    fn open(&self) -> Ledger {
        let options = OpenOptions {
            publish_every: Duration::from_millis(1),
            ..OpenOptions::default()
        };
        Ledger::open(&self.book.path(), options).unwrap()
    }

    fn mine(&self, blocks: u32) {
        self.node.mine(blocks, &address(9)).unwrap();
    }

    fn headers(&self) -> Headers {
        let text = self.node.headers().unwrap();
        Headers::read(&mut text.as_bytes(), Network::Regtest).unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.book.path().join("anchors").join(name)
    }

    fn mempool(&self) -> Vec<String> {
        self.node.ask("getrawmempool", &json!([])).unwrap()
    }

    fn now(&self, ledger: &Ledger) -> AnchorRound {
        ledger.wait_signed().unwrap();
        ledger.anchor_now(&self.policy, None).unwrap()
    }

    /// A round that may begin nothing, after which there is the one receipt and nothing under way.
    fn finish(&self, ledger: &Ledger, size: u64) {
        let mut policy = self.policy.clone();
        policy.daily_max = 0;
        ledger.wait_signed().unwrap();
        ledger.anchor_now(&policy, None).unwrap();
        let receipts = receipts(ledger);
        assert_eq!((receipts.len(), receipts[0].size), (1, size));
        assert!(!self.file("bitcoin/under-way").exists());
    }
}

fn one_more(ledger: &Ledger, account: &str) {
    ledger.submit(vec![open_account(account, "EUR")])[0]
        .as_ref()
        .unwrap();
    ledger.wait_signed().unwrap();
}

fn on_chain(round: &AnchorRound) -> &ChainRound {
    &round.chains[0]
}

fn receipts(ledger: &Ledger) -> Vec<AnchorReceipt> {
    (0..ledger.read().size())
        .filter_map(
            |seq| match ledger.read().entry(Seq(seq)).unwrap().entry.body {
                Body::Anchor(receipt) => Some(receipt),
                _ => None,
            },
        )
        .collect()
}

#[test]
fn real_bitcoind_anchors_one_at_a_time_and_receipts_what_is_deep() {
    let Some(scene) = scene("real_bitcoind_anchors_one_at_a_time_and_receipts_what_is_deep") else {
        return;
    };
    let ledger = scene.open();
    one_more(&ledger, "a");
    let size = ledger.read().size();
    let round = scene.now(&ledger);
    assert_eq!(on_chain(&round).submitted, Some(size), "{round:?}");
    assert_eq!(scene.mempool().len(), 1);
    one_more(&ledger, "b");
    scene.mine(5);
    let round = scene.now(&ledger);
    assert_eq!(on_chain(&round).held, Some(Held::UnderWay));
    let (waits, why) = on_chain(&round).waiting.clone().unwrap();
    assert_eq!((waits, why.contains("5 of 6")), (size, true), "{why}");
    let status = ledger.read().anchor_status().unwrap();
    assert_eq!(status.chains[0].under_way, Some(size));
    scene.mine(1);
    // Deep enough, and the newer entries are begun in the same round.
    let round = scene.now(&ledger);
    assert_eq!(round.sealed.len(), 1, "{round:?}");
    // The receipt is among them, if a checkpoint of it was signed in the meantime.
    let submitted = on_chain(&round).submitted.unwrap();
    assert!([size + 1, size + 2].contains(&submitted), "{round:?}");
    let file = &ledger.read().anchor_files().unwrap()[0];
    assert_eq!(receipts(&ledger)[0].digest, Digest::sha256(&file.bytes));
    let proof = DetachedFile::parse(&file.bytes).unwrap();
    judge(&proof, &scene.headers()).unwrap();
    scene.mine(6);
    assert_eq!(scene.now(&ledger).sealed.len(), 1);
    // Receipts are no news.
    assert_eq!(on_chain(&scene.now(&ledger)).held, Some(Held::NothingNew));
    ledger.wait_signed().unwrap();
    scene.book.verify_whole(&ledger);
    let backup = scene.book.scratch("backup");
    ledger.read().backup(&backup, &mut |_| {}).unwrap();
    assert!(backup.join("anchors/bitcoin/settled").exists());
}

#[test]
fn real_bitcoind_six_blocks_dropped_after_the_receipt_anchor_it_anew() {
    let Some(scene) = scene("real_bitcoind_six_blocks_dropped_after_the_receipt_anchor_it_anew")
    else {
        return;
    };
    let ledger = scene.open();
    one_more(&ledger, "a");
    let size = ledger.read().size();
    scene.now(&ledger);
    scene.mine(6);
    assert_eq!(scene.now(&ledger).sealed.len(), 1);
    let first = std::fs::read(scene.file(&format!("{size}.ots"))).unwrap();
    scene.node.drop_blocks(6).unwrap();
    for _ in 0..7 {
        scene.node.mine_empty(&address(9)).unwrap();
    }
    let stale = DetachedFile::parse(&first).unwrap();
    assert!(judge(&stale, &scene.headers()).unwrap_err().is_wrong());
    let round = scene.now(&ledger);
    assert!(round.faults[0].contains("dropped"), "{round:?}");
    assert_eq!(on_chain(&round).submitted, Some(size));
    scene.mine(6);
    let round = scene.now(&ledger);
    assert_eq!(round.sealed.len(), 1, "{round:?}");
    let found: Vec<(u64, u32)> = receipts(&ledger)
        .iter()
        .map(|receipt| (receipt.size, receipt.again))
        .collect();
    assert_eq!(found, [(size, 0), (size, 1)]);
    let again = std::fs::read(scene.file(&format!("{size}.ots"))).unwrap();
    judge(&DetachedFile::parse(&again).unwrap(), &scene.headers()).unwrap();
    assert_eq!(receipts(&ledger)[1].digest, Digest::sha256(&again));
    scene.now(&ledger);
    assert_eq!(receipts(&ledger).len(), 2);
    ledger.wait_signed().unwrap();
    scene.book.verify_whole(&ledger);
}

/// Every file that a round writes is there whole or not at all, so being killed leaves one of these.
#[test]
fn real_bitcoind_killed_between_any_two_steps_pays_and_receipts_once() {
    let Some(scene) = scene("real_bitcoind_killed_between_any_two_steps_pays_and_receipts_once")
    else {
        return;
    };
    let ledger = scene.open();
    one_more(&ledger, "a");
    let size = ledger.read().size();
    scene.now(&ledger);
    let sent = scene.mempool();
    let under_way = std::fs::read(scene.file("bitcoin/under-way")).unwrap();
    // After the transaction was written down, before that something was submitted.
    std::fs::remove_file(scene.file("bitcoin/state")).unwrap();
    assert_eq!(on_chain(&scene.now(&ledger)).held, Some(Held::UnderWay));
    assert_eq!(scene.mempool(), sent);
    scene.mine(6);
    scene.finish(&ledger, size);
    let settled = std::fs::read(scene.file("bitcoin/settled")).unwrap();
    // After the receipt, before the transaction was put away.
    std::fs::write(scene.file("bitcoin/under-way"), &under_way).unwrap();
    scene.finish(&ledger, size);
    // After the proof, before it was written down where it stands.
    std::fs::write(scene.file("bitcoin/under-way"), &under_way).unwrap();
    std::fs::remove_file(scene.file("bitcoin/settled")).unwrap();
    scene.finish(&ledger, size);
    let found = std::fs::read(scene.file("bitcoin/settled")).unwrap();
    assert_eq!(found, settled);
    // A torn state is named.
    std::fs::write(scene.file("bitcoin/under-way"), b"torn").unwrap();
    let round = scene.now(&ledger);
    assert!(round.faults[0].contains("under-way"), "{round:?}");
}

/// The figures that docs/operate/anchors.md gives: bytes and time of a receipt with its anchor.
#[test]
fn real_bitcoind_receipt_with_its_anchor_is_small_and_verifies_at_once() {
    let Some(mut scene) =
        scene("real_bitcoind_receipt_with_its_anchor_is_small_and_verifies_at_once")
    else {
        return;
    };
    scene.book = TestBook::hybrid();
    let ledger = scene.open();
    scene.book.allow_all(&ledger);
    for account in ["a", "b"] {
        one_more(&ledger, account);
    }
    let made = ledger.submit(vec![payment("pay", "a", "b", "1.00")]);
    let seq = Seq(ledger.read().size() - 1);
    made[0].as_ref().unwrap();
    // A tree and a block of some depth.
    for number in 0..300 {
        ledger.submit(vec![open_account(&format!("more-{number}"), "EUR")])[0]
            .as_ref()
            .unwrap();
    }
    assert_eq!(ledger.read().anchored_receipt(seq).unwrap(), None);
    scene.now(&ledger);
    scene.mine(6);
    scene.now(&ledger);
    one_more(&ledger, "later");
    let (receipt, anchor) = ledger.read().anchored_receipt(seq).unwrap().unwrap();
    let proof = receipt.proof.unwrap();
    let bytes = proof.len() + anchor.bytes.len();

    let headers = scene.headers();
    let keys = [
        ledger.read().status().unwrap().checkpoint_keys[0]
            .vkey
            .to_string(),
        scene.book.created.hybrid_key.clone().unwrap(),
    ]
    .map(|key| paygod_tlog::VerifierKey::parse(&key).unwrap());
    let check = || {
        let proof = TlogProof::parse(&proof).unwrap();
        for key in &keys {
            let verifier = LogVerifier::new(key).unwrap();
            let name = key.name().as_str();
            proof
                .verify(leaf_hash(&receipt.entry), name, &[&verifier])
                .unwrap();
        }
        let file = DetachedFile::parse(&anchor.bytes).unwrap();
        let text = proof.checkpoint.checkpoint().to_text().unwrap();
        assert!(file.is_of(&Digest::sha256(text.as_bytes())));
        judge(&file, &headers).unwrap()
    };
    // The best of some: others use this machine too.
    let took = (0..20)
        .map(|_| {
            let began = Instant::now();
            check();
            began.elapsed()
        })
        .min()
        .unwrap();
    println!("a receipt with its anchor has {bytes} bytes and verifies in {took:?}");
    assert!(bytes < 8_192, "{bytes}");
    assert!(took < Duration::from_millis(10), "{took:?}");
}

#[test]
fn real_bitcoind_down_for_days_costs_the_days_and_the_budget_is_kept() {
    let Some(mut scene) =
        scene("real_bitcoind_down_for_days_costs_the_days_and_the_budget_is_kept")
    else {
        return;
    };
    let program = Bitcoind::program().unwrap();
    let ledger = scene.open();
    scene.node.stop();
    for day in 0..3 {
        one_more(&ledger, &format!("day-{day}"));
        let round = scene.now(&ledger);
        assert_eq!(on_chain(&round).held, Some(Held::Refused), "{round:?}");
        assert_eq!(round.faults.len(), 1);
    }
    scene.node.run(&program).unwrap();
    let size = ledger.read().size();
    assert_eq!(on_chain(&scene.now(&ledger)).submitted, Some(size));
    assert_eq!(scene.mempool().len(), 1, "one anchor covers them all");
    scene.mine(6);
    scene.policy.daily_max = 4;
    one_more(&ledger, "more");
    let round = scene.now(&ledger);
    assert_eq!(on_chain(&round).held, Some(Held::Budget), "{round:?}");
    assert_eq!(round.sealed.len(), 1);
}
