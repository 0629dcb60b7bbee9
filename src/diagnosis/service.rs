//! Services that people's mail programs use: whether each answers, and with which certificate.
//!
//! A service stands on our own line and resolver, on the gateway in front of it and on the machine that takes mail at
//! the same address: each is heard before the service is blamed.

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::inventory::Domain;
use crate::model::service::{ServiceEvidence, ServiceFailureKind as Kind};
use crate::model::{Code, DialError, Evidence, Observation, Root, RootKind, Service, State, Subject};
use crate::picture::{Health, Picture, SMTP_PORT, Settled};

use super::doubt::Doubt;
use super::finding::Finding;
use super::gateway::{GatewayState, back_behind, gateway};
use super::note::summary;
use super::refusal;
use super::tls::{OVERDUE, WORTH_A_WARNING, chain, days_left};
use super::vantage::OwnSide;

/// A service with what is known of it, as it concerns one domain.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceView {
    /// Which.
    pub service: Service,
    /// How it is: broken means that nobody can use it.
    pub state: State,
    /// What is wrong with it, or in front of it.
    pub finding: Option<Finding>,
    /// What somebody should know.
    pub warning: Option<Finding>,
    /// The newest look at it.
    pub observation: Option<Arc<Observation>>,
    /// What the finding still waits for.
    pub doubt: Doubt,
    /// Since when it has been found so.
    pub(super) since: Timestamp,
}

/// Judges every service of a domain, the one that has been bad for longest first, so that the cause stays the cause
/// while others join it.
pub fn services(picture: &Picture, own: &OwnSide, domain: &Domain, now: Timestamp) -> Vec<ServiceView> {
    let mut views: Vec<ServiceView> = domain
        .services
        .iter()
        .map(|service| {
            Judging {
                picture,
                own,
                domain,
                service,
            }
            .view(now)
        })
        .collect();
    views.sort_by(|a, b| (a.since, &a.service).cmp(&(b.since, &b.service)));
    views
}

/// What one look means by itself (`semantics` 3): the certificate counts only for what can be reached.
pub(super) fn classify(picture: &Picture, observation: &Observation, evidence: &ServiceEvidence) -> Health {
    let Subject::Service(service) = &observation.subject else {
        return Health::Unrunnable;
    };
    match &evidence.failure {
        None => match certificate(evidence, service, observation.ended()) {
            Some((code, _)) => Health::Failed(code),
            None => Health::Good,
        },
        Some(failure) => match &failure.kind {
            Kind::Untold { .. } | Kind::Dial(DialError::Local { .. }) => Health::Unrunnable,
            Kind::Refused { line, enhanced }
                if refusal::is_of_us(line, *enhanced, picture.own_addresses()) =>
            {
                Health::Refused
            }
            _ => Health::Failed(Code::ServiceUnreachable),
        },
    }
}

/// What is wrong with the certificate that a service shows, the worst of it.
fn certificate(evidence: &ServiceEvidence, service: &Service, now: Timestamp) -> Option<(Code, String)> {
    let tls = evidence.tls.as_ref()?;
    let label = service.label();
    if let Some((code, detail)) = chain(tls, &label, now) {
        let code = match code {
            Code::TlsCertificateExpired => Code::ServiceCertificateExpired,
            _ => Code::ServiceCertificateUntrusted,
        };
        return Some((code, detail));
    }
    let shown = tls.certificate.as_ref()?;
    if let Some(name) = service.name().filter(|name| !shown.covers(name)) {
        let names: Vec<&str> = shown.names.iter().take(5).map(String::as_str).collect();
        let detail = format!(
            "The certificate of {label} is for {}, not for {name}.",
            names.join(", ")
        );
        return Some((Code::ServiceCertificateNameMismatch, detail));
    }
    let left = left(evidence, now).filter(|left| *left < OVERDUE)?;
    Some((
        Code::ServiceCertificateExpiring,
        format!("The certificate of {label}: {}", days_left(left, shown.not_after)),
    ))
}

fn left(evidence: &ServiceEvidence, now: Timestamp) -> Option<SignedDuration> {
    let certificate = evidence.tls.as_ref()?.certificate.as_ref()?;
    Some(certificate.not_after.duration_since(now))
}

/// One service of one domain while it is being judged.
struct Judging<'a> {
    picture: &'a Picture,
    own: &'a OwnSide,
    domain: &'a Domain,
    service: &'a Service,
}

