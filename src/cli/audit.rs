//! `mailflow audit`: who changed what by hand.

use jiff::Timestamp;
use serde::Deserialize;

use super::args::Audit;
use super::daemon::Daemon;
use super::layout::{Room, table};
use super::status::Words;
use super::{output, style};
use crate::surface::words::Moment;

/// What the daemon's book says.
#[derive(Deserialize)]
struct Book {
    audit: Vec<Line>,
}

#[derive(Deserialize)]
struct Line {
    at: Timestamp,
    who: Words,
    from: Option<Words>,
    what: Words,
}

/// Shows the book, the latest first.
pub fn run(audit: &Audit) -> anyhow::Result<u8> {
    let daemon = Daemon::at(&audit.daemon.url)?;
    let limit = audit.limit.to_string();
    let answer = super::runtime()?.block_on(daemon.get(&["audit"], &[("limit", &limit)]))?;
    if audit.json {
        output::show(&format!("{answer:#}\n"))?;
        return Ok(0);
    }
    let book = Book::deserialize(&answer).map_err(|error| daemon.stranger(error.to_string()))?;
    output::show(&shown(&book, style::columns(), style::stdout_is_coloured()))?;
    Ok(0)
}

fn shown(book: &Book, columns: usize, coloured: bool) -> String {
    if book.audit.is_empty() {
        return "Nothing was changed by hand so far.\n".to_owned();
    }
    let rows: Vec<Vec<String>> = book
        .audit
        .iter()
        .map(|line| {
            let from = line.from.as_ref().map_or_else(String::new, ToString::to_string);
            vec![
                Moment::new(line.at, line.at).machine,
                line.who.to_string(),
                from,
                line.what.to_string(),
            ]
        })
        .collect();
    let heads = [
        ("when", Room::Whole),
        ("who", Room::Whole),
        ("from", Room::Whole),
        ("what", Room::AtLeast(24)),
    ];
    table(&heads, &rows, columns, coloured)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_book_reads_well() {
        let book = r#"{"audit":[
            {"id":"2","at":"2026-11-22T02:20:00Z","who":"anna","from":"203.0.113.9","what":"incident #482 taken on, by anna"},
            {"id":"1","at":"2026-11-22T02:10:00Z","who":"token \u001b[31mcron","from":null,"what":"configuration reloaded"}]}"#;
        let book: Book = serde_json::from_str(book).unwrap();
        insta::assert_snapshot!(shown(&book, 100, false));
    }
}
