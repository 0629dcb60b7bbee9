//! A report that is text alone: who did not get the mail, and what was said, whatever server's dialect it is.
//!
//! Servers differ in words, hardly in shape: each recipient begins a line (`<who@partner.test>:` by qmail and Postfix,
//! indented by Exim, Sendmail and Exchange, after a label by others), and the reply stands in the paragraph that
//! follows, or in a transcript further down. All is linear in the text.

use super::delivery_status::{Action, MOST_RECIPIENTS};
use super::reply::{self, Stage};
use super::{address, patterns, signs};
use crate::model::EnhancedCode;

/// How many lines are read.
const MOST_LINES: usize = 3_000;
/// How many characters of a line are read.
const LONGEST_LINE: usize = 2_000;
/// The most characters of a reply that are kept.
const LONGEST_REPLY: usize = 2_000;

/// What a report says of one recipient, wherever it says so.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Found {
    pub(super) recipient: Option<String>,
    pub(super) original: Option<String>,
    pub(super) action: Option<Action>,
    pub(super) status: Option<EnhancedCode>,
    pub(super) reply: Option<String>,
    pub(super) remote: Option<String>,
    pub(super) stage: Option<Stage>,
    /// What stands about it in the report, for words beyond the reply.
    pub(super) about: String,
}

/// What is known before the text is read.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Who cannot be the recipient: the reporter, and whoever gets the report. In lower case.
    pub(super) not: Vec<String>,
    /// Who must be: named in a header.
    pub(super) failed: Vec<String>,
    /// Who probably is: whom the returned message was for.
    pub(super) perhaps: Vec<String>,
    /// Who was, by the trace of the returned message.
    pub(super) envelope: Option<String>,
    /// Whether a recipient must stand where servers write one, as whoever writes may be a person.
    pub(super) strict: bool,
    /// The domain of the server that reports, by its own address.
    pub(super) home: Option<String>,
}

/// The report, and the copy of the message below it.
pub(super) struct Split {
    pub(super) report: Vec<String>,
    pub(super) copy: String,
}

/// Parts a text at the copy of the message. Links that mail programs add are taken off, broken addresses joined.
pub(super) fn split(text: &str) -> Split {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines().take(MOST_LINES) {
        let line = without_links(&line.chars().take(LONGEST_LINE).collect::<String>());
        let line = without_x400(line);
        match lines.last_mut() {
            Some(last) if last.trim_end().ends_with('@') && !line.trim().is_empty() => {
                let end = last.trim_end().len();
                last.truncate(end);
                last.push_str(line.trim_start());
            }
            _ => lines.push(line),
        }
    }
    let head = quoted_head(&mut lines);
    let cut = (0..lines.len())
        .find(|at| begins_copy(&lines, *at))
        .unwrap_or(lines.len());
    let mut copy = lines.split_off(cut);
    let start = copy
        .iter()
        .position(|line| is_mail_header(line))
        .unwrap_or(copy.len());
    copy.drain(..start);
    if copy.is_empty() {
        copy = head;
    }
    let copy: Vec<&str> = copy
        .iter()
        .map(|line| line.strip_prefix("> ").unwrap_or(line))
        .collect();
    Split {
        report: lines,
        copy: copy.join("\n"),
    }
}

/// How many lines a message's head takes where a report begins with it.
const LONGEST_HEAD: usize = 20;

/// What introduces recipients, in lower case.
const ANNOUNCEMENTS: &[&str] = &[
    "did not reach",
    "not be delivered",
    "cannot be delivered",
    "not delivered",
    "not been delivered",
    "could not be sent",
    "following recipient",
    "following address",
    "were affected",
    "error(s)",
];

