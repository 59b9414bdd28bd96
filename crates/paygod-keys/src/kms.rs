//! Keys in AWS KMS, through its JSON interface (version 2014-11-01).
//!
//! Each key is a KMS key of its own, of the kind `ECC_NIST_EDWARDS25519`, `ECC_NIST_P256` or `ML_DSA_44`, made in KMS. Its alias is the
//! prefix and the public half, so that exactly one can match; whoever points the alias at another key is found out,
//! because the public half is compared, and from there on the key is named by its ARN, which nobody can point
//! elsewhere. One whose private half was imported, or that KMS does not hold itself, is refused.
//!
//! An answer counts only when everything that it must say is there: KMS, or what is between, may answer 200 with
//! nothing. Requests are repeated a few times within [`DEADLINE`]; one that might have made a key is not, unless
//! KMS said that it did nothing.
//!
//! Signing requests and finding credentials is `reqsign`'s; sending them is ours.

mod credentials;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paygod_tlog::ecdsa::P256_SPKI_PREFIX;
use paygod_types::{Digest, code};
use secp256k1::ecdsa;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use ureq::http::{Request, StatusCode};
use ureq::tls::RootCerts;

use crate::http;
use crate::paying::{DIGEST_BYTES, compact};
use crate::signer::{Algorithm, Provider, ProviderError, PublicKey, Signer};
use credentials::Credentials;

/// How long an operation takes at most, with all that is repeated.
const DEADLINE: Duration = Duration::from_secs(15);

/// How often a request is sent at most.
const ATTEMPTS_MAX: u32 = 4;

/// Before the second attempt; twice as long before each one after.
const PAUSE: Duration = Duration::from_millis(200);

/// Longest message that KMS signs as it is, in bytes.
const MESSAGE_BYTES_MAX: usize = 4_096;

/// Before the 32 bytes of a public key in `SubjectPublicKeyInfo` (RFC 8410, section 4).
const SPKI_PREFIX: [u8; 12] = *b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";

/// Before the 1312 bytes of an ML-DSA-44 public key in `SubjectPublicKeyInfo` (RFC 9881, section 4).
const ML_DSA_44_SPKI_PREFIX: [u8; 22] =
    *b"\x30\x82\x05\x32\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x11\x03\x82\x05\x21\x00";

/// Before the 65 bytes of an uncompressed point of secp256k1 in `SubjectPublicKeyInfo` (RFC 5480, section 2).
const SECP256K1_SPKI_PREFIX: [u8; 23] = *b"\x30\x56\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x0a\x03\x42\x00";

/// Key spec and signing algorithm, as KMS calls them.
const fn spec(algorithm: Algorithm) -> (&'static str, &'static str) {
    match algorithm {
        Algorithm::Ed25519 => ("ECC_NIST_EDWARDS25519", "ED25519_SHA_512"),
        Algorithm::EcdsaP256 => ("ECC_NIST_P256", "ECDSA_SHA_256"),
        Algorithm::Secp256k1 => ("ECC_SECG_P256K1", "ECDSA_SHA_256"),
        Algorithm::MlDsa44 => ("ML_DSA_44", "ML_DSA_SHAKE_256"),
    }
}

const KEY_USAGE: &str = "SIGN_VERIFY";

/// How many days a key that was replaced can still be looked at: the fewest that KMS has. It does not sign in them.
const DELETION_DAYS: u32 = 7;

/// Which keys of which region, and what authorises us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsConfig {
    /// The region, such as `eu-central-1`.
    pub region: String,
    /// What the aliases of the keys begin with, after `alias/`.
    pub prefix: String,
    /// `https://host`, for an endpoint of one's own network; `http` on loopback only. `None`: the region's.
    pub endpoint: Option<String>,
    /// The shared credentials file to use, and nothing else. `None`: what AWS's own tools would use.
    pub credentials_file: Option<PathBuf>,
    /// The profile in there, or in AWS's own files.
    pub profile: Option<String>,
}

impl KmsConfig {
    fn address(&self) -> String {
        if let Some(endpoint) = &self.endpoint {
            return endpoint.clone();
        }
        let region = &self.region;
        // The partition of China has a domain of its own.
        let domain = if region.starts_with("cn-") {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        };
        format!("https://kms.{region}.{domain}")
    }

    fn payer(&self) -> String {
        format!("alias/{}-payer", self.prefix)
    }

