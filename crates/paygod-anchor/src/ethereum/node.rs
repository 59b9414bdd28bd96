//! What is asked of the operator's own Ethereum node.

use alloy_primitives::{Address, B256, Bytes, U256, hex, keccak256};
use alloy_rlp::Encodable as _;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::blocks::depth_min;
use super::proof::{AccountProof, RegistryProof};
use super::registry::slots;
use super::rlp::list;
use super::transaction::Signed;
use crate::chain::{BlockSource, ChainError};
use crate::rpc::{Rpc, RpcError};

/// The fields of a header in the order in which they are hashed: those of the yellow paper, then what forks have
/// added, each of which is there once its fork is (EIP-1559, 4895, 4844, 4788, 7685).
const FIELDS: [(&str, Kind); 21] = [
    ("parentHash", Kind::Bytes),
    ("sha3Uncles", Kind::Bytes),
    ("miner", Kind::Bytes),
    ("stateRoot", Kind::Bytes),
    ("transactionsRoot", Kind::Bytes),
    ("receiptsRoot", Kind::Bytes),
    ("logsBloom", Kind::Bytes),
    ("difficulty", Kind::Number),
    ("number", Kind::Number),
    ("gasLimit", Kind::Number),
    ("gasUsed", Kind::Number),
    ("timestamp", Kind::Number),
    ("extraData", Kind::Bytes),
    ("mixHash", Kind::Bytes),
    ("nonce", Kind::Bytes),
    ("baseFeePerGas", Kind::Number),
    ("withdrawalsRoot", Kind::Bytes),
    ("blobGasUsed", Kind::Number),
    ("excessBlobGas", Kind::Number),
    ("parentBeaconBlockRoot", Kind::Bytes),
    ("requestsHash", Kind::Bytes),
];

/// Longest `extraData`, logs and all, that is worth hashing, in hexadecimal digits.
const FIELD_CHARS_MAX: usize = 2_048;

#[derive(Clone, Copy)]
enum Kind {
    Number,
    Bytes,
}

/// What the node says of fees.
pub(super) struct Fees {
    pub(super) base: u128,
    pub(super) tip: u128,
}

/// A block, by number.
pub(super) struct Block {
    pub(super) hash: B256,
    /// The header's RLP, whose hash is the block's.
    pub(super) header: Vec<u8>,
}

/// What became of what was sent.
pub(super) enum Sent {
    Taken,
    Rejected(String),
}

/// A node, asked about one chain.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) rpc: Rpc,
    pub(super) chain_id: u64,
}

impl Node {
    /// The number of the last block, if the node is of this chain.
    pub(super) fn tip(&self) -> Result<u64, ChainError> {
        let chain_id = self.number("eth_chainId", &json!([]))?;
        if chain_id != u128::from(self.chain_id) {
            let reason = format!(
                "it is of the chain {chain_id}, and {} was asked for",
                self.chain_id
            );
            return Err(ChainError::Unfit { reason });
        }
        let number = self.number("eth_blockNumber", &json!([]))?;
        u64::try_from(number).map_err(|_| ChainError::lie("a block has no such number"))
    }

    fn number(&self, method: &'static str, params: &Value) -> Result<u128, ChainError> {
        let text: String = self.rpc.ask(method, params)?;
        let digits = text.strip_prefix("0x");
        digits
            .and_then(|digits| u128::from_str_radix(digits, 16).ok())
            .ok_or_else(|| ChainError::lie(format!("`{method}` is no number")))
    }

