//! Masking secrets in text that is about to be shown.

use std::ops::Range;

/// Keys whose value is a secret wherever they stand, also in a text that is no TOML.
pub(super) const SECRET_KEYS: [&str; 10] = [
    "password",
    "passwd",
    "secret",
    "client_secret",
    "service_account",
    "token",
    "community",
    "routing_key",
    "bcrypt",
    "authorization",
];

/// `text` with everything in `spans`, and all that looks like a secret, replaced by `*`, and with characters that
/// a terminal would obey replaced by `?`. Line breaks and every byte's position stay.
pub(super) fn mask(text: &str, spans: &[Range<usize>]) -> String {
    let mut spans = spans.to_vec();
    add_secret_values(text, &mut spans);
    add_url_passwords(text, &mut spans);
    spans.sort_by_key(|span| span.start);
    let mut masked = String::with_capacity(text.len());
    let mut next = spans.iter().peekable();
    let mut hidden_until = 0;
    for (at, character) in text.char_indices() {
        while let Some(span) = next.next_if(|span| span.start <= at) {
            hidden_until = hidden_until.max(span.end);
        }
        let shown = match character {
            '\n' | '\r' | '\t' => character,
            _ if at < hidden_until => '*',
            c if obeyed(c) => '?',
            c => c,
        };
        let copies = if shown == character {
            1
        } else {
            character.len_utf8()
        };
        masked.extend(std::iter::repeat_n(shown, copies));
    }
    masked
}

/// Control characters, and those that turn the direction of writing.
fn obeyed(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The values after `KEY =` for every secret key.
fn add_secret_values(text: &str, spans: &mut Vec<Range<usize>>) {
    let lower = text.to_ascii_lowercase();
    for key in SECRET_KEYS {
        for (at, _) in lower.match_indices(key) {
            let mut rest = &text[at + key.len()..];
            rest = rest.trim_start_matches(['"', '\'', ' ', '\t']);
            if let Some(value) = rest.strip_prefix('=') {
                let value = value.trim_start_matches([' ', '\t']);
                let start = text.len() - value.len();
                spans.push(start..start + value_length(value));
            }
        }
    }
}

/// How far a TOML value reaches, closed or not; nothing for a table, which only says where the secret is.
fn value_length(value: &str) -> usize {
    for quote in ["\"\"\"", "'''"] {
        if let Some(inner) = value.strip_prefix(quote) {
            return inner.find(quote).map_or(value.len(), |end| end + 2 * quote.len());
        }
    }
    let line = value.split('\n').next().unwrap_or_default();
    match line.chars().next() {
        None | Some('{') => 0,
        Some(quote @ ('"' | '\'')) => closing(line, quote).unwrap_or(line.len()),
        Some(_) => line.len(),
    }
}

/// Where the string that begins with `quote` ends, its last quote included.
fn closing(line: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, character) in line.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// What stands between `://` and `@`.
fn add_url_passwords(text: &str, spans: &mut Vec<Range<usize>>) {
    for (at, separator) in text.match_indices("://") {
        let start = at + separator.len();
        let authority = text[start..]
            .split(['/', '"', '\'', '\n', ' '])
            .next()
            .unwrap_or_default();
        if let Some(end) = authority.rfind('@') {
            spans.push(start..start + end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn values_of_secret_keys_are_hidden_whether_the_text_is_toml_or_not() {
        for (text, shown) in [
            ("password = \"a\\\"b\" # x", "password = ****** # x"),
            ("password = \"open", "password = *****"),
            ("x = { token = 'é', y = 1 }", "x = { token = ****, y = 1 }"),
            ("password = { env = \"NAME\" }", "password = { env = \"NAME\" }"),
            (
                "\"Authorization\" = \"Bearer x\"",
                "\"Authorization\" = **********",
            ),
            ("secret = \"\"\"a\nb\"\"\"\nc", "secret = ****\n****\nc"),
            ("url = \"https://u:p@h/x\"", "url = \"https://***@h/x\""),
            ("a\u{1b}[31m\u{202e}", "a?[31m???"),
        ] {
            assert_eq!(mask(text, &[]), shown);
            assert_eq!(mask(text, &[]).len(), text.len());
        }
    }

    #[test]
    fn given_spans_are_hidden_also_when_they_overlap() {
        assert_eq!(mask("abcdefgh", &[3..5, 1..4, 2..3]), "a****fgh");
    }
}
