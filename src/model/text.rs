//! Making text from outside safe to keep: bounded, and without anything that a terminal would obey.

use std::fmt::Write;

/// Cleans bytes that somebody else wrote: printable characters stay, everything else (control characters,
/// invalid UTF-8, bidirectional overrides) is shown as an escape such as `\x1b`, and the whole is cut at `most`
/// characters with `…` at the end.
pub fn clean(bytes: &[u8], most: usize) -> String {
    clean_after("", bytes, most)
}

/// The same behind a text of our own, which does not count.
pub fn clean_after(before: &str, bytes: &[u8], most: usize) -> String {
    let mut out = String::with_capacity(before.len() + bytes.len().min(most));
    out.push_str(before);
    // As nearly all lines are.
    if bytes.len() <= most
        && bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
        && let Ok(text) = str::from_utf8(bytes)
    {
        out.push_str(text);
        return out;
    }
    let mut count = 0_usize;
    // No more bytes than could still matter: four a character at the most.
    let bytes = &bytes[..bytes.len().min(most.saturating_mul(4).saturating_add(4))];
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if count >= most {
                out.push('…');
                return out;
            }
            count += 1;
            match character {
                '\t' => out.push(' '),
                c if is_plain(c) => out.push(c),
                c => {
                    let _ = write!(out, "\\x{:02x}", u32::from(c));
                }
            }
        }
        for byte in chunk.invalid() {
            if count >= most {
                out.push('…');
                return out;
            }
            count += 1;
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

fn is_plain(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Bytes as hexadecimal digits, two each.
pub fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// The bytes that hexadecimal digits stand for; `None` where it is none, or half a byte.
pub fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let bytes = (0..digits.len() / 2).map(|at| u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok());
    let plain = digits.len().is_multiple_of(2) && digits.bytes().all(|one| one.is_ascii_hexdigit());
    plain.then(|| bytes.collect())?
}

/// A text as a part of an address: whatever is not unreserved (RFC 3986 2.3), and none of `kept`, as percent and two
/// digits.
pub fn percent(text: &str, kept: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{clean, clean_after, from_hex, hex};

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        assert_eq!(
            clean(b"\x1b[31mred\x07 \xff caf\xc3\xa9", 100),
            "\\x1b[31mred\\x07 \\xff café"
        );
        assert_eq!(clean("a\u{202e}b".as_bytes(), 100), "a\\x202eb");
    }

    #[test]
    fn length_is_bounded() {
        assert_eq!(clean(&[b'a'; 1000], 3), "aaa…");
        assert_eq!(clean(b"abc", 3), "abc");
    }

    #[test]
    fn what_stands_before_a_text_does_not_count() {
        assert_eq!(clean_after("S: ", b"abc", 3), "S: abc");
        assert_eq!(clean_after("S: ", b"abcd", 3), "S: abc…");
        assert_eq!(clean_after("S: ", "\u{e9}b\x7f".as_bytes(), 3), "S: \u{e9}b\\x7f");
        assert_eq!(clean_after("S: ", b"", 3), "S: ");
    }

    #[test]
    fn hexadecimal_digits_there_and_back() {
        assert_eq!(hex(&[0, 15, 255]), "000fff");
        assert_eq!(from_hex("000fff"), Some(vec![0, 15, 255]));
        for odd in ["0", "0g", "+1", "é"] {
            assert_eq!(from_hex(odd), None, "{odd}");
        }
    }
}
