//! A message as a whole: which of its parts report, which are the copy of the returned mail, and what both together
//! say.

use super::delivery_status::{self, Action};
use super::explanation::{Explanation, Forwarded};
use super::mime::{Headers, Part};
use super::ordinary::{self, Kind, Sort};
use super::recipient::{Reporter, recipient};
use super::text::{self, Found, Known};
use super::{address, forward, patterns, signs};
use crate::model::text::clean;

/// How many bytes of a returned message's headers are read.
const COPY: usize = 128 * 1024;
/// How many parts of text are read as report.
const MOST_TEXTS: usize = 4;
/// How many servers on the way are named.
const MOST_HOPS: usize = 30;
/// How often a server may take one mail that does not go round in circles, if it has come past as many servers as that.
const MOST_PASSES: usize = 10;

/// A bounce, delay or receipt in the standard form (RFC 3464).
pub(super) fn of_standard(message: &Part) -> Option<Explanation> {
    let leaves = message.leaves();
    let statuses = leaves.iter().filter(|leaf| {
        matches!(
            leaf.kind(),
            "message/delivery-status" | "message/global-delivery-status" | "text/delivery-status"
        )
    });
    let mut statuses: Vec<_> = statuses
        .filter_map(|leaf| delivery_status::parse(&leaf.text()))
        .collect();
    let mut report = statuses.drain(..).reduce(|mut one, other| {
        one.recipients.extend(other.recipients);
        one.reporting = one.reporting.or(other.reporting);
        one
    })?;
    report.recipients.truncate(delivery_status::MOST_RECIPIENTS);
    let told = texts(message);
    let split = text::split(&told);
    let mut known = known(&message.headers);
    known.perhaps.extend(
        report
            .recipients
            .iter()
            .filter_map(|group| group.recipient.clone()),
    );
    let worded = text::recipients(&split.report, &known);
    let lower = told.to_lowercase();
    let given_up = is_called_late(&lower);
    let late = !given_up && is_late(&message.headers.lower("subject"), &lower);
    let several = report.recipients.len() > 1;
    let found: Vec<Found> = report
        .recipients
        .into_iter()
        .map(|group| {
            let same = |found: &&Found| {
                same(found.recipient.as_ref(), group.recipient.as_ref())
                    || same(found.recipient.as_ref(), group.original.as_ref())
            };
            let own = worded
                .iter()
                .find(same)
                .or_else(|| worded.first().filter(|_| !several));
            told_of(merged(group, own, late), given_up)
        })
        .collect();
    let copy = copy(message, &split.copy);
    let reporting = report.reporting.or_else(|| reporter(&message.headers, &told));
    Some(explained(message, &found, reporting.as_deref(), &copy))
}

fn same(one: Option<&String>, other: Option<&String>) -> bool {
    one.zip(other)
        .is_some_and(|(one, other)| one.eq_ignore_ascii_case(other))
}

/// What the fields say, and where they say nothing, what the words beside them do.
fn merged(group: delivery_status::Group, own: Option<&Found>, late: bool) -> Found {
    let own = own.cloned().unwrap_or_default();
    let class = group.status.map(|status| status.0);
    let guessed = match class {
        Some(2) => Action::Delivered,
        _ if late => Action::Delayed,
        _ => Action::Failed,
    };
    let diagnostic = group.diagnostic.filter(|words| !words.is_empty());
    let said = diagnostic
        .as_deref()
        .map(|words| super::reply::within(words).unwrap_or(words).to_owned());
    // Where the field holds no reply, the words may.
    let richer = own
        .reply
        .clone()
        .filter(|words| super::reply::code(words).is_some() || super::reply::enhanced(words).is_some());
    let hollow = said
        .as_deref()
        .is_none_or(|words| super::reply::code(words).is_none() && super::reply::enhanced(words).is_none());
    let reply = if hollow {
        richer.or(said).or(own.reply)
    } else {
        said
    };
    // "Other or undefined status" (RFC 3463 3.1) is all that some servers give, beside a reply that says more.
    let status = group.status.map(|status| {
        let told = reply.as_deref().and_then(super::reply::enhanced);
        told.map(|(_, told)| told)
            .filter(|told| status.1 == 0 && status.2 == 0 && told.0 == status.0)
            .unwrap_or(status)
    });
    let about = diagnostic.unwrap_or_default();
    let stage = super::reply::stage(&about).or(own.stage);
    let remote = group.remote.or_else(|| super::reply::host(&about)).or(own.remote);
    let action = group.action.unwrap_or(guessed);
    let is_given_up = reply.as_deref().is_some_and(is_given_up);
    Found {
        recipient: group.recipient.or(group.original.clone()).or(own.recipient),
        original: group.original,
        action: Some(match action {
            Action::Delayed if is_given_up => Action::Failed,
            other => other,
        }),
        status,
        reply,
        remote,
        stage,
        about: if about.is_empty() { own.about } else { about },
    }
}

