//! What is no bounce, and what it is: absence notes (RFC 3834), receipts (RFC 8098), abuse reports (RFC 5965), lists
//! (RFC 2369, RFC 2919), DMARC and TLS reports, mail from people.

use serde::Serialize;

use super::mime::{Headers, Part};

/// What a message is, as the API tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Mail that will not be delivered.
    Bounce,
    /// Mail that is late and still tried.
    Delay,
    /// An answer by a machine.
    AutoReply,
    /// A confirmation that mail was delivered or read.
    Receipt,
    /// Somebody's complaint about mail.
    AbuseReport,
    /// Anything else.
    Ordinary,
}

impl Kind {
    /// The name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bounce => "bounce",
            Self::Delay => "delay",
            Self::AutoReply => "auto-reply",
            Self::Receipt => "receipt",
            Self::AbuseReport => "abuse-report",
            Self::Ordinary => "ordinary",
        }
    }
}

/// What sort of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sort {
    /// A delivery status of something that was delivered or handed on.
    DeliveryReceipt,
    /// The recipient opened it.
    ReadReceipt,
    /// The recipient deleted it unread.
    DeletedUnread,
    /// Somebody is away.
    OutOfOffice,
    /// "Prove that you are a person, then I take your mail."
    ChallengeResponse,
    /// Any other answer by a machine.
    AutomaticAnswer,
    /// A user called it spam (ARF).
    SpamComplaint,
    /// A single failure of SPF, DKIM or DMARC (RFC 6591).
    AuthenticationFailureReport,
    /// DMARC's daily summary.
    DmarcReport,
    /// The summary of TLS failures (RFC 8460).
    TlsReport,
    /// Bulk mail that one can unsubscribe from.
    Newsletter,
    /// A message on a mailing list.
    MailingList,
    /// A program's own message.
    Notification,
    /// A person's words about a bounce, which is no bounce itself.
    AboutABounce,
    /// A message between people.
    Personal,
}

impl Sort {
    /// In words: "this is ...".
    pub fn in_words(self) -> &'static str {
        match self {
            Self::DeliveryReceipt => "a confirmation that the mail was delivered or handed on",
            Self::ReadReceipt => "a confirmation that the recipient opened the mail",
            Self::DeletedUnread => "a note that the recipient deleted the mail without opening it",
            Self::OutOfOffice => "an out-of-office note: the mail did arrive",
            Self::ChallengeResponse => {
                "a question whether the sender is a person: the mail waits until it is answered"
            }
            Self::AutomaticAnswer => "an answer by a machine: the mail did arrive",
            Self::SpamComplaint => "a complaint: the recipient called the mail spam",
            Self::AuthenticationFailureReport => "a report of a mail that failed SPF, DKIM or DMARC",
            Self::DmarcReport => "a DMARC summary report",
            Self::TlsReport => "a TLS summary report",
            Self::Newsletter => "a newsletter or other bulk mail",
            Self::MailingList => "a message on a mailing list",
            Self::Notification => "a notification by a program",
            Self::AboutABounce => "a message that speaks of a bounce, but is none",
            Self::Personal => "a message like any other",
        }
    }
}

/// Subjects of absence notes, in lower case: what one starts with.
const AWAY: &[&str] = &[
    "automatic reply",
    "auto reply",
    "autoreply",
    "auto-reply",
    "auto response",
    "autoresponse",
    "auto-response",
    "out of office",
    "out of the office",
    "out-of-office",
    "ooo:",
    "i'm away",
    "i am away",
    "away from",
    "vacation",
    "on vacation",
    "holiday",
    "on leave",
    "annual leave",
    "maternity",
    "automatische antwort",
    "abwesen",
    "abwesenheit",
    "ich bin nicht im",
    "nicht im büro",
    "urlaub",
    "automatische rückantwort",
    "réponse automatique",
    "absence",
    "absent",
    "en congé",
    "congés",
    "message d'absence",
    "respuesta automática",
    "fuera de la oficina",
    "fuera de oficina",
    "ausencia",
    "vacaciones",
    "risposta automatica",
    "fuori ufficio",
    "assenza",
    "in ferie",
    "resposta automática",
    "fora do escritório",
    "ausência",
    "automatisch antwoord",
    "afwezig",
    "niet aanwezig",
    "vakantie",
    "automatyczna odpowiedź",
    "odpowiedź automatyczna",
    "poza biurem",
    "nieobecn",
    "urlop",
    "自動応答",
    "自動返信",
    "不在",
    "automatiskt svar",
    "frånvaro",
    "automatisk svar",
    "fravær",
    "automaattinen vastaus",
    "poissa",
    "автоответ",
    "автоматический ответ",
    "otomatik yanıt",
    "自动回复",
    "automatická odpověď",
    "αυτόματη απάντηση",
];

