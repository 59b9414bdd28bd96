//! The folder `anchors/` of a book: proofs, and when the last one was asked for.
//!
//! Every file is written whole beside its place and then put there, so a reader finds the old one or the
//! new one: INVARIANT(publish-after-write).

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use paygod_anchor::chain::ProofKind;
use paygod_anchor::ethereum::PROOF_BYTES_MAX;
use paygod_anchor::ots::FILE_BYTES_MAX;
use paygod_tlog::SignedCheckpoint;
use paygod_types::Timestamp;

use super::chains::Settled;
use super::error::AnchorError;

/// The folder within a book, and within an export.
pub(crate) const FOLDER: &str = "anchors";

/// The folder within it for proofs that name no block yet.
const PENDING: &str = "pending";

/// The file within it that says when what was submitted last.
const STATE: &str = "state";

/// How that file begins.
const STATE_KIND: &str = "paygod-anchors-v1";

/// Longest of those files worth reading.
const STATE_BYTES_MAX: u64 = 256;

/// Chains that checkpoints go into by transactions of our own: a folder each, made when it is needed.
const CHAINS: [&str; 2] = ["bitcoin", "ethereum"];

/// How the name of a signed checkpoint that was anchored ends.
const CHECKPOINT: &str = "checkpoint";

/// The file in a chain's folder that holds the anchor under way.
const UNDER_WAY: &str = "under-way";

/// The file in it that says where anchors stand.
const SETTLED: &str = "settled";

/// Longest of those two worth reading.
const CHAIN_BYTES_MAX: u64 = 1 << 20;

/// Nanoseconds of a day.
const DAY_NS: u64 = 86_400_000_000_000;

/// What was submitted last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// The size of the checkpoint; 0: none yet.
    pub(super) size: u64,
    /// When.
    pub(super) time: Timestamp,
    /// The day of the last attempt, counted from 1970.
    pub(super) day: u64,
    /// Attempts of that day.
    pub(super) count: u32,
}

impl State {
    const NONE: Self = Self {
        size: 0,
        time: Timestamp::from_nanos(0),
        day: 0,
        count: 0,
    };

    /// Whether the budget of the day is spent.
    pub(super) const fn is_spent(&self, now: Timestamp, daily_max: u32) -> bool {
        let today = if self.day == day(now) { self.count } else { 0 };
        today >= daily_max
    }

    /// One attempt more.
    const fn attempted(self, now: Timestamp) -> Self {
        let today = day(now);
        let count = if self.day == today {
            self.count.saturating_add(1)
        } else {
            1
        };
        Self {
            day: today,
            count,
            ..self
        }
    }
}

/// The day of a time, counted from 1970 (UTC).
pub(super) const fn day(time: Timestamp) -> u64 {
    time.as_nanos() / DAY_NS
}

