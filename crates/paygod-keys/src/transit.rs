//! Keys in a key service: the transit engine of OpenBao, and of Vault, whose interface it shares.
//!
//! Each checkpoint key is a transit key of its own, named by a prefix and sixteen drawn hexadecimal digits, so
//! that one that was replaced can be deleted and takes no other with it. What the service says of a key is read
//! before the key is used: one that can be exported or backed up in the clear is refused. Keys are found by
//! their public half, with exactly one match demanded.
//!
//! The version that holds the public half is asked for by its number and demanded in the answer: a transit key
//! that somebody rotates goes on under its name with another key.
//!
//! The token is read from its file for every request, so an agent beside us may renew it.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paygod_types::code;
use pkcs8::SecretDocument;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::http::{HeaderValue, Response};
use ureq::tls::{PemItem, RootCerts, parse_pem};
use zeroize::Zeroizing;

use crate::http;
use crate::signer::{Algorithm, Provider, ProviderError, PublicKey, Signer};

/// Longest file of a token or of certificates worth reading, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Most keys of one prefix. One book has two at a time.
const KEYS_MAX: usize = 256;

/// Bytes drawn for the name of a new key.
const NAME_BYTES: usize = 8;

/// Where the service is, and which keys of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransitConfig {
    /// `https://host:port`; `http` on loopback only.
    pub address: String,
    /// Where the transit engine is mounted.
    pub mount: String,
    /// What the names of the keys begin with.
    pub prefix: String,
    /// The file that holds the token.
    pub token_file: PathBuf,
    /// The certificates (PEM) to trust in place of the public ones.
    pub ca_file: Option<PathBuf>,
    /// The namespace of the mount, for services that have them.
    pub namespace: Option<String>,
}

/// The keys of one prefix in one transit engine.
#[derive(Debug)]
pub struct Transit {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: TransitConfig,
    agent: ureq::Agent,
}

/// What went wrong.
#[derive(Debug)]
enum Fault {
    /// The service is not there, not ready or too busy.
    Away(String),
    /// It does not take the token.
    Token(String),
    /// Anything else.
    Refused(String),
}

impl Transit {
    /// Makes ready to ask. The service need not be there yet.
    ///
    /// # Errors
    /// The file of certificates cannot be used.
    pub fn new(config: TransitConfig) -> Result<Self, ProviderError> {
        let roots = match &config.ca_file {
            None => RootCerts::WebPki,
            Some(file) => roots(file).map_err(|reason| ProviderError {
                provider: format!("`{}`", config.address),
                reason: format!("the certificates in `{}`: {reason}", file.display()),
                code: code::KEYS_CONFIG,
                retry: false,
            })?,
        };
        let agent = http::agent(roots);
        Ok(Self {
            inner: Arc::new(Inner { config, agent }),
        })
    }
}

impl Provider for Transit {
    fn find(&self, public: &PublicKey) -> Result<Arc<dyn Signer>, ProviderError> {
        let found = self.inner.find(public);
        let found = found.and_then(|found| {
            found.ok_or_else(|| {
                Fault::Refused(
                    "no key of that public half is there; see that none was deleted".to_owned(),
                )
            })
        });
        found
            .map(|found| self.inner.signer(public.clone(), found))
            .map_err(|fault| self.inner.error(fault))
    }

    fn create(&self, algorithm: Algorithm) -> Result<Arc<dyn Signer>, ProviderError> {
        if !self.makes(algorithm) {
            return self.sole(algorithm);
        }
        let (public, made) = self
            .inner
            .create(algorithm)
            .map_err(|fault| self.inner.error(fault))?;
        Ok(self.inner.signer(public, made))
    }

    fn retire(&self, public: &PublicKey) -> Result<(), ProviderError> {
        self.inner
            .retire(public)
            .map_err(|fault| self.inner.error(fault))
    }

    fn is_for_production(&self) -> bool {
        true
    }
}

/// A key as found: its name, and the version that holds the public half.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    name: String,
    version: u32,
}