    pub(super) fn fees(&self) -> Result<Fees, ChainError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Block {
            base_fee_per_gas: Option<U256>,
        }
        let params = json!(["latest", false]);
        let block: Option<Block> = self.rpc.ask("eth_getBlockByNumber", &params)?;
        let base = block.and_then(|block| block.base_fee_per_gas);
        let base = base.and_then(|base| u128::try_from(base).ok());
        let base = base.ok_or_else(|| ChainError::lie("the last block has no base fee"))?;
        let tip = self.number("eth_maxPriorityFeePerGas", &json!([]))?;
        Ok(Fees { base, tip })
    }

    /// Transactions of an address that are in blocks.
    pub(super) fn nonce(&self, address: Address) -> Result<u64, ChainError> {
        let nonce = self.number("eth_getTransactionCount", &json!([address, "latest"]))?;
        u64::try_from(nonce).map_err(|_| ChainError::lie("a nonce is no such number"))
    }

    pub(super) fn balance(&self, address: Address) -> Result<u128, ChainError> {
        self.number("eth_getBalance", &json!([address, "latest"]))
    }

    pub(super) fn code(&self, address: Address) -> Result<Bytes, ChainError> {
        Ok(self.rpc.ask("eth_getCode", &json!([address, "latest"]))?)
    }

    /// The size and root that stand in the registry after a block; `None`: after the last one.
    pub(super) fn recorded(
        &self,
        registry: Address,
        publisher: Address,
        log: &B256,
        at: Option<u64>,
    ) -> Result<(u64, B256), ChainError> {
        let at = at.map_or_else(|| "latest".to_owned(), |number| format!("{number:#x}"));
        let (size, root) = slots(publisher, log);
        let size: B256 = self
            .rpc
            .ask("eth_getStorageAt", &json!([registry, size, at]))?;
        let root: B256 = self
            .rpc
            .ask("eth_getStorageAt", &json!([registry, root, at]))?;
        let size = u64::try_from(U256::from_be_bytes(size.0));
        let size = size.map_err(|_| ChainError::lie("the registry holds no such size"))?;
        Ok((size, root))
    }

    pub(super) fn send(&self, signed: &Signed) -> Result<Sent, ChainError> {
        let params = json!([hex::encode_prefixed(&signed.bytes)]);
        match self.rpc.ask::<B256>("eth_sendRawTransaction", &params) {
            Ok(_) => Ok(Sent::Taken),
            Err(RpcError::Refused { said, .. })
                if said.contains("already known") || said.contains("already imported") =>
            {
                Ok(Sent::Taken)
            }
            Err(RpcError::Refused { said, .. }) => Ok(Sent::Rejected(said)),
            Err(error) => Err(error.into()),
        }
    }

    /// The block of a number, its header hashed by us; `None` if there is none.
    pub(super) fn block(&self, number: u64) -> Result<Option<Block>, ChainError> {
        let params = json!([format!("{number:#x}"), false]);
        let found: Option<Map<String, Value>> = self.rpc.ask("eth_getBlockByNumber", &params)?;
        let Some(found) = found else { return Ok(None) };
        let header = header(&found)
            .ok_or_else(|| ChainError::lie(format!("the header of block {number} is malformed")))?;
        let hash = keccak256(&header);
        let claimed = found.get("hash").and_then(Value::as_str);
        if claimed != Some(&hash.to_string()) {
            let reason = format!("the header of block {number} is not the one of its hash");
            return Err(ChainError::lie(reason));
        }
        Ok(Some(Block { hash, header }))
    }

    /// The proof of what stands in the registry after a block (EIP-1186).
    pub(super) fn prove(
        &self,
        registry: Address,
        publisher: Address,
        log: &B256,
        number: u64,
        block: &Block,
    ) -> Result<RegistryProof, ChainError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Account {
            account_proof: Vec<Bytes>,
            balance: U256,
            nonce: U256,
            storage_hash: B256,
            storage_proof: Vec<Stored>,
        }
        #[derive(Deserialize)]
        struct Stored {
            proof: Vec<Bytes>,
        }
        let (size, root) = slots(publisher, log);
        let params = json!([registry, [size, root], format!("{number:#x}")]);
        let found: Account = self.rpc.ask("eth_getProof", &params)?;
        let mut stored = found.storage_proof.into_iter().map(|one| one.proof);
        let (Some(size), Some(root)) = (stored.next(), stored.next()) else {
            return Err(ChainError::lie("a proof lacks what was asked for"));
        };
        Ok(RegistryProof {
            chain_id: self.chain_id,
            registry,
            publisher,
            header: block.header.clone().into(),
            account: AccountProof {
                nonce: u64::try_from(found.nonce)
                    .map_err(|_| ChainError::lie("a nonce is no such number"))?,
                balance: found.balance,
                storage: found.storage_hash,
                nodes: found.account_proof,
            },
            size,
            root,
        })
    }
}

impl BlockSource for Node {
    fn tip(&self) -> Result<u64, ChainError> {
        Self::tip(self)
    }

    fn line(&self, number: u64) -> Result<Option<String>, ChainError> {
        let block = self.block(number)?;
        Ok(block.map(|block| format!("{number} {}", block.hash)))
    }

    fn depth_min(&self) -> u64 {
        depth_min(self.chain_id)
    }
}

/// A node, asked for block hashes in the lines that [`super::Blocks::read`] reads.
#[must_use]
pub fn block_source(rpc: Rpc, chain_id: u64) -> Box<dyn BlockSource> {
    Box::new(Node { rpc, chain_id })
}

/// The RLP of a header, from what a node says in JSON.
fn header(block: &Map<String, Value>) -> Option<Vec<u8>> {
    let mut fields = Vec::new();
    for (name, kind) in FIELDS {
        // Forks only ever add at the end: what is missing is missing to the end, or the hash tells.
        let Some(value) = block.get(name).filter(|value| !value.is_null()) else {
            continue;
        };
        let text = value
            .as_str()
            .filter(|text| text.len() <= FIELD_CHARS_MAX)?;
        match kind {
            Kind::Bytes => Bytes::from(hex::decode(text).ok()?).encode(&mut fields),
            Kind::Number => U256::from_str_radix(text.strip_prefix("0x")?, 16)
                .ok()?
                .encode(&mut fields),
        }
    }
    let mut out = Vec::new();
    list(&fields, &mut out);
    Some(out)
}