/// Whether a report comes from who calls late what they have given up.
fn is_called_late(said: &str) -> bool {
    signs::CALLED_LATE
        .iter()
        .any(|(words, late)| said.contains(words) && !said.contains(late))
}

/// What is called late has failed where it is given up.
fn told_of(found: Found, given_up: bool) -> Found {
    let action = found.action.map(|action| {
        if given_up && action == Action::Delayed {
            Action::Failed
        } else {
            action
        }
    });
    Found { action, ..found }
}

/// Whether what is said of mail means that it is tried no more, whatever else the report says.
fn is_given_up(said: &str) -> bool {
    signs::GIVEN_UP
        .iter()
        .any(|words| said.trim().eq_ignore_ascii_case(words))
}

/// Whether a line says so of the recipient at its start.
fn ends_given_up(line: &str) -> bool {
    line.rsplit_once(": ").is_some_and(|(_, said)| is_given_up(said))
}

/// A mailbox that rejects a message by a note on what became of it (RFC 5429 2.1.3, by Dovecot also for full mailboxes): the
/// form is a receipt's, the words say that nobody gets it.
pub(super) fn of_rejection(message: &Part) -> Option<Explanation> {
    let leaves = message.leaves();
    let note = leaves
        .iter()
        .find(|leaf| leaf.kind() == "message/disposition-notification")?;
    let text = note.text();
    let (fields, _) = Headers::parse(text.as_bytes());
    let by_itself = fields.lower("disposition").contains("mdn-sent-automatically");
    let told = texts(message);
    let lower = told.to_lowercase();
    let rejected = message.headers.lower("auto-submitted").contains("rejected")
        || ["automatically rejected", "was rejected", "has been rejected"]
            .iter()
            .any(|words| lower.contains(words));
    if !(by_itself && rejected) {
        return None;
    }
    let failed = ["original-recipient", "final-recipient"]
        .iter()
        .find_map(|name| address::typed(&fields.get(name)?))?;
    let mut known = known(&message.headers);
    known.failed = vec![failed];
    finish(message, &told, "rejected mail", known)
}

/// A bounce or delay in a server's own words.
pub(super) fn of_text(message: &Part) -> Option<Explanation> {
    let told = texts(message);
    let subject = message.headers.get("subject").unwrap_or_default();
    let from = message.headers.get("from").unwrap_or_default();
    let server = is_written_by_server(message, &from);
    if !(server || returns(message, &subject, &told)) || forward::is_answer(&subject) && !is_server(&from) {
        return None;
    }
    let failed: Vec<String> = message
        .headers
        .all("x-failed-recipients")
        .flat_map(|value| address::all(&value).collect::<Vec<_>>())
        .take(delivery_status::MOST_RECIPIENTS)
        .collect();
    let mut known = known(&message.headers);
    (known.failed, known.strict) = (failed, !server);
    finish(message, &told, &subject, known)
}

/// A bounce that a person forwarded as text.
pub(super) fn of_inline(message: &Part) -> Option<Explanation> {
    let told = texts(message);
    let outer = message.headers.get("subject").unwrap_or_default();
    if forward::is_answer(&outer) {
        return None;
    }
    let mut explanation = if let Some(inner) = forward::find(&told) {
        if !is_server(&inner.from) {
            return None;
        }
        let to: Vec<String> = address::all(&inner.to).collect();
        read_text_of(message, &inner.body, &inner.subject, &to)?
    } else {
        let subject = forward::unforwarded(&outer)?;
        if !(is_failure(&subject) || is_late_subject(&subject)) {
            return None;
        }
        read_text_of(message, &told, &subject, &[])?
    };
    explanation.forwarded = Some(Forwarded::Inline);
    Some(explanation)
}

