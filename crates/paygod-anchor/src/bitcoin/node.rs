//! What is asked of the operator's own Bitcoin Core. Its wallet is not: it may be built without.

use core::time::Duration;
use std::str::FromStr as _;

use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::{Amount, BlockHash, Denomination, OutPoint, Transaction, Txid};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::header::{HEADER_BYTES, Header};
use super::network::Network;
use super::target::Target;
use crate::chain::{BlockSource, ChainError};
use crate::rpc::{Rpc, RpcError};

/// How long a search through all coins there are may take.
const SCAN: Duration = Duration::from_secs(900);

/// Blocks until a coin from mining can be spent.
const MATURE_BLOCKS: u64 = 100;

/// Most coins looked at.
const COINS_MAX: usize = 1_000;

/// What the node says when a transaction is in a block already.
const ALREADY_IN_BLOCK: i64 = -27;

/// What it says of a transaction whose fee, or whose coins, it does not like.
const REJECTED: [i64; 2] = [-26, -25];

/// What it says of a height that it has no block of.
const NO_SUCH_HEIGHT: i64 = -8;

/// A node, asked about one chain.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) rpc: Rpc,
    pub(super) network: Network,
}

/// Money that can be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coin {
    pub(super) place: OutPoint,
    pub(super) value: Amount,
}

/// A block that holds a transaction: its header, and the ids of all its transactions.
pub(super) struct Mined {
    pub(super) height: u64,
    pub(super) depth: u64,
    pub(super) hash: BlockHash,
    pub(super) header: Header,
    pub(super) txids: Vec<Txid>,
}

/// What became of what was sent.
pub(super) enum Sent {
    /// It waits, or stands in a block.
    Taken,
    /// The node does not want it.
    Rejected(String),
}

impl Node {
    /// The height of the last block, if the node is of this chain and in step.
    pub(super) fn tip(&self) -> Result<u64, ChainError> {
        #[derive(Deserialize)]
        struct Info {
            chain: String,
            blocks: u64,
            initialblockdownload: bool,
        }
        let info: Info = self.rpc.ask("getblockchaininfo", &json!([]))?;
        if info.chain != self.network.as_str() {
            let reason = format!(
                "it is of the chain `{}`, and `{}` was asked for",
                info.chain.chars().take(20).collect::<String>(),
                self.network
            );
            return Err(ChainError::Unfit { reason });
        }
        // A chain of one's own has no other blocks to wait for.
        if info.initialblockdownload && self.network != Network::Regtest {
            let reason = "it has not got all blocks yet; wait for it".to_owned();
            return Err(ChainError::Unfit { reason });
        }
        Ok(info.blocks)
    }

    /// What gets a transaction into a block soon, in satoshi for 1,000 virtual bytes.
    pub(super) fn fee_rate(&self, within_blocks: u32) -> Result<u64, ChainError> {
        #[derive(Deserialize)]
        struct Estimate {
            feerate: Option<Box<RawValue>>,
        }
        #[derive(Deserialize)]
        struct Mempool {
            mempoolminfee: Box<RawValue>,
        }
        let mempool: Mempool = self.rpc.ask("getmempoolinfo", &json!([]))?;
        let least = amount(&mempool.mempoolminfee)?;
        let estimate: Estimate = self.rpc.ask("estimatesmartfee", &json!([within_blocks]))?;
        // A node that has seen little knows no estimate.
        let due = estimate.feerate.map_or(Ok(least), |rate| amount(&rate))?;
        Ok(due.max(least).to_sat())
    }

    /// A coin, if it is unspent; `None` if it is not, or never was. Unconfirmed ones do not count.
    pub(super) fn coin(&self, place: OutPoint) -> Result<Option<(Coin, u64)>, ChainError> {
        #[derive(Deserialize)]
        struct Unspent {
            confirmations: u64,
            value: Box<RawValue>,
        }
        let params = json!([place.txid.to_string(), place.vout, false]);
        let found: Option<Unspent> = self.rpc.ask("gettxout", &params)?;
        let Some(found) = found else { return Ok(None) };
        let value = amount(&found.value)?;
        Ok(Some((Coin { place, value }, found.confirmations)))
    }

    /// Every coin of an address that can be spent, the biggest first. Takes minutes on the main chain.
    pub(super) fn coins(&self, address: &str) -> Result<Vec<Coin>, ChainError> {
        #[derive(Deserialize)]
        struct Scan {
            height: u64,
            unspents: Vec<Unspent>,
        }
        #[derive(Deserialize)]
        struct Unspent {
            txid: String,
            vout: u32,
            amount: Box<RawValue>,
            height: u64,
            #[serde(default)]
            coinbase: bool,
        }
        let params = json!(["start", [format!("addr({address})")]]);
        let scan: Scan = self.rpc.within(SCAN).ask("scantxoutset", &params)?;
        let mut coins = Vec::new();
        for one in scan.unspents.iter().take(COINS_MAX) {
            let depth = scan.height.saturating_sub(one.height);
            if one.coinbase && depth < MATURE_BLOCKS {
                continue;
            }
            let txid =
                Txid::from_str(&one.txid).map_err(|_| ChainError::lie("a coin has no id"))?;
            coins.push(Coin {
                place: OutPoint::new(txid, one.vout),
                value: amount(&one.amount)?,
            });
        }
        coins.sort_by_key(|coin| core::cmp::Reverse(coin.value));
        Ok(coins)
    }

