//! What a webhook says: its own document, and the same field by field for templates.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::model::template::Field;
use crate::model::text::clean;
use crate::model::{Incident, Message, Target};

/// The most characters of what others wrote, in one field.
const THEIRS: usize = 1000;

/// A field's value; null where there is none.
pub(super) fn value(message: &Message, captured: Option<&str>, field: Field) -> Value {
    let notice = &message.notice;
    match field {
        Field::Event => json!(notice.event),
        Field::DedupKey => json!(notice.dedup_key),
        Field::Subject => json!(notice.subject),
        Field::Text => json!(notice.text),
        Field::Body => json!(notice.body),
        Field::Url => json!(notice.url),
        Field::TakeUrl => json!(notice.take_url),
        Field::Sent => json!(notice.at),
        Field::Captured => json!(captured),
        _ => notice
            .incident
            .as_deref()
            .map_or(Value::Null, |incident| of_incident(incident, message, field)),
    }
}

fn of_incident(incident: &Incident, message: &Message, field: Field) -> Value {
    let cause = &incident.cause;
    match field {
        Field::Id => json!(incident.id),
        Field::State => json!(incident.state),
        Field::Severity => json!(incident.severity),
        Field::Code => json!(cause.code),
        Field::Title => json!(cause.code.entry().title),
        Field::Cause => json!(clean(cause.subject.as_bytes(), THEIRS)),
        Field::Action => json!(cause.action()),
        Field::Owner => json!(cause.owner),
        Field::Contact => json!(
            cause
                .contact
                .as_deref()
                .map(|contact| clean(contact.as_bytes(), THEIRS))
        ),
        Field::Clients => {
            let clients: BTreeSet<_> = incident
                .affected
                .iter()
                .filter_map(|one| one.client.as_ref())
                .collect();
            json!(clients)
        }
        Field::Domains => {
            let names = incident.affected.iter().filter_map(|one| match &one.target {
                Target::Domain(name) => Some(json!(name)),
                _ => None,
            });
            Value::Array(names.collect())
        }
        Field::Affected => json!(message.notice.affected),
        Field::Opened => json!(incident.opened),
        Field::Resolved => json!(incident.resolved),
        Field::Incident => incident_json(incident, message),
        _ => Value::Null,
    }
}

/// The document that is posted unless a template says otherwise.
pub(super) fn document(message: &Message) -> Value {
    let notice = &message.notice;
    json!({
        "event": notice.event,
        "dedup_key": notice.dedup_key,
        "incident": notice.incident.as_deref().map(|incident| incident_json(incident, message)),
        "text": notice.text,
        "sent": notice.at,
    })
}

/// The routes that an incident touches.
fn routes(incident: &Incident) -> Vec<Value> {
    let routes = incident.affected.iter().filter_map(|one| match &one.target {
        Target::Route(from, to) => Some(json!({ "from": from, "to": to, "state": one.state })),
        _ => None,
    });
    routes.collect()
}

fn incident_json(incident: &Incident, message: &Message) -> Value {
    let domains: Vec<Value> = incident
        .affected
        .iter()
        .filter_map(|one| match &one.target {
            Target::Domain(domain) => Some(json!({
                "client": one.client,
                "domain": domain,
                "state": one.state,
            })),
            _ => None,
        })
        .collect();
    json!({
        "id": incident.id,
        "state": incident.state,
        "severity": incident.severity,
        "opened": incident.opened,
        "resolved": incident.resolved,
        "ended_by": incident.ended_by,
        "flapping": incident.flapping(),
        "cause": incident.cause,
        "domains": domains,
        "routes": routes(incident),
        "affected": message.notice.affected,
        "url": message.notice.url,
        "take_url": message.notice.take_url,
    })
}
