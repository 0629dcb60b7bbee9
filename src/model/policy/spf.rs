//! One SPF record as it is written (RFC 7208 4.6, 5, 6, 7, 12). What it leads to is for the probe to follow.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::DomainName;

use super::tags::short;

/// An SPF record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpfRecord {
    /// The mechanisms in their order.
    pub mechanisms: Vec<SpfTerm>,
    /// `redirect=`: the record that goes on from here, where no mechanism matches and there is no `all`.
    pub redirect: Option<SpfTerm>,
}

/// A mechanism or the redirect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpfTerm {
    /// As it is written.
    pub text: String,
    /// What a match means: `+`, `-`, `~` or `?`.
    pub qualifier: char,
    /// What it looks at.
    pub kind: SpfKind,
}

/// What a term looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpfKind {
    /// Everything.
    All,
    /// Another record.
    Include(SpfTarget),
    /// The addresses of a name, and what lies near them.
    A(SpfTarget, Lengths),
    /// The addresses of a domain's MX hosts, and what lies near them.
    Mx(SpfTarget, Lengths),
    /// The name of the sender's address.
    Ptr,
    /// A network: its address and how many bits of that count.
    Ip(IpAddr, u8),
    /// Whether a name has an address.
    Exists(SpfTarget),
    /// Another record in place of this one.
    Redirect(SpfTarget),
}

/// The name that a term is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpfTarget {
    /// The domain of the record itself.
    Own,
    /// This name.
    Name(DomainName),
    /// A name that depends on the sender (a macro, RFC 7208 7), as it is written: it cannot be looked up ahead.
    Macro(String),
}

/// How many bits of an address count, for each family (RFC 7208 5.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lengths {
    /// Of 32.
    pub four: u8,
    /// Of 128.
    pub six: u8,
}

/// Whether the first `length` bits of two addresses of one family agree.
pub fn agree(one: IpAddr, other: IpAddr, length: u8) -> bool {
    let length = u32::from(length);
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            let differs = u32::from(one) ^ u32::from(other);
            differs.leading_zeros() >= length
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => {
            let differs = u128::from(one) ^ u128::from(other);
            differs.leading_zeros() >= length
        }
        _ => false,
    }
}

impl SpfKind {
    /// Whether it costs one of the ten DNS lookups (RFC 7208 4.6.4).
    pub fn costs_a_lookup(&self) -> bool {
        !matches!(self, Self::All | Self::Ip(..))
    }
}

/// Whether a TXT record is an SPF record (RFC 7208 4.5): `v=spf1`, and then a space or the end.
pub fn is_spf(text: &str) -> bool {
    let start = text.get(..6).unwrap_or_default();
    start.eq_ignore_ascii_case("v=spf1") && matches!(text.as_bytes().get(6), None | Some(b' '))
}

/// Whether a TXT record was probably meant as one, and is none.
pub fn is_nearly_spf(text: &str) -> bool {
    let bare = text.trim_start_matches([' ', '"', '\'']);
    let start = bare.get(..5).unwrap_or_default();
    !is_spf(text) && (start.eq_ignore_ascii_case("v=spf") || start.eq_ignore_ascii_case("spf1 "))
}

impl SpfRecord {
    /// Reads a record. A mistake anywhere makes all of it invalid (RFC 7208 4.6).
    ///
    /// # Errors
    /// The term at fault as it is written, and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, (String, String)> {
        let mut record = Self {
            mechanisms: Vec::new(),
            redirect: None,
        };
        let mut explained = false;
        for term in text
            .get(6..)
            .unwrap_or_default()
            .split(' ')
            .filter(|term| !term.is_empty())
        {
            let fault = |reason: String| (short(term), reason);
            match modifier(term) {
                Some((name, value)) if name.eq_ignore_ascii_case("redirect") => {
                    if record.redirect.is_some() {
                        return Err(fault("redirect stands twice".into()));
                    }
                    record.redirect = Some(SpfTerm {
                        text: term.to_owned(),
                        qualifier: '+',
                        kind: SpfKind::Redirect(target(value).map_err(fault)?),
                    });
                }
                Some((name, value)) if name.eq_ignore_ascii_case("exp") => {
                    if std::mem::replace(&mut explained, true) {
                        return Err(fault("exp stands twice".into()));
                    }
                    target(value).map_err(fault)?;
                }
                Some((_, value)) => macros(value).map_err(fault).map(|_| ())?,
                None => record.mechanisms.push(mechanism(term).map_err(fault)?),
            }
        }
        Ok(record)
    }

    /// The mechanisms that are ever looked at: nothing after `all` is.
    pub fn evaluated(&self) -> impl Iterator<Item = &SpfTerm> {
        let all = self.mechanisms.iter().position(|term| term.kind == SpfKind::All);
        let end = all.map_or(self.mechanisms.len(), |at| at + 1);
        // With `all`, the redirect is never followed (RFC 7208 6.1).
        let redirect = self.redirect.iter().filter(move |_| all.is_none());
        self.mechanisms.iter().take(end).chain(redirect)
    }

    /// What `all` says, where it stands.
    pub fn all(&self) -> Option<char> {
        let all = self.mechanisms.iter().find(|term| term.kind == SpfKind::All);
        all.map(|term| term.qualifier)
    }
}

