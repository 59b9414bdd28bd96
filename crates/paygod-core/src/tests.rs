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
