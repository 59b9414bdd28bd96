//! A checkpoint in the registry, by a transaction of our own, through a node of the operator's.
//!
//! What counts is what stands in the registry, never what a receipt says: after enough blocks its state is proved,
//! whichever of the transactions brought it there. They all have one nonce, so that one of them at most is mined; a
//! replacement pays more of both fees.

use std::sync::Arc;

use alloy_primitives::{Address, B256, Bytes, hex};

use super::blocks::depth_min;
use super::node::{Node, Sent};
use super::proof::RegistryProofError;
use super::registry::{CREATION, RUNTIME, call};
use super::transaction::{self, Draft, Signed};
use crate::chain::{Chain, ChainError, ProofKind, Standing, Statement, Step};
use crate::paying::PayingKey;
use crate::rpc::Rpc;

/// Gas that recording takes at most: two words from zero, an event, the call. Some 95,000 the first time.
const GAS: u64 = 120_000;

/// Gas that making the registry takes at most.
const CREATION_GAS: u64 = 400_000;

/// Most transactions for one anchor: the first and its replacements.
const CANDIDATES_MAX: usize = 32;

/// Deeper than this a block is final, unless a third of all validators are slashed.
const FINAL_DEPTH: u64 = 256;

/// How the state of an anchor under way begins.
const KIND: &str = "paygod-ethereum-v1";

/// Wei of a gwei.
const GWEI: u128 = 1_000_000_000;

/// What an anchor may cost, and when it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EthereumTerms {
    /// Most for a unit of gas, tip included, in gwei.
    pub fee_max_gwei: u64,
    /// After how many blocks without it the fee is raised.
    pub bump_blocks: u64,
    /// Blocks from its own on, that included, until it is proved and receipted.
    pub confirmations: u64,
}

impl Default for EthereumTerms {
    fn default() -> Self {
        Self {
            fee_max_gwei: 100,
            bump_blocks: 25,
            confirmations: 64,
        }
    }
}

/// Which registry on which chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registry {
    /// The number of the chain; 1 is the main one.
    pub chain_id: u64,
    /// The address of the contract.
    pub address: [u8; 20],
}

/// Ethereum, through a node of the operator's.
#[derive(Clone, Debug)]
pub struct EthereumChain {
    node: Node,
    registry: Address,
    key: Arc<dyn PayingKey>,
    terms: EthereumTerms,
}

/// A transaction as it stands in the state on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Candidate {
    height: u64,
    fee_max: u128,
    tip: u128,
    bytes: Vec<u8>,
}

/// An anchor under way; without transactions: the registry holds the checkpoint already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Payment {
    nonce: u64,
    candidates: Vec<Candidate>,
}

impl Payment {
    fn to_text(&self) -> String {
        let lines = self.candidates.iter().map(|one| {
            let hex = hex::encode(&one.bytes);
            format!("tx {} {} {} {hex}\n", one.height, one.fee_max, one.tip)
        });
        format!("{KIND} {}\n{}", self.nonce, lines.collect::<String>())
    }

    fn parse(text: &str) -> Result<Self, ChainError> {
        let malformed = || ChainError::state("a line of it is malformed");
        let mut lines = text.lines();
        let nonce = lines
            .next()
            .and_then(|line| line.strip_prefix(KIND)?.trim_start().parse().ok())
            .ok_or_else(malformed)?;
        let mut candidates = Vec::new();
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            let ["tx", height, fee_max, tip, hex] = words.as_slice() else {
                return Err(malformed());
            };
            if candidates.len() >= CANDIDATES_MAX {
                return Err(malformed());
            }
            candidates.push(Candidate {
                height: height.parse().map_err(|_| malformed())?,
                fee_max: fee_max.parse().map_err(|_| malformed())?,
                tip: tip.parse().map_err(|_| malformed())?,
                bytes: hex::decode(hex).map_err(|_| malformed())?,
            });
        }
        Ok(Self { nonce, candidates })
    }
}

impl EthereumChain {
    /// A registry, a node of its chain, who pays, and on what terms.
    #[must_use]
    pub fn new(
        registry: Registry,
        rpc: Rpc,
        key: Arc<dyn PayingKey>,
        terms: EthereumTerms,
    ) -> Self {
        Self {
            node: Node {
                rpc,
                chain_id: registry.chain_id,
            },
            registry: Address::from(registry.address),
            key,
            terms,
        }
    }

