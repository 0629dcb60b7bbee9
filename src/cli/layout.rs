//! How text is set on a terminal: marks, labelled paragraphs, tables, lines that fit.

use std::fmt::Write;

use anstyle::Style;
use comfy_table::{ColumnConstraint, Row, Table, TableStyle, Width};

use super::style::{FAINT, paint};
use crate::model::State;

/// The states' marks: readable without colour.
pub fn mark(state: State) -> &'static str {
    match state {
        State::Flowing => "✓",
        State::Degraded => "!",
        State::Broken => "✗",
        State::Unknown => "?",
    }
}

/// A labelled paragraph: the label once, the text beside it.
pub fn field(out: &mut String, name: &str, text: &str, look: Option<Style>, width: usize, coloured: bool) {
    for (index, line) in wrap(text, width.saturating_sub(8)).iter().enumerate() {
        let label = if index == 0 { name } else { "" };
        let line = look.map_or_else(|| line.clone(), |look| paint(line, look, coloured));
        let _ = writeln!(out, " {} {line}", paint(&format!("{label:<6}"), FAINT, coloured));
    }
}

/// Breaks text into lines of at most `width` characters, between words where there are any.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(16);
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut rest = word;
        loop {
            let line = lines.last_mut().map_or(0, |line| line.chars().count());
            let room = if line == 0 {
                width
            } else {
                width.saturating_sub(line + 1)
            };
            if rest.chars().count() <= room {
                if let Some(last) = lines.last_mut() {
                    if line > 0 {
                        last.push(' ');
                    }
                    last.push_str(rest);
                }
                break;
            }
            if line > 0 {
                lines.push(String::new());
                continue;
            }
            let cut = rest.char_indices().nth(width).map_or(rest.len(), |(at, _)| at);
            if let Some(last) = lines.last_mut() {
                last.push_str(&rest[..cut]);
            }
            rest = &rest[cut..];
            lines.push(String::new());
        }
    }
    lines
}

/// How narrow a column may become where the terminal is too small for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// It stays whole.
    Whole,
    /// It gives way down to so many characters, of several the first first; further only when nothing else helps.
    AtLeast(u16),
}

/// Rows in aligned columns, a line each and none wider than `width`: what does not fit is cut with `…`. A column that
/// has nothing to show is left out. Every row has as many cells as there are columns.
pub fn table(columns: &[(&str, Room)], rows: &[Vec<String>], width: usize, coloured: bool) -> String {
    let is_shown = |column: &usize| {
        let mut cells = rows.iter().filter_map(|row| row.get(*column));
        cells.any(|cell| !cell.is_empty())
    };
    let shown: Vec<usize> = (0..columns.len()).filter(is_shown).collect();
    let headings = shown.iter().filter_map(|column| columns.get(*column));
    let mut table = Table::new();
    table
        .load_style(TableStyle::new())
        .set_truncation_indicator("…")
        // No text holds this: cells are cut where they end, not between their words.
        .set_delimiter('\u{1f}')
        .set_header(headings.clone().map(|(name, _)| paint(name, FAINT, coloured)));
    for row in rows {
        let mut cells = Row::from(shown.iter().filter_map(|column| row.get(*column)));
        cells.max_height(1);
        table.add_row(cells);
    }
    let mut widths = table.column_max_content_widths();
    let rooms: Vec<Room> = headings.map(|(_, room)| *room).collect();
    fit(&mut widths, &rooms, width);
    for (column, width) in table.column_iter_mut().zip(widths) {
        column.set_padding((1, 1));
        // The padding counts as part of the column.
        column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width + 2)));
    }
    let mut out = String::new();
    for line in table.lines() {
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// The narrowest that any column becomes.
const SLIVER: u16 = 6;

/// Takes from the columns that can give until all of them fit: from each in its turn, and if that does not do, from the
/// last ones first, as the first says what a row is about.
fn fit(widths: &mut [u16], rooms: &[Room], width: usize) {
    let padded: usize = widths.iter().map(|width| usize::from(*width) + 2).sum();
    let mut missing = u16::try_from(padded.saturating_sub(width)).unwrap_or(u16::MAX);
    let mut take = |column: &mut u16, least: u16| {
        let given = column.saturating_sub(least).min(missing);
        *column -= given;
        missing -= given;
    };
    for (column, room) in widths.iter_mut().zip(rooms) {
        if let Room::AtLeast(least) = room {
            take(column, *least);
        }
    }
    for (column, room) in widths.iter_mut().zip(rooms).rev() {
        if *room != Room::Whole {
            take(column, SLIVER);
        }
    }
}