/// The folder of a book.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(crate) fn of(book: &Path) -> Self {
        Self {
            path: book.join(FOLDER),
        }
    }

    fn place(&self, size: u64, kind: ProofKind) -> PathBuf {
        self.path.join(format!("{size}.{}", kind.extension()))
    }

    /// What is kept of each chain that there is something of.
    pub(super) fn chains(&self) -> impl Iterator<Item = (&'static str, ChainFolder)> {
        let known = CHAINS.map(|name| (name, self.chain(name)));
        known.into_iter().filter(|(_, chain)| chain.path.exists())
    }

    /// What is kept of one chain.
    pub(super) fn chain(&self, name: &str) -> ChainFolder {
        ChainFolder {
            path: self.path.join(name),
        }
    }

    fn pending_place(&self, size: u64) -> PathBuf {
        self.path.join(PENDING).join(format!("{size}.ots"))
    }

    /// Sizes with a proof that names a block, ascending.
    pub(super) fn anchored(&self) -> Result<Vec<u64>, AnchorError> {
        self.proofs(ProofKind::OpenTimestamps)
    }

    /// Sizes with a proof of a kind, ascending.
    pub(super) fn proofs(&self, kind: ProofKind) -> Result<Vec<u64>, AnchorError> {
        sizes(&self.path, kind.extension())
    }

    fn checkpoint_place(&self, size: u64) -> PathBuf {
        self.path.join(format!("{size}.{CHECKPOINT}"))
    }

    /// Keeps the checkpoint that is anchored, with its signatures: a receipt by an anchor needs it.
    pub(super) fn write_checkpoint(&self, signed: &SignedCheckpoint) -> Result<(), AnchorError> {
        let place = self.checkpoint_place(signed.head().size);
        if place.exists() {
            return Ok(());
        }
        write(&place, &signed.to_bytes())
    }

    /// The signed checkpoint of a size, if it was kept.
    pub(super) fn checkpoint(&self, size: u64) -> Result<Option<SignedCheckpoint>, AnchorError> {
        let path = self.checkpoint_place(size);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = read(&path, CHAIN_BYTES_MAX)?;
        match SignedCheckpoint::parse(&bytes) {
            Ok(signed) if signed.head().size == size => Ok(Some(signed)),
            _ => Err(AnchorError::Malformed {
                path,
                reason: "it is not the checkpoint of that size".to_owned(),
            }),
        }
    }

    /// Sizes with a proof that names none yet, ascending.
    pub(super) fn pending(&self) -> Result<Vec<u64>, AnchorError> {
        sizes(
            &self.path.join(PENDING),
            ProofKind::OpenTimestamps.extension(),
        )
    }

    pub(super) fn read_proof(&self, size: u64, kind: ProofKind) -> Result<Vec<u8>, AnchorError> {
        read(&self.place(size, kind), bytes_max())
    }

    pub(super) fn write_proof(
        &self,
        size: u64,
        kind: ProofKind,
        bytes: &[u8],
    ) -> Result<(), AnchorError> {
        write(&self.place(size, kind), bytes)
    }

    pub(super) fn read_pending(&self, size: u64) -> Result<Vec<u8>, AnchorError> {
        read(&self.pending_place(size), bytes_max())
    }

    pub(super) fn write_anchored(&self, size: u64, bytes: &[u8]) -> Result<(), AnchorError> {
        self.write_proof(size, ProofKind::OpenTimestamps, bytes)
    }

    pub(super) fn write_pending(&self, size: u64, bytes: &[u8]) -> Result<(), AnchorError> {
        write(&self.pending_place(size), bytes)
    }

    pub(super) fn remove_pending(&self, size: u64) -> Result<(), AnchorError> {
        remove(self.pending_place(size))
    }

    pub(super) fn malformed(&self, size: u64, reason: &dyn core::fmt::Display) -> AnchorError {
        AnchorError::Malformed {
            path: self.pending_place(size),
            reason: reason.to_string(),
        }
    }

    pub(super) fn state(&self) -> Result<State, AnchorError> {
        read_state(&self.path.join(STATE))
    }

    pub(super) fn write_state(&self, state: &State) -> Result<(), AnchorError> {
        write_state(&self.path.join(STATE), state)
    }

    /// Before the first question: whoever is killed in between has spent it.
    pub(super) fn count_attempt(&self, now: Timestamp) -> Result<(), AnchorError> {
        self.write_state(&self.state()?.attempted(now))
    }

    /// Copies the proofs of checkpoints up to a size, as exports have them: nothing is flushed.
    pub(crate) fn export(&self, to: &Path, up_to: u64) -> Result<(), AnchorError> {
        for kind in ProofKind::ALL {
            let sizes = self.proofs(kind)?;
            for size in sizes.into_iter().filter(|size| *size <= up_to) {
                let place = Self::of(to).place(size, kind);
                let bytes = self.read_proof(size, kind)?;
                let folder = place.parent().unwrap_or(to);
                let put = fs::create_dir_all(folder).and_then(|()| fs::write(&place, bytes));
                put.map_err(refused(place))?;
            }
        }
        Ok(())
    }

    /// Copies everything, as backups have it.
    pub(crate) fn copy(&self, to: &Path) -> Result<(), AnchorError> {
        let to = Self::of(to);
        // First what is under way: what is done meanwhile stands among the proofs then.
        for size in self.pending()? {
            match self.read_pending(size) {
                Ok(bytes) => to.write_pending(size, &bytes)?,
                Err(_) if !self.pending()?.contains(&size) => {}
                Err(error) => return Err(error),
            }
        }
        for kind in ProofKind::ALL {
            for size in self.proofs(kind)? {
                to.write_proof(size, kind, &self.read_proof(size, kind)?)?;
            }
        }
        for size in sizes(&self.path, CHECKPOINT)? {
            if let Some(signed) = self.checkpoint(size)? {
                to.write_checkpoint(&signed)?;
            }
        }
        for (name, chain) in self.chains() {
            chain.copy(&to.chain(name))?;
        }
        if self.path.join(STATE).exists() {
            to.write_state(&self.state()?)?;
        }
        Ok(())
    }
}

/// The folder of one chain.
#[derive(Clone, Debug)]
pub(super) struct ChainFolder {
    path: PathBuf,
}

