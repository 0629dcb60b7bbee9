//! The signed links that we give out: where they lead, and what exactly is signed.

use jiff::Timestamp;

use super::text::percent;
use super::{ClientId, IncidentId, Seal};

/// What is signed of a link to a client's own page.
pub fn client_parts(client: &str) -> [&str; 2] {
    ["client", client]
}

/// What is signed of a link to take an incident on, from a message by a notifier.
pub fn take_parts<'a>(incident: &'a str, notifier: &'a str) -> [&'a str; 3] {
    ["take", incident, notifier]
}

/// The link to a client's own page, from the root of ours.
pub fn client(seal: &Seal, client: &ClientId, until: Timestamp) -> String {
    let mark = seal.sign(&client_parts(client.as_str()), until);
    format!("/clients/{client}?link={mark}")
}

/// The link by which whoever reads a message takes its incident on, from the root of ours.
pub fn take(seal: &Seal, incident: IncidentId, notifier: &str, until: Timestamp) -> String {
    let mark = seal.sign(&take_parts(&incident.to_string(), notifier), until);
    take_path(incident, notifier, &mark)
}

/// Where such a link leads.
pub fn take_path(incident: IncidentId, notifier: &str, mark: &str) -> String {
    format!(
        "/take/{incident}/{}?link={}",
        percent(notifier, b""),
        percent(mark, b"")
    )
}
