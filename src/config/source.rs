//! Where things were written: files with their text, and spots in them.

use std::ops::Range;
use std::path::PathBuf;

use config::{Value, ValueKind};

/// A file of the configuration as it was read.
#[derive(Debug)]
pub(super) struct File {
    /// As the operator would write it.
    pub path: PathBuf,
    /// The whole text.
    pub text: String,
    /// The lines (from 0) on which the text is no TOML; what else seems wrong there follows from that.
    pub broken_lines: Vec<usize>,
}

impl File {
    /// The line, counted from 0, in which the byte `offset` stands.
    pub(super) fn line_of(&self, offset: usize) -> usize {
        let line_breaks = self.text.match_indices('\n');
        line_breaks.take_while(|(at, _)| *at < offset).count()
    }
}

/// A place that a problem can point at. Orders as files were read, then by position.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Spot {
    /// Part of a file's text: the file's number in the order of reading, and bytes.
    Text { file: usize, start: usize, end: usize },
    /// A file as a whole, which could not be read.
    Whole(PathBuf),
    /// An environment variable.
    Variable(String),
    /// The configuration as a whole.
    Nowhere,
}

impl Spot {
    pub(super) fn text(file: usize, span: &Range<usize>) -> Self {
        Self::Text {
            file,
            start: span.start,
            end: span.end,
        }
    }
}

/// Where a value of the merged configuration comes from. It travels through the layers in the one text that
/// [`config::Value`] keeps for this.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Origin {
    /// A file's number, the bytes of the key (of the value itself in a list), the bytes of the value.
    Text {
        file: usize,
        key: Range<usize>,
        value: Range<usize>,
    },
    /// An environment variable.
    Variable(String),
}

impl Origin {
    pub(super) fn encode(&self) -> String {
        match self {
            Self::Text { file, key, value } => {
                format!("{file} {} {} {} {}", key.start, key.end, value.start, value.end)
            }
            Self::Variable(name) => name.clone(),
        }
    }

    fn decode(text: &str) -> Self {
        let numbers: Option<Vec<usize>> = text.split(' ').map(|part| part.parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[file, key_start, key_end, start, end]) => Self::Text {
                file,
                key: key_start..key_end,
                value: start..end,
            },
            _ => Self::Variable(text.to_owned()),
        }
    }

    /// The origin of `value`; of what it holds, when it came to be only because something was put into it.
    pub(super) fn of(value: &Value) -> Option<Self> {
        if let Some(text) = value.origin() {
            return Some(Self::decode(text));
        }
        match &value.kind {
            ValueKind::Table(entries) => {
                let mut keys: Vec<&String> = entries.keys().collect();
                keys.sort();
                keys.into_iter()
                    .find_map(|key| entries.get(key).and_then(Self::of))
            }
            ValueKind::Array(items) => items.iter().find_map(Self::of),
            _ => None,
        }
    }

    pub(super) fn key_spot(&self) -> Spot {
        match self {
            Self::Text { file, key, .. } => Spot::text(*file, key),
            Self::Variable(name) => Spot::Variable(name.clone()),
        }
    }

    pub(super) fn value_spot(&self) -> Spot {
        match self {
            Self::Text { file, value, .. } => Spot::text(*file, value),
            Self::Variable(name) => Spot::Variable(name.clone()),
        }
    }
}
