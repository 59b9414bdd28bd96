//! Linking packs and lists into a ruleset.
//!
//! Packs whose inputs describe the same sources in the same words share one layout, so that a transfer is
//! parsed once for all of them; their conditions are checked again against it.

use std::sync::Arc;

use paygod_types::{Digest, Name};

use super::vocabulary::{EXHAUSTED, INVALID, NO_POLICY, POLICY, UNMATCHED};
use super::windows::{AccountSite, Site};
use super::{LinkedPack, LinkedRule, Named, Ruleset, RulesetError, own_reason};
use crate::eval::{Links, compile};
use crate::json::{Json, write_string};
use crate::lang::check::Collected;
use crate::lang::typed::{Kind, Typed};
use crate::list::List;
use crate::pack::{Pack, typed};
use crate::schema::{self, Attachment, Shape};

/// Collects packs and lists into a [`Ruleset`].
#[derive(Debug, Default)]
pub struct RulesetBuilder {
    packs: Vec<Pack>,
    lists: Vec<Arc<List>>,
}

/// A source, as a path below the transfer, and its schema.
type Described = (Vec<String>, Json);

/// Packs that share a layout.
struct Group {
    inputs: Vec<Described>,
    shape: Shape,
    members: Vec<usize>,
}

impl RulesetBuilder {
    /// Adds a pack.
    #[must_use]
    pub fn pack(mut self, pack: Pack) -> Self {
        self.packs.push(pack);
        self
    }

    /// Adds a list.
    #[must_use]
    pub fn list(mut self, list: Arc<List>) -> Self {
        self.lists.push(list);
        self
    }

    /// Links packs and lists into a ruleset.
    ///
    /// # Errors
    /// [`RulesetError`]: a name twice, or a list missing.
    pub fn build(mut self) -> Result<Ruleset, RulesetError> {
        self.packs
            .sort_by(|a, b| a.named().name.cmp(&b.named().name));
        self.lists
            .sort_by(|a, b| a.named().name.cmp(&b.named().name));
        let packs: Vec<Named> = self.packs.iter().map(|p| p.named().clone()).collect();
        let lists: Vec<Named> = self.lists.iter().map(|l| l.named().clone()).collect();
        unique(&packs)?;
        unique(&lists)?;
        let canonical = canonical(&packs, &lists);
        let policy = Name::parse(POLICY).map_err(|_| duplicate(POLICY))?;
        let own = |[rule, reason]: [&str; 2]| {
            own_reason(&policy, env!("CARGO_PKG_VERSION"), rule, reason)
                .ok_or_else(|| duplicate(rule))
        };
        let mut ruleset = Ruleset {
            digest: Digest::sha256(&canonical),
            canonical,
            packs,
            lists,
            linked: Vec::new(),
            rules: Vec::new(),
            shapes: Vec::new(),
            sites: Vec::new(),
            accounts: Vec::new(),
            contents: self.lists,
            exhausted: own(EXHAUSTED)?,
            no_policy: own(NO_POLICY)?,
        };
        let groups = group(&self.packs);
        for (index, pack) in self.packs.iter().enumerate() {
            let shape = groups.iter().position(|g| g.members.contains(&index));
            let shape_index = shape.unwrap_or(0);
            if let Some(group) = groups.get(shape_index) {
                ruleset.link(index, pack, shape_index, &group.shape)?;
            }
        }
        ruleset.shapes = groups.into_iter().map(|g| g.shape).collect();
        Ok(ruleset)
    }
}

fn duplicate(name: &str) -> RulesetError {
    RulesetError::Duplicate {
        name: name.to_owned(),
    }
}

fn unique(sorted: &[Named]) -> Result<(), RulesetError> {
    let twice = sorted.windows(2).find_map(|pair| match pair {
        [a, b] if a.name == b.name => Some(a.name.as_str()),
        _ => None,
    });
    twice.map_or(Ok(()), |name| Err(duplicate(name)))
}

fn canonical(packs: &[Named], lists: &[Named]) -> Vec<u8> {
    let mut out = Vec::new();
    let array = |named: &[Named], out: &mut Vec<u8>| {
        for (i, item) in named.iter().enumerate() {
            out.extend_from_slice(if i > 0 {
                b",{\"digest\":\""
            } else {
                b"{\"digest\":\""
            });
            item.digest.write(out);
            out.extend_from_slice(b"\",\"name\":");
            write_string(item.name.as_str(), out);
            out.extend_from_slice(b",\"version\":");
            write_string(&item.version, out);
            out.push(b'}');
        }
    };
    out.extend_from_slice(b"{\"lists\":[");
    array(lists, &mut out);
    out.extend_from_slice(b"],\"packs\":[");
    array(packs, &mut out);
    out.extend_from_slice(b"]}");
    out
}

