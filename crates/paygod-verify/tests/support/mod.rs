//! Makes small books and their exports in memory, honest ones and forged ones, without a store.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    unreachable_pub,
    reason = "a test that cannot go on fails; each test uses a part of this"
)]

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use paygod_core::ceremony::RevocationText;
use paygod_core::command::{AccountOpen, PolicySet};
use paygod_core::entry::{
    AllowingRule, Decision, Genesis, KeyRotation, Layer, Posting, Side, SnapshotClaim, TransferBody,
};
use paygod_core::{Body, Entry, RequestRef, State, Verdict};
use paygod_policy::{ListBuilder, Pack};
use paygod_tlog::{
    Checkpoint, Ed25519Signer, Hash, KeyName, NoteSigner, Rows, SignedCheckpoint, SignedNote, Tile,
    TileKind, TreeHead, TreeWriter, bundle, leaf_hash,
};
use paygod_types::{AccountId, Amount, Currency, Digest, Money, Name, RequestId, Seq, Timestamp};
use paygod_verify::{Check, Options, Place, Report, Source, SourceError, verify};

pub const ORIGIN: &str = "paygod.example/test-book";

const PACK_YAML: &str = "\
api_version: paygod/v1
kind: Pack
metadata:
  name: small-payments
  version: 1.0.0
  description: Allows payments of up to a thousand.
  maintainer: paygod
