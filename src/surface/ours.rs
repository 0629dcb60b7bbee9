//! What we see ourselves of the mail that a message is about, and whether the two agree.
//!
//! A message tells of one mail at the time when it was sent, our probes of servers now: so what is said here is always what
//! we see now, and a difference is put down to nobody.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use super::words::Moment;
use crate::message::{Explanation, Recipient};
use crate::model::{ClientId, Code, DomainName, Proof, State, Verdict};
use crate::snapshot::Snapshot;

/// An explained message, and for each of its recipients what we see ourselves.
#[derive(Debug, Serialize)]
pub(crate) struct Explained {
    #[serde(flatten)]
    pub(crate) message: Explanation,
    pub(crate) ours: Vec<Option<Ours>>,
}

impl Explained {
    /// Beside what a message tells what is known at the moment.
    pub(crate) fn new(snapshot: &Snapshot, message: Explanation) -> Self {
        let ours = ours(snapshot, &message);
        Self { message, ours }
    }
}

/// What we see ourselves of where a mail was to go.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Ours {
    /// The domain of the recipient.
    pub(crate) destination: DomainName,
    /// Whether it fits what the message says.
    pub(crate) agreement: Agreement,
    /// What we know, where anybody has us watch it.
    pub(crate) watched: Option<Watched>,
    /// All of it in a sentence.
    pub(crate) text: String,
}

/// A verdict, in short.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Watched {
    /// Whose mail there is watched; `None`: the domain itself is, for whoever writes to it.
    pub(crate) client: Option<ClientId>,
    /// How it is.
    pub(crate) state: State,
    /// Since when.
    pub(crate) since: Timestamp,
    /// When it was looked at last.
    pub(crate) checked: Option<Timestamp>,
    /// Why it is not flowing.
    pub(crate) code: Option<Code>,
}

/// How what we see fits what a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Agreement {
    /// We see the same.
    Same,
    /// We see what explains it.
    Explains,
    /// We see something else that is wrong.
    Other,
    /// We see mail pass.
    Passes,
    /// We see servers take mail, and what the message tells of no probe can see.
    Unseen,
    /// We cannot tell at the moment.
    Unknown,
    /// Nobody has us watch it.
    NotWatched,
}

/// What we see of each recipient's domain; `None` where the message does not name it. Whose mail it is, is taken from who sent
/// it. It is for those who may see everything.
fn ours(snapshot: &Snapshot, explanation: &Explanation) -> Vec<Option<Ours>> {
    let sender = explanation.sender.as_deref().and_then(domain_of);
    let client = sender.and_then(|domain| client_of(snapshot, domain));
    let of = |one| Ours::of(snapshot, one, client, |_| true);
    explanation.recipients.iter().map(of).collect()
}

/// Likewise for a client's own people: of what is watched for that client, and nothing of others.
pub(crate) fn ours_for(
    snapshot: &Snapshot,
    explanation: &Explanation,
    client: Option<&ClientId>,
) -> Vec<Option<Ours>> {
    let own = |verdict: &Verdict| client.is_some() && verdict.client.as_ref() == client;
    let of = |one| Ours::of(snapshot, one, client, own).filter(|ours| ours.watched.is_some());
    explanation.recipients.iter().map(of).collect()
}

/// What is said of each recipient, and nothing of those beyond.
pub(crate) fn texts(ours: &[Option<Ours>]) -> impl Iterator<Item = Option<&str>> {
    let known = ours.iter().map(|one| one.as_ref().map(|one| one.text.as_str()));
    known.chain(std::iter::repeat(None))
}

fn domain_of(address: &str) -> Option<DomainName> {
    DomainName::parse(address.rsplit_once('@')?.1).ok()
}

/// Whose a domain is, or one above it.
fn client_of(snapshot: &Snapshot, domain: DomainName) -> Option<&ClientId> {
    let mut above = std::iter::successors(Some(domain), DomainName::parent);
    above.find_map(|domain| snapshot.domains.get(&domain)?.client.as_ref())
}

impl Ours {
    fn of(
        snapshot: &Snapshot,
        recipient: &Recipient,
        client: Option<&ClientId>,
        may_be_told: impl Fn(&Verdict) -> bool,
    ) -> Option<Self> {
        let whom = recipient
            .original_recipient
            .as_ref()
            .or(recipient.recipient.as_ref())?;
        let destination = domain_of(whom)?;
        let route = client.and_then(|client| snapshot.routes.get(&(client.clone(), destination.clone())));
        let verdict = route.or_else(|| snapshot.domains.get(&destination));
        let verdict = verdict.filter(|verdict| may_be_told(verdict));
        let says = recipient.cause.map(|cause| cause.0);
        let agreement = verdict.map_or(Agreement::NotWatched, |verdict| agreement(says, verdict));
        let text = match verdict {
            Some(verdict) => sentence(&destination, agreement, verdict, snapshot.at),
            None => format!("Nobody has us watch {destination}: mailflow check {destination} looks now."),
        };
        let watched = verdict.map(|verdict| Watched {
            client: route.and(client).cloned(),
            state: verdict.state,
            since: verdict.since,
            checked: verdict.checked,
            code: verdict.cause.as_ref().map(|cause| cause.code),
        });
        Some(Self {
            destination,
            agreement,
            watched,
            text,
        })
    }
}

