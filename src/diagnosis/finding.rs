//! A finding: a named fact drawn from observations, with its evidence; and how it becomes a cause.

use std::sync::Arc;

use jiff::Timestamp;

use crate::model::catalogue::Role;
use crate::model::{
    Cause, ClientId, Code, Confidence, EvidenceNote, Observation, Owner, Root, RootKind, State, Warning,
};
use crate::picture::Picture;

use super::control::Control;
use super::note::note;

/// A named fact, with its evidence.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What is wrong.
    pub code: Code,
    /// What that makes of whoever stands on it, before the roll-up.
    pub state: State,
    /// The thing that is wrong, as an incident's identity.
    pub root: Root,
    /// The same, as people name it.
    pub subject: String,
    /// What was seen, in one sentence.
    pub detail: String,
    /// How sure.
    pub confidence: Confidence,
    /// Why no surer.
    pub confidence_reason: Option<String>,
    /// What it rests on.
    pub evidence: Vec<Arc<Observation>>,
    /// What others said that it rests on besides.
    pub notes: Vec<EvidenceNote>,
    /// Who else answered meanwhile.
    pub control: Option<Control>,
    /// The whole cause, where it is the same for all.
    pub alike: Option<Arc<Cause>>,
}

impl Finding {
    /// A finding that is certain, with the state that the catalogue gives its code.
    pub fn new(code: Code, root: Root, subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            code,
            state: code.entry().state,
            root,
            subject: subject.into(),
            detail: detail.into(),
            confidence: Confidence::Certain,
            confidence_reason: None,
            evidence: Vec::new(),
            notes: Vec::new(),
            control: None,
            alike: None,
        }
    }

    /// Rests on these observations.
    #[must_use]
    pub fn on(mut self, evidence: impl IntoIterator<Item = Arc<Observation>>) -> Self {
        self.evidence.extend(evidence);
        self.alike = None;
        self
    }

    /// Gives this state, whatever the catalogue says.
    #[must_use]
    pub fn giving(mut self, state: State) -> Self {
        self.state = state;
        self
    }

    /// Beside these who answered meanwhile.
    #[must_use]
    pub fn beside(mut self, control: Control) -> Self {
        self.control = Some(control);
        self.alike = None;
        self
    }

    /// Puts it into words once, for all that it will be the cause of; to be said last. The fault is this provider's.
    #[must_use]
    pub fn alike(mut self, picture: &Picture, provider: &str) -> Self {
        self.alike = Some(self.cause(picture, None, Some(provider)));
        self
    }

    /// Inferred, for this reason.
    #[must_use]
    pub fn probable(mut self, reason: impl Into<String>) -> Self {
        self.confidence = Confidence::Probable;
        self.alike = None;
        self.confidence_reason = Some(reason.into());
        self
    }

    /// Inferred from what a single vantage sees.
    #[must_use]
    pub fn seen_from(self, picture: &Picture) -> Self {
        let reason = format!("seen from {} only", picture.inventory.vantage);
        self.probable(reason)
    }

    /// As the cause of a verdict about something of `client`, whose mail hosts `provider` operates.
    pub fn cause(&self, picture: &Picture, client: Option<&ClientId>, provider: Option<&str>) -> Arc<Cause> {
        if let Some(alike) = &self.alike {
            return Arc::clone(alike);
        }
        let owner = match self.owner(provider) {
            Owner::Recipient => Owner::Client,
            other => other,
        };
        let contact = contact(picture, &self.root, owner, client, provider);
        Arc::new(self.caused(picture, owner, contact))
    }

    /// As the cause of a verdict about a route (`semantics` 20): the sender is the client, and `receiver` the client that
    /// the destination belongs to, where it is one of ours.
    pub fn cause_on_route(
        &self,
        picture: &Picture,
        sender: &ClientId,
        receiver: Option<&ClientId>,
        provider: Option<&str>,
    ) -> Arc<Cause> {
        let is_sent = matches!(self.root.kind, RootKind::Route | RootKind::Canary);
        let own = self.root.client.as_ref() == Some(sender) && !is_sent;
        let owner = match self.owner(provider) {
            // What is wrong with the sender's own domains is the sender's.
            Owner::Recipient if own => Owner::Client,
            other => other,
        };
        let whose = match owner {
            Owner::Recipient => receiver,
            _ => Some(sender),
        };
        let contact = contact(picture, &self.root, owner, whose, provider);
        Arc::new(Cause {
            on_route: true,
            ..self.caused(picture, owner, contact)
        })
    }

    /// Whose it is by role: the client sends, the recipient receives.
    fn owner(&self, provider: Option<&str>) -> Owner {
        match self.code.entry().role {
            Role::Us | Role::Nobody => Owner::Us,
            Role::Network => Owner::Network,
            Role::Provider => Owner::Provider,
            // What a provider hosts is the provider's to mend; names stay the receiver's.
            Role::Receiver if provider.is_some() && is_hosted(self.code) => Owner::Provider,
            Role::Receiver => Owner::Recipient,
            Role::Sender => Owner::Client,
        }
    }

    fn caused(&self, picture: &Picture, owner: Owner, contact: Option<String>) -> Cause {
        Cause {
            code: self.code,
            root: self.root.clone(),
            subject: self.subject.clone(),
            detail: self.detail.clone(),
            owner,
            contact,
            confidence: self.confidence,
            confidence_reason: self.confidence_reason.clone(),
            evidence: match &self.alike {
                Some(alike) => Arc::clone(&alike.evidence),
                None => self.show(picture),
            },
            on_route: false,
            stands_on: self.evidence.iter().map(|seen| seen.subject.clone()).collect(),
        }
    }

    fn show(&self, picture: &Picture) -> Arc<[EvidenceNote]> {
        let seen = self.evidence.iter();
        let seen = seen.map(|observation| note(&picture.inventory.vantage, observation));
        let mut shown: Vec<EvidenceNote> = seen.chain(self.notes.iter().cloned()).collect();
        if let Some(first) = shown.first_mut() {
            first.control = self.control.as_ref().and_then(|control| control.words(picture));
        }
        shown.into()
    }

    /// As a warning beside a verdict.
    pub fn warning(&self) -> Warning {
        Warning {
            code: self.code,
            subject: self.subject.as_str().into(),
            summary: self.detail.as_str().into(),
            accepted: false,
        }
    }

    /// When the newest evidence was seen.
    pub fn seen(&self) -> Option<Timestamp> {
        self.evidence.iter().map(|observation| observation.ended()).max()
    }
}

/// Whether whoever operates the mail hosts is who mends it.
fn is_hosted(code: Code) -> bool {
    matches!(code.layer(), "host" | "smtp" | "tls")
}

fn contact(
    picture: &Picture,
    root: &Root,
    owner: Owner,
    client: Option<&ClientId>,
    provider: Option<&str>,
) -> Option<String> {
    let inventory = &picture.inventory;
    if let (RootKind::Gateway, Some(of)) = (root.kind, &root.client)
        && let Some(contact) = inventory
            .gateway(of, &root.name)
            .and_then(|gateway| gateway.contact.clone())
    {
        return Some(contact);
    }
    let providers = || provider.and_then(|name| inventory.providers.named(name)?.contact.clone());
    let clients = || client.and_then(|id| inventory.clients.get(id)?.contact.clone());
    match owner {
        Owner::Provider => providers(),
        Owner::Us => None,
        Owner::Client | Owner::Recipient | Owner::Network => clients(),
    }
}
