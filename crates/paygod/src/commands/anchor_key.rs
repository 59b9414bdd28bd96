//! `anchor key`: the key that pays for anchors, and the chains that it pays on.

use crate::cli::{
    AnchorKeyCommand, AnchorKeyNew, AnchorKeyShow, AnchorRegistry, BitcoinLogin, BitcoinNode,
    EthereumNode, Global, HeadersFile,
};
use crate::commands::keys::{is_address, passphrase};
use crate::fault::{Answer, Fault, Outcome, faults_from};
use crate::output::{Console, Tone};
use paygod_anchor::bitcoin::{BitcoinChain, BitcoinTerms, Network};
use paygod_anchor::chain::{Chain, ChainError};
use paygod_anchor::ethereum::{EthereumChain, EthereumTerms, Registry};
use paygod_anchor::paying::PayingKey;
use paygod_anchor::rpc::{Login, Rpc, RpcError};
use paygod_keys::paying::PayingKeyFile;
use paygod_keys::{Algorithm, ProviderError, Signer};
use paygod_service::ledger::Payer;
use paygod_types::code;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

faults_from!(ChainError, RpcError, ProviderError);

/// How long one question to a node may take.
const QUESTION: Duration = Duration::from_secs(30);

/// Runs one of them.
pub(crate) fn run(command: &AnchorKeyCommand, global: &Global, console: &mut Console) -> Outcome {
    match command {
        AnchorKeyCommand::New(options) => new(options, console),
        AnchorKeyCommand::Show(options) => show(options, global, console),
    }
}

fn new(options: &AnchorKeyNew, console: &mut Console) -> Outcome {
    let signer: Arc<dyn Signer> = if is_address(&options.key) {
        let provider = paygod_keys::uri::open(&options.key)?;
        if provider.sole(Algorithm::Secp256k1).is_ok() {
            let message = "there is a key of that name already";
            return Err(
                Fault::new(code::ANCHOR_KEY, message).remedy("name another label or prefix")
            );
        }
        provider.create(Algorithm::Secp256k1)?
    } else {
        let path = Path::new(&options.key);
        Arc::new(PayingKeyFile::create(path, &passphrase(path, true)?)?)
    };
    tell(&Payer::new(signer)?, console)?;
    console.note("Send it what the fees of some months come to, and no more: whoever has the key has the money.")?;
    Ok(Answer::Yes)
}

fn show(options: &AnchorKeyShow, global: &Global, console: &mut Console) -> Outcome {
    tell(open(&options.key, global)?.as_ref(), console)?;
    Ok(Answer::Yes)
}

/// Opens the key that pays.
fn open(key: &str, global: &Global) -> Result<Arc<dyn PayingKey>, Fault> {
    let signer: Arc<dyn Signer> = if is_address(key) {
        paygod_keys::uri::open(key)?.sole(Algorithm::Secp256k1)?
    } else if global.production {
        let message = "a key in a file is not for production";
        return Err(Fault::new(code::ANCHOR_KEY, message)
            .remedy("name one in a hardware module or a key service: pkcs11:token=…;object=… or awskms:REGION/PREFIX"));
    } else {
        let path = Path::new(key);
        Arc::new(PayingKeyFile::open(path, &passphrase(path, false)?)?)
    };
    Ok(Arc::new(Payer::new(signer)?))
}

fn tell(key: &dyn PayingKey, console: &mut Console) -> Result<(), Fault> {
    let mut hex = Vec::new();
    paygod_types::write_hex(&key.public_key(), &mut hex);
    let public = String::from_utf8_lossy(&hex);
    let networks = [Network::Main, Network::Test, Network::Regtest];
    let mut addresses = serde_json::Map::new();
    for network in networks {
        let address = BitcoinChain::address_of(key, network)?;
        addresses.insert(network.to_string(), address.into());
    }
    let ethereum = EthereumChain::address_of(key)?;
    console.value(&json!({"public_key": public, "bitcoin": addresses, "ethereum": ethereum}))?;
    console.line(format_args!("{} {public}", Tone::Good.paint("key")))?;
    for (network, address) in &addresses {
        let address = address.as_str().unwrap_or_default();
        console.line(format_args!("  bitcoin {network}: {address}"))?;
    }
    console.line(format_args!("  ethereum: {ethereum}"))
}

