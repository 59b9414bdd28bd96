//! `demo`: the whole story in one process, for someone who has never seen a Merkle tree.
//!
//! Nothing in it is pretended: the book, the payment file, the signatures, the theft and the checks
//! are what every other command does. It ends with a no if anything in it did not go as told.

mod assets;
mod audit;
mod payments;
mod story;
mod thief;

use crate::cli::Demo;
use crate::fault::{Answer, Fault, Outcome, faults_from};
use crate::files;
use crate::output::{Console, Tone};
use paygod_service::ledger::{BookOptions, Created, Ledger, OpenOptions};
use paygod_types::code;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use story::Story;

faults_from!(paygod_types::DigestError);

/// The demo book's name.
const ORIGIN: &str = "paygod.demo/book";

/// Folders of the demo.
struct Places {
    book: PathBuf,
    export: PathBuf,
    forged: PathBuf,
    kept: PathBuf,
}

impl Places {
    fn within(folder: &Path) -> Self {
        Self {
            book: folder.join("book"),
            export: folder.join("export"),
            forged: folder.join("export-forged"),
            kept: folder.join("kept-by-the-auditor"),
        }
    }
}

/// Plays the whole story.
pub(crate) fn run(options: &Demo, console: &mut Console) -> Outcome {
    let Some(folder) = &options.dir else {
        let folder = tempfile::tempdir().map_err(|error| {
            Fault::of(code::CLI_OUTPUT, &error).while_doing("cannot make a temporary folder")
        })?;
        return play(folder.path(), false, console);
    };
    files::make_empty_folder(folder)?;
    play(folder, true, console)
}

fn play(folder: &Path, stays: bool, console: &mut Console) -> Outcome {
    let began = Instant::now();
    let places = Places::within(folder);
    console.line(
        Tone::Strong
            .paint("A payment file, from the bank's XML to a proof that holds against a thief"),
    )?;
    console.sentence(
        0,
        Tone::Faint,
        &format!("All of it happens for real, in {}.", folder.display()),
    )?;
    let mut story = Story::begin(console);
    let (made, edit) = honest_part(&places, &mut story)?;
    let caught = thief::steal_and_catch(&places, &made, &edit, &mut story)?;
    story.keep("caught", caught);
    story.end()?;
    last_words(folder, stays, began.elapsed(), console)?;
    Ok(Answer::of(caught))
}

/// Steps 1 to 8: everything as it should be.
fn honest_part(places: &Places, story: &mut Story<'_>) -> Result<(Created, thief::Target), Fault> {
    let made = new_book(places, story)?;
    // A checkpoint after every payment makes the smallest steps for an auditor to keep.
    let options = OpenOptions {
        publish_every: Duration::ZERO,
        ..OpenOptions::default()
    };
    let ledger = Ledger::open(&places.book, options)?;
    payments::rules(&ledger, story)?;
    payments::accounts(&ledger, story)?;
    let target = payments::pay(&ledger, story)?;
    audit::checkpoint(&ledger, story)?;
    audit::receipt(ledger.read(), &made, target.seq, places, story)?;
    audit::export(&ledger, &made, places, story)?;
    ledger.close()?;
    Ok((made, target))
}

fn new_book(places: &Places, story: &mut Story<'_>) -> Result<Created, Fault> {
    let made = Ledger::create(
        &places.book,
        &BookOptions {
            origin: ORIGIN.to_owned(),
            roots: None,
            keys: None,
            hybrid: false,
        },
    )?;
    story.step("A new book")?;
    story.say("A book is a ledger in one folder. Its first entry is called genesis: it fixes the book's name and its signing key. The fingerprint of that entry identifies the book. An auditor is given it once:")?;
    story.show(&made.fingerprint)?;
    story.keep("origin", made.origin.clone());
    story.keep("fingerprint", made.fingerprint.clone());
    Ok(made)
}

fn last_words(
    folder: &Path,
    stays: bool,
    took: Duration,
    console: &mut Console,
) -> Result<(), Fault> {
    console.line("")?;
    let took = format!(
        "Done in {}.{:01} s.",
        took.as_secs(),
        took.subsec_millis() / 100
    );
    if stays {
        let folder = folder.display();
        console.sentence(
            0,
            Tone::Plain,
            &format!("{took} Everything is still there to look at:"),
        )?;
        console.line(format_args!("  paygod entries --book {folder}/book"))?;
        console.line(format_args!(
            "  paygod verify {folder}/export-forged --kept {folder}/kept-by-the-auditor/checkpoints.log"
        ))?;
    } else {
        console.sentence(
            0,
            Tone::Plain,
            &format!("{took} The folder is gone again; `paygod demo --dir ./demo` keeps it to look at. `paygod drill` plays every attack we know."),
        )?;
    }
    Ok(())
}
