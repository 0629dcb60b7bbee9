//! From what is said of one recipient to what is known of them: the reason and whether it lasts, where it died.

use super::delivery_status::Action;
use super::explanation::{Cause, Hop, Recipient};
use super::judge::{self, Words};
use super::patterns;
use super::reason::Reason;
use super::refine::{Case, refined};
use super::reply::{self, Stage};
use super::status;
use super::text::Found;
use crate::model::EnhancedCode;
use crate::model::text::clean;

/// The most characters of a reply that are shown.
const LONGEST_REPLY: usize = 2_000;

/// Who reports, and how far the mail had come.
pub(super) struct Reporter<'a> {
    /// The server's name.
    pub(super) host: Option<&'a str>,
    /// How many servers had taken the mail.
    pub(super) hops: usize,
    /// Whether the mail has come past the same server again and again.
    pub(super) goes_round: bool,
}

/// What is known of one recipient.
pub(super) fn recipient(found: &Found, reporter: &Reporter) -> Recipient {
    let said = found.reply.as_deref().unwrap_or_default();
    let stated = found.status;
    let in_reply = reply::enhanced(said).map(|(_, code)| code);
    // A stated 5.0.0 says less than the code in the reply.
    let status = match (stated, in_reply) {
        (Some(stated), Some(own))
            if status::is_bare(stated) && !status::is_bare(own) && own.0 == stated.0 =>
        {
            Some(own)
        }
        (stated, own) => stated.or(own),
    };
    let domain = found.recipient.as_deref().map(super::address::domain);
    // A domain that nobody could find is no server.
    let is_server = |remote: &&str| Some(*remote) != reporter.host && domain.as_deref() != Some(*remote);
    let remote = found.remote.as_deref().filter(is_server);
    let text = if said.is_empty() {
        found.about.as_str()
    } else {
        said
    };
    let expired = is_expired(found, status);
    let judged = judged(found, text, stated, remote.or(reporter.host), expired);
    let case = Case {
        domain: domain.as_deref(),
        reporter: reporter.host,
        remote,
    };
    // Exim returns such mail without a word on why.
    let judged = judged.or(reporter.goes_round.then_some((Reason::Loop, judge::Basis::Text)));
    let judged = judged.map(|(reason, basis)| (refined(reason, text, &case), basis));
    let (reason, basis) = judged.map_or((None, None), |(reason, basis)| (Some(reason), Some(basis)));
    let stage = found.stage.or(match reason {
        Some(Reason::DomainNotFound | Reason::NoMailHost | Reason::DnsFailure) => Some(Stage::Dns),
        Some(Reason::ConnectionRefused | Reason::Unreachable) => Some(Stage::Connect),
        _ => None,
    });
    let action = found.action.unwrap_or(Action::Failed);
    let permanent = is_permanent(action, status, said, reason, expired);
    Recipient {
        hop: hop(remote, stage, reporter),
        recipient: found.recipient.as_deref().map(shown),
        original_recipient: found
            .original
            .as_deref()
            .filter(|original| {
                found
                    .recipient
                    .as_ref()
                    .is_none_or(|own| !own.eq_ignore_ascii_case(original))
            })
            .map(shown),
        action,
        status: status.map(|status| status.to_string()),
        reply: found
            .reply
            .as_deref()
            .filter(|said| !said.is_empty())
            .map(|said| clean(said.as_bytes(), LONGEST_REPLY)),
        reporting_host: reporter.host.map(shown),
        remote_host: remote.map(shown),
        reason,
        basis,
        cause: reason.map(|reason| Cause(reason.code())),
        expired,
        permanent,
    }
}

/// The reason: of the last error, where the mail waited until it was given up.
fn judged(
    found: &Found,
    text: &str,
    stated: Option<EnhancedCode>,
    host: Option<&str>,
    expired: bool,
) -> Option<(Reason, judge::Basis)> {
    let words = |text: &str, status| {
        judge::judge(&Words {
            text,
            status,
            host,
            stage: found.stage,
        })
    };
    if !expired {
        let first = words(text, stated);
        return first.or_else(|| words(&found.about, stated));
    }
    let is_end = |code: EnhancedCode| matches!((code.1, code.2), (4, 7 | 300));
    let rest = without_expiry(text);
    let underlying = words(
        &rest,
        stated.filter(|code| !is_end(*code) && !status::is_bare(*code)),
    );
    // A bare code is that of the end.
    let says = |(reason, basis): &(Reason, judge::Basis)| {
        *reason != Reason::Expired && *basis != judge::Basis::ReplyCode
    };
    let underlying = underlying.filter(says);
    underlying.or(Some((
        Reason::Expired,
        if stated.is_some_and(is_end) {
            judge::Basis::EnhancedCode
        } else {
            judge::Basis::Text
        },
    )))
}

/// Whether the mail was given up for its age.
fn is_expired(found: &Found, status: Option<EnhancedCode>) -> bool {
    let coded = matches!(status, Some(EnhancedCode(4 | 5, 4, 7 | 300)));
    let text = format!("{} {}", found.reply.as_deref().unwrap_or_default(), found.about).to_lowercase();
    let worded = patterns::EXPIRED
        .iter()
        .filter(|words| !matches!(**words, "expired"))
        .any(|words| patterns::holds(&text, words));
    found.action != Some(Action::Delayed) && (coded || worded)
}

/// The text without the words of expiry: what is left may say why.
fn without_expiry(text: &str) -> String {
    let mut lower = text.to_lowercase();
    for words in patterns::EXPIRED {
        if !words.contains('*') {
            lower = lower.replace(words, " ");
        }
    }
    lower
        .replace("4.4.7", " ")
        .replace("5.4.7", " ")
        .replace("5.4.300", " ")
        .replace("4.4.300", " ")
}

fn is_permanent(
    action: Action,
    status: Option<EnhancedCode>,
    said: &str,
    reason: Option<Reason>,
    expired: bool,
) -> bool {
    if action == Action::Delayed || expired {
        return false;
    }
    let code = reply::code(said).map(|(_, code)| code);
    match (status, code) {
        // Courier and Nullmailer state 5.0.0 of whatever they give up.
        (Some(status), Some(code)) if status::is_bare(status) => code >= 500,
        (Some(status), _) => status.0 == 5,
        (None, Some(code)) => code >= 500,
        (None, None) => reason.is_none_or(Reason::is_lasting),
    }
}

fn hop(remote: Option<&str>, stage: Option<Stage>, reporter: &Reporter) -> Hop {
    Hop {
        host: remote.or(reporter.host).map(shown),
        stage,
        number: (reporter.hops > 0).then_some(reporter.hops + usize::from(remote.is_some())),
    }
}

fn shown(text: &str) -> String {
    clean(text.as_bytes(), 400)
}
