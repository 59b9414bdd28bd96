//! The digest of a set of packs and lists: the one that `paygod_policy::Ruleset::digest` gives too.

use paygod_policy::Named;
use paygod_types::Digest;
use paygod_types::canonical::Writer;

use crate::command::PolicySet;

impl PolicySet {
    /// Whether lists and packs ascend by name, each name once.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        let ordered = |named: &[Named]| named.is_sorted_by(|a, b| a.name < b.name);
        ordered(&self.lists) && ordered(&self.packs)
    }

    /// The canonical JSON: `{"lists":[{"digest","name","version"}…],"packs":[…]}`.
    fn write(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        writer.begin_object();
        self.write_members(&mut writer);
        writer.end_object();
    }

    /// SHA-256 of `{"lists":[{"digest","name","version"}…],"packs":[…]}` in canonical JSON.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut bytes = Vec::new();
        self.write(&mut bytes);
        Digest::sha256(&bytes)
    }

    /// The two members, for the documents that spell a set.
    pub(crate) fn write_members(&self, writer: &mut Writer<'_>) {
        writer.key("lists");
        write_named(&self.lists, writer);
        writer.key("packs");
        write_named(&self.packs, writer);
    }
}

/// Writes packs or lists as entries spell them: `[{"digest","name","version"}…]`, in the order given.
pub fn write_named(named: &[Named], writer: &mut Writer<'_>) {
    writer.begin_array();
    for one in named {
        write_one(one, writer);
    }
    writer.end_array();
}

pub(crate) fn write_one(one: &Named, writer: &mut Writer<'_>) {
    writer.begin_object();
    writer.key("digest");
    writer.digest(&one.digest);
    writer.key("name");
    writer.string(one.name.as_str());
    writer.key("version");
    writer.string(&one.version);
    writer.end_object();
}
