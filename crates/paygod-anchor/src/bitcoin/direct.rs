//! A checkpoint's digest in a transaction of our own: one `OP_RETURN`, through the operator's Bitcoin Core.
//!
//! The node's wallet is not used, and may not be there: the money lies at the address of a [`PayingKey`], every
//! transaction gives back to it what it does not pay in fees, and only coins in blocks are spent. All transactions
//! for one anchor spend the same coins, so that one of them at most can be mined, whatever reorganisations bring.
//!
//! The proof is an OpenTimestamps file from the digest through the transaction and the block's merkle tree to its
//! header. A node that lies about a block gives itself away, because the path must end in a header whose work was
//! done; that there is no heavier chain it can lie about, and headers from elsewhere tell.

use std::sync::Arc;

use bitcoin::Amount;

use super::inclusion;
use super::network::Network;
use super::node::{Coin, Mined, Node, Sent};
use super::payment::{
    self, CANDIDATES_MAX, COINS_PER_ANCHOR_MAX, Candidate, Payment, draft, sign, virtual_bytes,
};
use crate::chain::{Chain, ChainError, ProofKind, Standing, Statement, Step};
use crate::ots::DetachedFile;
use crate::paying::PayingKey;
use crate::rpc::Rpc;

/// What is left of the money must be worth spending again (Bitcoin Core's dust limit of P2WPKH).
const DUST: Amount = Amount::from_sat(294);

/// How much more a replacement must pay for each 1,000 virtual bytes (BIP 125, rule 4; nodes' default).
const INCREMENT_PER_KVB: u64 = 1_000;

/// Deeper than this no block has ever been dropped.
const FINAL_DEPTH: u64 = 100;

/// Most blocks looked through for a transaction whose change was spent already.
const SEARCH_BLOCKS_MAX: u64 = 300;

/// What an anchor may cost, and when it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitcoinTerms {
    /// Most that one anchor may pay in fees, replacements included, in satoshi.
    pub fee_max_sats: u64,
    /// Within how many blocks it should be mined; what nodes estimate the fee from.
    pub target_blocks: u32,
    /// After how many blocks without it the fee is raised.
    pub bump_blocks: u64,
    /// Blocks from its own on, that included, until the proof is receipted.
    pub confirmations: u64,
}

impl Default for BitcoinTerms {
    fn default() -> Self {
        Self {
            fee_max_sats: 20_000,
            target_blocks: 6,
            bump_blocks: 6,
            confirmations: 6,
        }
    }
}

/// Bitcoin, through a node of the operator's.
#[derive(Clone, Debug)]
pub struct BitcoinChain {
    node: Node,
    key: Arc<dyn PayingKey>,
    terms: BitcoinTerms,
}

impl BitcoinChain {
    /// A chain, a node of it, who pays, and on what terms.
    #[must_use]
    pub const fn new(
        network: Network,
        rpc: Rpc,
        key: Arc<dyn PayingKey>,
        terms: BitcoinTerms,
    ) -> Self {
        Self {
            node: Node { rpc, network },
            key,
            terms,
        }
    }

    /// The address where the money must be (P2WPKH).
    ///
    /// # Errors
    /// The key is none.
    pub fn address_of(key: &dyn PayingKey, network: Network) -> Result<String, ChainError> {
        Ok(payment::address(key, network)?.to_string())
    }

    /// The fee of a transaction of this size now, by the node's estimate and within the cap.
    fn fee(&self, bytes: u64) -> Result<Amount, ChainError> {
        let rate = self.node.fee_rate(self.terms.target_blocks)?;
        let due = rate.saturating_mul(bytes).div_ceil(1_000);
        Ok(Amount::from_sat(due.min(self.terms.fee_max_sats)))
    }

    /// Coins that pay for an anchor whatever fee it ends with: what the last one left, or a look at all.
    fn coins(&self, address: &str, last: Option<&str>) -> Result<Vec<Coin>, ChainError> {
        let needed = Amount::from_sat(self.terms.fee_max_sats)
            .checked_add(DUST)
            .ok_or_else(|| ChainError::key("the cap of the fee is beyond all money"))?;
        if let Some(left) = last.and_then(|last| Settled::parse(last).ok())
            && let Some((coin, _)) = self.node.coin(left.change)?
            && coin.value >= needed
        {
            return Ok(vec![coin]);
        }
        let mut taken = Vec::new();
        let mut sum = Amount::ZERO;
        for coin in self
            .node
            .coins(address)?
            .into_iter()
            .take(COINS_PER_ANCHOR_MAX)
        {
            sum = sum.checked_add(coin.value).unwrap_or(Amount::MAX_MONEY);
            taken.push(coin);
            if sum >= needed {
                return Ok(taken);
            }
        }
        Err(ChainError::Funds {
            address: address.to_owned(),
            reason: format!(
                "{} of {} satoshi in its {COINS_PER_ANCHOR_MAX} biggest coins",
                sum.to_sat(),
                needed.to_sat()
            ),
        })
    }