impl Judging<'_> {
    fn view(&self, now: Timestamp) -> ServiceView {
        let mut view = ServiceView {
            service: self.service.clone(),
            state: State::Unknown,
            finding: None,
            warning: None,
            observation: None,
            doubt: Doubt::default(),
            since: Timestamp::MAX,
        };
        let subject = Subject::Service(self.service.clone());
        let Some(track) = self.picture.track(&subject) else {
            return view;
        };
        view.observation = Some(Arc::clone(&track.latest));
        if let Some(since) = track.in_doubt_since() {
            view.doubt.want(
                self.picture,
                &subject,
                since,
                &self.picture.service_settings(self.service),
            );
        }
        // What cannot be verified stays as it was; only that it works has to be seen anew.
        let Some(settled) = track.settled.as_ref() else {
            return view;
        };
        let fresh = track.fresh(now).is_some();
        match settled.health {
            Health::Good | Health::Unrunnable => {
                view.state = if fresh { State::Flowing } else { State::Unknown };
                view.warning = self.expires_soon(settled, now);
            }
            Health::Refused => view.warning = Some(self.refusal(settled)),
            Health::Failed(Code::ServiceUnreachable) | Health::Settled(Code::ServiceUnreachable) => {
                self.unreachable(settled, now, &mut view);
            }
            Health::Failed(code) | Health::Settled(code) => {
                view.state = State::Degraded;
                view.finding = Some(self.bad_certificate(code, settled));
                // One certificate serves several more often than not: they are renewed together.
                for other in self.domain.services.iter().filter(|other| *other != self.service) {
                    self.hear_itself_after(&Subject::Service(other.clone()), &mut view.doubt);
                }
                view.since = settled.since();
            }
        }
        view
    }

    fn unreachable(&self, settled: &Settled, now: Timestamp, view: &mut ServiceView) {
        let Evidence::Service(evidence) = &settled.observation.evidence else {
            return;
        };
        let no_address = matches!(
            evidence.failure.as_ref().map(|failure| &failure.kind),
            Some(Kind::NoAddress { .. })
        );
        let ours = self.own.offline.is_some()
            || (no_address && self.own.masks_dns().is_some())
            || (self.service.port == SMTP_PORT && self.own.masks_smtp().is_some());
        if ours {
            return;
        }
        view.state = State::Broken;
        view.since = settled.since();
        if !evidence.has_replied()
            && !no_address
            && let Some(finding) = self.behind(settled, now, &mut view.doubt)
        {
            view.finding = Some(finding);
            return;
        }
        self.hear_others(settled, no_address, &mut view.doubt);
        let label = self.service.label();
        let detail = format!("{label}: {}.", summary(&settled.observation));
        let found = Finding::new(Code::ServiceUnreachable, self.root(), label, detail)
            .on([Arc::clone(&settled.observation)])
            .seen_from(self.picture);
        view.finding = Some(found);
    }

    /// The gateway in front that is down, if one is. That it is down explains enough; to clear it takes newer
    /// evidence.
    fn behind(&self, settled: &Settled, now: Timestamp, doubt: &mut Doubt) -> Option<Finding> {
        for address in self.picture.service_addresses(self.service) {
            for front in self.picture.gateways_of(address) {
                if let GatewayState::Down(finding) = gateway(self.picture, front, now, doubt) {
                    let finding = finding.on([Arc::clone(&settled.observation)]);
                    return Some(finding.giving(State::Degraded));
                }
                doubt.want(self.picture, &front.subject(), settled.doubted(), &front.settings);
                if let Some(back) = back_behind(self.picture, front) {
                    let itself = Subject::Service(self.service.clone());
                    let settings = self.picture.service_settings(self.service);
                    doubt.want(self.picture, &itself, back, &settings);
                }
            }
        }
        None
    }

    /// Whoever could explain it is heard first: our line and resolver, the machine's mail server, the domain's other
    /// services. And what has just recovered beside it says that the service may have recovered as well.
    fn hear_others(&self, settled: &Settled, no_address: bool, doubt: &mut Doubt) {
        let picture = self.picture;
        doubt.want_line(picture, settled.doubted());
        if self.service.port == SMTP_PORT {
            doubt.want_port25(picture, settled.doubted());
        }
        if no_address {
            doubt.want_resolvers(picture, settled.doubted());
        }
        let mail = picture
            .service_addresses(self.service)
            .into_iter()
            .map(|address| SocketAddr::new(address, SMTP_PORT))
            .map(|address| (Subject::Smtp(address), picture.smtp_settings(address)));
        let others = self.domain.services.iter().filter(|other| *other != self.service);
        let others = others.map(|other| (Subject::Service(other.clone()), picture.service_settings(other)));
        for (subject, settings) in mail.chain(others) {
            if picture.track(&subject).is_none() {
                continue;
            }
            doubt.want(picture, &subject, settled.doubted(), &settings);
            self.hear_itself_after(&subject, doubt);
        }
    }

    /// When something beside it has recovered, the service is heard anew: it may have recovered as well.
    fn hear_itself_after(&self, other: &Subject, doubt: &mut Doubt) {
        let track = self.picture.track(other);
        if let Some(back) = track.and_then(crate::picture::Track::recovered_at) {
            let itself = Subject::Service(self.service.clone());
            let settings = self.picture.service_settings(self.service);
            doubt.want(self.picture, &itself, back, &settings);
        }
    }

    fn root(&self) -> Root {
        Root {
            kind: RootKind::Service,
            client: self.domain.client.clone(),
            name: self.service.to_string().into(),
        }
    }

    fn bad_certificate(&self, code: Code, settled: &Settled) -> Finding {
        let shown = match &settled.observation.evidence {
            Evidence::Service(evidence) => certificate(evidence, self.service, settled.observation.ended()),
            _ => None,
        };
        let detail = shown.map(|(_, detail)| detail).unwrap_or_default();
        Finding::new(code, self.root(), self.service.label(), detail).on([Arc::clone(&settled.observation)])
    }

    fn expires_soon(&self, settled: &Settled, now: Timestamp) -> Option<Finding> {
        let Evidence::Service(evidence) = &settled.observation.evidence else {
            return None;
        };
        let left = left(evidence, now).filter(|left| *left < WORTH_A_WARNING)?;
        let until = evidence.tls.as_ref()?.certificate.as_ref()?.not_after;
        let label = self.service.label();
        let detail = format!("The certificate of {label}: {}", days_left(left, until));
        let found = Finding::new(Code::ServiceCertificateExpiring, self.root(), label, detail);
        Some(
            found
                .giving(State::Flowing)
                .on([Arc::clone(&settled.observation)]),
        )
    }

    fn refusal(&self, settled: &Settled) -> Finding {
        let label = self.service.label();
        let detail = format!("{label}: {}.", summary(&settled.observation));
        Finding::new(Code::VantageRefused, self.root(), label, detail).on([Arc::clone(&settled.observation)])
    }
}
