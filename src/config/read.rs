//! How plain values are read: numbers, texts, spans of time, names, paths and secrets.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use jiff::civil::Date;
use secrecy::SecretString;

use super::problem::Draft;
use super::reader::{Node, Read, Table};
use super::secret::{Secret, SecretSource};
use super::value::{HttpUrl, MailAddress, duration};
use crate::model::{ClientId, Code, DomainName, Endpoint, NameError};

/// The most characters of any one text.
const MAX_TEXT: usize = 4000;

impl Read for bool {
    fn read(node: Node<'_>) -> Option<Self> {
        node.boolean()
    }
}

impl Read for u32 {
    fn read(node: Node<'_>) -> Option<Self> {
        let number = node.integer()?;
        match Self::try_from(number) {
            Ok(number) if number <= 1_000_000 => Some(number),
            _ => node.wrong("this number must lie between 0 and 1000000"),
        }
    }
}

impl Read for NonZeroU32 {
    fn read(node: Node<'_>) -> Option<Self> {
        let number = u32::read(node)?;
        Self::new(number).or_else(|| node.wrong("this number must be at least 1"))
    }
}

impl Read for String {
    fn read(node: Node<'_>) -> Option<Self> {
        let text = node.text("text")?;
        if text.trim().is_empty() {
            return node.wrong("this must not be empty");
        }
        if text.chars().count() > MAX_TEXT {
            return node.wrong(format!("this is longer than {MAX_TEXT} characters"));
        }
        // A template may have several lines; nothing else in a configuration needs control characters.
        match text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
            Some(odd) => node.wrong(format!("{odd:?} cannot stand here")),
            None => Some(text.to_owned()),
        }
    }
}

impl Read for Duration {
    fn read(node: Node<'_>) -> Option<Self> {
        if let Some(number) = node.bare_integer() {
            node.report(Draft::error(node.spot(), "a duration needs a unit").help(format!(
                "write \"{number}s\" for seconds, \"{number}m\" for minutes, in quotes"
            )));
            return None;
        }
        node.parse("a duration such as \"60s\"", duration::parse)
    }
}

impl Read for PathBuf {
    fn read(node: Node<'_>) -> Option<Self> {
        let text = String::read(node)?;
        Some(node.resolve(&text))
    }
}

impl Read for Date {
    fn read(node: Node<'_>) -> Option<Self> {
        node.parse("a day", |text| {
            text.parse::<Self>()
                .map_err(|_| "a day is written as \"2027-01-31\"")
        })
    }
}

impl Read for ClientId {
    fn read(node: Node<'_>) -> Option<Self> {
        node.parse("an id", |text| {
            Self::parse(text).map_err(|error| match error {
                NameError::TooLong => "an id has at most 64 characters".to_owned(),
                NameError::BadCharacter(odd) => {
                    format!("{odd:?} cannot stand in an id: a to z, 0 to 9, \"-\", \"_\" and \".\" can")
                }
                _ => "an id cannot be empty".to_owned(),
            })
        })
    }
}

impl Read for Code {
    fn read(node: Node<'_>) -> Option<Self> {
        let text = node.text("a cause's code")?;
        match text.parse() {
            Ok(code) => Some(code),
            Err(_) => not_a_code(node, text),
        }
    }
}

/// Reports a cause that there is not, with the nearest that there is.
pub(super) fn not_a_code<T>(node: Node<'_>, text: &str) -> Option<T> {
    let codes = Code::ALL.iter().map(|code| code.as_str());
    let draft = Draft::error(node.spot(), "there is no such cause");
    node.report(match super::reader::nearest(text, codes) {
        Some(code) => draft.help(format!("did you mean \"{code}\"?")),
        None => draft
            .help("a cause is written as \"gateway.down\"; a layer, where one can stand, as \"gateway.*\""),
    });
    None
}

/// Types that read one text through `FromStr`, with what to say when there is something else.
macro_rules! read_text {
    ($($type:ty: $what:literal,)+) => { $(
        impl $crate::config::reader::Read for $type {
            fn read(node: $crate::config::reader::Node<'_>) -> Option<Self> {
                node.parse($what, str::parse)
            }
        }
    )+ };
}
pub(super) use read_text;

read_text! {
    DomainName: "a name",
    Endpoint: "an address or a name",
    MailAddress: "a mail address",
    HttpUrl: "a URL",
}

impl<T: Read> Read for Vec<T> {
    fn read(node: Node<'_>) -> Option<Self> {
        node.items(T::read)
    }
}

impl Read for Secret {
    fn read(node: Node<'_>) -> Option<Self> {
        if node.as_text().is_some() {
            return plain_secret(node);
        }
        // Whatever else it is, it may be the secret with its quotes forgotten.
        if !node.is_table() {
            node.hide();
        }
        let secret = node.table(|table| Some(Self::new(secret_source(table)?)))?;
        node.remember_secret(&secret);
        Some(secret)
    }
}

fn plain_secret(node: Node<'_>) -> Option<Secret> {
    node.hide();
    let text = node.as_text()?;
    if text.is_empty() {
        return node.wrong("a secret must not be empty");
    }
    let secret = Secret::new(SecretSource::Plain(SecretString::from(text)));
    node.remember_secret(&secret);
    Some(secret)
}

fn secret_source(table: &Table<'_>) -> Option<SecretSource> {
    let env = table.get("env").map(SecretSource::Env);
    let file = table.get("file").map(SecretSource::File);
    let command = table.entry("command");
    let command = command.and_then(|node| {
        let words = node.some_items("a command needs at least a program", String::read)?;
        Some(SecretSource::Command(words))
    });
    let present = ["env", "file", "command"]
        .iter()
        .filter(|key| table.entry(key).is_some())
        .count();
    match present {
        1 => env.or(file).or(command),
        0 => table
            .node()
            .wrong("a secret says where it comes from: { env = ... }, { file = ... } or { command = [...] }"),
        _ => table
            .node()
            .wrong("a secret comes from one place: env, file or command"),
    }
}
