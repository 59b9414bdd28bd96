//! The repository own gates.
fn main() {}