fn read_text_of(message: &Part, body: &str, subject: &str, to: &[String]) -> Option<Explanation> {
    // The fields of a standard report are pasted with the rest by some programs.
    let body = body.replace("\n> ", "\n").replace("\n>\n", "\n\n");
    if let Some(report) = delivery_status::parse(&body).filter(|report| {
        report
            .recipients
            .iter()
            .any(|group| group.recipient.is_some() && group.action.is_some())
    }) {
        let lower = body.to_lowercase();
        let late = is_late(subject, &lower);
        // Beside the fields the words of the report are pasted as well.
        let given_up = is_called_late(&lower) || body.lines().any(ends_given_up);
        let found: Vec<Found> = report
            .recipients
            .into_iter()
            .filter(|group| group.recipient.is_some())
            .map(|group| told_of(merged(group, None, late), given_up))
            .collect();
        let split = text::split(&body);
        let (copy, _) = Headers::parse(split.copy.as_bytes());
        let copied = Copied::read(&copy);
        return Some(explained(message, &found, report.reporting.as_deref(), &copied));
    }
    let mut known = known(&message.headers);
    known.not.extend(to.iter().map(|to| to.to_lowercase()));
    finish(message, &body, subject, known)
}

/// Reads a report in words, if it is one: who writes is known by now, what is written must say that mail failed.
fn finish(message: &Part, told: &str, subject: &str, mut known: Known) -> Option<Explanation> {
    let split = text::split(told);
    let copy = copy(message, &split.copy);
    known.perhaps.clone_from(&copy.to);
    known.envelope.clone_from(&copy.envelope);
    let said = split.report.join("\n").to_lowercase().replace('\u{2019}', "'");
    let opened = opening(&said);
    let named = is_failure(subject) || is_late_subject(subject);
    if known.failed.is_empty() && !known.strict {
        known.failed.extend(named_failed(&split.report));
    }
    let from = message.headers.get("from").unwrap_or_default();
    // What a mailer daemon sends with a copy of the mail is a bounce, in whatever language.
    let returned = copy.is_found && is_daemon(&from);
    if !named && opened.is_none() && known.failed.is_empty() && !returned {
        return None;
    }
    known.home = address::first(&from)
        .filter(|_| is_server(&from))
        .map(|from| address::domain(&from));
    let late = is_late_subject(subject) || opened == Some(true) || (!named && is_late(subject, &said));
    let mut found = text::recipients(&split.report, &known);
    // Words beside a recipient must say what went wrong, or the first words that mail failed.
    found.retain(|found| found.recipient.is_some());
    let says = |found: &Found| {
        let words = found.reply.as_deref().unwrap_or_default();
        let lower = words.to_lowercase();
        super::reply::code(words).is_some()
            || found.status.is_some()
            || patterns::strong(&lower).is_some()
            || patterns::network(&lower).is_some()
    };
    let sure = opened.is_some() || !known.failed.is_empty() || returned;
    if found.is_empty() || !(sure || found.iter().any(says)) {
        return None;
    }
    let late = late && !is_called_late(&said);
    for found in &mut found {
        let given_up = found.reply.as_deref().is_some_and(is_given_up);
        found.action = Some(if late && !given_up {
            Action::Delayed
        } else {
            Action::Failed
        });
    }
    let reporting = reporter(&message.headers, told);
    Some(explained(message, &found, reporting.as_deref(), &copy))
}

/// The one recipient that a report is about, where it says so in words of which no others follow.
fn named_failed(report: &[String]) -> Option<String> {
    report.iter().find_map(|line| {
        let lower = line.to_ascii_lowercase();
        signs::BEFORE_FAILED.iter().find_map(|words| {
            let rest = &line[lower.find(words)? + words.len()..];
            address::first(rest.split('>').next()?)
        })
    })
}

