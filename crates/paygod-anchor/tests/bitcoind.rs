//! Anchors through a real `bitcoind` on a chain of its own: `PAYGOD_BITCOIND` names it, else it is looked for
//! in the `PATH`. Reorganisations are made by `invalidateblock`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]

mod stepping;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use paygod_anchor::bitcoin::{BitcoinChain, BitcoinTerms, Headers, Network, judge};
use paygod_anchor::chain::{Chain, ChainError, Standing, Statement, Step};
use paygod_anchor::ots::DetachedFile;
use paygod_anchor::paying::PayingKey;
use paygod_anchor::practice::{Bitcoind, FakeCalendar, Mood, PracticeKey};
use paygod_anchor::rpc::{Login, Rpc};
use paygod_tlog::{TreeHead, leaf_hash};
use serde_json::{Value, json};
use stepping::{drive, waiting};

/// Where blocks go that pay nobody of interest.
const NOBODY: u8 = 9;

struct Scene {
    node: Bitcoind,
    _folder: tempfile::TempDir,
}

/// A node with money for the key, or a line that says why not.
fn scene(test: &str) -> Option<Scene> {
    let Some(program) = Bitcoind::program() else {
        println!(
            "skipped {test}: no `bitcoind`; install Bitcoin Core 25 or later and name it in PAYGOD_BITCOIND"
        );
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let node = Bitcoind::start(&program, folder.path()).unwrap();
    node.mine(1, &address(1)).unwrap();
    node.mine(100, &address(NOBODY)).unwrap();
    Some(Scene {
        node,
        _folder: folder,
    })
}

fn key(number: u8) -> Arc<dyn PayingKey> {
    Arc::new(PracticeKey::new(number).unwrap())
}

fn address(number: u8) -> String {
    BitcoinChain::address_of(key(number).as_ref(), Network::Regtest).unwrap()
}

const TERMS: BitcoinTerms = BitcoinTerms {
    fee_max_sats: 20_000,
    target_blocks: 6,
    bump_blocks: 2,
    confirmations: 6,
};

impl Scene {
    fn chain(&self) -> BitcoinChain {
        self.chain_with(TERMS)
    }

    fn chain_with(&self, terms: BitcoinTerms) -> BitcoinChain {
        let rpc = self.node.rpc().clone();
        BitcoinChain::new(Network::Regtest, rpc, key(1), terms)
    }

    fn mine(&self, blocks: u32) {
        self.node.mine(blocks, &address(NOBODY)).unwrap();
    }

    fn mempool(&self) -> Vec<String> {
        self.node.ask("getrawmempool", &json!([])).unwrap()
    }

    fn headers(&self) -> Headers {
        let text = self.node.headers().unwrap();
        Headers::read(&mut text.as_bytes(), Network::Regtest).unwrap()
    }
}

fn statement(size: u64) -> Statement {
    let mut frontier = paygod_tlog::Frontier::default();
    for number in 0..size {
        frontier.append(leaf_hash(&number.to_be_bytes()));
    }
    let head: TreeHead = frontier.head();
    Statement::new("paygod.test/book", head).unwrap()
}

#[test]
fn real_bitcoind_takes_the_digest_and_the_proof_leads_to_its_block() {
    let Some(scene) = scene("real_bitcoind_takes_the_digest_and_the_proof_leads_to_its_block")
    else {
        return;
    };
    let (chain, of) = (scene.chain(), statement(7));
    let state = chain.begin(&of, None).unwrap();
    assert!(
        scene.mempool().is_empty(),
        "nothing is sent before it is written down"
    );
    let (state, step) = drive(&chain, &of, state);
    assert!(waiting(&step).contains("no block"), "{step:?}");
    // Others' transactions in the same block, so that there is a path.
    scene.mine(1);
    for depth in 1..6 {
        let (_, step) = drive(&chain, &of, state.clone());
        assert!(
            waiting(&step).contains(&format!("{depth} of 6")),
            "{step:?}"
        );
        scene.mine(1);
    }
    let (_, step) = drive(&chain, &of, state);
    let Step::Done { proof, settled } = step else {
        panic!("{step:?}")
    };
    let file = DetachedFile::parse(&proof).unwrap();
    assert!(file.is_of(&of.digest));
    assert_eq!(judge(&file, &scene.headers()).unwrap().height, 102);
    assert_eq!(chain.stands(&settled).unwrap(), Standing::Stands);
    println!("a proof has {} bytes", proof.len());
    assert!(proof.len() < 1_000, "{}", proof.len());

    // The next anchor spends what is left of this one, without a look at all coins.
    let next = chain.begin(&statement(9), Some(&settled)).unwrap();
    let change = settled.rsplit(' ').next().unwrap();
    assert!(next.contains(&format!("coin {change} ")), "{next}");
    scene.mine(100);
    assert_eq!(chain.stands(&settled).unwrap(), Standing::Final);
    stock_client_agrees(&scene, &of, &proof);
}

/// The stock client asks the same node.
fn stock_client_agrees(scene: &Scene, of: &Statement, proof: &[u8]) {
    let client = std::env::var_os("PAYGOD_OTS").unwrap_or_else(|| "ots".into());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("7.ots");
    std::fs::write(&path, proof).unwrap();
    let cookie = std::fs::read_to_string(scene.node.cookie()).unwrap();
    let url = scene
        .node
        .url()
        .replace("http://", &format!("http://{cookie}@"));
    let said = std::process::Command::new(client)
        .args(["--no-cache", "--btc-regtest", "--bitcoin-node", &url])
        .args(["verify", "-d", &of.digest.to_string()])
        .arg(&path)
        .env("no_proxy", "*")
        .output();
    let Ok(said) = said else {
        println!("skipped the stock client: no `ots`; see PAYGOD_OTS");
        return;
    };
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(text.contains("Success! Bitcoin block 102"), "{text}");
}

#[test]
fn real_bitcoind_path_is_right_at_every_place_of_a_block() {
    let Some(scene) = scene("real_bitcoind_path_is_right_at_every_place_of_a_block") else {
        return;
    };
    for number in 2..8 {
        scene.node.mine(1, &address(number)).unwrap();
    }
    scene.mine(100);
    let of = statement(5);
    let under_way: Vec<(BitcoinChain, String)> = (2..8)
        .map(|number| {
            let rpc = scene.node.rpc().clone();
            let terms = BitcoinTerms {
                confirmations: 1,
                ..TERMS
            };
            let chain = BitcoinChain::new(Network::Regtest, rpc, key(number), terms);
            let state = chain.begin(&of, None).unwrap();
            let (state, _) = drive(&chain, &of, state);
            (chain, state)
        })
        .collect();
    scene.mine(1);
    let headers = scene.headers();
    for (chain, state) in under_way {
        let (_, Step::Done { proof, .. }) = drive(&chain, &of, state) else {
            panic!("not done")
        };
        judge(&DetachedFile::parse(&proof).unwrap(), &headers).unwrap();
    }
}

#[test]
fn real_bitcoind_stuck_mempool_fee_is_raised_up_to_the_cap_and_one_is_mined() {
    let Some(scene) =
        scene("real_bitcoind_stuck_mempool_fee_is_raised_up_to_the_cap_and_one_is_mined")
    else {
        return;
    };
    let terms = BitcoinTerms {
        fee_max_sats: 600,
        confirmations: 1,
        ..TERMS
    };
    let (chain, of) = (scene.chain_with(terms), statement(7));
    let (mut state, _) = drive(&chain, &of, chain.begin(&of, None).unwrap());
    let first = scene.mempool();
    let mut replaced = 0;
    for _ in 0..8 {
        scene.node.mine_empty(&address(NOBODY)).unwrap();
        let before = scene.mempool();
        let (next, step) = drive(&chain, &of, state);
        state = next;
        replaced += usize::from(scene.mempool() != before);
        assert_eq!(scene.mempool().len(), 1, "{step:?}");
        // Not raised twice at one height.
        assert_eq!(drive(&chain, &of, state.clone()).0, state);
    }
    assert!(replaced >= 2, "{replaced}");
    assert_ne!(scene.mempool(), first);
    let (_, step) = drive(&chain, &of, state.clone());
    assert!(waiting(&step).contains("cap of 600"), "{step:?}");
    let paid = state.lines().last().unwrap().split(' ').nth(2).unwrap();
    assert!(paid.parse::<u64>().unwrap() <= 600, "{paid}");
    scene.mine(1);
    let (_, step) = drive(&chain, &of, state);
    assert!(matches!(step, Step::Done { .. }), "{step:?}");
}

#[test]
fn real_bitcoind_one_that_was_replaced_may_be_mined_all_the_same() {
    let Some(scene) = scene("real_bitcoind_one_that_was_replaced_may_be_mined_all_the_same") else {
        return;
    };
    let terms = BitcoinTerms {
        confirmations: 1,
        ..TERMS
    };
    let (chain, of) = (scene.chain_with(terms), statement(7));
    let (state, _) = drive(&chain, &of, chain.begin(&of, None).unwrap());
    let hex = state
        .lines()
        .last()
        .unwrap()
        .rsplit(' ')
        .next()
        .unwrap()
        .to_owned();
    for _ in 0..2 {
        scene.node.mine_empty(&address(NOBODY)).unwrap();
    }
    let (state, _) = drive(&chain, &of, state);
    assert_eq!(
        state.lines().filter(|line| line.starts_with("tx ")).count(),
        2
    );
    let _: Value = scene
        .node
        .ask("generateblock", &json!([address(NOBODY), [hex]]))
        .unwrap();
    let (_, step) = drive(&chain, &of, state);
    let Step::Done { proof, .. } = step else {
        panic!("{step:?}")
    };
    judge(&DetachedFile::parse(&proof).unwrap(), &scene.headers()).unwrap();
}

#[test]
fn real_bitcoind_reorganisation_before_the_depth_is_waited_out() {
    let Some(scene) = scene("real_bitcoind_reorganisation_before_the_depth_is_waited_out") else {
        return;
    };
    let (chain, of) = (scene.chain(), statement(7));
    let (state, _) = drive(&chain, &of, chain.begin(&of, None).unwrap());
    scene.mine(5);
    let (state, step) = drive(&chain, &of, state);
    assert!(waiting(&step).contains("5 of 6"), "{step:?}");
    // Five blocks dropped, six others without the transaction: the same one is sent again.
    scene.node.drop_blocks(5).unwrap();
    for _ in 0..6 {
        scene.node.mine_empty(&address(NOBODY)).unwrap();
    }
    let (state, step) = drive(&chain, &of, state);
    assert!(waiting(&step).contains("no block"), "{step:?}");
    scene.mine(6);
    let (_, step) = drive(&chain, &of, state);
    let Step::Done { proof, .. } = step else {
        panic!("{step:?}")
    };
    judge(&DetachedFile::parse(&proof).unwrap(), &scene.headers()).unwrap();
}

#[test]
fn real_bitcoind_six_blocks_dropped_are_noticed_after_the_receipt() {
    let Some(scene) = scene("real_bitcoind_six_blocks_dropped_are_noticed_after_the_receipt")
    else {
        return;
    };
    let (chain, of) = (scene.chain(), statement(7));
    let (state, _) = drive(&chain, &of, chain.begin(&of, None).unwrap());
    scene.mine(6);
    let (_, Step::Done { settled, .. }) = drive(&chain, &of, state) else {
        panic!("not done")
    };
    scene.node.drop_blocks(6).unwrap();
    // A shorter chain says nothing yet.
    assert_eq!(chain.stands(&settled).unwrap(), Standing::Stands);
    for _ in 0..7 {
        scene.node.mine_empty(&address(NOBODY)).unwrap();
    }
    assert_eq!(chain.stands(&settled).unwrap(), Standing::Gone);
}

#[test]
fn real_bitcoind_coin_that_the_chain_dropped_makes_the_anchor_begin_anew() {
    let Some(scene) =
        scene("real_bitcoind_coin_that_the_chain_dropped_makes_the_anchor_begin_anew")
    else {
        return;
    };
    let (chain, of) = (scene.chain(), statement(7));
    let first: String = scene.node.ask("getblockhash", &json!([1])).unwrap();
    let (state, _) = drive(&chain, &of, chain.begin(&of, None).unwrap());
    // Everything since the first block is gone, its coin with it.
    let _: Value = scene.node.ask("invalidateblock", &json!([first])).unwrap();
    scene.mine(110);
    let (_, step) = drive(&chain, &of, state);
    assert!(matches!(step, Step::Lost(_)), "{step:?}");
    let error = chain.begin(&of, None).unwrap_err();
    assert_eq!(error.code().as_str(), "anchor.funds", "{error}");
    assert!(error.to_string().contains("bcrt1"), "{error}");
    scene.node.mine(1, &address(1)).unwrap();
    scene.mine(100);
    let (_, step) = drive(&chain, &of, chain.begin(&of, None).unwrap());
    assert!(waiting(&step).contains("no block"), "{step:?}");
}

#[test]
fn real_bitcoind_down_or_of_another_chain_is_said_and_nothing_is_sent_twice() {
    let Some(mut scene) =
        scene("real_bitcoind_down_or_of_another_chain_is_said_and_nothing_is_sent_twice")
    else {
        return;
    };
    let program = Bitcoind::program().unwrap();
    let (chain, of) = (scene.chain(), statement(7));
    let rpc = scene.node.rpc().clone();
    let other = BitcoinChain::new(Network::Main, rpc, key(1), TERMS);
    let error = other.begin(&of, None).unwrap_err();
    assert!(error.to_string().contains("`regtest`"), "{error}");
    let (state, _) = drive(&chain, &of, chain.begin(&of, None).unwrap());
    let sent = scene.mempool();
    scene.node.stop();
    let error = chain.advance(&of, &state).unwrap_err();
    assert_eq!(error.code().as_str(), "anchor.node", "{error}");
    // It comes back without its mempool, and with another cookie.
    scene.node.run(&program).unwrap();
    assert!(scene.mempool().is_empty());
    drive(&chain, &of, state);
    assert_eq!(scene.mempool(), sent);
    let stranger = Rpc::new(scene.node.url(), Login::None, Duration::from_secs(5));
    let chain = BitcoinChain::new(Network::Regtest, stranger.unwrap(), key(1), TERMS);
    let error = chain.begin(&of, None).unwrap_err();
    assert!(error.to_string().contains("login"), "{error}");
}

/// Stands between the node and us, and changes what it answers.
fn liar(node: &Bitcoind, lie: impl Fn(&str, &mut Value) + Send + 'static) -> Rpc {
    let behind = node.rpc().clone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            serve(stream, &behind, &lie);
        }
    });
    Rpc::new(&url, Login::None, Duration::from_secs(10)).unwrap()
}