    fn alias(&self, public: &PublicKey) -> String {
        let mut hex = Vec::new();
        match public.algorithm {
            Algorithm::Ed25519 => paygod_types::write_hex(&public.bytes, &mut hex),
            // There is one, found before anybody knows its public half. Whoever points it at another key makes
            // another address pay.
            Algorithm::Secp256k1 => return self.payer(),
            // Longer than an alias.
            Algorithm::EcdsaP256 | Algorithm::MlDsa44 => {
                let digest = Digest::sha256(&public.bytes);
                paygod_types::write_hex(digest.as_bytes(), &mut hex);
            }
        }
        format!("alias/{}-{}", self.prefix, String::from_utf8_lossy(&hex))
    }
}

/// The keys of one prefix in one region.
#[derive(Debug)]
pub struct Kms {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: KmsConfig,
    agent: ureq::Agent,
    credentials: Credentials,
}

/// What went wrong.
#[derive(Debug)]
enum Fault {
    /// No answer, or none that says whether anything was done.
    Away(String),
    /// KMS says that it is too busy, and did nothing.
    Busy(String),
    /// What authorises us is missing or refused.
    Credentials(String),
    /// There is no such key, or not yet.
    Absent(String),
    /// Anything else.
    Refused(String),
}

/// Which faults a request is repeated after, besides those after which nothing was done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    /// None: it makes something.
    Never,
    /// It may be done twice.
    Safe,
    /// It may be done twice, and what it is about may be new: KMS takes a moment to know it everywhere.
    New,
}

impl Kms {
    /// Makes ready to ask. KMS need not answer yet.
    #[must_use]
    pub fn new(config: KmsConfig) -> Self {
        let credentials = Credentials::new(&config);
        let inner = Inner {
            config,
            agent: http::agent(RootCerts::WebPki),
            credentials,
        };
        Self {
            inner: Arc::new(inner),
        }
    }
}

impl Provider for Kms {
    fn makes(&self, _: Algorithm) -> bool {
        true
    }

    fn find(&self, public: &PublicKey) -> Result<Arc<dyn Signer>, ProviderError> {
        let found = self.inner.find(public);
        found
            .map(|arn| self.inner.signer(public.clone(), arn))
            .map_err(|fault| self.inner.error(fault))
    }

    fn sole(&self, algorithm: Algorithm) -> Result<Arc<dyn Signer>, ProviderError> {
        let found = self.inner.payer(algorithm);
        found
            .map(|(public, arn)| self.inner.signer(public, arn))
            .map_err(|fault| self.inner.error(fault))
    }

    fn create(&self, algorithm: Algorithm) -> Result<Arc<dyn Signer>, ProviderError> {
        let made = self.inner.create(algorithm);
        made.map(|(public, arn)| self.inner.signer(public, arn))
            .map_err(|fault| self.inner.error(fault))
    }

    fn retire(&self, public: &PublicKey) -> Result<(), ProviderError> {
        let retired = self.inner.retire(public);
        retired.map_err(|fault| self.inner.error(fault))
    }

    fn is_for_production(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct KmsKey {
    inner: Arc<Inner>,
    arn: String,
    public: PublicKey,
}

impl Signer for KmsKey {
    fn key_id(&self) -> &str {
        &self.arn
    }

    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ProviderError> {
        let signed = self.inner.sign(&self.arn, self.public.algorithm, message);
        signed.map_err(|fault| self.inner.error(fault))
    }
}

/// `CreateKey` and `DescribeKey`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    key_metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    arn: String,
    key_spec: String,
    key_usage: String,
    key_state: String,
    origin: String,
}

/// `GetPublicKey`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Public {
    key_id: String,
    key_spec: String,
    public_key: String,
}

/// `Sign`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Signed {
    key_id: String,
    signing_algorithm: String,
    signature: String,
}

/// `ScheduleKeyDeletion`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Scheduled {
    key_state: String,
}

/// `CreateAlias` answers with nothing.
#[derive(Deserialize)]
struct Nothing {}

/// How KMS refuses.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    #[serde(rename = "__type")]
    kind: String,
    #[serde(alias = "Message")]
    message: String,
}