    pub(super) fn send(&self, transaction: &Transaction) -> Result<Sent, ChainError> {
        let params = json!([serialize_hex(transaction)]);
        let sent: Result<String, RpcError> = self.rpc.ask("sendrawtransaction", &params);
        match sent {
            Ok(_) => Ok(Sent::Taken),
            Err(error) if error.number() == Some(ALREADY_IN_BLOCK) => Ok(Sent::Taken),
            Err(RpcError::Refused { number, said, .. }) if REJECTED.contains(&number) => {
                Ok(Sent::Rejected(said))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The hash of the block of a height; `None` if there is no such height.
    pub(super) fn hash_at(&self, height: u64) -> Result<Option<BlockHash>, ChainError> {
        let hash: Result<String, RpcError> = self.rpc.ask("getblockhash", &json!([height]));
        match hash {
            Ok(hash) => BlockHash::from_str(&hash)
                .map(Some)
                .map_err(|_| ChainError::lie("a block has no hash")),
            Err(error) if error.number() == Some(NO_SUCH_HEIGHT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The header of a block, checked: it has the hash that was asked for, and its work was done.
    pub(super) fn header(&self, height: u64, hash: &BlockHash) -> Result<Header, ChainError> {
        let name = hash.to_string();
        let header: String = self.rpc.ask("getblockheader", &json!([name, false]))?;
        let bytes = paygod_types::parse_hex::<HEADER_BYTES>(&header)
            .map_err(|_| ChainError::lie("a header has not 80 bytes"))?;
        let header = Header::from_bytes(&bytes);
        let worked = Target::from_bits(header.bits).is_some_and(|target| {
            target.is_at_most(&self.network.easiest())
                && Target::from_bytes(&header.hash().0).is_at_most(&target)
        });
        if header.hash().to_string() != name || !worked {
            let reason = format!("the header of block {height} is not the one of its hash");
            return Err(ChainError::lie(reason));
        }
        Ok(header)
    }

    /// The block of a height, with its header checked. `None` if the chain has changed in between.
    pub(super) fn mined(&self, height: u64) -> Result<Option<Mined>, ChainError> {
        #[derive(Deserialize)]
        struct Found {
            confirmations: i64,
            tx: Vec<String>,
        }
        let Some(hash) = self.hash_at(height)? else {
            return Ok(None);
        };
        let header = self.header(height, &hash)?;
        let found: Found = self.rpc.ask("getblock", &json!([hash.to_string(), 1]))?;
        let Ok(depth) = u64::try_from(found.confirmations) else {
            // The chain has dropped it meanwhile: a node goes on serving such a block.
            return Ok(None);
        };
        let txids = found.tx.iter().map(|txid| Txid::from_str(txid));
        let txids = txids
            .collect::<Result<_, _>>()
            .map_err(|_| ChainError::lie("a transaction has no id"))?;
        Ok(Some(Mined {
            height,
            depth,
            hash,
            header,
            txids,
        }))
    }
}

impl BlockSource for Node {
    fn tip(&self) -> Result<u64, ChainError> {
        Self::tip(self)
    }

    fn line(&self, number: u64) -> Result<Option<String>, ChainError> {
        let Some(hash) = self.hash_at(number)? else {
            return Ok(None);
        };
        let mut line = format!("{number} ").into_bytes();
        paygod_types::write_hex(&self.header(number, &hash)?.to_bytes(), &mut line);
        Ok(Some(String::from_utf8_lossy(&line).into_owned()))
    }

    fn depth_min(&self) -> u64 {
        self.network.depth_min()
    }
}

/// A node, asked for headers in the lines that [`super::Headers::read`] reads.
#[must_use]
pub fn header_source(rpc: Rpc, network: Network) -> Box<dyn BlockSource> {
    Box::new(Node { rpc, network })
}

/// Money as nodes write it: Bitcoin with eight decimals, exactly.
fn amount(text: &RawValue) -> Result<Amount, ChainError> {
    Amount::from_str_in(text.get(), Denomination::Bitcoin)
        .map_err(|_| ChainError::lie("an amount is none"))
}

/// A transaction of the state on the disk.
pub(super) fn read_transaction(hex: &str) -> Result<Transaction, ChainError> {
    deserialize_hex(hex).map_err(|_| ChainError::state("it holds no transaction"))
}
