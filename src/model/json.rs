//! The JSON of causes and verdicts, as the API and `check --json` give it: what is stored, and beside it what
//! the catalogue says of the code.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::{Cause, ClientId, DomainName, Target, Verdict};

/// The ends of a route, as the API names them.
#[derive(Serialize)]
struct RouteEnds<'a> {
    from: &'a ClientId,
    to: &'a DomainName,
}

impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entry = self.code.entry();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("code", &self.code)?;
        map.serialize_entry("layer", self.code.layer())?;
        map.serialize_entry("owner", &self.owner)?;
        map.serialize_entry("subject", &self.subject)?;
        map.serialize_entry("detail", &self.detail)?;
        map.serialize_entry("contact", &self.contact)?;
        map.serialize_entry("title", entry.title)?;
        map.serialize_entry("explanation", self.explanation())?;
        map.serialize_entry("action", self.action())?;
        map.serialize_entry("confidence", &self.confidence)?;
        map.serialize_entry("confidence_reason", &self.confidence_reason)?;
        map.serialize_entry("root", &self.root)?;
        if self.on_route {
            map.serialize_entry("on_route", &true)?;
        }
        map.serialize_entry("evidence", &self.evidence)?;
        map.end()
    }
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("client", &self.client)?;
        match &self.target {
            Target::Domain(domain) => map.serialize_entry("domain", domain)?,
            Target::Gateway(_, name) => map.serialize_entry("gateway", name)?,
            Target::Vantage(name) => map.serialize_entry("vantage", name)?,
            Target::Provider(name) => map.serialize_entry("provider", name)?,
            Target::Notifier(name) => map.serialize_entry("notifier", name)?,
            Target::Source(name) => map.serialize_entry("source", name)?,
            Target::Canary(_, name) => map.serialize_entry("canary", name)?,
            Target::Route(from, to) => map.serialize_entry("route", &RouteEnds { from, to })?,
        }
        map.serialize_entry("state", &self.state)?;
        map.serialize_entry("since", &self.since)?;
        map.serialize_entry("checked", &self.checked)?;
        map.serialize_entry("proven_by", &self.proven_by)?;
        map.serialize_entry("cause", &self.cause)?;
        map.serialize_entry("symptoms", &self.symptoms)?;
        map.serialize_entry("also", &self.also)?;
        if !matches!(
            self.target,
            Target::Provider(_) | Target::Notifier(_) | Target::Source(_)
        ) {
            map.serialize_entry("provider", &self.provider)?;
        }
        map.serialize_entry("incident", &self.incident)?;
        map.serialize_entry("flapping", &self.flapping)?;
        if !self.path.is_empty() {
            map.serialize_entry("path", &self.path)?;
        }
        map.end()
    }
}
