//! The documents that holders sign.

use paygod_tlog::{Ed25519Signer, NoteSigner, SignedNote};
use paygod_types::Seq;

use super::book::{Book, ORIGIN, root, root_vkey, signer, vkey};
use crate::SystemCommand;
use crate::ceremony::{CeremonyError, RevocationText, RootKeyText, RootsText};

fn signed(text: &str, by: &Ed25519Signer) -> Vec<u8> {
    let by: &dyn NoteSigner = by;
    SignedNote::sign(text, &[by]).unwrap().to_bytes()
}

fn roots() -> RootsText {
    let keys = [3, 1, 2].map(root_vkey).to_vec();
    RootsText::new(ORIGIN.into(), keys, 2).unwrap()
}

fn code<T: core::fmt::Debug>(result: Result<T, CeremonyError>) -> &'static str {
    result.unwrap_err().code().as_str()
}

#[test]
fn a_public_part_is_taken_only_from_who_holds_the_key() {
    let offer = RootKeyText { key: root_vkey(1) };
    let text = offer.to_text();
    assert_eq!(RootKeyText::open(&signed(&text, &root(1))), Ok(offer));
    assert_eq!(
        code(RootKeyText::open(&signed(&text, &root(2)))),
        "keys.signatures"
    );
    let roots = signed(&roots().to_text(), &root(1));
    assert_eq!(code(RootKeyText::open(&roots)), "keys.document");
    assert_eq!(code(RootKeyText::open(b"garbage")), "keys.document");
}

#[test]
fn a_root_of_trust_is_accepted_once_every_holder_has_signed() {
    let text = roots().to_text();
    let [one, two, three] = [1, 2, 3].map(|number| signed(&text, &root(number)));
    let all = [one.clone(), two.clone(), three.clone()];
    assert_eq!(RootsText::accepted(&all), Ok(roots()));
    assert_eq!(
        code(RootsText::accepted(&[one.clone(), two.clone()])),
        "keys.signatures"
    );
    // One holder twice is one holder.
    assert_eq!(
        code(RootsText::accepted(&[
            one.clone(),
            two.clone(),
            one.clone()
        ])),
        "keys.signatures"
    );
    let lower = text.replacen("\n2\n", "\n1\n", 1);
    let other = signed(&lower, &root(3));
    assert_eq!(
        code(RootsText::accepted(&[one.clone(), two, other])),
        "keys.document"
    );
    assert_eq!(code(RootsText::accepted(&[])), "keys.document");
    assert_eq!(
        code(RootsText::accepted(&[signed(&text, &signer(9))])),
        "keys.signatures"
    );
}

#[test]
fn documents_have_one_spelling() {
    let text = roots().to_text();
    let first = root_vkey(1).to_string();
    let wrong = [
        text.replacen("\n2\n", "\n02\n", 1),
        text.replacen("\n2\n", "\n4\n", 1),
        text.replacen("\n2\n", "\n0\n", 1),
        text.replacen(&first, &root_vkey(2), 1),
        format!("{text}\n"),
        text.replace('\n', "\r\n"),
        String::new(),
    ];
    for text in wrong {
        assert!(RootsText::from_text(&text).is_err(), "{text:?}");
    }
    let revocation = RevocationText {
        origin: ORIGIN.into(),
        revoked: vkey(1),
        last_good: Seq(4),
        new: vkey(2),
        hybrid: None,
    };
    let text = revocation.to_text();
    assert_eq!(RevocationText::from_text(&text), Ok(revocation));
    let wrong = [
        text.replacen("\n4\n", "\n+4\n", 1),
        text.replacen("\n4\n", "\n-4\n", 1),
        format!("{text}more\n"),
        text.trim_end().to_owned(),
    ];
    for text in wrong {
        assert!(RevocationText::from_text(&text).is_err(), "{text:?}");
    }
}

#[test]
fn a_revocation_signed_on_three_machines_seals() {
    let mut book = Book::ready();
    let text = RevocationText {
        origin: ORIGIN.into(),
        revoked: vkey(1),
        last_good: Seq(4),
        new: vkey(2),
        hybrid: None,
    }
    .to_text();
    let keys = book.state.book().unwrap().clone();
    let notes = [
        signed(&text, &root(3)),
        signed(&text, &signer(2)),
        signed(&text, &root(1)),
    ];
    let (_, revocation) = RevocationText::signed(&notes, &keys).unwrap();
    assert_eq!(revocation.signatures.len(), 2);
    book.system(SystemCommand::KeyRevoke(revocation)).unwrap();

    let missing_new = &notes[..1];
    assert_eq!(
        code(RevocationText::signed(missing_new, &keys)),
        "keys.signatures"
    );
    let elsewhere = crate::state::Book {
        origin: "elsewhere.example/test".into(),
        ..keys
    };
    assert_eq!(
        code(RevocationText::signed(&notes, &elsewhere)),
        "keys.refused"
    );
}