/// Takes the head of the message that a report quotes before it says whom it did not reach ("Your message / To: .. /
/// Subject: .. / did not reach .."): whoever is named there is not who failed.
fn quoted_head(lines: &mut [String]) -> Vec<String> {
    let is_head = |line: &String| {
        let line = line.as_str();
        let field = line
            .split_once(':')
            .filter(|(name, _)| !name.trim().is_empty() && !name.contains('@'));
        is_mail_header(line)
            || line.starts_with([' ', '\t']) && field.is_some_and(|(name, _)| !name.trim().contains(' '))
    };
    let traced = |line: &String| line.starts_with("Return-Path:") || line.starts_with("Received:");
    let ends = |at: usize| {
        let goes_on =
            |line: &&String| line.trim().is_empty() || is_head(line) || line.starts_with([' ', '\t']);
        let end = at + lines[at..].iter().take(LONGEST_HEAD).take_while(goes_on).count();
        let announced = lines.get(end)?.to_lowercase();
        let announces = ANNOUNCEMENTS.iter().any(|words| announced.contains(words));
        (announces && !lines[at..end].iter().any(traced)).then_some((at, end))
    };
    let mut begins = (0..lines.len().min(3 * LONGEST_HEAD)).filter(|at| is_mail_header(&lines[*at]));
    let Some((at, end)) = begins.find_map(ends) else {
        return Vec::new();
    };
    let taken = lines[at..end].iter_mut().map(std::mem::take);
    taken
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.trim_start_matches([' ', '\t', '*', '-']).to_owned())
        .collect()
}

/// `a@b<mailto:a@b>` is `a@b`.
fn without_links(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("mailto:") {
        let open = rest[..at].chars().next_back().filter(|c| matches!(c, '<' | '['));
        let close = open.and_then(|open| rest[at..].find(if open == '<' { '>' } else { ']' }));
        let before = open.map_or("", |open| rest[..at - open.len_utf8()].trim_end());
        // Only where the address stands before it as well.
        if let Some(close) =
            close.filter(|_| before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '>' | ')')))
        {
            out.push_str(before);
            rest = &rest[at + close + 1..];
        } else {
            out.push_str(&rest[..at]);
            rest = &rest[at + 7..];
        }
    }
    out.push_str(rest);
    out
}

/// An address in X.400's own form (`c=US;a= ;p=ACME;dda:SMTP=who@partner.test;`), as Exchange 5 wrote it, as itself.
fn without_x400(line: String) -> String {
    const NAME: &str = "dda:smtp=";
    let start = line.trim_start();
    let Some(at) = line
        .to_ascii_lowercase()
        .find(NAME)
        .filter(|_| start.starts_with("c=") || start.starts_with("C="))
    else {
        return line;
    };
    let address = &line[at + NAME.len()..];
    let (address, rest) = address.split_once(';').unwrap_or((address, ""));
    [address, rest].concat()
}

/// Whether the copy of the message begins at a line: by words that say so above headers, or by its headers.
fn begins_copy(lines: &[String], at: usize) -> bool {
    let line = lines[at].trim();
    if line.is_empty() {
        return false;
    }
    let following = || {
        lines[at + 1..]
            .iter()
            .filter(|line| !line.trim().is_empty())
            .take(4)
    };
    if line.len() < 140 {
        let lower = line.to_lowercase();
        if signs::COPIES.iter().any(|words| lower.contains(words)) {
            return following().any(|line| is_mail_header(line)) || lower.starts_with('-');
        }
    }
    if !is_mail_header(line) {
        return false;
    }
    let next: Vec<_> = lines[at + 1..].iter().take(6).collect();
    let headers = next.iter().filter(|line| is_mail_header(line)).count();
    let traced = line.starts_with("Return-Path:") || line.starts_with("Received:");
    headers >= if traced { 1 } else { 2 }
}

/// Whether a line is one of a message's own headers; fields of a delivery report are not.
fn is_mail_header(line: &str) -> bool {
    const NAMES: &[&str] = &[
        "return-path",
        "received",
        "from",
        "to",
        "date",
        "subject",
        "message-id",
        "mime-version",
        "dkim-signature",
        "content-type",
        "x-mailer",
        "reply-to",
        "sender",
        "cc",
        "user-agent",
        "in-reply-to",
        "references",
        "authentication-results",
        "arc-seal",
        "delivered-to",
        "content-transfer-encoding",
        "x-envelope-from",
        "thread-topic",
    ];
    let line = line
        .trim_start()
        .trim_start_matches("> ")
        .trim_start_matches("* ");
    let name = line
        .split_once(':')
        .map(|(name, _)| name.trim_end().to_ascii_lowercase());
    name.is_some_and(|name| NAMES.contains(&name.as_str()))
}

