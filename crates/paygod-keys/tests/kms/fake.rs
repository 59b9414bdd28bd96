//! ML-DSA-44 keys in AWS KMS, as far as they can be tried without it.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paygod_keys::{Algorithm, CosignerKey, NoteKey, Signer};
use paygod_tlog::{CosignatureVerifier, Cosigner, KeyName, MlDsa44Cosigner, cosign};
use serde_json::{Value, json};

use super::{Asked, Home, Lie, REGION, first, lying_proxy, refusal, reply, signs};

/// A fake of AWS KMS as far as ML-DSA goes, after its API reference: what it demands of requests is
/// demanded, what it answers is there. It is no proof that AWS's own does the same.
#[derive(Default)]
struct FakeKmsWithMlDsa {
    /// Seed and state of each key, by ARN.
    keys: BTreeMap<String, ([u8; 32], &'static str)>,
    aliases: BTreeMap<String, String>,
}

/// `SubjectPublicKeyInfo` up to the key: id-ml-dsa-44 is 2.16.840.1.101.3.4.3.17, without parameters (RFC 9881).
const ML_DSA_44_SPKI: &str = "30820532 300b 0609 608648016503040311 03820521 00";

impl FakeKmsWithMlDsa {
    fn start() -> String {
        let mut fake = Self::default();
        let lie: Lie = Box::new(move |asked| Some(fake.answer(asked)));
        lying_proxy("http://127.0.0.1:1", lie).0
    }

    fn answer(&mut self, asked: &Asked) -> String {
        let body: Value = serde_json::from_str(&asked.body).unwrap();
        let bad = |kind: &str| refusal("400 Bad Request", kind);
        let word = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        if asked.operation == "CreateKey" {
            if word("KeySpec") != "ML_DSA_44" || word("KeyUsage") != "SIGN_VERIFY" {
                return bad("ValidationException");
            }
            let number = u8::try_from(self.keys.len()).unwrap() + 1;
            let arn = format!("arn:aws:kms:{REGION}:111122223333:key/{number}");
            self.keys.insert(arn.clone(), ([number; 32], "Enabled"));
            return self.metadata(&arn);
        }
        if asked.operation == "CreateAlias" {
            let (alias, to) = (word("AliasName"), word("TargetKeyId"));
            if self.aliases.contains_key(&alias) {
                return bad("AlreadyExistsException");
            }
            assert!(alias.len() <= 256 && self.keys.contains_key(&to));
            self.aliases.insert(alias, to);
            return reply("200 OK", "");
        }
        let named = word("KeyId");
        let arn = self.aliases.get(&named).cloned().unwrap_or(named);
        let Some((seed, state)) = self.keys.get_mut(&arn) else {
            return bad("NotFoundException");
        };
        let (spec, algorithm) = ("ML_DSA_44", "ML_DSA_SHAKE_256");
        let key = MlDsa44Cosigner::new(KeyName::parse("kms").unwrap(), seed).unwrap();
        let told = match asked.operation.as_str() {
            "DescribeKey" => return self.metadata(&arn),
            "ScheduleKeyDeletion" => {
                *state = "PendingDeletion";
                json!({ "KeyId": arn, "KeyState": state, "PendingWindowInDays": 7 })
            }
            _ if *state != "Enabled" => return bad("KMSInvalidStateException"),
            "GetPublicKey" => {
                let mut spki = Vec::new();
                let digits: Vec<u8> = (ML_DSA_44_SPKI.bytes()).filter(|b| *b != b' ').collect();
                for pair in digits.chunks(2) {
                    let pair = str::from_utf8(pair).unwrap();
                    spki.push(u8::from_str_radix(pair, 16).unwrap());
                }
                spki.extend_from_slice(key.verifier_key().public_key());
                json!({
                    "KeyId": arn, "PublicKey": STANDARD.encode(spki), "KeySpec": spec,
                    "CustomerMasterKeySpec": spec, "KeyUsage": "SIGN_VERIFY",
                    "SigningAlgorithms": [algorithm],
                })
            }
            "Sign" => {
                let message = STANDARD.decode(word("Message")).unwrap();
                let is_raw = word("MessageType") == "RAW" && message.len() <= 4_096;
                if !is_raw || word("SigningAlgorithm") != algorithm {
                    return bad("ValidationException");
                }
                let signature = key.sign_message(&message).unwrap();
                json!({
                    "KeyId": arn, "Signature": STANDARD.encode(signature),
                    "SigningAlgorithm": algorithm,
                })
            }
            _ => return bad("UnsupportedOperationException"),
        };
        reply("200 OK", &told.to_string())
    }

