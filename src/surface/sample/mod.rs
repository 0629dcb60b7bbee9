//! Snapshots to test surfaces with: a small fleet in several moods.

mod moods;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::model::*;
use crate::snapshot::*;

pub(crate) use moods::{HOSTILE, blind, flapping, hostile, warming};

/// The moment of every sample.
pub(crate) const NOW: &str = "2026-11-22T02:20:31Z";

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn domain(name: &str) -> DomainName {
    DomainName::parse(name).unwrap()
}

fn client(id: &str) -> ClientId {
    ClientId::parse(id).unwrap()
}

fn minutes_ago(minutes: i64) -> Timestamp {
    at(NOW) - SignedDuration::from_mins(minutes)
}

fn root(kind: RootKind, owner: Option<&str>, name: &str) -> Root {
    Root {
        kind,
        client: owner.map(client),
        name: name.into(),
    }
}

fn note(probe: ProbeKind, peer: &str, summary: &str, transcript: &[&str]) -> EvidenceNote {
    EvidenceNote {
        probe,
        vantage: "hq".into(),
        source_address: Some("192.0.2.10".parse().unwrap()),
        peer: peer.into(),
        at: minutes_ago(0),
        summary: summary.into(),
        transcript: transcript.iter().map(|line| (*line).to_owned()).collect(),
        control: Some("12 other domains answered in the same minute".into()),
    }
}

fn cause(code: Code, root: Root, subject: &str, detail: &str, owner: Owner) -> Cause {
    Cause {
        on_route: false,
        code,
        root,
        subject: subject.into(),
        detail: detail.into(),
        owner,
        contact: None,
        confidence: Confidence::Probable,
        confidence_reason: Some("seen from hq only".into()),
        evidence: Arc::default(),
        stands_on: Vec::new(),
    }
}

pub(crate) fn router_down() -> Cause {
    Cause {
        contact: Some("Telekom business line, 0800 330 1000, circuit 4711".into()),
        evidence: Arc::from([
            note(ProbeKind::Gateway, "198.51.100.1", "5 of 5 pings lost", &[]),
            note(
                ProbeKind::Smtp,
                "198.51.100.10:25",
                "no answer after 4.0 s",
                &["C: connect 198.51.100.10:25", "no answer"],
            ),
        ]),
        ..cause(
            Code::GatewayDown,
            root(RootKind::Gateway, Some("acme"), "hq-router"),
            "hq-router (198.51.100.1)",
            "Router hq-router (198.51.100.1) answers neither ping nor port 443; mx.acme.test behind it is silent too.",
            Owner::Client,
        )
    }
}

fn provider_host_down() -> Cause {
    Cause {
        contact: Some("support@bigmail.test, contract 815".into()),
        evidence: Arc::from([note(
            ProbeKind::Smtp,
            "203.0.113.25:25",
            "421 4.3.2 Service shutting down",
            &["S: 421 4.3.2 Service shutting down", "C: QUIT"],
        )]),
        ..cause(
            Code::SmtpUnavailable,
            root(RootKind::MxHost, None, "mx1.bigmail.test"),
            "mx1.bigmail.test (203.0.113.25)",
            "mx1.bigmail.test answers \"421 4.3.2 Service shutting down\"; mx2.bigmail.test takes the mail.",
            Owner::Provider,
        )
    }
}

fn expired() -> Cause {
    cause(
        Code::TlsCertificateExpired,
        root(RootKind::MxHost, None, "mail.initech.test"),
        "mail.initech.test (198.51.100.77)",
        "The certificate of mail.initech.test ended on 2026-11-20.",
        Owner::Client,
    )
}

fn hop(hop: HopKind, subject: &str, state: State, elapsed: Option<f64>, summary: &str) -> Hop {
    Hop {
        hop,
        subject: subject.into(),
        state,
        elapsed: elapsed.map(|seconds| Duration::from_secs_f64(seconds).into()),
        summary: summary.into(),
    }
}

