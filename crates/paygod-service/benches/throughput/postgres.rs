//! The rival: the same work in PostgreSQL, on a table with a correct hash chain.
//!
//! A naive trigger that reads the last row and hashes on top of it forks: two sessions read the
//! same last row. Here the head of the chain is one row, locked for the length of a transaction,
//! which is what makes the chain correct and what serialises its writers.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// How long the rival runs, once.
const RUN_S: u32 = 8;
/// Sessions that write at once.
const CLIENTS: u32 = 32;
const ACCOUNTS: u32 = 100_000;

/// What the rival did, or why it did not run.
pub(crate) enum Rival {
    Ran {
        version: String,
        transfers_per_s: f64,
        chain_holds: bool,
    },
    Absent {
        how_to_install: &'static str,
    },
    Failed {
        reason: String,
    },
}

/// Starts a cluster of our own, runs the work, stops the cluster.
pub(crate) fn run() -> Rival {
    let Some(bin) = newest_bin() else {
        return Rival::Absent {
            how_to_install: "apt-get install postgresql",
        };
    };
    match Cluster::start(bin).and_then(|cluster| measure(&cluster)) {
        Ok(rival) => rival,
        Err(error) => Rival::Failed {
            reason: error.to_string(),
        },
    }
}

fn newest_bin() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("initdb").is_file() && bin.join("pgbench").is_file())
        .collect();
    found.sort();
    found.pop()
}

struct Cluster {
    bin: PathBuf,
    dir: tempfile::TempDir,
    port: u16,
    as_postgres: bool,
}

impl Cluster {
    fn start(bin: PathBuf) -> io::Result<Self> {
        let dir = tempfile::Builder::new().prefix("paygod-rival").tempdir()?;
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777))?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let as_postgres = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
        let cluster = Self {
            bin,
            dir,
            port,
            as_postgres,
        };
        let data = cluster.data();
        cluster.run(
            "initdb",
            &["-D", &data, "-U", "postgres", "-A", "trust", "-E", "UTF8"],
            None,
        )?;
        let options =
            format!("-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=");
        cluster.run(
            "pg_ctl",
            &[
                "-D",
                &data,
                "-w",
                "-l",
                &cluster.path("log"),
                "-o",
                &options,
                "start",
            ],
            None,
        )?;
        Ok(cluster)
    }

    fn data(&self) -> String {
        self.path("data")
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_string_lossy().into_owned()
    }

    fn connect(&self) -> Vec<String> {
        let port = self.port.to_string();
        ["-h", "127.0.0.1", "-U", "postgres", "-p", &port, "postgres"]
            .map(str::to_owned)
            .to_vec()
    }

    /// PostgreSQL refuses to run as root, so as root its own account runs it.
    fn run(&self, program: &str, arguments: &[&str], input: Option<&Path>) -> io::Result<Output> {
        let path = self.bin.join(program);
        let mut command = if self.as_postgres {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .stdin(Stdio::null());
        if let Some(input) = input {
            command.stdin(fs::File::open(input)?);
        }
        // `pg_ctl start` leaves a server behind that would hold a pipe open for ever.
        if program == "pg_ctl" {
            command.stdout(Stdio::null()).stderr(Stdio::null());
        }
        let output = command.output()?;
        if output.status.success() {
            Ok(output)
        } else {
            Err(io::Error::other(format!(
                "`{program}` failed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            )))
        }
    }

    fn sql(&self, sql: &str) -> io::Result<String> {
        let file = self.dir.path().join("query.sql");
        fs::write(&file, sql)?;
        let connect = self.connect();
        let mut arguments: Vec<&str> = vec!["-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1"];
        arguments.extend(connect.iter().map(String::as_str));
        let output = self.run("psql", &arguments, Some(&file))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let data = self.data();
        let _stopped = self.run(
            "pg_ctl",
            &["-D", &data, "-m", "immediate", "-w", "stop"],
            None,
        );
    }
}

fn measure(cluster: &Cluster) -> io::Result<Rival> {
    cluster.sql(&SCHEMA.replace("ACCOUNTS", &ACCOUNTS.to_string()))?;
    let script = cluster.path("transfer.sql");
    fs::write(&script, SCRIPT.replace("ACCOUNTS", &ACCOUNTS.to_string()))?;
    let connect = cluster.connect();
    let (clients, seconds) = (CLIENTS.to_string(), RUN_S.to_string());
    let mut arguments = vec![
        "-n", "-M", "prepared", "-c", &clients, "-j", "2", "-T", &seconds, "-f", &script,
    ];
    arguments.extend(connect.iter().map(String::as_str));
    let output = cluster.run("pgbench", &arguments, None)?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let transfers_per_s = printed
        .lines()
        .find_map(|line| line.strip_prefix("tps = "))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| io::Error::other("pgbench printed no `tps`"))?;
    let chain_holds = cluster.sql(CHECK)? == "t";
    let version = cluster.sql("show server_version")?;
    Ok(Rival::Ran {
        version,
        transfers_per_s,
        chain_holds,
    })
}

const SCHEMA: &str = "
create table account (id int primary key, balance bigint not null) with (fillfactor = 50);
insert into account select n, 0 from generate_series(1, ACCOUNTS) n;
create table entry (seq bigint primary key, request text not null unique, body text not null, chain bytea not null);
create table head (one bool primary key default true check (one), seq bigint not null, chain bytea not null);
insert into head values (true, 0, '\\x00');
create function transfer(request text, debtor int, creditor int, amount bigint) returns bigint language plpgsql as $$
declare
  last head%rowtype;
  written text;
begin
  written := json_build_object('action', 'transfer', 'id', request, 'debit', debtor, 'credit', creditor,
    'amount', amount, 'verdict', 'allow', 'policy', repeat('0', 64), 'commitment', repeat('0', 64));
  select * into strict last from head for update;
  last.seq := last.seq + 1;
  last.chain := sha256(last.chain || convert_to(written, 'UTF8'));
  insert into entry values (last.seq, request, written, last.chain);
  update head set seq = last.seq, chain = last.chain;
  update account set balance = balance - amount where id = debtor;
  update account set balance = balance + amount where id = creditor;
  return last.seq;
end $$;
";

const SCRIPT: &str = "\\set debtor random(1, ACCOUNTS)
\\set creditor random(1, ACCOUNTS)
\\set amount random(1, 100000)
\\set name random(1, 1000000000000000)
select transfer('pay-' || :name, :debtor, :creditor, :amount);
";

const CHECK: &str = "
select bool_and(chain = sha256(coalesce(before, '\\x00'::bytea) || convert_to(body, 'UTF8')))
from (select seq, body, chain, lag(chain) over (order by seq) as before from entry) links
";
