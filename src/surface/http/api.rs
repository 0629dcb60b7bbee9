//! What is known, as JSON: domains, gateways, hosts, vantages, providers, clients.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Value, json};

use super::Server;
use super::error::{ApiError, Name, Names, Params, quoted};
use super::paging::{Item, ListQuery, page};
use super::views::{self, Canary, Domain, Gateway, Host};
use crate::model::{ClientId, DomainName, Target, Verdict};

type Answer = Result<Json<Value>, ApiError>;

/// `GET /api/v1/domains`
pub(super) async fn domains(Shared(server): Shared<Server>, Params(query): Params<ListQuery>) -> Answer {
    let snapshot = server.snapshot();
    let items = snapshot.domains.iter().map(|(name, verdict)| Item {
        key: name.as_str().to_owned(),
        state: Some(verdict.state),
        client: client_of(verdict),
        value: Arc::clone(verdict),
    });
    page("domains", items.map(brief_item), &query).map(Json)
}

fn brief_item(item: Item<Arc<Verdict>>) -> Item<Verdict> {
    Item {
        key: item.key,
        state: item.state,
        client: item.client,
        value: views::brief(&item.value),
    }
}

/// `GET /api/v1/domains/{domain}`
pub(super) async fn domain(Shared(server): Shared<Server>, Name(name): Name) -> Result<Response, ApiError> {
    let snapshot = server.snapshot();
    let parsed = DomainName::parse(&name).ok();
    let verdict = parsed
        .as_ref()
        .and_then(|name| snapshot.domains.get(name).cloned());
    let services = parsed.and_then(|name| snapshot.services.get(&name));
    match verdict {
        Some(verdict) => Ok(Json(Domain::new(&verdict, services)).into_response()),
        None => Err(ApiError::not_found(format!(
            "no domain \"{}\" is watched",
            quoted(&name)
        ))),
    }
}

/// `GET /api/v1/routes`
pub(super) async fn routes(Shared(server): Shared<Server>, Params(query): Params<ListQuery>) -> Answer {
    let snapshot = server.snapshot();
    let items = snapshot.routes.iter().map(|((client, to), verdict)| Item {
        key: format!("{client}/{to}"),
        state: Some(verdict.state),
        client: client_of(verdict),
        value: Arc::clone(verdict),
    });
    page("routes", items.map(brief_item), &query).map(Json)
}

/// `GET /api/v1/routes/{client}/{destination}`
pub(super) async fn route(
    Shared(server): Shared<Server>,
    Names(client, to): Names,
) -> Result<Response, ApiError> {
    let snapshot = server.snapshot();
    let ends = ClientId::parse(&client).ok().zip(DomainName::parse(&to).ok());
    match ends.and_then(|ends| snapshot.routes.get(&ends)) {
        Some(verdict) => Ok(Json(&**verdict).into_response()),
        None => Err(ApiError::not_found(format!(
            "no route from \"{}\" to \"{}\" is watched",
            quoted(&client),
            quoted(&to)
        ))),
    }
}

/// `GET /api/v1/canaries`
pub(super) async fn canaries(Shared(server): Shared<Server>, Params(query): Params<ListQuery>) -> Answer {
    let snapshot = server.snapshot();
    let items = snapshot.canaries.iter().map(|canary| Item {
        key: match &canary.verdict.target {
            Target::Canary(client, name) => format!("{client}/{name}"),
            other => other.to_string(),
        },
        state: Some(canary.verdict.state),
        client: client_of(&canary.verdict),
        value: Canary::brief(canary),
    });
    page("canaries", items, &query).map(Json)
}

/// `GET /api/v1/canaries/{client}/{name}`
pub(super) async fn canary(
    Shared(server): Shared<Server>,
    Names(client, name): Names,
) -> Result<Response, ApiError> {
    let snapshot = server.snapshot();
    let meant = |target: &Target| matches!(target, Target::Canary(of, known) if of.as_str() == client && **known == *name);
    match snapshot
        .canaries
        .iter()
        .find(|canary| meant(&canary.verdict.target))
    {
        Some(canary) => Ok(Json(Canary::full(canary)).into_response()),
        None => Err(ApiError::not_found(format!(
            "no canary \"{}\" of \"{}\" is sent",
            quoted(&name),
            quoted(&client)
        ))),
    }
}