spec:
  inputs:
    - name: payment
      type: object
      source: transfer
      schema: paygod:payment.v1
  policy:
    rules:
      - name: small
        condition: payment.amount <= money(\"1000.00\", \"EUR\")
        decision: allow
        reason: The payment is small.
      - name: large
        condition: payment.amount > money(\"1000.00\", \"EUR\")
        decision: deny
        reason: The payment is large.
";

const CASES_YAML: &str = "\
cases:
  - name: small
    input: {payment: {amount: \"5.00\", currency: EUR, debit: a, credit: b}}
    expect: {decision: allow}
  - name: large
    input: {payment: {amount: \"5000.00\", currency: EUR, debit: a, credit: b}}
    expect: {decision: deny}
";

/// A pack of these two files.
pub fn pack(manifest: &str, cases: &str) -> Pack {
    let files = [("pack.yaml", manifest), ("tests/cases.yaml", cases)];
    let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
    Pack::from_files(&BTreeMap::from(files)).unwrap()
}

/// What was found first is this, and here.
#[track_caller]
pub fn expect(report: &Report, check: Check, place: &Place) {
    let first = report
        .first()
        .unwrap_or_else(|| panic!("nothing was found"));
    assert_eq!((first.check, &first.place), (check, place), "{first}");
    assert!(!report.is_valid());
}

/// What was found first is this, at this entry.
#[track_caller]
pub fn expect_entry(report: &Report, check: Check, seq: u64) {
    expect(report, check, &Place::Entry(seq));
}

/// Files in memory.
#[derive(Clone, Debug, Default)]
pub struct Memory(pub BTreeMap<String, Vec<u8>>);

impl Source for Memory {
    fn read(&self, path: &str, range: Range<u64>, out: &mut Vec<u8>) -> Result<bool, SourceError> {
        let Some(bytes) = self.0.get(path) else {
            return Ok(false);
        };
        let length = bytes.len() as u64;
        let range = range.start.min(length) as usize..range.end.min(length) as usize;
        out.extend_from_slice(&bytes[range]);
        Ok(true)
    }
}

impl Memory {
    /// Writes them into a folder.
    pub fn write_to(&self, folder: &std::path::Path) {
        for (path, bytes) in &self.0 {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }
}

pub fn signer(seed: u8) -> Ed25519Signer {
    Ed25519Signer::new(KeyName::parse(ORIGIN).unwrap(), &[seed; 32])
}

/// Root keys are named by their order, so that they ascend.
pub fn root(number: u8) -> Ed25519Signer {
    let name = KeyName::parse(&format!("root-{number}.example")).unwrap();
    Ed25519Signer::new(name, &[100 + number; 32])
}

pub fn root_vkey(number: u8) -> Arc<str> {
    root(number).verifier_key().to_string().into()
}

/// A book under construction: entries, published checkpoints and blobs.
#[derive(Clone)]
pub struct Book {
    pub state: State,
    pub entries: Vec<Vec<u8>>,
    pub published: Vec<Vec<u8>>,
    pub blobs: BTreeMap<Digest, Vec<u8>>,
    pub key: u8,
    pub policy: Digest,
    pub time: u64,
}

impl Book {
    /// A book with its genesis.
    pub fn new() -> Self {
        let mut book = Self {
            state: State::new(),
            entries: Vec::new(),
            published: Vec::new(),
            blobs: BTreeMap::new(),
            key: 1,
            policy: PolicySet::default().digest(),
            time: 1_763_800_000_000_000_000,
        };
        let vkey = signer(1).verifier_key().to_string();
        book.seal_system(
            "genesis".to_owned(),
            Body::Genesis(Genesis {
                origin: ORIGIN.into(),
                checkpoint_key: vkey.into(),
                root_keys: vec![root_vkey(1), root_vkey(2), root_vkey(3)],
                root_threshold: 2,
                hybrid_key: None,
            }),
        );
        book
    }

    /// A book in use: two currencies, accounts, a policy, transfers, a denial, checkpoints.
    pub fn in_use(transfers: u64) -> Self {
        let mut book = Self::new();
        book.open("bank", "EUR", None);
        book.open("alice", "EUR", Some(0));
        book.open("bob", "EUR", Some(0));
        book.publish();
        book.activate("1.0.0");
        book.transfer("fund-alice", "bank", "alice", 100_000_000);
        for number in 0..transfers {
            book.transfer(
                &format!("pay-{number}"),
                "alice",
                "bob",
                1 + u128::from(number % 7),
            );
            if number % 100 == 99 && number < 2_000 {
                book.publish();
            }
        }
        book.deny("too-much", "alice", "bob");
        book.publish();
        book
    }

    pub fn next_seq(&self) -> u64 {
        self.entries.len() as u64
    }

    pub fn entry(&self, id: RequestId, request: Option<RequestRef>, body: Body) -> Entry {
        let seq = Seq(self.next_seq());
        let time = Timestamp::from_nanos(self.time + 1_000);
        Entry {
            seq,
            time,
            id,
            by: None,
            request,
            body,
        }
    }

    /// Seals an entry that must follow from the state.
    pub fn seal(&mut self, entry: &Entry) -> u64 {
        self.state.apply(entry).unwrap();
        self.force(entry)
    }

    /// Writes an entry whatever the fold says of it.
    pub fn force(&mut self, entry: &Entry) -> u64 {
        let mut bytes = Vec::new();
        entry.encode(&mut bytes);
        self.time = entry.time.as_nanos();
        self.entries.push(bytes);
        self.next_seq() - 1
    }

    fn seal_system(&mut self, name: String, body: Body) -> u64 {
        let entry = self.entry(RequestId::system(&name).unwrap(), None, body);
        self.seal(&entry)
    }

    pub fn request(&self, id: &str) -> (RequestId, Option<RequestRef>) {
        let digest = Digest::sha256(id.as_bytes());
        (
            RequestId::parse(id).unwrap(),
            Some(RequestRef::Digest(digest)),
        )
    }

    pub fn open(&mut self, account: &str, currency: &str, floor: Option<i128>) -> u64 {
        let (id, request) = self.request(&format!("open-{account}"));
        let entry = self.entry(
            id,
            request,
            Body::AccountOpen(AccountOpen {
                account: AccountId::parse(account).unwrap(),
                currency: Currency::parse(currency).unwrap(),
                aliases: Vec::new(),
                min_balance: floor.map(Amount::from_minor),
                max_balance: None,
            }),
        );
        self.seal(&entry)
    }

    /// Activates the pack, and a list under this version.
    pub fn activate(&mut self, list_version: &str) -> u64 {
        let pack = pack(PACK_YAML, CASES_YAML);
        let mut list = ListBuilder::new(Name::parse("watched").unwrap(), list_version);
        list.entry("1", ["Somebody Watched"]);
        let list = list.build().unwrap();
        let set = PolicySet {
            lists: vec![list.named().clone()],
            packs: vec![pack.named().clone()],
        };
        self.blobs
            .insert(pack.named().digest, pack.archive().to_vec());
        self.blobs
            .insert(list.named().digest, list.bytes().to_vec());
        self.activate_set(set, list_version)
    }

    pub fn activate_set(&mut self, set: PolicySet, version: &str) -> u64 {
        let (id, request) = self.request(&format!("activate-{version}"));
        let policy = set.digest();
        let entry = self.entry(
            id,
            request,
            Body::PolicyActivate {
                set,
                policy,
                vouched: Vec::new(),
            },
        );
        let seq = self.seal(&entry);
        self.policy = policy;
        seq
    }

    pub fn transfer_body(&self, debit: &str, credit: &str, minor: u128) -> TransferBody {
        let money = Money {
            amount: Amount::from_minor(i128::try_from(minor).unwrap()),
            currency: Currency::parse("EUR").unwrap(),
        };
        let posting = |account: &str, side| Posting {
            account: AccountId::parse(account).unwrap(),
            money,
            side,
            layer: Layer::Posted,
        };
        TransferBody {
            decision: self.decision(Verdict::Allow),
            postings: vec![posting(debit, Side::Debit), posting(credit, Side::Credit)],
            timeout: None,
            two_phase: false,
            windows: Vec::new(),
        }
    }

    pub fn decision(&self, verdict: Verdict) -> Decision {
        // Read rather than spelt out: optional parts that decisions may gain stay out of it.
        let text = format!(
            r#"{{"action":"transfer","body":{{"decision":{{"fuel":12,"policy":"{0}","verdict":"deny"}},"postings":[]}},"id":"x","request":{{"digest":"{0}"}},"seq":1,"time":"2026-01-01T00:00:00.000000000Z","v":1}}"#,
            self.policy
        );
        let entry = Entry::decode(text.as_bytes()).unwrap();
        let mut decision = entry.body.decision().unwrap().clone();
        decision.verdict = verdict;
        if verdict == Verdict::Allow {
            decision.allowed.push(AllowingRule {
                pack: Name::parse("small-payments").unwrap(),
                rule: Name::parse("small").unwrap(),
            });
        }
        decision
    }

    pub fn transfer_entry(&self, id: &str, debit: &str, credit: &str, minor: u128) -> Entry {
        let (id, request) = self.request(id);
        self.entry(
            id,
            request,
            Body::Transfer(self.transfer_body(debit, credit, minor)),
        )
    }

    pub fn transfer(&mut self, id: &str, debit: &str, credit: &str, minor: u128) -> u64 {
        let entry = self.transfer_entry(id, debit, credit, minor);
        self.seal(&entry)
    }

    /// A transfer that was denied: no postings, and a reason.
    pub fn deny_entry(&self, id: &str) -> Entry {
        let (id, request) = self.request(id);
        let mut body = self.transfer_body("alice", "bob", 1);
        body.postings.clear();
        body.decision = self.decision(Verdict::Deny);
        body.decision.reasons.push(paygod_policy::Reason {
            rule: Arc::new(paygod_policy::RuleInfo {
                pack: Name::parse("small-payments").unwrap(),
                version: "1.0.0".to_owned(),
                rule: Name::parse("large").unwrap(),
                decision: Verdict::Deny,
                reason: "The payment is large.".to_owned(),
            }),
            facts: Vec::new(),
        });
        self.entry(id, request, Body::Transfer(body))
    }

    pub fn deny(&mut self, id: &str, _debit: &str, _credit: &str) -> u64 {
        let entry = self.deny_entry(id);
        self.seal(&entry)
    }

    pub fn rotate_entry(&self, new: u8) -> Entry {
        let (old_key, new_key) = (signer(self.key), signer(new));
        let old: Arc<str> = old_key.verifier_key().to_string().into();
        let new: Arc<str> = new_key.verifier_key().to_string().into();
        let seq = Seq(self.next_seq());
        let message = KeyRotation::message(ORIGIN, seq, [&old, &new], None);
        let body = Body::KeyRotate(KeyRotation {
            hybrid: None,
            signature_new: new_key.sign_bytes(message.as_bytes()),
            signature_old: old_key.sign_bytes(message.as_bytes()),
            new,
            old,
        });
        let id = RequestId::system(&format!("key_rotate:{seq}")).unwrap();
        self.entry(id, None, body)
    }

    pub fn rotate(&mut self, new: u8) -> u64 {
        let entry = self.rotate_entry(new);
        self.key = new;
        self.seal(&entry)
    }

    /// The text of a revocation of the key in force.
    pub fn revocation_text(&self, last_good: u64, new: u8) -> RevocationText {
        RevocationText {
            origin: ORIGIN.into(),
            revoked: signer(self.key).verifier_key().to_string().into(),
            last_good: Seq(last_good),
            new: signer(new).verifier_key().to_string().into(),
            hybrid: None,
        }
    }

    /// The note that auditors are given, signed by these root keys and the new key.
    pub fn revocation_note(&self, last_good: u64, new: u8, roots: &[u8]) -> Vec<u8> {
        let text = self.revocation_text(last_good, new).to_text();
        let signers: Vec<Ed25519Signer> = roots.iter().map(|number| root(*number)).collect();
        let new = signer(new);
        let mut all: Vec<&dyn NoteSigner> = vec![&new];
        for root in &signers {
            all.push(root);
        }
        SignedNote::sign(&text, &all).unwrap().to_bytes()
    }

    /// An entry that revokes the key in force, by these root keys.
    pub fn revoke_entry(&self, last_good: u64, new: u8, roots: &[u8]) -> Entry {
        let note = self.revocation_note(last_good, new, roots);
        let book = self.state.book().unwrap();
        let (_, body) = RevocationText::signed(&[note], book).unwrap();
        let seq = self.next_seq();
        let id = RequestId::system(&format!("key_revoke:{seq}")).unwrap();
        self.entry(id, None, Body::KeyRevoke(body))
    }

    pub fn revoke(&mut self, last_good: u64, new: u8, roots: &[u8]) -> u64 {
        let entry = self.revoke_entry(last_good, new, roots);
        self.key = new;
        self.seal(&entry)
    }

    /// Claims the digest of a state, which is the one after `of`.
    pub fn snapshot(&mut self, of: u64, state: &State) -> u64 {
        self.snapshot_at(self.next_seq(), of, state)
    }

    /// The same, as the entry `seq`, wherever the earlier ones are kept.
    pub fn snapshot_at(&mut self, seq: u64, of: u64, state: &State) -> u64 {
        let body = Body::Snapshot(SnapshotClaim {
            accounts: state.accounts_len() as u64,
            digest: state.digest(),
            of: Seq(of),
        });
        let id = RequestId::system(&format!("snapshot:{seq}")).unwrap();
        let mut entry = self.entry(id, None, body);
        entry.seq = Seq(seq);
        self.seal(&entry)
    }

    pub fn head_at(&self, size: usize) -> TreeHead {
        let leaves: Vec<Hash> = self.entries[..size].iter().map(|e| leaf_hash(e)).collect();
        let mut writer = TreeWriter::default();
        writer.append(&leaves, &mut Rows::new());
        writer.head()
    }

    pub fn sign(&self, head: TreeHead, key: u8) -> Vec<u8> {
        let checkpoint = Checkpoint {
            origin: ORIGIN.to_owned(),
            head,
        };
        SignedCheckpoint::sign(checkpoint, &[&signer(key)])
            .unwrap()
            .to_bytes()
    }

    /// Publishes a checkpoint of the present size by the key in force.
    pub fn publish(&mut self) -> Vec<u8> {
        let note = self.sign(self.head_at(self.entries.len()), self.key);
        self.published.push(note.clone());
        note
    }

    pub fn fingerprint(&self) -> Hash {
        leaf_hash(&self.entries[0])
    }

    /// The export as an honest server, or a thief who rebuilds everything, would write it.
    pub fn export(&self) -> Memory {
        let mut files = BTreeMap::new();
        let last = self.published.last().unwrap();
        let size = SignedCheckpoint::parse(last).unwrap().head().size;
        let entries = &self.entries[..size as usize];
        for tile in Tile::row(TileKind::Entries, size) {
            let first = tile.index() as usize * 256;
            let mut bytes = Vec::new();
            for entry in &entries[first..first + usize::from(tile.width())] {
                bundle::append_entry(&mut bytes, entry).unwrap();
            }
            files.insert(tile.path(), bytes);
        }
        let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        let (mut writer, mut rows) = (TreeWriter::default(), Rows::new());
        writer.append(&leaves, &mut rows);
        for (level, _, hashes) in rows.iter() {
            for (index, chunk) in (0..).zip(hashes.chunks(8_192)) {
                let width = (chunk.len() / 32) as u16;
                let tile = Tile::new(TileKind::Hashes(level), index, width).unwrap();
                files.insert(tile.path(), chunk.to_vec());
            }
        }
        files.insert("checkpoint".to_owned(), last.clone());
        files.insert("checkpoints.log".to_owned(), self.log());
        files.insert(
            "genesis".to_owned(),
            format!("{}\n", self.fingerprint()).into_bytes(),
        );
        for (digest, bytes) in &self.blobs {
            files.insert(format!("blobs/{digest}"), bytes.clone());
        }
        Memory(files)
    }

    pub fn log(&self) -> Vec<u8> {
        let mut log = Vec::new();
        for note in &self.published {
            log.extend_from_slice(format!("{}\n", note.len()).as_bytes());
            log.extend_from_slice(note);
        }
        log
    }

    /// Signs every published size anew over the entries as they are: what the thief of the key does.
    pub fn sign_again(&mut self) {
        let sizes: Vec<u64> = self
            .published
            .iter()
            .map(|note| SignedCheckpoint::parse(note).unwrap().head().size)
            .filter(|size| *size <= self.next_seq())
            .collect();
        self.published = sizes
            .iter()
            .map(|size| self.sign(self.head_at(*size as usize), self.key))
            .collect();
    }

    /// Replaces a text in one entry.
    pub fn edit(&mut self, seq: u64, from: &str, to: &str) {
        let text = String::from_utf8(self.entries[seq as usize].clone()).unwrap();
        assert!(text.contains(from), "entry {seq} has no `{from}`: {text}");
        self.entries[seq as usize] = text.replace(from, to).into_bytes();
    }
}

/// Options with the fingerprint pinned.
pub fn options(book: &Book) -> Options<'static> {
    let mut options = Options::new(std::env::temp_dir());
    options.genesis = Some(book.fingerprint());
    options
}

pub fn check(export: &Memory, options: &Options<'_>) -> Report {
    verify(export, options, &|_| {}).unwrap()
}

/// A receipt of one entry under the last published checkpoint.
pub fn proof(book: &Book, index: u64) -> Vec<u8> {
    let checkpoint = SignedCheckpoint::parse(book.published.last().unwrap()).unwrap();
    let size = checkpoint.head().size;
    let export = book.export();
    let mut reader = paygod_tlog::TreeReader::new(&export, size).unwrap();
    let hashes = reader.inclusion(index, size).unwrap().hashes;
    paygod_tlog::TlogProof {
        extra: None,
        index,
        hashes,
        checkpoint,
    }
    .to_bytes()
    .unwrap()
}

impl paygod_tlog::HashSource for &Memory {
    type Error = std::convert::Infallible;

    fn read_tile(&self, tile: &Tile, out: &mut Vec<Hash>) -> Result<(), Self::Error> {
        let hashes = self.0[&tile.path()].chunks_exact(32);
        out.extend(hashes.map(|hash| Hash::new(hash.try_into().unwrap())));
        Ok(())
    }
}