/// Who did not get the mail by this report, and what was said.
pub(super) fn recipients(lines: &[String], known: &Known) -> Vec<Found> {
    let is_other = |found: &str| !known.not.contains(&found.to_lowercase());
    let is_named = |found: &str| {
        known
            .failed
            .iter()
            .any(|failed| failed.eq_ignore_ascii_case(found))
    };
    let mut heads: Vec<(usize, String, String)> = Vec::new();
    let mut blank = 0;
    for (at, line) in lines.iter().enumerate() {
        if heads.len() >= MOST_RECIPIENTS {
            break;
        }
        if line.trim().is_empty() {
            blank = at;
        }
        let Some((found, rest)) = head(line).filter(|(found, _)| is_other(found) || is_named(found)) else {
            continue;
        };
        // A wrapped reply that names its recipient may begin a line with it.
        let goes_on = heads
            .last()
            .is_some_and(|last| last.1.eq_ignore_ascii_case(&found) && last.0 >= blank);
        if !goes_on {
            heads.push((at, found, rest));
        }
    }
    if !known.failed.is_empty() {
        let named = |head: &(usize, String, String)| {
            known
                .failed
                .iter()
                .any(|failed| failed.eq_ignore_ascii_case(&head.1))
        };
        heads.retain(named);
    }
    let mut all = blocks(lines, &heads);
    if all.is_empty() {
        let names = match known.failed.as_slice() {
            [] => {
                let told = in_sentences(lines, known);
                let house = || of_the_house(lines, known.home.as_deref()?);
                told.or_else(house).into_iter().collect()
            }
            failed => failed.to_vec(),
        };
        let whole = lines.join("\n");
        all = names
            .into_iter()
            .map(|name| found(name, &whole, (&whole, ""), false, true))
            .collect();
    }
    // Whom a header names without a line of its own.
    for failed in &known.failed {
        if !all.iter().any(|found| {
            found
                .recipient
                .as_ref()
                .is_some_and(|own| own.eq_ignore_ascii_case(failed))
        }) {
            let whole = lines.join("\n");
            let alone = known.failed.len() == 1;
            let block = if alone { whole.as_str() } else { "" };
            all.push(found(failed.clone(), block, (&whole, ""), all.len() < 8, alone));
        }
    }
    all
}

/// One [`Found`] for each recipient; who is named several times is told of once, with the lines of all places.
fn blocks(lines: &[String], heads: &[(usize, String, String)]) -> Vec<Found> {
    let alone = heads.iter().all(|head| head.1.eq_ignore_ascii_case(&heads[0].1));
    let mut places = std::collections::HashMap::new();
    let mut told: Vec<(&str, String)> = Vec::new();
    for (index, (at, name, rest)) in heads.iter().enumerate() {
        let end = heads.get(index + 1).map_or(lines.len(), |(next, _, _)| *next);
        let block = lines[(at + 1).min(end)..end].join("\n");
        let place = *places.entry(name.to_lowercase()).or_insert(told.len());
        match told.get_mut(place) {
            Some((_, before)) => before.push_str(&["\n\n", rest, "\n", &block].concat()),
            None => told.push((name, [rest, "\n", &block].concat())),
        }
    }
    let whole = lines.join("\n");
    let lead = lines[..heads.first().map_or(0, |head| head.0)].join("\n");
    let told = told.into_iter().enumerate();
    told.map(|(index, (name, near))| {
        let texts = (whole.as_str(), if index < 8 { lead.as_str() } else { "" });
        found(name.to_owned(), &near, texts, alone || index < 8, alone)
    })
    .collect()
}

/// What is said of one recipient: in the paragraph at its name, else in the rest of its lines, else (`look`) in lines
/// elsewhere that name it, and where it is `alone` anywhere, else in the words that lead to all of them.
fn found(name: String, near: &str, (whole, lead): (&str, &str), look: bool, alone: bool) -> Found {
    let paragraphs: Vec<String> = paragraphs(near);
    let first: Vec<&String> = paragraphs.iter().take(4).collect();
    let within = |text: &String| reply::within(text).map(str::to_owned);
    let mut reply = first.iter().find_map(|text| {
        reply::within(text)
            .filter(|_| marks_reply(text))
            .map(str::to_owned)
    });
    reply = reply.or_else(|| paragraphs.iter().find_map(within));
    if reply.is_none() && look {
        let naming = whole.lines().filter(|line| line.contains(name.as_str()));
        reply = naming.filter_map(reply::within).map(str::to_owned).next();
    }
    if reply.is_none() && alone {
        reply = self::paragraphs(whole).iter().find_map(within);
    }
    let whole = if alone { whole } else { "" };
    let words = reply.clone().or_else(|| telling(&paragraphs));
    let words = words.or_else(|| telling(&self::paragraphs(if alone { whole } else { lead })));
    let words = words.or_else(|| plain_words(&paragraphs));
    let words = words.or_else(|| paragraphs.iter().find(|text| gives_up(text)).cloned());
    let words = words.map(|words| said(&words).to_owned());
    let near = first
        .iter()
        .map(|text| text.as_str())
        .collect::<Vec<_>>()
        .join(" ");
    let status = reply
        .as_deref()
        .and_then(reply::enhanced)
        .or_else(|| reply::enhanced(&near))
        .or_else(|| reply::enhanced(whole));
    let remote = reply::host(&near).or_else(|| reply::host(whole));
    Found {
        recipient: Some(name),
        status: status.map(|(_, code)| code),
        remote,
        stage: reply::stage(&near).or_else(|| reply::stage(whole)),
        reply: words.map(|words| words.chars().take(LONGEST_REPLY).collect()),
        about: if near.trim().is_empty() {
            whole.chars().take(LONGEST_REPLY).collect()
        } else {
            near
        },
        ..Found::default()
    }
}

