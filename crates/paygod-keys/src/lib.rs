//! Keys that sign for a book, and the providers that hold them.
//!
//! A [`Signer`] is one key, wherever it is; a [`Provider`] makes, finds and retires them. [`NoteKey`] is a
//! signer under a log's name, as checkpoints need it, and [`CosignerKey`] one that cosigns them, for a log or for a
//! witness: every signature that a provider returns is verified before it is used, so that a provider which signs
//! something else is one that failed.
//!
//! - [`file`]: a key encrypted under a passphrase (PKCS#8, PBES2): root keys.
//! - [`folder`]: checkpoint keys in such files: for development.
//! - [`paying`]: a key that pays for anchors, in such a file.
//! - [`pkcs11`]: keys in a hardware module.
//! - [`transit`]: keys in a key service, OpenBao or Vault.
//! - [`kms`]: keys in AWS KMS.
//! - [`uri`]: which of them, in one line.
//!
//! It does not decide which key is in force: the ledger's entries do.

pub mod file;
pub mod folder;
mod http;
pub mod kms;
pub mod paying;
pub mod pkcs11;
mod signer;
pub mod transit;
pub mod uri;

pub use signer::{Algorithm, CosignerKey, NoteKey, Provider, ProviderError, PublicKey, Signer};