/// `GET /api/v1/gateways`
pub(super) async fn gateways(Shared(server): Shared<Server>, Params(query): Params<ListQuery>) -> Answer {
    let snapshot = server.snapshot();
    let items = snapshot.gateways.iter().map(|gateway| Item {
        key: match &gateway.verdict.target {
            Target::Gateway(client, name) => format!("{client}/{name}"),
            other => other.to_string(),
        },
        state: Some(gateway.verdict.state),
        client: client_of(&gateway.verdict),
        value: Gateway::from(&**gateway),
    });
    page("gateways", items, &query).map(Json)
}

/// `GET /api/v1/hosts`
pub(super) async fn hosts(Shared(server): Shared<Server>, Params(query): Params<ListQuery>) -> Answer {
    let snapshot = server.snapshot();
    let items = snapshot.hosts.iter().map(|host| Item {
        key: host.address.to_string(),
        state: Some(host.state),
        client: None,
        value: Host::brief(host),
    });
    page("hosts", items, &query).map(Json)
}

/// `GET /api/v1/hosts/{address}`: an address with its port, or without it for port 25.
pub(super) async fn host(Shared(server): Shared<Server>, Name(address): Name) -> Result<Response, ApiError> {
    let snapshot = server.snapshot();
    let wanted: Option<SocketAddr> = address
        .parse()
        .ok()
        .or_else(|| address.parse().ok().map(|ip| SocketAddr::new(ip, 25)));
    let host = snapshot.hosts.iter().find(|host| Some(host.address) == wanted);
    match host {
        Some(host) => Ok(Json(Host::full(host)).into_response()),
        None => Err(ApiError::not_found(format!(
            "no watched domain's mail goes to \"{}\"",
            quoted(&address)
        ))),
    }
}

/// `GET /api/v1/vantages`
pub(super) async fn vantages(Shared(server): Shared<Server>, Params(query): Params<ListQuery>) -> Answer {
    let snapshot = server.snapshot();
    page("vantages", [whole(&snapshot.vantage)], &query).map(Json)
}

/// `GET /api/v1/providers`
pub(super) async fn providers(Shared(server): Shared<Server>, Params(query): Params<ListQuery>) -> Answer {
    let snapshot = server.snapshot();
    let items = snapshot.providers.iter().map(whole);
    page("providers", items, &query).map(Json)
}

fn whole(verdict: &Arc<Verdict>) -> Item<&Verdict> {
    Item {
        key: match &verdict.target {
            Target::Vantage(name)
            | Target::Provider(name)
            | Target::Notifier(name)
            | Target::Source(name) => name.to_string(),
            other => other.to_string(),
        },
        state: Some(verdict.state),
        client: client_of(verdict),
        value: verdict,
    }
}

/// `GET /api/v1/clients`
pub(super) async fn clients(Shared(server): Shared<Server>, Params(query): Params<ListQuery>) -> Answer {
    let snapshot = server.snapshot();
    let items = snapshot.clients.iter().map(|client| {
        let worst = snapshot
            .domains
            .values()
            .chain(snapshot.routes.values())
            .filter(|verdict| verdict.client.as_ref() == Some(&client.id))
            .map(|verdict| verdict.state)
            .max_by_key(|state| state.urgency());
        Item {
            key: client.id.as_str().to_owned(),
            state: worst,
            client: Some(client.id.as_str().to_owned()),
            value: json!({
                "id": client.id,
                "name": client.name,
                "contact": client.contact,
                "state": worst,
            }),
        }
    });
    page("clients", items, &query).map(Json)
}

/// `GET /sd`: the watched domains for Prometheus' HTTP service discovery, each with what relabelling needs.
pub(super) async fn service_discovery(Shared(server): Shared<Server>) -> Json<Value> {
    let snapshot = server.snapshot();
    let names: BTreeMap<&str, &str> = snapshot
        .clients
        .iter()
        .map(|client| (client.id.as_str(), client.name.as_str()))
        .collect();
    let groups = snapshot.domains.iter().map(|(domain, verdict)| {
        let client = verdict.client.as_ref().map_or("", |client| client.as_str());
        json!({
            "targets": [domain],
            "labels": {
                "__meta_mailflow_client": client,
                "__meta_mailflow_client_name": names.get(client).unwrap_or(&client),
                "__meta_mailflow_domain": domain,
                "__meta_mailflow_provider": verdict.provider.as_deref().unwrap_or("self-hosted"),
            },
        })
    });
    Json(groups.collect())
}

fn client_of(verdict: &Verdict) -> Option<String> {
    verdict.client.as_ref().map(ToString::to_string)
}