/// What Sendmail writes of its queue below what it was told.
const TAILS: &[&str] = &[
    " Message could not be delivered for ",
    " Warning: message still undelivered after ",
];

/// What was said, without Courier's mark of an answer, which stands also where nobody answered, and without what the
/// reporter writes below.
fn said(words: &str) -> &str {
    let end = TAILS.iter().filter_map(|tail| words.find(tail)).min();
    words[..end.unwrap_or(words.len())].trim_start_matches("<<< ")
}

/// Whether a paragraph holds more of a reply than a number.
fn marks_reply(text: &str) -> bool {
    reply::code(text).is_some() || reply::enhanced(text).is_some()
}

/// Words that lead to the reason, in lower case.
const LEADS: &[&str] = &[
    "because",
    "reason",
    "error",
    "grund",
    "raison",
    "motivo",
    "causa",
    "reden",
    "powód",
    "with error",
    "for the following reason",
    "fehler",
];

/// The first paragraph that says why, in words that are known.
fn telling(paragraphs: &[String]) -> Option<String> {
    let says = |text: &&String| {
        let lower = text.to_lowercase();
        patterns::strong(&lower).is_some() || patterns::network(&lower).is_some()
    };
    paragraphs.iter().find(says).cloned()
}

/// Whether a paragraph says that the mail was given up for its age.
fn gives_up(text: &str) -> bool {
    let lower = text.to_lowercase();
    patterns::EXPIRED
        .iter()
        .any(|words| patterns::holds(&lower, words))
}

/// Where no code is given, the words themselves: the first paragraph with any.
fn plain_words(paragraphs: &[String]) -> Option<String> {
    // What servers say of themselves says nothing of the mail.
    let is_frame = |text: &str| {
        let lower = text.to_lowercase();
        signs::OPENINGS.iter().any(|(words, _)| lower.contains(words)) || !text.contains(char::is_alphabetic)
    };
    let mut words = paragraphs
        .iter()
        .map(|text| text.trim())
        .filter(|text| !text.is_empty() && !is_frame(text));
    let mut first = words.next()?;
    let is_lead = |text: &str| text.ends_with(':') && text.len() < 60;
    while is_lead(first) {
        first = words.next()?;
    }
    let lower = first.to_lowercase();
    for lead in LEADS {
        if let Some(rest) = lower.strip_prefix(lead)
            && let Some(rest) = rest.strip_prefix(':')
            && lower.len() == first.len()
        {
            return Some(first[first.len() - rest.len()..].trim().to_owned());
        }
    }
    Some(first.to_owned())
}

/// The paragraphs of a text, each on one line.
fn paragraphs(text: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for line in text.lines() {
        let line = line.trim();
        let Some(last) = all.last_mut() else { break };
        if line.is_empty() {
            if !last.is_empty() {
                all.push(String::new());
            }
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(line);
        }
    }
    all.retain(|text| !text.is_empty());
    all
}

