//! Names in SPF that depend on who sends: macros, filled in for one sender (RFC 7208 7).

use std::net::IpAddr;

use crate::model::DomainName;

/// The longest name; of a longer one labels are left off at its start (RFC 7208 7.3).
const LONGEST_NAME: usize = 253;

/// For whom macros are filled in.
#[derive(Debug, Clone, Copy)]
pub struct Sender<'a> {
    /// Where the mail comes from.
    pub address: IpAddr,
    /// The part of the envelope sender before @.
    pub local: &'a str,
    /// The part after it.
    pub domain: &'a DomainName,
    /// The domain whose record is being followed.
    pub current: &'a DomainName,
}

/// Fills in a domain-spec; `None` where no name that could be asked for comes of it.
pub fn expand(text: &str, sender: &Sender<'_>) -> Option<DomainName> {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        whole.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        rest = match after.as_bytes().first()? {
            b'%' => {
                whole.push('%');
                &after[1..]
            }
            b'_' => {
                whole.push(' ');
                &after[1..]
            }
            b'-' => {
                whole.push_str("%20");
                &after[1..]
            }
            b'{' => {
                let end = after.find('}')?;
                whole.push_str(&fill_in(&after[1..end], sender)?);
                &after[end + 1..]
            }
            _ => return None,
        };
        if whole.len() > 16 * LONGEST_NAME {
            return None;
        }
    }
    whole.push_str(rest);
    let mut name = whole.as_str();
    while name.len() > LONGEST_NAME {
        name = name.split_once('.')?.1;
    }
    DomainName::parse(name).ok()
}

/// One macro, without its braces: a letter, how many parts from the right, `r` to reverse them, what parts them.
fn fill_in(text: &str, sender: &Sender<'_>) -> Option<String> {
    let letter = text.chars().next()?.to_ascii_lowercase();
    let value = match letter {
        's' => format!("{}@{}", sender.local, sender.domain),
        'l' => sender.local.to_owned(),
        'o' | 'h' => sender.domain.to_string(),
        'd' => sender.current.to_string(),
        'i' => dotted(sender.address),
        'v' => if sender.address.is_ipv4() {
            "in-addr"
        } else {
            "ip6"
        }
        .to_owned(),
        // What the RFC advises to leave out, and what only explanations may hold.
        _ => "unknown".to_owned(),
    };
    let rest = &text[1..];
    let end = rest.find(|one: char| !one.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, rest) = rest.split_at(end);
    let reversed = rest.starts_with(['r', 'R']);
    let delimiters = rest.trim_start_matches(['r', 'R']);
    let delimiters = if delimiters.is_empty() { "." } else { delimiters };
    let mut parts: Vec<&str> = value.split(|one| delimiters.contains(one)).collect();
    if reversed {
        parts.reverse();
    }
    let kept = match digits.parse::<usize>() {
        Ok(0) => return None,
        Ok(count) => count.min(parts.len()),
        Err(_) => parts.len(),
    };
    Some(parts[parts.len() - kept..].join("."))
}

/// An address as `%{i}` has it: in IPv6 each hexadecimal digit is a label.
fn dotted(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let digits = address
                .octets()
                .iter()
                .flat_map(|octet| [octet >> 4, octet & 15])
                .map(|digit| format!("{digit:x}"))
                .collect::<Vec<_>>();
            digits.join(".")
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// The examples of RFC 7208 7.4.
    #[rstest]
    #[case("%{o}", Some("email.example.com"))]
    #[case("%{d4}", Some("email.example.com"))]
    #[case("%{d3}", Some("email.example.com"))]
    #[case("%{d2}", Some("example.com"))]
    #[case("%{d1}.test", Some("com.test"))]
    #[case("%{dr}", Some("com.example.email"))]
    #[case("%{d2r}", Some("example.email"))]
    #[case("%{l}.test", Some("strong-bad.test"))]
    #[case("%{l-}.test", Some("strong.bad.test"))]
    #[case("%{lr-}.test", Some("bad.strong.test"))]
    #[case("%{l1r-}.test", Some("strong.test"))]
    #[case("%{ir}.%{v}._spf.%{d2}", Some("3.2.0.192.in-addr._spf.example.com"))]
    #[case("%{lr-}.lp._spf.%{d2}", Some("bad.strong.lp._spf.example.com"))]
    #[case("%{d0}", None)]
    #[case("%", None)]
    fn macros(#[case] text: &str, #[case] name: Option<&str>) {
        let domain = DomainName::parse("email.example.com").unwrap();
        let sender = Sender {
            address: "192.0.2.3".parse().unwrap(),
            local: "strong-bad",
            domain: &domain,
            current: &domain,
        };
        let found = expand(text, &sender);
        assert_eq!(found.as_ref().map(DomainName::as_str), name);
    }

    #[test]
    fn an_ipv6_address_is_a_label_a_digit() {
        let domain = DomainName::parse("example.com").unwrap();
        let sender = Sender {
            address: "2001:db8::cb01".parse().unwrap(),
            local: "postmaster",
            domain: &domain,
            current: &domain,
        };
        let found = expand("%{ir}.%{v}._spf.%{d2}", &sender).unwrap();
        let expected = "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com";
        assert_eq!(found.as_str(), expected);
    }
}
