//! A message taken apart (RFC 5322, 2045, 2046): forgiving, and bounded in depth, parts and bytes whatever it holds.
//!
//! The parts are split here rather than by the crate, which recurses and copies before anybody can say "enough".

use std::cell::OnceCell;

use mailparse::body::Body;
use mailparse::{MailHeader, ParsedContentType, parse_content_type, parse_header};

/// How deep parts are followed into each other.
const DEEPEST: usize = 8;
/// How many parts are looked at.
const MOST_PARTS: usize = 200;
/// How many header lines of one part are read.
const MOST_HEADERS: usize = 500;
/// How many bytes of one header are read.
const LONGEST_HEADER: usize = 16 * 1024;
/// How many bytes of a part are decoded as text: no report is longer.
const LONGEST_TEXT: usize = 512 * 1024;

/// The headers of a message or part.
#[derive(Default)]
pub(super) struct Headers<'a>(Vec<Header<'a>>);

/// One header. It is decoded once, however often it is asked for: that can take long, for one made to take long.
struct Header<'a> {
    raw: MailHeader<'a>,
    value: OnceCell<String>,
}

impl Header<'_> {
    fn is_called(&self, name: &str) -> bool {
        self.raw
            .get_key_raw()
            .trim_ascii_end()
            .eq_ignore_ascii_case(name.as_bytes())
    }

    fn value(&self) -> &str {
        self.value.get_or_init(|| {
            let value = self.raw.get_value();
            value.split_whitespace().collect::<Vec<_>>().join(" ")
        })
    }
}

impl<'a> Headers<'a> {
    /// Reads headers up to the empty line, and says where the body starts.
    pub(super) fn parse(bytes: &'a [u8]) -> (Self, usize) {
        let mut headers = Vec::new();
        let mut at = 0;
        // A mailbox file's own line before the first header, and empty lines before it.
        while at < bytes.len() {
            let line = line_at(bytes, at);
            let blank = line.trim_ascii().is_empty();
            if !blank && !line.starts_with(b"From ") && !line.starts_with(b">From ") {
                break;
            }
            at += line.len();
        }
        while at < bytes.len() {
            let line = line_at(bytes, at);
            if line.trim_ascii().is_empty() {
                at += line.len();
                break;
            }
            if !is_header_line(line) {
                break;
            }
            let end = unfolded_end(bytes, at + line.len());
            let raw = &bytes[at..end.min(at + LONGEST_HEADER)];
            if headers.len() < MOST_HEADERS
                && let Ok((raw, _)) = parse_header(raw)
            {
                let value = OnceCell::new();
                headers.push(Header { raw, value });
            }
            at = end;
        }
        (Self(headers), at)
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The values of all headers of this name (in lower case), decoded (RFC 2047), on one line.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = String> {
        self.called(name).map(|header| header.value().to_owned())
    }

    fn called(&self, name: &str) -> impl Iterator<Item = &Header<'a>> {
        self.0.iter().filter(move |header| header.is_called(name))
    }

    /// The first value of this name.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.all(name).next()
    }

    /// The first value of this name in lower case; empty where there is none.
    pub(super) fn lower(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_lowercase()
    }

    /// Whether there is a header of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.called(name).next().is_some()
    }
}

/// The line that starts at `at`, with its end.
fn line_at(bytes: &[u8], at: usize) -> &[u8] {
    let rest = &bytes[at..];
    let end = rest.iter().position(|byte| *byte == b'\n');
    &rest[..end.map_or(rest.len(), |end| end + 1)]
}

/// Where the header ends whose next line would start at `at`: lines that begin with white space belong to it.
fn unfolded_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && matches!(bytes[at], b' ' | b'\t') {
        let line = line_at(bytes, at);
        if line.trim_ascii().is_empty() {
            break;
        }
        at += line.len();
    }
    at
}

/// Whether a line begins a header: a name of printable characters and a colon (RFC 5322 2.2).
fn is_header_line(line: &[u8]) -> bool {
    let name = line
        .iter()
        .position(|byte| *byte == b':')
        .map(|colon| &line[..colon]);
    name.is_some_and(|name| {
        let name = name.trim_ascii_end();
        !name.is_empty() && name.len() <= 100 && name.iter().all(u8::is_ascii_graphic)
    })
}

/// A message, or a part of one.
pub(super) struct Part<'a> {
    /// Its headers.
    pub(super) headers: Headers<'a>,
    /// Its type with parameters; `text/plain` where it has none.
    pub(super) content: ParsedContentType,
    /// What follows the headers, as it was sent.
    pub(super) body: &'a [u8],
    /// The parts of a multipart.
    pub(super) children: Vec<Part<'a>>,
}

