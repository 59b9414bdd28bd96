//! The built-in schemas that packs may name as `paygod:<name>`, kept in `contracts/schemas/`.

use paygod_types::Digest;

/// Name and text of every built-in schema.
const CONTRACTS: [(&str, &str); 2] = [
    (
        "payment.v1",
        include_str!("../../../contracts/schemas/payment.v1.json"),
    ),
    (
        "payment-details.v1",
        include_str!("../../../contracts/schemas/payment-details.v1.json"),
    ),
];

/// What built-in schemas were before: name and SHA-256. Schemas are only ever widened, by members that may be left out, so a
/// pack that was made for a former one means the same by the present one: books and exports that hold it stay readable.
const FORMER: [(&str, &str); 2] = [
    (
        "payment-details.v1",
        "55c6162f5c9a02f587db7cdf2b0092c70fa9c87e4fe5095c0a22469a0ed70c71",
    ),
    (
        "payment-details.v1",
        "595090d9e11cb06f37a4b7af584372c0763a069bea43421d7ce62f3eee30ef76",
    ),
];

/// Whether a built-in schema of this name had this digest, or has it.
pub(crate) fn was(name: &str, digest: &str) -> bool {
    let is_now = find(name).is_some_and(|text| digest_of(text) == digest);
    is_now || FORMER.contains(&(name, digest))
}

/// SHA-256 of a schema's text, in hexadecimal.
pub(crate) fn digest_of(text: &str) -> String {
    Digest::sha256(text.as_bytes()).to_string()
}

/// The text of a built-in schema.
pub(crate) fn find(name: &str) -> Option<&'static str> {
    CONTRACTS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, text)| *text)
}

/// All names, for messages.
pub(crate) fn names() -> String {
    let names: Vec<String> = CONTRACTS
        .iter()
        .map(|(name, _)| format!("`paygod:{name}`"))
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_made_for_the_schemas_as_released_are_still_read() {
        for (name, released) in [
            (
                "payment.v1",
                include_str!("../../../contracts/released/schemas/payment.v1.json"),
            ),
            (
                "payment-details.v1",
                include_str!("../../../contracts/released/schemas/payment-details.v1.json"),
            ),
        ] {
            assert!(was(name, &digest_of(released)), "{name}: add it to FORMER");
        }
        assert!(!was("payment.v1", &digest_of("{}")));
    }
}