#[derive(Debug)]
struct TransitKey {
    inner: Arc<Inner>,
    key_id: String,
    public: PublicKey,
    found: Found,
}

impl Signer for TransitKey {
    fn key_id(&self) -> &str {
        &self.key_id
    }

    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ProviderError> {
        let signed = self.inner.sign(&self.found, self.public.algorithm, message);
        signed.map_err(|fault| self.inner.error(fault))
    }
}

/// The part of every answer that we read.
#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}

#[derive(Deserialize)]
struct Names {
    keys: Vec<String>,
}

/// A transit key, as the service describes it.
#[derive(Deserialize)]
struct Described {
    #[serde(rename = "type")]
    kind: String,
    exportable: bool,
    allow_plaintext_backup: bool,
    derived: bool,
    keys: std::collections::BTreeMap<u32, Version>,
}

#[derive(Deserialize)]
struct Version {
    public_key: String,
}

#[derive(Deserialize)]
struct Signed {
    signature: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Errors {
    errors: Vec<String>,
}

impl Inner {
    fn error(&self, fault: Fault) -> ProviderError {
        let provider = format!("`{}/{}`", self.config.address, self.config.mount);
        let (code, retry, reason) = match fault {
            Fault::Away(reason) => {
                let reason = format!("{reason}; see that the service is up and unsealed");
                (code::KEYS_PROVIDER, true, reason)
            }
            Fault::Token(reason) => (code::KEYS_TOKEN, false, reason),
            Fault::Refused(reason) => (code::KEYS_PROVIDER_FAULT, false, reason),
        };
        ProviderError {
            provider,
            reason,
            code,
            retry,
        }
    }

    fn signer(self: &Arc<Self>, public: PublicKey, found: Found) -> Arc<dyn Signer> {
        let key_id = format!("{}/{}#{}", self.config.mount, found.name, found.version);
        Arc::new(TransitKey {
            inner: Arc::clone(self),
            key_id,
            public,
            found,
        })
    }

    /// The one version of one key that has this public half; `None` when there is none.
    fn find(&self, public: &PublicKey) -> Result<Option<Found>, Fault> {
        let mut found = None;
        for name in self.names()? {
            // One that was deleted since the names were read is not there.
            let Some(key) = self.describe(&name)? else {
                continue;
            };
            for (version, half) in &key.keys {
                if half.of(public.algorithm).as_ref() != Some(public) {
                    continue;
                }
                check(&name, &key, public.algorithm)?;
                let here = Found {
                    name: name.clone(),
                    version: *version,
                };
                if let Some(other) = found.replace(here) {
                    return Err(Fault::Refused(format!(
                        "two keys have that public half, `{}` and `{name}`; delete all but one",
                        other.name
                    )));
                }
            }
        }
        Ok(found)
    }

    /// Names of the keys of our prefix.
    fn names(&self) -> Result<Vec<String>, Fault> {
        let listed: Option<Answer<Names>> = self.get("keys?list=true")?;
        let mut names = listed.map_or_else(Vec::new, |answer| answer.data.keys);
        names.retain(|name| self.is_ours(name));
        if names.len() > KEYS_MAX {
            return Err(Fault::Refused(format!(
                "more than {KEYS_MAX} keys begin with `{}-`; give the book a prefix of its own",
                self.config.prefix
            )));
        }
        Ok(names)
    }

    fn is_ours(&self, name: &str) -> bool {
        name.strip_prefix(&self.config.prefix)
            .and_then(|rest| rest.strip_prefix('-'))
            .is_some_and(|rest| {
                rest.len() == 2 * NAME_BYTES && rest.bytes().all(|byte| byte.is_ascii_hexdigit())
            })
    }

    fn describe(&self, name: &str) -> Result<Option<Described>, Fault> {
        let answer: Option<Answer<Described>> = self.get(&format!("keys/{name}"))?;
        Ok(answer.map(|answer| answer.data))
    }

