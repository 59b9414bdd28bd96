//! The canonical archive of a pack: one RFC 8785 document, the same bytes on every machine.
//!
//! ```json
//! {"contracts":{"payment.v1":"<sha256>"},"files":{"README.md":"…","pack.yaml":"…"},"v":1}
//! ```
//!
//! INVARIANT(pack-digest): a pack's digest is the SHA-256 of these bytes. `files` holds every file of the
//! pack's folder by its relative path; `contracts` the digests of the built-in schemas its inputs name, so
//! that a pack cannot come to mean something else by a change of those. Those are only widened; an archive that names
//! a former one is read as it is, and keeps its digest.

use std::collections::BTreeMap;

use super::problem::PackProblem;
use crate::json::{Json, write_string};
use crate::limits::{ARCHIVE_BYTES_MAX, PACK_BYTES_MAX, PACK_FILES_MAX};

/// Checks the paths and sizes of a pack's files.
pub(crate) fn check(files: &BTreeMap<String, String>) -> Result<(), PackProblem> {
    let bytes: usize = files.values().map(String::len).sum();
    if files.len() > PACK_FILES_MAX || bytes > PACK_BYTES_MAX {
        let message = format!(
            "the pack has {} files of {bytes} bytes; at most {PACK_FILES_MAX} files of {PACK_BYTES_MAX} bytes \
             are allowed",
            files.len()
        );
        return Err(PackProblem::of_file("pack.yaml", message));
    }
    for path in files.keys() {
        let sound = path.len() <= 200
            && path.split('/').all(|part| {
                !part.is_empty()
                    && !part.starts_with('.')
                    && part
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
            });
        if !sound {
            let message = "this path cannot be part of a pack; use letters, digits and `._-`, no hidden files";
            return Err(PackProblem::of_file(path, message));
        }
    }
    Ok(())
}

/// Writes the archive.
pub(crate) fn write(
    files: &BTreeMap<String, String>,
    contracts: &BTreeMap<String, String>,
) -> Vec<u8> {
    let mut out = Vec::new();
    let object = |members: &BTreeMap<String, String>, out: &mut Vec<u8>| {
        out.push(b'{');
        // Paths and contract names are ASCII, whose byte order is that of UTF-16.
        for (i, (key, value)) in members.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            write_string(key, out);
            out.push(b':');
            write_string(value, out);
        }
        out.push(b'}');
    };
    out.extend_from_slice(b"{\"contracts\":");
    object(contracts, &mut out);
    out.extend_from_slice(b",\"files\":");
    object(files, &mut out);
    out.extend_from_slice(b",\"v\":1}");
    out
}

/// What an archive holds.
#[derive(Default)]
pub(crate) struct Read {
    pub(crate) files: BTreeMap<String, String>,
    pub(crate) contracts: BTreeMap<String, String>,
}

/// Reads an archive. The caller writes it again and compares.
pub(crate) fn read(bytes: &[u8]) -> Result<Read, PackProblem> {
    let fail = |message: &str| PackProblem::of_file("archive", message);
    if bytes.len() > ARCHIVE_BYTES_MAX {
        return Err(fail("the archive is too large"));
    }
    let text = core::str::from_utf8(bytes).map_err(|_| fail("the archive is not UTF-8"))?;
    let json = Json::parse(text).map_err(|e| fail(e.reason))?;
    let member = |name: &str, none: &str, other: &str| {
        let Some(Json::Object(members)) = json.get(name) else {
            return Err(fail(none));
        };
        let mut out = BTreeMap::new();
        for (key, value) in members {
            let value = value.as_text().ok_or_else(|| fail(other))?;
            out.insert(key.clone(), value.to_owned());
        }
        Ok(out)
    };
    Ok(Read {
        files: member("files", "the archive has no `files`", "a file is not text")?,
        contracts: member(
            "contracts",
            "the archive has no `contracts`",
            "a contract's digest is not text",
        )?,
    })
}
