//! SipHash-2-4 (Aumasson and Bernstein, 2012): the keyed hash of request ids in the index.
//!
//! Keyed with a secret of the book, so that whoever chooses request ids can't choose ones whose hashes
//! collide and slow the index down. A hit is confirmed by reading the entry, so a collision costs time
//! and never changes an answer.

/// The key: two words, drawn when the book is made.
pub(crate) type Key = [u64; 2];

struct State([u64; 4]);

impl State {
    const fn new(key: Key) -> Self {
        let [k0, k1] = key;
        Self([
            k0 ^ 0x736f_6d65_7073_6575,
            k1 ^ 0x646f_7261_6e64_6f6d,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ])
    }

    const fn round(&mut self) {
        let [mut v0, mut v1, mut v2, mut v3] = self.0;
        v0 = v0.wrapping_add(v1);
        v2 = v2.wrapping_add(v3);
        v1 = v1.rotate_left(13) ^ v0;
        v3 = v3.rotate_left(16) ^ v2;
        v0 = v0.rotate_left(32).wrapping_add(v3);
        v2 = v2.wrapping_add(v1);
        v1 = v1.rotate_left(17) ^ v2;
        v3 = v3.rotate_left(21) ^ v0;
        v2 = v2.rotate_left(32);
        self.0 = [v0, v1, v2, v3];
    }

    const fn absorb(&mut self, word: u64) {
        let [_, _, _, v3] = &mut self.0;
        *v3 ^= word;
        self.round();
        self.round();
        let [v0, ..] = &mut self.0;
        *v0 ^= word;
    }

    fn finish(mut self) -> u64 {
        let [_, _, v2, _] = &mut self.0;
        *v2 ^= 0xff;
        for _ in 0..4 {
            self.round();
        }
        let [v0, v1, v2, v3] = self.0;
        v0 ^ v1 ^ v2 ^ v3
    }
}

/// The hash of `bytes` under `key`.
pub(crate) fn siphash24(key: Key, bytes: &[u8]) -> u64 {
    let mut state = State::new(key);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        state.absorb(u64::from_le_bytes(*word));
    }
    let mut last = [0_u8; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    let [length, ..] = crate::width::to_u64(bytes.len()).to_le_bytes();
    let [.., top] = &mut last;
    *top = length;
    state.absorb(u64::from_le_bytes(last));
    state.finish()
}

#[cfg(test)]
mod tests {
    use super::siphash24;

    #[test]
    fn matches_the_vectors_of_the_paper() {
        let key = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        let bytes: Vec<u8> = (0..15).collect();
        assert_eq!(siphash24(key, &bytes), 0xa129_ca61_49be_45e5);
        assert_eq!(siphash24(key, &[]), 0x726f_db47_dd0e_0e31);
        assert_eq!(siphash24(key, &[0]), 0x74f8_39c5_93dc_67fd);
    }
}
