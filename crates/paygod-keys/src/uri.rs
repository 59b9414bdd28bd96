//! Where keys are, in one line without secrets: a PKCS#11 URI (RFC 7512).
//!
//! `pkcs11:token=paygod;object=checkpoint?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/pin`
//!
//! INVARIANT(bounded-parser): at most [`URI_BYTES_MAX`], and nothing that it does not know: a misspelt
//! attribute would otherwise be one that is silently not there.

use std::sync::Arc;

use paygod_types::code;

use crate::pkcs11::{Token, TokenConfig};
use crate::signer::{Provider, ProviderError};

/// Longest URI, in bytes.
pub const URI_BYTES_MAX: usize = 2_048;

/// Opens the provider that a URI names.
///
/// # Errors
/// The URI is none, or the provider cannot be used. The PIN is not looked at yet.
pub fn open(uri: &str) -> Result<Arc<dyn Provider>, ProviderError> {
    Ok(Arc::new(Token::new(parse(uri)?)?))
}

/// Reads a PKCS#11 URI.
///
/// # Errors
/// It is none, lacks an attribute that is needed, or has one that is not known.
pub fn parse(uri: &str) -> Result<TokenConfig, ProviderError> {
    let refuse = |reason: &str| ProviderError {
        provider: "configuration".to_owned(),
        reason: format!(
            "{reason}; write `pkcs11:token=…;object=…?module-path=…&pin-source=file:…`"
        ),
        code: code::KEYS_CONFIG,
        retry: false,
    };
    if uri.len() > URI_BYTES_MAX {
        return Err(refuse("the address of the keys is too long"));
    }
    let rest = uri
        .strip_prefix("pkcs11:")
        .ok_or_else(|| refuse("the address of the keys does not begin with `pkcs11:`"))?;
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (mut token, mut label, mut module, mut pin) = (None, None, None, None);
    for (part, separated) in [(path, ';'), (query, '&')] {
        for attribute in part.split(separated).filter(|text| !text.is_empty()) {
            let (name, value) = attribute
                .split_once('=')
                .ok_or_else(|| refuse("an attribute has no value"))?;
            let slot = match (name, separated) {
                ("token", ';') => &mut token,
                ("object", ';') => &mut label,
                ("module-path", '&') => &mut module,
                ("pin-source", '&') => &mut pin,
                // A PIN in the address would be in the configuration, in process lists, in logs.
                ("pin-value", _) => return Err(refuse("a PIN does not belong here")),
                _ => return Err(refuse("an attribute is not known")),
            };
            let value = decode(value).ok_or_else(|| refuse("a value is not well encoded"))?;
            if value.is_empty() || slot.replace(value).is_some() {
                return Err(refuse("an attribute is empty or there twice"));
            }
        }
    }
    let (Some(token), Some(label), Some(module), Some(pin)) = (token, label, module, pin) else {
        return Err(refuse("an attribute is missing"));
    };
    let pin = pin.strip_prefix("file:").unwrap_or(&pin).to_owned();
    Ok(TokenConfig {
        module: module.into(),
        token,
        label,
        pin_file: pin.into(),
    })
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
        assert_eq!(parse(uri), Ok(config));
    }

    #[test]
    fn a_uri_with_a_pin_or_anything_misspelt_is_refused_without_repeating_it() {
        let good = "pkcs11:token=t;object=o?module-path=/m&pin-source=/p";
        assert!(parse(good).is_ok());
        for wrong in [
            "",
            "pkcs11:",
            "awskms:alias/x",
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
}
