//! What authorises us to AWS: found as AWS's own tools find it, or in the one file that was named; kept until it
//! expires or is refused; and put under each request (Signature Version 4).

use std::fmt;
use std::fs;
use std::io::Read as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use paygod_types::Digest;
use reqsign_aws_v4::{
    Credential, DefaultCredentialProvider, ProfileCredentialProvider, RequestSigner,
};
use reqsign_core::{
    Context, Error, FileRead, HttpSend, OsEnv, ProvideCredentialDyn, SignRequest as _,
    SigningCredential as _,
};
use ureq::http::{HeaderValue, Request, Response};
use ureq::tls::RootCerts;

use super::{Fault, KmsConfig};
use crate::http;

/// Longest file of credentials, or of a token that is exchanged for some, worth reading, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// How long whoever hands out credentials is waited for: the metadata service of an instance answers at once, and
/// on a machine that is none nobody does.
const PATIENCE: Duration = Duration::from_secs(5);

/// Finds, keeps and uses credentials.
pub(super) struct Credentials {
    context: Context,
    provider: Box<dyn ProvideCredentialDyn<Credential = Credential>>,
    signer: RequestSigner,
    kept: Mutex<Option<Credential>>,
    /// Whether somebody who hands out credentials did not answer.
    unanswered: Arc<AtomicBool>,
    named: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.named)
    }
}

impl Credentials {
    /// Looks at nothing yet.
    pub(super) fn new(config: &KmsConfig) -> Self {
        let unanswered = Arc::new(AtomicBool::new(false));
        let context = Context::new()
            .with_env(OsEnv)
            .with_file_read(BoundedFiles)
            .with_http_send(BoundedHttp {
                agent: http::agent(RootCerts::WebPki),
                unanswered: Arc::clone(&unanswered),
            });
        let (provider, named) = provider(config);
        Self {
            context,
            provider,
            signer: RequestSigner::new("kms", &config.region),
            kept: Mutex::default(),
            unanswered,
            named,
        }
    }

    /// Where they come from, as an operator knows it.
    pub(super) fn named(&self) -> &str {
        &self.named
    }

    /// Forgets those that are kept, because they were refused. `false`: there were none.
    pub(super) fn forget(&self) -> bool {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.take().is_some()
    }

    fn find(&self) -> Result<Credential, Fault> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(credential) = kept.as_ref().filter(|credential| credential.is_valid()) {
            return Ok(credential.clone());
        }
        self.unanswered.store(false, Ordering::Relaxed);
        let found = self.provider.provide_credential_dyn(&self.context);
        let named = &self.named;
        match pollster::block_on(found) {
            Ok(Some(credential)) => Ok(kept.insert(credential).clone()),
            _ if self.unanswered.load(Ordering::Relaxed) => Err(Fault::Away(format!(
                "no credentials for AWS are in {named}, or what hands them out does not answer"
            ))),
            // The library's own error may hold a part of what it read.
            _ => Err(Fault::Credentials(format!(
                "no credentials for AWS are in {named}"
            ))),
        }
    }

    /// The request with what authorises it and its body.
    pub(super) fn sign(&self, request: Request<()>, body: &str) -> Result<Request<()>, Fault> {
        let refuse = || {
            let named = &self.named;
            Fault::Credentials(format!("the credentials for AWS in {named} sign nothing"))
        };
        let credential = self.find()?;
        let (mut head, ()) = request.into_parts();
        let digest = Digest::sha256(body.as_bytes()).to_string();
        let digest = HeaderValue::from_str(&digest).map_err(|_| refuse())?;
        head.headers.insert("x-amz-content-sha256", digest);
        let (context, signer) = (&self.context, &self.signer);
        let signed = signer.sign_request(context, &mut head, Some(&credential), None);
        pollster::block_on(signed).map_err(|_| refuse())?;
        Ok(Request::from_parts(head, ()))
    }
}

fn provider(
    config: &KmsConfig,
) -> (
    Box<dyn ProvideCredentialDyn<Credential = Credential>>,
    String,
) {
    let Some(file) = &config.credentials_file else {
        let mut chain = DefaultCredentialProvider::builder().no_process();
        let mut named = "the environment, AWS's own files, or the machine's role".to_owned();
        if let Some(profile) = &config.profile {
            // Whoever names one means that one, and not what the environment happens to say.
            chain = chain.no_env().with_profile(profile);
            named = format!("the profile `{profile}` of AWS's own files");
        }
        return (Box::new(chain.build()), named);
    };
    let profile = config.profile.as_deref().unwrap_or("default");
    let named = format!("the file `{}`, profile `{profile}`", file.display());
    let provider = ProfileCredentialProvider::new()
        .with_credentials_file(file.to_string_lossy())
        // No other file takes its place.
        .with_config_file("/dev/null")
        .with_profile(profile);
    (Box::new(provider), named)
}

/// Files, up to a length.
#[derive(Debug)]
struct BoundedFiles;

impl FileRead for BoundedFiles {
    async fn file_read(&self, path: &str) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let read =
            fs::File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes));
        read.map_err(|error| Error::config_invalid(error.to_string()))?;
        Ok(bytes)
    }
}

/// Requests to whoever hands out credentials, within the bounds of all our requests.
#[derive(Debug)]
struct BoundedHttp {
    agent: ureq::Agent,
    unanswered: Arc<AtomicBool>,
}

impl HttpSend for BoundedHttp {
    async fn http_send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        let request = request.map(|body| body.to_vec());
        let within = self.agent.configure_request(request);
        let within = within.timeout_global(Some(PATIENCE)).build();
        match http::answer(self.agent.run(within)) {
            Ok(answer) => Ok(answer.map(Bytes::from)),
            Err(error) => {
                self.unanswered.store(true, Ordering::Relaxed);
                Err(Error::unexpected(error.to_string()))
            }
        }
    }
}
