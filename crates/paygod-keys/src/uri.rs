//! Where keys are, in one line without secrets.
//!
//! A hardware module, as a PKCS#11 URI (RFC 7512):
//! `pkcs11:token=paygod;object=checkpoint?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/pin`
//!
//! A key service, OpenBao or Vault, as mount and prefix of its transit keys:
//! `transit+https://bao.example.com:8200/transit/checkpoint?token-source=file:/run/token&ca-source=file:/etc/ca.pem`
//!
//! AWS KMS, as region and prefix of its aliases: `awskms:eu-central-1/checkpoint`
//!
//! For development, a folder of encrypted key files:
//! `file:/var/lib/paygod/keys?passphrase-source=file:/run/passphrase`
//!
//! INVARIANT(bounded-parser): at most [`URI_BYTES_MAX`], and nothing that it does not know: a misspelt
//! attribute would otherwise be one that is silently not there.

use std::sync::Arc;

use paygod_types::code;

use crate::folder::{Folder, FolderConfig};
use crate::kms::{Kms, KmsConfig};
use crate::pkcs11::{Token, TokenConfig};
use crate::signer::{Provider, ProviderError};
use crate::transit::{Transit, TransitConfig};

/// Longest URI, in bytes.
pub const URI_BYTES_MAX: usize = 2_048;

/// Longest prefix of aliases, in bytes: an alias has 256, with `alias/` and 65 of ours.
const ALIAS_PREFIX_BYTES_MAX: usize = 128;

/// How each kind is written.
const PKCS11: &str = "pkcs11:token=…;object=…?module-path=…&pin-source=file:…";
const TRANSIT: &str = "transit+https://HOST:PORT/MOUNT/PREFIX?token-source=file:…";
const KMS: &str = "awskms:REGION/PREFIX";
const FILE: &str = "file:/FOLDER?passphrase-source=file:…";

/// Where keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a hardware module.
    Pkcs11(TokenConfig),
    /// In a key service.
    Transit(TransitConfig),
    /// In AWS KMS.
    Kms(KmsConfig),
    /// In encrypted files.
    Folder(FolderConfig),
}

/// Opens the provider that a URI names.
///
/// # Errors
/// The URI is none, or the provider cannot be used. PIN and token are not looked at yet.
pub fn open(uri: &str) -> Result<Arc<dyn Provider>, ProviderError> {
    Ok(match parse(uri)? {
        Place::Pkcs11(config) => Arc::new(Token::new(config)?),
        Place::Transit(config) => Arc::new(Transit::new(config)?),
        Place::Kms(config) => Arc::new(Kms::new(config)),
        Place::Folder(config) => Arc::new(Folder::new(config)),
    })
}

/// Reads where keys are.
///
/// # Errors
/// It is no URI of these kinds, lacks an attribute that is needed, or has one that is not known.
pub fn parse(uri: &str) -> Result<Place, ProviderError> {
    let refuse = |reason: &str, right: &str| ProviderError {
        provider: "configuration".to_owned(),
        reason: format!("{reason}; write {right}"),
        code: code::KEYS_CONFIG,
        retry: false,
    };
    let any = format!("`{PKCS11}`, `{TRANSIT}`, `{KMS}` or `{FILE}`");
    if uri.len() > URI_BYTES_MAX {
        return Err(refuse("the address of the keys is too long", &any));
    }
    let Some((scheme, rest)) = uri.split_once(':') else {
        return Err(refuse("the address of the keys has no scheme", &any));
    };
    let (parsed, right) = match scheme {
        "pkcs11" => (pkcs11(rest).map(Place::Pkcs11), PKCS11),
        "transit+http" | "transit+https" => (transit(uri).map(Place::Transit), TRANSIT),
        "awskms" => (kms(rest).map(Place::Kms), KMS),
        "file" => (folder(rest).map(Place::Folder), FILE),
        _ => {
            let reason = "the address of the keys begins with no scheme that is known";
            return Err(refuse(reason, &any));
        }
    };
    parsed.map_err(|reason| refuse(reason, &format!("`{right}`")))
}

