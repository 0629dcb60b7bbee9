//! `mailflow demo`: a small world inside the process, to look around.

use std::fmt::Write as _;
use std::sync::Arc;

use anstyle::Style;
use tokio_util::sync::CancellationToken;

use super::args::Arguments;
use super::layout::wrap;
use super::{log, output, style};
use crate::demo::{self, Told};
use crate::model::State;

/// Plays until told to stop, and tells what happens.
pub fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    log::start(arguments.log_format, true)?;
    let coloured = style::stdout_is_coloured();
    // Somebody who no longer reads what is told may still look at the page.
    let narrator: demo::Narrator = Arc::new(move |told: &Told| drop(output::show(&line(told, coloured))));
    super::runtime()?.block_on(demo::run(narrator, CancellationToken::new()))?;
    Ok(0)
}

/// What happens, as a terminal shows it.
fn line(told: &Told, coloured: bool) -> String {
    let (mark, style, text) = match told {
        Told::Page { url, elsewhere } => return page(url, *elsewhere, coloured),
        Told::Broke(text) => ("breaks", style::of_state(State::Broken), text.clone()),
        Told::Healed(text) => ("heals", style::of_state(State::Flowing), text.clone()),
        Told::Alert { event, text } => ("alert", style::STRONG, format!("({event}) {text}")),
    };
    entry(mark, style, &text, coloured)
}

fn page(url: &str, elsewhere: bool, coloured: bool) -> String {
    let (other, at) = if elsewhere {
        (" (the usual port is taken)", format!(" --url {url}"))
    } else {
        ("", String::new())
    };
    let link = style::paint(url, style::STRONG, coloured);
    format!(
        "A small made-up world: 30 clients, their servers and routers, and what goes wrong with them.\n\
         The page is at {link}{other}. `mailflow status{at}` and {url}metrics work as well.\n\
         The first fault comes within ten seconds. Ctrl-C ends it.\n\n"
    )
}

/// How far the text stands in.
const MARGIN: usize = 8;

/// A word in front, and the text wrapped beside it.
fn entry(mark: &str, of: Style, text: &str, coloured: bool) -> String {
    let mut lines = String::new();
    for (number, part) in wrap(text, style::width().saturating_sub(MARGIN))
        .iter()
        .enumerate()
    {
        let word = if number == 0 { mark } else { "" };
        let word = style::paint(&format!("{word:<MARGIN$}"), of, coloured);
        let _ = writeln!(lines, "{word}{part}");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_reads_well() {
        let page = |elsewhere| Told::Page {
            url: "http://127.0.0.1:9525/".into(),
            elsewhere,
        };
        let alert = Told::Alert {
            event: "opened".into(),
            text: "Aldergrove Dental: no mail in since 02:14 (6 min). Router office-router (198.51.100.1) does not \
                   answer; the server behind it is not the suspect."
                .into(),
        };
        let broke = Told::Broke("A digger cuts a line.".into());
        let all: String = [page(false), broke, alert]
            .iter()
            .map(|told| line(told, false))
            .collect();
        insta::assert_snapshot!(all);
        assert!(line(&page(true), false).contains("the usual port is taken"));
    }
}