fn serve(mut stream: TcpStream, behind: &Rpc, lie: &impl Fn(&str, &mut Value)) -> Option<()> {
    let mut bytes = Vec::new();
    let body = loop {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).ok()?;
        bytes.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((_, body)) = text.split_once("\r\n\r\n")
            && let Ok(question) = serde_json::from_str::<Value>(body)
        {
            break question;
        }
        if read == 0 {
            return None;
        }
    };
    let method: &'static str = body["method"].as_str()?.to_owned().leak();
    let answer = match behind.ask::<Value>(method, &body["params"]) {
        Ok(mut result) => {
            lie(method, &mut result);
            json!({"result": result})
        }
        Err(error) => json!({"error": {"code": error.number().unwrap_or(-1), "message": "no"}}),
    }
    .to_string();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{answer}",
        answer.len()
    )
    .ok()
}

#[test]
fn real_bitcoind_behind_a_liar_is_not_believed() {
    let Some(scene) = scene("real_bitcoind_behind_a_liar_is_not_believed") else {
        return;
    };
    let terms = BitcoinTerms {
        confirmations: 1,
        ..TERMS
    };
    let (chain, of) = (scene.chain_with(terms), statement(7));
    let (state, _) = drive(&chain, &of, chain.begin(&of, None).unwrap());
    scene.mine(1);
    type Lie = fn(&str, &mut Value);
    let lies: [(&str, Lie); 4] = [
        ("a transaction of the block left out", |method, answer| {
            if method == "getblock" {
                answer["tx"].as_array_mut().unwrap().remove(0);
            }
        }),
        ("a header of another block", |method, answer| {
            if method == "getblockheader" {
                let hex = answer.as_str().unwrap().replacen('0', "1", 1);
                *answer = json!(hex);
            }
        }),
        ("garbage in place of a header", |method, answer| {
            if method == "getblockheader" {
                *answer = json!("zz");
            }
        }),
        ("garbage in place of an amount", |method, answer| {
            if method == "gettxout" {
                answer["value"] = json!("much");
            }
        }),
    ];
    for (what, lie) in lies {
        let chain = BitcoinChain::new(Network::Regtest, liar(&scene.node, lie), key(1), terms);
        let error = chain.advance(&of, &state).unwrap_err();
        assert!(matches!(error, ChainError::Lie { .. }), "{what}: {error}");
        assert_eq!(error.code().as_str(), "anchor.node", "{what}");
    }
    // And one that says that money is there which is not: it signs nothing that could be mined.
    let rich = liar(&scene.node, |method, answer| {
        if method == "scantxoutset" {
            for coin in answer["unspents"].as_array_mut().unwrap() {
                coin["amount"] = json!(60);
            }
        }
    });
    let chain = BitcoinChain::new(Network::Regtest, rich, key(1), terms);
    scene.node.mine(1, &address(1)).unwrap();
    scene.mine(100);
    let state = chain.begin(&of, None).unwrap();
    let (_, step) = drive(&chain, &of, state);
    assert!(matches!(step, Step::Lost(_)), "{step:?}");
    assert!(scene.mempool().is_empty());
}