/// The values of the known attributes, each there once at most.
fn attributes<const N: usize>(
    text: &str,
    separator: char,
    known: [&str; N],
) -> Result<[Option<String>; N], &'static str> {
    let mut values = [const { None }; N];
    for attribute in text.split(separator).filter(|text| !text.is_empty()) {
        let (name, value) = attribute
            .split_once('=')
            .ok_or("an attribute has no value")?;
        // A secret in the address would be in the configuration, in process lists, in logs.
        if SECRETS.contains(&name) {
            return Err("a secret does not belong here");
        }
        let place = known.iter().position(|known| *known == name);
        let place = place.and_then(|place| values.get_mut(place));
        let place = place.ok_or("an attribute is not known")?;
        let value = decode(value).ok_or("a value is not well encoded")?;
        if value.is_empty() || place.replace(value).is_some() {
            return Err("an attribute is empty or there twice");
        }
    }
    Ok(values)
}

const SECRETS: [&str; 5] = [
    "pin-value",
    "token-value",
    "password",
    "passphrase",
    "secret-access-key",
];

const MISSING: &str = "an attribute is missing";

fn pkcs11(rest: &str) -> Result<TokenConfig, &'static str> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let [token, label] = attributes(path, ';', ["token", "object"])?;
    let [module, pin] = attributes(query, '&', ["module-path", "pin-source"])?;
    let (Some(token), Some(label), Some(module), Some(pin)) = (token, label, module, pin) else {
        return Err(MISSING);
    };
    Ok(TokenConfig {
        module: module.into(),
        token,
        label,
        pin_file: file(&pin).into(),
    })
}

fn transit(uri: &str) -> Result<TransitConfig, &'static str> {
    let (address, query) = uri.split_once('?').unwrap_or((uri, ""));
    let address = address.strip_prefix("transit+").unwrap_or(address);
    let [token, ca, namespace] =
        attributes(query, '&', ["token-source", "ca-source", "namespace"])?;
    let (scheme, rest) = address.split_once("://").ok_or("there is no host")?;
    let (host, path) = rest.split_once('/').ok_or("there is no mount")?;
    let (mount, prefix) = path.rsplit_once('/').ok_or("there is no prefix of keys")?;
    if !is_host(host) {
        return Err("the host is none");
    }
    is_guarded(scheme, host)?;
    if !mount.split('/').all(is_named) || !is_named(prefix) {
        return Err("mount and prefix are letters, digits, `_` and `-`");
    }
    if namespace
        .as_ref()
        .is_some_and(|text: &String| !text.split('/').all(is_named))
    {
        return Err("a namespace is letters, digits, `_` and `-`");
    }
    Ok(TransitConfig {
        address: format!("{scheme}://{host}"),
        mount: mount.to_owned(),
        prefix: prefix.to_owned(),
        token_file: file(&token.ok_or(MISSING)?).into(),
        ca_file: ca.map(|ca| file(&ca).into()),
        namespace,
    })
}

fn kms(rest: &str) -> Result<KmsConfig, &'static str> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let known = ["endpoint", "credentials-source", "profile"];
    let [endpoint, credentials, profile] = attributes(query, '&', known)?;
    let (region, prefix) = path
        .split_once('/')
        .ok_or("there is no prefix of aliases")?;
    // Every region's name has one; a word without is something else.
    if !region.contains('-')
        || !is_named(region)
        || !is_named(prefix)
        || prefix.len() > ALIAS_PREFIX_BYTES_MAX
    {
        return Err("region and prefix are letters, digits, `_` and `-`, and not long");
    }
    if let Some(endpoint) = &endpoint {
        let (scheme, host) = endpoint
            .split_once("://")
            .ok_or("the endpoint has no scheme")?;
        if !is_host(host) {
            return Err("the endpoint's host is none");
        }
        is_guarded(scheme, host)?;
    }
    Ok(KmsConfig {
        region: region.to_owned(),
        prefix: prefix.to_owned(),
        endpoint,
        credentials_file: credentials.map(|source| file(&source).into()),
        profile,
    })
}