    /// The address where the money must be.
    ///
    /// # Errors
    /// The key is none.
    pub fn address_of(key: &dyn PayingKey) -> Result<String, ChainError> {
        Ok(transaction::address(key)?.to_string())
    }

    /// Sends the transaction that makes a registry: where it will be. Not repeated; once it is in a block,
    /// [`Chain::begin`] finds it or says that it does not.
    ///
    /// # Errors
    /// The node or the key fails, or does not want it.
    pub fn deploy(&self) -> Result<[u8; 20], ChainError> {
        self.node.tip()?;
        let from = transaction::address(self.key.as_ref())?;
        let nonce = self.node.nonce(from)?;
        let (fee_max, tip) = self.fees(0, 0)?;
        let draft = Draft {
            chain_id: self.node.chain_id,
            nonce,
            fee_max,
            tip,
            gas: CREATION_GAS,
            to: None,
            input: Bytes::from_static(CREATION),
        };
        match self.node.send(&draft.sign(self.key.as_ref())?)? {
            Sent::Taken => Ok(from.create(nonce).into_array()),
            Sent::Rejected(said) => Err(ChainError::Unfit { reason: said }),
        }
    }

    /// What to pay now: twice the base fee and the node's tip, no less than these, no more than the cap.
    fn fees(&self, fee_min: u128, tip_min: u128) -> Result<(u128, u128), ChainError> {
        let fees = self.node.fees()?;
        let cap = u128::from(self.terms.fee_max_gwei).saturating_mul(GWEI);
        let tip = fees.tip.max(tip_min);
        let due = fees.base.saturating_mul(2).saturating_add(tip).max(fee_min);
        let fee_max = due.min(cap);
        Ok((fee_max, tip.min(fee_max)))
    }

    fn candidate(
        &self,
        of: &Statement,
        nonce: u64,
        height: u64,
        least: (u128, u128),
    ) -> Result<Candidate, ChainError> {
        let (fee_max, tip) = self.fees(least.0, least.1)?;
        let log = B256::from(*of.log.as_bytes());
        let root = B256::from(*of.head.root.as_bytes());
        let draft = Draft {
            chain_id: self.node.chain_id,
            nonce,
            fee_max,
            tip,
            gas: GAS,
            to: Some(self.registry),
            input: call(&log, of.head.size, &root).into(),
        };
        let Signed { bytes, .. } = draft.sign(self.key.as_ref())?;
        Ok(Candidate {
            height,
            fee_max,
            tip,
            bytes,
        })
    }

    /// Size and root of the log in the registry after a block; `None`: after the last one.
    fn recorded(&self, of: &Statement, at: Option<u64>) -> Result<(u64, B256), ChainError> {
        let publisher = transaction::address(self.key.as_ref())?;
        let log = B256::from(*of.log.as_bytes());
        self.node.recorded(self.registry, publisher, &log, at)
    }

    fn is_there(&self, of: &Statement, at: Option<u64>) -> Result<bool, ChainError> {
        let (size, root) = self.recorded(of, at)?;
        Ok(size == of.head.size && root.0 == *of.head.root.as_bytes())
    }

    /// It stands after the last block: proved, once it stood so many blocks ago.
    fn settle(&self, of: &Statement, tip: u64) -> Result<Step, ChainError> {
        let wanted = self.terms.confirmations.max(depth_min(self.node.chain_id));
        let number = tip.saturating_add(1).saturating_sub(wanted);
        if !self.is_there(of, Some(number))? {
            return Ok(Step::Waiting(format!(
                "the registry holds it, and is to hold it for {wanted} blocks"
            )));
        }
        let Some(block) = self.node.block(number)? else {
            return Ok(Step::Waiting("the chain is changing just now".to_owned()));
        };
        let publisher = transaction::address(self.key.as_ref())?;
        let log = B256::from(*of.log.as_bytes());
        let proof = self
            .node
            .prove(self.registry, publisher, &log, number, &block)?;
        let settled = format!("{number} {}", block.hash);
        match proof.check(of) {
            Ok(()) => Ok(Step::Done {
                proof: proof.to_text().into_bytes(),
                settled,
            }),
            // Between the questions the chain may have changed.
            Err(RegistryProofError::Other { .. })
                if self.node.block(number)?.map(|one| one.hash) != Some(block.hash) =>
            {
                Ok(Step::Waiting("the chain is changing just now".to_owned()))
            }
            Err(error) => Err(ChainError::lie(error.to_string())),
        }
    }