/// Whether a message by a server that calls itself nothing that we know returns mail: subject and first words say so both,
/// and it is part of no conversation.
fn returns(message: &Part, subject: &str, told: &str) -> bool {
    let headers = &message.headers;
    let talk = [
        "in-reply-to",
        "references",
        "list-unsubscribe",
        "list-id",
        "feedback-id",
    ];
    is_failure(subject)
        && !talk.iter().any(|name| headers.has(name))
        && forward::unforwarded(subject).is_none()
        && opening(&unquoted(told).to_lowercase().replace('\u{2019}', "'")).is_some()
}

/// A text without what stands in quotation marks: somebody who asks about a bounce may quote its words.
fn unquoted(text: &str) -> String {
    let marks = ['"', '\u{201c}', '\u{201d}'];
    text.split(marks).step_by(2).collect::<Vec<_>>().join(" ")
}

/// The first words of a server's report that are known, and whether they say that the mail is only late.
fn opening(said: &str) -> Option<bool> {
    let mut end = said.len().min(6_000);
    while !said.is_char_boundary(end) {
        end -= 1;
    }
    // Reports are wrapped.
    let start = said[..end].split_whitespace().collect::<Vec<_>>().join(" ");
    let mut found = signs::OPENINGS
        .iter()
        .filter(|(words, _)| start.contains(words))
        .map(|(_, late)| *late)
        .peekable();
    found.peek()?;
    Some(
        found.any(|late| late)
            && !start.contains("permanent error")
            && !start.contains("permanent fatal errors"),
    )
}

fn is_failure(subject: &str) -> bool {
    let subject = subject.to_lowercase();
    signs::FAILED.iter().any(|words| subject.contains(words))
}

fn is_late_subject(subject: &str) -> bool {
    let subject = subject.to_lowercase();
    signs::DELAYED.iter().any(|words| subject.contains(words))
}

fn is_late(subject: &str, said: &str) -> bool {
    is_late_subject(subject) || opening(said) == Some(true)
}

/// Whether a server wrote this: by its address or name, or an empty return path.
fn is_written_by_server(message: &Part, from: &str) -> bool {
    let empty = message
        .headers
        .get("return-path")
        .is_some_and(|path| path.replace(' ', "") == "<>");
    let answered = message
        .headers
        .lower("auto-submitted")
        .starts_with("auto-replied")
        || message
            .headers
            .lower("auto-submitted")
            .starts_with("auto-generated");
    let reports = message.parameter("report-type") == "delivery-status";
    is_server(from)
        || empty
        || message.headers.has("x-failed-recipients")
        || reports
        || (answered && is_failure(&message.headers.lower("subject")))
}

/// Whether an address or name is one that servers write under.
fn is_server(from: &str) -> bool {
    let local = address::first(from)
        .and_then(|address| address.rsplit_once('@').map(|(local, _)| local.to_lowercase()));
    let local: String = match local {
        Some(local) => local,
        None => from.split(['<', '@']).next().unwrap_or_default().to_lowercase(),
    };
    let bare: String = local.chars().filter(char::is_ascii_alphanumeric).collect();
    signs::WRITERS.contains(&bare.as_str()) || is_automatic_name(from)
}

/// Whether an address is a mailer daemon's, whom nobody else calls themselves.
fn is_daemon(from: &str) -> bool {
    let local = from.split(['<', '"', ' ']).find_map(|word| word.split_once('@'));
    local.is_some_and(|(local, _)| local.eq_ignore_ascii_case("mailer-daemon"))
}

fn is_automatic_name(from: &str) -> bool {
    let lower = from.to_lowercase();
    signs::WRITER_NAMES.iter().any(|name| lower.contains(name))
}

/// What is known of the recipients before the text is read.
fn known(headers: &Headers) -> Known {
    let mut not: Vec<String> = Vec::new();
    for name in [
        "from",
        "to",
        "sender",
        "reply-to",
        "delivered-to",
        "x-original-to",
        "errors-to",
    ] {
        let values = headers.all(name).take(4);
        not.extend(values.flat_map(|value| {
            address::all(&value)
                .take(20)
                .map(|address| address.to_lowercase())
                .collect::<Vec<_>>()
        }));
    }
    Known {
        not,
        ..Known::default()
    }
}