/// Those of them that no person writes.
const SURELY_AWAY: &[&str] = &[
    "automatic reply:",
    "auto reply:",
    "autoreply:",
    "auto-reply:",
    "auto response:",
    "autoresponse:",
    "out of office:",
    "out of office reply",
    "out of office autoreply",
    "out-of-office:",
    "automatische antwort:",
    "abwesenheitsnotiz",
    "automatische rückantwort",
    "réponse automatique",
    "message d'absence",
    "respuesta automática",
    "risposta automatica",
    "fuori ufficio:",
    "resposta automática",
    "automatisch antwoord",
    "automatyczna odpowiedź",
    "odpowiedź automatyczna",
    "自動応答",
    "自動返信",
    "automatiskt svar",
    "automatisk svar",
    "automaattinen vastaus",
    "автоответ",
    "автоматический ответ",
    "otomatik yanıt",
    "自动回复",
    "automatická odpověď",
    "αυτόματη απάντηση",
];

/// Subjects of read receipts by programs that write them as plain text.
const READ: &[&str] = &[
    "read:",
    "gelesen:",
    "lu :",
    "lu:",
    "leído:",
    "letto:",
    "lida:",
    "gelezen:",
    "odczytano:",
    "przeczytano:",
    "開封済み:",
    "開封済み：",
    "read receipt",
    "return receipt",
    "lesebestätigung",
    "empfangsbestätigung",
    "accusé de réception",
    "confirmación de lectura",
    "conferma di lettura",
    "confirmação de leitura",
    "leesbevestiging",
];

/// Words of systems that want a proof of humanity.
const CHALLENGE: &[&str] = &[
    "boxbe",
    "spamarrest",
    "spam arrest",
    "confirm your email to",
    "please confirm your message",
    "verify your email to",
    "sender verification required",
    "challenge/response",
    "challenge-response",
    "your message is waiting for",
    "confirm that you sent",
    "whitelist request",
    "to deliver your message, please",
    "verification required*sender",
];

/// What the headers and parts say before the text is read: kinds that have a format or a header of their own.
pub(super) fn by_form(message: &Part) -> Option<(Kind, Sort)> {
    let leaves = message.leaves();
    let part = |kind: &str| leaves.iter().find(|leaf| leaf.kind() == kind);
    let report = message.parameter("report-type");
    if let Some(part) =
        part("message/disposition-notification").or_else(|| part("message/global-disposition-notification"))
    {
        let text = part.text().to_lowercase();
        let deleted = text
            .lines()
            .any(|line| line.starts_with("disposition:") && line.contains("deleted"));
        return Some((
            Kind::Receipt,
            if deleted {
                Sort::DeletedUnread
            } else {
                Sort::ReadReceipt
            },
        ));
    }
    if report == "disposition-notification" {
        return Some((Kind::Receipt, Sort::ReadReceipt));
    }
    if let Some(part) = part("message/feedback-report") {
        let text = part.text().to_lowercase();
        let failure = text
            .lines()
            .any(|line| line.starts_with("feedback-type:") && line.contains("auth-failure"));
        let sort = if failure {
            Sort::AuthenticationFailureReport
        } else {
            Sort::SpamComplaint
        };
        return Some((Kind::AbuseReport, sort));
    }
    if report == "feedback-report" {
        return Some((Kind::AbuseReport, Sort::SpamComplaint));
    }
    let subject = message.headers.lower("subject");
    if report == "tlsrpt"
        || message.headers.has("tls-report-domain")
        || part("application/tlsrpt+gzip").is_some()
        || part("application/tlsrpt+json").is_some()
    {
        return Some((Kind::Ordinary, Sort::TlsReport));
    }
    if subject.starts_with("report domain:")
        || (subject.contains("report domain:") && subject.contains("submitter:"))
        || subject.contains("dmarc aggregate report")
    {
        return Some((Kind::Ordinary, Sort::DmarcReport));
    }
    if is_away(&message.headers, &subject) {
        return Some((Kind::AutoReply, Sort::OutOfOffice));
    }
    None
}