impl ChainFolder {
    pub(super) fn state(&self) -> Result<State, AnchorError> {
        read_state(&self.path.join(STATE))
    }

    fn write_state(&self, state: &State) -> Result<(), AnchorError> {
        write_state(&self.path.join(STATE), state)
    }

    pub(super) fn count_attempt(&self, now: Timestamp) -> Result<(), AnchorError> {
        self.write_state(&self.state()?.attempted(now))
    }

    pub(super) fn submitted(&self, size: u64, time: Timestamp) -> Result<(), AnchorError> {
        let state = self.state()?;
        self.write_state(&State {
            size,
            time,
            ..state
        })
    }

    /// As if nothing had been submitted yet; what was spent of the budget stays spent.
    pub(super) fn forget_submission(&self) -> Result<(), AnchorError> {
        let State { day, count, .. } = self.state()?;
        self.write_state(&State {
            day,
            count,
            ..State::NONE
        })
    }

    /// The size of the checkpoint whose anchor is under way, and the chain's own text about it.
    pub(super) fn under_way(&self) -> Result<Option<(u64, String)>, AnchorError> {
        let path = self.path.join(UNDER_WAY);
        let Some(text) = read_text(&path)? else {
            return Ok(None);
        };
        let parsed = text.split_once('\n').and_then(|(size, text)| {
            let size = size.parse().ok()?;
            Some((size, text.to_owned()))
        });
        parsed.map(Some).ok_or_else(|| AnchorError::Malformed {
            path,
            reason: "it begins with no size".to_owned(),
        })
    }

    pub(super) fn write_under_way(&self, size: u64, text: &str) -> Result<(), AnchorError> {
        write(
            &self.path.join(UNDER_WAY),
            format!("{size}\n{text}").as_bytes(),
        )
    }

    pub(super) fn remove_under_way(&self) -> Result<(), AnchorError> {
        remove(self.path.join(UNDER_WAY))
    }

    /// Where anchors stand, in the order they came to.
    pub(super) fn settled(&self) -> Result<Vec<Settled>, AnchorError> {
        let path = self.path.join(SETTLED);
        let Some(text) = read_text(&path)? else {
            return Ok(Vec::new());
        };
        let line = |line: &str| {
            let (size, place) = line.split_once(' ')?;
            Some(Settled {
                size: size.parse().ok()?,
                place: place.to_owned(),
            })
        };
        let parsed: Option<Vec<Settled>> = text.lines().map(line).collect();
        parsed.ok_or_else(|| AnchorError::Malformed {
            path,
            reason: "a line of it is no place of an anchor".to_owned(),
        })
    }

    fn write_settled(&self, settled: &[Settled]) -> Result<(), AnchorError> {
        let lines: String = settled
            .iter()
            .map(|Settled { size, place }| format!("{size} {place}\n"))
            .collect();
        write(&self.path.join(SETTLED), lines.as_bytes())
    }

    /// Notes where an anchor stands, in place of where it stood; the oldest go past `most`.
    pub(super) fn settle(&self, new: Settled, most: usize) -> Result<(), AnchorError> {
        let mut settled = self.settled()?;
        settled.retain(|one| one.size != new.size);
        settled.push(new);
        let past = settled.len().saturating_sub(most);
        settled.drain(..past);
        self.write_settled(&settled)
    }

    /// Looks back at an anchor no more, unless it is the last one.
    pub(super) fn unsettle_before_last(&self, size: u64) -> Result<(), AnchorError> {
        let mut settled = self.settled()?;
        let Some(last) = settled.pop().filter(|last| last.size != size) else {
            return Ok(());
        };
        settled.retain(|one| one.size != size);
        settled.push(last);
        self.write_settled(&settled)
    }

    fn copy(&self, to: &Self) -> Result<(), AnchorError> {
        for name in [STATE, UNDER_WAY, SETTLED] {
            if let Some(text) = read_text(&self.path.join(name))? {
                write(&to.path.join(name), text.as_bytes())?;
            }
        }
        Ok(())
    }
}

/// A small file of text, if it is there.
fn read_text(path: &Path) -> Result<Option<String>, AnchorError> {
    if !path.exists() {
        return Ok(None);
    }
    let bytes = read(path, CHAIN_BYTES_MAX)?;
    let text = String::from_utf8(bytes).map_err(|_| AnchorError::Malformed {
        path: path.to_path_buf(),
        reason: "it is no text".to_owned(),
    })?;
    Ok(Some(text))
}

fn remove(path: PathBuf) -> Result<(), AnchorError> {
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(refused(path)(error)),
        _ => Ok(()),
    }
}