fn healthy_path(mx: &str, address: &str) -> Vec<Hop> {
    vec![
        hop(HopKind::Vantage, "hq", State::Flowing, None, "2 anchors answer"),
        hop(
            HopKind::Dns,
            mx,
            State::Flowing,
            Some(0.012),
            "MX and addresses found",
        ),
        hop(
            HopKind::Host,
            address,
            State::Flowing,
            Some(0.021),
            "port 25 open",
        ),
        hop(HopKind::Smtp, mx, State::Flowing, Some(0.084), "220, EHLO, 250"),
        hop(
            HopKind::Tls,
            mx,
            State::Flowing,
            Some(0.046),
            "TLS 1.3, certificate good for 62 days",
        ),
    ]
}

fn router_path() -> Vec<Hop> {
    vec![
        hop(HopKind::Vantage, "hq", State::Flowing, None, "2 anchors answer"),
        hop(
            HopKind::Dns,
            "mx.acme.test",
            State::Flowing,
            Some(0.012),
            "MX and addresses found",
        ),
        hop(
            HopKind::Gateway,
            "hq-router",
            State::Broken,
            None,
            "5 of 5 pings lost, port 443: no answer",
        ),
        hop(
            HopKind::Host,
            "198.51.100.10",
            State::Unknown,
            None,
            "behind the router",
        ),
        hop(HopKind::Smtp, "mx.acme.test", State::Unknown, None, "not reached"),
        hop(HopKind::Tls, "mx.acme.test", State::Unknown, None, "not reached"),
    ]
}

pub(crate) fn verdict(target: Target, owner: Option<&str>, state: State) -> Verdict {
    Verdict {
        target,
        client: owner.map(client),
        state,
        since: at("2026-11-19T08:00:00Z"),
        checked: Some(at("2026-11-22T02:20:12Z")),
        proven_by: vec![Proof::Dialogue],
        cause: None,
        symptoms: Vec::new(),
        also: Vec::new(),
        provider: None,
        incident: None,
        flapping: None,
        path: Box::default(),
    }
}

fn healthy(name: &str, owner: &str, mx: &str, address: &str) -> Verdict {
    Verdict {
        path: healthy_path(mx, address).into(),
        ..verdict(Target::Domain(domain(name)), Some(owner), State::Flowing)
    }
}

fn behind_router(name: &str) -> Verdict {
    Verdict {
        since: minutes_ago(6),
        cause: Some(Arc::new(router_down())),
        symptoms: vec![Code::HostUnreachable],
        incident: Some(IncidentId(482)),
        path: router_path().into(),
        proven_by: Vec::new(),
        ..verdict(Target::Domain(domain(name)), Some("acme"), State::Broken)
    }
}

fn at_bigmail(name: &str, owner: &str) -> Verdict {
    Verdict {
        since: minutes_ago(47),
        cause: Some(Arc::new(provider_host_down())),
        incident: Some(IncidentId(481)),
        provider: Some("BIGMAIL".into()),
        path: healthy_path("mx2.bigmail.test", "203.0.113.26").into(),
        ..verdict(Target::Domain(domain(name)), Some(owner), State::Degraded)
    }
}

fn domains() -> Vec<Verdict> {
    vec![
        behind_router("acme.test"),
        behind_router("acme-shop.test"),
        at_bigmail("globex.test", "globex"),
        at_bigmail("globex-labs.test", "globex"),
        at_bigmail("umbrella.test", "umbrella"),
        Verdict {
            since: minutes_ago(60 * 26),
            cause: Some(Arc::new(expired())),
            incident: Some(IncidentId(477)),
            path: healthy_path("mail.initech.test", "198.51.100.77").into(),
            ..verdict(
                Target::Domain(domain("initech.test")),
                Some("initech"),
                State::Degraded,
            )
        },
        Verdict {
            also: vec![Warning {
                code: Code::TlsCertificateExpiring,
                subject: "mx.hooli.test".into(),
                summary: "9 days left".into(),
                accepted: false,
            }],
            ..healthy("hooli.test", "hooli", "mx.hooli.test", "203.0.113.80")
        },
        healthy("hooli-mail.test", "hooli", "mx.hooli.test", "203.0.113.80"),
        healthy(
            "initech-support.test",
            "initech",
            "mx.support.test",
            "203.0.113.90",
        ),
        Verdict {
            provider: Some("Google".into()),
            ..healthy("stark.test", "stark", "aspmx.l.google.com", "192.0.2.26")
        },
        Verdict {
            provider: Some("Microsoft 365".into()),
            ..healthy(
                "wayne.test",
                "wayne",
                "wayne-test.mail.protection.outlook.com",
                "192.0.2.36",
            )
        },
        healthy("xn--bcher-kva.test", "stark", "mx.stark.test", "192.0.2.27"),
    ]
}

