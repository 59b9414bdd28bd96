//! A real `bitcoind` on a chain of its own (regtest), on this machine.

use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::rpc::{Login, Rpc, RpcError};

/// Names the program.
const PROGRAM: &str = "PAYGOD_BITCOIND";

/// How long a node may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// A node of our own; gone when dropped.
#[derive(Debug)]
pub struct Bitcoind {
    folder: PathBuf,
    port: u16,
    child: Option<Child>,
    rpc: Rpc,
}

impl Bitcoind {
    /// The program: what `PAYGOD_BITCOIND` names, else `bitcoind` of the `PATH`. `None`, with a line that says
    /// what to do, if there is none.
    #[must_use]
    pub fn program() -> Option<OsString> {
        let program = std::env::var_os(PROGRAM).unwrap_or_else(|| OsString::from("bitcoind"));
        let answers = Command::new(&program)
            .arg("--version")
            .output()
            .is_ok_and(|output| output.status.success());
        answers.then_some(program)
    }

    /// Starts one that keeps its things in this folder.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(program: &OsString, folder: &Path) -> io::Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let login = Login::Cookie(folder.join("regtest/.cookie"));
        let url = format!("http://127.0.0.1:{port}");
        let rpc = Rpc::new(&url, login, PATIENCE).map_err(io::Error::other)?;
        let mut node = Self {
            folder: folder.to_path_buf(),
            port,
            child: None,
            rpc,
        };
        node.run(program)?;
        Ok(node)
    }

    /// Starts it again, with what it knew.
    ///
    /// # Errors
    /// It does not start.
    pub fn run(&mut self, program: &OsString) -> io::Result<()> {
        let child = Command::new(program)
            .arg(format!("-datadir={}", self.folder.display()))
            .args(["-regtest", "-server", "-listen=0", "-dnsseed=0"])
            .args([
                "-fixedseeds=0",
                "-connect=0",
                "-disablewallet=1",
                "-dbcache=4",
            ])
            .args(["-rpcthreads=2", "-persistmempool=0", "-rpcbind=127.0.0.1"])
            .args(["-rpcallowip=127.0.0.1", "-printtoconsole=0"])
            .arg(format!("-rpcport={}", self.port))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        self.child = Some(child);
        let began = Instant::now();
        while self.ask::<Value>("getblockchaininfo", &json!([])).is_err() {
            if began.elapsed() > PATIENCE {
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Ends it as its operator would: what it knows is on its disk.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take()
            && self.ask::<Value>("stop", &json!([])).is_ok()
        {
            let _waited = child.wait();
        }
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Gone already is as good.
            let _killed = child.kill();
            let _waited = child.wait();
        }
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        self.rpc.url()
    }

    /// The file of its login.
    #[must_use]
    pub fn cookie(&self) -> PathBuf {
        self.folder.join("regtest/.cookie")
    }

    /// How to ask it.
    #[must_use]
    pub const fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    /// Asks it something.
    ///
    /// # Errors
    /// It says no.
    pub fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: &Value,
    ) -> Result<T, RpcError> {
        self.rpc.ask(method, params)
    }

    /// Makes blocks, whose money goes to an address: their hashes.
    ///
    /// # Errors
    /// The node says no.
    pub fn mine(&self, blocks: u32, address: &str) -> Result<Vec<String>, RpcError> {
        self.ask("generatetoaddress", &json!([blocks, address]))
    }

    /// Makes a block without a transaction of others.
    ///
    /// # Errors
    /// The node says no.
    pub fn mine_empty(&self, address: &str) -> Result<Value, RpcError> {
        self.ask("generateblock", &json!([address, []]))
    }

    /// Drops the last blocks of the chain, as a reorganisation does.
    ///
    /// # Errors
    /// The node says no.
    pub fn drop_blocks(&self, blocks: u64) -> Result<(), RpcError> {
        let height: u64 = self.ask("getblockcount", &json!([]))?;
        let first = height.saturating_sub(blocks).saturating_add(1);
        let hash: String = self.ask("getblockhash", &json!([first]))?;
        self.ask("invalidateblock", &json!([hash]))
    }

    /// Its chain's headers, as [`crate::bitcoin::Headers::read`] takes them.
    ///
    /// # Errors
    /// The node says no.
    pub fn headers(&self) -> Result<String, RpcError> {
        use std::fmt::Write as _;
        let height: u64 = self.ask("getblockcount", &json!([]))?;
        let mut text = String::new();
        for height in 0..=height {
            let hash: String = self.ask("getblockhash", &json!([height]))?;
            let header: String = self.ask("getblockheader", &json!([hash, false]))?;
            // Writing to a string cannot fail.
            let _written = writeln!(text, "{height} {header}");
        }
        Ok(text)
    }
}

impl Drop for Bitcoind {
    fn drop(&mut self) {
        self.kill();
    }
}