/// Labels before a recipient, in lower case.
const LABELS: &[&str] = &[
    "to",
    "recipient",
    "recipients",
    "recipient address",
    "recipient(s)",
    "failed recipient",
    "failed recipients",
    "final-recipient",
    "rcpt to",
    "user",
    "address",
    "email address",
    "e-mail address",
    "failed address",
    "addressee",
    "intended recipient",
    "invalid recipient",
    "mail to",
    "original-recipient",
    "original recipient",
    "delivery to",
    "an",
    "empfänger",
    "empfängeradresse",
    "adresse",
    "à",
    "destinataire",
    "destinataires",
    "destinatario",
    "destinatarios",
    "destinatari",
    "para",
    "destinatário",
    "aan",
    "ontvanger",
    "geadresseerde",
    "do",
    "odbiorca",
    "adresat",
    "宛先",
    "受信者",
    "送信先",
    "送信先メールアドレス",
    "收件人",
    "收件人地址",
    "получатель",
    "кому",
    "mottagare",
    "modtager",
    "recipient email address",
    "user name",
    "<<< rcpt to",
    ">>> rcpt to",
];

/// Words of which one makes a label, in lower case.
const LABELLING: &[&str] = &[
    "recipient",
    "recipients",
    "user",
    "userid",
    "mailbox",
    "addressee",
    "rcpt",
    "empfänger",
    "destinataire",
    "destinatario",
];

/// Whether a few words before a colon lead to a recipient: "unknown user", "invalid final delivery userid".
fn labels(label: &str) -> bool {
    let mut words = label.split_whitespace();
    words.clone().count() <= 5 && words.any(|word| LABELLING.contains(&word))
}

/// A recipient at the start of a line, and what follows it there.
fn head(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    let bare = line.trim_start_matches(['*', '-', '•', '·', '|', ' ', '\t']);
    let (start, end) = address::spans(line).next()?;
    let (name, after) = (&line[start..end], &line[end..]);
    let before = line[..start]
        .trim_end_matches(['<', '\'', '"', '(', ' ', '[', '«'])
        .trim();
    let after = after.trim_start_matches(['>', '\'', '"', ')', ']', '»']);
    let rest = after.trim_start();
    let begins = before.is_empty()
        || before
            .chars()
            .all(|c| matches!(c, '*' | '-' | '•' | '·' | '|' | '.'));
    let taken = || {
        (
            name.to_owned(),
            rest.trim_start_matches([':', '.', ',', ';']).trim().to_owned(),
        )
    };
    if begins {
        // Alone; `<who@partner.test>: words`; `who@partner.test on 26/11`; `<who@partner.test>... words`.
        let lower = rest.to_lowercase();
        // `"who@partner.test" <who@partner.test>`
        let again = rest.trim_matches(['<', '>', ' ']).eq_ignore_ascii_case(name);
        let told = rest.is_empty()
            || again
            || rest.starts_with([':', '(', ',', ';', '.', '-', '=', '>'])
            || lower.starts_with("on ")
            || lower.starts_with("am ")
            || lower.starts_with("le ")
            || lower.starts_with("el ");
        return (told || bare.starts_with('<')).then(taken);
    }
    if let Some((label, between)) = before.split_once(':') {
        let label = label
            .trim()
            .trim_start_matches(['*', '-', '<', '>', ' '])
            .to_lowercase();
        // `Recipient: Some Body <who@partner.test>`, `To: who@partner.test`.
        let short = between.len() < 60 && rest.len() < 200;
        if labels(&label) && !LABELS.contains(&label.as_str()) && short {
            // What the label says of the recipient may be all that is said: "unknown user: ..".
            let (name, rest) = taken();
            return Some((name, format!("{label}\n{rest}")));
        }
        return (LABELS.contains(&label.as_str()) && short).then(taken);
    }
    if let Some((label, _)) = before.split_once('：') {
        return LABELS.contains(&label.trim()).then(taken);
    }
    // `Some Body (who@partner.test)`, `Some Body <who@partner.test>` alone on a line.
    let enclosed = line[..start].ends_with(['(', '<', '[']);
    let named = enclosed
        && (rest.is_empty() || rest == ":")
        && before.split_whitespace().count() <= 4
        && !before.ends_with(':');
    (named && !before.ends_with(|c: char| c.is_ascii_digit())).then(taken)
}

/// Words right before a recipient within a sentence, in lower case.
const BEFORE: &[&str] = &[
    "to",
    "to:",
    "for",
    "recipient",
    "recipient:",
    "address",
    "address:",
    "user",
    "to:<",
    "an",
    "à",
    "a",
    "para",
    "aan",
    "do",
    "empfänger",
    "destinataire",
    "destinatario",
    "mailbox",
    "account",
    "email",
    "addressed",
];