fn gateways() -> Vec<Arc<GatewayView>> {
    let mut round_trips = Histogram::default();
    round_trips.record(Duration::from_millis(12));
    round_trips.record(Duration::from_millis(40));
    let down = GatewayView {
        verdict: Verdict {
            since: minutes_ago(6),
            cause: Some(Arc::new(router_down())),
            incident: Some(IncidentId(482)),
            ..verdict(
                Target::Gateway(client("acme"), "hq-router".into()),
                Some("acme"),
                State::Broken,
            )
        },
        address: "198.51.100.1".into(),
        pings: 120,
        pings_lost: 35,
        round_trips: round_trips.clone(),
    };
    let up = GatewayView {
        verdict: verdict(
            Target::Gateway(client("initech"), "office-fw".into()),
            Some("initech"),
            State::Flowing,
        ),
        address: "198.51.100.65".into(),
        pings: 120,
        pings_lost: 0,
        round_trips,
    };
    vec![Arc::new(down), Arc::new(up)]
}

fn affected(verdicts: &[Verdict], id: u64) -> Vec<Affected> {
    verdicts
        .iter()
        .filter(|verdict| verdict.incident == Some(IncidentId(id)))
        .map(|verdict| Affected {
            target: verdict.target.clone(),
            client: verdict.client.clone(),
            state: verdict.state,
            first_sight: false,
            since: verdict.since,
            flapping: None,
        })
        .collect()
}

pub(crate) fn incident(
    id: u64,
    severity: Severity,
    minutes: i64,
    cause: Cause,
    of: Vec<Affected>,
) -> Incident {
    Incident {
        id: IncidentId(id),
        dedup_key: format!("mailflow-{id}"),
        state: IncidentState::Open,
        severity,
        opened: minutes_ago(minutes),
        reopened: None,
        resolved: None,
        ended_by: None,
        cause,
        affected: of,
        announced: Some(minutes_ago(minutes - 1)),
        told: None,
        acknowledged: None,
        held: None,
        log: vec![
            LogEntry {
                at: minutes_ago(minutes),
                text: "opened".into(),
            },
            LogEntry {
                at: minutes_ago(minutes - 1),
                text: "oncall was told".into(),
            },
        ],
    }
}

pub(crate) fn closed(id: u64) -> Incident {
    Incident {
        state: IncidentState::Resolved,
        resolved: Some(minutes_ago(300)),
        ended_by: Some("recovered".into()),
        ..incident(id, Severity::Warning, 340, expired(), Vec::new())
    }
}

fn hosts() -> Vec<Arc<HostView>> {
    let host = HostView {
        address: "203.0.113.80:25".parse::<SocketAddr>().unwrap(),
        names: vec![domain("mx.hooli.test")],
        provider: None,
        state: State::Flowing,
        code: None,
        checked: Some(at("2026-11-22T02:20:12Z")),
        greeting: Some("mx.hooli.test ESMTP".into()),
        stages: vec![(SmtpStage::Connect, 0.021), (SmtpStage::Greeting, 0.048)],
        tls: Some("TLS 1.3".into()),
        certificate_expiry: Some(at("2026-12-01T00:00:00Z")),
        source: Some("192.0.2.10".parse().unwrap()),
        summary: "takes mail".into(),
        transcript: Arc::new(vec![
            "S: 220 mx.hooli.test ESMTP".into(),
            "C: EHLO probe.msp.example".into(),
            "S: 250 mx.hooli.test".into(),
        ]),
    };
    let down = HostView {
        address: "198.51.100.10:25".parse().unwrap(),
        names: vec![domain("mx.acme.test")],
        state: State::Broken,
        code: Some(Code::HostUnreachable),
        greeting: None,
        stages: Vec::new(),
        tls: None,
        certificate_expiry: None,
        summary: "no answer after 4.0 s".into(),
        transcript: Arc::new(vec!["C: connect 198.51.100.10:25".into(), "no answer".into()]),
        ..host.clone()
    };
    vec![Arc::new(down), Arc::new(host)]
}

