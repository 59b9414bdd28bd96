//! The embedded, crash-safe store of a book: segments, indexes, tiles, snapshots and the vault.
