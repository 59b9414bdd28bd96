//! When checkpoints are anchored, and where.

use std::sync::Arc;
use std::time::Duration;

use paygod_anchor::calendar::{AllowList, AllowListError, DEFAULT_ALLOWED, DEFAULT_CALENDARS};
use paygod_anchor::chain::Chain;
use paygod_anchor::ots::CalendarUri;

/// How long one question to a calendar may take.
const QUESTION: Duration = Duration::from_secs(10);

/// When checkpoints are anchored, by which calendars, and into which chains.
#[derive(Clone, Debug)]
pub struct AnchorPolicy {
    /// A checkpoint with something new is due so long after the last submission.
    pub every: Duration,
    /// And once so many entries are newer than the last submission. `None`: by time alone.
    pub entries: Option<u64>,
    /// Most submissions of a day (UTC).
    pub daily_max: u32,
    /// How long pending proofs are left alone between two attempts to upgrade them.
    pub upgrade_every: Duration,
    /// Who is asked to take a checkpoint. Each of them is asked each time; one that answers is enough. None: no
    /// calendar takes any.
    pub calendars: Vec<CalendarUri>,
    /// Who may be asked at all.
    pub allowed: AllowList,
    /// How long one question may take, from name look-up to last byte.
    pub timeout: Duration,
    /// Chains that checkpoints are put into by transactions of our own. Each has a budget of its own.
    pub chains: Vec<Arc<dyn Chain>>,
}

impl AnchorPolicy {
    /// Every ten minutes, by these calendars; none: by the public ones of the stock client.
    ///
    /// # Errors
    /// An address is not one of a calendar.
    pub fn new(calendars: &[String]) -> Result<Self, AllowListError> {
        let mut named: Vec<&str> = calendars.iter().map(String::as_str).collect();
        let mut allowed = named.clone();
        if named.is_empty() {
            named.extend(DEFAULT_CALENDARS);
            allowed.extend(DEFAULT_CALENDARS);
            allowed.extend(DEFAULT_ALLOWED);
        }
        let allowed = AllowList::new(allowed)?;
        let calendars = named
            .iter()
            .map(|text| {
                let form = |_| AllowListError::Form {
                    found: (*text).to_owned(),
                };
                CalendarUri::new(text).map_err(form)
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            every: Duration::from_secs(600),
            entries: None,
            daily_max: 288,
            upgrade_every: Duration::from_secs(600),
            calendars,
            allowed,
            timeout: QUESTION,
            chains: Vec::new(),
        })
    }
}
