//! Covering tracks: whatever else in a log must change once an entry has been changed.
//!
//! Numbers, the names of system entries, references, the signatures of key rotations, the digests of
//! activations and of snapshots: all are made to agree with the forged entries, so that what remains
//! to be found is the forgery itself.

use super::Keyring;
use paygod_core::entry::{Body, EntryRef};
use paygod_core::{Entry, State};
use paygod_types::{Digest, RequestId, Seq};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Makes entries agree with each other again. Times are left as they are.
pub(crate) fn cover(entries: &mut [Entry], keys: &Keyring) {
    let mut moved = BTreeMap::new();
    for (place, entry) in (0_u64..).zip(entries.iter_mut()) {
        moved.entry(entry.seq).or_insert(Seq(place));
        entry.seq = Seq(place);
    }
    let places: HashMap<RequestId, Seq> = entries
        .iter()
        .rev()
        .map(|entry| (entry.id.clone(), entry.seq))
        .collect();
    let mut policies: HashMap<Digest, Digest> = HashMap::new();
    let mut hybrid = None;
    for entry in entries.iter_mut() {
        let seq = entry.seq;
        match &mut entry.body {
            Body::Genesis(genesis) => hybrid.clone_from(&genesis.hybrid_key),
            Body::KeyRotate(rotation) => {
                keys.resign(rotation, seq, hybrid.as_deref());
                if let Some(change) = &rotation.hybrid {
                    hybrid = Some(Arc::clone(&change.new));
                }
            }
            Body::Snapshot(claim) => {
                claim.of = moved.get(&claim.of).copied().unwrap_or(claim.of);
            }
            Body::PolicyActivate { set, policy, .. } => {
                let before = std::mem::replace(policy, set.digest());
                policies.insert(before, *policy);
            }
            Body::Transfer(body) => replace(&mut body.decision.policy, &policies),
            Body::Correct(body) => {
                replace(&mut body.decision.policy, &policies);
                refer(&mut body.corrects, &places);
            }
            Body::Post {
                pending: reference, ..
            }
            | Body::Void { pending: reference }
            | Body::Expire { pending: reference }
            | Body::Approve {
                request: reference, ..
            }
            | Body::Reject { request: reference }
            | Body::EvidenceErase { request: reference } => refer(reference, &places),
            _ => {}
        }
        if let Some(id) = system_id(entry) {
            entry.id = id;
        }
    }
    seal_snapshots(entries);
}

fn replace(digest: &mut Digest, by: &HashMap<Digest, Digest>) {
    *digest = by.get(digest).copied().unwrap_or(*digest);
}

fn refer(reference: &mut EntryRef, places: &HashMap<RequestId, Seq>) {
    reference.seq = places.get(&reference.id).copied().unwrap_or(reference.seq);
}

/// The id that the sequencer would have given.
fn system_id(entry: &Entry) -> Option<RequestId> {
    let name = match &entry.body {
        Body::Expire { pending } => format!("expire:{}", pending.seq),
        Body::Snapshot(_) => format!("snapshot:{}", entry.seq),
        Body::KeyRotate(_) => format!("key_rotate:{}", entry.seq),
        Body::KeyRevoke(_) => format!("key_revoke:{}", entry.seq),
        _ => return None,
    };
    RequestId::system(&name).ok()
}

/// Gives every snapshot entry the digest of the state as it is now, up to where the fold refuses.
fn seal_snapshots(entries: &mut [Entry]) {
    let mut wanted: BTreeMap<Seq, (u64, Digest)> = entries
        .iter()
        .filter_map(|entry| match &entry.body {
            Body::Snapshot(claim) => Some((claim.of, (claim.accounts, claim.digest))),
            _ => None,
        })
        .collect();
    if wanted.is_empty() {
        return;
    }
    let mut state = State::new();
    for entry in entries.iter_mut() {
        if let Body::Snapshot(claim) = &mut entry.body
            && let Some((accounts, digest)) = wanted.get(&claim.of)
        {
            (claim.accounts, claim.digest) = (*accounts, *digest);
        }
        if state.apply(entry).is_err() {
            return;
        }
        if let Some(found) = wanted.get_mut(&entry.seq) {
            let accounts = u64::try_from(state.accounts_len()).unwrap_or(u64::MAX);
            *found = (accounts, state.digest());
        }
    }
}