impl<'a> Part<'a> {
    /// Takes a message apart. Never fails: what is no message is one part of text.
    pub(super) fn parse(bytes: &'a [u8]) -> Self {
        Self::read(bytes, 0, &mut { MOST_PARTS }, "text/plain")
    }

    fn read(bytes: &'a [u8], depth: usize, left: &mut usize, usual: &str) -> Self {
        let (headers, start) = Headers::parse(bytes);
        let declared = headers
            .get("content-type")
            .filter(|declared| !declared.is_empty());
        let mut content = parse_content_type(declared.as_deref().unwrap_or(usual));
        content.mimetype = content.mimetype.trim().to_owned();
        let body = &bytes[start..];
        let mut children = Vec::new();
        if depth < DEEPEST
            && content.mimetype.starts_with("multipart/")
            && let Some(boundary) = content.params.get("boundary")
        {
            let usual = match content.mimetype.as_str() {
                "multipart/digest" => "message/rfc822",
                _ => "text/plain",
            };
            for piece in pieces(body, boundary.trim_end().as_bytes()) {
                if *left == 0 {
                    break;
                }
                *left -= 1;
                children.push(Self::read(piece, depth + 1, left, usual));
            }
        }
        Self {
            headers,
            content,
            body,
            children,
        }
    }

    /// The type in lower case: `text/plain`.
    pub(super) fn kind(&self) -> &str {
        &self.content.mimetype
    }

    /// A parameter of the type, in lower case.
    pub(super) fn parameter(&self, name: &str) -> String {
        self.content
            .params
            .get(name)
            .map(|value| value.to_lowercase())
            .unwrap_or_default()
    }

    /// All parts that hold no others, in their order.
    pub(super) fn leaves(&self) -> Vec<&Self> {
        let mut leaves = Vec::new();
        self.collect(&mut leaves);
        leaves
    }

    fn collect<'b>(&'b self, leaves: &mut Vec<&'b Self>) {
        if self.children.is_empty() {
            leaves.push(self);
        }
        for child in &self.children {
            child.collect(leaves);
        }
    }

    fn encoding(&self) -> String {
        self.headers.lower("content-transfer-encoding")
    }

    /// The body decoded (RFC 2045 6), at most `most` bytes of what was sent; as it came where it breaks its encoding.
    pub(super) fn bytes(&self, most: usize) -> Vec<u8> {
        let body = &self.body[..self.body.len().min(most)];
        match Body::new(body, &self.content, &Some(self.encoding())) {
            Body::Base64(encoded) | Body::QuotedPrintable(encoded) => {
                encoded.get_decoded().unwrap_or_else(|_| body.to_vec())
            }
            _ => body.to_vec(),
        }
    }

    /// The body as text: decoded, HTML without its tags, lines ended by `\n` alone. Bounded.
    pub(super) fn text(&self) -> String {
        let bytes = self.bytes(LONGEST_TEXT);
        let text = match String::from_utf8(bytes) {
            // Japanese mail in seven bits is valid UTF-8 as well.
            Ok(text) if !text.contains("\x1b$") => text,
            Ok(text) => self.in_charset(text.as_bytes()),
            Err(error) => self.in_charset(error.as_bytes()),
        };
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        if self.kind() == "text/html" {
            super::html::text(&text)
        } else {
            text
        }
    }

    fn in_charset(&self, bytes: &[u8]) -> String {
        let mut content = ParsedContentType {
            mimetype: String::new(),
            ..Default::default()
        };
        let named = self.content.charset.to_ascii_lowercase();
        content.charset = match named.as_str() {
            "us-ascii" if bytes.contains(&0x1b) => "iso-2022-jp".to_owned(),
            "us-ascii" => "windows-1252".to_owned(),
            _ => named,
        };
        match Body::new(bytes, &content, &None) {
            Body::SevenBit(text) => text.get_as_string().ok(),
            _ => None,
        }
        .unwrap_or_else(|| String::from_utf8_lossy(bytes).into_owned())
    }
}

/// Splits a multipart's body at its boundary (RFC 2046 5.1.1); a missing end is forgiven.
fn pieces<'a>(body: &'a [u8], boundary: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut start = None;
    let mut at = 0;
    while at < body.len() {
        let line = line_at(body, at);
        let delimiter = line
            .strip_prefix(b"--")
            .and_then(|line| line.strip_prefix(boundary));
        if let Some(rest) = delimiter.filter(|_| !boundary.is_empty()) {
            let rest = rest.trim_ascii();
            if rest.is_empty() || rest == b"--" {
                pieces.extend(start.map(|start| &body[start..at]));
                start = Some(at + line.len());
                if rest == b"--" {
                    start = None;
                }
            }
        }
        at += line.len();
    }
    pieces.extend(start.map(|start| &body[start..]));
    pieces.truncate(MOST_PARTS);
    pieces
}
