//! JSON-RPC over HTTP, to a node of the operator's own.
//!
//! A node is trusted with nothing that headers can refute, and may be down, slow or out of its mind. So every
//! question ends within its time, an answer is bounded, no redirect is followed, and what a node says in an
//! error is cut short before anybody reads it.

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use paygod_types::{Code, code};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

/// Longest answer, in bytes. The ids of the fullest block there can be take a quarter of it.
const ANSWER_BYTES_MAX: u64 = 8 << 20;

/// Longest file of a cookie or password, in bytes.
const SECRET_BYTES_MAX: u64 = 1_024;

/// Most characters of what a node says that are passed on.
const SAID_CHARS_MAX: usize = 200;

/// How a node knows us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// It asks nothing.
    None,
    /// The file that Bitcoin Core writes at every start (`.cookie`); read anew for every question.
    Cookie(PathBuf),
    /// A name, and the file that holds the password; read anew for every question.
    Password {
        /// The name.
        user: String,
        /// The file.
        file: PathBuf,
    },
}

/// Where a node is.
#[derive(Clone, Debug)]
pub struct Rpc {
    agent: ureq::Agent,
    url: String,
    /// Without the path, which may hold a secret of a hosted node.
    shown: String,
    login: Login,
}

/// A node could not be asked, or did not answer as one should.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// The address is none.
    #[error(
        "`{url}` is no address of a node: write `https://HOST[:PORT]`, or `http://127.0.0.1:PORT` for one on this machine"
    )]
    Address {
        /// The address, without what stands before an `@`.
        url: String,
    },
    /// The cookie or password cannot be read.
    #[error("the login of the node, `{}`, cannot be read: {reason}; is the node running?", path.display())]
    Secret {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The node does not know us.
    #[error("the node `{url}` refuses the login; name its cookie or password file")]
    Login {
        /// The node.
        url: String,
    },
    /// No answer, or none in time.
    #[error("the node `{url}` does not answer `{method}`: {reason}")]
    Silent {
        /// The node.
        url: String,
        /// What was asked.
        method: &'static str,
        /// What the library says.
        reason: String,
    },
    /// The answer is none.
    #[error("the node `{url}` answers `{method}` with what is no answer: {reason}")]
    Garbage {
        /// The node.
        url: String,
        /// What was asked.
        method: &'static str,
        /// Why.
        reason: String,
    },
    /// The node says no.
    #[error("the node `{url}` refuses `{method}`: {said} ({number})")]
    Refused {
        /// The node.
        url: String,
        /// What was asked.
        method: &'static str,
        /// The number of its error.
        number: i64,
        /// What it says, cut short.
        said: String,
    },
}

