//! Targets: a block's hash, as a number, must not be above one.

/// A number of 256 bits, in limbs of 32, the lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target([u32; 8]);

/// Blocks between two changes of the target.
pub(super) const PERIOD_BLOCKS: u64 = 2_016;

/// How long a period should take, in seconds: two weeks.
const PERIOD_S: u32 = 1_209_600;

impl Target {
    /// Reads the short form: a byte of length, three of digits. `None` if it is negative, zero or beyond
    /// 256 bits, which no block may be.
    #[must_use]
    pub fn from_bits(bits: u32) -> Option<Self> {
        let [length, high, middle, low] = bits.to_be_bytes();
        if high & 0x80 != 0 {
            return None;
        }
        let mut bytes = [0_u8; 32];
        for (place, digit) in [high, middle, low].into_iter().enumerate() {
            // The first of the three digits has the weight 256^(length − 1).
            let weight = usize::from(length).checked_sub(place.saturating_add(1));
            match weight.and_then(|weight| bytes.get_mut(weight)) {
                Some(byte) => *byte = digit,
                // Below one: such digits are dropped, as nodes do.
                None if weight.is_none() => {}
                None if digit == 0 => {}
                None => return None,
            }
        }
        let target = Self::from_bytes(&bytes);
        (target.0 != [0; 8]).then_some(target)
    }

    /// The short form; what does not fit in its digits is dropped.
    #[must_use]
    pub fn to_bits(&self) -> u32 {
        let bytes = self.to_bytes();
        let mut length = bytes
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |top| top.saturating_add(1));
        let digit = |place: usize| {
            let at = length.checked_sub(place);
            at.and_then(|at| bytes.get(at)).copied().unwrap_or(0)
        };
        let mut digits = [digit(1), digit(2), digit(3)];
        // The highest bit is the sign's.
        if digits.first().is_some_and(|digit| digit & 0x80 != 0) {
            let [high, middle, _] = digits;
            digits = [0, high, middle];
            length = length.saturating_add(1);
        }
        let [high, middle, low] = digits;
        u32::from_be_bytes([u8::try_from(length).unwrap_or(u8::MAX), high, middle, low])
    }

    /// A hash as a number: its bytes are little-endian.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let mut limbs = [0; 8];
        for (limb, four) in limbs.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *limb = u32::from_le_bytes(*four);
        }
        Self(limbs)
    }

    fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (four, limb) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(self.0) {
            *four = limb.to_le_bytes();
        }
        bytes
    }

    /// Whether it is no easier than another one.
    #[must_use]
    pub fn is_at_most(&self, other: &Self) -> bool {
        self.0.iter().rev().le(other.0.iter().rev())
    }

    /// The target of the period after one that had this target and took so many seconds; not easier than
    /// `easiest`.
    #[must_use]
    pub(super) fn after_period(&self, seconds: i64, easiest: &Self) -> Self {
        let least = i64::from(PERIOD_S / 4);
        let most = i64::from(PERIOD_S.saturating_mul(4));
        let seconds = u64::try_from(seconds.clamp(least, most)).unwrap_or(0);
        let scaled = self.times(seconds).over(u64::from(PERIOD_S));
        if scaled.is_at_most(easiest) {
            scaled
        } else {
            *easiest
        }
    }

    /// Saturates: what is beyond 256 bits is easier than any target.
    fn times(self, factor: u64) -> Self {
        let mut carry = 0_u64;
        let mut limbs = self.0;
        for limb in &mut limbs {
            // `factor` is below 2^23 here, so this stays below 2^55 and the carry below 2^23.
            let product = u64::from(*limb)
                .saturating_mul(factor)
                .saturating_add(carry);
            *limb = low(product);
            carry = product >> 32;
        }
        if carry > 0 {
            Self([u32::MAX; 8])
        } else {
            Self(limbs)
        }
    }

    fn over(self, divisor: u64) -> Self {
        let mut rest = 0_u64;
        let mut limbs = self.0;
        for limb in limbs.iter_mut().rev() {
            let part = (rest << 32) | u64::from(*limb);
            *limb = low(part.checked_div(divisor).unwrap_or(0));
            rest = part.checked_rem(divisor).unwrap_or(0);
        }
        Self(limbs)
    }
}

fn low(wide: u64) -> u32 {
    u32::try_from(wide & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(bits: u32) -> Target {
        Target::from_bits(bits).unwrap()
    }

    #[test]
    fn short_forms_read_and_write_as_nodes_do() {
        for bits in [
            0x1d00_ffff,
            0x1d00_d86a,
            0x207f_ffff,
            0x1705_3894,
            0x1c05_a3f4,
            0x0412_3456,
        ] {
            assert_eq!(target(bits).to_bits(), bits, "{bits:08x}");
        }
        for bits in [
            0,
            0x0180_0000,
            0x0480_0001,
            0x2200_ffff_u32.wrapping_add(0x0100_0000),
            0xff12_3456,
        ] {
            assert_eq!(Target::from_bits(bits), None, "{bits:08x}");
        }
        assert_eq!(target(0x2100_ffff).to_bits(), 0x2100_ffff);
        assert_eq!(target(0x0112_3456).to_bits(), 0x0112_0000);
    }

    /// Changes that really happened on the main chain, at heights 32,256, 68,544 and 46,368 (the last
    /// clamped to a factor of four as nodes test it).
    #[test]
    fn targets_change_as_they_did() {
        let easiest = target(0x1d00_ffff);
        let after = |bits, seconds| target(bits).after_period(seconds, &easiest).to_bits();
        assert_eq!(
            after(0x1d00_ffff, 1_262_152_739 - 1_261_130_161),
            0x1d00_d86a
        );
        assert_eq!(
            after(0x1d00_ffff, 1_233_061_996 - 1_231_006_505),
            0x1d00_ffff
        );
        assert_eq!(
            after(0x1c05_a3f4, 1_279_297_671 - 1_279_008_237),
            0x1c01_68fd
        );
        assert_eq!(
            after(0x1c38_7f6f, 1_269_211_443 - 1_263_163_443),
            0x1d00_e1fd
        );
    }
}