/// Ethereum, through the node that the options name.
pub(crate) fn ethereum(
    options: &EthereumNode,
    of: &HeadersFile,
    global: &Global,
) -> Result<Option<Arc<dyn Chain>>, Fault> {
    if options.node.ethereum_node.is_none() {
        return Ok(None);
    }
    let Some(text) = &options.ethereum_registry else {
        let message = "no registry is named";
        return Err(Fault::new(code::CLI_ARGUMENT, message)
            .remedy("name one: --ethereum-registry; `paygod anchor registry` makes one"));
    };
    let digits = text.strip_prefix("0x").unwrap_or(text).to_ascii_lowercase();
    let address = paygod_types::parse_hex::<20>(&digits).map_err(|_| {
        Fault::new(
            code::CLI_ARGUMENT,
            "the registry's address is not `0x` and 40 hexadecimal digits",
        )
    })?;
    let registry = Registry {
        chain_id: of.chains.ethereum_chain,
        address,
    };
    Ok(Some(Arc::new(on_ethereum(options, registry, global)?)))
}

fn on_ethereum(
    options: &EthereumNode,
    registry: Registry,
    global: &Global,
) -> Result<EthereumChain, Fault> {
    let (Some(url), Some(key)) = (&options.node.ethereum_node, &options.ethereum_key) else {
        let message = "no node or no key is named that pays for anchors on Ethereum";
        return Err(Fault::new(code::CLI_ARGUMENT, message)
            .remedy("name them: --ethereum-node, --ethereum-key"));
    };
    let terms = EthereumTerms {
        fee_max_gwei: options.ethereum_fee_max,
        bump_blocks: options.ethereum_bump_after,
        confirmations: options.ethereum_confirmations,
    };
    let rpc = ethereum_rpc(url)?;
    Ok(EthereumChain::new(registry, rpc, open(key, global)?, terms))
}

/// Makes a registry.
pub(crate) fn registry(
    options: &AnchorRegistry,
    global: &Global,
    console: &mut Console,
) -> Outcome {
    let nowhere = Registry {
        chain_id: options.ethereum_chain,
        address: [0; 20],
    };
    let made = on_ethereum(&options.ethereum, nowhere, global)?.deploy()?;
    let mut hex = b"0x".to_vec();
    paygod_types::write_hex(&made, &mut hex);
    let address = String::from_utf8_lossy(&hex);
    console.value(&json!({"registry": address}))?;
    console.line(format_args!(
        "{} the registry {address}",
        Tone::Good.paint("sent:")
    ))?;
    console.note(
        "It is there once a block holds the transaction; `paygod anchor now` says so if it is not.",
    )?;
    Ok(Answer::Yes)
}

/// The Bitcoin node that the options name.
pub(crate) fn bitcoin_rpc(options: &BitcoinLogin) -> Result<Option<Rpc>, Fault> {
    let Some(url) = &options.bitcoin_node else {
        return Ok(None);
    };
    let login = match (
        &options.bitcoin_cookie,
        &options.bitcoin_user,
        &options.bitcoin_password_file,
    ) {
        (Some(cookie), ..) => Login::Cookie(cookie.clone()),
        (None, Some(user), Some(file)) => Login::Password {
            user: user.clone(),
            file: file.clone(),
        },
        _ => Login::None,
    };
    Ok(Some(Rpc::new(url, login, QUESTION)?))
}

/// An Ethereum node.
pub(crate) fn ethereum_rpc(url: &str) -> Result<Rpc, Fault> {
    Ok(Rpc::new(url, Login::None, QUESTION)?)
}

/// Bitcoin, through the node that the options name.
pub(crate) fn bitcoin(
    options: &BitcoinNode,
    network: Network,
    global: &Global,
) -> Result<Option<Arc<dyn Chain>>, Fault> {
    let Some(rpc) = bitcoin_rpc(&options.login)? else {
        return Ok(None);
    };
    let Some(key) = &options.bitcoin_key else {
        let message = "no key is named that pays for anchors in Bitcoin";
        return Err(Fault::new(code::CLI_ARGUMENT, message)
            .remedy("make one with `paygod anchor key new`, and name it: --bitcoin-key"));
    };
    let terms = BitcoinTerms {
        fee_max_sats: options.bitcoin_fee_max,
        bump_blocks: options.bitcoin_bump_after,
        confirmations: options.bitcoin_confirmations,
        ..BitcoinTerms::default()
    };
    let chain = BitcoinChain::new(network, rpc, open(key, global)?, terms);
    Ok(Some(Arc::new(chain)))
}
