//! Base64 as it stands in a Basic authorization (RFC 4648 4).

/// The bytes that a text stands for; `None` where it is no base64.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for letter in text.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        held = (held << 6) | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((held >> bits) & 0xff).ok()?);
            held &= (1 << bits) - 1;
        }
    }
    // A single letter more stands for no byte.
    (bits < 6).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn as_the_standard_has_it() {
        let read = |text: &str| decode(text).map(|bytes| String::from_utf8(bytes).unwrap());
        for (text, expected) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(read(text).as_deref(), Some(expected));
        }
        for wrong in ["Z", "Zm9v!", "Zm 9v", "ü"] {
            assert_eq!(decode(wrong), None);
        }
    }
}
