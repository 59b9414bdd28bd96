//! Keys in a hardware module, through PKCS#11 (OASIS, 2.40 and later).
//!
//! Keys are made in the token, sensitive and not extractable, and what the token says of them is read back
//! before they are used. They are found by label, public key and id, with exactly one match demanded:
//! PKCS#11 allows any number of objects of one name.
//!
//! The module is loaded at run time, so building needs nothing. A token that went away and came back is
//! taken up again by itself; a PIN that was refused once is not tried again until it is another, because
//! a token locks after a few.

mod module;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use paygod_tlog::ecdsa::P256_SPKI_PREFIX;
use paygod_types::{Code, Digest, code};
use zeroize::Zeroizing;

use crate::paying::{DIGEST_BYTES, compact};
use crate::signer::{Algorithm, Provider, ProviderError, PublicKey, Signer};
use module::{Live, Module, lock};
use secp256k1::ecdsa;

/// Most sessions kept open. More than that many threads never sign at once.
const SESSIONS_MAX: usize = 4;

/// Longest file of a PIN worth reading, in bytes.
const PIN_BYTES_MAX: u64 = 256;

/// Bytes of the id that a new key is given.
const ID_BYTES: usize = 16;

/// The curve of Ed25519 as PKCS#11 names it: the PrintableString `edwards25519`.
const EDWARDS25519: [u8; 14] = *b"\x13\x0cedwards25519";

/// The curve secp256k1: the object identifier 1.3.132.0.10 in DER.
const SECP256K1: [u8; 7] = [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a];
/// P-256 as PKCS#11 names it: its object identifier in DER.
const P256: [u8; 10] = *b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";

/// Which token and which keys of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenConfig {
    /// The module's shared library.
    pub module: PathBuf,
    /// The token's label. Slot numbers change; labels do not.
    pub token: String,
    /// The label of the keys.
    pub label: String,
    /// The file that holds the PIN.
    pub pin_file: PathBuf,
}

/// The keys of one label in one token.
#[derive(Debug)]
pub struct Token {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: TokenConfig,
    module: Arc<Module>,
    pool: Mutex<Pool>,
}

/// Sessions that wait for use, of one generation.
#[derive(Debug, Default)]
struct Pool {
    generation: u64,
    sessions: Vec<Session>,
    /// The PIN that the token refused: not to be tried again.
    refused: Option<Zeroizing<String>>,
}

/// What went wrong, and whether beginning anew can help.
#[derive(Debug)]
enum Fault {
    /// The token or the session is gone.
    Gone(String),
    /// Anything else.
    Final {
        code: Code,
        retry: bool,
        reason: String,
    },
}

impl Fault {
    fn refused(reason: impl Into<String>) -> Self {
        Self::Final {
            code: code::KEYS_PROVIDER_FAULT,
            retry: false,
            reason: reason.into(),
        }
    }

    fn pin(reason: impl Into<String>) -> Self {
        Self::Final {
            code: code::KEYS_PIN,
            retry: false,
            reason: reason.into(),
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let reason = error.to_string();
        match error {
            Error::Pkcs11(
                RvError::DeviceRemoved
                | RvError::DeviceError
                | RvError::TokenNotPresent
                | RvError::TokenNotRecognized
                | RvError::SessionClosed
                | RvError::SessionHandleInvalid
                | RvError::ObjectHandleInvalid
                | RvError::KeyHandleInvalid
                | RvError::UserNotLoggedIn
                | RvError::SlotIdInvalid
                | RvError::CryptokiNotInitialized
                | RvError::GeneralError
                | RvError::FunctionFailed,
                _,
            ) => Self::Gone(reason),
            _ => Self::refused(reason),
        }
    }
}

impl Token {
    /// Loads the module. The token need not be there yet.
    ///
    /// # Errors
    /// The module cannot be loaded.
    pub fn new(config: TokenConfig) -> Result<Self, ProviderError> {
        let module = Module::at(&config.module).map_err(|error| ProviderError {
            provider: config.module.display().to_string(),
            reason: format!("the PKCS#11 module does not load: {error}; check its path"),
            code: code::KEYS_PROVIDER_FAULT,
            retry: false,
        })?;
        Ok(Self {
            inner: Arc::new(Inner {
                config,
                module,
                pool: Mutex::default(),
            }),
        })
    }
}

impl Provider for Token {
    fn find(&self, public: &PublicKey) -> Result<Arc<dyn Signer>, ProviderError> {
        let found = self
            .inner
            .with_session(|session| self.inner.find(session, public))?;
        Ok(self.inner.signer(public.clone(), found))
    }