/// Whether such a cause keeps mail from getting to a server, which probes see that neither send mail nor ask for anybody.
fn is_of_servers(code: Code) -> bool {
    const LAYERS: [&str; 7] = ["gateway", "dns", "host", "smtp", "tls", "policy", "provider"];
    // Who waited in vain could reach no server.
    LAYERS.contains(&code.layer()) || code == Code::QueueExpired
}

/// How a verdict fits what a message says.
fn agreement(says: Option<Code>, verdict: &Verdict) -> Agreement {
    let found = verdict.cause.as_ref().map(|cause| cause.code);
    let of_servers = says.is_none_or(is_of_servers);
    match verdict.state {
        State::Unknown => Agreement::Unknown,
        State::Flowing if of_servers => Agreement::Passes,
        State::Flowing => Agreement::Unseen,
        _ if found == says => Agreement::Same,
        _ if says.is_some_and(|code| verdict.symptoms.contains(&code)) => Agreement::Explains,
        State::Broken if of_servers && found.is_some_and(is_of_servers) => Agreement::Explains,
        State::Broken | State::Degraded => Agreement::Other,
    }
}

fn sentence(to: &DomainName, agreement: Agreement, verdict: &Verdict, now: Timestamp) -> String {
    let since = Moment::new(verdict.since, now).human;
    let looked = verdict
        .checked
        .map(|at| format!(" (last looked at {})", Moment::new(at, now).human))
        .unwrap_or_default();
    let state = verdict.state;
    let why = Why(verdict);
    match agreement {
        Agreement::Same
            if verdict
                .cause
                .as_ref()
                .is_some_and(|cause| is_of_servers(cause.code)) =>
        {
            format!("We see the same ourselves: {to} is {state} since {since}.{why}")
        }
        // Maybe by this very message.
        Agreement::Same => format!("That is known: {to} is {state} since {since}.{why}"),
        Agreement::Explains => {
            format!("We see ourselves what explains it: {to} is {state} since {since}.{why}")
        }
        Agreement::Other => {
            format!("We see something else ourselves at the moment: {to} is {state} since {since}.{why}")
        }
        Agreement::Passes => format!(
            "We see mail to {to} pass at the moment{looked}: either it is over, or it meets only some senders or messages."
        ),
        Agreement::Unseen if verdict.proven_by.contains(&Proof::Canary) => {
            format!(
                "We see mail to {to} pass at the moment, our own test messages too{looked}: it is about this mail alone."
            )
        }
        Agreement::Unseen => format!(
            "We see the servers of {to} take mail at the moment{looked}. What the message tells of no probe can see: it is \
             about this sender, this recipient or this mail."
        ),
        Agreement::Unknown => format!("We cannot tell ourselves at the moment how {to} is.{why}"),
        Agreement::NotWatched => String::new(),
    }
}

/// Why a verdict is what it is: ` The router does not answer (gateway.down).`
struct Why<'a>(&'a Verdict);

impl fmt::Display for Why<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.cause {
            Some(cause) => write!(f, " {} ({}).", cause.code.entry().title, cause.code),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::message;
    use crate::model::Code::*;
    use crate::surface::sample;

    /// What `partner.test` is like, and why.
    fn partner(state: State, code: Option<Code>) -> Verdict {
        let mut verdict = (**sample::fleet().routes.values().next().unwrap()).clone();
        verdict.state = state;
        verdict.cause = code.map(|code| {
            std::sync::Arc::new(crate::model::Cause {
                code,
                ..sample::router_down()
            })
        });
        verdict
    }

