//! What transactions and headers are in the end: one list.

use alloy_rlp::Header;

/// Appends the list of fields that are encoded already.
pub(crate) fn list(fields: &[u8], out: &mut Vec<u8>) {
    Header {
        list: true,
        payload_length: fields.len(),
    }
    .encode(out);
    out.extend_from_slice(fields);
}
