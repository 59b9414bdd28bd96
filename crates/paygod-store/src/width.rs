//! Conversions between the widths of integers that this crate meets.
//!
//! INVARIANT(64-bit): the store runs where `usize` has 64 bits, so a file offset and a length in
//! memory convert without loss; the build fails anywhere else.

const _: () = assert!(usize::BITS == 64);

/// A count from a file as a length in memory.
pub(crate) const fn to_usize(value: u64) -> usize {
    let bytes = value.to_ne_bytes();
    usize::from_ne_bytes(bytes)
}

/// A length in memory as a count for a file.
pub(crate) const fn to_u64(value: usize) -> u64 {
    let bytes = value.to_ne_bytes();
    u64::from_ne_bytes(bytes)
}

/// The 32-bit little-endian number at `at`, if the bytes reach that far.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk::<4>()
        .map(|chunk| u32::from_le_bytes(*chunk))
}

/// The 64-bit little-endian number at `at`, if the bytes reach that far.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes
        .get(at..)?
        .first_chunk::<8>()
        .map(|chunk| u64::from_le_bytes(*chunk))
}