/// The words of a message that are read: its parts of text, HTML only where there is nothing else.
fn texts(message: &Part) -> String {
    let leaves = message.leaves();
    let shown = |leaf: &&&Part| {
        !leaf
            .headers
            .lower("content-disposition")
            .starts_with("attachment")
    };
    let of = |kind: &str| -> Vec<String> {
        leaves
            .iter()
            .filter(|leaf| leaf.kind() == kind)
            .filter(shown)
            .take(MOST_TEXTS)
            .map(|leaf| leaf.text())
            .collect()
    };
    let mut texts = of("text/plain");
    if texts.iter().all(|text| text.trim().is_empty()) {
        texts = of("text/html");
    }
    if texts.is_empty() && message.children.is_empty() && message.kind().starts_with("multipart/") {
        texts.push(message.text());
    }
    texts.join("\n\n")
}

/// What the copy of the returned mail says.
#[derive(Default)]
struct Copied {
    is_found: bool,
    from: Option<String>,
    to: Vec<String>,
    envelope: Option<String>,
    message_id: Option<String>,
    subject: Option<String>,
    hops: Vec<String>,
    goes_round: bool,
}

impl Copied {
    fn read(headers: &Headers) -> Self {
        let path = headers.get("return-path").and_then(|path| address::first(&path));
        let sender = headers.get("from").and_then(|from| address::first(&from));
        let to = headers
            .all("to")
            .take(2)
            .flat_map(|to| address::all(&to).take(50).collect::<Vec<_>>())
            .collect();
        let mut hops: Vec<String> = headers
            .all("received")
            .take(MOST_HOPS)
            .filter(|received| !is_local(received))
            .filter_map(|received| by(&received))
            .collect();
        hops.reverse();
        let passes = |host: &String| hops.iter().filter(|hop| *hop == host).count();
        let goes_round = hops.len() >= MOST_HOPS && hops.iter().any(|hop| passes(hop) >= MOST_PASSES);
        Self {
            is_found: !headers.is_empty(),
            from: sender.or(path),
            to,
            envelope: headers
                .all("received")
                .take(MOST_HOPS)
                .find_map(|received| meant_for(&received)),
            message_id: headers.get("message-id").map(|id| bare_id(&id)),
            subject: headers.get("subject"),
            hops,
            goes_round,
        }
    }
}

/// The copy of the returned mail, or of its headers: a part of its own, or what follows the report.
fn copy(message: &Part, below: &str) -> Copied {
    let leaves = message.leaves();
    let part = leaves.iter().find(|leaf| {
        matches!(
            leaf.kind(),
            "message/rfc822"
                | "text/rfc822-headers"
                | "message/rfc822-headers"
                | "message/global"
                | "message/global-headers"
                | "text/rfc822"
                | "message/partial"
        )
    });
    if let Some(part) = part {
        let bytes = part.bytes(COPY);
        let (headers, _) = Headers::parse(&bytes);
        if !headers.is_empty() {
            return Copied::read(&headers);
        }
    }
    let (headers, _) = Headers::parse(below.as_bytes());
    let mut copied = Copied::read(&headers);
    copied.is_found |= part.is_some();
    copied
}

/// Whether a Received header tells of a program on the same machine: "(qmail 123 invoked by uid 0)", and so Nullmailer.
fn is_local(received: &str) -> bool {
    received.contains(" invoked by ")
}

/// The server that took a message, by a Received header (RFC 5321 4.4).
fn by(received: &str) -> Option<String> {
    let at = received
        .find("by ")
        .filter(|at| *at == 0 || received[..*at].ends_with(' '))?;
    delivery_status::host(received[at + 3..].split([' ', ';']).next()?)
}

/// The recipient whom a server took a message for, by a Received header.
fn meant_for(received: &str) -> Option<String> {
    let at = received.find(" for ")?;
    let (name, _) = received[at + 5..].split_once(';')?;
    address::first(name)
}

fn bare_id(id: &str) -> String {
    id.trim().trim_start_matches('<').trim_end_matches('>').to_owned()
}

