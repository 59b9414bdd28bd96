//! What every fuzz target shares: an allocator that ends the process when one input makes the
//! parser under test allocate past its bound.

use cap::Cap;
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// The manifest of a pack that is sound once its inputs' list and rules follow.
pub const MANIFEST_HEAD: &str = "\
api_version: paygod/v1
kind: Pack
metadata: { name: fuzzed, version: 1.0.0, description: d, maintainer: m, tags: [] }
spec:
  inputs:
    - { name: payment, type: object, source: transfer, schema: 'paygod:payment.v1' }
";

/// One mebibyte, in bytes.
pub const MIB: usize = 1024 * 1024;

/// Runs `parse` with at most `bytes_max` more bytes allocated than there are now. Past that the
/// allocation fails, Rust aborts, and libFuzzer keeps the input.
pub fn bounded<R>(bytes_max: usize, parse: impl FnOnce() -> R) -> R {
    // INVARIANT(bounded-parser): the limit is far below what a machine has, so it always bites first.
    let limit = ALLOCATOR.allocated() + bytes_max;
    assert!(ALLOCATOR.set_limit(limit).is_ok(), "the bound is above what is in use");
    let result = parse();
    assert!(ALLOCATOR.set_limit(usize::MAX).is_ok(), "lifting the bound cannot fail");
    result
}
