//! Names of domains, hosts and clients.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is no usable name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was given.
    #[error("a name cannot be empty")]
    Empty,
    /// Longer than 253 characters (RFC 1035 2.3.4).
    #[error("a name has at most 253 characters")]
    TooLong,
    /// A label is empty or longer than 63 characters (RFC 1035 2.3.4).
    #[error("each part between dots has 1 to 63 characters")]
    BadLabel,
    /// A character that no host name has.
    #[error("\"{0}\" cannot stand in a name")]
    BadCharacter(char),
    /// The internationalised name has no ASCII form (RFC 5891).
    #[error("this internationalised name has no valid ASCII form")]
    BadIdn,
    /// An IP address where a name is wanted.
    #[error("an IP address is not a name")]
    Address,
}

/// A domain or host name: lower-case ASCII (A-labels, RFC 5890), without the final dot, at most 253 characters.
///
/// Cheap to clone: the daemon holds each name once.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DomainName(Arc<str>);

impl DomainName {
    /// Reads a name that a person wrote: any case, a final dot allowed, internationalised names allowed.
    ///
    /// # Errors
    /// [`NameError`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let text = text.trim();
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.parse::<std::net::IpAddr>().is_ok() {
            return Err(NameError::Address);
        }
        let ascii = if text.is_ascii() {
            text.to_ascii_lowercase()
        } else {
            idna::domain_to_ascii_strict(text).map_err(|_| NameError::BadIdn)?
        };
        check_labels(&ascii)?;
        Ok(Self(ascii.into()))
    }

    /// Takes a name out of DNS data, where a hostile server may put anything: whatever is no printable host
    /// name character is kept only in the escaped presentation form (RFC 1035 5.1) that the caller passes.
    ///
    /// # Errors
    /// [`NameError`] when it is empty (the root) or too long.
    pub fn from_dns(presentation: &str) -> Result<Self, NameError> {
        let text = presentation.strip_suffix('.').unwrap_or(presentation);
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        // 253 octets on the wire can be four characters each once escaped.
        if text.len() > 4 * 253 {
            return Err(NameError::TooLong);
        }
        if let Some(odd) = text.chars().find(|c| !c.is_ascii_graphic()) {
            return Err(NameError::BadCharacter(odd));
        }
        Ok(Self(text.to_ascii_lowercase().into()))
    }

    /// The ASCII form, as it goes into DNS and SMTP.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as text that is shared, not copied.
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// How many hold this very name.
    pub fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// The form that people read: U-labels where the name is internationalised and safe to show.
    pub fn display_unicode(&self) -> String {
        let (text, result) = idna::domain_to_unicode(&self.0);
        if result.is_ok() { text } else { self.0.to_string() }
    }

    /// The name one label up, `None` for a top-level name.
    pub fn parent(&self) -> Option<Self> {
        self.0.split_once('.').map(|(_, rest)| Self(rest.into()))
    }

    /// Whether this name equals `other` or lies below it.
    pub fn is_within(&self, other: &DomainName) -> bool {
        self.0
            .strip_suffix(&*other.0)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    /// Whether the name matches `pattern`: the name itself, or `*.suffix` for any name below `suffix`.
    pub fn matches(&self, pattern: &str) -> bool {
        match pattern.strip_prefix("*.") {
            Some(suffix) => self
                .0
                .strip_suffix(suffix)
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
            None => &*self.0 == pattern,
        }
    }
}

fn check_labels(ascii: &str) -> Result<(), NameError> {
    if ascii.len() > 253 {
        return Err(NameError::TooLong);
    }
    for label in ascii.split('.') {
        if label.is_empty() || label.len() > 63 {
            return Err(NameError::BadLabel);
        }
        if let Some(odd) = label
            .chars()
            .find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_')))
        {
            return Err(NameError::BadCharacter(odd));
        }
    }
    Ok(())
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for DomainName {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl Serialize for DomainName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DomainName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // Stored names may have come from DNS, so the lenient reading.
        Self::from_dns(&text).map_err(serde::de::Error::custom)
    }
}

/// A client's id: stable, in labels and links; lower-case letters, digits, `-`, `_` and `.`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(Arc<str>);

impl ClientId {
    /// Checks an id that a person wrote.
    ///
    /// # Errors
    /// [`NameError`] when it is empty, longer than 64 characters, or has a character that a label or a link
    /// would have to escape.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > 64 {
            return Err(NameError::TooLong);
        }
        match text
            .chars()
            .find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(*c)))
        {
            Some(odd) => Err(NameError::BadCharacter(odd)),
            None => Ok(Self(text.into())),
        }
    }

    /// The id that a client gets when the configuration names none: the name in lower case, words joined by `-`.
    ///
    /// # Errors
    /// [`NameError::Empty`] when the name holds no letter or digit to make an id from.
    pub fn from_name(name: &str) -> Result<Self, NameError> {
        let lower = name.to_lowercase();
        let words: Vec<&str> = lower
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect();
        Self::parse(&words.join("-"))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for ClientId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ClientId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_folded_to_one_form() {
        assert_eq!(
            DomainName::parse("MX.Acme.Test.").unwrap().as_str(),
            "mx.acme.test"
        );
        assert_eq!(
            DomainName::parse("bücher.example").unwrap().as_str(),
            "xn--bcher-kva.example"
        );
        assert_eq!(DomainName::parse("192.0.2.1"), Err(NameError::Address));
        assert_eq!(DomainName::parse("a..b"), Err(NameError::BadLabel));
        assert_eq!(
            DomainName::parse("a b.example"),
            Err(NameError::BadCharacter(' '))
        );
    }

    #[test]
    fn patterns_match_whole_labels_only() {
        let name = DomainName::parse("a.mail.example").unwrap();
        assert!(name.matches("*.mail.example"));
        assert!(name.matches("*.example"));
        assert!(!name.matches("*.ail.example"));
        assert!(!name.matches("mail.example"));
        assert!(
            !DomainName::parse("mail.example")
                .unwrap()
                .matches("*.mail.example")
        );
    }

    #[test]
    fn client_ids_come_from_names() {
        assert_eq!(ClientId::from_name("ACME Ltd.").unwrap().as_str(), "acme-ltd");
        assert_eq!(ClientId::from_name("???"), Err(NameError::Empty));
    }
}
