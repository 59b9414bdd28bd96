//! The registry contract, as `contracts/ethereum/` has it.

use alloy_primitives::{Address, B256, U256, hex, keccak256};

/// What creates the contract: the compiled artefact's `creation`.
pub const CREATION: &[u8] = &hex!(
    "6080604052348015600f57600080fd5b506101f68061001f6000396000f3fe608060405234801561001057600080fd5b50600436106100365760003560e01c8063241aaccc1461003b57806395c882cb14610050575b600080fd5b61004e610049366004610179565b6100b0565b005b61008c61005e3660046101be565b60006020818152928152604080822090935290815220805460019091015467ffffffffffffffff9091169082565b6040805167ffffffffffffffff909316835260208301919091520160405180910390f35b336000908152602081815260408083208684529091529020805467ffffffffffffffff908116908416116101125780546040516324a003b960e21b815267ffffffffffffffff8086166004830152909116602482015260440160405180910390fd5b805467ffffffffffffffff191667ffffffffffffffff84169081178255600182018390556040805191825260208201849052859133917f859e12ada2f814376a04805d3a16d3b848c65759ec1ffa41309fde084e257293910160405180910390a350505050565b60008060006060848603121561018e57600080fd5b83359250602084013567ffffffffffffffff811681146101ad57600080fd5b929592945050506040919091013590565b600080604083850312156101d157600080fd5b82356001600160a01b03811681146101e857600080fd5b94602093909301359350505056"
);

/// What stands on the chain: the artefact's `runtime`.
pub(super) const RUNTIME: &[u8] = &hex!(
    "608060405234801561001057600080fd5b50600436106100365760003560e01c8063241aaccc1461003b57806395c882cb14610050575b600080fd5b61004e610049366004610179565b6100b0565b005b61008c61005e3660046101be565b60006020818152928152604080822090935290815220805460019091015467ffffffffffffffff9091169082565b6040805167ffffffffffffffff909316835260208301919091520160405180910390f35b336000908152602081815260408083208684529091529020805467ffffffffffffffff908116908416116101125780546040516324a003b960e21b815267ffffffffffffffff8086166004830152909116602482015260440160405180910390fd5b805467ffffffffffffffff191667ffffffffffffffff84169081178255600182018390556040805191825260208201849052859133917f859e12ada2f814376a04805d3a16d3b848c65759ec1ffa41309fde084e257293910160405180910390a350505050565b60008060006060848603121561018e57600080fd5b83359250602084013567ffffffffffffffff811681146101ad57600080fd5b929592945050506040919091013590565b600080604083850312156101d157600080fd5b82356001600160a01b03811681146101e857600080fd5b94602093909301359350505056"
);

/// The selector of `record(bytes32,uint64,bytes32)`.
const RECORD: [u8; 4] = hex!("241aaccc");

/// The hash of the code that stands on the chain.
pub(crate) fn code_hash() -> B256 {
    keccak256(RUNTIME)
}

/// The input of a call that puts a checkpoint there (Solidity ABI: three words).
pub(super) fn call(log: &B256, size: u64, root: &B256) -> Vec<u8> {
    let size = U256::from(size).to_be_bytes::<32>();
    [&RECORD, log.as_slice(), &size, root.as_slice()].concat()
}

/// The words that hold size and root: the mapping is at slot 0, a mapping in it, a struct of two words in that.
pub(crate) fn slots(publisher: Address, log: &B256) -> (B256, B256) {
    let outer = keccak256([publisher.into_word().as_slice(), B256::ZERO.as_slice()].concat());
    let size = keccak256([log.as_slice(), outer.as_slice()].concat());
    let root = U256::from_be_bytes(size.0).wrapping_add(U256::from(1_u8));
    (size, B256::from(root))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn these_bytes_are_the_artefacts() {
        let artefact = include_str!("../../../../contracts/ethereum/Registry.json");
        let artefact: serde_json::Value = serde_json::from_str(artefact).unwrap();
        assert_eq!(artefact["creation"], hex::encode(CREATION));
        assert_eq!(artefact["runtime"], hex::encode(RUNTIME));
        let methods = &artefact["methods"];
        assert_eq!(
            methods["record(bytes32,uint64,bytes32)"],
            hex::encode(RECORD)
        );
        assert_eq!(artefact["storage"][0]["slot"], "0");
    }
}