/// Whether a subject and the headers beside it are an absence note's.
fn is_away(headers: &Headers, subject: &str) -> bool {
    let starts = |text: &str| AWAY.iter().any(|words| text.starts_with(words));
    let auto = is_automatic(headers);
    let bare = subject
        .trim_start_matches("re: ")
        .trim_start_matches("aw: ")
        .trim_start_matches("[auto] ");
    let within = |words: &&&str| words.len() > 8 && subject.contains(**words);
    let sure = SURELY_AWAY.iter().any(|words| subject.starts_with(words));
    sure || (auto && (starts(bare) || AWAY.iter().any(|words| within(&words))))
}

/// Whether a machine says that it answered by itself (RFC 3834 5, and what others use).
pub(super) fn is_automatic(headers: &Headers) -> bool {
    let submitted = headers.lower("auto-submitted");
    let precedence = headers.lower("precedence");
    (submitted.starts_with("auto-") && !submitted.starts_with("auto-generated"))
        || matches!(precedence.as_str(), "auto_reply" | "auto-reply" | "autoreply")
        || [
            "x-autoreply",
            "x-autorespond",
            "x-autoresponse",
            "x-autoreply-from",
            "x-mail-autoreply",
            "x-ms-exchange-generated-message-source-autoreply",
        ]
        .iter()
        .any(|name| headers.has(name))
        || headers.lower("x-auto-reply") == "yes"
        || headers.has("x-ms-exchange-inbox-rules-loop")
}

/// What a message is that is neither a bounce nor of a form of its own.
pub(super) fn by_words(headers: &Headers, text: &str, speaks_of_bounce: bool) -> (Kind, Sort) {
    let subject = headers.lower("subject");
    let start: String = text.chars().take(2_000).collect::<String>().to_lowercase();
    if headers.has("list-unsubscribe") && !headers.has("list-post")
        || headers.has("feedback-id")
        || headers.has("x-csa-complaints")
    {
        return (Kind::Ordinary, Sort::Newsletter);
    }
    if headers.has("list-id") || headers.has("list-post") || headers.lower("precedence") == "list" {
        return (Kind::Ordinary, Sort::MailingList);
    }
    if CHALLENGE
        .iter()
        .any(|words| start.contains(words) || subject.contains(words))
    {
        return (Kind::AutoReply, Sort::ChallengeResponse);
    }
    if is_automatic(headers) {
        return (Kind::AutoReply, Sort::AutomaticAnswer);
    }
    if READ.iter().any(|words| subject.starts_with(words)) && text.len() < 3_000 {
        return (Kind::Receipt, Sort::ReadReceipt);
    }
    if headers.lower("precedence") == "bulk" {
        return (Kind::Ordinary, Sort::Newsletter);
    }
    if speaks_of_bounce {
        return (Kind::Ordinary, Sort::AboutABounce);
    }
    let from = headers.lower("from");
    let program = [
        "noreply",
        "no-reply",
        "donotreply",
        "do-not-reply",
        "notification",
        "root@",
        "cron",
        "daemon@",
        "alert",
    ];
    if headers.lower("auto-submitted").starts_with("auto-generated")
        || program.iter().any(|word| from.contains(word))
    {
        return (Kind::Ordinary, Sort::Notification);
    }
    (Kind::Ordinary, Sort::Personal)
}
