//! What the receiving server found when it checked a message (RFC 8601): SPF, DKIM, DMARC.

use crate::model::MethodResult;
use crate::model::text::clean;

/// Results that are read from one header.
const MOST_RESULTS: usize = 20;
/// Characters of a method or a result that are kept.
const LONGEST_WORD: usize = 40;
/// Characters of a domain that are kept (RFC 1035 3.1).
const LONGEST_DOMAIN: usize = 255;

/// One method's result, and the domain that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The method and its result.
    pub result: MethodResult,
    /// Of DMARC the domain in From, of DKIM that which signed, of SPF that of the envelope's sender; in lower case.
    pub domain: Option<String>,
}

/// Reads an Authentication-Results header: who checked, and what was found. `None` where it is none.
///
/// Anybody can write one into a message: only that of the server that took it, which stands on top, is worth reading.
pub fn results(value: &str) -> Option<(String, Vec<MethodResult>)> {
    let (server, found) = findings(value)?;
    Some((server, found.into_iter().map(|one| one.result).collect()))
}

/// Likewise, with the domains. Microsoft's servers leave out who checked: then it is empty.
pub fn findings(value: &str) -> Option<(String, Vec<Finding>)> {
    let parts = split(value);
    let server = parts.first()?.split_ascii_whitespace().next()?;
    let is_named = !server.contains('=');
    let found = parts.iter().skip(usize::from(is_named));
    let found = found.filter_map(|part| finding(part)).take(MOST_RESULTS);
    let server = if is_named { server } else { "" };
    Some((clean(server.as_bytes(), 120), found.collect()))
}

/// Whether what was found vouches for a domain in From: DMARC does, or a signature or an envelope's sender of that domain,
/// of one below or of the one above it (RFC 7489 3.1, without a list of public suffixes).
pub fn vouches(found: &[Finding], from: &str) -> bool {
    let is_below = |one: &str, other: &str| {
        other.contains('.')
            && one
                .strip_suffix(other)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let is_aligned = |domain: &str| is_below(domain, from) || is_below(from, domain);
    found.iter().filter(|one| one.result.result == "pass").any(|one| {
        let domain = one.domain.as_deref();
        match one.result.method.as_str() {
            "dmarc" => domain.is_none_or(|domain| domain == from),
            "dkim" | "spf" => domain.is_some_and(is_aligned),
            _ => false,
        }
    })
}

/// `spf=pass smtp.mailfrom=acme.test`, also with a version behind the method.
fn finding(part: &str) -> Option<Finding> {
    let (method, rest) = part.split_once('=')?;
    let method = method.split('/').next()?.trim();
    let mut words = rest.split_ascii_whitespace();
    let result = words.next()?;
    let plain =
        |word: &str| !word.is_empty() && word.bytes().all(|one| one.is_ascii_alphanumeric() || one == b'-');
    let word = |word: &str| clean(word.to_ascii_lowercase().as_bytes(), LONGEST_WORD);
    if !plain(method) || !plain(result) {
        return None;
    }
    let result = MethodResult {
        method: word(method),
        result: word(result),
    };
    let named = |name: &str| {
        let mut properties = words.clone().filter_map(|word| word.split_once('='));
        let (_, value) = properties.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        let value = value.trim_matches('"');
        let domain = value.rsplit('@').next()?.trim_end_matches('.');
        Some(clean(domain.to_ascii_lowercase().as_bytes(), LONGEST_DOMAIN))
    };
    let domain = match result.method.as_str() {
        "dmarc" => named("header.from"),
        "dkim" => named("header.d").or_else(|| named("header.i")),
        "spf" => named("smtp.mailfrom"),
        _ => None,
    };
    Some(Finding { result, domain })
}

/// The parts between semicolons, without comments; neither counts within quotes.
fn split(value: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut depth, mut quoted, mut escaped) = (0_u32, false, false);
    for one in value.chars() {
        let is_escaped = std::mem::take(&mut escaped);
        match one {
            _ if is_escaped => {}
            '\\' => escaped = true,
            '"' if depth == 0 => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted && depth > 0 => {
                depth -= 1;
                continue;
            }
            ';' if !quoted && depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if depth == 0
            && let Some(last) = parts.last_mut()
        {
            last.push(one);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(
        "mx.acme.test; spf=pass smtp.mailfrom=acme.test; dkim=pass (good; really) header.d=acme.test",
        "mx.acme.test",
        "spf=pass dkim=pass"
    )]
    #[case(
        "mx.acme.test 1;\r\n\tdmarc=fail (p=none dis=none) header.from=acme.test",
        "mx.acme.test",
        "dmarc=fail"
    )]
    #[case("acme.test; none", "acme.test", "")]
    #[case(
        "spf=pass (sender IP is 192.0.2.1)\r\n smtp.mailfrom=acme.test; dkim=none",
        "",
        "spf=pass dkim=none"
    )]
    #[case("acme.test; SPF/1 = SoftFail reason=\"a; b=c\"", "acme.test", "spf=softfail")]
    fn results_are_read(#[case] value: &str, #[case] server: &str, #[case] expected: &str) {
        let (by, found) = results(value).unwrap();
        let found: Vec<String> = found
            .iter()
            .map(|one| format!("{}={}", one.method, one.result))
            .collect();
        assert_eq!((by.as_str(), found.join(" ").as_str()), (server, expected));
    }

    #[rstest]
    #[case::dmarc("dmarc=pass (p=none) header.from=acme.test", true)]
    #[case::dmarc_of_another("dmarc=pass header.from=evil.test", false)]
    #[case::dmarc_fails("dmarc=fail header.from=acme.test", false)]
    #[case::signed("dkim=pass header.d=acme.test header.s=s1", true)]
    #[case::signed_below("dkim=pass header.d=mail.acme.test", true)]
    #[case::signed_by_its_agent("dkim=pass header.i=@acme.test", true)]
    #[case::signed_by_another("dkim=pass header.d=evil.test", false)]
    #[case::signed_by_one_that_ends_so("dkim=pass header.d=notacme.test", false)]
    #[case::signed_by_the_top("dkim=pass header.d=test", false)]
    #[case::signed_by_nobody("dkim=pass", false)]
    #[case::sent("spf=pass smtp.mailfrom=\"bounce@ACME.test.\"", true)]
    #[case::sent_by_another("spf=pass smtp.mailfrom=evil.test smtp.helo=acme.test", false)]
    #[case::in_a_comment("spf=none (dmarc=pass header.from=acme.test)", false)]
    #[case::in_quotes("spf=none reason=\"; dmarc=pass header.from=acme.test\"", false)]
    #[case::another_method("x-google=pass header.from=acme.test", false)]
    fn what_vouches_for_a_sender(#[case] found: &str, #[case] expected: bool) {
        let (_, found) = findings(&format!("mx.msp.test; {found}")).unwrap();
        assert_eq!(vouches(&found, "acme.test"), expected, "{found:?}");
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(text in ".*") {
            let found = findings(&text).map(|(_, found)| found).unwrap_or_default();
            let _ = vouches(&found, &text);
        }
    }
}