    fn sole(&self, algorithm: Algorithm) -> Result<Arc<dyn Signer>, ProviderError> {
        let keys = self
            .inner
            .with_session(|session| self.inner.public_keys(session, algorithm))?;
        match keys.as_slice() {
            [one] => self.find(&PublicKey {
                algorithm,
                bytes: one.bytes.clone(),
            }),
            other => Err(self.inner.error(Fault::refused(format!(
                "{} keys labelled `{}` are of {algorithm:?}, and one is needed; make it with `paygod anchor key new`, or remove all but one",
                other.len(),
                self.inner.config.label
            )))),
        }
    }

    fn create(&self, algorithm: Algorithm) -> Result<Arc<dyn Signer>, ProviderError> {
        let mut id = [0_u8; ID_BYTES];
        getrandom::fill(&mut id).map_err(|_| self.inner.error(Fault::refused("no randomness")))?;
        // Not repeated when the token goes away in between: half a pair may be there.
        let (public, found) = self
            .inner
            .with_session_once(|session| self.inner.create(session, algorithm, &id))?;
        Ok(self.inner.signer(public, found))
    }

    fn retire(&self, public: &PublicKey) -> Result<(), ProviderError> {
        self.inner
            .with_session(|session| self.inner.destroy(session, public))
    }

    fn is_for_production(&self) -> bool {
        true
    }
}

/// A private key as found in a token, and while that holds.
#[derive(Clone, Debug)]
struct Found {
    id: Vec<u8>,
    handle: ObjectHandle,
    generation: u64,
}

impl Inner {
    fn error(&self, fault: Fault) -> ProviderError {
        let provider = format!("token `{}`", self.config.token);
        match fault {
            Fault::Gone(reason) => ProviderError {
                provider,
                reason: format!("{reason}; see that the token is there"),
                code: code::KEYS_PROVIDER,
                retry: true,
            },
            Fault::Final {
                code,
                retry,
                reason,
            } => ProviderError {
                provider,
                reason,
                code,
                retry,
            },
        }
    }

    fn signer(self: &Arc<Self>, public: PublicKey, found: Found) -> Arc<dyn Signer> {
        let mut hex = Vec::new();
        paygod_types::write_hex(&found.id, &mut hex);
        let key_id = format!(
            "{}/{}#{}",
            self.config.token,
            self.config.label,
            String::from_utf8_lossy(&hex)
        );
        Arc::new(TokenKey {
            inner: Arc::clone(self),
            key_id,
            public,
            found: Mutex::new(found),
        })
    }