impl Inner {
    fn error(&self, fault: Fault) -> ProviderError {
        let provider = format!("`{}`", self.config.address());
        let (code, retry, reason) = match fault {
            Fault::Away(reason) | Fault::Busy(reason) => (code::KEYS_PROVIDER, true, reason),
            Fault::Credentials(reason) => (code::KEYS_TOKEN, false, reason),
            Fault::Absent(reason) | Fault::Refused(reason) => {
                (code::KEYS_PROVIDER_FAULT, false, reason)
            }
        };
        ProviderError {
            provider,
            reason,
            code,
            retry,
        }
    }

    fn signer(self: &Arc<Self>, public: PublicKey, arn: String) -> Arc<dyn Signer> {
        Arc::new(KmsKey {
            inner: Arc::clone(self),
            arn,
            public,
        })
    }

    /// The ARN of the key that has this public half, and signs.
    fn find(&self, public: &PublicKey) -> Result<String, Fault> {
        let alias = self.config.alias(public);
        let key = self.describe(&alias, public.algorithm, Again::Safe)?;
        if key.key_state != "Enabled" {
            return Err(Fault::Refused(format!(
                "the key `{}` is {}; enable it, or revoke it in the book",
                key.arn,
                http::shown(&key.key_state)
            )));
        }
        if self.public_half(&key.arn, public.algorithm, Again::Safe)? == *public {
            return Ok(key.arn);
        }
        Err(Fault::Refused(format!(
            "the alias `{alias}` has been pointed at another key, `{}`; point it back",
            key.arn
        )))
    }

    /// The one key that pays for anchors.
    fn payer(&self, algorithm: Algorithm) -> Result<(PublicKey, String), Fault> {
        if algorithm != Algorithm::Secp256k1 {
            let reason = "keys that sign for books are found by their public half";
            return Err(Fault::Refused(reason.to_owned()));
        }
        let key = self.describe(&self.config.payer(), algorithm, Again::Safe)?;
        let public = self.public_half(&key.arn, algorithm, Again::Safe)?;
        Ok((public, key.arn))
    }

    /// What KMS says of a key, if it is one that we use.
    fn describe(&self, key: &str, algorithm: Algorithm, again: Again) -> Result<Metadata, Fault> {
        let asked = json!({ "KeyId": key });
        let described: Described = self.call("DescribeKey", &asked, again)?;
        let key = described.key_metadata;
        check(&key, algorithm)?;
        Ok(key)
    }

    fn public_half(
        &self,
        arn: &str,
        algorithm: Algorithm,
        again: Again,
    ) -> Result<PublicKey, Fault> {
        let found: Public = self.call("GetPublicKey", &json!({ "KeyId": arn }), again)?;
        let spki = STANDARD.decode(&found.public_key).unwrap_or_default();
        let bytes = match algorithm {
            Algorithm::Ed25519 => spki.strip_prefix(&SPKI_PREFIX).map(<[u8]>::to_vec),
            Algorithm::EcdsaP256 => spki.starts_with(&P256_SPKI_PREFIX).then_some(spki),
            Algorithm::MlDsa44 => spki
                .strip_prefix(&ML_DSA_44_SPKI_PREFIX)
                .map(<[u8]>::to_vec),
            Algorithm::Secp256k1 => spki
                .strip_prefix(&SECP256K1_SPKI_PREFIX)
                .and_then(|point| secp256k1::PublicKey::from_slice(point).ok())
                .map(|point| point.serialize().to_vec()),
        };
        match bytes {
            Some(bytes)
                if algorithm.is_public_key(&bytes)
                    && found.key_id == arn
                    && found.key_spec == spec(algorithm).0 =>
            {
                Ok(PublicKey { algorithm, bytes })
            }
            _ => Err(Fault::Refused(format!(
                "`GetPublicKey` gave no {algorithm:?} key of `{arn}`"
            ))),
        }
    }

    fn create(&self, algorithm: Algorithm) -> Result<(PublicKey, String), Fault> {
        let wanted = json!({
            "KeySpec": spec(algorithm).0,
            "KeyUsage": KEY_USAGE,
            "Origin": "AWS_KMS",
            "Description": format!("Signs for a book, alias/{}-…", self.config.prefix),
        });
        let made: Described = self.call("CreateKey", &wanted, Again::Never)?;
        let key = made.key_metadata;
        let named = check(&key, algorithm).and_then(|()| self.name(&key.arn, algorithm));
        named
            .map(|public| (public, key.arn.clone()))
            .inspect_err(|_| {
                // Nobody will ever need it. Should this fail too, a key lies about that signs nothing.
                let _left = self.delete(&key.arn);
            })
    }