/// `NAME=VALUE`, where the name begins with a letter and has no other signs than a name may.
fn modifier(term: &str) -> Option<(&str, &str)> {
    let (name, value) = term.split_once('=')?;
    let plain = |one: u8| one.is_ascii_alphanumeric() || matches!(one, b'-' | b'_' | b'.');
    let begins = name.bytes().next().is_some_and(|one| one.is_ascii_alphabetic());
    (begins && name.bytes().all(plain)).then_some((name, value))
}

fn mechanism(term: &str) -> Result<SpfTerm, String> {
    let (qualifier, rest) = match term.chars().next() {
        Some(sign @ ('+' | '-' | '~' | '?')) => (sign, &term[1..]),
        _ => ('+', term),
    };
    let end = rest.find([':', '/']).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    let argument = rest.strip_prefix(':');
    let kind = match name.to_ascii_lowercase().as_str() {
        "all" if rest.is_empty() => SpfKind::All,
        "all" => return Err("all takes nothing after it".into()),
        "include" => SpfKind::Include(target(needed(argument)?)?),
        "exists" => SpfKind::Exists(target(needed(argument)?)?),
        "a" => host_and_lengths(rest).map(|(host, lengths)| SpfKind::A(host, lengths))?,
        "mx" => host_and_lengths(rest).map(|(host, lengths)| SpfKind::Mx(host, lengths))?,
        "ptr" if rest.is_empty() => SpfKind::Ptr,
        "ptr" => {
            target(needed(argument)?)?;
            SpfKind::Ptr
        }
        "ip4" => network(needed(argument)?, 32, |text| {
            Some(text.parse::<Ipv4Addr>().ok()?.into())
        })?,
        "ip6" => network(needed(argument)?, 128, |text| {
            Some(text.parse::<Ipv6Addr>().ok()?.into())
        })?,
        _ => return Err("there is no such mechanism".into()),
    };
    Ok(SpfTerm {
        text: term.to_owned(),
        qualifier,
        kind,
    })
}

fn needed(argument: Option<&str>) -> Result<&str, String> {
    argument
        .filter(|argument| !argument.is_empty())
        .ok_or_else(|| "something has to stand after its colon".to_owned())
}

fn network(text: &str, most: u8, read: fn(&str) -> Option<IpAddr>) -> Result<SpfKind, String> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let address = read(address).ok_or_else(|| format!("\"{}\" is no such address", short(address)))?;
    let length = length.map_or(Ok(most), |length| prefix(length, most))?;
    Ok(SpfKind::Ip(address, length))
}

/// A prefix length: digits, without a zero in front (RFC 7208 5.6).
fn prefix(text: &str, most: u8) -> Result<u8, String> {
    let plain = !text.is_empty() && text.bytes().all(|one| one.is_ascii_digit());
    let padded = text.len() > 1 && text.starts_with('0');
    match text.parse::<u8>() {
        Ok(length) if plain && !padded && length <= most => Ok(length),
        _ => Err(format!("\"/{}\" is no length of a network", short(text))),
    }
}

/// `[:DOMAIN][/LENGTH][//LENGTH]` of `a` and `mx`.
fn host_and_lengths(rest: &str) -> Result<(SpfTarget, Lengths), String> {
    let (rest, six) = match rest.split_once("//") {
        Some((rest, six)) => (rest, Some(six)),
        None => (rest, None),
    };
    let six = six.map_or(Ok(128), |six| prefix(six, 128))?;
    // A macro may hold a slash as a delimiter, so the last one counts, and only after its brace.
    let after = rest.rfind('}').map_or(0, |at| at + 1);
    let (host, four) = match rest[after..].find('/') {
        Some(at) => (&rest[..after + at], Some(&rest[after + at + 1..])),
        None => (rest, None),
    };
    let four = four.map_or(Ok(32), |four| prefix(four, 32))?;
    let host = match host.strip_prefix(':') {
        Some(host) => target(needed(Some(host))?)?,
        None if host.is_empty() => SpfTarget::Own,
        None => return Err("there is no such mechanism".into()),
    };
    Ok((host, Lengths { four, six }))
}

/// A domain-spec (RFC 7208 7.1): a name, with macros or without.
fn target(text: &str) -> Result<SpfTarget, String> {
    if text.is_empty() {
        return Err("a name is missing".into());
    }
    if macros(text)? {
        return Ok(SpfTarget::Macro(text.to_owned()));
    }
    let name = DomainName::parse(text).map_err(|_| format!("\"{}\" is no name", short(text)))?;
    let last = name.as_str().rsplit('.').next().unwrap_or_default();
    let several = name.as_str().contains('.');
    if !several || last.bytes().all(|one| one.is_ascii_digit()) {
        return Err(format!("\"{}\" is no name", short(text)));
    }
    Ok(SpfTarget::Name(name))
}