    #[rstest]
    #[case::the_same(Some(HostRefused), State::Broken, Some(HostRefused), Agreement::Same)]
    #[case::a_router_explains_a_host(
        Some(HostUnreachable),
        State::Broken,
        Some(GatewayDown),
        Agreement::Explains
    )]
    #[case::an_outage_explains_waiting(
        Some(QueueExpired),
        State::Broken,
        Some(HostRefused),
        Agreement::Explains
    )]
    #[case::one_mailbox_explains_no_silence(
        Some(HostUnreachable),
        State::Broken,
        Some(RecipientMailboxFull),
        Agreement::Other
    )]
    #[case::what_came_back_before(
        Some(RecipientUnknown),
        State::Broken,
        Some(RecipientUnknown),
        Agreement::Same
    )]
    #[case::an_outage_explains_what_is_not_said(None, State::Broken, Some(HostRefused), Agreement::Explains)]
    #[case::an_outage_is_no_reason_for_a_full_mailbox(
        Some(RecipientMailboxFull),
        State::Broken,
        Some(HostRefused),
        Agreement::Other
    )]
    #[case::a_certificate_is_no_reason_for_silence(
        Some(HostUnreachable),
        State::Degraded,
        Some(TlsCertificateExpired),
        Agreement::Other
    )]
    #[case::it_is_over(Some(HostUnreachable), State::Flowing, None, Agreement::Passes)]
    #[case::waiting_is_over(Some(QueueExpired), State::Flowing, None, Agreement::Passes)]
    #[case::no_probe_sees_a_recipient(Some(RecipientUnknown), State::Flowing, None, Agreement::Unseen)]
    #[case::we_are_blind(
        Some(HostUnreachable),
        State::Unknown,
        Some(VantageOffline),
        Agreement::Unknown
    )]
    fn a_verdict_and_a_message(
        #[case] says: Option<Code>,
        #[case] state: State,
        #[case] found: Option<Code>,
        #[case] expected: Agreement,
    ) {
        assert_eq!(agreement(says, &partner(state, found)), expected);
    }

    /// Each way to agree, as people read it.
    #[test]
    fn each_is_said_in_a_sentence() {
        use Agreement::*;
        let to = DomainName::parse("partner.test").unwrap();
        let said = [
            (Same, State::Broken, Some(HostRefused)),
            (Explains, State::Broken, Some(GatewayDown)),
            (Other, State::Degraded, Some(TlsCertificateExpired)),
            (Passes, State::Flowing, None),
            (Unseen, State::Flowing, None),
            (Unknown, State::Unknown, Some(VantageOffline)),
        ]
        .map(|(how, state, code)| sentence(&to, how, &partner(state, code), sample::at(sample::NOW)));
        insta::assert_snapshot!(said.join("\n"));
    }

    #[test]
    fn whose_mail_it_is_is_told_by_its_sender() {
        let snapshot = sample::fleet();
        let ((client, to), _) = snapshot.routes.iter().next().unwrap();
        let sender = snapshot
            .domains
            .iter()
            .find(|(_, verdict)| verdict.client.as_ref() == Some(client));
        let bounce = |to: &str| {
            let text = format!(
                "Return-Path: <>\nSubject: failure notice\n\nThis is the qmail-send program\n\n<who@{to}>:\n550 5.1.1 unknown\n\n\
                 --- Below this line is a copy of the message.\n\nFrom: a@{}\nSubject: hello\n\ntext\n",
                sender.unwrap().0
            );
            ours(&snapshot, &message::explain(text.as_bytes()))
                .remove(0)
                .unwrap()
        };
        let seen = bounce(to.as_str());
        assert_eq!(seen.watched.unwrap().client.as_ref(), Some(client));
        let unseen = bounce("nobody-watches.test");
        assert_eq!((unseen.agreement, unseen.watched), (Agreement::NotWatched, None));
        assert!(
            unseen.text.contains("mailflow check nobody-watches.test"),
            "{}",
            unseen.text
        );
    }

    /// A client's people are told of their own mail, and of nobody else's domains.
    #[test]
    fn a_client_is_told_nothing_of_another() {
        let snapshot = sample::fleet();
        let told = |to: &str, client: &str| {
            let text = format!(
                "Return-Path: <>\nSubject: failure notice\n\nThis is the qmail-send program\n\n<who@{to}>:\n550 5.1.1 unknown\n"
            );
            let client = ClientId::parse(client).unwrap();
            let explanation = message::explain(text.as_bytes());
            ours_for(&snapshot, &explanation, Some(&client)).remove(0)
        };
        let (domain, verdict) = snapshot.domains.iter().next().unwrap();
        let owner = verdict.client.clone().unwrap();
        assert!(told(domain.as_str(), owner.as_str()).is_some());
        let other = snapshot.clients.iter().find(|one| one.id != owner).unwrap();
        assert_eq!(told(domain.as_str(), other.id.as_str()), None);
        assert_eq!(
            told("partner.test", "initech").unwrap().watched.unwrap().client,
            ClientId::parse("initech").ok()
        );
        assert_eq!(told("nobody-watches.test", "acme"), None);
    }
}
