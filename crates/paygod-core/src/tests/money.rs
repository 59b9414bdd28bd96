//! Transfers, accounts, limits, freezes, corrections and the policy, rule by rule.

use super::book::{Book, rules, transfer, verdict};
use crate::history::AsOf;
use crate::{Layer, Side};

#[test]
fn allowed_transfer_moves_money_in_one_entry() {
    let mut book = Book::ready();
    let entry = book.pay("p1", "eur-a", "eur-b", "12.50");
    assert_eq!(verdict(&entry), "allow");
    let postings = entry.body.postings();
    assert_eq!(postings.len(), 2);
    assert_eq!(
        (postings[0].side, postings[0].layer),
        (Side::Debit, Layer::Posted)
    );
    assert_eq!(
        (postings[1].side, postings[1].layer),
        (Side::Credit, Layer::Posted)
    );
    assert_eq!(book.balance("eur-a"), (-1_250, -1_250));
    assert_eq!(book.balance("eur-b"), (1_250, 1_250));
}

#[test]
fn before_any_policy_every_transfer_is_denied() {
    let mut book = Book::begun();
    for id in ["a", "b"] {
        book.sealed(&format!(
            r#"{{"id":"open-{id}","account_open":{{"account":"eur-{id}","currency":"EUR"}}}}"#
        ));
    }
    let entry = book.pay("p1", "eur-a", "eur-b", "1.00");
    assert_eq!(verdict(&entry), "deny");
    assert_eq!(rules(&entry), ["ledger/no-active-policy"]);
    assert!(entry.body.postings().is_empty());
    book.activate();
    assert_eq!(verdict(&book.pay("p2", "eur-a", "eur-b", "1.00")), "allow");
}

#[test]
fn verdict_decides_what_moves() {
    for (amount, expected, posted, available) in [
        ("299.99", "allow", -29_999, -29_999),
        ("300.00", "flag", -30_000, -30_000),
        ("500.00", "review", 0, -50_000),
        ("1000.00", "deny", 0, 0),
    ] {
        let mut book = Book::ready();
        let entry = book.pay("p1", "eur-a", "eur-b", amount);
        assert_eq!(verdict(&entry), expected, "{amount}");
        assert_eq!(book.balance("eur-a"), (posted, available), "{amount}");
    }
}

