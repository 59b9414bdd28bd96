//! Trust policies (C2SP tlog-policy): which logs, which witnesses, and how many of them must have cosigned.
//!
//! Names are octets and nothing more. Each name is a member of one group at most, so a witness counts in
//! one way only, and no two witnesses have one public key, so no key counts twice.

use paygod_types::code::{self, Code};
use thiserror::Error;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::cosignature::{CosignatureVerifier, LogVerifier};
use crate::key::{KeyError, KeyName, NoteVerifier, VerifierKey};
use crate::limits::{POLICY_BYTES_MAX, POLICY_FUTURE_S_MAX, POLICY_LINES_MAX, POLICY_NAMES_MAX};
use crate::note::{NoteError, SignedNote};
use crate::text::{decimal, excerpt};

/// A trust policy.
#[derive(Clone, Debug)]
pub struct TlogPolicy {
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    groups: Vec<Group>,
    quorum: Option<Member>,
}

/// A log that the policy accepts.
#[derive(Clone, Debug)]
pub struct PolicyLog {
    /// Its key, named like its origin.
    pub key: VerifierKey,
    /// Where it is, if the policy says.
    pub url: Option<String>,
    verifier: LogVerifier,
}

/// A witness that the policy knows.
#[derive(Clone, Debug)]
pub struct PolicyWitness {
    /// What the policy calls it, with what is no UTF-8 replaced.
    pub name: String,
    /// Its key.
    pub key: VerifierKey,
    /// Where checkpoints are submitted to it, if the policy says: the submission prefix of tlog-witness.
    pub url: Option<String>,
    octets: Vec<u8>,
    verifier: CosignatureVerifier,
}

#[derive(Clone, Debug)]
struct Group {
    name: Vec<u8>,
    needed: usize,
    members: Vec<Member>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Member {
    Witness(usize),
    Group(usize),
}

/// One witness's valid cosignature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cosigned {
    /// Position of the witness in [`TlogPolicy::witnesses`].
    pub witness: usize,
    /// When, in POSIX seconds; 0 when it makes no statement about the time.
    pub time: u64,
}

/// Why a trust policy cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("line {line} of the trust policy: {fault}")]
pub struct PolicyError {
    /// The line, from 1; 0 stands for the whole file.
    pub line: usize,
    /// What is wrong.
    pub fault: PolicyFault,
}

/// What is wrong with a trust policy.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum PolicyFault {
    /// The file is too long, or holds too much.
    #[error("a policy has at most {allowed} {what}; split it")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        allowed: usize,
    },
    /// A control character other than tab and newline.
    #[error("it holds a control character; save it with plain line ends")]
    Control,
    /// The first word is none of the four, or words are missing or too many.
    #[error(
        "`{text}` is none of `log VKEY [URL]`, `witness NAME VKEY [URL]`, `group NAME all|any|K NAME…`, `quorum NAME`"
    )]
    Line {
        /// The start of the line.
        text: String,
    },
    /// The key cannot be used here.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The public key stands on another line.
    #[error("its public key stands on an earlier line: one key would count twice; remove one")]
    DuplicateKey,
    /// The name is taken, or is `none`.
    #[error("the name `{name}` is taken; choose another")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// No earlier line defines the name.
    #[error("`{name}` is not defined on a line before")]
    Unknown {
        /// The name.
        name: String,
    },
    /// The name is a member of a group already.
    #[error("`{name}` is a member of a group already, and would count twice; remove one")]
    Member {
        /// The name.
        name: String,
    },
    /// The threshold is not within the group.
    #[error("the threshold `{found}` is not within 1 to {members}")]
    Threshold {
        /// What was found.
        found: String,
        /// Members of the group.
        members: usize,
    },
    /// There is no quorum line, or a second one.
    #[error("a policy has exactly one `quorum` line")]
    Quorum,
}

impl PolicyError {
    /// The permanent code of this error.
    #[must_use]
    pub const fn code(&self) -> Code {
        code::TLOG_POLICY
    }
}

