//! Texts with gaps: the body and the address of a webhook, written by the operator.
//!
//! `{{ name }}` is filled with a field of the message, `{{#name}}...{{/name}}` stands only where the field is filled,
//! `{{^name}}...{{/name}}` only where it is not. Nothing else is understood, and every mistake is found when the text
//! is read. What fills a gap is escaped for where it stands, so that no server's words can break out of it.

mod parse;
#[cfg(test)]
mod tests;

use serde_json::Value;

use super::text::percent;

pub use parse::TemplateError;

/// How the filled text is read, and so how what fills its gaps is escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// JSON (RFC 8259): within quotes a gap is text, outside it is a value of its own.
    Json,
    /// `application/x-www-form-urlencoded`, or the path and the query of a URL (RFC 3986 2.1).
    Percent,
    /// XML's five characters.
    Xml,
    /// Nothing is escaped.
    Plain,
}

macro_rules! fields {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// What can fill a gap.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Field {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Field {
            /// All of them, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name in a template.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

fields! {
    /// `opened`, `resolved` and so on.
    Event = "event",
    /// The same for all messages about one incident.
    DedupKey = "dedup_key",
    /// The incident's number; nothing in a test, as all that follows.
    Id = "id",
    /// `open` or `resolved`.
    State = "state",
    /// `critical` or `warning`.
    Severity = "severity",
    /// The cause's code.
    Code = "code",
    /// The cause in a line.
    Title = "title",
    /// The broken thing.
    Cause = "cause",
    /// What to do.
    Action = "action",
    /// Whose it is.
    Owner = "owner",
    /// Whom to call.
    Contact = "contact",
    /// The ids of the clients that it touches: a list.
    Clients = "clients",
    /// The domains that it touches: a list.
    Domains = "domains",
    /// How many targets it touches: a number.
    Affected = "affected",
    /// When it began.
    Opened = "opened",
    /// When it ended; nothing before.
    Resolved = "resolved",
    /// The whole incident, as the webhook's own document has it: an object.
    Incident = "incident",
    /// The message in a line.
    Subject = "subject",
    /// The message in a paragraph.
    Text = "text",
    /// The message on several lines.
    Body = "body",
    /// Where to read more.
    Url = "url",
    /// Where whoever reads it takes the incident on.
    TakeUrl = "take_url",
    /// When the message was decided.
    Sent = "sent",
    /// What an earlier answer gave to be kept.
    Captured = "captured",
}

/// A text with gaps. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    encoding: Encoding,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// `quoted`: within a JSON string.
    Gap {
        field: Field,
        quoted: bool,
    },
    Section {
        field: Field,
        filled: bool,
        parts: Vec<Part>,
    },
}

impl std::fmt::Debug for Template {
    /// An address may hold a token, and a body a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Template({:?}, ...)", self.encoding)
    }
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// [`TemplateError`] with line and column: a name that no field has, a section that does not end, and for JSON
    /// whatever would be none once the gaps are filled.
    pub fn parse(text: &str, encoding: Encoding) -> Result<Self, TemplateError> {
        parse::template(text, encoding)
    }

    /// Whether a field is used anywhere.
    pub fn uses(&self, field: Field) -> bool {
        uses(&self.parts, field)
    }

    /// The text before the first gap.
    pub fn beginning(&self) -> &str {
        match self.parts.first() {
            Some(Part::Text(text)) => text,
            _ => "",
        }
    }

    /// Whether there is no gap at all.
    pub fn is_plain(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Text(_)))
    }

    /// The text with its gaps filled; null fills nothing.
    pub fn fill(&self, value: &dyn Fn(Field) -> Value) -> String {
        let mut out = String::new();
        fill(&self.parts, self.encoding, value, &mut out);
        out
    }
}

fn uses(parts: &[Part], wanted: Field) -> bool {
    parts.iter().any(|part| match part {
        Part::Text(_) => false,
        Part::Gap { field, .. } => *field == wanted,
        Part::Section { field, parts, .. } => *field == wanted || uses(parts, wanted),
    })
}

fn fill(parts: &[Part], encoding: Encoding, value: &dyn Fn(Field) -> Value, out: &mut String) {
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Gap { field, quoted } => out.push_str(&escaped(&value(*field), encoding, *quoted)),
            Part::Section { field, filled, parts } => {
                if is_filled(&value(*field)) == *filled {
                    fill(parts, encoding, value, out);
                }
            }
        }
    }
}

fn is_filled(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Number(_) | Value::Object(_) => true,
    }
}

fn escaped(value: &Value, encoding: Encoding, quoted: bool) -> String {
    if encoding == Encoding::Json && !quoted {
        return value.to_string();
    }
    let text = in_words(value);
    match encoding {
        Encoding::Json => {
            let string = Value::String(text).to_string();
            string[1..string.len() - 1].to_owned()
        }
        Encoding::Percent => percent(&text, b""),
        Encoding::Xml => xml(&text),
        Encoding::Plain => text,
    }
}

/// A value as text: lists with commas, objects as JSON.
fn in_words(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(in_words).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            other => out.push(other),
        }
    }
    out
}