fn folder(rest: &str) -> Result<FolderConfig, &'static str> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let [passphrase] = attributes(query, '&', ["passphrase-source"])?;
    let path = decode(path).ok_or("the folder is not well encoded")?;
    // One that hung on where a command is started would be another tomorrow; `//host/path` names a host.
    if !path.starts_with('/') || path.starts_with("//") {
        return Err("the folder is not a whole path");
    }
    Ok(FolderConfig {
        folder: path.into(),
        passphrase_file: passphrase.map(|source| file(&source).into()),
    })
}

/// `file:/path` or a path.
fn file(source: &str) -> &str {
    source.strip_prefix("file:").unwrap_or(source)
}

fn is_named(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// Nobody on the way learns what authorises us.
fn is_guarded(scheme: &str, host: &str) -> Result<(), &'static str> {
    match scheme {
        "https" => Ok(()),
        "http" if is_loopback(host) => Ok(()),
        "http" => Err("what authorises us goes to another machine under TLS only"),
        _ => Err("it is neither https nor, on loopback, http"),
    }
}

/// A host and a port, without credentials.
fn is_host(host: &str) -> bool {
    !host.is_empty()
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
}

fn is_loopback(host: &str) -> bool {
    ["127.0.0.1", "[::1]", "localhost"]
        .iter()
        .filter_map(|name| host.strip_prefix(name))
        .any(|rest| rest.is_empty() || rest.starts_with(':'))
}

