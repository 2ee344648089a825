//! Lowercase hexadecimal, without a heap.

/// Reads exactly as many bytes as fit into the answer.
#[must_use]
pub fn parse<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

const fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        _ => None,
    }
}

/// Writes the bytes into `out`, which must be twice as long; what does not fit is left out.
pub fn write<'a>(bytes: &[u8], out: &'a mut [u8]) -> &'a str {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut length = 0;
    for (byte, pair) in bytes.iter().zip(out.chunks_exact_mut(2)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
        length += 2;
    }
    core::str::from_utf8(&out[..length]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_written_is_read_again() {
        let mut out = [0; 8];
        let text = super::write(&[0, 0xff, 0x1a, 0x90], &mut out);
        assert_eq!(text, "00ff1a90");
        assert_eq!(super::parse(text.as_bytes()), Some([0, 0xff, 0x1a, 0x90]));
        for bad in ["", "0", "00FF1A90", "zzff1a90", "00ff1a9000"] {
            assert_eq!(super::parse::<4>(bad.as_bytes()), None, "{bad}");
        }
    }
}
