//! The tag lists that DKIM, DMARC, MTA-STS and TLS-RPT records are written in (RFC 6376 3.2, RFC 9989 4.7).

use crate::model::text::clean;

/// The tags of a record in their order, names in lower case, values without the space around them.
///
/// # Errors
/// What is wrong, in words: a part without `=`, a name of odd characters, a tag that stands twice.
pub fn read(text: &str) -> Result<Vec<(String, &str)>, String> {
    let mut tags: Vec<(String, &str)> = Vec::new();
    for part in text.split(';') {
        let part = part.trim();
        if part.is_empty() {
            continue;
        }
        let Some((name, value)) = part.split_once('=') else {
            return Err(format!("\"{}\" is no tag: there is no = in it", short(part)));
        };
        let name = name.trim().to_ascii_lowercase();
        let plain = |one: u8| one.is_ascii_alphanumeric() || one == b'_';
        if name.is_empty() || !name.bytes().all(plain) {
            return Err(format!("\"{}\" is no name of a tag", short(&name)));
        }
        if tags.iter().any(|(known, _)| *known == name) {
            return Err(format!("the tag {name} stands twice"));
        }
        tags.push((name, value.trim()));
    }
    Ok(tags)
}

/// The value of a tag.
pub fn find<'a>(tags: &[(String, &'a str)], name: &str) -> Option<&'a str> {
    tags.iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| *value)
}

/// The start of a text, for messages; a policy's body may hold what a terminal would obey.
pub fn short(text: &str) -> String {
    clean(text.as_bytes(), 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_in_their_order() {
        let tags = read(" v = DMARC1 ; P=none;; rua=mailto:a@b.test?x=y;").unwrap();
        let expected = [("v", "DMARC1"), ("p", "none"), ("rua", "mailto:a@b.test?x=y")];
        assert_eq!(tags.len(), 3);
        for (tag, (name, value)) in tags.iter().zip(expected) {
            assert_eq!((tag.0.as_str(), tag.1), (name, value));
        }
        assert!(read("v=DMARC1; p").unwrap_err().contains("no ="));
        assert!(read("v=1; v=2").unwrap_err().contains("twice"));
        assert!(read("v v=1").unwrap_err().contains("no name"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_read(text in ".*") {
            let _ = read(&text);
        }
    }
}
