//! Drawing problems as a compiler does: file, line, column, the line itself, what to do.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Element, Group, Level as Heading, Origin, Renderer, Snippet};

use super::problem::{Level, Place, Problem, SourceText};
use crate::model::text;

/// The most characters of a path that are shown.
const MAX_PATH: usize = 400;
/// Columns that a narrow terminal has.
const WIDTH: usize = 80;
/// Columns that "warning: " or "= help: " take, with the line number before it.
const MARGIN: usize = 14;

/// A path without anything that a terminal would obey.
pub(super) fn shown_path(path: &Path) -> String {
    text::clean(path.as_os_str().as_encoded_bytes(), MAX_PATH)
}

/// All problems, an empty line after each.
pub(super) fn problems(problems: &[Problem], colour: bool) -> String {
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let renderer = renderer.term_width(WIDTH).decor_style(DecorStyle::Ascii);
    let mut out = String::new();
    for problem in problems {
        let _ = writeln!(out, "{}\n", renderer.render(&[group(problem)]));
    }
    out
}

fn group(problem: &Problem) -> Group<'static> {
    let heading = match problem.level {
        Level::Error => Heading::ERROR,
        Level::Warning => Heading::WARNING,
    };
    let mut group = heading
        .primary_title(wrapped(&problem.message))
        .elements(elements(problem));
    if let Some(help) = &problem.help {
        group = group.element(Heading::HELP.message(wrapped(help)));
    }
    group
}

fn elements(problem: &Problem) -> Vec<Element<'static>> {
    let label = problem.label.as_deref().unwrap_or_default();
    match (&problem.place, &problem.related) {
        // Two places in one file share one picture.
        (
            Place::Text { source, span },
            Some((
                Place::Text {
                    source: other,
                    span: first,
                },
                why,
            )),
        ) if Arc::ptr_eq(source, other) => {
            let places = [
                (span, AnnotationKind::Primary, label),
                (first, AnnotationKind::Context, why.as_str()),
            ];
            vec![picture(source, &places)]
        }
        (place, None) => vec![element(place, AnnotationKind::Primary, label)],
        (place, Some((related, why))) => vec![
            element(place, AnnotationKind::Primary, label),
            element(related, AnnotationKind::Context, why),
        ],
    }
}

fn element(place: &Place, kind: AnnotationKind, label: &str) -> Element<'static> {
    match place {
        Place::Text { source, span } => picture(source, &[(span, kind, label)]),
        Place::File(_) | Place::Variable(_) | Place::Nowhere => Origin::path(place.to_string()).into(),
    }
}

/// The lines that hold `places`, each place underlined. Only those lines: drawing the thousandth mistake of a long
/// file takes no longer than drawing the first.
fn picture(source: &SourceText, places: &[(&Range<usize>, AnnotationKind, &str)]) -> Element<'static> {
    let spans: Vec<&Range<usize>> = places.iter().map(|(span, ..)| *span).collect();
    let (line, start, text) = source.excerpt(&spans);
    let annotations = places.iter().map(|(span, kind, label)| {
        let here = span.start.saturating_sub(start)..span.end.saturating_sub(start);
        kind.span(here).label((*label).to_owned())
    });
    Snippet::source(text.to_owned())
        .line_start(line)
        .path(shown_path(source.path()))
        .annotations(annotations)
        .into()
}

/// `text` in lines that leave room for what stands before them.
fn wrapped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut column = 0;
    for word in text.split(' ') {
        let width = word.chars().count();
        if column > 0 {
            let fits = column + 1 + width <= WIDTH - MARGIN;
            out.push(if fits { ' ' } else { '\n' });
            column = if fits { column + 1 } else { 0 };
        }
        out.push_str(word);
        column += width;
    }
    out
}