fn counters(domains: &BTreeMap<DomainName, Arc<Verdict>>) -> Counters {
    let mut phase = Histogram::default();
    phase.record(Duration::from_millis(21));
    let mut lag = Histogram::default();
    lag.record(Duration::from_millis(3));
    Counters {
        probes: BTreeMap::from([(ProbeKind::Smtp, 5120), (ProbeKind::Dns, 2048)]),
        probe_errors: BTreeMap::from([(ProbeKind::Host, 2)]),
        probe_lag: BTreeMap::from([(ProbeKind::Smtp, lag)]),
        smtp_phases: BTreeMap::from([(("self-hosted".into(), SmtpStage::Connect), phase)]),
        incidents_open: BTreeMap::from([(Severity::Critical, 1), (Severity::Warning, 2)]),
        notifications: BTreeMap::from([(
            "oncall".into(),
            NotifierCounts {
                delivered: 9,
                failed: 1,
                pending: 0,
                health: NotifierHealth::Well,
            },
        )]),
        deliveries: BTreeMap::from([
            ((client("acme"), Some(domain("partner.test")), Fate::Deferred), 2),
            ((client("acme"), None, Fate::Sent), 4711),
        ]),
        bounces: BTreeMap::from([((client("acme"), Some(domain("partner.test"))), 1)]),
        certificate_expiry: BTreeMap::from([(domain("hooli.test"), at("2026-12-01T00:00:00Z"))]).into(),
        mx_addresses: domains
            .iter()
            .map(|(name, verdict)| {
                let counts = match verdict.state {
                    State::Broken => [0, 1, 0, 0],
                    State::Degraded => [1, 1, 0, 0],
                    _ => [1, 0, 0, 0],
                };
                (name.clone(), counts)
            })
            .collect::<BTreeMap<_, _>>()
            .into(),
    }
}

fn clients() -> Vec<ClientView> {
    let view = |id: &str, name: &str| ClientView {
        id: client(id),
        name: name.into(),
        contact: Some("reception, +49 30 5550100".into()),
    };
    vec![
        view("acme", "ACME Ltd"),
        view("globex", "Globex GmbH"),
        view("hooli", "Hooli"),
        view("initech", "Initech"),
        view("stark", "Stark & Söhne"),
        view("umbrella", "Umbrella Care"),
        view("wayne", "Wayne Logistics"),
    ]
}

fn services() -> BTreeMap<DomainName, Vec<Arc<ServiceView>>> {
    let service = ServiceView {
        service: "imaps:mail.acme.test:993".into(),
        state: State::Flowing,
        code: None,
        checked: Some(minutes_ago(0)),
        peer: Some("198.51.100.11:993".parse().unwrap()),
        source: Some("192.0.2.10".parse().unwrap()),
        greeting: Some("* OK ready".into()),
        stages: vec![StageView {
            stage: "connect",
            elapsed: 0.021,
        }],
        tls: Some("TLS 1.3".into()),
        certificate_expiry: Some(at("2027-02-01T00:00:00Z")),
        summary: "answers in 84 ms, TLS 1.3, certificate until 2027-02-01".into(),
        transcript: Arc::new(vec!["S: * OK ready".into(), "C: a3 LOGOUT".into()]),
    };
    [(domain("acme.test"), vec![Arc::new(service)])].into()
}

