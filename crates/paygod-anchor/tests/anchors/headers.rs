//! Files of headers: the chain's rules, and forgeries.

use paygod_anchor::bitcoin::{Headers, HeadersError, Network};
use paygod_anchor::practice::PracticeChain;

/// The first block of the main chain, which is part of every node.
const GENESIS: &str = "0 0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c\n";

fn read(text: &str, network: Network) -> Result<Headers, HeadersError> {
    Headers::read(&mut text.as_bytes(), network)
}

fn chain(blocks: u32) -> String {
    let mut chain = PracticeChain::default();
    for block in 0..blocks {
        chain.mine([7; 32], 1_700_000_000 + block * 600);
    }
    chain.to_text()
}

fn reason(result: Result<Headers, HeadersError>) -> &'static str {
    match result {
        Err(HeadersError::Chain { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_block_of_the_main_chain_is_known() {
    let headers = read(GENESIS, Network::Main).unwrap();
    assert_eq!(
        (headers.first(), headers.end(), headers.time_s(0)),
        (0, 1, Some(1_231_006_505))
    );
    let other = GENESIS.replace("29ab5f49", "2aab5f49");
    assert!(reason(read(&other, Network::Main)).contains("another block"));
}

#[test]
fn a_chain_of_ones_own_reads() {
    let headers = read(&chain(5), Network::Regtest).unwrap();
    assert_eq!(
        (headers.first(), headers.end(), headers.depth(2)),
        (1, 6, 4)
    );
    assert_eq!(headers.merkle_root(6), None);
    let windows = chain(3).replace('\n', "\r\n");
    assert!(read(&windows, Network::Regtest).is_ok());
}

#[test]
fn a_chain_of_ones_own_is_not_the_main_chain() {
    let text = chain(3);
    assert!(matches!(
        read(&text, Network::Main),
        Err(HeadersError::Start { found: 1 })
    ));
    let late: String = (900_000..)
        .zip(text.lines())
        .map(|(height, line)| format!("{height} {}\n", line.split_once(' ').unwrap().1))
        .collect();
    assert!(reason(read(&late, Network::Main)).contains("too easy"));
    assert!(reason(read(&late, Network::Test)).contains("too easy"));
    // With the target of the first days, the work would be an afternoon's.
    let easy = late.replace("ffff7f20", "ffff001d");
    assert!(reason(read(&easy, Network::Main)).contains("too easy"));
    // With a target of today it would be a miner's.
    let hard = late.replace("ffff7f20", "a5251c17");
    assert!(reason(read(&hard, Network::Main)).contains("work was not done"));
}

#[test]
fn a_forged_header_is_named() {
    let text = chain(4);
    let lines: Vec<&str> = text.lines().collect();
    let forged = |at: usize, from: &str, to: &str| {
        let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        lines[at] = lines[at].replace(from, to);
        lines.join("\n")
    };
    // Another merkle root: either its own work is not done, or the next one does not name it.
    for root in ["06", "05", "04", "03"] {
        let result = read(
            &forged(1, &"07".repeat(32), &root.repeat(32)),
            Network::Regtest,
        );
        assert!(
            matches!(result, Err(HeadersError::Chain { height: 2 | 3, .. })),
            "{result:?}"
        );
    }
    let harder = forged(1, "ffff7f20", "ffff7f1f");
    assert!(reason(read(&harder, Network::Regtest)).contains("not the one that is due"));
}

#[test]
fn gaps_and_lines_that_are_none_are_refused() {
    let text = chain(4);
    let lines: Vec<&str> = text.lines().collect();
    assert!(matches!(
        read(&[lines[0], lines[2]].join("\n"), Network::Regtest),
        Err(HeadersError::Height {
            line: 2,
            found: 3,
            expected: 2
        })
    ));
    assert!(matches!(
        read("", Network::Regtest),
        Err(HeadersError::Empty)
    ));
    for bad in [
        "x",
        "1",
        "1 00",
        "01 ",
        &format!("1  {}", "0".repeat(160)),
        &format!("-1 {}", "0".repeat(160)),
        &format!("1 {}", "A".repeat(160)),
        &"9".repeat(10_000),
        "\n",
    ] {
        assert!(
            matches!(
                read(bad, Network::Regtest),
                Err(HeadersError::Line { line: 1 })
            ),
            "{bad}"
        );
    }
    assert!(matches!(
        Headers::read(&mut [0xff, 0xfe].as_slice(), Network::Main),
        Err(HeadersError::Line { line: 1 })
    ));
}
