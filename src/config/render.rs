//! Drawing problems as a compiler does: file, line, column, the line itself, what to do.

use std::fmt::Write as _;
use std::path::Path;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Element, Group, Level as Heading, Origin, Renderer, Snippet};

use super::problem::{Level, Place, Problem};
use crate::model::text;

/// The most characters of a path that are shown.
const MAX_PATH: usize = 400;
/// Columns that a narrow terminal has.
const WIDTH: usize = 80;

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

fn group(problem: &Problem) -> Group<'_> {
    let heading = match problem.level {
        Level::Error => Heading::ERROR,
        Level::Warning => Heading::WARNING,
    };
    let mut group = heading
        .primary_title(problem.message.as_str())
        .elements(elements(problem));
    if let Some(help) = &problem.help {
        group = group.element(Heading::HELP.message(help.as_str()));
    }
    group
}

fn elements(problem: &Problem) -> Vec<Element<'_>> {
    let label = problem.label.as_deref().unwrap_or_default();
    let related = problem.related.as_ref();
    match (&problem.place, related) {
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
        ) if source == other => {
            let snippet = Snippet::source(source.text.as_str())
                .path(shown_path(&source.path))
                .annotation(AnnotationKind::Primary.span(span.clone()).label(label))
                .annotation(AnnotationKind::Context.span(first.clone()).label(why.as_str()));
            vec![snippet.into()]
        }
        (place, related) => {
            let mut elements = vec![element(place, AnnotationKind::Primary, label)];
            if let Some((place, why)) = related {
                elements.push(element(place, AnnotationKind::Context, why));
            }
            elements
        }
    }
}

fn element<'a>(place: &'a Place, kind: AnnotationKind, label: &'a str) -> Element<'a> {
    match place {
        Place::Text { source, span } => Snippet::source(source.text.as_str())
            .path(shown_path(&source.path))
            .annotation(kind.span(span.clone()).label(label))
            .into(),
        Place::File(_) | Place::Variable(_) | Place::Nowhere => Origin::path(place.to_string()).into(),
    }
}