    /// Gives a new key the alias that it is found by.
    fn name(&self, arn: &str, algorithm: Algorithm) -> Result<PublicKey, Fault> {
        let public = self.public_half(arn, algorithm, Again::New)?;
        let alias = self.config.alias(&public);
        let asked = json!({ "AliasName": alias, "TargetKeyId": arn });
        let named: Result<Nothing, Fault> = self.call("CreateAlias", &asked, Again::New);
        // Asked for twice, or there already: which key it is of tells.
        let of = self.describe(&alias, algorithm, Again::New);
        match (of, named) {
            (Ok(key), _) if key.arn == arn => Ok(public),
            (_, Err(fault)) | (Err(fault), Ok(_)) => Err(fault),
            (Ok(_), Ok(_)) => Err(Fault::Refused(format!(
                "the alias `{alias}` is another key's"
            ))),
        }
    }

    fn sign(&self, arn: &str, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, Fault> {
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(Fault::Refused(format!(
                "KMS signs no more than {MESSAGE_BYTES_MAX} bytes"
            )));
        }
        let is_digest = algorithm == Algorithm::Secp256k1;
        if is_digest && message.len() != DIGEST_BYTES {
            let reason = "it signs digests of 32 bytes and nothing else";
            return Err(Fault::Refused(reason.to_owned()));
        }
        let asked = json!({
            "KeyId": arn,
            "Message": STANDARD.encode(message),
            "MessageType": if is_digest { "DIGEST" } else { "RAW" },
            "SigningAlgorithm": spec(algorithm).1,
        });
        let signed: Signed = self.call("Sign", &asked, Again::New)?;
        let is_of_key = signed.key_id == arn && signed.signing_algorithm == spec(algorithm).1;
        let signature = STANDARD.decode(&signed.signature).unwrap_or_default();
        let signature = if is_digest {
            ecdsa::Signature::from_der(&signature).ok().map(compact)
        } else {
            Some(signature).filter(|signature| algorithm.is_note_signature(signature))
        };
        signature.filter(|_| is_of_key).ok_or_else(|| {
            Fault::Refused(format!("`Sign` gave no {algorithm:?} signature by `{arn}`"))
        })
    }

    /// Has KMS delete the key, which signs nothing from this moment on.
    fn retire(&self, public: &PublicKey) -> Result<(), Fault> {
        let key = match self.describe(&self.config.alias(public), public.algorithm, Again::Safe) {
            Ok(key) => key,
            Err(Fault::Absent(_)) => return Ok(()),
            Err(fault) => return Err(fault),
        };
        if key.key_state == "PendingDeletion" {
            return Ok(());
        }
        if self.public_half(&key.arn, public.algorithm, Again::Safe)? != *public {
            return Err(Fault::Refused(format!(
                "the alias of a key that was replaced has been pointed at another key, `{}`",
                key.arn
            )));
        }
        self.delete(&key.arn)
    }

    fn delete(&self, arn: &str) -> Result<(), Fault> {
        let asked = json!({ "KeyId": arn, "PendingWindowInDays": DELETION_DAYS });
        let scheduled: Scheduled = self.call("ScheduleKeyDeletion", &asked, Again::Safe)?;
        if scheduled.key_state.starts_with("Pending") {
            return Ok(());
        }
        let state = http::shown(&scheduled.key_state);
        Err(Fault::Refused(format!(
            "`{arn}` is {state} and not deleted"
        )))
    }

    /// Asks until there is an answer, within the bounds.
    fn call<T: DeserializeOwned>(
        &self,
        operation: &str,
        body: &Value,
        again: Again,
    ) -> Result<T, Fault> {
        let body = body.to_string();
        let began = Instant::now();
        let mut pause = PAUSE;
        let mut attempt = 1;
        loop {
            let left = DEADLINE.saturating_sub(began.elapsed());
            let fault = match self.attempt(operation, &body, left) {
                Ok(bytes) => return read(operation, &bytes),
                Err(fault) => fault,
            };
            let worth = match &fault {
                Fault::Busy(_) => true,
                // Once more with what is read anew: somebody may have renewed them since.
                Fault::Credentials(_) => attempt == 1 && self.credentials.forget(),
                Fault::Away(_) => again != Again::Never,
                Fault::Absent(_) => again == Again::New,
                Fault::Refused(_) => false,
            };
            let left = DEADLINE.saturating_sub(began.elapsed());
            if !worth || attempt >= ATTEMPTS_MAX || left <= pause {
                return Err(fault);
            }
            std::thread::sleep(pause);
            pause = pause.saturating_mul(2);
            attempt = attempt.saturating_add(1);
        }
    }