/// Sorts packs into groups that can share a layout.
fn group(packs: &[Pack]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (index, pack) in packs.iter().enumerate() {
        let contents = &pack.contents;
        let own: Vec<Described> = contents
            .inputs
            .iter()
            .map(|(_, path)| path.clone())
            .zip(contents.schemas.iter().cloned())
            .collect();
        let joined = groups.iter_mut().find_map(|group| {
            let (inputs, shape) = join(&group.inputs, &own)?;
            Some((group, inputs, shape))
        });
        if let Some((group, inputs, shape)) = joined {
            group.inputs = inputs;
            group.shape = shape;
            group.members.push(index);
        } else if let Some(shape) = shape_of(&own) {
            groups.push(Group {
                inputs: own,
                shape,
                members: vec![index],
            });
        }
    }
    groups
}

/// The inputs of both, if they agree.
fn join(known: &[Described], more: &[Described]) -> Option<(Vec<Described>, Shape)> {
    let mut all = known.to_vec();
    for input in more {
        match all.iter().find(|(path, _)| *path == input.0) {
            Some((_, schema)) if *schema == input.1 => {}
            Some(_) => return None,
            None => all.push(input.clone()),
        }
    }
    // A layout without a description of the root would let pass what one pack refuses.
    let shape = shape_of(&all)?;
    Some((all, shape))
}

fn shape_of(inputs: &[Described]) -> Option<Shape> {
    let attachments: Vec<Attachment<'_>> = inputs
        .iter()
        .map(|(path, schema)| Attachment { path, schema })
        .collect();
    schema::compile(&attachments).ok()
}

impl Ruleset {
    fn link(
        &mut self,
        pack_index: usize,
        pack: &Pack,
        shape_index: usize,
        shape: &Shape,
    ) -> Result<(), RulesetError> {
        let contents = &pack.contents;
        let mut collected = Collected::default();
        // The pack was checked when it was loaded; against a joined layout nothing can be missing.
        let conditions: Vec<Typed> = contents
            .rules
            .iter()
            .filter_map(|rule| {
                let scope = rule.scope(shape, &contents.inputs);
                typed(&rule.text, scope, &mut collected).ok()
            })
            .collect();
        let lists = self.link_lists(pack, &collected.lists)?;
        let sites: Vec<u32> = collected
            .sites
            .into_iter()
            .map(|site| join_site(&mut self.sites, Site::new(shape_index, shape, site)))
            .collect();
        let accounts: Vec<u32> = collected
            .accounts
            .into_iter()
            .map(|id| join_site(&mut self.accounts, AccountSite::new(shape_index, id)))
            .collect();
        let links = Links {
            lists: &lists,
            sites: &sites,
            accounts: &accounts,
            amount: shape.amount,
        };
        for (rule, typed) in contents.rules.iter().zip(conditions) {
            let program = compile(&typed, links);
            let mut used = Used::default();
            used.collect(&typed, links);
            let info = Arc::clone(&rule.info);
            self.rules.push(LinkedRule {
                info,
                pack: pack_index,
                program,
                sites: used.sites,
                accounts: used.accounts,
                approvals: used.approvals,
            });
        }
        let Named { name, version, .. } = pack.named();
        let own = |[rule, reason]: [&str; 2]| {
            own_reason(name, version, rule, reason).ok_or_else(|| duplicate(rule))
        };
        self.linked.push(LinkedPack {
            shape: shape_index,
            sources: contents
                .inputs
                .iter()
                .map(|(_, path)| path.join("."))
                .collect(),
            approvals: contents.approvals,
            unmatched: own(UNMATCHED)?,
            invalid: own(INVALID)?,
        });
        Ok(())
    }

    fn link_lists(&self, pack: &Pack, names: &[String]) -> Result<Vec<u32>, RulesetError> {
        let find = |name: &String| {
            let at = self
                .contents
                .iter()
                .position(|list| list.named().name.as_str() == name);
            at.and_then(|at| u32::try_from(at).ok())
                .ok_or_else(|| RulesetError::ListMissing {
                    pack: pack.named().name.to_string(),
                    list: name.clone(),
                })
        };
        names.iter().map(find).collect()
    }
}

/// The place of a call site, equal ones joined.
fn join_site<S: PartialEq>(sites: &mut Vec<S>, site: S) -> u32 {
    let known = sites.iter().position(|known| *known == site);
    let at = known.unwrap_or_else(|| {
        sites.push(site);
        sites.len() - 1
    });
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// The call sites that a rule can read.
#[derive(Debug, Default)]
struct Used {
    sites: Vec<u32>,
    accounts: Vec<u32>,
    approvals: bool,
}

impl Used {
    fn collect(&mut self, typed: &Typed, links: Links<'_>) {
        self.approvals |= typed.kind == Kind::Approvals;
        let (used, site) = match typed.kind {
            Kind::WindowCount(site) | Kind::WindowSum(site) | Kind::WindowDistinct(site) => {
                (&mut self.sites, links.sites.get(site))
            }
            Kind::Account(site, _) => (&mut self.accounts, links.accounts.get(site)),
            _ => (&mut self.sites, None),
        };
        if let Some(site) = site
            && !used.contains(site)
        {
            used.push(*site);
        }
        for child in typed.kind.children() {
            self.collect(child, links);
        }
    }
}
