//! HTML as plain text: enough to read a report that came in nothing else.

/// Tags that end a line.
const BREAKS: &[&str] = &[
    "br",
    "p",
    "div",
    "tr",
    "li",
    "h1",
    "h2",
    "h3",
    "h4",
    "table",
    "hr",
    "pre",
    "blockquote",
];

/// What a character reference stands for.
const NAMED: &[(&str, &str)] = &[
    ("lt", "<"),
    ("gt", ">"),
    ("amp", "&"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", " "),
    ("auml", "ä"),
    ("ouml", "ö"),
    ("uuml", "ü"),
    ("Auml", "Ä"),
    ("Ouml", "Ö"),
    ("Uuml", "Ü"),
    ("szlig", "ß"),
    ("eacute", "é"),
    ("egrave", "è"),
    ("agrave", "à"),
    ("ccedil", "ç"),
    ("oacute", "ó"),
    ("iacute", "í"),
    ("aacute", "á"),
    ("ntilde", "ñ"),
    ("atilde", "ã"),
    ("otilde", "õ"),
    ("ecirc", "ê"),
    ("ocirc", "ô"),
    ("rsquo", "'"),
    ("lsquo", "'"),
    ("ldquo", "\""),
    ("rdquo", "\""),
    ("ndash", "-"),
    ("mdash", "-"),
    ("uacute", "ú"),
];

/// The text of a page, its paragraphs as lines. Linear in the page.
pub(super) fn text(page: &str) -> String {
    let mut out = String::with_capacity(page.len() / 2);
    let mut rest = page;
    while let Some(open) = rest.find('<') {
        words(&mut out, &rest[..open]);
        rest = &rest[open..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
            continue;
        }
        let Some(close) = rest.find('>') else { break };
        let tag = &rest[1..close];
        let name = tag
            .trim_start_matches('/')
            .split(|c: char| !c.is_ascii_alphanumeric())
            .next();
        let name = name.unwrap_or_default().to_ascii_lowercase();
        // An address in angle brackets is none of HTML, but some reports have it.
        if tag.contains('@') && !tag.contains([' ', '=']) {
            out.push_str(&rest[..=close]);
        } else if BREAKS.contains(&name.as_str()) {
            out.push('\n');
        }
        rest = &rest[close + 1..];
        if matches!(name.as_str(), "style" | "script" | "title") && !tag.starts_with('/') {
            rest = rest.find("</").map_or("", |end| &rest[end..]);
        }
    }
    words(&mut out, rest);
    out
}

/// Adds text between tags: white space is one blank, references are resolved.
fn words(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain(out, &rest[..at]);
        rest = &rest[at + 1..];
        let end = rest.bytes().take(10).position(|byte| byte == b';');
        match end.and_then(|end| Some((end, reference(&rest[..end])?))) {
            Some((end, found)) => {
                out.push_str(&found);
                rest = &rest[end + 1..];
            }
            None => out.push('&'),
        }
    }
    plain(out, rest);
}

fn plain(out: &mut String, text: &str) {
    for c in text.chars() {
        if !c.is_whitespace() {
            out.push(c);
        } else if !out.ends_with([' ', '\n']) {
            out.push(' ');
        }
    }
}

fn reference(name: &str) -> Option<String> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code).map(String::from);
    }
    NAMED
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, text)| (*text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn paragraphs_become_lines() {
        let page = "<html><head><style>p { a: b }</style></head><body><p>Ihre Nachricht an \
                    <a href=\"mailto:a@b.test\">a@b.test</a><br>k&ouml;nnte &lt;fehlen&gt; &#8364;&bogus;</p>";
        assert_eq!(
            text(page).trim(),
            "Ihre Nachricht an a@b.test\nkönnte <fehlen> €&bogus;"
        );
        assert_eq!(text("<<a@b.test>: no"), "<<a@b.test>: no");
        assert_eq!(text("<script>never ends"), "");
    }
}
