//! The kernel and the ledger as a service: ingest, the sequencer and the publisher.

pub mod ingest;
pub mod ledger;
