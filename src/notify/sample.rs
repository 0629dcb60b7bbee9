//! Samples for the notifiers' tests: one incident's life as messages, and receivers that record what they get.

use std::sync::Arc;

use secrecy::SecretString;
use serde_json::Value;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::text::{self, Wording};
use super::{Pipeline, Secret};
use crate::incident::sample::{acme, at, incident};
use crate::model::{Acknowledgement, Code, Event, Incident, IncidentState, Message, MessageId, Notice, Told};

/// What a hostile server may have said.
pub(crate) const HOSTILE: &str =
    "<!channel> & <b>\"*_`[x](http://evil.test)\u{1b}[31m\u{202e} {{ text }} https://evil.test/|x>";

/// The incident as it is when `event` is told.
pub(crate) fn incident_at(event: Event) -> Incident {
    let mut incident = incident(482);
    if event != Event::Opened {
        incident.told = Some(Told {
            event: Event::Opened,
            begun: Event::Opened,
            at: at(1200),
            severity: incident.severity,
            code: incident.cause.code,
            root: incident.cause.root.clone(),
            begun_at: Some(at(1200)),
            step: 0,
            resumed: None,
            notifiers: vec!["oncall".into()],
        });
    }
    if let (Event::Updated, Some(told)) = (event, &mut incident.told) {
        told.code = Code::HostRefused;
    }
    if event == Event::Acknowledged {
        incident.acknowledged = Some(Acknowledgement {
            at: at(1200),
            by: "anna".into(),
            told: false,
        });
    }
    if event == Event::Resolved {
        incident.state = IncidentState::Resolved;
        incident.resolved = Some(at(8000));
        incident.ended_by = Some("recovered".into());
    }
    incident
}

/// A message about the incident, worded as the pipeline words it.
pub(crate) fn about(incident: Incident, event: Event) -> Message {
    let now = incident.resolved.unwrap_or(at(1200));
    let wording = Wording {
        clients: [(acme(), "ACME".to_owned())].into(),
        url: Some("https://mail.msp.example".into()),
        ..Wording::default()
    };
    let text = text::message(&incident, event, now, &wording);
    Message {
        id: MessageId(7),
        notifier: "oncall".into(),
        notice: Arc::new(Notice {
            event,
            dedup_key: incident.dedup_key.clone(),
            at: now,
            affected: incident.affected.len(),
            subject: text.subject,
            text: text.short,
            body: text.long,
            url: text::incident_url(&wording, &incident),
            incident: Some(Arc::new(incident)),
        }),
    }
}

/// What the on-call hears of one incident.
pub(crate) fn message(event: Event) -> Message {
    match event {
        Event::Test => Pipeline::test_message("oncall", at(0)),
        event => about(incident_at(event), event),
    }
}

/// A message in which everything that others wrote is hostile, and as long as it may be.
pub(crate) fn hostile() -> Message {
    let mut incident = incident_at(Event::Opened);
    incident.cause.detail = HOSTILE.repeat(100);
    incident.cause.subject = HOSTILE.repeat(100);
    incident.cause.contact = Some(HOSTILE.repeat(100));
    about(incident, Event::Opened)
}

/// A receiver that answers everything alike.
pub(crate) async fn receiver(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

/// The documents that a receiver got, in order.
pub(crate) async fn posted(server: &MockServer) -> Vec<Value> {
    let requests = server.received_requests().await.unwrap();
    requests
        .iter()
        .map(|request| request.body_json().unwrap())
        .collect()
}

/// A secret that never changes.
pub(crate) fn secret(text: impl Into<String>) -> Secret {
    let text = text.into();
    Secret::new(move || Ok(SecretString::from(text.clone())))
}