    fn create(&self, algorithm: Algorithm) -> Result<(PublicKey, Found), Fault> {
        let mut drawn = [0_u8; NAME_BYTES];
        getrandom::fill(&mut drawn).map_err(|_| Fault::Refused("no randomness".to_owned()))?;
        let mut hex = Vec::new();
        paygod_types::write_hex(&drawn, &mut hex);
        let name = format!("{}-{}", self.config.prefix, String::from_utf8_lossy(&hex));
        let wanted = serde_json::json!({
            "type": kind(algorithm), "exportable": false, "allow_plaintext_backup": false, "derived": false,
        });
        self.post(&format!("keys/{name}"), &wanted)?;
        let gone = || Fault::Refused(format!("the new key `{name}` is not there"));
        let made = self.describe(&name)?.ok_or_else(gone)?;
        check(&name, &made, algorithm)?;
        let [(version, half)] = made.keys.iter().collect::<Vec<_>>()[..] else {
            return Err(Fault::Refused(format!(
                "the new key `{name}` has not one version"
            )));
        };
        let public = half.of(algorithm).ok_or_else(|| {
            Fault::Refused(format!("the new key `{name}` has no usable public half"))
        })?;
        let version = *version;
        Ok((public, Found { name, version }))
    }

    fn sign(&self, found: &Found, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, Fault> {
        let Found { name, version } = found;
        let input = STANDARD.encode(message);
        let asked = match algorithm {
            Algorithm::Ed25519 => serde_json::json!({ "input": input, "key_version": version }),
            Algorithm::EcdsaP256 => serde_json::json!({
                "input": input, "key_version": version,
                "hash_algorithm": "sha2-256", "marshaling_algorithm": "asn1",
            }),
            Algorithm::Secp256k1 | Algorithm::MlDsa44 => {
                let reason = "it keeps no keys of this kind";
                return Err(Fault::Refused(reason.to_owned()));
            }
        };
        let bytes = self.post(&format!("sign/{name}"), &asked)?;
        let answer: Answer<Signed> = read(&bytes)?;
        let signature = answer.data.signature;
        let bytes = signature
            .strip_prefix(&format!("vault:v{version}:"))
            .and_then(|text| STANDARD.decode(text).ok());
        let well_formed = |bytes: &Vec<u8>| algorithm.is_note_signature(bytes);
        bytes.filter(well_formed).ok_or_else(|| {
            Fault::Refused(format!(
                "`{name}` answered with no signature by its version {version}"
            ))
        })
    }

    /// Deletes the key, all versions of it.
    fn retire(&self, public: &PublicKey) -> Result<(), Fault> {
        let Some(Found { name, .. }) = self.find(public)? else {
            return Ok(());
        };
        let allowed = serde_json::json!({ "deletion_allowed": true });
        self.post(&format!("keys/{name}/config"), &allowed)?;
        let path = format!("keys/{name}");
        let request = self.agent.delete(self.url(&path));
        let reply = self.headed(request)?.call();
        self.answer(&path, reply).map(drop)
    }

    fn url(&self, path: &str) -> String {
        format!("{}/v1/{}/{path}", self.config.address, self.config.mount)
    }

    /// Asks for something; `None` when it is not there.
    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Fault> {
        let request = self.agent.get(self.url(path));
        let reply = self.headed(request)?.call();
        let answered = self.answer(path, reply)?;
        answered.map(|bytes| read(&bytes)).transpose()
    }

    fn post(&self, path: &str, body: &serde_json::Value) -> Result<Vec<u8>, Fault> {
        let request = self.agent.post(self.url(path));
        let reply = self.headed(request)?.send(body.to_string());
        let refused = || Fault::Refused(format!("`{path}` is not there; check the mount's name"));
        self.answer(path, reply)?.ok_or_else(refused)
    }

    fn headed<B>(
        &self,
        request: ureq::RequestBuilder<B>,
    ) -> Result<ureq::RequestBuilder<B>, Fault> {
        let file = &self.config.token_file;
        let told =
            |reason: &str| Fault::Token(format!("the token's file `{}`: {reason}", file.display()));
        let text = Zeroizing::new(read_file(file).map_err(|error| told(&error.to_string()))?);
        let token = Zeroizing::new(String::from_utf8_lossy(&text).trim().to_owned());
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(told("it holds no token"));
        }
        let mut value = HeaderValue::from_str(&token).map_err(|_| told("it holds no token"))?;
        value.set_sensitive(true);
        let mut request = request.header("X-Vault-Token", value);
        if let Some(namespace) = &self.config.namespace {
            request = request.header("X-Vault-Namespace", namespace);
        }
        Ok(request)
    }