    /// The transaction for these coins, that pays this fee at least.
    fn candidate(
        &self,
        digest: &[u8; 32],
        coins: &[Coin],
        height: u64,
        fee_min: Amount,
    ) -> Result<Candidate, ChainError> {
        let script = payment::address(self.key.as_ref(), self.node.network)?.script_pubkey();
        let mut transaction = draft(digest, coins, script.clone(), Amount::ZERO);
        let fee = self.fee(virtual_bytes(&transaction))?.max(fee_min);
        let sum = coins
            .iter()
            .try_fold(Amount::ZERO, |sum, coin| sum.checked_add(coin.value));
        let left = sum
            .and_then(|sum| sum.checked_sub(fee))
            .filter(|left| *left >= DUST)
            .ok_or_else(|| ChainError::state("its coins do not pay for it"))?;
        if let Some(output) = transaction.output.last_mut() {
            output.value = left;
        }
        sign(&mut transaction, coins, &script, self.key.as_ref())?;
        Ok(Candidate {
            transaction,
            height,
            fee,
        })
    }

    /// The block that one of the transactions stands in.
    fn find(&self, payment: &Payment, tip: u64) -> Result<Found, ChainError> {
        for candidate in &payment.candidates {
            let Some((_, depth)) = self.node.coin(candidate.change())? else {
                continue;
            };
            let height = tip.saturating_add(1).saturating_sub(depth);
            // Between the two questions the chain may have grown, or changed.
            for height in [height, height.saturating_add(1)] {
                if let Some(mined) = self.node.mined(height)?
                    && mined.txids.contains(&candidate.transaction.compute_txid())
                {
                    return Ok(Found::In(Box::new((candidate.clone(), mined))));
                }
            }
            return Ok(Found::Unclear);
        }
        for coin in &payment.coins {
            if self.node.coin(coin.place)?.is_none() {
                return self.search(payment, tip);
            }
        }
        Ok(Found::Nowhere)
    }

    /// The coins are spent, and so is what should be left of them: block for block, the newest first.
    fn search(&self, payment: &Payment, tip: u64) -> Result<Found, ChainError> {
        let first = payment.candidates.first().map_or(tip, |one| one.height);
        let since = first.max(tip.saturating_sub(SEARCH_BLOCKS_MAX));
        for height in (since..=tip).rev() {
            let Some(mined) = self.node.mined(height)? else {
                return Ok(Found::Unclear);
            };
            for candidate in &payment.candidates {
                if mined.txids.contains(&candidate.transaction.compute_txid()) {
                    return Ok(Found::In(Box::new((candidate.clone(), mined))));
                }
            }
        }
        Ok(Found::Spent)
    }

    fn settle(
        &self,
        statement: &Statement,
        candidate: &Candidate,
        mined: &Mined,
    ) -> Result<Step, ChainError> {
        let wanted = self.terms.confirmations.max(self.node.network.depth_min());
        if mined.depth < wanted {
            return Ok(Step::Waiting(format!(
                "block {} holds it, {} of {wanted} deep",
                mined.height, mined.depth
            )));
        }
        let digest = statement.digest.as_bytes();
        let path = inclusion::timestamp(digest, &candidate.transaction, mined)?
            .ok_or_else(|| ChainError::lie("a block holds a transaction and does not"))?;
        let proof = DetachedFile::new(&statement.digest, path)
            .to_bytes()
            .map_err(|error| ChainError::lie(error.to_string()))?;
        let settled = Settled {
            height: mined.height,
            hash: mined.hash.to_string(),
            change: candidate.change(),
        };
        Ok(Step::Done {
            proof,
            settled: settled.to_text(),
        })
    }

