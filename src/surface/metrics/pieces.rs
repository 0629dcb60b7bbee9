//! A long text in pieces.

use std::fmt;

/// How long a piece is, in bytes, give or take one write.
const PIECE: usize = 64 * 1024;

/// A long text in pieces. In one, the metrics of ten thousand domains would take as much room again while they grow, and
/// once more on their way out; pieces go out one after the other.
#[derive(Debug, Default)]
pub struct Pieces {
    whole: Vec<String>,
    last: String,
}

impl Pieces {
    /// One after the other.
    pub fn into_pieces(mut self) -> Vec<String> {
        self.whole.push(self.last);
        self.whole
    }

    pub(super) fn push_str(&mut self, text: &str) {
        if self.last.len() + text.len() > PIECE {
            let next = String::with_capacity(PIECE);
            self.whole.push(std::mem::replace(&mut self.last, next));
        }
        self.last.push_str(text);
    }

    pub(super) fn push(&mut self, one: char) {
        self.push_str(one.encode_utf8(&mut [0; 4]));
    }
}

impl fmt::Write for Pieces {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn nothing_is_lost_between_pieces() {
        let mut pieces = Pieces::default();
        let mut whole = String::new();
        for number in 0..40_000 {
            writeln!(pieces, "line {number}").unwrap();
            writeln!(whole, "line {number}").unwrap();
        }
        let pieces = pieces.into_pieces();
        assert!(pieces.len() > 5, "{}", pieces.len());
        assert!(pieces.iter().all(|piece| piece.len() <= PIECE));
        assert_eq!(pieces.concat(), whole);
    }
}
