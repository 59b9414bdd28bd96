//! Tests of the crate as a whole: rules as tables, the codecs, and a random walk against a model.

mod book;
mod ceremony;
mod entries;
mod forgeries;
mod idempotency;
mod key_policy;
mod keys;
mod model;
mod money;
mod packs;
mod pending;
mod requests;
mod snapshots;
mod walk;

impl crate::State {
    /// The bytes of the state.
    fn to_snapshot(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let Ok(_) = self.give_snapshot(&mut Vec::new(), |piece| {
            bytes.extend_from_slice(piece);
            Ok::<(), core::convert::Infallible>(())
        });
        bytes
    }
}
