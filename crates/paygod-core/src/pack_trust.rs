//! What a book asks of a pack before it may judge: who vouches for it, and how far its review has come.
//!
//! A pack's level is the highest of the publishers that have signed it; one that nobody known has signed
//! is of the community. The book says which publisher vouches for which level, which level an activation
//! needs, and whether a pack must have been approved. The engine and the fold call the same checks.
//!
//! A book that never said anything asks nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use paygod_policy::Named;
use paygod_tlog::NoteVerifier as _;
use paygod_types::{ActorId, Digest, Name};

use crate::command::PolicySet;
use crate::keys;
use crate::publisher::pack_text;

/// Most publishers that a book knows.
pub const PUBLISHERS_MAX: usize = 64;

/// Most signatures of one activation: those of an entry fit its 64 KiB.
pub const PACK_SIGNATURES_MAX: usize = 128;

/// How far a pack is vouched for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// By nobody that the book knows.
    #[default]
    Community,
    /// By a publisher whom the book knows.
    Verified,
    /// By a publisher whom the book trusts to certify.
    Certified,
}

impl Level {
    /// All of them, ascending.
    pub const ALL: [Self; 3] = [Self::Community, Self::Verified, Self::Certified];

    /// The word used in entries and requests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Community => "community",
            Self::Verified => "verified",
            Self::Certified => "certified",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == word)
    }
}

/// How far the review of a pack has come. What follows, activated and retired, are activations: with it,
/// and without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PackStage {
    /// Handed in.
    Draft,
    /// Looked at by another than whoever handed it in.
    Reviewed,
    /// Accepted by another than whoever handed it in.
    Approved,
    /// Handed out.
    Published,
}

impl PackStage {
    /// All of them, in their order.
    pub const ALL: [Self; 4] = [Self::Draft, Self::Reviewed, Self::Approved, Self::Published];

    /// The word used in entries and requests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Reviewed => "reviewed",
            Self::Approved => "approved",
            Self::Published => "published",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == word)
    }

    /// The one that comes before it; `None` of the first.
    #[must_use]
    pub fn before(self) -> Option<Self> {
        Self::ALL.into_iter().rfind(|stage| *stage < self)
    }
}

/// A publisher whom a book knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publisher {
    /// Its key, as a vkey.
    pub key: Arc<str>,
    /// What its signature vouches for: above [`Level::Community`].
    pub level: Level,
}

/// What a book asks of packs. The default asks nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackTrust {
    /// Whether a pack must have been approved.
    pub approved: bool,
    /// The lowest level of a pack that may be active.
    pub level: Level,
    /// The publishers, ascending by key.
    pub publishers: Vec<Publisher>,
}

impl PackTrust {
    /// Checks form: distinct Ed25519 vkeys, ascending, each above the community.
    ///
    /// # Errors
    /// What was expected.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.publishers.len() > PUBLISHERS_MAX {
            return Err("at most 64 publishers");
        }
        if !self.publishers.is_sorted_by(|a, b| a.key < b.key) {
            return Err("publishers ascending by key, each once");
        }
        for publisher in &self.publishers {
            if publisher.level == Level::Community {
                return Err("publishers of the level `verified` or `certified`");
            }
            if keys::ed25519(&publisher.key).is_err() {
                return Err("publishers' keys that are Ed25519 vkeys");
            }
        }
        Ok(())
    }

    fn level_of(&self, key: &str) -> Option<Level> {
        let found = self
            .publishers
            .iter()
            .find(|publisher| *publisher.key == *key);
        found.map(|publisher| publisher.level)
    }
}

/// A publisher's signature over a pack of an activation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackSignature {
    /// The publisher's key, as a vkey.
    pub key: Arc<str>,
    /// The pack's name in the set.
    pub pack: Name,
    /// Over [`pack_text`].
    pub signature: [u8; 64],
}

/// A pack that is vouched for, as an activation seals it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouched {
    /// The level it is active at: above [`Level::Community`].
    pub level: Level,
    /// The pack's name in the set.
    pub pack: Name,
    /// The signatures, ascending by key.
    pub signatures: Vec<(Arc<str>, [u8; 64])>,
}

/// A pack at a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackStaged {
    /// The pack.
    pub pack: Named,
    /// The stage it has come to.
    pub stage: PackStage,
}

/// Where the review of one pack stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// The stage it has come to.
    pub stage: PackStage,
    /// Who handed it in.
    pub drafted_by: ActorId,
}

/// What a state knows of packs beside those in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackBook {
    /// What the book asks.
    pub trust: PackTrust,
    /// Reviews, by the digest of the pack.
    pub reviews: BTreeMap<Digest, Review>,
}

/// Why a pack is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackFault {
    /// A signature does not count.
    Signature {
        /// The pack.
        pack: String,
        /// The key.
        key: String,
        /// Why.
        why: &'static str,
    },
    /// It is not vouched for as the book asks.
    Level {
        /// The pack.
        pack: String,
        /// Its level.
        found: Level,
        /// What the book asks.
        needed: Level,
    },
    /// Its review has not come that far.
    Stage {
        /// The pack.
        pack: String,
        /// The stage it has come to.
        found: Option<PackStage>,
        /// The stage that is needed; `None` before any.
        needed: Option<PackStage>,
    },
    /// Whoever handed it in cannot review it.
    Own {
        /// The pack.
        pack: String,
        /// Who.
        by: String,
    },
    /// The entry says another thing than follows from its parts.
    Form(&'static str),
}

