//! Files that the stock library wrote, and what is refused.

use std::path::{Path, PathBuf};

use paygod_anchor::ots::{
    Attestation, CalendarUri, DetachedFile, FileHash, Op, OtsError, Timestamp,
};
use paygod_types::Digest;
use proptest::prelude::*;

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/vectors/ots")
}

fn vector(name: &str) -> Vec<u8> {
    std::fs::read(vectors().join(name)).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As `make.py` spells what a file says.
fn spelled(file: &DetachedFile) -> String {
    let hash = match file.hash() {
        FileHash::Sha1 => "sha1",
        FileHash::Ripemd160 => "ripemd160",
        FileHash::Sha256 => "sha256",
    };
    let mut lines = Vec::new();
    file.walk(&mut |found| {
        let says = match found.attestation {
            Attestation::Bitcoin { height } => format!("bitcoin {height}"),
            Attestation::Pending(uri) => format!("pending {uri}"),
            Attestation::Unknown(tag, _) => format!("unknown {tag}"),
        };
        lines.push(format!("{} {says}", hex(found.message())));
    })
    .unwrap();
    lines.sort();
    format!("{hash} {}\n{}\n", hex(file.digest()), lines.join("\n"))
}

#[test]
fn files_of_the_stock_library_are_read_and_written_back_to_the_byte() {
    for name in [
        "every-operation",
        "every-attestation",
        "sha1-file",
        "deepest",
        "block",
    ] {
        let bytes = vector(&format!("{name}.ots"));
        let file = DetachedFile::parse(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(file.to_bytes().unwrap(), bytes, "{name}");
        let says = String::from_utf8(vector(&format!("{name}.txt"))).unwrap();
        assert_eq!(spelled(&file), says, "{name}");
    }
}

#[test]
fn no_prefix_of_a_file_is_a_file_and_nothing_may_follow_one() {
    let bytes = vector("block.ots");
    for end in 0..bytes.len() {
        assert!(DetachedFile::parse(&bytes[..end]).is_err(), "{end}");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert_eq!(
        DetachedFile::parse(&longer),
        Err(OtsError::Trailing { at: bytes.len() })
    );
}

/// A timestamp of 32 bytes, from its written form.
fn parse(bytes: &[u8]) -> Result<Timestamp, OtsError> {
    Timestamp::parse(bytes, &[7; 32])
}

const BLOCK_1: [u8; 11] = [0, 0x05, 0x88, 0x96, 0x0d, 0x73, 0xd7, 0x19, 0x01, 1, 1];

#[test]
fn what_is_past_a_limit_is_refused() {
    assert!(parse(&BLOCK_1).is_ok());
    let deep = |ops: usize| [vec![0x08; ops], BLOCK_1.to_vec()].concat();
    assert!(parse(&deep(255)).is_ok());
    assert_eq!(parse(&deep(256)), Err(OtsError::Depth));
    let wide = |forks: usize| [[0xff, 0x08].as_slice(), &BLOCK_1].concat().repeat(forks);
    assert_eq!(
        parse(&[wide(257), BLOCK_1.to_vec()].concat()),
        Err(OtsError::Attestations)
    );
    assert!(matches!(
        parse(&vec![0; 65_537]),
        Err(OtsError::TooLong { .. })
    ));
    // An argument of 4,065 bytes makes 32 too long; 4,064 do not.
    let append = |length: usize| {
        let [low, high] = [
            u8::try_from(length & 0x7f).unwrap() | 0x80,
            u8::try_from(length >> 7).unwrap(),
        ];
        [vec![0xf0, low, high], vec![0; length], BLOCK_1.to_vec()].concat()
    };
    assert!(parse(&append(4_064)).is_ok());
    assert!(matches!(
        parse(&append(4_065)),
        Err(OtsError::Length { found: 4_097, .. })
    ));
    assert!(matches!(
        parse(&append(4_097)),
        Err(OtsError::Length { found: 4_097, .. })
    ));
    // Twelve doublings in hexadecimal would be 131,072 bytes.
    assert!(parse(&[vec![0xf3; 7], BLOCK_1.to_vec()].concat()).is_ok());
    assert!(parse(&[vec![0xf3; 8], BLOCK_1.to_vec()].concat()).is_err());
}

#[test]
fn what_is_malformed_is_refused() {
    let pending = |uri: &[u8]| {
        let length = u8::try_from(uri.len()).unwrap();
        [
            &[
                0,
                0x83,
                0xdf,
                0xe3,
                0x0d,
                0x2e,
                0xf9,
                0x0c,
                0x8e,
                length + 1,
                length,
            ],
            uri,
        ]
        .concat()
    };
    assert!(parse(&pending(b"https://a.example")).is_ok());
    for uri in [
        "https://a.example/?q",
        "https://a@b.example",
        "https://a.example/%2e",
        "https://[::1]",
        "a\n",
    ] {
        assert_eq!(parse(&pending(uri.as_bytes())), Err(OtsError::Uri), "{uri}");
    }
    assert_eq!(parse(&pending(&[0xc3, 0xa9])), Err(OtsError::Uri));
    assert_eq!(
        parse(&[0x09]),
        Err(OtsError::UnknownOp { tag: 0x09, at: 1 })
    );
    assert_eq!(
        parse(&[0xff, 0xff]),
        Err(OtsError::UnknownOp { tag: 0xff, at: 2 })
    );
    assert!(matches!(
        parse(&[0xf0, 0]),
        Err(OtsError::Length { found: 0, .. })
    ));
    // Numbers have one spelling, and 64 bits.
    let height = |number: &[u8]| {
        let length = u8::try_from(number.len()).unwrap();
        [&BLOCK_1[..9], &[length], number].concat()
    };
    assert!(
        parse(&height(&[
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1
        ]))
        .is_ok()
    );
    for number in [
        &[0x81, 0x00][..],
        &[0xff; 11],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2],
    ] {
        assert!(
            matches!(parse(&height(number)), Err(OtsError::Number { .. })),
            "{number:?}"
        );
    }
    assert!(matches!(
        parse(&height(&[1, 1])),
        Err(OtsError::Payload { .. })
    ));
    // Heads of files.
    let bytes = vector("block.ots");
    let changed = |at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        DetachedFile::parse(&bytes)
    };
    assert_eq!(changed(3, 0), Err(OtsError::Magic));
    assert_eq!(changed(31, 2), Err(OtsError::Version { found: 2 }));
    assert_eq!(changed(32, 0x67), Err(OtsError::FileHash { tag: 0x67 }));
}

#[test]
fn joining_keeps_what_both_say_and_refuses_another_digest() {
    let digest = Digest::sha256(b"one");
    let promise = |uri: &str| Attestation::Pending(CalendarUri::new(uri).unwrap());
    let path = || [Op::Append(vec![1]), Op::Sha256];
    let mut one = DetachedFile::new(
        &digest,
        Timestamp::of_path(path(), promise("https://a.example")),
    );
    let two = DetachedFile::new(
        &digest,
        Timestamp::of_path(path(), promise("https://b.example")),
    );
    one.merge(two).unwrap();
    assert_eq!(one.timestamp.attestations().len(), 2);
    let other = DetachedFile::new(
        &Digest::sha256(b"two"),
        Timestamp::of_path(path(), promise("https://a.example")),
    );
    assert_eq!(one.merge(other), Err(OtsError::OtherMessage));
    assert!(!one.timestamp.is_complete());
    let upgraded = Timestamp::of_path([Op::Sha256], Attestation::Bitcoin { height: 9 });
    let [append, sha256] = path();
    one.timestamp.graft(&[&append, &sha256], upgraded).unwrap();
    assert!(one.timestamp.is_complete());
    let read = DetachedFile::parse(&one.to_bytes().unwrap()).unwrap();
    assert_eq!(read, one);
    assert_eq!(Timestamp::default().to_bytes(), Err(OtsError::Empty));
}

#[test]
fn joining_past_a_limit_changes_nothing() {
    let path = |ops: usize| vec![Op::Sha256; ops];
    let block = |height| Attestation::Bitcoin { height };
    let mut one = Timestamp::of_path(path(200), block(1));
    let before = one.clone();
    let sha256 = Op::Sha256;
    let far = vec![&sha256; 100];
    assert_eq!(
        one.graft(&far, Timestamp::of_path(path(200), block(2))),
        Err(OtsError::Depth)
    );
    for height in 0..300 {
        if one
            .merge(Timestamp::of_path(path(1), block(height)))
            .is_err()
        {
            assert!(height > 200);
            return;
        }
    }
    assert_ne!(one, before);
    panic!("300 attestations were joined");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(read) = parse(&bytes) {
            let written = read.to_bytes().unwrap();
            prop_assert_eq!(parse(&written).unwrap(), read);
        }
    }

    #[test]
    fn a_changed_byte_is_another_file_or_none(at in 0_usize..584, bit in 0_u8..8) {
        let bytes = vector("block.ots");
        let mut changed = bytes.clone();
        changed[at] ^= 1 << bit;
        if let Ok(file) = DetachedFile::parse(&changed) {
            prop_assert_ne!(file, DetachedFile::parse(&bytes).unwrap());
        }
    }
}
