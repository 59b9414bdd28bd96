//! A random walk: the state machine against the model, then against itself rebuilt from its entries.

use super::book::Book;
use super::model::{Cmd, Model, Move, currency};
use crate::{Entry, Outcome, State};
use proptest::collection::vec;
use proptest::prelude::*;

const ACCOUNTS: [&str; 5] = ["eur-a", "eur-b", "eur-c", "jpy-a", "jpy-b"];

/// Few ids, so that repetition, conflict and reference to what was are common.
fn id() -> impl Strategy<Value = String> {
    (0..24_u8).prop_map(|n| format!("r{n}"))
}

fn actor() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["ann", "bob", "cid"]).prop_map(str::to_owned)
}

fn movement() -> impl Strategy<Value = Move> {
    // Amounts about every threshold of the judge and every limit of the accounts.
    let units = prop_oneof![4 => 1..300_i128, 1 => 300..500_i128, 2 => 500..1_000_i128, 1 => 1_000..1_100_i128];
    let pairs: Vec<(&str, &str)> = ACCOUNTS
        .iter()
        .flat_map(|from| ACCOUNTS.iter().map(move |to| (*from, *to)))
        .filter(|(from, to)| from != to && (currency(from) == currency(to) || *to == "jpy-b"))
        .collect();
    (prop::sample::select(pairs), units, 0..100_i128).prop_map(|((from, to), units, cents)| {
        let minor = if currency(from) == "JPY" {
            units
        } else {
            units * 100 + cents
        };
        (from.to_owned(), to.to_owned(), minor)
    })
}

fn command() -> impl Strategy<Value = Cmd> {
    let moves = || prop_oneof![4 => vec(movement(), 1), 1 => vec(movement(), 2..4)];
    let pending = prop_oneof![
        3 => Just(None),
        1 => Just(Some(None)),
        2 => (1..120_u64).prop_map(|seconds| Some(Some(seconds)))
    ];
    let scope = prop::sample::select(vec!["book", "EUR", "JPY", "eur-b", "eur-c"]);
    let limit = |limits: [i128; 3]| prop::option::of(prop::sample::select(limits.to_vec()));
    let limits = (limit([-20_000, 0, 10_000]), limit([0, 30_000, 100_000]));
    prop_oneof![
        10 => (actor(), moves(), pending).prop_map(|(by, moves, pending)| Cmd::Pay { by, moves, pending }),
        2 => (actor(), id(), moves()).prop_map(|(by, target, moves)| Cmd::Correct { by, target, moves }),
        3 => (id(), prop::option::of(1..60_000_i128)).prop_map(|(target, amount)| Cmd::Post { target, amount }),
        1 => id().prop_map(|target| Cmd::Void { target }),
        3 => (actor(), id()).prop_map(|(by, target)| Cmd::Approve { by, target }),
        1 => (actor(), id()).prop_map(|(by, target)| Cmd::Reject { by, target }),
        1 => (scope, any::<bool>()).prop_map(|(scope, on)| Cmd::Freeze { scope: scope.to_owned(), on }),
        1 => prop::sample::select(ACCOUNTS.to_vec()).prop_map(|account| Cmd::Close { account: account.to_owned() }),
        2 => (prop::sample::select(ACCOUNTS.to_vec()), limits).prop_map(|(account, (min, max))| Cmd::Limit { account: account.to_owned(), min, max }),
    ]
}

fn decimal(currency: &str, minor: i128) -> String {
    match currency {
        "JPY" => minor.to_string(),
        _ => format!("{}.{:02}", minor / 100, minor % 100),
    }
}

fn transfers(moves: &[Move], more: &str) -> String {
    let each = moves.iter().map(|(from, to, minor)| {
        let currency = currency(from);
        let amount = decimal(currency, *minor);
        format!(
            r#"{{"debit":"{from}","credit":"{to}","amount":"{amount}","currency":"{currency}"{more}}}"#
        )
    });
    each.collect::<Vec<_>>().join(",")
}

