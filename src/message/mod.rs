//! Mail as text: what a message says of mail that did not get through, what a canary is made of and known by, and the
//! stamps that servers put on a message on its way.
//!
//! [`explain`] reads a message and says what became of the mail that it is about: bounces in the standard form (RFC 3464, 6522,
//! 6533) and in the servers' own, delays, and what is neither. Pure: bytes in, explanation out; hostile bytes are bounded
//! in depth, number and size, and nothing here takes longer than the message is long.

mod address;
pub mod authentication_results;
pub mod canary;
mod delivery_status;
mod explanation;
mod forward;
mod html;
mod judge;
mod mime;
mod ordinary;
mod patterns;
mod providers;
mod reason;
pub mod received;
mod recipient;
mod refine;
mod reply;
mod report;
mod signs;
mod status;
#[cfg(test)]
mod tests;
mod text;

pub use delivery_status::Action;
pub use explanation::{Cause, Explanation, Forwarded, Hop, Recipient};
pub use judge::Basis;
pub use ordinary::{Kind, Sort};
pub use reason::Reason;
pub use reply::Stage;

use crate::model::Reply;

use mime::Part;

/// How many bytes of a message are read: what lies beyond is attachment.
pub const LONGEST: usize = 32 * 1024 * 1024;

/// How deep attached messages are opened.
const DEEPEST: usize = 4;
/// How many attached messages are opened in all.
const MOST_ATTACHED: usize = 16;

/// Says what a message (RFC 5322, with whatever line ends) is and, if it is a bounce or a delay, what happened to each
/// recipient. Never fails: what cannot be read is an ordinary message.
pub fn explain(message: &[u8]) -> Explanation {
    let message = &message[..message.len().min(LONGEST)];
    let outer = Part::parse(message);
    bounce(&outer, 0, &mut { MOST_ATTACHED }).unwrap_or_else(|| report::of_ordinary(&outer))
}

/// What a server means by a reply at `stage`; `None` where nothing says it.
pub fn meaning(reply: &Reply, stage: Stage) -> Option<Reason> {
    let words = judge::Words {
        text: &reply.to_string(),
        status: reply.enhanced,
        host: None,
        stage: Some(stage),
    };
    judge::judge(&words).map(|(reason, _)| reason)
}

/// The bounce that a message is, or brings with it.
fn bounce(message: &Part, depth: usize, left: &mut usize) -> Option<Explanation> {
    if let Some(found) = report::of_standard(message) {
        return Some(found);
    }
    if ordinary::by_form(message).is_some() {
        return None;
    }
    if let Some(found) = report::of_text(message) {
        return Some(found);
    }
    attached(message, depth, left).or_else(|| report::of_inline(message))
}

/// The first bounce among the messages that a person attached.
fn attached(message: &Part, depth: usize, left: &mut usize) -> Option<Explanation> {
    if depth >= DEEPEST {
        return None;
    }
    for leaf in message.leaves() {
        let named = |name: &str| leaf.headers.lower(name).contains(".eml");
        let file = leaf.kind().starts_with("application/")
            && (named("content-disposition") || named("content-type"));
        if !(matches!(leaf.kind(), "message/rfc822" | "message/global") || file) {
            continue;
        }
        *left = left.checked_sub(1)?;
        let bytes = leaf.bytes(LONGEST);
        let inner = Part::parse(&bytes);
        if !inner.headers.is_empty()
            && let Some(mut found) = bounce(&inner, depth + 1, left)
        {
            found.forwarded = Some(Forwarded::Attached);
            return Some(found);
        }
    }
    None
}
