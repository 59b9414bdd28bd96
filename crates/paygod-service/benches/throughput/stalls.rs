//! What the machine takes from everybody: how long a thread that only looks at the clock is kept from it.
//!
//! On a shared machine the slowest of a hundred answers is often the machine's own doing.

use std::thread;
use std::time::{Duration, Instant};

/// How long the clock is looked at.
const LENGTH: Duration = Duration::from_secs(3);

/// What is not just another instruction.
const GAP: Duration = Duration::from_micros(500);

/// What a processor that had nothing else to do lost.
#[derive(Clone, Copy, Default)]
pub(crate) struct Stalls {
    /// All gaps together, of a thousand parts of the time.
    pub(crate) per_mille: f64,
    /// The longest gap.
    pub(crate) longest: Duration,
}

/// Looks at the clock on every processor at once; the worst of them.
pub(crate) fn measure() -> Stalls {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let threads: Vec<_> = (0..processors).map(|_| thread::spawn(look)).collect();
    let found = threads
        .into_iter()
        .map(|thread| thread.join().expect("the clock is there"));
    found.fold(Stalls::default(), |worst, other| Stalls {
        per_mille: worst.per_mille.max(other.per_mille),
        longest: worst.longest.max(other.longest),
    })
}

fn look() -> Stalls {
    let start = Instant::now();
    let (mut last, mut lost, mut longest) = (start, Duration::ZERO, Duration::ZERO);
    while last - start < LENGTH {
        let now = Instant::now();
        let gap = now - last;
        if gap >= GAP {
            lost += gap;
            longest = longest.max(gap);
        }
        last = now;
    }
    Stalls {
        per_mille: 1000.0 * lost.as_secs_f64() / LENGTH.as_secs_f64(),
        longest,
    }
}