fn read_state(path: &Path) -> Result<State, AnchorError> {
    if !path.exists() {
        return Ok(State::NONE);
    }
    let bytes = read(path, STATE_BYTES_MAX)?;
    let parsed = core::str::from_utf8(&bytes).ok().and_then(parse);
    parsed.ok_or_else(|| AnchorError::Malformed {
        path: path.to_path_buf(),
        reason: "it is not the state of anchoring".to_owned(),
    })
}

fn write_state(path: &Path, state: &State) -> Result<(), AnchorError> {
    let State {
        size,
        time,
        day,
        count,
    } = state;
    let nanos = time.as_nanos();
    let line = format!("{STATE_KIND} {size} {nanos} {day} {count}\n");
    write(path, line.as_bytes())
}

fn bytes_max() -> u64 {
    u64::try_from(FILE_BYTES_MAX.max(PROOF_BYTES_MAX)).unwrap_or(u64::MAX)
}

fn parse(text: &str) -> Option<State> {
    let mut words = text.strip_suffix('\n')?.split(' ');
    if words.next() != Some(STATE_KIND) {
        return None;
    }
    let state = State {
        size: words.next()?.parse().ok()?,
        time: Timestamp::from_nanos(words.next()?.parse().ok()?),
        day: words.next()?.parse().ok()?,
        count: words.next()?.parse().ok()?,
    };
    words.next().is_none().then_some(state)
}

fn refused(path: PathBuf) -> impl FnOnce(io::Error) -> AnchorError {
    move |source| AnchorError::Folder { path, source }
}

/// What is not the name of a proof is left alone.
fn sizes(folder: &Path, extension: &str) -> Result<Vec<u64>, AnchorError> {
    let names = match fs::read_dir(folder) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(refused(folder.to_path_buf())(error)),
    };
    let mut sizes = Vec::new();
    for name in names {
        let name = name.map_err(refused(folder.to_path_buf()))?.file_name();
        let size = name.to_str().and_then(|name| {
            let (digits, _) = name
                .rsplit_once('.')
                .filter(|(_, found)| *found == extension)?;
            let size: u64 = digits.parse().ok()?;
            (size.to_string() == digits).then_some(size)
        });
        sizes.extend(size);
    }
    sizes.sort_unstable();
    Ok(sizes)
}

fn read(path: &Path, most: u64) -> Result<Vec<u8>, AnchorError> {
    let open = |path: &Path| {
        let mut bytes = Vec::new();
        let mut file = File::open(path)?.take(most.saturating_add(1));
        file.read_to_end(&mut bytes).map(|_| bytes)
    };
    let bytes = open(path).map_err(refused(path.to_path_buf()))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
        return Err(AnchorError::Malformed {
            path: path.to_path_buf(),
            reason: format!("it has more than {most} bytes"),
        });
    }
    Ok(bytes)
}

/// Durably, and whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<(), AnchorError> {
    let put = |path: &Path| {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let beside = path.with_extension("new");
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        File::open(folder)?.sync_all()
    };
    put(path).map_err(refused(path.to_path_buf()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_reads_back_and_nothing_else_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::of(dir.path());
        let state = State {
            size: 7,
            time: Timestamp::from_nanos(9),
            day: 20_000,
            count: 3,
        };
        assert_eq!(folder.state().unwrap().size, 0);
        folder.write_state(&state).unwrap();
        assert_eq!(folder.state().unwrap(), state);
        for bad in [
            "",
            "x",
            "paygod-anchors-v1 1 2 3\n",
            "paygod-anchors-v1 1 2 3 4 5\n",
        ] {
            fs::write(folder.path.join(STATE), bad).unwrap();
            assert!(matches!(folder.state(), Err(AnchorError::Malformed { .. })));
        }
    }

    #[test]
    fn what_is_no_proof_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::of(dir.path());
        assert_eq!(folder.anchored().unwrap(), Vec::<u64>::new());
        for size in [300, 7] {
            folder.write_anchored(size, b"proof").unwrap();
        }
        for name in ["007.ots", "x.ots", "8.new", "9"] {
            fs::write(folder.path.join(name), b"").unwrap();
        }
        assert_eq!(folder.anchored().unwrap(), [7, 300]);
        folder
            .write_anchored(8, &vec![0; FILE_BYTES_MAX.max(PROOF_BYTES_MAX) + 1])
            .unwrap();
        assert!(matches!(
            folder.read_proof(8, ProofKind::OpenTimestamps),
            Err(AnchorError::Malformed { .. })
        ));
    }
}