/// Why a checkpoint does not satisfy a trust policy.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum PolicyFailure {
    /// What was given is no checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A key of the policy signed wrongly, or no log of it signed.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A cosignature says a time that is not yet.
    #[error(
        "the cosignature of `{witness}` is of {time} s, {ahead_s} s from now; the witness's clock is wrong, or yours"
    )]
    Future {
        /// What the policy calls the witness.
        witness: String,
        /// POSIX seconds.
        time: u64,
        /// How far ahead, in seconds.
        ahead_s: u64,
    },
    /// Too few witnesses cosigned.
    #[error(
        "the quorum `{quorum}` is not reached: cosigned by {cosigned}; ask the witnesses again, or take the checkpoint as signed only"
    )]
    Quorum {
        /// The name on the quorum line.
        quorum: String,
        /// Who did cosign, by the policy's names; `nobody` when nobody did.
        cosigned: String,
    },
}

impl PolicyFailure {
    /// The permanent code of this error.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Checkpoint(error) => error.code(),
            Self::Note(error) => error.code(),
            Self::Future { .. } => code::TLOG_FUTURE,
            Self::Quorum { .. } => code::TLOG_QUORUM,
        }
    }
}

impl TlogPolicy {
    /// Reads a policy file.
    ///
    /// # Errors
    /// The file is too long or breaks the rules of tlog-policy; the line is named.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        let whole = |fault| PolicyError { line: 0, fault };
        if bytes.len() > POLICY_BYTES_MAX {
            return Err(whole(too_many("bytes", POLICY_BYTES_MAX)));
        }
        let mut reader = Reader::default();
        for (line, number) in bytes.split(|byte| *byte == b'\n').zip(1..) {
            if number > POLICY_LINES_MAX {
                return Err(whole(too_many("lines", POLICY_LINES_MAX)));
            }
            let read = reader.line(line);
            read.map_err(|fault| PolicyError {
                line: number,
                fault,
            })?;
        }
        if !reader.quorum_seen {
            return Err(whole(PolicyFault::Quorum));
        }
        Ok(reader.policy)
    }

    /// The logs, in the order of the file.
    #[must_use]
    pub fn logs(&self) -> &[PolicyLog] {
        &self.logs
    }

    /// The witnesses, in the order of the file.
    #[must_use]
    pub fn witnesses(&self) -> &[PolicyWitness] {
        &self.witnesses
    }

    /// The name on the quorum line.
    #[must_use]
    pub fn quorum_name(&self) -> String {
        match self.quorum {
            None => "none".to_owned(),
            Some(member) => lossy(self.member_name(member)),
        }
    }

    /// Whether these witnesses, by position, are a quorum.
    #[must_use]
    pub fn is_quorum(&self, witnesses: &[usize]) -> bool {
        // Groups name only groups before them: one pass suffices, however deep they are nested.
        let mut reached: Vec<bool> = Vec::with_capacity(self.groups.len());
        let has = |member: &Member, reached: &[bool]| match *member {
            Member::Witness(position) => witnesses.contains(&position),
            Member::Group(position) => reached.get(position).copied().unwrap_or(false),
        };
        for group in &self.groups {
            let members = group.members.iter();
            let count = members.filter(|member| has(member, &reached)).count();
            reached.push(count >= group.needed);
        }
        self.quorum.is_none_or(|member| has(&member, &reached))
    }

    /// The witnesses that cosigned a checkpoint. Signatures by other keys are ignored.
    ///
    /// # Errors
    /// A line under the name and id of a known witness does not verify, or is from the future: later than
    /// `now`, in POSIX seconds, by more than clocks differ.
    pub fn cosigned(
        &self,
        note: &SignedNote,
        now: Option<u64>,
    ) -> Result<Vec<Cosigned>, PolicyFailure> {
        let mut found = Vec::new();
        for (witness, of) in self.witnesses.iter().enumerate() {
            let mine = note
                .signatures()
                .iter()
                .filter(|line| line.name == *of.key.name() && line.id == of.key.id());
            let mut newest = None;
            for line in mine {
                let bad = || NoteError::BadSignature {
                    name: line.name.clone(),
                    id: line.id,
                };
                let time = of.verifier.time_of(note.text(), &line.signature);
                let time = time.ok_or_else(bad)?;
                let ahead_s = now.map_or(0, |now| time.saturating_sub(now));
                if ahead_s > POLICY_FUTURE_S_MAX {
                    let witness = of.name.clone();
                    return Err(PolicyFailure::Future {
                        witness,
                        time,
                        ahead_s,
                    });
                }
                newest = newest.max(Some(time));
            }
            if let Some(time) = newest {
                found.push(Cosigned { witness, time });
            }
        }
        Ok(found)
    }

    /// Checks that a checkpoint is signed by a log of the policy, if it lists any, and cosigned by its quorum.
    ///
    /// # Errors
    /// It is no checkpoint, no log of the policy signed it, a known key signed wrongly or in the future, or
    /// the quorum is not reached.
    pub fn verify(
        &self,
        note: &SignedNote,
        now: Option<u64>,
    ) -> Result<Vec<Cosigned>, PolicyFailure> {
        let checkpoint = Checkpoint::from_extended_text(note.text())?;
        if !self.logs.is_empty() {
            let of_origin = |log: &&PolicyLog| log.key.name().as_str() == checkpoint.origin;
            let logs = self.logs.iter().filter(of_origin);
            let keys: Vec<&dyn NoteVerifier> = logs
                .map(|log| -> &dyn NoteVerifier { &log.verifier })
                .collect();
            note.verify(&keys)?;
        }
        let cosigned = self.cosigned(note, now)?;
        let positions: Vec<usize> = cosigned.iter().map(|one| one.witness).collect();
        if self.is_quorum(&positions) {
            return Ok(cosigned);
        }
        let names: Vec<&str> = positions
            .iter()
            .filter_map(|position| self.witnesses.get(*position))
            .map(|witness| witness.name.as_str())
            .collect();
        let nobody = names.is_empty().then(|| "nobody".to_owned());
        Err(PolicyFailure::Quorum {
            quorum: self.quorum_name(),
            cosigned: nobody.unwrap_or_else(|| names.join(", ")),
        })
    }

    fn member_name(&self, member: Member) -> &[u8] {
        match member {
            Member::Witness(at) => self.witnesses.get(at).map(|one| one.octets.as_slice()),
            Member::Group(at) => self.groups.get(at).map(|one| one.name.as_slice()),
        }
        .unwrap_or_default()
    }

    fn find(&self, name: &[u8]) -> Option<Member> {
        let witness = self.witnesses.iter().position(|one| one.octets == name);
        let group = || self.groups.iter().position(|one| one.name == name);
        let member = witness.map(Member::Witness);
        member.or_else(|| group().map(Member::Group))
    }
}

