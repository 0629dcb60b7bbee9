//! Delivery status (RFC 3464), as its writers really write it: without empty lines between the groups, unfolded, with
//! types left out, in capitals.

use crate::model::EnhancedCode;

use super::address;
use super::reply;

/// How many recipients of one report are read.
pub(super) const MOST_RECIPIENTS: usize = 500;
/// How many bytes of one field are kept.
const LONGEST_FIELD: usize = 8 * 1024;

/// What became of a recipient (RFC 3464 2.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It will not be delivered.
    Failed,
    /// Not yet; it is still tried.
    Delayed,
    /// It was delivered.
    Delivered,
    /// It was handed to a server that says no more.
    Relayed,
    /// It was handed on to several.
    Expanded,
}

/// A whole report.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// Who reports: the server's name.
    pub(super) reporting: Option<String>,
    /// What it says of each recipient.
    pub(super) recipients: Vec<Group>,
}

/// What a report says of one recipient.
#[derive(Debug, Default, Clone)]
pub(super) struct Group {
    pub(super) recipient: Option<String>,
    pub(super) original: Option<String>,
    pub(super) action: Option<Action>,
    pub(super) status: Option<EnhancedCode>,
    pub(super) diagnostic: Option<String>,
    pub(super) remote: Option<String>,
}

/// Reads a report, or the lines of one that somebody pasted; `None` where no field names a recipient.
pub(super) fn parse(text: &str) -> Option<Report> {
    let mut report = Report::default();
    let mut group = Group::default();
    // Whether the group names somebody, and whether it has said afterwards what became of the mail.
    let (mut named, mut told) = (false, false);
    for (name, value) in fields(text) {
        match name.as_str() {
            "reporting-mta" => report.reporting = report.reporting.take().or_else(|| host(&value)),
            // Some writers leave the empty line between two recipients out; and some name the original one first.
            "final-recipient" if group.recipient.is_some() || told => {
                finish(&mut report, &mut group);
                group.recipient = address::typed(&value);
                (named, told) = (true, false);
            }
            "original-recipient" if group.original.is_some() || told && group.recipient.is_none() => {
                finish(&mut report, &mut group);
                group.original = address::typed(&value);
                (named, told) = (true, false);
            }
            "final-recipient" => {
                group.recipient = address::typed(&value);
                named = true;
            }
            "original-recipient" => {
                group.original = address::typed(&value);
                named = true;
            }
            "x-actual-recipient" if group.recipient.is_none() => group.recipient = address::typed(&value),
            "action" => {
                group.action = group.action.or_else(|| action(&value));
                told = named;
            }
            "status" => group.status = group.status.or_else(|| status(&value)),
            "diagnostic-code" => group.diagnostic = Some(longer(group.diagnostic.take(), diagnostic(&value))),
            "remote-mta" => group.remote = host(&value),
            "" if named => {
                finish(&mut report, &mut group);
                (named, told) = (false, false);
            }
            _ => {}
        }
        if report.recipients.len() >= MOST_RECIPIENTS {
            break;
        }
    }
    finish(&mut report, &mut group);
    (!report.recipients.is_empty()).then_some(report)
}

/// Ends a group that names somebody or says something.
fn finish(report: &mut Report, group: &mut Group) {
    let said = group.recipient.is_some()
        || group.original.is_some()
        || (group.action.is_some() && group.status.is_some());
    if said {
        report.recipients.push(std::mem::take(group));
    }
}

/// Some servers give two diagnostics: their own and the remote one, which says more.
fn longer(one: Option<String>, other: String) -> String {
    one.filter(|one| one.len() >= other.len()).unwrap_or(other)
}

/// The fields in their order, names in lower case, an empty name where a group ends. Folded lines are joined, and so
/// are lines that no field can begin with: some writers forget to fold.
fn fields(text: &str) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if line.trim().is_empty() {
            fields.push((String::new(), String::new()));
            continue;
        }
        let folded = line.starts_with([' ', '\t']);
        let field = line.split_once(':').filter(|(name, _)| {
            let name = name.trim();
            let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
            first
                && name.len() < 60
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        });
        let known = field.is_some_and(|(name, _)| is_known(name.trim()));
        match field {
            Some((name, value)) if !folded || known => {
                let value = value.trim().chars().take(LONGEST_FIELD).collect();
                fields.push((name.trim().to_ascii_lowercase(), value));
            }
            _ => {
                if let Some((name, value)) = fields.last_mut()
                    && !name.is_empty()
                    && value.len() < LONGEST_FIELD
                {
                    value.push(' ');
                    value.push_str(line.trim());
                }
            }
        }
    }
    fields
}