fn document(book: &Book, id: &str, cmd: &Cmd) -> String {
    match cmd {
        Cmd::Pay { by, moves, pending } => {
            let more = match pending {
                None => String::new(),
                Some(None) => r#","pending":{}"#.to_owned(),
                Some(Some(seconds)) => format!(r#","pending":{{"timeout_s":{seconds}}}"#),
            };
            let transfers = transfers(moves, &more);
            format!(r#"{{"id":"{id}","by":"{by}","transfer":{{"transfers":[{transfers}]}}}}"#)
        }
        Cmd::Correct { by, target, moves } => {
            let transfers = transfers(moves, "");
            format!(
                r#"{{"id":"{id}","by":"{by}","correct":{{"corrects":"{target}","reason":"r","transfers":[{transfers}]}}}}"#
            )
        }
        Cmd::Post { target, amount } => {
            // The amount is spelled in the reservation's currency, as a client would.
            let pending = book.state.pending(&target.parse().unwrap());
            let code = pending.map_or("EUR", |pending| pending.legs[0].money.currency.code());
            let amounts = amount.map(|minor| format!(r#","amounts":["{}"]"#, decimal(code, minor)));
            let amounts = amounts.unwrap_or_default();
            format!(r#"{{"id":"{id}","post":{{"pending":"{target}"{amounts}}}}}"#)
        }
        Cmd::Void { target } => format!(r#"{{"id":"{id}","void":{{"pending":"{target}"}}}}"#),
        Cmd::Approve { by, target } => {
            format!(r#"{{"id":"{id}","by":"{by}","approve":{{"request":"{target}"}}}}"#)
        }
        Cmd::Reject { by, target } => {
            format!(r#"{{"id":"{id}","by":"{by}","reject":{{"request":"{target}"}}}}"#)
        }
        Cmd::Freeze { scope, on } => {
            let verb = if *on { "freeze" } else { "unfreeze" };
            let scope = match scope.as_str() {
                "book" => r#""book""#.to_owned(),
                "EUR" | "JPY" => format!(r#"{{"currency":"{scope}"}}"#),
                account => format!(r#"{{"account":"{account}"}}"#),
            };
            format!(r#"{{"id":"{id}","{verb}":{{"scope":{scope}}}}}"#)
        }
        Cmd::Close { account } => {
            format!(r#"{{"id":"{id}","account_close":{{"account":"{account}"}}}}"#)
        }
        Cmd::Limit { account, min, max } => {
            let currency = currency(account);
            let limit = |key, limit: &Option<i128>| {
                let limit = limit.map(|minor| decimal(currency, minor));
                limit.map_or_else(String::new, |limit| format!(r#","{key}":"{limit}""#))
            };
            let limits = [limit("min_balance", min), limit("max_balance", max)].concat();
            format!(
                r#"{{"id":"{id}","account_limit":{{"account":"{account}","currency":"{currency}"{limits}}}}}"#
            )
        }
    }
}

fn outcome(book: &Book, result: Result<Outcome, crate::CommandError>) -> String {
    match result {
        Ok(Outcome::Existing(_)) => "existing".to_owned(),
        Ok(Outcome::Sealed(_)) => {
            let entry = book.last();
            let decision = entry.body.decision();
            decision
                .map_or("ok", |decision| decision.verdict.as_str())
                .to_owned()
        }
        Err(error) => error.code().as_str().to_owned(),
    }
}

fn assert_same_money(book: &Book, model: &Model) {
    for (id, expected) in &model.accounts {
        let account = book.state.account(&id.parse().unwrap()).unwrap();
        let found = account.balances;
        let found = [
            found.debits_pending,
            found.debits_posted,
            found.credits_pending,
            found.credits_posted,
        ];
        let expected = [
            expected.out_reserved,
            expected.out,
            expected.in_reserved,
            expected.in_,
        ];
        assert_eq!(found.map(|amount| amount.minor()), expected, "{id}");
    }
}

fn walk(steps: &[(String, Cmd, u64)]) {
    let mut book = Book::ready();
    let mut model = Model::new(book.state.last_time().as_nanos(), book.state.size());
    for (id, cmd, wait) in steps {
        book.pass(*wait);
        let json = document(&book, id, cmd);
        let expected = model.run(book.now.as_nanos(), id, &json, cmd);
        let result = book.execute(&json);
        let found = outcome(&book, result);
        assert_eq!(found, expected, "{json}");
        assert_same_money(&book, &model);
        assert_eq!(book.state.size(), model.entries);
        for of in book.state.totals() {
            assert!(of.totals.is_conserved(), "INVARIANT(conservation)");
        }
    }
    let digest = book.state.digest();
    let mut rebuilt = State::new();
    for bytes in &book.log {
        rebuilt.apply(&Entry::decode(bytes).unwrap()).unwrap();
    }
    assert_eq!(rebuilt.digest(), digest, "INVARIANT(fold)");
    let bytes = rebuilt.to_snapshot();
    assert_eq!(
        State::from_snapshot(&bytes).unwrap().digest(),
        digest,
        "INVARIANT(one-state)"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn state_machine_agrees_with_a_naive_ledger(
        steps in vec((id(), command(), prop_oneof![3 => Just(0_u64), 1 => 1..90_u64]), 1..80)
    ) {
        walk(&steps);
    }

    #[test]
    fn entry_decoder_is_total(bytes in vec(any::<u8>(), 0..300)) {
        let _ = Entry::decode(&bytes);
        let _ = crate::EntryHead::decode(&bytes);
        let _ = crate::Request::from_json(&bytes);
        let _ = State::from_snapshot(&bytes);
    }
}