/// Checks a macro-string; gives whether there is a macro in it (RFC 7208 7.1).
fn macros(text: &str) -> Result<bool, String> {
    let mut rest = text;
    let mut any = false;
    if let Some(odd) = text.chars().find(|one| !one.is_ascii_graphic()) {
        return Err(format!(
            "the character {} must not stand there",
            odd.escape_default()
        ));
    }
    while let Some(at) = rest.find('%') {
        any = true;
        let after = &rest[at + 1..];
        rest = match after.as_bytes().first() {
            Some(b'%' | b'_' | b'-') => &after[1..],
            Some(b'{') => {
                let end = after.find('}').ok_or("a macro has no closing brace")?;
                expansion(&after[1..end])?;
                &after[end + 1..]
            }
            _ => return Err("a % stands alone".into()),
        };
    }
    Ok(any)
}

/// What stands within `%{ }`: a letter, digits, `r`, delimiters.
fn expansion(text: &str) -> Result<(), String> {
    let wrong = || format!("\"%{{{}}}\" is no macro", short(text));
    let letter = text.chars().next().ok_or_else(wrong)?;
    if !"slodiphcrtv".contains(letter.to_ascii_lowercase()) {
        return Err(wrong());
    }
    let rest = text[1..].trim_start_matches(|one: char| one.is_ascii_digit());
    let rest = rest.strip_prefix(['r', 'R']).unwrap_or(rest);
    if rest.chars().all(|one| ".-+,/_=".contains(one)) {
        Ok(())
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("v=spf1 -all", 0)]
    #[case("V=SPF1  MX a:mail.acme.test/24//64 ~ALL ", 2)]
    #[case("v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 include:_spf.bigmail.test ?all", 1)]
    #[case("v=spf1 exists:%{ir}.%{v}._spf.%{d2} redirect=_spf.acme.test", 2)]
    #[case("v=spf1 ptr ptr:acme.test exp=why.%{d} x-note=%{d} mx/24 -all", 3)]
    #[case("v=spf1 -all include:after.acme.test redirect=after.acme.test", 0)]
    #[case("v=spf1", 0)]
    fn what_is_right_is_read(#[case] text: &str, #[case] lookups: usize) {
        let record = SpfRecord::parse(text).unwrap();
        assert_eq!(
            record
                .evaluated()
                .filter(|term| term.kind.costs_a_lookup())
                .count(),
            lookups
        );
    }

    #[rstest]
    #[case("v=spf1 inlcude:acme.test -all", "inlcude:acme.test")]
    #[case("v=spf1 ip4:192.0.2.0/33 -all", "ip4:192.0.2.0/33")]
    #[case("v=spf1 ip4:192.0.2.256 -all", "ip4:192.0.2.256")]
    #[case("v=spf1 ip4: 192.0.2.1 -all", "ip4:")]
    #[case("v=spf1 ip6:192.0.2.1 -all", "ip6:192.0.2.1")]
    #[case("v=spf1 include -all", "include")]
    #[case("v=spf1 all:x", "all:x")]
    #[case("v=spf1 a:%{x}.test -all", "a:%{x}.test")]
    #[case("v=spf1 redirect=a.test redirect=b.test", "redirect=b.test")]
    #[case("v=spf1 a/024 -all", "a/024")]
    #[case("v=spf1 192.0.2.1 -all", "192.0.2.1")]
    #[case("v=spf1 include:acme.test; -all", "include:acme.test;")]
    #[case("v=spf1 mx:localhost -all", "mx:localhost")]
    fn what_is_wrong_is_named(#[case] text: &str, #[case] term: &str) {
        assert_eq!(SpfRecord::parse(text).unwrap_err().0, term);
    }

    #[test]
    fn only_a_whole_version_makes_an_spf_record() {
        assert!(is_spf("v=spf1") && is_spf("V=SPF1 -all"));
        for near in [
            "v=spf1; -all",
            "v=spf10",
            " v=spf1 -all",
            "\"v=spf1 -all\"",
            "spf1 a -all",
            "v=spf2.0/pra",
        ] {
            assert!(!is_spf(near) && is_nearly_spf(near), "{near}");
        }
        assert!(!is_nearly_spf("v=spf1 -all") && !is_nearly_spf("google-site-verification=1"));
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(text in "(v=spf1 )?.*") {
            is_nearly_spf(&text);
            if is_spf(&text) {
                let _ = SpfRecord::parse(&text);
            }
        }

        #[test]
        fn records_made_of_terms_are_read(terms in proptest::collection::vec(
            "[+?~-]?(a|mx|ptr|all|include:[a-z]{1,9}\\.test|exists:%\\{i\\}\\.[a-z]{2,9}\\.test|ip4:10\\.[0-9]\\.0\\.0/[1-9]|ip6:2001:db8::/3[0-2])",
            0..12,
        )) {
            let text = format!("v=spf1 {}", terms.join(" "));
            let record = SpfRecord::parse(&text);
            prop_assert!(record.is_ok(), "{text}: {record:?}");
            prop_assert_eq!(record.unwrap().mechanisms.len(), terms.len());
        }
    }
}