#[test]
fn ledger_refusals_are_sealed_as_denies() {
    let freeze = |scope: &str| format!(r#"{{"id":"f","freeze":{{"scope":{scope}}}}}"#);
    let close = r#"{"id":"c","account_close":{"account":"eur-c"}}"#.to_owned();
    let table = [
        (None, ("eur-b", "eur-a", "0.01"), "insufficient-funds"),
        (
            Some(freeze(r#""book""#)),
            ("eur-a", "eur-b", "1.00"),
            "book-frozen",
        ),
        (
            Some(freeze(r#"{"currency":"EUR"}"#)),
            ("eur-a", "eur-b", "1.00"),
            "currency-frozen",
        ),
        (
            Some(freeze(r#"{"account":"eur-b"}"#)),
            ("eur-a", "eur-b", "1.00"),
            "account-frozen",
        ),
        (
            Some(freeze(r#"{"account":"eur-a"}"#)),
            ("eur-a", "eur-b", "1.00"),
            "account-frozen",
        ),
        (Some(close), ("eur-a", "eur-c", "1.00"), "account-closed"),
    ];
    for (first, (from, to, amount), rule) in table {
        let mut book = Book::ready();
        if let Some(first) = first {
            book.sealed(&first);
        }
        let entry = book.pay("p1", from, to, amount);
        assert_eq!(verdict(&entry), "deny", "{rule}");
        assert_eq!(
            rules(&entry),
            ["amounts/by-amount", &format!("ledger/{rule}")]
        );
        assert!(entry.body.postings().is_empty());
        assert_eq!(book.balance("eur-a"), (0, 0));
    }
}

#[test]
fn ceiling_counts_reserved_credits() {
    let mut book = Book::ready();
    book.sealed(&transfer(
        "p0",
        "eur-a",
        "eur-c",
        "200.00",
        r#","pending":{}"#,
    ));
    for n in 1..=2 {
        assert_eq!(
            verdict(&book.pay(&format!("p{n}"), "eur-a", "eur-c", "299.00")),
            "allow"
        );
    }
    let entry = book.pay("p3", "eur-a", "eur-c", "299.00");
    assert_eq!(rules(&entry), ["amounts/by-amount", "ledger/over-maximum"]);
    let facts = &entry.body.decision().unwrap().reasons[1].facts;
    let expected = [
        ("account", "eur-c"),
        ("balance_after", "1097.00"),
        ("max_balance", "1000.00"),
    ];
    assert!(
        facts
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .eq(expected)
    );
    book.sealed(r#"{"id":"v","void":{"pending":"p0"}}"#);
    assert_eq!(
        verdict(&book.pay("p4", "eur-a", "eur-c", "299.00")),
        "allow"
    );
}

#[test]
fn floor_counts_reserved_debits() {
    let mut book = Book::ready();
    book.pay("p1", "eur-a", "eur-b", "100.00");
    book.sealed(&transfer(
        "p2",
        "eur-b",
        "eur-a",
        "60.00",
        r#","pending":{}"#,
    ));
    assert_eq!(verdict(&book.pay("p3", "eur-b", "eur-a", "40.01")), "deny");
    assert_eq!(verdict(&book.pay("p4", "eur-b", "eur-a", "40.00")), "allow");
    assert_eq!(book.balance("eur-b"), (6_000, 0));
}

#[test]
fn limits_change_and_hold_from_then_on() {
    let mut book = Book::ready();
    let limit = |id: &str, limits: &str| {
        format!(r#"{{"id":"{id}","account_limit":{{"account":"eur-b","currency":"EUR"{limits}}}}}"#)
    };
    book.pay("p1", "eur-a", "eur-b", "100.00");
    assert_eq!(verdict(&book.pay("p2", "eur-b", "eur-a", "150.00")), "deny");
    book.sealed(&limit("l1", r#","min_balance":"-50.00""#));
    assert_eq!(
        verdict(&book.pay("p3", "eur-b", "eur-a", "150.00")),
        "allow"
    );
    // Below zero now: that cannot be the limit again before it is paid in.
    let zero = r#","min_balance":"0.00""#;
    assert_eq!(book.refused(&limit("l2", zero)), "account.limit");
    book.pay("p4", "eur-a", "eur-b", "60.00");
    book.sealed(&limit("l2", zero));
    // What is reserved counts as well.
    book.sealed(&transfer(
        "p5",
        "eur-b",
        "eur-a",
        "8.00",
        r#","pending":{}"#,
    ));
    let five = r#","min_balance":"5.00""#;
    assert_eq!(book.refused(&limit("l3", five)), "account.limit");
    book.sealed(r#"{"id":"v","void":{"pending":"p5"}}"#);
    book.sealed(&limit("l3", five));
    assert_eq!(verdict(&book.pay("p6", "eur-b", "eur-a", "5.01")), "deny");
    let other = limit("l4", "").replace("EUR", "JPY");
    assert_eq!(book.refused(&other), "account.currency");
    book.sealed(&limit("l4", r#","max_balance":"10.00""#));
    assert_eq!(verdict(&book.pay("p7", "eur-a", "eur-b", "0.01")), "deny");
}

#[test]
fn linked_transfers_are_all_or_nothing() {
    let linked = |id: &str, second: &str| {
        format!(
            r#"{{"id":"{id}","by":"t","transfer":{{"transfers":[
            {{"debit":"eur-a","credit":"eur-b","amount":"10.00","currency":"EUR"}},
            {{"debit":"jpy-a","credit":"jpy-b","amount":"{second}","currency":"JPY"}}]}}}}"#
        )
    };
    let mut book = Book::ready();
    let entry = book.sealed(&linked("p1", "150"));
    assert_eq!(entry.body.postings().len(), 4);
    assert_eq!(
        (book.balance("eur-b").0, book.balance("jpy-b").0),
        (1_000, 150)
    );
    // The second is over the judge's limit: neither moves.
    let entry = book.sealed(&linked("p2", "1000"));
    assert_eq!(verdict(&entry), "deny");
    assert_eq!(
        (book.balance("eur-b").0, book.balance("jpy-b").0),
        (1_000, 150)
    );
    // A linked transfer may spend what another of the same request brings.
    let chain = r#"{"id":"p3","by":"t","transfer":{"transfers":[
        {"debit":"eur-b","credit":"eur-c","amount":"50.00","currency":"EUR"},
        {"debit":"eur-a","credit":"eur-b","amount":"50.00","currency":"EUR"}]}}"#;
    assert_eq!(verdict(&book.sealed(chain)), "allow");
}

#[test]
fn malformed_commands_are_errors_and_use_no_id() {
    let table = [
        (
            transfer("x", "eur-a", "nobody", "1.00", ""),
            "account.unknown",
        ),
        (transfer("x", "jpy-a", "eur-a", "1", ""), "account.currency"),
        (
            r#"{"id":"x","account_open":{"account":"eur-a","currency":"EUR"}}"#.into(),
            "account.exists",
        ),
        (
            r#"{"id":"x","account_close":{"account":"nobody"}}"#.into(),
            "account.unknown",
        ),
        (
            r#"{"id":"x","post":{"pending":"nothing"}}"#.into(),
            "pending.unknown",
        ),
        (
            r#"{"id":"x","void":{"pending":"nothing"}}"#.into(),
            "pending.unknown",
        ),
        (
            r#"{"id":"x","by":"b","approve":{"request":"nothing"}}"#.into(),
            "pending.unknown",
        ),
        (
            r#"{"id":"x","unfreeze":{"scope":"book"}}"#.into(),
            "freeze.already",
        ),
        (
            r#"{"id":"x","freeze":{"scope":{"account":"nobody"}}}"#.into(),
            "account.unknown",
        ),
        (
            r#"{"id":"x","evidence_erase":{"request":"nothing"}}"#.into(),
            "request.unknown",
        ),
        (
            r#"{"id":"x","evidence_erase":{"request":"open-eur-a"}}"#.into(),
            "request.kind",
        ),
    ];
    let mut book = Book::ready();
    for (json, code) in table {
        assert_eq!(book.refused(&json), code, "{json}");
    }
    assert_eq!(verdict(&book.pay("x", "eur-a", "eur-b", "1.00")), "allow");
}

#[test]
fn account_closes_only_when_settled() {
    let mut book = Book::ready();
    let close = r#"{"id":"c","account_close":{"account":"eur-b"}}"#;
    book.pay("p1", "eur-a", "eur-b", "5.00");
    assert_eq!(book.refused(close), "account.not-settled");
    book.pay("p2", "eur-b", "eur-a", "5.00");
    book.sealed(&transfer(
        "p3",
        "eur-a",
        "eur-b",
        "5.00",
        r#","pending":{}"#,
    ));
    assert_eq!(book.refused(close), "account.not-settled");
    book.sealed(r#"{"id":"v","void":{"pending":"p3"}}"#);
    book.sealed(close);
    assert_eq!(
        book.refused(r#"{"id":"c2","account_close":{"account":"eur-b"}}"#),
        "account.closed"
    );
    let again = r#"{"id":"o2","account_open":{"account":"eur-b","currency":"EUR"}}"#;
    assert_eq!(book.refused(again), "account.exists");
}

#[test]
fn alias_is_unique_and_finds_its_account() {
    let mut book = Book::ready();
    let alias = "00112233445566778899aabbccddeeff";
    let open = |id: &str| {
        format!(
            r#"{{"id":"o-{id}","account_open":{{"account":"{id}","currency":"EUR","aliases":["{alias}"]}}}}"#
        )
    };
    book.sealed(&open("x"));
    assert_eq!(book.refused(&open("y")), "account.alias-taken");
    let alias = crate::command::Alias(crate::hex::sixteen(alias).unwrap());
    assert_eq!(
        book.state.account_by_alias(alias).unwrap().info.id.as_str(),
        "x"
    );
}

#[test]
fn freeze_stops_posts_and_last_approvals_until_unfrozen() {
    for scope in [
        r#""book""#,
        r#"{"currency":"EUR"}"#,
        r#"{"account":"eur-b"}"#,
    ] {
        let mut book = Book::ready();
        book.sealed(&transfer(
            "p1",
            "eur-a",
            "eur-b",
            "5.00",
            r#","pending":{}"#,
        ));
        book.pay("p2", "eur-a", "eur-b", "500.00");
        book.sealed(&format!(r#"{{"id":"f1","freeze":{{"scope":{scope}}}}}"#));
        let again = format!(r#"{{"id":"f2","freeze":{{"scope":{scope}}}}}"#);
        assert_eq!(book.refused(&again), "freeze.already");
        let post = r#"{"id":"post","post":{"pending":"p1"}}"#;
        let approve = r#"{"id":"ok","by":"boss","approve":{"request":"p2"}}"#;
        assert_eq!(book.refused(post), "freeze.held", "{scope}");
        assert_eq!(book.refused(approve), "freeze.held", "{scope}");
        book.sealed(&format!(r#"{{"id":"u1","unfreeze":{{"scope":{scope}}}}}"#));
        book.sealed(post);
        book.sealed(approve);
        assert_eq!(book.balance("eur-b").0, 50_500);
    }
}

#[test]
fn reservation_is_released_even_when_frozen() {
    let mut book = Book::ready();
    book.sealed(&transfer(
        "p1",
        "eur-a",
        "eur-b",
        "5.00",
        r#","pending":{}"#,
    ));
    book.sealed(r#"{"id":"f1","freeze":{"scope":"book"}}"#);
    book.sealed(r#"{"id":"v1","void":{"pending":"p1"}}"#);
    assert_eq!(book.balance("eur-a"), (0, 0));
}

#[test]
fn correction_names_what_it_sets_right_and_is_judged() {
    let correct = |id: &str, corrects: &str, amount: &str| {
        format!(
            r#"{{"id":"{id}","by":"ops","correct":{{"corrects":"{corrects}","reason":"wrong-amount","transfers":[{{"debit":"eur-b","credit":"eur-a","amount":"{amount}","currency":"EUR"}}]}}}}"#
        )
    };
    let mut book = Book::ready();
    book.pay("p1", "eur-a", "eur-b", "50.00");
    let entry = book.sealed(&correct("c1", "p1", "20.00"));
    assert_eq!(entry.body.refers_to().unwrap().seq, book.seq_of("p1"));
    assert_eq!(book.balance("eur-b"), (3_000, 3_000));
    assert_eq!(verdict(&book.sealed(&correct("c2", "c1", "30.01"))), "deny");
    assert_eq!(
        book.refused(&correct("c3", "never", "1.00")),
        "request.unknown"
    );
    assert_eq!(
        book.refused(&correct("c4", "open-eur-a", "1.00")),
        "request.kind"
    );
}

#[test]
fn only_what_posted_money_can_be_corrected() {
    let correct = |id: &str, corrects: &str| {
        format!(
            r#"{{"id":"{id}","by":"ops","correct":{{"corrects":"{corrects}","reason":"wrong","transfers":[{{"debit":"eur-b","credit":"eur-a","amount":"1.00","currency":"EUR"}}]}}}}"#
        )
    };
    let mut book = Book::ready();
    book.pay("start", "eur-a", "eur-b", "200.00");
    assert_eq!(
        verdict(&book.pay("denied", "eur-a", "eur-b", "1000.00")),
        "deny"
    );
    assert_eq!(
        verdict(&book.pay("held", "eur-a", "eur-b", "600.00")),
        "review"
    );
    book.sealed(&transfer(
        "reserved",
        "eur-a",
        "eur-b",
        "5.00",
        r#","pending":{}"#,
    ));
    for (target, id) in [("denied", "c1"), ("held", "c2"), ("reserved", "c3")] {
        assert_eq!(
            book.refused(&correct(id, target)),
            "request.kind",
            "{target}"
        );
    }
    // Once posted, the post is what posted the money, and the reservation still is not.
    book.sealed(r#"{"id":"post","post":{"pending":"reserved","amounts":["2.00"]}}"#);
    assert_eq!(book.refused(&correct("c4", "reserved")), "request.kind");
    assert_eq!(verdict(&book.sealed(&correct("c5", "post"))), "allow");
    book.sealed(r#"{"id":"yes","by":"second","approve":{"request":"held"}}"#);
    assert_eq!(verdict(&book.sealed(&correct("c6", "yes"))), "allow");
    assert_eq!(book.refused(&correct("c7", "held")), "request.kind");
}

#[test]
fn window_counts_what_was_not_denied_and_forgets() {
    let velocity = |id: &str| {
        transfer(
            id,
            "eur-a",
            "eur-b",
            "1.00",
            r#","payment":{"reference":"velocity"}"#,
        )
    };
    let mut book = Book::ready();
    assert_eq!(
        verdict(&book.pay("d1", "eur-a", "eur-b", "1000.00")),
        "deny"
    );
    for id in ["p1", "p2"] {
        assert_eq!(verdict(&book.sealed(&velocity(id))), "allow");
    }
    for id in ["p3", "p4"] {
        let entry = book.sealed(&velocity(id));
        assert_eq!(verdict(&entry), "deny");
        assert!(entry.body.windows().is_empty());
        assert_eq!(entry.body.decision().unwrap().reasons[0].facts[0].1, "2");
    }
    book.pass(86_401);
    assert_eq!(verdict(&book.sealed(&velocity("p5"))), "allow");
}

#[test]
fn linked_transfers_count_for_those_after_them() {
    let linked = |id: &str, count: usize| {
        let one = r#"{"amount":"1.00","credit":"eur-b","currency":"EUR","debit":"eur-a","payment":{"reference":"velocity"}}"#;
        let all = vec![one; count].join(",");
        format!(r#"{{"by":"treasury","id":"{id}","transfer":{{"transfers":[{all}]}}}}"#)
    };
    let mut book = Book::ready();
    assert_eq!(verdict(&book.sealed(&linked("p1", 3))), "deny");
    assert_eq!(verdict(&book.sealed(&linked("p2", 2))), "allow");
    let entry = book.sealed(&linked("p3", 1));
    assert_eq!(entry.body.decision().unwrap().reasons[0].facts[0].1, "2");
}

#[test]
fn a_window_of_no_length_holds_the_linked_transfers_alone() {
    let linked = |id: &str, count: usize| {
        let one = r#"{"amount":"1.00","credit":"eur-b","currency":"EUR","debit":"eur-a","payment":{"reference":"linked"}}"#;
        let all = vec![one; count].join(",");
        format!(r#"{{"by":"treasury","id":"{id}","transfer":{{"transfers":[{all}]}}}}"#)
    };
    let mut book = Book::ready();
    for id in ["p1", "p2", "p3"] {
        assert_eq!(verdict(&book.sealed(&linked(id, 2))), "allow");
    }
    assert_eq!(verdict(&book.sealed(&linked("p4", 3))), "deny");
}

#[test]
fn a_pack_that_says_nothing_denies_and_one_that_says_much_silences_no_other() {
    let mut book = Book::ready();
    let about = |id, reference| {
        let payment = format!(r#","payment":{{"reference":"{reference}"}}"#);
        transfer(id, "eur-a", "eur-b", "300.00", &payment)
    };
    let entry = book.sealed(&about("p1", "silent"));
    assert_eq!(verdict(&entry), "deny");
    assert_eq!(
        rules(&entry),
        ["amounts/by-amount", "ledger/inconsistent-judgement"]
    );
    let entry = book.sealed(&about("p2", "talkative"));
    assert_eq!(verdict(&entry), "flag");
    let decision = entry.body.decision().unwrap();
    assert_eq!((decision.reasons.len(), decision.allowed.len()), (63, 1));
}

#[test]
fn review_without_a_requester_is_denied() {
    let mut book = Book::ready();
    let json = transfer("p1", "eur-a", "eur-b", "600.00", "").replace(r#""by":"treasury","#, "");
    let entry = book.sealed(&json);
    assert_eq!(verdict(&entry), "deny");
    assert_eq!(
        rules(&entry),
        ["amounts/by-amount", "ledger/requester-unknown"]
    );
}

#[test]
fn sums_past_128_bits_are_refused_and_not_sealed() {
    let mut book = Book::ready();
    book.judge.set = super::book::packs();
    let mut entry = book.pay("p1", "jpy-a", "jpy-b", "1");
    entry.seq = book.state.next_seq();
    entry.id = "p2".parse().unwrap();
    entry.time = book.state.next_time(book.now).unwrap();
    // No amount comes near it any more: an account that has paid and been paid as much as can be.
    let most = paygod_types::Amount::from_minor(i128::MAX);
    let account = book.state.account(&"jpy-a".parse().unwrap()).unwrap();
    let (ix, balances) = (account.ix, account.balances);
    let full = crate::Balances {
        debits_posted: most,
        credits_posted: most,
        ..*balances
    };
    book.state.accounts.set_balances(ix, full);
    let error = book.state.apply(&entry).unwrap_err();
    assert_eq!(error.code().as_str(), "fold.overflow");
}

#[test]
fn time_rises_even_when_the_clock_falls() {
    let mut book = Book::ready();
    let first = book.pay("p1", "eur-a", "eur-b", "1.00").time;
    book.now = paygod_types::Timestamp::EPOCH;
    let second = book.pay("p2", "eur-a", "eur-b", "1.00").time;
    assert_eq!(second.as_nanos(), first.as_nanos() + 1);
}

#[test]
fn balances_are_read_as_of_any_seq_and_time() {
    let mut book = Book::ready();
    let account = book.state.account(&"eur-b".parse().unwrap()).unwrap().ix;
    let mut seen = Vec::new();
    for n in 1..=5_i128 {
        book.pass(60);
        let entry = book.pay(&format!("p{n}"), "eur-a", "eur-b", "1.00");
        seen.push((entry.seq, entry.time, n * 100));
        book.pay(&format!("q{n}"), "jpy-a", "jpy-b", "1");
    }
    let posted = |moment| {
        book.history
            .balances(account, moment)
            .posted()
            .unwrap()
            .minor()
    };
    assert_eq!(posted(AsOf::Seq(paygod_types::Seq(0))), 0);
    for (seq, time, expected) in seen {
        assert_eq!(posted(AsOf::Seq(seq)), expected);
        assert_eq!(posted(AsOf::Time(time)), expected);
        let before = paygod_types::Timestamp::from_nanos(time.as_nanos() - 1);
        assert_eq!(posted(AsOf::Time(before)), expected - 100);
    }
}

#[test]
fn request_prepared_under_another_policy_is_not_executed() {
    let mut book = Book::begun();
    for id in ["a", "b"] {
        book.sealed(&format!(
            r#"{{"id":"open-{id}","account_open":{{"account":"eur-{id}","currency":"EUR"}}}}"#
        ));
    }
    let stale = book
        .prepare(&transfer("p1", "eur-a", "eur-b", "1.00", ""))
        .unwrap();
    book.activate();
    let error = book.execute_prepared(&stale).unwrap_err();
    assert_eq!(error.code().as_str(), "policy.changed");
    assert!(error.code().retryable());
}