    /// Does something in a session; once more, after beginning anew, if the token or session was gone.
    fn with_session<T>(
        &self,
        work: impl Fn(&InSession<'_>) -> Result<T, Fault>,
    ) -> Result<T, ProviderError> {
        let generation = self.module.live().generation;
        match self.attempt(&work) {
            Ok(done) => Ok(done),
            Err(Fault::Gone(_)) => {
                let healed = self.module.heal(generation);
                healed.map_err(|error| self.error(Fault::Gone(error.to_string())))?;
                self.attempt(&work).map_err(|fault| self.error(fault))
            }
            Err(fault) => Err(self.error(fault)),
        }
    }

    /// Does something in a session that is known to work: only looking for one is repeated.
    fn with_session_once<T>(
        &self,
        work: impl Fn(&InSession<'_>) -> Result<T, Fault>,
    ) -> Result<T, ProviderError> {
        self.with_session(|session| self.slot(session.live).map(drop))?;
        self.attempt(&work).map_err(|fault| self.error(fault))
    }

    fn attempt<T>(&self, work: &impl Fn(&InSession<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        let live = self.module.live();
        let session = self.session(&live)?;
        let in_session = InSession {
            session: &session,
            live: &live,
        };
        let done = work(&in_session)?;
        let mut pool = lock(&self.pool);
        if pool.generation == live.generation && pool.sessions.len() < SESSIONS_MAX {
            pool.sessions.push(session);
        }
        Ok(done)
    }

    /// A session that is logged in.
    fn session(&self, live: &Live) -> Result<Session, Fault> {
        let mut pool = lock(&self.pool);
        if pool.generation != live.generation {
            // They ended with their generation. Closing them now could close others of the same number.
            pool.sessions.drain(..).for_each(std::mem::forget);
            pool.generation = live.generation;
        }
        if let Some(session) = pool.sessions.pop() {
            return Ok(session);
        }
        let slot = self.slot(live)?;
        let session = live.context()?.open_rw_session(slot)?;
        let pin = self.pin()?;
        if pool.refused.as_ref() == Some(&pin) {
            let file = self.config.pin_file.display();
            return Err(Fault::pin(format!(
                "the PIN in `{file}` was refused and is not tried again; correct the file"
            )));
        }
        match session.login(UserType::User, Some(&AuthPin::from(pin.to_string()))) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {
                pool.refused = None;
                Ok(session)
            }
            Err(Error::Pkcs11(
                RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange,
                _,
            )) => {
                pool.refused = Some(pin);
                let file = self.config.pin_file.display();
                Err(Fault::pin(format!(
                    "the token refused the PIN in `{file}`; correct the file"
                )))
            }
            Err(Error::Pkcs11(RvError::PinLocked, _)) => Err(Fault::pin(
                "the PIN is locked after too many attempts; unlock it with the security officer's PIN",
            )),
            Err(error) => Err(error.into()),
        }
    }

    fn pin(&self) -> Result<Zeroizing<String>, Fault> {
        read_pin(&self.config.pin_file).map_err(|error| {
            let file = self.config.pin_file.display();
            Fault::pin(format!("the PIN's file `{file}`: {error}"))
        })
    }

    /// The slot of the one token with this label, asked for itself: a module goes on listing a token
    /// that is gone.
    fn slot(&self, live: &Live) -> Result<Slot, Fault> {
        let context = live.context()?;
        let mut slots = Vec::new();
        for slot in context.get_slots_with_token()? {
            let labelled = context
                .get_token_info(slot)
                .is_ok_and(|info| info.label() == self.config.token);
            if labelled {
                slots.push(slot);
            }
        }
        match slots.as_slice() {
            [slot] => Ok(*slot),
            [] => Err(Fault::Gone("there is no token of that label".to_owned())),
            several => Err(Fault::refused(format!(
                "{} tokens have that label; give them labels of their own",
                several.len()
            ))),
        }
    }

    fn find(&self, session: &InSession<'_>, public: &PublicKey) -> Result<Found, Fault> {
        let mut ids = Vec::new();
        for part in self.public_keys(session, public.algorithm)? {
            if part.bytes == public.bytes {
                ids.push(part.id);
            }
        }
        let id = match ids.as_slice() {
            [id] => id.clone(),
            [] => {
                // Nothing found means nothing only while the token is there.
                self.slot(session.live)?;
                return Err(Fault::refused(format!(
                    "no key labelled `{}` is {public:?}",
                    self.config.label
                )));
            }
            several => return Err(self.ambiguous("public", several.len())),
        };
        let handle = self.private(session, &id)?;
        let handle = handle
            .ok_or_else(|| Fault::refused(format!("the token has no private key of {public:?}")))?;
        Ok(Found {
            id,
            handle,
            generation: session.live.generation,
        })
    }

    fn ambiguous(&self, what: &str, count: usize) -> Fault {
        Fault::refused(format!(
            "{count} {what} keys labelled `{}` are the same; remove all but one",
            self.config.label
        ))
    }

    /// Every public key of the label and algorithm.
    fn public_keys(
        &self,
        session: &InSession<'_>,
        algorithm: Algorithm,
    ) -> Result<Vec<PublicPart>, Fault> {
        let mut template = vec![
            Attribute::Class(ObjectClass::PUBLIC_KEY),
            Attribute::Token(true),
            Attribute::Label(self.config.label.clone().into_bytes()),
        ];
        match algorithm {
            // Tokens name its curve in several ways.
            Algorithm::Ed25519 => template.push(Attribute::KeyType(KeyType::EC_EDWARDS)),
            Algorithm::EcdsaP256 => template.extend([
                Attribute::KeyType(KeyType::EC),
                Attribute::EcParams(P256.to_vec()),
            ]),
            Algorithm::Secp256k1 => template.extend([
                Attribute::KeyType(KeyType::EC),
                Attribute::EcParams(SECP256K1.to_vec()),
            ]),
            Algorithm::MlDsa44 => return Err(Fault::refused(NO_ML_DSA)),
        }
        let mut keys = Vec::new();
        for handle in session.session.find_objects(&template)? {
            keys.push(public_part(session.session, algorithm, handle)?);
        }
        Ok(keys)
    }

    /// The one private key of label and id.
    fn private(&self, session: &InSession<'_>, id: &[u8]) -> Result<Option<ObjectHandle>, Fault> {
        let template = [
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::Token(true),
            Attribute::Label(self.config.label.clone().into_bytes()),
            Attribute::Id(id.to_vec()),
        ];
        match session.session.find_objects(&template)?.as_slice() {
            [] => Ok(None),
            [handle] => Ok(Some(*handle)),
            several => Err(self.ambiguous("private", several.len())),
        }
    }

    fn create(
        &self,
        session: &InSession<'_>,
        algorithm: Algorithm,
        id: &[u8],
    ) -> Result<(PublicKey, Found), Fault> {
        let (curve, mechanism) = match algorithm {
            Algorithm::Ed25519 => (EDWARDS25519.to_vec(), Mechanism::EccEdwardsKeyPairGen),
            Algorithm::EcdsaP256 => (P256.to_vec(), Mechanism::EccKeyPairGen),
            Algorithm::Secp256k1 => (SECP256K1.to_vec(), Mechanism::EccKeyPairGen),
            Algorithm::MlDsa44 => return Err(Fault::refused(NO_ML_DSA)),
        };
        let label = || Attribute::Label(self.config.label.clone().into_bytes());
        let public = [
            Attribute::Token(true),
            Attribute::Private(false),
            Attribute::Verify(true),
            Attribute::EcParams(curve),
            label(),
            Attribute::Id(id.to_vec()),
        ];
        let private = [
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
            label(),
            Attribute::Id(id.to_vec()),
        ];
        let made = session
            .session
            .generate_key_pair(&mechanism, &public, &private)?;
        let (public, handle) = made;
        if !is_kept_inside(session.session, handle)? {
            for object in [handle, public] {
                session.session.destroy_object(object)?;
            }
            let reason = "the token made a key that it would give away; the key was destroyed";
            return Err(Fault::refused(reason));
        }
        let PublicPart { bytes, .. } = public_part(session.session, algorithm, public)?;
        let public = PublicKey { algorithm, bytes };
        let found = Found {
            id: id.to_vec(),
            handle,
            generation: session.live.generation,
        };
        Ok((public, found))
    }

    /// The private half for good; the public half stays, so that it can still be seen what there was.
    fn destroy(&self, session: &InSession<'_>, public: &PublicKey) -> Result<(), Fault> {
        for part in self.public_keys(session, public.algorithm)? {
            if part.bytes != public.bytes {
                continue;
            }
            if let Some(handle) = self.private(session, &part.id)? {
                session.session.destroy_object(handle)?;
            }
            return Ok(());
        }
        self.slot(session.live).map(drop)
    }
}

/// A session, and what it belongs to.
struct InSession<'a> {
    session: &'a Session,
    live: &'a Live,
}

/// Whether the token says that the key was made in it and never leaves it.
fn is_kept_inside(session: &Session, handle: ObjectHandle) -> Result<bool, Fault> {
    let wanted = [
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::AlwaysSensitive(true),
        Attribute::NeverExtractable(true),
        Attribute::Local(true),
    ];
    let types = wanted.each_ref().map(Attribute::attribute_type);
    let found = session.get_attributes(handle, &types)?;
    Ok(wanted.iter().all(|wanted| found.contains(wanted)))
}

/// What a token says of a public key.
struct PublicPart {
    id: Vec<u8>,
    /// As [`PublicKey::bytes`] has them.
    bytes: Vec<u8>,
}

fn public_part(
    session: &Session,
    algorithm: Algorithm,
    handle: ObjectHandle,
) -> Result<PublicPart, Fault> {
    let types = [AttributeType::Id, AttributeType::EcPoint];
    let (mut id, mut point) = (Vec::new(), Vec::new());
    for attribute in session.get_attributes(handle, &types)? {
        match attribute {
            Attribute::Id(found) => id = found,
            Attribute::EcPoint(found) => point = found,
            _ => {}
        }
    }
    // In an OCTET STRING, as the standard says, or bare, as some tokens have it.
    let bare = match point.as_slice() {
        [0x04, 0x20, rest @ ..] if rest.len() == 32 => rest,
        [0x04, 0x41, rest @ ..] if rest.len() == 65 => rest,
        [0x04, 0x21, rest @ ..] if rest.len() == 33 => rest,
        bare => bare,
    };
    let bytes = match algorithm {
        Algorithm::Ed25519 => (bare.len() == 32).then(|| bare.to_vec()),
        Algorithm::EcdsaP256 => (bare.len() == 65).then(|| spki(bare)),
        Algorithm::Secp256k1 => {
            let point = secp256k1::PublicKey::from_slice(bare).ok();
            point.map(|point| point.serialize().to_vec())
        }
        Algorithm::MlDsa44 => None,
    };
    let other = || Fault::refused(format!("a public key of the label is not {algorithm:?}"));
    let bytes = bytes.ok_or_else(other)?;
    Ok(PublicPart { id, bytes })
}

fn spki(point: &[u8]) -> Vec<u8> {
    [&P256_SPKI_PREFIX, point].concat()
}

fn read_pin(path: &Path) -> std::io::Result<Zeroizing<String>> {
    use std::io::Read as _;
    let mut pin = Zeroizing::new(String::new());
    let file = std::fs::File::open(path)?;
    file.take(PIN_BYTES_MAX).read_to_string(&mut pin)?;
    while pin.ends_with(['\n', '\r']) {
        pin.pop();
    }
    Ok(pin)
}

/// One private key in a token.
#[derive(Debug)]
struct TokenKey {
    inner: Arc<Inner>,
    key_id: String,
    public: PublicKey,
    found: Mutex<Found>,
}

impl Signer for TokenKey {
    fn key_id(&self) -> &str {
        &self.key_id
    }

    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ProviderError> {
        // Tokens hash for Ed25519; for ECDSA not all do.
        let digest = Digest::sha256(message);
        let (mechanism, message) = match self.public.algorithm {
            Algorithm::Ed25519 => {
                let pure = EddsaParams::new(EddsaSignatureScheme::Pure);
                (Mechanism::Eddsa(pure), message)
            }
            Algorithm::EcdsaP256 => (Mechanism::Ecdsa, digest.as_bytes().as_slice()),
            Algorithm::Secp256k1 if message.len() == DIGEST_BYTES => (Mechanism::Ecdsa, message),
            Algorithm::Secp256k1 => {
                let reason = "it signs digests of 32 bytes and nothing else";
                return Err(self.inner.error(Fault::refused(reason)));
            }
            Algorithm::MlDsa44 => return Err(self.inner.error(Fault::refused(NO_ML_DSA))),
        };
        let signature = self.inner.with_session(|session| {
            let known = lock(&self.found).clone();
            let found = if known.generation == session.live.generation {
                known
            } else {
                self.inner.find(session, &self.public)?
            };
            let signature = session.session.sign(&mechanism, found.handle, message)?;
            *lock(&self.found) = found;
            Ok(signature)
        })?;
        match self.public.algorithm {
            Algorithm::Ed25519 | Algorithm::MlDsa44 => Ok(signature),
            Algorithm::EcdsaP256 => in_der(&signature).ok_or_else(|| {
                self.inner
                    .error(Fault::refused("no ECDSA signature came back"))
            }),
            Algorithm::Secp256k1 => ecdsa::Signature::from_compact(&signature)
                .map(compact)
                .map_err(|_| self.inner.error(Fault::refused("its signature is none"))),
        }
    }
}

/// PKCS#11 has ML-DSA since version 3.2; no module that can be tried has it yet.
const NO_ML_DSA: &str = "it keeps no ML-DSA-44 keys";

/// The two halves of an ECDSA signature, as PKCS#11 has them one after the other, in DER.
fn in_der(signature: &[u8]) -> Option<Vec<u8>> {
    let signature = p256::ecdsa::Signature::from_slice(signature).ok()?;
    Some(signature.to_der().as_bytes().to_vec())
}