/// Words before the reporter's own name, in lower case; `*` stands for one word.
const REPORTERS: &[&str] = &[
    "this is the mail system at host ",
    "this is the postfix program at host ",
    "qmail-send program at ",
    "this is the mail delivery agent at ",
    "generating server: ",
    "generierender server: ",
    "serveur de génération : ",
    "servidor de generación: ",
    "server di generazione: ",
    "servidor de geração: ",
    "genererende server: ",
    "serwer generujący: ",
    "reporting-mta: dns;",
    "reporting-mta: dns; ",
    "server: ",
    "this is the dragonfly mail agent * at ",
];

/// Who reports, by the words or the address of whoever writes.
fn reporter(headers: &Headers, told: &str) -> Option<String> {
    let lower = told.to_lowercase();
    let named = REPORTERS
        .iter()
        .find_map(|words| delivery_status::host(after(&lower, words)?.split_whitespace().next()?));
    let named = named.filter(|name| name.contains('.'));
    let from = || {
        headers
            .get("from")
            .filter(|from| is_server(from))
            .and_then(|from| address::first(&from))
            .map(|from| address::domain(&from))
    };
    named.or_else(from)
}

/// What follows words in a text; `*` among them stands for one word.
fn after<'a>(text: &'a str, words: &str) -> Option<&'a str> {
    let (start, end) = words.split_once('*').unwrap_or((words, ""));
    let rest = &text[text.find(start)? + start.len()..];
    if end.is_empty() {
        return Some(rest);
    }
    let word = rest.find(char::is_whitespace)?;
    rest[word..].strip_prefix(end)
}

/// Puts an explanation together.
fn explained(message: &Part, found: &[Found], reporting: Option<&str>, copy: &Copied) -> Explanation {
    let actions: Vec<Action> = found
        .iter()
        .map(|found| found.action.unwrap_or(Action::Failed))
        .collect();
    let (kind, sort) = if actions.contains(&Action::Failed) {
        (Kind::Bounce, None)
    } else if actions.contains(&Action::Delayed) {
        (Kind::Delay, None)
    } else {
        (Kind::Receipt, Some(Sort::DeliveryReceipt))
    };
    let reporter = Reporter {
        host: reporting,
        hops: copy.hops.len(),
        goes_round: copy.goes_round,
    };
    let told = matches!(kind, Kind::Bounce | Kind::Delay);
    let recipients = if told {
        found.iter().map(|found| recipient(found, &reporter)).collect()
    } else {
        Vec::new()
    };
    // A bounce goes back to whoever sent the mail (RFC 5321 6.1).
    let back = || message.headers.get("to").and_then(|to| address::first(&to));
    let related = || {
        message
            .headers
            .get("in-reply-to")
            .or_else(|| message.headers.get("x-original-message-id"))
            .map(|id| bare_id(&id))
    };
    Explanation {
        kind,
        sort,
        forwarded: None,
        recipients,
        sender: copy.from.clone().or_else(back).map(|sender| shown(&sender)),
        message_id: copy.message_id.clone().or_else(related).map(|id| shown(&id)),
        subject: copy.subject.as_deref().map(shown),
        hops: copy.hops.iter().map(|hop| shown(hop)).collect(),
    }
}

/// What a message is that is no bounce.
pub(super) fn of_ordinary(message: &Part) -> Explanation {
    let told = texts(message);
    let subject = message.headers.get("subject").unwrap_or_default();
    let start = told.chars().take(20_000).collect::<String>().to_lowercase();
    let speaks = is_failure(&subject) || opening(&start).is_some();
    let (kind, sort) =
        ordinary::by_form(message).unwrap_or_else(|| ordinary::by_words(&message.headers, &told, speaks));
    Explanation {
        kind,
        sort: Some(sort),
        forwarded: None,
        recipients: Vec::new(),
        sender: message
            .headers
            .get("from")
            .and_then(|from| address::first(&from))
            .map(|from| shown(&from)),
        message_id: message.headers.get("message-id").map(|id| shown(&bare_id(&id))),
        subject: message.headers.get("subject").map(|subject| shown(&subject)),
        hops: Vec::new(),
    }
}

/// Safe to show, and short.
fn shown(text: &str) -> String {
    clean(text.as_bytes(), 500)
}