fn assemble(verdicts: Vec<Verdict>) -> Snapshot {
    let open = vec![
        incident(
            482,
            Severity::Critical,
            6,
            router_down(),
            affected(&verdicts, 482),
        ),
        incident(
            481,
            Severity::Warning,
            47,
            provider_host_down(),
            affected(&verdicts, 481),
        ),
        incident(
            477,
            Severity::Warning,
            60 * 26,
            expired(),
            affected(&verdicts, 477),
        ),
    ];
    let domains: BTreeMap<_, _> = verdicts
        .into_iter()
        .filter_map(|verdict| match &verdict.target {
            Target::Domain(name) => Some((name.clone(), Arc::new(verdict))),
            _ => None,
        })
        .collect();
    let provider = |name: &str, state| Arc::new(verdict(Target::Provider(name.into()), None, state));
    Snapshot {
        services: services().into(),
        listings: vec![ListingView {
            client: client("acme"),
            address: "198.51.100.10".into(),
            blocklist: domain("bl.test"),
            listed: false,
        }],
        at: at(NOW),
        started: at("2026-11-19T07:59:30Z"),
        clients: clients(),
        vantage: Arc::new(verdict(Target::Vantage("hq".into()), None, State::Flowing)),
        hands: Vec::new(),
        vitals: crate::snapshot::Vitals::default(),
        counters: counters(&domains),
        per_host: true,
        domains,
        routes: routes(),
        canaries: canaries(),
        gateways: gateways(),
        providers: vec![
            provider("BIGMAIL", State::Degraded),
            provider("Google", State::Flowing),
            provider("Microsoft 365", State::Flowing),
        ],
        hosts: hosts(),
        open_incidents: open.into_iter().map(Arc::new).collect(),
        closed_incidents: vec![Arc::new(closed(470))],
        store: StoreHealth::default(),
        reload: ReloadOutcome {
            successful: true,
            last_success: at("2026-11-19T07:59:30Z"),
        },
        pending_domains: 0,
    }
}

/// One route that flows, and one whose recipient is no longer there.
fn routes() -> BTreeMap<(ClientId, DomainName), Arc<Verdict>> {
    let route = |from: &str, to: &str, state| {
        let target = Target::Route(client(from), domain(to));
        ((client(from), domain(to)), verdict(target, Some(from), state))
    };
    let (unknown, mut broken) = route("initech", "partner.test", State::Broken);
    let root = Root {
        kind: RootKind::Route,
        client: Some(client("initech")),
        name: "partner.test".into(),
    };
    let detail = "Asked for old@partner.test, it answered \"550 5.1.1 User unknown\" at stage rcpt.";
    broken.cause = Some(Arc::new(Cause {
        on_route: true,
        ..cause(
            Code::RecipientUnknown,
            root,
            "old@partner.test",
            detail,
            Owner::Client,
        )
    }));
    let (flowing, well) = route("acme", "partner.test", State::Flowing);
    [(unknown, Arc::new(broken)), (flowing, Arc::new(well))].into()
}

/// A canary that arrives.
fn canaries() -> Vec<Arc<CanaryView>> {
    let mut took = Histogram::within(Histogram::DELIVERY);
    took.record(Duration::from_secs(3));
    vec![Arc::new(CanaryView {
        verdict: verdict(
            Target::Canary(client("acme"), "round-trip".into()),
            Some("acme"),
            State::Flowing,
        ),
        sent: 2,
        failed: 1,
        took,
        last_success: Some(at(NOW)),
    })]
}

/// A router down, a provider's host down, a certificate expired; the rest is well.
pub(crate) fn fleet() -> Snapshot {
    assemble(domains())
}

/// All is well.
pub(crate) fn calm() -> Snapshot {
    let mut snapshot = assemble(domains());
    snapshot
        .domains
        .retain(|_, verdict| verdict.state == State::Flowing);
    snapshot.gateways.remove(0);
    snapshot.open_incidents.clear();
    snapshot.counters.incidents_open.clear();
    snapshot
}
