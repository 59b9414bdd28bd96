//! AES key wrap (RFC 3394) of many data keys at once.
//!
//! Wrapping one key is 24 encryptions that wait for each other; eight keys side by side take little
//! longer than one, because the processor works on eight blocks at a time. The result is that of
//! wrapping one by one, which the tests compare.
//!
//! It only wraps: unwrapping, which must check, is the library's.

use aes::Aes256Enc;
use aes::cipher::{Block, BlockCipherEncrypt, KeyInit};
use zeroize::Zeroize;

use crate::kek::{DATA_KEY_BYTES, WRAPPED_KEY_BYTES};

/// How many keys go side by side.
const LANES: usize = 8;
/// Half of a block: the unit of key wrap.
const HALF_BYTES: usize = 8;
/// Halves of a data key.
const HALVES: usize = DATA_KEY_BYTES / HALF_BYTES;
/// RFC 3394 section 2.2.3.1.
const INITIAL: [u8; HALF_BYTES] = [0xa6; HALF_BYTES];
/// RFC 3394 section 2.2.1: how often every half is passed over.
const ROUNDS: u64 = 6;

/// Wraps keys under one key-encryption key.
pub(crate) struct ManyWrapper {
    cipher: Aes256Enc,
}

/// One key on its way: the check half, then the halves of the key.
#[derive(Clone, Copy)]
struct Lane {
    check: [u8; HALF_BYTES],
    halves: [[u8; HALF_BYTES]; HALVES],
}

impl ManyWrapper {
    pub(crate) fn new(key: &[u8; DATA_KEY_BYTES]) -> Self {
        Self {
            cipher: Aes256Enc::new(key.into()),
        }
    }

    /// Wraps each key; the results are in the order of the keys.
    pub(crate) fn wrap<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k [u8; DATA_KEY_BYTES]>,
    ) -> Vec<[u8; WRAPPED_KEY_BYTES]> {
        let mut lanes: Vec<Lane> = keys.into_iter().map(Lane::new).collect();
        for lanes in lanes.chunks_mut(LANES) {
            self.wrap_lanes(lanes);
        }
        lanes.iter().map(Lane::bytes).collect()
    }

    fn wrap_lanes(&self, lanes: &mut [Lane]) {
        let mut blocks = [Block::<Aes256Enc>::default(); LANES];
        let Some(blocks) = blocks.get_mut(..lanes.len()) else {
            return;
        };
        let mut step = 0_u64;
        for _ in 0..ROUNDS {
            for half in 0..HALVES {
                step = step.wrapping_add(1);
                for (lane, block) in lanes.iter().zip(blocks.iter_mut()) {
                    let (left, right) = block.split_at_mut(HALF_BYTES);
                    left.copy_from_slice(&lane.check);
                    right.copy_from_slice(lane.halves.get(half).unwrap_or(&INITIAL));
                }
                self.cipher.encrypt_blocks(blocks);
                for (lane, block) in lanes.iter_mut().zip(blocks.iter()) {
                    lane.take(block, step, half);
                }
            }
        }
        for block in blocks {
            block.as_mut_slice().zeroize();
        }
    }
}

impl Lane {
    fn new(key: &[u8; DATA_KEY_BYTES]) -> Self {
        let mut halves = [[0; HALF_BYTES]; HALVES];
        for (half, bytes) in halves.iter_mut().zip(key.as_chunks::<HALF_BYTES>().0) {
            *half = *bytes;
        }
        Self {
            check: INITIAL,
            halves,
        }
    }

    fn take(&mut self, block: &[u8], step: u64, half: usize) {
        let (Some((left, right)), Some(slot)) = (
            block.split_first_chunk::<HALF_BYTES>(),
            self.halves.get_mut(half),
        ) else {
            return;
        };
        self.check = (u64::from_be_bytes(*left) ^ step).to_be_bytes();
        slot.copy_from_slice(right);
    }

    fn bytes(&self) -> [u8; WRAPPED_KEY_BYTES] {
        let mut out = [0; WRAPPED_KEY_BYTES];
        let (check, rest) = out.split_at_mut(HALF_BYTES);
        check.copy_from_slice(&self.check);
        for (to, half) in rest.chunks_exact_mut(HALF_BYTES).zip(&self.halves) {
            to.copy_from_slice(half);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aes_kw::KwAes256;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn many_at_once_are_wrapped_as_one_by_one(
            kek in any::<[u8; 32]>(),
            keys in proptest::collection::vec(any::<[u8; 32]>(), 0..40),
        ) {
            let one = KwAes256::new((&kek).into());
            let expected: Vec<[u8; 40]> =
                keys.iter().map(|key| one.wrap_fixed_key(key.into()).into()).collect();
            prop_assert_eq!(ManyWrapper::new(&kek).wrap(&keys), expected);
        }
    }

    #[test]
    fn the_vector_of_the_standard_holds() {
        // RFC 3394 section 4.6: 256 bits of key data with a 256-bit key.
        let kek: [u8; 32] = std::array::from_fn(|at| at as u8);
        let key = [
            0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd,
            0xee, 0xff, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b,
            0x0c, 0x0d, 0x0e, 0x0f,
        ];
        let expected = [
            0x28, 0xc9, 0xf4, 0x04, 0xc4, 0xb8, 0x10, 0xf4, 0xcb, 0xcc, 0xb3, 0x5c, 0xfb, 0x87,
            0xf8, 0x26, 0x3f, 0x57, 0x86, 0xe2, 0xd8, 0x0e, 0xd3, 0x26, 0xcb, 0xc7, 0xf0, 0xe7,
            0x1a, 0x99, 0xf4, 0x3b, 0xfb, 0x98, 0x8b, 0x9b, 0x7a, 0x02, 0xdd, 0x21,
        ];
        assert_eq!(ManyWrapper::new(&kek).wrap([&key]), vec![expected]);
    }
}
