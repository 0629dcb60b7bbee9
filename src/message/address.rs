//! Mail addresses in reports: found in text, and freed of the dress that they come in (RFC 3464 2.3, RFC 3461 4,
//! RFC 6533 3).

/// The longest address that is believed (RFC 5321 4.5.3.1: 64 + 1 + 255).
const LONGEST: usize = 320;

/// Reads a field such as `rfc822; <who@partner.test>` or `utf-8; p\x{E9}re@partner.test`: the bare address. Without an
/// `@` it is nothing, for a mailbox's number is nobody's address.
pub(super) fn typed(field: &str) -> Option<String> {
    let (kind, rest) = match field.split_once(';') {
        Some((kind, rest)) if !kind.contains('@') => (kind.trim().to_ascii_lowercase(), rest),
        _ => ("rfc822".to_owned(), field),
    };
    // RFC 6533 3: `\x{HEX}` stands for a character.
    let rest = if kind == "utf-8" || rest.contains("\\x{") {
        unescaped(rest)
    } else {
        rest.to_owned()
    };
    let whole = rest.trim().trim_start_matches('<').trim_end_matches('>');
    let international = !whole.is_ascii() && whole.matches('@').count() == 1;
    if international && kind == "utf-8" && !whole.contains(char::is_whitespace) && whole.len() <= LONGEST {
        return Some(whole.to_owned());
    }
    let found = first(&rest)?;
    // RFC 3461 4: xtext, where an original recipient was taken over as it came.
    Some(if found.contains('+') {
        from_xtext(&found)
    } else {
        found
    })
}

/// The first address in a text.
pub(super) fn first(text: &str) -> Option<String> {
    all(text).next()
}

/// All addresses in a text, in their order; what is no address by its shape is left out. Linear.
pub(super) fn all(text: &str) -> impl Iterator<Item = String> + '_ {
    spans(text).map(|(start, end)| text[start..end].to_owned())
}

/// Where the addresses of a text begin and end.
pub(super) fn spans(text: &str) -> impl Iterator<Item = (usize, usize)> + '_ {
    let mut after = 0;
    text.match_indices('@').filter_map(move |(at, _)| {
        let (start, end) = span(text, after, at)?;
        after = end;
        Some((start, end))
    })
}

/// The address around the `@` at `at`, none of it before `least`.
fn span(text: &str, least: usize, at: usize) -> Option<(usize, usize)> {
    let before = text.get(least..at)?;
    let quoted = before.ends_with('"');
    let start = if quoted {
        let body = &before[..before.len() - 1];
        let mut window = body.char_indices().rev().take(LONGEST);
        least + window.find(|(_, c)| *c == '"')?.0
    } else {
        let mut length = 0;
        for c in before.chars().rev() {
            if !in_local(c) || length > LONGEST {
                break;
            }
            length += c.len_utf8();
        }
        at - length
    };
    let bare = text[start..at].trim_start_matches(['\'', '.', '-', '=', '*', '/', '`', '|']);
    let start = at - bare.len();
    let domain = &text[at + 1..];
    let mut length = 0;
    for c in domain.chars() {
        let literal = domain.starts_with('[') && matches!(c, '[' | ']' | ':');
        if !((c.is_alphanumeric() && !is_unspaced(c)) || matches!(c, '.' | '-' | '_') || literal)
            || length > LONGEST
        {
            break;
        }
        length += c.len_utf8();
    }
    let domain = domain[..length].trim_end_matches(['.', '-', '_']);
    let end = at + 1 + domain.len();
    let sound = start < at && end - start <= LONGEST && is_domain(domain);
    sound.then_some((start, end))
}

fn in_local(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || "!#$%&'*+-/=?^_`{|}~.".contains(c)
        // Internationalised (RFC 6531 3.3), though not the brackets and stops that other scripts write.
        || (!c.is_ascii() && c.is_alphanumeric() && !is_unspaced(c))
}

/// Characters of scripts that put no blanks between words: in a text they belong to the words beside an address.
fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{3000}'..='\u{9fff}' | '\u{ff00}'..='\u{ffef}')
}

fn is_domain(domain: &str) -> bool {
    if domain.starts_with('[') {
        return domain.ends_with(']') && domain.len() > 4;
    }
    let labels = domain.split('.');
    let last = domain.rsplit('.').next().unwrap_or_default();
    !domain.is_empty()
        && labels.clone().all(|label| !label.is_empty())
        && !last.bytes().all(|b| b.is_ascii_digit())
}

/// Resolves `\x{HEX}` (RFC 6533 3); what is none stays.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\\x{") {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(12).position(|byte| byte == b'}');
        let found = end.and_then(|end| {
            let code = u32::from_str_radix(rest.get(3..end)?, 16).ok()?;
            Some((end, char::from_u32(code).filter(|c| !c.is_control())?))
        });
        if let Some((end, c)) = found {
            out.push(c);
            rest = &rest[end + 1..];
        } else {
            out.push_str("\\x{");
            rest = &rest[3..];
        }
    }
    out.push_str(rest);
    out
}

/// Decodes xtext (`+3D` is `=`), where every plus is followed by two capital hex digits that stand for a character that
/// xtext must encode; an address with a plus of its own stays.
fn from_xtext(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('+') {
        out.push_str(&rest[..at]);
        let code = rest
            .get(at + 1..at + 3)
            .filter(|hex| !hex.contains(|c: char| c.is_ascii_lowercase()));
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte @ (b'+' | b'=')) => {
                out.push(char::from(byte));
                rest = &rest[at + 3..];
            }
            _ => return text.to_owned(),
        }
    }
    out.push_str(rest);
    out
}

/// The domain of an address, in lower case.
pub(super) fn domain(address: &str) -> String {
    address
        .rsplit('@')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("rfc822; who@partner.test", Some("who@partner.test"))]
    #[case("RFC822;<Who@Partner.test>", Some("Who@Partner.test"))]
    #[case("who@partner.test", Some("who@partner.test"))]
    #[case("rfc822;who+3Dtag@partner.test", Some("who=tag@partner.test"))]
    #[case("rfc822;who+tag@partner.test", Some("who+tag@partner.test"))]
    #[case("utf-8; p\\x{E8}re@partner.test", Some("père@partner.test"))]
    #[case("utf-8; père@partner.test", Some("père@partner.test"))]
    #[case("rfc822; \"some body\"@partner.test", Some("\"some body\"@partner.test"))]
    #[case("x-local; 4711", None)]
    #[case("rfc822; who@[192.0.2.1]", Some("who@[192.0.2.1]"))]
    fn fields(#[case] field: &str, #[case] expected: Option<&str>) {
        assert_eq!(typed(field).as_deref(), expected);
    }

    #[rstest]
    #[case("to <a@b.test>: and (c@d.test), 'e@f.test'.", &["a@b.test", "c@d.test", "e@f.test"])]
    #[case("mailto:a@b.test", &["a@b.test"])]
    #[case("@ a@ @b a@1.2.3.4 @@", &[])]
    #[case("宛先：a@b.test。", &["a@b.test"])]
    fn in_text(#[case] text: &str, #[case] expected: &[&str]) {
        assert_eq!(all(text).collect::<Vec<_>>(), expected);
    }
}
