//! Base64 (RFC 4648 4), by the crate of that name: written with padding, read with or without.

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine as _, alphabet};

const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Bytes as base64.
pub fn encode(bytes: &[u8]) -> String {
    ENGINE.encode(bytes)
}

/// Bytes as base64 for URLs, without padding (RFC 4648 5), as signed tokens are written (RFC 7515 2).
pub fn encode_url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes that a text stands for; `None` where it is no base64.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    ENGINE.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// RFC 4648 10, and the example of RFC 4616 4.
    #[rstest]
    #[case("", "")]
    #[case("f", "Zg==")]
    #[case("fo", "Zm8=")]
    #[case("foo", "Zm9v")]
    #[case("foobar", "Zm9vYmFy")]
    #[case("\0tim\0tanstaaftanstaaf", "AHRpbQB0YW5zdGFhZnRhbnN0YWFm")]
    fn there_and_back(#[case] plain: &str, #[case] text: &str) {
        assert_eq!(encode(plain.as_bytes()), text);
        for text in [text, text.trim_end_matches('=')] {
            assert_eq!(decode(text).as_deref(), Some(plain.as_bytes()));
        }
    }

    #[test]
    fn in_a_url() {
        assert_eq!(encode_url(&[0xfb, 0xff, 0xfe, 0x01]), "-__-AQ");
    }

    #[rstest]
    #[case("Z")]
    #[case("aa===")]
    #[case("a*==")]
    #[case("Zm 9v")]
    #[case("ü")]
    fn what_is_none(#[case] text: &str) {
        assert_eq!(decode(text), None);
    }
}
