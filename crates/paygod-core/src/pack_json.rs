//! The canonical JSON of what entries and requests say of packs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paygod_types::canonical::Writer;

use crate::command::RunSeal;
use crate::pack_trust::{PackSignature, PackStaged, PackTrust, Vouched};
use crate::policy_set::{write_named, write_one};

impl PackTrust {
    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        writer.begin_object();
        if self.approved {
            writer.key("approved");
            writer.bool(true);
        }
        writer.key("level");
        writer.string(self.level.as_str());
        writer.key("publishers");
        writer.begin_array();
        for publisher in &self.publishers {
            writer.begin_object();
            writer.key("key");
            writer.string(&publisher.key);
            writer.key("level");
            writer.string(publisher.level.as_str());
            writer.end_object();
        }
        writer.end_array();
        writer.end_object();
    }
}

impl PackStaged {
    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        writer.begin_object();
        writer.key("pack");
        write_one(&self.pack, writer);
        writer.key("stage");
        writer.string(self.stage.as_str());
        writer.end_object();
    }
}

impl RunSeal {
    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        writer.begin_object();
        writer.key("packs");
        write_named(&self.packs, writer);
        writer.key("run");
        writer.digest(&self.run);
        writer.key("verdict");
        writer.string(self.verdict.as_str());
        writer.end_object();
    }
}

impl PackSignature {
    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        writer.begin_object();
        writer.key("key");
        writer.string(&self.key);
        writer.key("pack");
        writer.string(self.pack.as_str());
        writer.key("signature");
        writer.string(&STANDARD.encode(self.signature));
        writer.end_object();
    }
}

impl Vouched {
    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        writer.begin_object();
        writer.key("level");
        writer.string(self.level.as_str());
        writer.key("pack");
        writer.string(self.pack.as_str());
        writer.key("signatures");
        writer.begin_array();
        for (key, signature) in &self.signatures {
            writer.begin_object();
            writer.key("key");
            writer.string(key);
            writer.key("signature");
            writer.string(&STANDARD.encode(signature));
            writer.end_object();
        }
        writer.end_array();
        writer.end_object();
    }
}
