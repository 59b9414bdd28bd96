//! The embedded, crash-safe store of a book: segments, indexes, tiles, snapshots and the vault.
//!
//! One folder, no server, one writer and many readers. The segments hold the entries and are the only
//! truth; everything else but the vault and the blobs is derived from them and may be removed.
//!
//! The order of a write is visible in one place each: inputs ([`Vault::store`]), then the group
//! ([`Writer::commit`]), then the answer, then what is derived.
//!
//! It does not know what an entry means, and it reads no clock.

mod append;
mod background;
mod backup;
mod blob;
mod book;
mod checkpoints;
mod derived;
mod disk;
mod error;
mod export;
pub mod fault;
mod group;
mod handles;
mod history;
mod index;
mod kek;
mod marks;
mod prefill;
mod reader;
mod recover;
mod run_file;
mod segment;
mod siphash;
mod snapshot;
mod snapshotter;
mod tiers;
mod tree;
mod vault;
mod vault_batch;
mod vault_end;
mod width;
mod witnessed;
mod writer;

pub use background::give_way;
pub use backup::{BackupReport, BookFiles, Progress, expect_backup, restore};
pub use blob::{BLOB_BYTES_MAX, Blobs};
pub use book::{Book, BookLock, Opening, Options, ReadBook, expect_book};
pub use checkpoints::{Checkpoints, LogReader, append_record};
pub use derived::{Fold, Record};
pub use disk::{Access, DirLock, Disk, DiskFile, RealDisk};
pub use error::{
    Action, BlobError, CheckpointError, CommitError, CopyError, Corruption, DerivedError,
    FoldFault, IoFault, OpenError, ReadError, StageError, VaultError,
};
pub use export::ExportReport;
pub use group::{GROUP_BYTES_MAX, GROUP_ENTRIES_MAX, Group, SharedGroup};
pub use history::{AccountNumber, BalanceHistory, BalancesAfter, HistoryWriter, Touch};
pub use index::{Finder, Hits, IndexStats, IndexWriter, KEYS_PER_ENTRY_MAX, KeyMaker};
pub use kek::{DATA_KEY_BYTES, FileKek, Kek, WRAPPED_KEY_BYTES};
pub use reader::{Entry, EntryBuf, Reader};
pub use segment::BookId;
pub use snapshot::Snapshot;
pub use snapshotter::{SnapshotWriter, Snapshotter};
pub use tree::{TreeFiles, TreeSource};
pub use vault::{
    DataKey, FreshKey, INPUT_BYTES_MAX, InputMemory, OpenedInput, SealedInput, Vault, VaultRef,
};
pub use vault_batch::{PlacedInputs, Placer};
pub use witnessed::{WITNESSED_NAME, Witnessed};
pub use writer::{SEGMENT_BYTES, SEGMENT_BYTES_MAX, Writer};
