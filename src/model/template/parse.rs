//! Reading a template.

use serde_json::{Value, json};

use super::{Encoding, Field, Part, Template};

/// The deepest that sections may lie within each other.
const DEEPEST: usize = 8;

/// What is wrong with a template, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct TemplateError {
    /// The line, counted from 1.
    pub line: usize,
    /// The character in it, counted from 1.
    pub column: usize,
    /// What is wrong, in words.
    pub problem: String,
}

/// What stands between `{{` and `}}`.
enum Tag<'a> {
    Gap(&'a str),
    Begin(&'a str, bool),
    End(&'a str),
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    encoding: Encoding,
    /// Within a JSON string, and there after a backslash.
    quoted: bool,
    escaping: bool,
}

pub(super) fn template(text: &str, encoding: Encoding) -> Result<Template, TemplateError> {
    let mut reader = Reader {
        text,
        at: 0,
        encoding,
        quoted: false,
        escaping: false,
    };
    let parts = reader.parts(None, 0)?;
    let template = Template { encoding, parts };
    if encoding == Encoding::Json {
        check_json(&template)?;
    }
    Ok(template)
}

impl<'a> Reader<'a> {
    /// Everything up to the end, or to the end of the section that is open.
    fn parts(&mut self, open: Option<&str>, depth: usize) -> Result<Vec<Part>, TemplateError> {
        let mut parts = Vec::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(start) = rest.find("{{") else {
                if let Some(name) = open {
                    return Err(self.wrong(format!("{{{{/{name}}}}} is missing: the section does not end")));
                }
                self.take_text(rest, &mut parts);
                return Ok(parts);
            };
            self.take_text(&rest[..start], &mut parts);
            let tag_at = self.at;
            match self.tag()? {
                Tag::Gap(name) => parts.push(Part::Gap {
                    field: field(name).ok_or_else(|| self.wrong_at(tag_at, unknown(name)))?,
                    quoted: self.quoted,
                }),
                Tag::Begin(name, filled) => {
                    let field = field(name).ok_or_else(|| self.wrong_at(tag_at, unknown(name)))?;
                    parts.push(self.section(name, field, filled, depth, tag_at)?);
                }
                Tag::End(name) if open == Some(name) => return Ok(parts),
                Tag::End(name) => {
                    let problem = format!("{{{{/{name}}}}} ends a section that is not open here");
                    return Err(self.wrong_at(tag_at, problem));
                }
            }
        }
    }

    fn section(
        &mut self,
        name: &str,
        field: Field,
        filled: bool,
        depth: usize,
        tag_at: usize,
    ) -> Result<Part, TemplateError> {
        if depth >= DEEPEST {
            return Err(self.wrong_at(tag_at, format!("sections lie at most {DEEPEST} deep")));
        }
        let quoted = self.quoted;
        let parts = self.parts(Some(name), depth + 1)?;
        if self.quoted != quoted {
            return Err(self.wrong_at(tag_at, "a section has both quotes of a string, or none".into()));
        }
        Ok(Part::Section { field, filled, parts })
    }

    fn take_text(&mut self, text: &str, parts: &mut Vec<Part>) {
        self.at += text.len();
        if self.encoding == Encoding::Json {
            for character in text.chars() {
                match character {
                    _ if self.escaping => self.escaping = false,
                    '\\' if self.quoted => self.escaping = true,
                    '"' => self.quoted = !self.quoted,
                    _ => {}
                }
            }
        }
        if !text.is_empty() {
            parts.push(Part::Text(text.to_owned()));
        }
    }

    fn tag(&mut self) -> Result<Tag<'a>, TemplateError> {
        let inner = &self.text[self.at + 2..];
        let end = inner
            .find("}}")
            .ok_or_else(|| self.wrong("}} is missing after this {{".into()))?;
        let name = inner[..end].trim();
        self.at += 2 + end + 2;
        Ok(match name.split_at_checked(1) {
            Some(("#", name)) => Tag::Begin(name.trim(), true),
            Some(("^", name)) => Tag::Begin(name.trim(), false),
            Some(("/", name)) => Tag::End(name.trim()),
            _ => Tag::Gap(name),
        })
    }

    fn wrong(&self, problem: String) -> TemplateError {
        self.wrong_at(self.at, problem)
    }

    fn wrong_at(&self, at: usize, problem: String) -> TemplateError {
        let before = &self.text[..at];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        TemplateError {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            problem,
        }
    }
}

fn field(name: &str) -> Option<Field> {
    Field::ALL.iter().copied().find(|field| field.as_str() == name)
}

fn unknown(name: &str) -> String {
    let names: Vec<&str> = Field::ALL.iter().map(|field| field.as_str()).collect();
    let name = crate::model::text::clean(name.as_bytes(), 40);
    format!(
        "\"{name}\" is no field of a message; there are {}",
        names.join(", ")
    )
}

/// Fills the gaps as a message of each kind would, and looks whether JSON comes of it.
fn check_json(template: &Template) -> Result<(), TemplateError> {
    for (message, empty) in [
        ("the first message", &[Field::Captured, Field::Resolved][..]),
        ("an update", &[Field::Resolved]),
        ("the last message", &[]),
        ("the last message without what was kept", &[Field::Captured]),
    ] {
        check_filled(template, message, &|field| {
            if empty.contains(&field) {
                Value::Null
            } else {
                sample(field)
            }
        })?;
    }
    let told = [
        Field::Event,
        Field::DedupKey,
        Field::Subject,
        Field::Text,
        Field::Body,
        Field::Sent,
    ];
    check_filled(template, "a test message", &|field| {
        if told.contains(&field) {
            sample(field)
        } else {
            Value::Null
        }
    })
}

fn check_filled(
    template: &Template,
    message: &str,
    value: &dyn Fn(Field) -> Value,
) -> Result<(), TemplateError> {
    let filled = template.fill(value);
    serde_json::from_str::<Value>(&filled)
        .map(drop)
        .map_err(|error| TemplateError {
            line: error.line().max(1),
            column: error.column().max(1),
            problem: format!("{message} would be no JSON ({error}); other texts need their `content-type` among the `headers`"),
        })
}

fn sample(field: Field) -> Value {
    match field {
        Field::Incident => json!({}),
        Field::Affected => json!(1),
        Field::Clients | Field::Domains => json!(["a"]),
        _ => json!("a"),
    }
}