    fn metadata(&self, arn: &str) -> String {
        let (_, state) = &self.keys[arn];
        let told = json!({ "KeyMetadata": {
            "AWSAccountId": "111122223333", "Arn": arn, "KeyId": arn, "KeySpec": "ML_DSA_44",
            "CustomerMasterKeySpec": "ML_DSA_44", "KeyUsage": "SIGN_VERIFY", "KeyState": state,
            "Origin": "AWS_KMS", "KeyManager": "CUSTOMER", "Enabled": *state == "Enabled",
            "SigningAlgorithms": ["ML_DSA_SHAKE_256"],
        }});
        reply("200 OK", &told.to_string())
    }
}

fn cosigner_key(signer: Arc<dyn Signer>) -> CosignerKey {
    CosignerKey::new(KeyName::parse("ledger.example/kms").unwrap(), signer).unwrap()
}

#[test]
fn fake_kms_key_of_ml_dsa_cosigns_is_found_by_its_public_half_and_is_deleted() {
    let home = Home::at(&FakeKmsWithMlDsa::start());
    let provider = home.provider("hybrid");
    assert!(provider.makes(Algorithm::MlDsa44));
    let (old, new) = (
        provider.create(Algorithm::MlDsa44).unwrap(),
        provider.create(Algorithm::MlDsa44).unwrap(),
    );
    assert_eq!(old.public_key().bytes.len(), 1_312);
    assert_ne!(old.public_key(), new.public_key());
    let found = home.provider("hybrid").find(old.public_key()).unwrap();
    assert_eq!(found.key_id(), old.key_id());
    let key = cosigner_key(found);
    let text = format!("ledger.example/kms\n1\n{}\n", STANDARD.encode([7; 32]));
    let line = cosign(&key, &text, 1_700_000_000).unwrap();
    let verifier = CosignatureVerifier::new(key.verifier_key()).unwrap();
    assert_eq!(
        verifier.time_of(&text, &line.signature),
        Some(1_700_000_000)
    );
    let vkey = key.verifier_key().to_string();
    assert_eq!(NoteKey::public_key_of(&vkey).unwrap(), *old.public_key());
    // It cosigns, and never signs as a checkpoint key does.
    let note = NoteKey::new(
        KeyName::parse("ledger.example/kms").unwrap(),
        Arc::clone(&new),
    );
    assert!(signs(&note.unwrap()).is_err());
    provider.retire(old.public_key()).unwrap();
    assert!(old.sign(b"once more").is_err());
    assert!(new.sign(&[0; 4_097]).is_err());
    cosign(&cosigner_key(new), &text, 1).unwrap();
}

#[test]
fn fake_kms_that_signs_with_another_ml_dsa_key_is_not_believed() {
    let real = FakeKmsWithMlDsa::start();
    let home = Home::at(&real);
    let provider = home.provider("lies");
    let key = provider.create(Algorithm::MlDsa44).unwrap();
    for (bytes, said) in [(2_420, "not its own"), (2_419, "no MlDsa44 signature")] {
        let lie = json!({
            "KeyId": key.key_id(), "SigningAlgorithm": "ML_DSA_SHAKE_256",
            "Signature": STANDARD.encode(vec![1_u8; bytes]),
        });
        let lies = vec![reply("200 OK", &lie.to_string()); 4];
        let home = Home::at(&lying_proxy(&real, first("Sign", lies)).0);
        let found = home.provider("lies").find(key.public_key()).unwrap();
        let error = cosigner_key(found).sign_message(b"text").unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}
