//! Anchors by transactions of one's own, from the command line, through a real `bitcoind`.

use crate::support::{Book, shown, text};
use paygod_anchor::practice::{Anvil, Bitcoind};
use serde_json::Value;
use std::process::Command;

/// Runs the command with the passphrase at hand, and demands this exit code: what it printed.
fn run(book: &Book, code: i32, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_paygod"))
        .args(arguments)
        .args(["--book", &book.path("book")])
        .env("PAYGOD_PASSPHRASE_FILE", book.path("passphrase"))
        .env_remove("PAYGOD_CALENDARS")
        .env_remove("PAYGOD_BITCOIN_NODE")
        .env_remove("PAYGOD_ETHEREUM_NODE")
        .env("NO_COLOR", "1")
        .output()
        .expect("the binary runs");
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    said
}

fn with_key() -> (Book, String, String) {
    let book = Book::ready();
    book.secret("passphrase", "a passphrase of some length\n");
    let key = book.path("anchor.key");
    run(&book, 0, &["anchor", "key", "new", &key]);
    let shown = run(&book, 0, &["anchor", "key", "show", &key, "--json"]);
    let value: Value = serde_json::from_str(&shown).expect("JSON");
    let address = value["bitcoin"]["regtest"].as_str().expect("an address");
    let address = address.to_owned();
    (book, key, address)
}

#[test]
fn a_paying_key_is_made_shown_and_refused_where_it_should_be() {
    let (book, key, address) = with_key();
    assert!(address.starts_with("bcrt1q"), "{address}");
    let said = run(&book, 2, &["anchor", "key", "new", &key]);
    assert!(said.contains("keys.file"), "{said}");
    let now = ["anchor", "now", "--bitcoin-node", "http://127.0.0.1:1"];
    let said = run(&book, 2, &now);
    assert!(said.contains("--bitcoin-key"), "{said}");
    let with = [&now[..], &["--bitcoin-key", &key]].concat();
    let said = run(&book, 3, &[&with[..], &["--production"]].concat());
    assert!(said.contains("not for production"), "{said}");
    let said = run(&book, 3, &with);
    assert!(said.contains("anchor.node"), "{said}");
    let foreign = ["anchor", "now", "--bitcoin-node", "http://node.example.com"];
    let said = run(&book, 2, &[&foreign[..], &["--bitcoin-key", &key]].concat());
    assert!(said.contains("anchor.not-allowed"), "{said}");
}

#[test]
fn real_bitcoind_book_is_anchored_exported_verified_and_a_payment_proved_by_it() {
    let Some(program) = Bitcoind::program() else {
        println!(
            "skipped real_bitcoind_book_is_anchored_exported_verified_and_a_payment_proved_by_it: no `bitcoind`; install Bitcoin Core 25 or later and name it in PAYGOD_BITCOIND"
        );
        return;
    };
    let (book, key, address) = with_key();
    let node = tempfile::tempdir().expect("a folder");
    let node = Bitcoind::start(&program, node.path()).expect("a node");
    node.mine(101, &address).expect("blocks");
    let cookie = shown(&node.cookie());
    let now = [
        "anchor",
        "now",
        "--bitcoin-node",
        node.url(),
        "--bitcoin-cookie",
        &cookie,
        "--bitcoin-key",
        &key,
        "--bitcoin-chain",
        "regtest",
    ];
    // The wrong chain is not paid on.
    let said = run(&book, 3, &now[..8]);
    assert!(said.contains("`regtest`"), "{said}");
    let said = run(&book, 0, &now);
    assert!(said.contains("submitted"), "{said}");
    let said = run(&book, 0, &["anchor", "status"]);
    assert!(said.contains("under way in bitcoin"), "{said}");
    node.mine(6, &address).expect("blocks");
    let said = run(&book, 0, &now);
    assert!(said.contains("anchored"), "{said}");

    let export = book.path("export");
    run(&book, 0, &["export", &export]);
    let (blocks, headers) = (book.path("blocks"), book.path("blocks/headers.txt"));
    let get = ["anchor", "blocks", &*export, &*blocks];
    let said = run(&book, 2, &get);
    assert!(said.contains("--bitcoin-node"), "{said}");
    let said = run(&book, 0, &[&get[..], &now[2..6], &now[8..]].concat());
    assert!(said.contains("2 blocks"), "{said}");
    let with = ["--bitcoin-headers", &*headers, "--bitcoin-chain", "regtest"];
    let verify = ["verify", &*export, "--json"];
    let said = run(&book, 0, &[&verify[..], &with].concat());
    assert!(said.contains("\"proven\":1"), "{said}");

    let proof = book.path("first.tlog-proof");
    let said = run(
        &book,
        0,
        &["prove", "#1", "--anchored", "--out", &proof, "--json"],
    );
    let made: Value = serde_json::from_str(&said).expect("JSON");
    let word = |name: &str| made[name].as_str().expect("a word").to_owned();
    assert_eq!(word("protection"), "anchored");
    let (entry, log_key, anchor) = (word("entry"), word("key"), word("anchor"));
    let check = [
        "prove", "--check", &proof, "--entry", &entry, "--key", &log_key, "--anchor", &anchor,
    ];
    let said = run(&book, 0, &[&check[..], &with].concat());
    assert!(said.contains("it existed by"), "{said}");
    let said = run(&book, 1, &check);
    assert!(said.contains("no block among those"), "{said}");
    // The anchor of something else.
    let mut other = std::fs::read(&anchor).expect("read");
    other[40] ^= 1;
    std::fs::write(&anchor, other).expect("written");
    let said = run(&book, 1, &[&check[..], &with].concat());
    assert!(said.contains("anchor.proof"), "{said}");
}

