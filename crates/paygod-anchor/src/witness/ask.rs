//! Asks the witnesses of a trust policy to cosign a checkpoint.
//!
//! Each witness is told the size it cosigned last, as far as is remembered; one that remembers another
//! answers with it (409) and is asked once more. Nothing that a witness answers is believed: a cosignature
//! counts when it verifies, and only the policy says whether there are enough.

use std::collections::HashMap;
use std::time::Duration;

use paygod_tlog::add_checkpoint::parse_size;
use paygod_tlog::limits::{NOTE_BYTES_MAX, POLICY_FUTURE_S_MAX};
use paygod_tlog::policy::PolicyWitness;
use paygod_tlog::{
    AddCheckpoint, Cosigned, Hash, NoteSignature, PolicyFailure, SignedCheckpoint, SignedNote,
    TlogPolicy,
};
use paygod_types::{Code, code};
use thiserror::Error;

/// How long one request may take in all.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How often one witness is asked about one checkpoint: with the size remembered, with the one that it
/// answered, and once more in case somebody else submitted meanwhile.
pub const ATTEMPTS_MAX: usize = 3;

/// Longest answer read, in bytes.
const ANSWER_BYTES_MAX: usize = NOTE_BYTES_MAX / 2;

/// What a refusal says is shown up to here, in characters.
const SHOWN_CHARS_MAX: usize = 120;

/// Makes consistency proofs of the log.
pub trait Proofs: Sync {
    /// The proof from the tree of `old` entries to that of `new`.
    ///
    /// # Errors
    /// The tree cannot be read.
    fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, String>;
}

/// Why a witness did not cosign.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AskError {
    /// The policy does not say where the witness is.
    #[error("the policy names no URL of it; add one to its line")]
    NoUrl,
    /// It could not be reached, or did not answer in time.
    #[error("it does not answer: {0}")]
    Unreachable(String),
    /// It answered something that is none of the answers of tlog-witness.
    #[error("it answered what no witness answers: {0}")]
    Garbled(String),
    /// It refused.
    #[error("{}: {said}", meaning(*status))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it said, shortened.
        said: String,
    },
    /// It has cosigned a larger tree of this log than the one it was asked about.
    #[error(
        "it has cosigned a tree of {size} entries of this log, which has {ours}: the log was set back, or there are two of it"
    )]
    Ahead {
        /// Size of the tree it cosigned.
        size: u64,
        /// Size of the tree it was asked about.
        ours: u64,
    },
    /// Others submit so often that its turn never came.
    #[error("others submit this log to it at the same time; see that one process does")]
    Busy,
    /// It returned no cosignature by its key, or one that does not hold.
    #[error("it returned no valid cosignature by its key: {0}")]
    Cosignature(&'static str),
    /// The consistency proof could not be made.
    #[error("the proof for it could not be made: {0}")]
    Proof(String),
}

impl AskError {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Ahead { .. } | Self::Refused { status: 422, .. } => code::WITNESS_FORK,
            Self::NoUrl => code::WITNESS_LOG,
            Self::Refused {
                status: 400 | 403 | 404 | 413,
                ..
            } => code::WITNESS_REFUSED,
            _ => code::WITNESS_UNAVAILABLE,
        }
    }
}

/// What the statuses of tlog-witness mean for the log.
const fn meaning(status: u16) -> &'static str {
    match status {
        400 => "it takes the request as malformed (400)",
        403 => {
            "it trusts none of the keys that signed, or one signed wrongly (403); give it the log's key"
        }
        404 => "it does not know this log (404); have its operator add the log's key",
        413 => "it takes the request as too large (413)",
        422 => {
            "it takes the checkpoint as inconsistent with what it cosigned (422): the log was rewritten, or there are two of it"
        }
        _ => "it cannot cosign now",
    }
}

/// What came of asking.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The checkpoint with every valid cosignature.
    pub checkpoint: SignedCheckpoint,
    /// Who cosigned, if they are a quorum; else why not. Below quorum a checkpoint is signed, never
    /// witnessed.
    pub witnessed: Result<Vec<Cosigned>, PolicyFailure>,
    /// The witnesses that did not cosign, by the policy's names, and why.
    pub faults: Vec<(String, AskError)>,
}

/// Asks the witnesses of one policy about one log.
#[derive(Debug)]
pub struct Asker {
    policy: TlogPolicy,
    agent: ureq::Agent,
    /// By witness: the size it cosigned last.
    sizes: HashMap<usize, u64>,
}