    /// It does not stand in the registry: sends it, and raises its fees when it has waited long enough.
    fn push(&self, of: &Statement, mut payment: Payment, tip: u64) -> Result<Step, ChainError> {
        let Some(newest) = payment.candidates.last() else {
            return Ok(Step::Lost("the chain has dropped it".to_owned()));
        };
        let from = transaction::address(self.key.as_ref())?;
        if self.node.nonce(from)? > payment.nonce {
            return Ok(Step::Lost(
                "another transaction of the key took its place, or the registry refused it"
                    .to_owned(),
            ));
        }
        let signed = Signed {
            hash: B256::ZERO,
            bytes: newest.bytes.clone(),
        };
        let waited = tip.saturating_sub(newest.height);
        let reason = match self.node.send(&signed)? {
            Sent::Rejected(said) if said.contains("insufficient funds") => {
                return Err(ChainError::Funds {
                    address: from.to_string(),
                    reason: said,
                });
            }
            Sent::Rejected(said) if waited == 0 => {
                return Ok(Step::Waiting(format!("the node does not take it: {said}")));
            }
            Sent::Rejected(said) => said,
            Sent::Taken if waited < self.terms.bump_blocks => {
                return Ok(Step::Waiting("no block holds it yet".to_owned()));
            }
            Sent::Taken => format!("no block of the last {waited} holds it"),
        };
        // Nodes take a replacement that pays an eighth more of both.
        let more = |fee: u128| fee.saturating_add(fee.div_ceil(8)).saturating_add(1);
        let least = (more(newest.fee_max), more(newest.tip));
        let cap = u128::from(self.terms.fee_max_gwei).saturating_mul(GWEI);
        if least.0 > cap || payment.candidates.len() >= CANDIDATES_MAX {
            return Ok(Step::Waiting(format!(
                "{reason}; the cap of {} gwei lets it pay no more",
                self.terms.fee_max_gwei
            )));
        }
        let next = self.candidate(of, payment.nonce, tip, least)?;
        payment.candidates.push(next);
        Ok(Step::Changed(payment.to_text()))
    }
}

impl Chain for EthereumChain {
    fn name(&self) -> &'static str {
        "ethereum"
    }

    fn kind(&self) -> ProofKind {
        ProofKind::Ethereum
    }

    fn begin(&self, statement: &Statement, _last: Option<&str>) -> Result<String, ChainError> {
        let height = self.node.tip()?;
        if self.node.code(self.registry)?.as_ref() != RUNTIME {
            let reason = format!(
                "{} is not the registry, or not in a block yet; make one with `paygod anchor registry`",
                self.registry
            );
            return Err(ChainError::Unfit { reason });
        }
        let (known, _) = self.recorded(statement, None)?;
        if self.is_there(statement, None)? {
            return Ok(Payment::default().to_text());
        }
        if known >= statement.head.size {
            let reason = format!(
                "the registry holds {known} entries of this log by this key already, and would refuse {}; was the book rolled back?",
                statement.head.size
            );
            return Err(ChainError::Unfit { reason });
        }
        let from = transaction::address(self.key.as_ref())?;
        let nonce = self.node.nonce(from)?;
        let first = self.candidate(statement, nonce, height, (0, 0))?;
        let needed = first.fee_max.saturating_mul(GAS.into());
        let balance = self.node.balance(from)?;
        if balance < needed {
            return Err(ChainError::Funds {
                address: from.to_string(),
                reason: format!("{balance} of {needed} wei"),
            });
        }
        let payment = Payment {
            nonce,
            candidates: vec![first],
        };
        Ok(payment.to_text())
    }

    fn advance(&self, statement: &Statement, state: &str) -> Result<Step, ChainError> {
        let payment = Payment::parse(state)?;
        let tip = self.node.tip()?;
        if self.is_there(statement, None)? {
            return self.settle(statement, tip);
        }
        self.push(statement, payment, tip)
    }

    fn stands(&self, settled: &str) -> Result<Standing, ChainError> {
        let malformed = || ChainError::state("where it stands is malformed");
        let (number, hash) = settled.split_once(' ').ok_or_else(malformed)?;
        let number: u64 = number.parse().map_err(|_| malformed())?;
        let tip = self.node.tip()?;
        Ok(match self.node.block(number)? {
            Some(block) if block.hash.to_string() == hash => {
                if tip.saturating_sub(number) >= FINAL_DEPTH {
                    Standing::Final
                } else {
                    Standing::Stands
                }
            }
            Some(_) => Standing::Gone,
            None => Standing::Stands,
        })
    }
}
