//! What is wrong with a configuration, or only doubtful, and where.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::render;
use super::source::Spot;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The configuration is not used.
    Error,
    /// It is used, but somebody should know.
    Warning,
}

/// A file's text as it may be shown: secrets are masked, and nothing in it moves a terminal. Every position in it
/// is that of the file.
#[derive(PartialEq, Eq)]
pub struct SourceText {
    path: PathBuf,
    text: String,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl SourceText {
    /// `text` must be masked already.
    pub(super) fn new(path: PathBuf, text: String) -> Self {
        let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(breaks).collect();
        Self { path, text, lines }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The line, counted from 0, in which the byte `at` stands.
    fn line_of(&self, at: usize) -> usize {
        self.lines.partition_point(|start| *start <= at).saturating_sub(1)
    }

    /// The whole lines that hold all of `spans`: the number of the first, counted from 1, where it begins, and the
    /// text.
    pub(super) fn excerpt(&self, spans: &[&Range<usize>]) -> (usize, usize, &str) {
        let first = spans
            .iter()
            .map(|span| self.line_of(span.start))
            .min()
            .unwrap_or_default();
        let last = spans
            .iter()
            .map(|span| self.line_of(span.end))
            .max()
            .unwrap_or_default();
        let start = self.lines.get(first).copied().unwrap_or_default();
        let end = self.lines.get(last + 1).copied().unwrap_or(self.text.len());
        (first + 1, start, self.text.get(start..end).unwrap_or_default())
    }
}

impl fmt::Debug for SourceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())
    }
}

/// Where a problem lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a file.
    Text {
        /// The file.
        source: Arc<SourceText>,
        /// The bytes that are meant.
        span: Range<usize>,
    },
    /// A file as a whole: it could not be read.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// The configuration as a whole.
    Nowhere,
}

impl Place {
    /// Line and column, both from 1, the column in characters.
    pub fn line_and_column(&self) -> Option<(usize, usize)> {
        let Self::Text { source, span } = self else {
            return None;
        };
        let line = source.line_of(span.start);
        let before = source.text.get(*source.lines.get(line)?..span.start)?;
        Some((line + 1, before.chars().count() + 1))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { source, .. } => {
                let (line, column) = self.line_and_column().unwrap_or((1, 1));
                write!(f, "{}:{line}:{column}", render::shown_path(source.path()))
            }
            Self::File(path) => f.write_str(&render::shown_path(path)),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Nowhere => f.write_str("configuration"),
        }
    }
}

/// One mistake or warning. `Display` is one line; [`Problems`] draws all of them with their source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub level: Level,
    /// What is wrong.
    pub message: String,
    /// Where.
    pub place: Place,
    /// A few words to stand below the place.
    pub label: Option<String>,
    /// Another place that has to do with it, and what.
    pub related: Option<(Place, String)>,
    /// What to do about it.
    pub help: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong with a configuration, mistakes first, each in the order of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn new(problems: Vec<Problem>) -> Self {
        Self(problems)
    }

    /// All of them.
    pub fn list(&self) -> &[Problem] {
        &self.0
    }

    /// How many of them are mistakes.
    pub fn mistakes(&self) -> usize {
        self.0
            .iter()
            .filter(|problem| problem.level == Level::Error)
            .count()
    }

    /// All of them with the lines of source that they mean, with or without colour.
    pub fn render(&self, colour: bool) -> String {
        render::problems(&self.0, colour)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// A problem while the files are still being read.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) level: Level,
    pub(super) spot: Spot,
    /// Whether the text is no TOML, or no text, here.
    pub(super) syntax: bool,
    message: String,
    label: Option<String>,
    related: Option<(Spot, String)>,
    help: Option<String>,
}

impl Draft {
    pub(super) fn error(spot: Spot, message: impl Into<String>) -> Self {
        Self {
            level: Level::Error,
            spot,
            syntax: false,
            message: message.into(),
            label: None,
            related: None,
            help: None,
        }
    }

    pub(super) fn syntax(spot: Spot, message: impl Into<String>) -> Self {
        Self {
            syntax: true,
            ..Self::error(spot, message)
        }
    }

    pub(super) fn warning(spot: Spot, message: impl Into<String>) -> Self {
        Self {
            level: Level::Warning,
            ..Self::error(spot, message)
        }
    }

    pub(super) fn label(self, label: impl Into<String>) -> Self {
        Self {
            label: Some(label.into()),
            ..self
        }
    }

    pub(super) fn related(self, spot: Spot, label: impl Into<String>) -> Self {
        Self {
            related: Some((spot, label.into())),
            ..self
        }
    }

    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self {
            help: Some(help.into()),
            ..self
        }
    }

    /// The problem as it is shown, now that every secret in `sources` is masked.
    pub(super) fn finish(self, sources: &[Arc<SourceText>]) -> Problem {
        Problem {
            level: self.level,
            message: clean(&self.message),
            place: place(self.spot, sources),
            label: self.label.as_deref().map(clean),
            related: self
                .related
                .map(|(spot, label)| (place(spot, sources), clean(&label))),
            help: self.help.as_deref().map(clean),
        }
    }
}

/// One line, of a length that a person reads, in which nothing moves a terminal.
fn clean(text: &str) -> String {
    crate::model::text::clean(text.as_bytes(), 400)
}

fn place(spot: Spot, sources: &[Arc<SourceText>]) -> Place {
    match spot {
        Spot::Text { file, start, end } => match sources.get(file) {
            Some(source) => Place::Text {
                source: Arc::clone(source),
                span: start..end,
            },
            None => Place::Nowhere,
        },
        Spot::Whole(path) => Place::File(path),
        Spot::Variable(name) => Place::Variable(name),
        Spot::Nowhere => Place::Nowhere,
    }
}
