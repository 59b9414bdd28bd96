//! Transactions of 64 bytes (CVE-2017-12842): a leaf that can be passed off as a node of a block's merkle
//! tree, or a node as a leaf, because both are hashed alike.

/// Whether 64 bytes read as a transaction: one input, one output, no witness. Of random bytes one in 2^42
/// does, so no true path is refused for it.
#[must_use]
pub fn is_transaction(bytes: &[u8]) -> bool {
    let Ok(bytes) = <&[u8; 64]>::try_from(bytes) else {
        return false;
    };
    // Version, 1 input, the output it spends (36), the length of its script.
    let [_, _, _, _, 1, rest @ ..] = bytes else {
        return false;
    };
    let Some((script, rest)) = rest.get(36..).and_then(<[u8]>::split_first) else {
        return false;
    };
    // The script, its sequence number (4), 1 output, its value (8), the length of its script.
    let Some((1, rest)) = rest
        .get(usize::from(*script).saturating_add(4)..)
        .and_then(<[u8]>::split_first)
        .map(|(count, rest)| (*count, rest))
    else {
        return false;
    };
    let Some((value, rest)) = rest.split_first_chunk::<8>() else {
        return false;
    };
    // All the money there will ever be, in satoshi.
    let money = u64::from_le_bytes(*value) <= 2_100_000_000_000_000;
    // The script, then the lock time (4), then nothing.
    money
        && rest
            .split_first()
            .is_some_and(|(script, rest)| usize::from(*script).saturating_add(4) == rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transaction(script_in: u8) -> Vec<u8> {
        let mut bytes = vec![2, 0, 0, 0, 1];
        bytes.extend([0xab; 36]);
        bytes.push(script_in);
        bytes.extend(std::iter::repeat_n(0x51, script_in.into()));
        bytes.extend([0xff; 4]);
        bytes.push(1);
        bytes.extend(5_000_u64.to_le_bytes());
        bytes.push(4 - script_in);
        bytes.extend(std::iter::repeat_n(0x6a, (4 - script_in).into()));
        bytes.extend([0; 4]);
        bytes
    }

    #[test]
    fn transactions_of_64_bytes_are_seen() {
        for script in 0..=4 {
            assert!(is_transaction(&transaction(script)), "{script}");
        }
    }

    #[test]
    fn nothing_else_is() {
        let good = transaction(1);
        assert!(!is_transaction(&good[..63]));
        assert!(!is_transaction(&[good.clone(), vec![0]].concat()));
        for (at, byte) in [(4, 2), (41, 5), (41, 0xff), (47, 2), (55, 0x7f), (56, 2)] {
            let mut other = good.clone();
            other[at] = byte;
            assert!(!is_transaction(&other), "{at}");
        }
        assert!(!is_transaction(&[0x5a; 64]));
        assert!(!is_transaction(&[0; 64]));
    }
}
