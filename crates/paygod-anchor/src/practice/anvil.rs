//! A real `anvil`: an Ethereum chain of its own, on this machine.

use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::rpc::{Login, Rpc, RpcError};

/// Names the program.
const PROGRAM: &str = "PAYGOD_ANVIL";

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// The number of its chain.
const CHAIN_ID: u64 = 31_337;

/// A chain of our own; gone when dropped. It makes a block only when it is told to.
#[derive(Debug)]
pub struct Anvil {
    child: Child,
    rpc: Rpc,
}

impl Anvil {
    /// The program: what `PAYGOD_ANVIL` names, else `anvil` of the `PATH`; `None` if there is none.
    #[must_use]
    pub fn program() -> Option<OsString> {
        let program = std::env::var_os(PROGRAM).unwrap_or_else(|| OsString::from("anvil"));
        let answers = Command::new(&program)
            .arg("--version")
            .output()
            .is_ok_and(|output| output.status.success());
        answers.then_some(program)
    }

    /// Starts one.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(program: &OsString) -> io::Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let url = format!("http://127.0.0.1:{port}");
        let rpc = Rpc::new(&url, Login::None, PATIENCE).map_err(io::Error::other)?;
        let child = Command::new(program)
            .args(["--silent", "--no-mining", "--host", "127.0.0.1"])
            .args(["--chain-id", &CHAIN_ID.to_string()])
            .args(["--port", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let node = Self { child, rpc };
        let began = Instant::now();
        while node.ask::<Value>("eth_chainId", &json!([])).is_err() {
            if began.elapsed() > PATIENCE {
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(node)
    }

    /// The number of its chain.
    #[must_use]
    pub const fn chain_id(&self) -> u64 {
        CHAIN_ID
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

    /// Gives an address money.
    ///
    /// # Errors
    /// It says no.
    pub fn give(&self, address: &str, wei: u128) -> Result<(), RpcError> {
        self.ask("anvil_setBalance", &json!([address, format!("{wei:#x}")]))
    }

    /// Makes blocks of what waits.
    ///
    /// # Errors
    /// It says no.
    pub fn mine(&self, blocks: u64) -> Result<(), RpcError> {
        self.ask("anvil_mine", &json!([format!("{blocks:#x}")]))
    }

    /// Drops the last blocks, and makes as many empty ones.
    ///
    /// # Errors
    /// It says no.
    pub fn reorganise(&self, blocks: u64) -> Result<(), RpcError> {
        self.ask("anvil_reorg", &json!([blocks, []]))
    }

    /// Drops every transaction that waits.
    ///
    /// # Errors
    /// It says no.
    pub fn forget(&self) -> Result<(), RpcError> {
        self.ask("anvil_dropAllTransactions", &json!([]))
    }

    /// The hashes of its chain, as [`crate::ethereum::Blocks::read`] takes them.
    ///
    /// # Errors
    /// It says no.
    pub fn blocks(&self) -> Result<String, RpcError> {
        let tip: String = self.ask("eth_blockNumber", &json!([]))?;
        let digits = tip.strip_prefix("0x").unwrap_or_default();
        let tip = u64::from_str_radix(digits, 16).unwrap_or(0);
        let mut text = String::new();
        for number in 0..=tip {
            let params = json!([format!("{number:#x}"), false]);
            let block: Value = self.ask("eth_getBlockByNumber", &params)?;
            let hash = block.get("hash").and_then(Value::as_str);
            text.push_str(&format!("{number} {}\n", hash.unwrap_or_default()));
        }
        Ok(text)
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        // Gone already is as good.
        let _killed = self.child.kill();
        let _waited = self.child.wait();
    }
}