    fn attempt(&self, operation: &str, body: &str, left: Duration) -> Result<Vec<u8>, Fault> {
        let refuse = |_| Fault::Refused("the address of KMS is none".to_owned());
        let request = Request::post(format!("{}/", self.config.address()))
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("TrentService.{operation}"))
            .body(())
            .map_err(refuse)?;
        let signed = self.credentials.sign(request, body)?;
        let request = signed.map(|()| body.to_owned());
        let within = self.agent.configure_request(request);
        let within = within.timeout_global(Some(left)).build();
        let away = |error: ureq::Error| Fault::Away(error.to_string());
        let (head, bytes) = http::answer(self.agent.run(within))
            .map_err(away)?
            .into_parts();
        if head.status == StatusCode::OK {
            return Ok(bytes);
        }
        Err(self.refused(operation, head.status, &bytes))
    }

    /// What a refusal comes to (AWS KMS API reference, "Common errors").
    fn refused(&self, operation: &str, status: StatusCode, bytes: &[u8]) -> Fault {
        let refusal: Refusal = serde_json::from_slice(bytes).unwrap_or_default();
        // `com.amazonaws.kms#NotFoundException`, or without what is before the `#`.
        let kind = refusal.kind.rsplit('#').next().unwrap_or_default();
        let said = http::shown(&format!("{kind} {}", refusal.message));
        let said = format!("`{operation}` is answered with status {status}: {said}");
        match (status.as_u16(), kind) {
            (_, "NotFoundException") => Fault::Absent(said),
            (_, kind) if THROTTLED.contains(&kind) => Fault::Busy(said),
            (_, kind) if UNAUTHORISED.contains(&kind) => Fault::Credentials(format!(
                "{said}; renew {}, or extend the policy",
                self.credentials.named()
            )),
            (_, kind) if UNWELL.contains(&kind) => Fault::Away(said),
            (429, _) => Fault::Busy(said),
            (401 | 403, _) => Fault::Credentials(said),
            (500..=599, _) => Fault::Away(said),
            _ => Fault::Refused(said),
        }
    }
}

/// KMS does less than is asked of it for now.
const THROTTLED: [&str; 4] = [
    "ThrottlingException",
    "Throttling",
    "RequestLimitExceeded",
    "TooManyRequestsException",
];

/// What authorises us is missing, wrong, too old, or not enough.
const UNAUTHORISED: [&str; 9] = [
    "ExpiredTokenException",
    "ExpiredToken",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "IncompleteSignature",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "AccessDeniedException",
    "NotAuthorized",
];

/// Something behind KMS does not do what it should.
const UNWELL: [&str; 4] = [
    "KMSInternalException",
    "DependencyTimeoutException",
    "KeyUnavailableException",
    "ServiceUnavailableException",
];

/// A key must be one that was made in KMS and signs.
fn check(key: &Metadata, algorithm: Algorithm) -> Result<(), Fault> {
    let wrong = if key.key_spec != spec(algorithm).0 || key.key_usage != KEY_USAGE {
        "is of another kind than the one that is looked for"
    } else if key.origin != "AWS_KMS" && key.origin != "AWS_CLOUDHSM" {
        "was not made in KMS"
    } else if !key.arn.starts_with("arn:") {
        "has no ARN"
    } else {
        return Ok(());
    };
    Err(Fault::Refused(format!(
        "the key `{}` {wrong} and is not used; rotate to another",
        http::shown(&key.arn)
    )))
}

fn read<T: DeserializeOwned>(operation: &str, bytes: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(bytes).map_err(|error| {
        // Where and what kind: never a part of the answer itself.
        Fault::Refused(format!(
            "`{operation}` is answered with something that KMS does not give ({:?}, line {}, {} bytes); check the address",
            error.classify(),
            error.line(),
            bytes.len()
        ))
    })
}
