//! Anchors in the registry on a real `anvil`: `PAYGOD_ANVIL` names it, else it is looked for in the `PATH`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::string_slice,
    reason = "a test that cannot go on fails"
)]

mod stepping;

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use paygod_anchor::chain::{Chain, ChainError, Standing, Statement, Step};
use paygod_anchor::ethereum::{
    Blocks, EthereumChain, EthereumTerms, Registry, RegistryProof, RegistryProofError,
};
use paygod_anchor::paying::PayingKey;
use paygod_anchor::practice::{Anvil, FakeCalendar, Mood, PracticeKey};
use paygod_anchor::rpc::{Login, Rpc};
use paygod_tlog::leaf_hash;
use serde_json::{Value, json};
use stepping::{drive, waiting};

const TERMS: EthereumTerms = EthereumTerms {
    fee_max_gwei: 100,
    bump_blocks: 2,
    confirmations: 6,
};

struct Scene {
    node: Anvil,
    registry: Registry,
}

fn key(number: u8) -> Arc<dyn PayingKey> {
    Arc::new(PracticeKey::new(number).unwrap())
}

fn address(number: u8) -> String {
    EthereumChain::address_of(key(number).as_ref()).unwrap()
}

/// A chain with a registry and money for the key, or a line that says why not.
fn scene(test: &str) -> Option<Scene> {
    let Some(program) = Anvil::program() else {
        println!(
            "skipped {test}: no `anvil`; npm install @foundry-rs/anvil@1.7.1 and name it in PAYGOD_ANVIL"
        );
        return None;
    };
    let node = Anvil::start(&program).unwrap();
    for number in [1, 2] {
        node.give(&address(number), 1_000_000_000_000_000_000)
            .unwrap();
    }
    let registry = Registry {
        chain_id: node.chain_id(),
        address: [0; 20],
    };
    let maker = EthereumChain::new(registry, node.rpc().clone(), key(2), TERMS);
    let address = maker.deploy().unwrap();
    node.mine(1).unwrap();
    let registry = Registry {
        address,
        ..registry
    };
    Some(Scene { node, registry })
}

impl Scene {
    fn chain(&self) -> EthereumChain {
        self.chain_with(TERMS)
    }

    fn chain_with(&self, terms: EthereumTerms) -> EthereumChain {
        EthereumChain::new(self.registry, self.node.rpc().clone(), key(1), terms)
    }

    fn blocks(&self) -> Blocks {
        let text = self.node.blocks().unwrap();
        Blocks::read(&mut text.as_bytes(), self.node.chain_id()).unwrap()
    }

    fn waiting(&self) -> usize {
        let found: Value = self.node.ask("txpool_status", &json!([])).unwrap();
        let count = found["pending"].as_str().unwrap();
        usize::from_str_radix(count.trim_start_matches("0x"), 16).unwrap()
    }
}

fn statement_of(origin: &str, size: u64) -> Statement {
    let mut frontier = paygod_tlog::Frontier::default();
    for number in 0..size {
        frontier.append(leaf_hash(&number.to_be_bytes()));
    }
    Statement::new(origin, frontier.head()).unwrap()
}

fn statement(size: u64) -> Statement {
    statement_of("paygod.test/book", size)
}

fn done(step: Step) -> (RegistryProof, String) {
    match step {
        Step::Done { proof, settled } => (RegistryProof::parse(&proof).unwrap(), settled),
        other => panic!("{other:?}"),
    }
}

/// From nothing to the proof.
fn anchored(scene: &Scene, of: &Statement) -> (RegistryProof, String) {
    let chain = scene.chain();
    let (state, _) = drive(&chain, of, chain.begin(of, None).unwrap());
    scene.node.mine(6).unwrap();
    done(drive(&chain, of, state).1)
}

#[test]
fn real_anvil_checkpoint_is_recorded_and_the_state_proves_it() {
    let Some(scene) = scene("real_anvil_checkpoint_is_recorded_and_the_state_proves_it") else {
        return;
    };
    let (chain, of) = (scene.chain(), statement(7));
    let state = chain.begin(&of, None).unwrap();
    assert_eq!(
        scene.waiting(),
        0,
        "nothing is sent before it is written down"
    );
    let (state, step) = drive(&chain, &of, state);
    assert!(waiting(&step).contains("no block"), "{step:?}");
    scene.node.mine(5).unwrap();
    let (state, step) = drive(&chain, &of, state);
    assert!(waiting(&step).contains("for 6 blocks"), "{step:?}");
    scene.node.mine(1).unwrap();
    let (proof, settled) = done(drive(&chain, &of, state).1);
    let found = proof.verify(&of, &scene.blocks()).unwrap();
    assert_eq!((found.height, found.depth), (2, 6));
    println!(
        "a proof of the registry has {} bytes",
        proof.to_text().len()
    );
    assert_eq!(RegistryProof::parse(proof.to_text().as_bytes()), Ok(proof));
    assert_eq!(chain.stands(&settled).unwrap(), Standing::Stands);
    // The next one, and the first one still holds where it was.
    anchored(&scene, &statement(9));
    scene.node.mine(300).unwrap();
    assert_eq!(chain.stands(&settled).unwrap(), Standing::Final);
}