/// A policy as far as it was read.
#[derive(Debug)]
struct Reader {
    policy: TlogPolicy,
    /// Names that are members of a group.
    members: Vec<Member>,
    quorum_seen: bool,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            policy: TlogPolicy {
                logs: Vec::new(),
                witnesses: Vec::new(),
                groups: Vec::new(),
                quorum: None,
            },
            members: Vec::new(),
            quorum_seen: false,
        }
    }
}

impl Reader {
    fn line(&mut self, line: &[u8]) -> Result<(), PolicyFault> {
        let control = |byte: &u8| (*byte < 0x20 && *byte != b'\t') || *byte == 0x7f;
        if line.iter().any(control) {
            return Err(PolicyFault::Control);
        }
        let words: Vec<&[u8]> = line
            .split(|byte| matches!(byte, b' ' | b'\t'))
            .filter(|word| !word.is_empty())
            .collect();
        let refuse = || PolicyFault::Line {
            text: excerpt(&lossy(line)),
        };
        match words.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with(b"#") => Ok(()),
            [b"log", key] => self.log(key, None),
            [b"log", key, url] => self.log(key, Some(*url)),
            [b"witness", name, key] => self.witness(name, key, None),
            [b"witness", name, key, url] => self.witness(name, key, Some(*url)),
            [b"group", name, needed, members @ ..] if !members.is_empty() => {
                self.group(name, needed, members)
            }
            [b"quorum", name] => self.quorum(name),
            _ => Err(refuse()),
        }
    }

    fn log(&mut self, key: &[u8], url: Option<&[u8]>) -> Result<(), PolicyFault> {
        let key = vkey(key)?;
        let logs = &mut self.policy.logs;
        if logs.len() >= POLICY_NAMES_MAX {
            return Err(too_many("logs", POLICY_NAMES_MAX));
        }
        if logs
            .iter()
            .any(|log| log.key.public_key() == key.public_key())
        {
            return Err(PolicyFault::DuplicateKey);
        }
        logs.push(PolicyLog {
            verifier: LogVerifier::new(&key)?,
            key,
            url: url.map(lossy),
        });
        Ok(())
    }

    fn witness(&mut self, name: &[u8], key: &[u8], url: Option<&[u8]>) -> Result<(), PolicyFault> {
        self.check_new(name)?;
        let key = vkey(key)?;
        let witnesses = &mut self.policy.witnesses;
        if witnesses.len() >= POLICY_NAMES_MAX {
            return Err(too_many("witnesses", POLICY_NAMES_MAX));
        }
        if witnesses
            .iter()
            .any(|one| one.key.public_key() == key.public_key())
        {
            return Err(PolicyFault::DuplicateKey);
        }
        witnesses.push(PolicyWitness {
            name: lossy(name),
            verifier: CosignatureVerifier::new(&key)?,
            key,
            url: url.map(lossy),
            octets: name.to_vec(),
        });
        Ok(())
    }

    fn group(&mut self, name: &[u8], needed: &[u8], names: &[&[u8]]) -> Result<(), PolicyFault> {
        self.check_new(name)?;
        if self.policy.groups.len() >= POLICY_NAMES_MAX {
            return Err(too_many("groups", POLICY_NAMES_MAX));
        }
        let mut members = Vec::new();
        for name in names {
            let member = self.known(name)?;
            if self.members.contains(&member) {
                return Err(PolicyFault::Member { name: lossy(name) });
            }
            self.members.push(member);
            members.push(member);
        }
        let threshold = match needed {
            b"all" => Some(members.len()),
            b"any" => Some(1),
            digits => core::str::from_utf8(digits)
                .ok()
                .and_then(decimal)
                .and_then(|needed| usize::try_from(needed).ok()),
        };
        let within = |needed: &usize| (1..=members.len()).contains(needed);
        let needed = threshold
            .filter(within)
            .ok_or_else(|| PolicyFault::Threshold {
                found: excerpt(&lossy(needed)),
                members: members.len(),
            })?;
        self.policy.groups.push(Group {
            name: name.to_vec(),
            needed,
            members,
        });
        Ok(())
    }

    fn quorum(&mut self, name: &[u8]) -> Result<(), PolicyFault> {
        if self.quorum_seen {
            return Err(PolicyFault::Quorum);
        }
        self.quorum_seen = true;
        if name != b"none" {
            self.policy.quorum = Some(self.known(name)?);
        }
        Ok(())
    }

    fn known(&self, name: &[u8]) -> Result<Member, PolicyFault> {
        let unknown = || PolicyFault::Unknown {
            name: excerpt(&lossy(name)),
        };
        self.policy.find(name).ok_or_else(unknown)
    }

    fn check_new(&self, name: &[u8]) -> Result<(), PolicyFault> {
        if name == b"none" || self.policy.find(name).is_some() {
            let name = excerpt(&lossy(name));
            return Err(PolicyFault::DuplicateName { name });
        }
        Ok(())
    }
}

fn vkey(text: &[u8]) -> Result<VerifierKey, KeyError> {
    match core::str::from_utf8(text) {
        Ok(text) => VerifierKey::parse(text),
        Err(_) => VerifierKey::parse(&lossy(text)),
    }
}

fn lossy(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

const fn too_many(what: &'static str, allowed: usize) -> PolicyFault {
    PolicyFault::TooMany { what, allowed }
}

/// The names under which the keys of a policy's witnesses stand in signature lines.
impl PolicyWitness {
    /// The name in its signature lines.
    #[must_use]
    pub const fn key_name(&self) -> &KeyName {
        self.key.name()
    }

    /// What verifies it.
    #[must_use]
    pub const fn verifier(&self) -> &CosignatureVerifier {
        &self.verifier
    }
}
