//! The blobs of an export that no activation names. Nothing relies on them; but whoever takes one by its name
//! must get what it names.

use crate::fault::Fault;
use crate::files;
use paygod_policy::limits::LIST_BYTES_MAX;
use paygod_types::{Digest, code};
use paygod_verify::{Check, Failure, Place};
use std::fs;
use std::io;
use std::path::Path;

/// The folder of packs and lists in an export.
const FOLDER: &str = "blobs";

/// Most files that are looked at there.
const FILES_MAX: usize = 100_000;

/// The first file that is named by a digest which is not its own.
pub(super) fn misnamed(export: &Path) -> Result<Option<Failure>, Fault> {
    let folder = export.join(FOLDER);
    if !folder.is_dir() {
        return Ok(None);
    }
    let failed = |error: io::Error| {
        let doing = format!("cannot read `{}`", folder.display());
        Fault::of(code::VERIFY_SOURCE, &error).while_doing(&doing)
    };
    let mut named = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let digest = name.to_str().and_then(|name| Digest::parse(name).ok());
        named.extend(digest);
        if named.len() > FILES_MAX {
            let message = format!("`{}` has more than {FILES_MAX} files", folder.display());
            return Err(Fault::new(code::CLI_INPUT, message));
        }
    }
    named.sort_unstable_by_key(|digest| *digest.as_bytes());
    for digest in named {
        let name = digest.to_string();
        let path = folder.join(&name);
        let found = match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => {
                let bytes = files::read_plain(&path, LIST_BYTES_MAX)?;
                let found = Digest::sha256(&bytes);
                if found == digest {
                    continue;
                }
                format!("bytes with the digest {found}")
            }
            Ok(_) => "no plain file".to_owned(),
            Err(error) => return Err(failed(error)),
        };
        let place = Place::File(format!("{FOLDER}/{name}"));
        let expected = "the bytes that its name is the digest of";
        return Ok(Some(Failure::new(Check::Blob, place, expected, found)));
    }
    Ok(None)
}
