//! Reads what entries say of packs beside their decisions.

use super::{From, Read};
use crate::pack_trust::{Level, PackStage, PackStaged, PackTrust, Publisher, Vouched};
use paygod_types::Name;

impl From<'_> {
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

    fn level(&mut self, key: &'static str) -> Read<Level> {
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
}
