//! Reading the merged tree into types, collecting every problem on the way instead of stopping at the first.
//!
//! The schema is the code that reads: a [`Table`] remembers which keys it was asked for, and whatever else
//! stands in it is an unknown key.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use config::{Map, Value, ValueKind};

use super::mask::SECRET_KEYS;
use super::problem::Draft;
use super::secret::Secret;
use super::source::{File, Origin, Spot};
use super::value::{Word, duration};

/// A type that can be read from the tree. `None` means that a problem has been reported.
pub(super) trait Read: Sized {
    /// Reads it from `node`.
    fn read(node: Node<'_>) -> Option<Self>;
}

/// What has names that other places refer to, or that must not come twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Client,
    Domain,
    Gateway,
    Route,
    Canary,
    Notifier,
    Provider,
    Blocklist,
    MailLog,
    BounceMailbox,
    Token,
}

impl Kind {
    /// The word in messages.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Domain => "domain",
            Self::Gateway => "gateway",
            Self::Route => "route",
            Self::Canary => "canary",
            Self::Notifier => "notifier",
            Self::Provider => "provider",
            Self::Blocklist => "blocklist",
            Self::MailLog => "mail log",
            Self::BounceMailbox => "bounce mailbox",
            Self::Token => "token",
        }
    }
}

/// Everything that reading gathers beside the values themselves.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Problems so far.
    pub drafts: Vec<Draft>,
    /// Bytes that must never be shown, by file.
    pub hidden: Vec<(usize, Range<usize>)>,
    /// Names with the place that gave them: by kind, and by what they are unique within.
    pub defined: BTreeMap<(Kind, String, String), Spot>,
    /// Names that must be defined somewhere.
    pub referred: Vec<(Kind, String, Spot)>,
    /// Secrets with the places that say where they come from.
    pub secrets: Vec<(Secret, Spot)>,
}

/// The files and what has been found in them so far.
pub(super) struct Reader<'a> {
    files: &'a [File],
    findings: RefCell<Findings>,
    /// Whether every file parsed; if not, what seems to be missing may stand in the part that did not.
    whole: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(files: &'a [File]) -> Self {
        let whole = files.iter().all(|file| file.broken_lines.is_empty());
        Self {
            files,
            findings: RefCell::default(),
            whole,
        }
    }

    pub(super) fn read<T: Read>(&self, tree: &Value) -> Option<T> {
        T::read(Node {
            reader: self,
            value: tree,
            at_key: false,
        })
    }

    pub(super) fn into_findings(self) -> Findings {
        self.findings.into_inner()
    }
}

/// One value of the tree.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    reader: &'a Reader<'a>,
    value: &'a Value,
    /// Whether problems point at the key and not at the value.
    at_key: bool,
}