#[test]
fn a_node_that_is_silent_fails_or_answers_garbage_costs_its_time_and_no_more() {
    let of = statement(7);
    for mood in [Mood::Silent, Mood::Garbage, Mood::Oversized, Mood::Failing] {
        let fake = FakeCalendar::start(mood.clone()).unwrap();
        let rpc = Rpc::new(fake.url(), Login::None, Duration::from_millis(500)).unwrap();
        let chain = BitcoinChain::new(Network::Regtest, rpc, key(1), TERMS);
        let began = Instant::now();
        let error = chain.begin(&of, None).unwrap_err();
        assert_eq!(error.code().as_str(), "anchor.node", "{mood:?}: {error}");
        assert!(began.elapsed() < Duration::from_secs(10), "{mood:?}");
    }
}

#[test]
fn a_state_that_was_torn_is_refused() {
    let rpc = Rpc::new("http://127.0.0.1:1", Login::None, Duration::from_secs(1)).unwrap();
    let chain = BitcoinChain::new(Network::Regtest, rpc, key(1), TERMS);
    for bad in [
        "",
        "x",
        "paygod-bitcoin-v1\n",
        "paygod-bitcoin-v1\ncoin x 1\n",
        "paygod-bitcoin-v1\ntx 1 2 00\n",
        "paygod-bitcoin-v1\nother\n",
    ] {
        let error = chain.advance(&statement(7), bad).unwrap_err();
        assert_eq!(error.code().as_str(), "anchor.folder", "{bad}: {error}");
    }
    assert!(chain.stands("1 x").is_err());
}
