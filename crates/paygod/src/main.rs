//! The `paygod` command.
fn main() {}