impl<'a> Node<'a> {
    fn at<'b>(self, value: &'b Value) -> Node<'b>
    where
        'a: 'b,
    {
        Node {
            reader: self.reader,
            value,
            at_key: false,
        }
    }

    /// The same, for problems that lie in the key.
    pub(super) fn key(self) -> Self {
        Self { at_key: true, ..self }
    }

    /// Where it stands.
    pub(super) fn spot(self) -> Spot {
        if self.at_key {
            return self.key_spot();
        }
        Origin::of(self.value).map_or(Spot::Nowhere, |origin| origin.value_spot())
    }

    /// Where its key stands; in a list the value itself.
    pub(super) fn key_spot(self) -> Spot {
        Origin::of(self.value).map_or(Spot::Nowhere, |origin| origin.key_spot())
    }

    pub(super) fn report(self, draft: Draft) {
        self.reader.findings.borrow_mut().drafts.push(draft);
    }

    /// Reports a mistake in this value.
    pub(super) fn wrong<T>(self, message: impl Into<String>) -> Option<T> {
        self.report(Draft::error(self.spot(), message));
        None
    }

    fn expected<T>(self, what: &str) -> Option<T> {
        let found = match &self.value.kind {
            ValueKind::Nil => "nothing",
            ValueKind::Boolean(_) => "true or false",
            ValueKind::I64(_) | ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) => {
                "a whole number"
            }
            ValueKind::Float(_) => "a number",
            ValueKind::String(_) => "text",
            ValueKind::Table(_) => "a table",
            ValueKind::Array(_) => "a list",
        };
        self.wrong(format!("{what} belongs here, not {found}"))
    }

    /// Whether it comes from a variable.
    pub(super) fn is_variable(self) -> bool {
        matches!(Origin::of(self.value), Some(Origin::Variable(_)))
    }

    /// True or false; in a variable as text.
    pub(super) fn boolean(self) -> Option<bool> {
        match &self.value.kind {
            ValueKind::Boolean(flag) => Some(*flag),
            ValueKind::String(text) if self.is_variable() => match text.parse() {
                Ok(flag) => Some(flag),
                Err(_) => self.wrong("write true or false"),
            },
            _ => self.expected("true or false"),
        }
    }

    /// A whole number; in a variable as text.
    pub(super) fn integer(self) -> Option<i64> {
        match &self.value.kind {
            ValueKind::I64(number) => Some(*number),
            ValueKind::I128(_) => self.wrong("this number is far too large"),
            ValueKind::String(text) if self.is_variable() => match text.parse() {
                Ok(number) => Some(number),
                Err(_) => self.wrong("a whole number belongs here"),
            },
            _ => self.expected("a whole number"),
        }
    }

    /// The number, when it is one that stands without quotes.
    pub(super) fn bare_integer(self) -> Option<i64> {
        match &self.value.kind {
            ValueKind::I64(number) => Some(*number),
            _ => None,
        }
    }

    /// Whether it is a table.
    pub(super) fn is_table(self) -> bool {
        matches!(self.value.kind, ValueKind::Table(_))
    }

    /// The text, when it is one.
    pub(super) fn as_text(self) -> Option<&'a str> {
        match &self.value.kind {
            ValueKind::String(text) => Some(text),
            _ => None,
        }
    }

    /// The text; anything else is a mistake. `what` says what belongs here: "a duration".
    pub(super) fn text(self, what: &str) -> Option<&'a str> {
        self.as_text().or_else(|| self.expected(what))
    }

    /// What `parse` makes of the text; its error is a mistake.
    pub(super) fn parse<T, E: fmt::Display>(
        self,
        what: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match parse(self.text(what)?) {
            Ok(value) => Some(value),
            Err(error) => self.wrong(error.to_string()),
        }
    }

    /// One of a closed set of words.
    pub(super) fn word<T: Word>(self) -> Option<T> {
        let names: Vec<&str> = T::WORDS.iter().map(|(name, _)| *name).collect();
        let text = self.text("one of a few words")?;
        match T::WORDS.iter().find(|(name, _)| *name == text) {
            Some((_, value)) => Some(*value),
            None => self.not_one_of(text, &names),
        }
    }

    /// Reports that `text` is none of `names`, with the nearest.
    pub(super) fn not_one_of<T>(self, text: &str, names: &[&str]) -> Option<T> {
        let help = match nearest(text, names.iter().copied()) {
            Some(name) => format!("did you mean \"{name}\"?"),
            None => format!("these are known: {}", quoted(names.iter().copied())),
        };
        let shown = crate::model::text::clean(text.as_bytes(), 60);
        self.report(Draft::error(self.spot(), format!("\"{shown}\" is not known here")).help(help));
        None
    }

    /// The table, read by `read`; whatever key that does not ask for is a mistake.
    pub(super) fn table<T>(self, read: impl FnOnce(&Table<'a>) -> Option<T>) -> Option<T> {
        let ValueKind::Table(entries) = &self.value.kind else {
            return self.expected("a table");
        };
        let table = Table {
            node: self,
            entries,
            known: RefCell::default(),
            rest_left: Cell::new(false),
        };
        let result = read(&table);
        table.report_unknown();
        result
    }

    /// Every entry of a table whose keys are the operator's own, in the order of the keys.
    pub(super) fn entries(self) -> Option<Vec<(&'a str, Node<'a>)>> {
        let ValueKind::Table(entries) = &self.value.kind else {
            return self.expected("a table");
        };
        let mut entries: Vec<_> = entries
            .iter()
            .map(|(key, value)| (key.as_str(), self.at(value)))
            .collect();
        entries.sort_by_key(|(key, _)| *key);
        Some(entries)
    }

    /// Every item of a list that `read` can read. In a variable, commas part the items.
    pub(super) fn items<T>(self, mut read: impl FnMut(Node<'_>) -> Option<T>) -> Option<Vec<T>> {
        match &self.value.kind {
            ValueKind::Array(items) => Some(items.iter().filter_map(|value| read(self.at(value))).collect()),
            ValueKind::String(text) if self.is_variable() => {
                let origin = self.value.origin().map(str::to_owned);
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                Some(
                    parts
                        .filter_map(|part| {
                            let value = Value::new(origin.as_ref(), part);
                            read(Node {
                                reader: self.reader,
                                value: &value,
                                at_key: false,
                            })
                        })
                        .collect(),
                )
            }
            _ => self.expected("a list"),
        }
    }

    /// Every item of a list that `read` can read, at least one; `empty` says what a list of none lacks.
    pub(super) fn some_items<T>(
        self,
        empty: &str,
        read: impl FnMut(Node<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        if let ValueKind::Array(items) = &self.value.kind
            && items.is_empty()
        {
            return self.wrong(empty);
        }
        // What could not be read has been reported.
        self.items(read).filter(|items| !items.is_empty())
    }

    /// Keeps this value from ever being shown.
    pub(super) fn hide(self) {
        if let Some(Origin::Text { file, value, .. }) = Origin::of(self.value) {
            self.reader.findings.borrow_mut().hidden.push((file, value));
        }
    }

    /// `path` as it is meant: a relative one starts at the file that names it, in a variable at the working
    /// directory.
    pub(super) fn resolve(self, path: &str) -> std::path::PathBuf {
        let folder = match Origin::of(self.value) {
            Some(Origin::Text { file, .. }) => {
                self.reader.files.get(file).and_then(|file| file.path.parent())
            }
            _ => None,
        };
        folder.unwrap_or_else(|| Path::new("")).join(path)
    }

    /// Says that this value gives a name that must be unique within `scope`.
    pub(super) fn define(self, kind: Kind, scope: &str, name: &str) {
        let mut findings = self.reader.findings.borrow_mut();
        let key = (kind, scope.to_owned(), name.to_owned());
        let Some(first) = findings.defined.get(&key).cloned() else {
            findings.defined.insert(key, self.spot());
            return;
        };
        let message = format!("there are two {}s \"{name}\"", kind.as_str());
        findings.drafts.push(
            Draft::error(self.spot(), message)
                .label("again here")
                .related(first, "first here"),
        );
    }

    /// Says so for the texts under `key` in each table of this list.
    pub(super) fn define_all(self, kind: Kind, scope: &str, key: &str) {
        let ValueKind::Array(items) = &self.value.kind else {
            return;
        };
        for item in items {
            let ValueKind::Table(entries) = &item.kind else {
                continue;
            };
            if let Some(value) = entries.get(key)
                && let ValueKind::String(name) = &value.kind
            {
                self.at(value).define(kind, scope, &name.to_lowercase());
            }
        }
    }

    /// Says that this value refers to a name that must be defined somewhere.
    pub(super) fn refer(self, kind: Kind, name: &str) {
        let mut findings = self.reader.findings.borrow_mut();
        findings.referred.push((kind, name.to_owned(), self.spot()));
    }

    /// A name that must be defined somewhere.
    pub(super) fn reference(self, kind: Kind) -> Option<String> {
        let name = String::read(self)?;
        self.refer(kind, &name);
        Some(name)
    }

    /// Says that this value is a secret's source.
    pub(super) fn remember_secret(self, secret: &Secret) {
        let mut findings = self.reader.findings.borrow_mut();
        findings.secrets.push((secret.clone(), self.spot()));
    }
}

/// A table of the tree.
pub(super) struct Table<'a> {
    node: Node<'a>,
    entries: &'a Map<String, Value>,
    known: RefCell<Vec<&'static str>>,
    /// Whether keys that nobody asked for are left in peace.
    rest_left: Cell<bool>,
}

impl<'a> Table<'a> {
    /// The table as a value.
    pub(super) fn node(&self) -> Node<'a> {
        self.node
    }

    /// The value of `key`, if it is there; from now on the key is known.
    pub(super) fn entry(&self, key: &'static str) -> Option<Node<'a>> {
        let mut known = self.known.borrow_mut();
        if !known.contains(&key) {
            known.push(key);
        }
        self.entries.get(key).map(|value| self.node.at(value))
    }

    /// What `key` holds, if it is there and right.
    pub(super) fn get<T: Read>(&self, key: &'static str) -> Option<T> {
        self.entry(key).and_then(T::read)
    }

    /// What `key` holds, else `default`.
    pub(super) fn or<T: Read>(&self, key: &'static str, default: T) -> T {
        self.get(key).unwrap_or(default)
    }

    /// What `key` holds; it is a mistake if it is not there.
    pub(super) fn required<T: Read>(&self, key: &'static str) -> Option<T> {
        self.required_entry(key).and_then(T::read)
    }

    /// The value of `key`; it is a mistake if it is not there.
    pub(super) fn required_entry(&self, key: &'static str) -> Option<Node<'a>> {
        self.entry(key)
            .or_else(|| self.missing(format!("`{key}` is missing here")))
    }

    /// Reports that something is missing, unless it may stand in the part of a file that did not parse.
    pub(super) fn missing<T>(&self, message: impl Into<String>) -> Option<T> {
        if self.node.reader.whole {
            return self.node.wrong(message);
        }
        None
    }

    /// A span of time no shorter than `least`.
    pub(super) fn at_least(&self, key: &'static str, least: Duration) -> Option<Duration> {
        let node = self.entry(key)?;
        let span = Duration::read(node)?;
        if span < least {
            return node.wrong(format!("this must be at least {}", duration::display(least)));
        }
        Some(span)
    }

    /// Reports `key`, if it is there, as one that a later version will know.
    pub(super) fn reserved(&self, key: &'static str) {
        if let Some(node) = self.entry(key) {
            node.hide();
            node.report(Draft::error(
                node.key_spot(),
                format!("`{key}` is reserved for a later version"),
            ));
        }
    }

    /// Takes every other key for known: what would tell is itself wrong.
    pub(super) fn leave_rest(&self) {
        self.rest_left.set(true);
    }

    /// Names that must be defined as `kind` somewhere.
    pub(super) fn references(&self, key: &'static str, kind: Kind) -> Vec<String> {
        let names = self
            .entry(key)
            .and_then(|node| node.items(|item| item.reference(kind)));
        names.unwrap_or_default()
    }

    fn report_unknown(&self) {
        let known = self.known.borrow();
        for (key, value) in self.entries {
            if known.contains(&key.as_str()) {
                continue;
            }
            let node = self.node.at(value);
            let meant = nearest(key, known.iter().copied());
            // As long as nobody knows what was meant, it may be a password.
            if meant.is_none_or(|meant| meant == "url" || SECRET_KEYS.contains(&meant)) {
                node.hide();
            }
            if self.rest_left.get() {
                continue;
            }
            let help = match meant {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("known here: {}", backquoted(known.iter().copied())),
            };
            let shown = crate::model::text::clean(key.as_bytes(), 60);
            node.report(Draft::error(node.key_spot(), format!("unknown key `{shown}`")).help(help));
        }
    }
}

/// The name that was probably meant: one edit away for every three letters, at least one, or the same but for
/// case and joining characters.
pub(super) fn nearest<'n>(text: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    // A long text is no slip of the fingers, and distance takes time in its square.
    if text.len() > 100 {
        return None;
    }
    let plain = |text: &str| text.to_ascii_lowercase().replace(['-', ' ', '.'], "_");
    let meant = plain(text);
    names
        .map(|name| (strsim::osa_distance(&meant, &plain(name)), name))
        .filter(|(distance, name)| *distance <= (name.len().max(text.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

fn quoted<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names
        .map(|name| format!("\"{name}\""))
        .collect::<Vec<_>>()
        .join(", ")
}

fn backquoted<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