/// A recipient that a sentence names: "your message to who@partner.test couldn't be delivered".
fn in_sentences(lines: &[String], known: &Known) -> Option<String> {
    let mut other = None;
    for line in lines {
        for (start, end) in address::spans(line) {
            let name = &line[start..end];
            let lower = name.to_lowercase();
            if known.not.contains(&lower) || is_helper(&lower) || is_senders(&line[..start]) {
                continue;
            }
            let mut probable = known.perhaps.iter().chain(&known.envelope);
            if !known.strict && probable.any(|probable| probable.eq_ignore_ascii_case(name)) {
                return Some(name.to_owned());
            }
            let enclosed = line[..start].ends_with('<');
            let before = line[..start]
                .trim_end_matches(['<', '(', '\'', '"', ' ', '['])
                .to_lowercase();
            let word = before.split_whitespace().next_back().unwrap_or_default();
            if known.strict && !(enclosed && word == "to") {
                continue;
            }
            if other.is_none() || BEFORE.contains(&word) {
                let sure = BEFORE.contains(&word);
                if sure {
                    return Some(name.to_owned());
                }
                other = Some(name.to_owned());
            }
        }
    }
    let envelope = known.envelope.as_ref();
    let envelope = envelope.filter(|envelope| !known.not.contains(&envelope.to_lowercase()));
    match known.perhaps.as_slice() {
        _ if envelope.is_some() => envelope.cloned(),
        _ if known.strict => other,
        [one] => Some(one.clone()),
        _ => other,
    }
}

/// Whether what stands before an address makes it the sender's: "they are not accepting mail from ..".
fn is_senders(before: &str) -> bool {
    let before = before.trim_end_matches(['<', '(', '\'', '"', ' ', '[']);
    // Exim, of an alias that it does not disclose; Postfix, of a list.
    if before.ends_with("generated from") || before.ends_with("expanded from") {
        return false;
    }
    let word = before.split_whitespace().next_back().unwrap_or_default();
    ["from", "from:", "by", "sender", "von", "contact"]
        .iter()
        .any(|own| word.eq_ignore_ascii_case(own))
}

/// A recipient of whom only the name is told, alone on a line of its own below words that end with a colon: of the house
/// that reports.
fn of_the_house(lines: &[String], home: &str) -> Option<String> {
    let told: Vec<&String> = lines.iter().filter(|line| !line.trim().is_empty()).collect();
    told.windows(2).find_map(|pair| {
        let name = pair[1].trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let is_name =
            pair[1].starts_with([' ', '\t']) && (2..=64).contains(&name.len()) && name.chars().all(plain);
        (is_name && pair[0].trim_end().ends_with(':')).then(|| format!("{name}@{home}"))
    })
}

/// Whether an address is one that people are sent to for help.
fn is_helper(address: &str) -> bool {
    let local = address.split('@').next().unwrap_or_default();
    let is = |words: &[&str]| words.iter().any(|word| local.contains(word));
    is(&[
        "postmaster",
        "abuse",
        "support",
        "helpdesk",
        "hotline",
        "mailer-daemon",
        "noreply",
        "no-reply",
        "hostmaster",
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("<a@p.test>: host mx said: 550 no", Some(("a@p.test", "host mx said: 550 no")))]
    #[case("  a@p.test", Some(("a@p.test", "")))]
    #[case("'a@p.test' on 26/11/2026 10:00", Some(("a@p.test", "on 26/11/2026 10:00")))]
    #[case("Empfänger: A B <a@p.test>", Some(("a@p.test", "")))]
    #[case("A B (a@p.test)<mailto:a@p.test>", None)]
    #[case("A B (a@p.test)", Some(("a@p.test", "")))]
    #[case("please write to a@p.test for help", None)]
    #[case("550 5.1.1 <a@p.test>... User unknown", None)]
    fn heads(#[case] line: &str, #[case] expected: Option<(&str, &str)>) {
        let expected = expected.map(|(name, rest)| (name.to_owned(), rest.to_owned()));
        assert_eq!(head(line), expected);
    }

    #[test]
    fn links_that_programs_add_are_taken_off() {
        assert_eq!(
            without_links("A (a@p.test)<mailto:a@p.test> said"),
            "A (a@p.test) said"
        );
        assert_eq!(without_links("a@p.test<mailto:a@p.test>:"), "a@p.test:");
        assert_eq!(without_links("a@p.test [mailto:a@p.test]"), "a@p.test");
        assert_eq!(without_links("mailto:a@p.test"), "a@p.test");
    }
}
