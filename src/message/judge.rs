//! From a server's words to the reason: the provider's own table first, then the enhanced status code, then the reply
//! code, then words. A code that servers use for much yields to words that say one thing only.

use serde::Serialize;

use crate::model::EnhancedCode;

use super::reason::Reason;
use super::reply::{self, Stage};
use super::status::{self, Trust};
use super::{patterns, providers};

/// What a reason rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// What is known of the provider that answered.
    Provider,
    /// The enhanced status code (RFC 3463).
    EnhancedCode,
    /// The reply code (RFC 5321).
    ReplyCode,
    /// The words alone.
    Text,
}

/// What is to be judged.
pub(super) struct Words<'a> {
    /// The reply, or what the reporter wrote instead of one.
    pub(super) text: &'a str,
    /// The status that the report states beside it.
    pub(super) status: Option<EnhancedCode>,
    /// Who answered, or who reports where nobody else did.
    pub(super) host: Option<&'a str>,
    /// At which step.
    pub(super) stage: Option<Stage>,
}

/// The reason, and what it rests on; `None` where nothing says one.
pub(super) fn judge(words: &Words) -> Option<(Reason, Basis)> {
    let text = bare(words.text);
    let code = reply::code(words.text).map(|(_, code)| code);
    let mut codes: Vec<EnhancedCode> = reply::all_enhanced(words.text)
        .map(|(_, code)| code)
        .take(4)
        .collect();
    codes.extend(words.status);
    if let Some(reason) = providers::meaning(&text, words.host, &codes) {
        return Some((reason, Basis::Provider));
    }
    let said: Vec<(Reason, Trust)> = codes
        .iter()
        .filter_map(|code| status::of_enhanced(*code))
        .collect();
    let of_trust = |trust: Trust| {
        said.iter()
            .find(|(_, own)| *own == trust)
            .map(|(reason, _)| *reason)
    };
    if let Some(reason) = of_trust(Trust::Firm) {
        return Some((reason, Basis::EnhancedCode));
    }
    let soft = of_trust(Trust::Soft);
    if let Some(found) = in_words(&text, soft) {
        return Some(found);
    }
    if let Some(reason) = soft {
        return Some((reason, Basis::EnhancedCode));
    }
    let bare_code = code.and_then(status::of_code);
    if let Some((reason, Trust::Firm | Trust::Soft)) = bare_code {
        return Some((reason, Basis::ReplyCode));
    }
    if puts_off(&text, code, &codes) {
        return Some((Reason::Greylisted, Basis::Text));
    }
    let vague = of_trust(Trust::Vague);
    let weak = patterns::weak(&text);
    match (vague, weak) {
        (_, Some(weak)) if vague.is_none_or(|vague| !patterns::weakly(&text, vague)) => {
            Some((weak, Basis::Text))
        }
        (Some(vague), _) => Some((vague, Basis::EnhancedCode)),
        (None, Some(weak)) => Some((weak, Basis::Text)),
        (None, None) => of_bare_code(code?, words.stage).map(|reason| (reason, Basis::ReplyCode)),
    }
}

/// Words that say one thing, or name the trouble on the way; where several fit, the one that the code says too.
fn in_words(text: &str, soft: Option<Reason>) -> Option<(Reason, Basis)> {
    if let Some(reason) = soft
        && patterns::strongly(text, reason)
    {
        return Some((reason, Basis::EnhancedCode));
    }
    if let Some(reason) = patterns::strong(text) {
        return Some((reason, Basis::Text));
    }
    // Trouble on the way is said by whoever reports, with 4.4.x or no code at all.
    let on_the_way = |reason: Reason| {
        matches!(
            reason,
            Reason::Unreachable
                | Reason::Disconnected
                | Reason::DnsFailure
                | Reason::NoMailHost
                | Reason::Expired
                | Reason::DomainNotFound
                | Reason::Unavailable
        )
    };
    if soft.is_none_or(on_the_way) {
        return patterns::network(text).map(|reason| (reason, Basis::Text));
    }
    None
}

/// Whether a temporary refusal of policy asks to come back: greylisting that does not say its name (RFC 6647).
fn puts_off(text: &str, code: Option<u16>, codes: &[EnhancedCode]) -> bool {
    let policy = codes
        .iter()
        .any(|code| code.0 == 4 && matches!(code.1, 7 | 2) && code.2 <= 1);
    let bare = codes.is_empty() && matches!(code, Some(450 | 451));
    let waits = [
        "try again in",
        "try again later",
        "try later",
        "please wait",
        "retry in",
        "come back",
        "again in ",
        "minutes",
        "seconds",
    ];
    (policy || bare) && waits.iter().any(|words| text.contains(words)) && !text.contains("local error")
}

/// What a bare 550 means depends on the step.
fn of_bare_code(code: u16, stage: Option<Stage>) -> Option<Reason> {
    match (code, stage) {
        (550 | 553 | 554, Some(Stage::Data)) => Some(Reason::Content),
        (550 | 553 | 554, Some(Stage::Mail)) => Some(Reason::SenderRefused),
        (550 | 553 | 554, Some(Stage::Connect | Stage::Greeting | Stage::Ehlo)) => {
            Some(Reason::BadReputation)
        }
        _ => status::of_code(code).map(|(reason, _)| reason),
    }
}

/// The text in lower case on one line, without addresses: what somebody is called says nothing.
fn bare(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut last = 0;
    for (start, end) in super::address::spans(text) {
        out.push_str(&text[last..start]);
        out.push('@');
        last = end;
    }
    out.push_str(&text[last..]);
    let lower = out
        .to_lowercase()
        .replace(['\u{2019}', '\u{2018}', '\u{b4}', '`'], "'");
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}