    /// It is in no block: sends it, and raises its fee when it has waited long enough.
    fn push(&self, statement: &Statement, payment: Payment, tip: u64) -> Result<Step, ChainError> {
        let newest = payment.newest()?;
        let sent = self.node.send(&newest.transaction)?;
        let waited = tip.saturating_sub(newest.height);
        let reason = match sent {
            Sent::Taken if waited < self.terms.bump_blocks => {
                return Ok(Step::Waiting(format!(
                    "no block holds it yet; it pays {} satoshi",
                    newest.fee.to_sat()
                )));
            }
            Sent::Taken => format!("no block of the last {waited} holds it"),
            // Its mempool asks for more than it did. Raised once a block, so that nobody can talk us up to the cap.
            Sent::Rejected(said) if said.contains("fee") && waited == 0 => {
                return Ok(Step::Waiting(format!("the node wants another fee: {said}")));
            }
            Sent::Rejected(said) if said.contains("fee") => said,
            Sent::Rejected(said) => return Ok(Step::Lost(format!("the node refuses it: {said}"))),
        };
        let bytes = virtual_bytes(&newest.transaction);
        let increment = INCREMENT_PER_KVB.saturating_mul(bytes).div_ceil(1_000);
        let more = newest.fee.to_sat().div_ceil(4).max(increment);
        let fee = newest.fee.to_sat().saturating_add(more);
        let cap = self.terms.fee_max_sats;
        if fee > cap || payment.candidates.len() >= CANDIDATES_MAX {
            return Ok(Step::Waiting(format!(
                "{reason}; it pays {} satoshi, and the cap of {cap} lets it pay no more",
                newest.fee.to_sat()
            )));
        }
        let digest = statement.digest.as_bytes();
        let fee = Amount::from_sat(fee);
        let next = self.candidate(digest, &payment.coins, tip, fee)?;
        let mut payment = payment;
        payment.candidates.push(next);
        Ok(Step::Changed(payment.to_text()))
    }
}

/// Where the transactions of an anchor are.
enum Found {
    /// One stands in this block.
    In(Box<(Candidate, Mined)>),
    /// None is in a block, and the coins are still there.
    Nowhere,
    /// The coins are spent by something else, or are no longer there.
    Spent,
    /// The chain is changing just now.
    Unclear,
}

impl Chain for BitcoinChain {
    fn name(&self) -> &'static str {
        "bitcoin"
    }

    fn kind(&self) -> ProofKind {
        ProofKind::OpenTimestamps
    }

    fn begin(&self, statement: &Statement, last: Option<&str>) -> Result<String, ChainError> {
        let height = self.node.tip()?;
        let address = Self::address_of(self.key.as_ref(), self.node.network)?;
        let coins = self.coins(&address, last)?;
        let digest = statement.digest.as_bytes();
        let first = self.candidate(digest, &coins, height, Amount::ZERO)?;
        let payment = Payment {
            coins,
            candidates: vec![first],
        };
        Ok(payment.to_text())
    }

    fn advance(&self, statement: &Statement, state: &str) -> Result<Step, ChainError> {
        let payment = Payment::parse(state)?;
        let tip = self.node.tip()?;
        match self.find(&payment, tip)? {
            Found::In(found) => self.settle(statement, &found.0, &found.1),
            Found::Nowhere => self.push(statement, payment, tip),
            Found::Spent => Ok(Step::Lost(
                "the coins that were to pay for it are spent, or the chain has dropped them"
                    .to_owned(),
            )),
            Found::Unclear => Ok(Step::Waiting("the chain is changing just now".to_owned())),
        }
    }

    fn stands(&self, settled: &str) -> Result<Standing, ChainError> {
        let settled = Settled::parse(settled)?;
        let tip = self.node.tip()?;
        let hash = self.node.hash_at(settled.height)?;
        Ok(match hash {
            Some(hash) if hash.to_string() == settled.hash => {
                if tip.saturating_sub(settled.height) >= FINAL_DEPTH {
                    Standing::Final
                } else {
                    Standing::Stands
                }
            }
            Some(_) => Standing::Gone,
            // The node's chain is shorter than it was: it may be catching up.
            None => Standing::Stands,
        })
    }
}

/// Where an anchor stands, and what is left of its money.
struct Settled {
    height: u64,
    hash: String,
    change: bitcoin::OutPoint,
}

impl Settled {
    fn to_text(&self) -> String {
        format!("{} {} {}", self.height, self.hash, self.change)
    }

    fn parse(text: &str) -> Result<Self, ChainError> {
        let malformed = || ChainError::state("where it stands is malformed");
        let mut words = text.split(' ');
        let mut next = || words.next().ok_or_else(malformed);
        Ok(Self {
            height: next()?.parse().map_err(|_| malformed())?,
            hash: next()?.to_owned(),
            change: next()?.parse().map_err(|_| malformed())?,
        })
    }
}
