//! The built-in schemas that packs may name as `paygod:<name>`, kept in `contracts/schemas/`.

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