    /// The body of a good answer; `None` when there is no such thing.
    fn answer(
        &self,
        path: &str,
        reply: Result<Response<ureq::Body>, ureq::Error>,
    ) -> Result<Option<Vec<u8>>, Fault> {
        let away = |error: ureq::Error| Fault::Away(error.to_string());
        let (head, bytes) = http::answer(reply).map_err(away)?.into_parts();
        let status = head.status.as_u16();
        let path = path.split('?').next().unwrap_or_default();
        match status {
            200..=299 => Ok(Some(bytes)),
            404 => Ok(None),
            403 => Err(Fault::Token(format!(
                "the token in `{}` is refused for `{}/{path}`; renew it, or extend its policy",
                self.config.token_file.display(),
                self.config.mount
            ))),
            429 | 500..=599 => Err(Fault::Away(format!("it answers with status {status}"))),
            _ => Err(Fault::Refused(format!(
                "`{path}` is answered with status {status}{}",
                words(&bytes)
            ))),
        }
    }
}

/// As the service calls it.
const fn kind(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Ed25519 => "ed25519",
        Algorithm::EcdsaP256 => "ecdsa-p256",
        Algorithm::Secp256k1 | Algorithm::MlDsa44 => "one that it does not have",
    }
}

impl Version {
    /// The public half: of Ed25519 its bytes in base64, of P-256 in PEM.
    fn of(&self, algorithm: Algorithm) -> Option<PublicKey> {
        let bytes = match algorithm {
            Algorithm::Ed25519 => STANDARD.decode(&self.public_key).ok()?,
            Algorithm::EcdsaP256 => {
                let (label, der) = SecretDocument::from_pem(&self.public_key).ok()?;
                (label == "PUBLIC KEY").then(|| der.as_bytes().to_vec())?
            }
            Algorithm::Secp256k1 | Algorithm::MlDsa44 => return None,
        };
        algorithm
            .is_public_key(&bytes)
            .then_some(PublicKey { algorithm, bytes })
    }
}

/// A key must be one that never leaves the service.
fn check(name: &str, key: &Described, algorithm: Algorithm) -> Result<(), Fault> {
    let wrong = if key.kind != kind(algorithm) {
        "is of another kind than the one that is looked for"
    } else if key.exportable {
        "can be exported"
    } else if key.allow_plaintext_backup {
        "can be backed up in the clear"
    } else if key.derived {
        "signs with keys derived from it"
    } else {
        return Ok(());
    };
    Err(Fault::Refused(format!(
        "the key `{name}` {wrong} and is not used; rotate to another"
    )))
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(bytes).map_err(|error| {
        // Where and what kind: never a part of the answer itself.
        Fault::Refused(format!(
            "an answer is not what a transit engine gives ({:?}, line {}); check the address and the mount",
            error.classify(),
            error.line()
        ))
    })
}

/// What the service itself says of a refusal.
fn words(bytes: &[u8]) -> String {
    let errors: Errors = serde_json::from_slice(bytes).unwrap_or_default();
    let first = errors.errors.first();
    first.map_or_else(String::new, |text| format!(": {}", http::shown(text)))
}

fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?
        .take(FILE_BYTES_MAX)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn roots(file: &Path) -> Result<RootCerts, String> {
    let pem = read_file(file).map_err(|error| error.to_string())?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| error.to_string())? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err("there is none; give a PEM file".to_owned());
    }
    Ok(RootCerts::new_with_certs(&certificates))
}
