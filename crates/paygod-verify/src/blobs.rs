//! The packs and lists that activations name: each is in the export, under its digest, unchanged, and
//! is the pack or list of the name and version that the activation says.

use std::collections::HashSet;

use paygod_core::Named;
use paygod_core::command::PolicySet;
use paygod_policy::{List, Pack};
use paygod_types::Digest;

use crate::failure::{Check, Failure, Failures, Place};
use crate::limits::BLOB_BYTES_MAX;
use crate::source::{Source, SourceError, Whole, read_whole};

/// Which blobs were checked already: sets change little from one activation to the next.
#[derive(Debug, Default)]
pub(crate) struct Blobs {
    checked: HashSet<Digest>,
}

#[derive(Clone, Copy)]
enum Kind {
    Pack,
    List,
}

impl Blobs {
    /// Checks every blob of a set that the entry `seq` activated.
    pub(crate) fn check(
        &mut self,
        seq: u64,
        set: &PolicySet,
        source: &dyn Source,
        failures: &mut Failures,
    ) -> Result<(), SourceError> {
        let packs = set.packs.iter().map(|named| (named, Kind::Pack));
        let lists = set.lists.iter().map(|named| (named, Kind::List));
        for (named, kind) in packs.chain(lists) {
            if self.checked.insert(named.digest)
                && let Some(failure) = check_blob(seq, named, kind, source)?
            {
                failures.push(failure);
            }
        }
        Ok(())
    }
}

fn check_blob(
    seq: u64,
    named: &Named,
    kind: Kind,
    source: &dyn Source,
) -> Result<Option<Failure>, SourceError> {
    let path = format!("blobs/{}", named.digest);
    let fail = |found: String| {
        let expected = format!("`{path}`: `{}` version {}", named.name, named.version);
        Some(Failure::new(
            Check::Blob,
            Place::Entry(seq),
            expected,
            found,
        ))
    };
    let mut bytes = Vec::new();
    match read_whole(source, &path, BLOB_BYTES_MAX, &mut bytes)? {
        Whole::Missing => return Ok(fail("no such file".to_owned())),
        Whole::TooLong => return Ok(fail(format!("more than {BLOB_BYTES_MAX} bytes"))),
        Whole::Read => {}
    }
    let digest = Digest::sha256(&bytes);
    if digest != named.digest {
        return Ok(fail(format!("bytes with the digest {digest}")));
    }
    let found = match kind {
        Kind::Pack => Pack::from_archive(&bytes)
            .map(|pack| pack.named().clone())
            .ok(),
        Kind::List => List::parse(&bytes).map(|list| list.named().clone()).ok(),
    };
    Ok(match found {
        None => fail("bytes that cannot be read as one".to_owned()),
        Some(found) if found == *named => None,
        Some(found) => fail(format!("`{}` version {}", found.name, found.version)),
    })
}
