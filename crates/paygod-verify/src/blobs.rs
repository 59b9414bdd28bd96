//! The packs and lists that activations name: each is in the export, under its digest, unchanged, and
//! is the pack or list of the name and version that the activation says; and the packs find what they
//! read, so that the set can judge, as it must when the book is opened.
//!
//! What a blob is, is remembered by kind and digest, and compared with every name that it is given: the
//! same bytes are not another pack because another entry says so. Memory follows the blobs that the export
//! holds, never the activations.

use std::collections::HashMap;
use std::sync::Arc;

use paygod_core::Named;
use paygod_core::command::PolicySet;
use paygod_policy::{List, Pack, Vocabulary};
use paygod_types::Digest;

use crate::failure::{Check, Failure, Failures, Place};
use crate::limits::{BLOB_BYTES_MAX, BLOBS_REFUSED_MAX};
use crate::source::{Source, SourceError, Whole, read_whole};

/// What the blobs that were read are: sets change little from one activation to the next.
#[derive(Debug, Default)]
pub(crate) struct Blobs {
    packs: HashMap<Digest, Arc<Vocabulary>>,
    lists: HashMap<Digest, Named>,
    /// Why others are nothing of their kind.
    refused: HashMap<(Kind, Digest), String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Pack,
    List,
}

impl Blobs {
    /// Checks every blob of a set that the entry `seq` activated, and that they go together. What its packs
    /// can say, if all is well.
    pub(crate) fn check(
        &mut self,
        seq: u64,
        set: &PolicySet,
        source: &dyn Source,
        failures: &mut Failures,
    ) -> Result<Option<Vec<Arc<Vocabulary>>>, SourceError> {
        let mut sound = true;
        let packs = set.packs.iter().map(|named| (named, Kind::Pack));
        let lists = set.lists.iter().map(|named| (named, Kind::List));
        for (named, kind) in packs.chain(lists) {
            if let Err(found) = self.check_one(named, kind, source)? {
                let expected = format!(
                    "`{}`: `{}` version {}",
                    path(&named.digest),
                    named.name,
                    named.version
                );
                failures.push(Failure::new(
                    Check::Blob,
                    Place::Entry(seq),
                    expected,
                    found,
                ));
                sound = false;
            }
        }
        if !sound {
            return Ok(None);
        }
        let known = set.packs.iter();
        let packs: Vec<_> = known
            .filter_map(|named| self.packs.get(&named.digest).cloned())
            .collect();
        if let Some(found) = packs.iter().find_map(|pack| pack.unfit(&set.lists)) {
            let expected = "packs that judge transfers, and every list that they read";
            let place = Place::Entry(seq);
            failures.push(Failure::new(Check::Ruleset, place, expected, found));
        }
        Ok(Some(packs))
    }

    /// Whether the blob is what it is called; else what it is.
    fn check_one(
        &mut self,
        named: &Named,
        kind: Kind,
        source: &dyn Source,
    ) -> Result<Result<(), String>, SourceError> {
        let key = (kind, named.digest);
        if self.known(kind, &named.digest).is_none() {
            if let Some(found) = self.refused.get(&key) {
                return Ok(Err(found.clone()));
            }
            // Whoever named so many has been found out, and does not choose how long that takes.
            if self.refused.len() >= BLOBS_REFUSED_MAX {
                return Ok(Err(
                    "a blob that was not looked at, after so many others".to_owned()
                ));
            }
            if let Err(found) = self.read(&named.digest, kind, source)? {
                self.refused.insert(key, found.clone());
                return Ok(Err(found));
            }
        }
        Ok(match self.known(kind, &named.digest) {
            Some(found) if found == named => Ok(()),
            Some(found) => Err(format!("`{}` version {}", found.name, found.version)),
            None => Err("nothing of its kind".to_owned()),
        })
    }

    fn known(&self, kind: Kind, digest: &Digest) -> Option<&Named> {
        match kind {
            Kind::Pack => self.packs.get(digest).map(|pack| pack.named()),
            Kind::List => self.lists.get(digest),
        }
    }

    /// Reads a blob and remembers what it is; else why it is nothing of its kind.
    fn read(
        &mut self,
        digest: &Digest,
        kind: Kind,
        source: &dyn Source,
    ) -> Result<Result<(), String>, SourceError> {
        let mut bytes = Vec::new();
        match read_whole(source, &path(digest), BLOB_BYTES_MAX, &mut bytes)? {
            Whole::Missing => return Ok(Err("no such file".to_owned())),
            Whole::TooLong => return Ok(Err(format!("more than {BLOB_BYTES_MAX} bytes"))),
            Whole::Read => {}
        }
        let found = Digest::sha256(&bytes);
        if found != *digest {
            return Ok(Err(format!("bytes with the digest {found}")));
        }
        let is_one = match kind {
            Kind::Pack => Pack::from_archive(&bytes).ok().map(|pack| {
                let pack = Arc::new(Vocabulary::of(&pack));
                drop(self.packs.insert(*digest, pack));
            }),
            Kind::List => List::parse(&bytes).ok().map(|list| {
                drop(self.lists.insert(*digest, list.named().clone()));
            }),
        };
        Ok(is_one.ok_or_else(|| "bytes that cannot be read as one".to_owned()))
    }
}

fn path(digest: &Digest) -> String {
    format!("blobs/{digest}")
}