impl Asker {
    /// For the witnesses of a policy.
    #[must_use]
    pub fn new(policy: TlogPolicy) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(REQUEST_TIMEOUT))
            .http_status_as_error(false)
            .max_redirects(0)
            .build();
        Self {
            policy,
            agent: config.into(),
            sizes: HashMap::new(),
        }
    }

    /// The policy.
    #[must_use]
    pub const fn policy(&self) -> &TlogPolicy {
        &self.policy
    }

    /// Asks every witness of the policy, all at once, to cosign a checkpoint. Takes no longer than
    /// [`ATTEMPTS_MAX`] requests to the slowest.
    pub fn ask(&mut self, signed: &SignedCheckpoint, proofs: &dyn Proofs, now: u64) -> Asked {
        let size = signed.head().size;
        let witnesses = self.policy.witnesses();
        let (agent, sizes) = (&self.agent, &self.sizes);
        let answers: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = witnesses
                .iter()
                .enumerate()
                .map(|(place, witness)| {
                    let old = sizes.get(&place).copied().unwrap_or(0);
                    let one = One {
                        agent,
                        witness,
                        signed,
                        proofs,
                        now,
                    };
                    scope.spawn(move || one.ask(old))
                })
                .collect();
            let gone = || {
                Err(AskError::Unreachable(
                    "the thread that asked ended".to_owned(),
                ))
            };
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|_| gone()))
                .collect()
        });
        let mut checkpoint = signed.clone();
        let mut faults = Vec::new();
        for ((place, witness), answer) in witnesses.iter().enumerate().zip(answers) {
            match answer {
                Ok(line) => {
                    self.sizes.insert(place, size);
                    if checkpoint.note_mut().add_signature(line).is_err() {
                        let why = AskError::Cosignature("the note has no room for it");
                        faults.push((witness.name.clone(), why));
                    }
                }
                Err(error) => faults.push((witness.name.clone(), error)),
            }
        }
        let witnessed = self.policy.verify(checkpoint.note(), Some(now));
        Asked {
            checkpoint,
            witnessed,
            faults,
        }
    }
}

/// One witness asked about one checkpoint.
struct One<'a> {
    agent: &'a ureq::Agent,
    witness: &'a PolicyWitness,
    signed: &'a SignedCheckpoint,
    proofs: &'a dyn Proofs,
    now: u64,
}

impl One<'_> {
    fn ask(&self, mut old: u64) -> Result<NoteSignature, AskError> {
        let prefix = self.witness.url.as_deref().ok_or(AskError::NoUrl)?;
        let url = format!("{}/add-checkpoint", prefix.trim_end_matches('/'));
        let ours = self.signed.head().size;
        for _ in 0..ATTEMPTS_MAX {
            let proof = if old == 0 || old >= ours {
                Vec::new()
            } else {
                self.proofs
                    .consistency(old, ours)
                    .map_err(AskError::Proof)?
            };
            let request = AddCheckpoint {
                old: old.min(ours),
                proof,
                note: self.signed.note().clone(),
            };
            let (status, kind, body) = self.send(&url, &request.to_bytes())?;
            match status {
                200 => return self.cosignature(&body),
                409 => {
                    let size = size_answered(&kind, &body)?;
                    if size > ours {
                        return Err(AskError::Ahead { size, ours });
                    }
                    old = size;
                }
                status => {
                    let said = String::from_utf8_lossy(&body).into_owned();
                    let said = said.trim().chars().take(SHOWN_CHARS_MAX);
                    let said = said.flat_map(char::escape_default).collect();
                    return Err(AskError::Refused { status, said });
                }
            }
        }
        Err(AskError::Busy)
    }

    fn send(&self, url: &str, body: &[u8]) -> Result<(u16, String, Vec<u8>), AskError> {
        let unreachable = |error: ureq::Error| AskError::Unreachable(error.to_string());
        let sent = self
            .agent
            .post(url)
            .header("content-type", "text/plain")
            .send(body);
        let mut answer = sent.map_err(unreachable)?;
        let kind = answer.headers().get("content-type");
        let kind = kind
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let limit = u64::try_from(ANSWER_BYTES_MAX).unwrap_or(u64::MAX);
        let read = answer.body_mut().with_config().limit(limit).read_to_vec();
        Ok((answer.status().as_u16(), kind, read.map_err(unreachable)?))
    }

    /// The witness's own line among those it answered. Lines by other keys are ignored.
    fn cosignature(&self, lines: &[u8]) -> Result<NoteSignature, AskError> {
        let text = self.signed.note().text();
        let mut note = format!("{text}\n").into_bytes();
        note.extend_from_slice(lines);
        let note = SignedNote::parse(&note);
        let note = note.map_err(|error| AskError::Garbled(error.to_string()))?;
        if note.text() != text {
            return Err(AskError::Garbled("a blank line".to_owned()));
        }
        let key = &self.witness.key;
        let mine = |line: &&NoteSignature| line.name == *key.name() && line.id == key.id();
        let line = note.signatures().iter().find(mine);
        let line = line.ok_or(AskError::Cosignature("none by it"))?;
        match self.witness.verifier().time_of(text, &line.signature) {
            None => Err(AskError::Cosignature("it does not verify")),
            Some(0) => Err(AskError::Cosignature("it says no time")),
            Some(time) if time > self.now.saturating_add(POLICY_FUTURE_S_MAX) => {
                Err(AskError::Cosignature("it is from the future"))
            }
            Some(_) => Ok(line.clone()),
        }
    }
}

/// The size in the body of a 409.
fn size_answered(kind: &str, body: &[u8]) -> Result<u64, AskError> {
    let garbled = || AskError::Garbled("a conflict (409) without the size it cosigned".to_owned());
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind != "text/x.tlog.size" {
        return Err(garbled());
    }
    parse_size(body).ok_or_else(garbled)
}