#[test]
fn real_anvil_registry_refuses_a_smaller_or_equal_tree() {
    let Some(scene) = scene("real_anvil_registry_refuses_a_smaller_or_equal_tree") else {
        return;
    };
    anchored(&scene, &statement(7));
    let chain = scene.chain();
    let error = chain.begin(&statement(6), None).unwrap_err();
    assert!(error.to_string().contains("rolled back"), "{error}");
    // What stands there is not paid for twice.
    let (_, step) = drive(
        &chain,
        &statement(7),
        chain.begin(&statement(7), None).unwrap(),
    );
    done(step);
    assert_eq!(scene.waiting(), 0);
    // The contract itself, asked behind the client's back: another root of the same size, and a smaller one.
    for size in [7_u8, 6] {
        let of = statement(7);
        let mut input = String::from("0x241aaccc");
        input.push_str(&of.log.to_string());
        input.push_str(&format!("{size:064x}{:064x}", 5));
        let call = json!([{
            "from": address(1),
            "to": format!("0x{}", hex(&scene.registry.address)),
            "input": input,
        }, "latest"]);
        let refused = scene.node.ask::<Value>("eth_call", &call).unwrap_err();
        assert!(refused.to_string().contains("revert"), "{refused}");
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    paygod_types::write_hex(bytes, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn real_anvil_proof_of_anything_else_is_refused() {
    let Some(scene) = scene("real_anvil_proof_of_anything_else_is_refused") else {
        return;
    };
    let of = statement(7);
    let (proof, _) = anchored(&scene, &of);
    let blocks = scene.blocks();
    let other_log = statement_of("paygod.test/other", 7);
    let refused = proof.verify(&other_log, &blocks).unwrap_err();
    assert!(
        matches!(refused, RegistryProofError::Other { .. }),
        "{refused}"
    );
    let refused = proof.verify(&statement(8), &blocks).unwrap_err();
    assert!(
        matches!(refused, RegistryProofError::Other { .. }),
        "{refused}"
    );
    // Another contract, that says the same: its account has other code.
    let same = format!("0x{}", hex(&scene.registry.address));
    let other = "0x00000000000000000000000000000000000000ff";
    let () = scene
        .node
        .ask("anvil_setCode", &json!([other, "0x60016000f3"]))
        .unwrap();
    let text = proof.to_text().replace(&same[2..], &other[2..]);
    let foreign = RegistryProof::parse(text.as_bytes()).unwrap();
    let refused = foreign.verify(&of, &blocks).unwrap_err();
    assert!(
        matches!(refused, RegistryProofError::Contract { .. }),
        "{refused}"
    );
    // A block that the chain does not have, and none at all.
    let number = proof.number().unwrap();
    let forged: String = scene
        .node
        .blocks()
        .unwrap()
        .lines()
        .map(|line| match line.split_once(' ') {
            Some((found, _)) if found == number.to_string() => {
                format!("{found} 0x{}\n", "ab".repeat(32))
            }
            _ => format!("{line}\n"),
        })
        .collect();
    let forged = Blocks::read(&mut forged.as_bytes(), scene.node.chain_id()).unwrap();
    let refused = proof.verify(&of, &forged).unwrap_err();
    assert!(
        matches!(refused, RegistryProofError::Block { .. }),
        "{refused}"
    );
    let few = format!("0 0x{}\n", "ab".repeat(32));
    let few = Blocks::read(&mut few.as_bytes(), scene.node.chain_id()).unwrap();
    let refused = proof.verify(&of, &few).unwrap_err();
    assert!(!refused.is_wrong(), "{refused}");
    // Every line, altered or left out, and no panic.
    let text = proof.to_text();
    for place in 0..text.lines().count() {
        let without: String = text
            .lines()
            .enumerate()
            .filter(|(at, _)| *at != place)
            .map(|(_, line)| format!("{line}\n"))
            .collect();
        let altered: String = text
            .lines()
            .enumerate()
            .map(|(at, line)| match line.char_indices().next_back() {
                Some((end, last)) if at == place => {
                    let digit = if last == '0' { '1' } else { '0' };
                    format!("{}{digit}\n", &line[..end])
                }
                _ => format!("{line}\n"),
            })
            .collect();
        for bad in [without, altered] {
            let found = RegistryProof::parse(bad.as_bytes())
                .and_then(|proof| proof.verify(&of, &blocks).map(|_| ()));
            assert!(found.is_err(), "line {place}");
        }
    }
}

#[test]
fn real_anvil_stuck_transaction_is_replaced_up_to_the_cap() {
    let Some(scene) = scene("real_anvil_stuck_transaction_is_replaced_up_to_the_cap") else {
        return;
    };
    let terms = EthereumTerms {
        fee_max_gwei: 5,
        ..TERMS
    };
    let (chain, of) = (scene.chain_with(terms), statement(7));
    let (mut state, _) = drive(&chain, &of, chain.begin(&of, None).unwrap());
    let count = |state: &str| state.lines().filter(|line| line.starts_with("tx ")).count();
    let mut last = String::new();
    for _ in 0..16 {
        // Blocks go by without it.
        scene.node.forget().unwrap();
        scene.node.mine(2).unwrap();
        let (next, step) = drive(&chain, &of, state);
        state = next;
        last = waiting(&step).to_owned();
        assert_eq!(
            drive(&chain, &of, state.clone()).0,
            state,
            "not twice at one height"
        );
    }
    assert!(count(&state) >= 3, "{state}");
    assert!(last.contains("cap of 5 gwei"), "{last}");
    for line in state.lines().filter(|line| line.starts_with("tx ")) {
        let fee: u128 = line.split(' ').nth(2).unwrap().parse().unwrap();
        assert!(fee <= 5_000_000_000, "{line}");
    }
    scene.node.mine(6).unwrap();
    let (proof, _) = done(drive(&chain, &of, state).1);
    proof.verify(&of, &scene.blocks()).unwrap();
}

#[test]
fn real_anvil_reorganisation_sends_the_same_transaction_again() {
    let Some(scene) = scene("real_anvil_reorganisation_sends_the_same_transaction_again") else {
        return;
    };
    let (chain, of) = (scene.chain(), statement(7));
    let (state, _) = drive(&chain, &of, chain.begin(&of, None).unwrap());
    scene.node.mine(3).unwrap();
    scene.node.reorganise(3).unwrap();
    let (state, step) = drive(&chain, &of, state);
    assert!(waiting(&step).contains("no block"), "{step:?}");
    scene.node.mine(6).unwrap();
    let (proof, settled) = done(drive(&chain, &of, state).1);
    proof.verify(&of, &scene.blocks()).unwrap();
    // Six blocks dropped after the receipt: noticed, and anchored anew.
    scene.node.reorganise(7).unwrap();
    assert_eq!(chain.stands(&settled).unwrap(), Standing::Gone);
    let refused = proof.verify(&of, &scene.blocks()).unwrap_err();
    assert!(refused.is_wrong(), "{refused}");
    let (again, _) = anchored(&scene, &of);
    again.verify(&of, &scene.blocks()).unwrap();
}

#[test]
fn real_anvil_without_money_registry_or_the_right_chain_is_said() {
    let Some(scene) = scene("real_anvil_without_money_registry_or_the_right_chain_is_said") else {
        return;
    };
    let of = statement(7);
    let with = |registry: Registry, number: u8| {
        EthereumChain::new(registry, scene.node.rpc().clone(), key(number), TERMS)
    };
    let error = with(scene.registry, 7).begin(&of, None).unwrap_err();
    assert!(matches!(error, ChainError::Funds { .. }), "{error}");
    assert!(error.to_string().contains(&address(7)), "{error}");
    let nowhere = Registry {
        address: [9; 20],
        ..scene.registry
    };
    let error = with(nowhere, 1).begin(&of, None).unwrap_err();
    assert!(error.to_string().contains("not the registry"), "{error}");
    let other = Registry {
        chain_id: 1,
        ..scene.registry
    };
    let error = with(other, 1).begin(&of, None).unwrap_err();
    assert!(error.to_string().contains("31337"), "{error}");
}

#[test]
fn an_ethereum_node_that_is_silent_fails_or_answers_garbage_is_said() {
    for mood in [Mood::Silent, Mood::Garbage, Mood::Oversized, Mood::Failing] {
        let fake = FakeCalendar::start(mood.clone()).unwrap();
        let rpc = Rpc::new(fake.url(), Login::None, Duration::from_millis(500)).unwrap();
        let registry = Registry {
            chain_id: 1,
            address: [0; 20],
        };
        let chain = EthereumChain::new(registry, rpc, key(1), TERMS);
        let error = chain.begin(&statement(7), None).unwrap_err();
        assert_eq!(error.code().as_str(), "anchor.node", "{mood:?}: {error}");
    }
}

/// npm `solc`, by `NODE_PATH`.
#[test]
fn real_solc_compiles_the_source_to_the_artefact() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contracts/ethereum");
    let output = Command::new("node")
        .arg("compile.js")
        .current_dir(folder)
        .output();
    let Some(output) = output.ok().filter(|output| output.status.success()) else {
        println!(
            "skipped real_solc_compiles_the_source_to_the_artefact: no `solc`; npm install solc@0.8.37 and name its node_modules in NODE_PATH"
        );
        return;
    };
    let made = String::from_utf8(output.stdout).unwrap();
    let kept = std::fs::read_to_string(format!("{folder}/Registry.json")).unwrap();
    assert_eq!(made, kept);
}
