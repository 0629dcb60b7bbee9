//! A long text in pieces.

use std::fmt::{self, Error};

/// How long a piece is at the most, in bytes, unless one write alone is longer.
const PIECE: usize = 64 * 1024;

/// A long text that is handed on piece by piece while it is written. As a whole, the metrics of a hundred thousand domains
/// would take as much room as a tenth of all that is known of them.
pub(super) struct Pieces<'a> {
    piece: String,
    out: &'a mut dyn FnMut(String) -> fmt::Result,
}

impl<'a> Pieces<'a> {
    /// To be handed on to `out`, which ends the writing by an error.
    pub(super) fn new(out: &'a mut dyn FnMut(String) -> fmt::Result) -> Self {
        Self {
            piece: String::new(),
            out,
        }
    }

    /// Hands on what is left.
    pub(super) fn end(self) -> fmt::Result {
        (self.out)(self.piece)
    }
}

impl fmt::Write for Pieces<'_> {
    fn write_str(&mut self, text: &str) -> Result<(), Error> {
        if self.piece.len() + text.len() > PIECE {
            let next = String::with_capacity(PIECE);
            (self.out)(std::mem::replace(&mut self.piece, next))?;
        }
        self.piece.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn nothing_is_lost_between_pieces() {
        let mut whole = String::new();
        let mut written = Vec::new();
        let mut out = |piece| {
            written.push(piece);
            Ok(())
        };
        let mut pieces = Pieces::new(&mut out);
        for number in 0..40_000 {
            writeln!(pieces, "line {number}").unwrap();
            writeln!(whole, "line {number}").unwrap();
        }
        pieces.end().unwrap();
        assert!(written.len() > 5, "{}", written.len());
        assert!(written.iter().all(|piece| piece.len() <= PIECE));
        assert_eq!(written.concat(), whole);
    }
}