/// The fields that may be indented where somebody pasted a report.
fn is_known(name: &str) -> bool {
    const KNOWN: &[&str] = &[
        "reporting-mta",
        "final-recipient",
        "original-recipient",
        "action",
        "status",
        "diagnostic-code",
        "remote-mta",
        "arrival-date",
        "last-attempt-date",
        "will-retry-until",
        "received-from-mta",
    ];
    KNOWN.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn action(value: &str) -> Option<Action> {
    let value = value.trim().to_ascii_lowercase();
    let known = [
        ("fail", Action::Failed),
        ("undeliver", Action::Failed),
        ("error", Action::Failed),
        ("delayed", Action::Delayed),
        ("delay", Action::Delayed),
        ("deferred", Action::Delayed),
        ("delivered", Action::Delivered),
        ("deliverable", Action::Delivered),
        ("relayed", Action::Relayed),
        ("expanded", Action::Expanded),
    ];
    known
        .iter()
        .find(|(start, _)| value.starts_with(start))
        .map(|(_, action)| *action)
}

fn status(value: &str) -> Option<EnhancedCode> {
    reply::enhanced(value).map(|(_, code)| code)
}

/// A server's name from `dns; mx.partner.test` or `mx.partner.test (192.0.2.1)`, in lower case.
pub(super) fn host(value: &str) -> Option<String> {
    let bare = value.split_once(';').map_or(value, |(_, bare)| bare).trim();
    let name = bare.split_whitespace().next().unwrap_or_default();
    let name = name
        .trim_matches(|c| matches!(c, '<' | '>' | '(' | ')' | '.' | ',' | ':'))
        .to_ascii_lowercase();
    let inner = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
        .map(str::to_owned);
    let name = inner.unwrap_or(name);
    let sound = !name.is_empty()
        && name.len() <= 255
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']'));
    sound.then_some(name)
}

/// The words of a diagnosis without its type: `smtp; 550 ...`. RFC 3464 2.3.6 wants one; not everybody gives it.
fn diagnostic(value: &str) -> String {
    let typed = value.split_once(';').filter(|(kind, _)| {
        let kind = kind.trim();
        kind.len() <= 24
            && !kind.is_empty()
            && kind
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
            && !kind.chars().all(|c| c.is_ascii_digit())
    });
    let words = typed.map_or(value, |(_, words)| words);
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_recipients_without_an_empty_line_between() {
        let text = "Reporting-MTA: dns;MX.ACME.TEST\n\nFinal-Recipient: rfc822;a@partner.test\nAction: failed\n\
                    Status: 5.1.1 (no such user)\nDiagnostic-Code: smtp;550-5.1.1 nobody\n550 5.1.1 of that name\n\
                    Final-Recipient: rfc822;b@partner.test\nAction: DELAYED\nStatus: 4.4.1\n";
        let report = parse(text).unwrap();
        assert_eq!(report.reporting.as_deref(), Some("mx.acme.test"));
        let [a, b] = report.recipients.as_slice() else {
            panic!("{report:?}")
        };
        assert_eq!(a.status, Some(EnhancedCode(5, 1, 1)));
        assert_eq!(
            a.diagnostic.as_deref(),
            Some("550-5.1.1 nobody 550 5.1.1 of that name")
        );
        assert_eq!(
            (b.action, b.status),
            (Some(Action::Delayed), Some(EnhancedCode(4, 4, 1)))
        );
    }

    #[test]
    fn the_original_recipient_comes_before_or_after() {
        for text in [
            "Original-Recipient: rfc822;a@acme.test\nFinal-Recipient: rfc822;b@acme.test\nAction: failed\nStatus: 5.0.0",
            "Final-Recipient: rfc822;b@acme.test\nOriginal-Recipient: rfc822;a@acme.test\nAction: failed\nStatus: 5.0.0",
            "Action: failed\nStatus: 5.0.0\nOriginal-Recipient: rfc822;a@acme.test\nFinal-Recipient: rfc822;b@acme.test",
            "Final-Recipient: rfc822;b@acme.test\nAction: failed\nStatus: 5.0.0\nOriginal-Recipient: rfc822;a@acme.test",
        ] {
            let report = parse(text).unwrap();
            assert_eq!(report.recipients.len(), 1);
            assert_eq!(report.recipients[0].recipient.as_deref(), Some("b@acme.test"));
            assert_eq!(report.recipients[0].original.as_deref(), Some("a@acme.test"));
        }
    }

    #[test]
    fn what_names_nobody_is_no_report() {
        assert!(parse("").is_none());
        assert!(parse("Subject: hello\n\nFrom: a@b.test").is_none());
    }
}