impl RpcError {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Address { .. } => code::ANCHOR_NOT_ALLOWED,
            _ => code::ANCHOR_NODE,
        }
    }

    /// The number of the node's own error, if it said no.
    #[must_use]
    pub const fn number(&self) -> Option<i64> {
        match self {
            Self::Refused { number, .. } => Some(*number),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<Said>,
}

#[derive(Deserialize)]
struct Said {
    code: i64,
    #[serde(default)]
    message: String,
}

impl Rpc {
    /// A node at an address, each question within `timeout`. Without TLS only on this machine: whoever
    /// listens on the way would else have the login.
    ///
    /// # Errors
    /// The address is none.
    pub fn new(url: &str, login: Login, timeout: Duration) -> Result<Self, RpcError> {
        if !is_address(url) {
            let shown = url.rsplit_once('@').map_or(url, |(_, host)| host);
            return Err(RpcError::Address {
                url: shown.chars().take(SAID_CHARS_MAX).collect(),
            });
        }
        Ok(Self {
            agent: agent(timeout),
            url: url.trim_end_matches('/').to_owned(),
            shown: url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/"),
            login,
        })
    }

    /// The same node, with another time for each question.
    #[must_use]
    pub fn within(&self, timeout: Duration) -> Self {
        Self {
            agent: agent(timeout),
            ..self.clone()
        }
    }

    /// The address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Asks, and reads the answer as `T`.
    ///
    /// # Errors
    /// The node does not answer, says no, or answers something else.
    pub fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: &serde_json::Value,
    ) -> Result<T, RpcError> {
        let text = self.post(method, params)?;
        let garbage = |reason: String| RpcError::Garbage {
            url: self.shown.clone(),
            method,
            reason,
        };
        let answer: Answer<'_> =
            serde_json::from_str(&text).map_err(|error| garbage(error.to_string()))?;
        if let Some(said) = answer.error {
            return Err(RpcError::Refused {
                url: self.shown.clone(),
                method,
                number: said.code,
                said: printable(&said.message),
            });
        }
        let result = answer.result.map_or("null", RawValue::get);
        serde_json::from_str(result).map_err(|error| garbage(error.to_string()))
    }

    fn post(&self, method: &'static str, params: &serde_json::Value) -> Result<String, RpcError> {
        let silent = |reason: String| RpcError::Silent {
            url: self.shown.clone(),
            method,
            reason,
        };
        let body =
            serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let mut request = self
            .agent
            .post(&self.url)
            .header("content-type", "application/json");
        if let Some(login) = self.login()? {
            request = request.header("authorization", login.as_str());
        }
        let mut answer = request
            .send(body.to_string())
            .map_err(|error| silent(error.to_string()))?;
        match answer.status().as_u16() {
            // An error of JSON-RPC has status 200, 404 or 500, by the node's age.
            200 | 404 | 500 => {}
            401 | 403 => {
                return Err(RpcError::Login {
                    url: self.shown.clone(),
                });
            }
            status => return Err(silent(format!("status {status}"))),
        }
        let mut text = Vec::new();
        let body = answer.body_mut().as_reader();
        body.take(ANSWER_BYTES_MAX.saturating_add(1))
            .read_to_end(&mut text)
            .map_err(|error| silent(error.to_string()))?;
        let garbage = |reason: &str| RpcError::Garbage {
            url: self.shown.clone(),
            method,
            reason: reason.to_owned(),
        };
        if u64::try_from(text.len()).is_ok_and(|length| length > ANSWER_BYTES_MAX) {
            return Err(garbage("it is too long"));
        }
        String::from_utf8(text).map_err(|_| garbage("it is no text"))
    }

    fn login(&self) -> Result<Option<Zeroizing<String>>, RpcError> {
        let pair = match &self.login {
            Login::None => return Ok(None),
            Login::Cookie(path) => secret(path)?,
            Login::Password { user, file } => {
                Zeroizing::new(format!("{user}:{}", secret(file)?.as_str()))
            }
        };
        let encoded = Zeroizing::new(BASE64_STANDARD.encode(pair.as_bytes()));
        Ok(Some(Zeroizing::new(format!("Basic {}", encoded.as_str()))))
    }
}

fn agent(timeout: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .user_agent("paygod")
        .proxy(None)
        .build()
        .new_agent()
}

fn secret(path: &PathBuf) -> Result<Zeroizing<String>, RpcError> {
    let refuse = |reason: String| RpcError::Secret {
        path: path.clone(),
        reason,
    };
    let mut text = Zeroizing::new(String::new());
    File::open(path)
        .and_then(|file| file.take(SECRET_BYTES_MAX).read_to_string(&mut text))
        .map_err(|error| refuse(error.to_string()))?;
    while text.ends_with(['\n', '\r']) {
        text.pop();
    }
    if text.is_empty() {
        return Err(refuse("it is empty".to_owned()));
    }
    Ok(text)
}

fn is_address(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else {
        return false;
    };
    let host = rest.split('/').next().unwrap_or_default();
    let named = host
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte));
    let here = ["127.0.0.1", "[::1]", "localhost"]
        .iter()
        .filter_map(|name| host.strip_prefix(name))
        .any(|rest| rest.is_empty() || rest.starts_with(':'));
    named && !host.is_empty() && (scheme == "https" || (scheme == "http" && here))
}

fn printable(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_control())
        .take(SAID_CHARS_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tls_or_this_machine_is_asked() {
        for good in [
            "http://127.0.0.1:8332",
            "http://localhost:8332/",
            "http://[::1]:8332",
            "https://node.example.com",
            "https://node.example.com:443/v3/key",
        ] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "",
            "127.0.0.1:8332",
            "http://node.example.com",
            "http://127.0.0.1.example.com",
            "http://user:secret@127.0.0.1:8332",
            "ftp://127.0.0.1",
            "https://",
        ] {
            let error = Rpc::new(bad, Login::None, Duration::from_secs(1)).unwrap_err();
            assert!(!error.to_string().contains("secret"), "{bad}");
        }
    }

    #[test]
    fn the_path_of_an_address_is_in_no_error() {
        let rpc = Rpc::new(
            "http://127.0.0.1:1/v3/secret",
            Login::None,
            Duration::from_secs(1),
        );
        let asked = rpc
            .unwrap()
            .ask::<u64>("eth_chainId", &serde_json::json!([]));
        let told = asked.unwrap_err().to_string();
        assert!(
            told.contains("http://127.0.0.1:1`") && !told.contains("secret"),
            "{told}"
        );
    }
}
