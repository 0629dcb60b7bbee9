//! What the receiving server found when it checked a message (RFC 8601): SPF, DKIM, DMARC.

use crate::model::MethodResult;
use crate::model::text::clean;

/// Results that are read from one header.
const MOST_RESULTS: usize = 20;
/// Characters of a method or a result that are kept.
const LONGEST_WORD: usize = 40;

/// Reads an Authentication-Results header: who checked, and what was found. `None` where it is none.
///
/// Anybody can write one into a message: only that of the server that took it, which stands on top, is worth reading.
pub fn results(value: &str) -> Option<(String, Vec<MethodResult>)> {
    let mut parts = split(value).into_iter();
    let server = parts.next()?;
    let server = server.split_ascii_whitespace().next()?;
    let found = parts.filter_map(|part| method(&part)).take(MOST_RESULTS);
    Some((clean(server.as_bytes(), 120), found.collect()))
}

/// `spf=pass smtp.mailfrom=acme.test`, also with a version behind the method.
fn method(part: &str) -> Option<MethodResult> {
    let (method, rest) = part.split_once('=')?;
    let method = method.split('/').next()?.trim();
    let result = rest.split_ascii_whitespace().next()?;
    let plain =
        |word: &str| !word.is_empty() && word.bytes().all(|one| one.is_ascii_alphanumeric() || one == b'-');
    let word = |word: &str| clean(word.to_ascii_lowercase().as_bytes(), LONGEST_WORD);
    (plain(method) && plain(result)).then(|| MethodResult {
        method: word(method),
        result: word(result),
    })
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
    #[case("acme.test; SPF/1 = SoftFail reason=\"a; b=c\"", "acme.test", "spf=softfail")]
    fn results_are_read(#[case] value: &str, #[case] server: &str, #[case] expected: &str) {
        let (by, found) = results(value).unwrap();
        let found: Vec<String> = found
            .iter()
            .map(|one| format!("{}={}", one.method, one.result))
            .collect();
        assert_eq!((by.as_str(), found.join(" ").as_str()), (server, expected));
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(text in ".*") {
            let _ = results(&text);
        }
    }
}
