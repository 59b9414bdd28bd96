//! Reads the bodies that are about the book itself: packs, keys, anchors.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paygod_policy::Named;
use paygod_types::{Name, Seq};

use super::read::{From, Read};
use crate::entry::{AnchorKind, Genesis, HybridChange, KeyRevocation, RootSignature};
use crate::pack_trust::{Level, PackStage, PackStaged, PackTrust, Publisher, Vouched};

impl From<'_> {
    pub(super) fn named(&mut self, key: &'static str) -> Read<Vec<Named>> {
        self.key(key)?;
        self.0.array_begin()?;
        let mut named = Vec::new();
        while self.0.array_next()? {
            named.push(self.one_named()?);
        }
        Ok(named)
    }

    pub(super) fn one_named(&mut self) -> Read<Named> {
        self.0.object_begin()?;
        let digest = self.digest("digest")?;
        let name = self.id("name", Name::parse)?;
        let version = self.string("version")?.into_owned();
        self.end()?;
        Ok(Named {
            name,
            version,
            digest,
        })
    }

    pub(super) fn vouched(&mut self) -> Read<Vec<Vouched>> {
        let mut all = Vec::new();
        if !self.has("vouched")? {
            return Ok(all);
        }
        self.0.array_begin()?;
        while self.0.array_next()? {
            self.0.object_begin()?;
            let level = self.level("level")?;
            let pack = self.id("pack", Name::parse)?;
            self.key("signatures")?;
            self.0.array_begin()?;
            let mut signatures = Vec::new();
            while self.0.array_next()? {
                self.0.object_begin()?;
                let key = self.text("key")?;
                signatures.push((key, self.signature("signature")?));
                self.end()?;
            }
            self.not_empty("signatures", signatures.len())?;
            self.end()?;
            all.push(Vouched {
                level,
                pack,
                signatures,
            });
        }
        self.not_empty("vouched", all.len())?;
        Ok(all)
    }

    pub(super) fn level(&mut self, key: &'static str) -> Read<Level> {
        let word = self.string(key)?;
        Level::parse(&word).ok_or_else(|| self.refuse(key, "a level"))
    }

    pub(super) fn pack_trust(&mut self) -> Read<PackTrust> {
        let approved = self.has("approved")?;
        if approved && !self.0.boolean()? {
            return Err(self.refuse("approved", "true"));
        }
        let level = self.level("level")?;
        let mut publishers = Vec::new();
        self.key("publishers")?;
        self.0.array_begin()?;
        while self.0.array_next()? {
            self.0.object_begin()?;
            publishers.push(Publisher {
                key: self.text("key")?,
                level: self.level("level")?,
            });
            self.end()?;
        }
        Ok(PackTrust {
            approved,
            level,
            publishers,
        })
    }

    pub(super) fn pack_stage(&mut self) -> Read<PackStaged> {
        self.key("pack")?;
        let pack = self.one_named()?;
        let word = self.string("stage")?;
        let stage = PackStage::parse(&word);
        Ok(PackStaged {
            pack,
            stage: stage.ok_or_else(|| self.refuse("stage", "a stage"))?,
        })
    }

    pub(super) fn genesis(&mut self) -> Read<Genesis> {
        let checkpoint_key = self.text("checkpoint_key")?;
        let hybrid_key = if self.has("hybrid_key")? {
            Some(self.0.string()?.into())
        } else {
            None
        };
        let origin = self.text("origin")?;
        self.key("root_keys")?;
        self.0.object_begin()?;
        self.key("keys")?;
        self.0.array_begin()?;
        let mut root_keys = Vec::new();
        while self.0.array_next()? {
            root_keys.push(self.0.string()?.into());
        }
        let root_threshold = self.small("threshold")?;
        self.end()?;
        Ok(Genesis {
            origin,
            checkpoint_key,
            hybrid_key,
            root_keys,
            root_threshold,
        })
    }

    pub(super) fn hybrid(&mut self) -> Read<Option<Box<HybridChange>>> {
        if !self.has("hybrid")? {
            return Ok(None);
        }
        self.0.object_begin()?;
        let change = HybridChange {
            new: self.text("new")?,
            signature_new: self.signature("signature_new")?,
            signature_old: self.signature("signature_old")?,
        };
        self.end()?;
        Ok(Some(Box::new(change)))
    }

    pub(super) fn key_revoke(&mut self) -> Read<KeyRevocation> {
        let hybrid = self.hybrid()?;
        let last_good = Seq(self.number("last_good")?);
        let new = self.text("new")?;
        let revoked = self.text("revoked")?;
        let signature_new = self.signature("signature_new")?;
        self.key("signatures")?;
        self.0.array_begin()?;
        let mut signatures = Vec::new();
        while self.0.array_next()? {
            self.0.object_begin()?;
            let key = self.text("key")?;
            let signature = self.signature("signature")?;
            self.end()?;
            signatures.push(RootSignature { key, signature });
        }
        Ok(KeyRevocation {
            hybrid,
            last_good,
            new,
            revoked,
            signature_new,
            signatures,
        })
    }

    pub(super) fn again(&mut self) -> Read<u32> {
        if !self.has("again")? {
            return Ok(0);
        }
        // Zero is spelled by leaving it out.
        let again = u32::try_from(self.0.u64()?).ok().filter(|again| *again > 0);
        again.ok_or_else(|| self.refuse("again", "a number from 1"))
    }

    pub(super) fn anchor_kind(&mut self) -> Read<AnchorKind> {
        let word = self.string("kind")?;
        AnchorKind::parse(&word).ok_or_else(|| self.refuse("kind", "a kind of anchor"))
    }

    pub(super) fn signature<const N: usize>(&mut self, key: &'static str) -> Read<[u8; N]> {
        let text = self.string(key)?;
        // The standard engine refuses missing padding and stray trailing bits: one spelling.
        let bytes = STANDARD.decode(text.as_bytes()).ok();
        let bytes = bytes.and_then(|bytes| <[u8; N]>::try_from(bytes).ok());
        bytes.ok_or_else(|| self.refuse(key, "a signature in base64"))
    }
}