/// Undoes percent-encoding (RFC 3986, section 2.1).
fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
        out.push(u8::try_from(high.checked_mul(16)?.checked_add(low)?).ok()?);
    }
    String::from_utf8(out)
        .ok()
        .filter(|text| !text.contains('\0'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
    use super::*;

    #[test]
    fn a_pkcs11_uri_names_module_token_label_and_the_file_of_the_pin() {
        let uri = "pkcs11:token=My%20token;object=checkpoint?module-path=/lib/x.so&pin-source=file:/run/pin";
        let config = TokenConfig {
            module: "/lib/x.so".into(),
            token: "My token".to_owned(),
            label: "checkpoint".to_owned(),
            pin_file: "/run/pin".into(),
        };
        assert_eq!(parse(uri), Ok(Place::Pkcs11(config)));
    }

    #[test]
    fn a_uri_with_a_pin_or_anything_misspelt_is_refused_without_repeating_it() {
        let good = "pkcs11:token=t;object=o?module-path=/m&pin-source=/p";
        assert!(parse(good).is_ok());
        for wrong in [
            "",
            "pkcs11:",
            "pkcs11:token=t;object=o?module-path=/m",
            "pkcs11:token=t;object=o?module-path=/m&pin-value=1234",
            "pkcs11:token=t;object=o;pin-source=/p?module-path=/m&pin-source=/p",
            "pkcs11:token=t;token=u;object=o?module-path=/m&pin-source=/p",
            "pkcs11:tokn=t;object=o?module-path=/m&pin-source=/p",
            "pkcs11:token=%4;object=o?module-path=/m&pin-source=/p",
            "pkcs11:token=%00;object=o?module-path=/m&pin-source=/p",
            "pkcs11:token=;object=o?module-path=/m&pin-source=/p",
        ] {
            let error = parse(wrong).unwrap_err();
            assert_eq!(error.code.as_str(), "keys.config", "{wrong}");
            assert!(!error.to_string().contains("1234"));
        }
        let long = format!("{good}{}", "x".repeat(URI_BYTES_MAX));
        assert!(parse(&long).is_err());
    }

    #[test]
    fn a_kms_address_names_region_and_prefix_and_never_a_key() {
        let config = KmsConfig {
            region: "eu-central-1".to_owned(),
            prefix: "checkpoint".to_owned(),
            endpoint: Some("http://127.0.0.1:4566".to_owned()),
            credentials_file: Some("/run/aws".into()),
            profile: Some("signer".to_owned()),
        };
        let uri = "awskms:eu-central-1/checkpoint\
                   ?endpoint=http://127.0.0.1:4566&credentials-source=file:/run/aws&profile=signer";
        assert_eq!(parse(uri), Ok(Place::Kms(config)));
        assert!(parse("awskms:eu-central-1/checkpoint").is_ok());
        let long = format!("awskms:eu-central-1/{}", "x".repeat(200));
        for wrong in [
            "awskms:",
            "awskms:eu-central-1",
            "awskms:eu-central-1/",
            "awskms:alias/x/y",
            "awskms:alias/x",
            "awskms:eu.central/x",
            "awskms:eu-central-1/x?endpoint=http://kms.example.com",
            "awskms:eu-central-1/x?endpoint=https://key:hunter2@example.com",
            "awskms:eu-central-1/x?secret-access-key=hunter2",
            &long,
        ] {
            let error = parse(wrong).unwrap_err();
            assert_eq!(error.code.as_str(), "keys.config", "{wrong}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn a_folder_is_a_whole_path_and_its_passphrase_is_in_a_file() {
        let config = FolderConfig {
            folder: "/var/lib/my keys".into(),
            passphrase_file: Some("/run/passphrase".into()),
        };
        let uri = "file:/var/lib/my%20keys?passphrase-source=file:/run/passphrase";
        assert_eq!(parse(uri), Ok(Place::Folder(config)));
        assert!(parse("file:/keys").is_ok());
        for wrong in [
            "file:",
            "file:keys",
            "file://host/keys",
            "file:/keys?passphrase=hunter2",
            "file:/keys?passphrase-source=",
            "file:/keys?pass=hunter2",
        ] {
            let error = parse(wrong).unwrap_err();
            assert_eq!(error.code.as_str(), "keys.config", "{wrong}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn a_transit_address_names_service_mount_prefix_and_files() {
        let uri = "transit+https://bao.example.com:8200/kv/transit/checkpoint\
                   ?token-source=file:/run/token&ca-source=file:/etc/ca.pem&namespace=team/a";
        let config = TransitConfig {
            address: "https://bao.example.com:8200".to_owned(),
            mount: "kv/transit".to_owned(),
            prefix: "checkpoint".to_owned(),
            token_file: "/run/token".into(),
            ca_file: Some("/etc/ca.pem".into()),
            namespace: Some("team/a".to_owned()),
        };
        assert_eq!(parse(uri), Ok(Place::Transit(config)));
        assert!(parse("transit+http://127.0.0.1:8200/t/c?token-source=/t").is_ok());
        assert!(parse("transit+http://[::1]:8200/t/c?token-source=/t").is_ok());
    }

    #[test]
    fn a_transit_address_that_would_give_the_token_away_or_is_misspelt_is_refused() {
        for wrong in [
            "transit+http://bao.example.com:8200/t/c?token-source=/t",
            "transit+http://127.0.0.1.example.com/t/c?token-source=/t",
            "transit+http://localhost@example.com/t/c?token-source=/t",
            "transit+https://user:hunter2@example.com/t/c?token-source=/t",
            "transit+https://example.com/t/c?token=hunter2",
            "transit+https://example.com/t/c?token-source=/t&tokn=hunter2",
            "transit+https://example.com/t/c",
            "transit+https://example.com/c?token-source=/t",
            "transit+https:///t/c?token-source=/t",
            "transit+https://example.com/t/../sys/c?token-source=/t",
            "transit+https://example.com/t/c?token-source=/t&namespace=a%0ab",
            "transit+ftp://example.com/t/c?token-source=/t",
            "transit+",
        ] {
            let error = parse(wrong).unwrap_err();
            assert_eq!(error.code.as_str(), "keys.config", "{wrong}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }
}
