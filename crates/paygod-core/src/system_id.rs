//! The ids of entries that the sequencer makes by itself: each follows from what the entry is about, so
//! that none can be sealed twice.

use paygod_types::{RequestId, Seq};

use crate::entry::{AnchorReceipt, Body, Entry};

/// The name, after `paygod:`, of a system entry. `expire` is named after the reservation it releases.
pub(crate) fn name(body: &Body, seq: Seq) -> Option<String> {
    match body {
        Body::Genesis(_) => Some("genesis".to_owned()),
        Body::Expire { pending } => Some(format!("expire:{}", pending.seq)),
        Body::Snapshot(_) => Some(format!("snapshot:{seq}")),
        Body::Anchor(receipt) => Some(anchor(receipt)),
        Body::KeyRotate(_) => Some(format!("key_rotate:{seq}")),
        Body::KeyRevoke(_) => Some(format!("key_revoke:{seq}")),
        _ => None,
    }
}

fn anchor(receipt: &AnchorReceipt) -> String {
    let AnchorReceipt {
        again, kind, size, ..
    } = receipt;
    match again {
        0 => format!("anchor:{kind}:{size}"),
        again => format!("anchor:{kind}:{size}:{again}"),
    }
}

/// The id that a system entry must have.
pub(crate) fn of(entry: &Entry) -> String {
    name(&entry.body, entry.seq).map_or_else(String::new, |name| format!("paygod:{name}"))
}

/// Makes the id of a system entry; `None` if it is not one.
pub(crate) fn make(body: &Body, seq: Seq) -> Option<RequestId> {
    // INVARIANT(system-ids): names above are short and within the alphabet of ids.
    RequestId::system(&name(body, seq)?).ok()
}