#[test]
fn real_anvil_book_is_anchored_in_a_registry_exported_verified_and_proved_by_it() {
    let Some(program) = Anvil::program() else {
        println!(
            "skipped real_anvil_book_is_anchored_in_a_registry_exported_verified_and_proved_by_it: no `anvil`; npm install @foundry-rs/anvil@1.7.1 and name it in PAYGOD_ANVIL"
        );
        return;
    };
    let (book, key, _) = with_key();
    let node = Anvil::start(&program).expect("a node");
    let key_shown = run(&book, 0, &["anchor", "key", "show", &key, "--json"]);
    let value: Value = serde_json::from_str(&key_shown).expect("JSON");
    let address = value["ethereum"].as_str().expect("an address");
    node.give(address, 1_000_000_000_000_000_000)
        .expect("money");
    let chain = node.chain_id().to_string();
    let with_node = [
        "--ethereum-node",
        node.rpc().url(),
        "--ethereum-chain",
        &chain,
        "--ethereum-key",
        &key,
    ];
    let made = [&["anchor", "registry", "--json"][..], &with_node].concat();
    let value: Value = serde_json::from_str(&run(&book, 0, &made)).expect("JSON");
    let registry = value["registry"].as_str().expect("an address").to_owned();
    let now = [&["anchor", "now"][..], &with_node].concat();
    let said = run(&book, 2, &now);
    assert!(said.contains("--ethereum-registry"), "{said}");
    let more = [
        "--ethereum-registry",
        &*registry,
        "--ethereum-confirmations",
        "3",
    ];
    let now = [&now[..], &more].concat();
    let said = run(&book, 3, &now);
    assert!(said.contains("not the registry"), "{said}");
    node.mine(1).expect("a block");
    let said = run(&book, 0, &now);
    assert!(said.contains("submitted"), "{said}");
    node.mine(3).expect("blocks");
    let said = run(&book, 0, &now);
    assert!(said.contains("anchored"), "{said}");

    let export = book.path("export");
    run(&book, 0, &["export", &export]);
    let (folder, blocks) = (book.path("blocks"), book.path("blocks/blocks.txt"));
    let get = ["anchor", "blocks", &*export, &*folder];
    let said = run(&book, 0, &[&get[..], &with_node[..4]].concat());
    assert!(said.contains("2 blocks"), "{said}");
    let with = ["--ethereum-blocks", &*blocks, "--ethereum-chain", &*chain];
    let verify = ["verify", &*export, "--json"];
    let said = run(&book, 0, &[&verify[..], &with].concat());
    assert!(said.contains("\"proven\":1"), "{said}");
    let said = run(&book, 0, &[&["anchor", "verify"][..], &with].concat());
    assert!(said.contains("holds"), "{said}");

    let proof = book.path("first.tlog-proof");
    let made = ["prove", "#1", "--anchored", "--out", &*proof, "--json"];
    let made: Value = serde_json::from_str(&run(&book, 0, &made)).expect("JSON");
    let word = |name: &str| made[name].as_str().expect("a word").to_owned();
    let (entry, log_key, anchor) = (word("entry"), word("key"), word("anchor"));
    assert!(anchor.ends_with(".eth"), "{anchor}");
    let check = [
        "prove", "--check", &proof, "--entry", &entry, "--key", &log_key, "--anchor", &anchor,
    ];
    let said = run(&book, 0, &[&check[..], &with].concat());
    assert!(said.contains("it existed by"), "{said}");
    // Blocks of another chain bear nothing out; an altered proof is found.
    let other = ["--ethereum-blocks", &*blocks];
    run(&book, 1, &[&check[..], &other].concat());
    let name = std::fs::read_dir(book.path("export/anchors"))
        .expect("a folder")
        .filter_map(|file| Some(shown(&file.ok()?.path())))
        .find(|name| name.ends_with(".eth"))
        .expect("a proof");
    let text = std::fs::read_to_string(&name).expect("text");
    let text = text.replace("publisher ", "publisher 0");
    std::fs::write(&name, text).expect("written");
    let said = run(&book, 1, &[&verify[..], &with].concat());
    assert!(said.contains("verify.anchor"), "{said}");
}
