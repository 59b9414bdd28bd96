//! What a run measures: `cargo bench -p paygod-service -- --transfers 10000000 --runs 1`.

use std::path::PathBuf;

const HELP: &str = "\
cargo bench -p paygod-service -- [options]
  --transfers N      transfers of a throughput run            (1000000)
  --runs N           runs and turns that the median is of     (5)
  --accounts N       accounts of the book                     (100000)
  --group N          requests of one submission               (1000)
  --history A,B,C    transfers of books it is run on in turns (10000,1000000)
  --probe N          transfers of such a run                  (500000)
  --half-load N      requests a second of the latency run     (75000)
  --latency-s N      seconds of the latency run               (10)
  --only A,B         of: throughput, latency, history, signing, windows, postgres
  --from A,B         of: typed, json
  --dir DIR          where the books are                      (the system's temporary folder)
  --json             print JSON
  --full             as the bars ask: 10000000 transfers, history 10000,1000000,10000000";

#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) transfers: u64,
    pub(crate) runs: usize,
    pub(crate) accounts: usize,
    pub(crate) group: usize,
    pub(crate) history: Vec<u64>,
    pub(crate) probe: u64,
    pub(crate) half_load: u64,
    pub(crate) latency_s: u64,
    pub(crate) only: Vec<String>,
    pub(crate) from: Vec<String>,
    pub(crate) dir: PathBuf,
    pub(crate) json: bool,
    /// Whether every tenth payment goes to one creditor.
    pub(crate) popular: bool,
    /// Set in the child that opens and serves a book for its memory to be measured.
    pub(crate) serve: Option<PathBuf>,
}

impl Options {
    pub(crate) fn from_args() -> Self {
        let mut options = Self {
            transfers: 1_000_000,
            runs: 5,
            accounts: 100_000,
            group: 1_000,
            history: vec![10_000, 1_000_000],
            probe: 500_000,
            half_load: 75_000,
            latency_s: 10,
            only: Vec::new(),
            from: vec!["typed".to_owned(), "json".to_owned()],
            dir: std::env::temp_dir(),
            json: false,
            popular: false,
            serve: None,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_else(|| usage(&argument));
            match argument.as_str() {
                "--transfers" => options.transfers = number(&value()),
                "--runs" => options.runs = number(&value()) as usize,
                "--accounts" => options.accounts = number(&value()) as usize,
                "--group" => options.group = number(&value()) as usize,
                "--history" => options.history = value().split(',').map(number).collect(),
                "--probe" => options.probe = number(&value()),
                "--half-load" => options.half_load = number(&value()),
                "--latency-s" => options.latency_s = number(&value()),
                "--only" => options.only = value().split(',').map(str::to_owned).collect(),
                "--from" => options.from = value().split(',').map(str::to_owned).collect(),
                "--dir" => options.dir = value().into(),
                "--serve" => options.serve = Some(value().into()),
                "--json" => options.json = true,
                "--full" => {
                    options.transfers = 10_000_000;
                    options.history = vec![10_000, 1_000_000, 10_000_000];
                }
                // What cargo says to every bench.
                "--bench" => {}
                _ => usage(&argument),
            }
        }
        options
    }

    pub(crate) fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == part)
    }
}

/// `1000000`, `1_000_000` or `1e6`.
fn number(text: &str) -> u64 {
    let plain = text.replace('_', "");
    if let Ok(number) = plain.parse() {
        return number;
    }
    let (digits, zeros) = plain.split_once('e').unwrap_or_else(|| usage(text));
    let (Ok(digits), Ok(zeros)) = (digits.parse::<u64>(), zeros.parse::<u32>()) else {
        usage(text)
    };
    digits * 10_u64.pow(zeros)
}

fn usage(argument: &str) -> ! {
    eprintln!("`{argument}` is not understood\n\n{HELP}");
    std::process::exit(2);
}