impl PackBook {
    /// What an activation seals of the signatures given with it.
    ///
    /// # Errors
    /// A signature is by a key that the book does not know, of a pack that is not in the set, or wrong.
    pub fn vouch(
        &self,
        set: &PolicySet,
        given: &[PackSignature],
    ) -> Result<Vec<Vouched>, PackFault> {
        let mut vouched: Vec<Vouched> = Vec::new();
        for one in given {
            let Some(level) = self.trust.level_of(&one.key) else {
                return Err(refused(one, "the book knows no such publisher"));
            };
            match vouched.last_mut().filter(|last| last.pack == one.pack) {
                Some(last) => {
                    last.level = last.level.max(level);
                    last.signatures.push((Arc::clone(&one.key), one.signature));
                }
                None => vouched.push(Vouched {
                    level,
                    pack: one.pack.clone(),
                    signatures: vec![(Arc::clone(&one.key), one.signature)],
                }),
            }
        }
        self.check(set, &vouched)?;
        Ok(vouched)
    }

    /// Checks that a set may be active as it is vouched for.
    ///
    /// # Errors
    /// [`PackFault`] names the first pack that may not.
    pub fn check(&self, set: &PolicySet, vouched: &[Vouched]) -> Result<(), PackFault> {
        if !vouched.is_sorted_by(|a, b| a.pack < b.pack) {
            return Err(PackFault::Form("packs vouched for ascending, each once"));
        }
        for one in vouched {
            self.check_signatures(set, one)?;
        }
        for pack in &set.packs {
            let found = vouched
                .binary_search_by(|one| one.pack.cmp(&pack.name))
                .ok()
                .and_then(|place| vouched.get(place))
                .map_or(Level::Community, |one| one.level);
            if found < self.trust.level {
                return Err(PackFault::Level {
                    pack: named(pack),
                    found,
                    needed: self.trust.level,
                });
            }
            let stage = self.reviews.get(&pack.digest).map(|review| review.stage);
            if self.trust.approved && stage < Some(PackStage::Approved) {
                return Err(PackFault::Stage {
                    pack: named(pack),
                    found: stage,
                    needed: Some(PackStage::Approved),
                });
            }
        }
        Ok(())
    }

    fn check_signatures(&self, set: &PolicySet, vouched: &Vouched) -> Result<(), PackFault> {
        let fault = |key: &str, why| PackFault::Signature {
            pack: vouched.pack.to_string(),
            key: key.to_owned(),
            why,
        };
        let Some(pack) = set.packs.iter().find(|pack| pack.name == vouched.pack) else {
            return Err(fault("", "the set has no such pack"));
        };
        let signatures = &vouched.signatures;
        if signatures.is_empty() || !signatures.is_sorted_by(|(a, _), (b, _)| a < b) {
            return Err(PackFault::Form("signatures ascending by key, each once"));
        }
        let mut level = Level::Community;
        let text = pack_text(pack);
        for (key, signature) in signatures {
            let Some(vouches) = self.trust.level_of(key) else {
                return Err(fault(key, "the book knows no such publisher"));
            };
            if !keys::ed25519(key).is_ok_and(|key| key.verify(&text, signature)) {
                return Err(fault(key, "it is not this key's over this pack"));
            }
            level = level.max(vouches);
        }
        if level != vouched.level {
            return Err(PackFault::Form("the highest level of its publishers"));
        }
        Ok(())
    }

    /// Where the review stands after a step.
    ///
    /// # Errors
    /// The step is out of order, or is taken by whoever handed the pack in.
    pub fn step(&self, staged: &PackStaged, by: &ActorId) -> Result<Review, PackFault> {
        let review = self.reviews.get(&staged.pack.digest);
        let found = review.map(|review| review.stage);
        let needed = staged.stage.before();
        if found != needed {
            return Err(PackFault::Stage {
                pack: named(&staged.pack),
                found,
                needed,
            });
        }
        let drafted_by = review.map_or_else(|| by.clone(), |review| review.drafted_by.clone());
        let judges = matches!(staged.stage, PackStage::Reviewed | PackStage::Approved);
        if judges && drafted_by.is_same(by) {
            return Err(PackFault::Own {
                pack: named(&staged.pack),
                by: by.to_string(),
            });
        }
        Ok(Review {
            stage: staged.stage,
            drafted_by,
        })
    }
}

fn refused(one: &PackSignature, why: &'static str) -> PackFault {
    PackFault::Signature {
        pack: one.pack.to_string(),
        key: one.key.to_string(),
        why,
    }
}

fn named(pack: &Named) -> String {
    format!("{} {}", pack.name, pack.version)
}

impl PackFault {
    /// What was expected and what was found, as the fold tells it.
    pub(crate) fn told(&self) -> (String, String) {
        let stage = |stage: &Option<PackStage>| stage.map_or("no stage", PackStage::as_str);
        match self {
            Self::Signature { pack, key, why } => {
                let expected = format!("signatures of publishers over `{pack}`");
                (expected, format!("one by `{key}`: {why}"))
            }
            Self::Level {
                pack,
                found,
                needed,
            } => (
                format!("`{pack}` {}", needed.as_str()),
                found.as_str().to_owned(),
            ),
            Self::Stage {
                pack,
                found,
                needed,
            } => (
                format!("`{pack}` at {}", stage(needed)),
                stage(found).to_owned(),
            ),
            Self::Own { pack, by } => (format!("another than `{by}` for `{pack}`"), by.clone()),
            Self::Form(expected) => ((*expected).to_owned(), "others".to_owned()),
        }
    }
}
