//! From what is known of each part to one state with one root cause (`semantics` 9).

use std::collections::BTreeSet;

use super::super::address::AddressView;
use super::super::dns::{DnsState, domain_root};
use super::super::finding::Finding;
use super::super::host::{HostState, HostView};
use super::super::line::impairment;
use super::{Parts, Rolled};
use crate::model::dns::{Exchange, MxRecord};
use crate::model::{Code, Root, RootKind, State};
use crate::picture::MailHosts;

impl Parts<'_> {
    pub(super) fn roll_up(&self, outage: Option<&Finding>, mail_hosts: &MailHosts<'_>) -> Rolled {
        if let Some(offline) = &self.own.offline {
            return unknown(Some(offline.clone()));
        }
        let mut impaired = match &self.dns {
            DnsState::Broken(finding) => return broken(finding.clone(), Vec::new()),
            DnsState::Unknown(reason) => return unknown(reason.clone()),
            DnsState::Known(findings) => findings.clone(),
        };
        if !self.domain.receives {
            let beside = self.policies.warnings.iter().chain(&self.zone);
            return self.settle(impaired, beside.cloned().collect());
        }
        let failed: Vec<Finding> = self.hosts.iter().filter_map(failure).cloned().collect();
        let usable = self
            .hosts
            .iter()
            .filter(|host| host.state == HostState::Usable)
            .count();
        let unknown_host = self.hosts.iter().find_map(|host| match &host.state {
            HostState::Unknown(reason) => Some(reason.clone()),
            _ => None,
        });
        let resolved = self.hosts.iter().any(|host| !host.addresses.is_empty());
        if let Some(blocked) = self
            .own
            .port25_blocked
            .as_ref()
            .filter(|_| resolved || usable > 0)
        {
            return unknown(Some(blocked.clone()));
        }
        if usable == 0 {
            return match unknown_host {
                Some(reason) => unknown(reason),
                None => self.all_failed(outage, &failed),
            };
        }
        impaired.extend(failed);
        impaired.extend(self.lines());
        impaired.extend(self.hosts.iter().flat_map(|host| host.impaired.iter().cloned()));
        let warnings = self.warnings(mail_hosts);
        self.settle(impaired, warnings)
    }

    /// With something usable: the most serious of what is impaired gives the state.
    fn settle(&self, impaired: Vec<Finding>, warnings: Vec<Finding>) -> Rolled {
        let mut impaired: Vec<Finding> = impaired
            .into_iter()
            .map(|finding| match finding.code.layer() {
                // Broken by itself; for the domain it is one of several ways (or demanded TLS: then it stays).
                "tls" => finding,
                _ => finding.giving(State::Degraded),
            })
            .collect();
        // With a sound way besides, demanded TLS at one host breaks nothing.
        let sound = self.hosts.iter().any(|host| {
            host.state == HostState::Usable && host.impaired.iter().all(|found| found.state != State::Broken)
        });
        if sound {
            for finding in &mut impaired {
                finding.state = State::Degraded;
            }
        }
        impaired.extend(self.policies.findings.iter().cloned());
        impaired.sort_by_key(|finding| {
            (
                std::cmp::Reverse(finding.state.urgency()),
                layer_rank(finding.code),
            )
        });
        let mut impaired = impaired.into_iter();
        match impaired.next() {
            Some(first) => Rolled {
                state: first.state,
                cause: Some(first),
                others: impaired.collect(),
                warnings,
                accepted: Vec::new(),
            },
            None => Rolled {
                state: State::Flowing,
                cause: None,
                others: Vec::new(),
                warnings,
                accepted: Vec::new(),
            },
        }
    }

    fn all_failed(&self, outage: Option<&Finding>, failed: &[Finding]) -> Rolled {
        let symptoms: BTreeSet<Code> = self
            .hosts
            .iter()
            .flat_map(|host| host.addresses.iter().filter_map(AddressView::code))
            .collect();
        let Some(first) = failed.first() else {
            let detail = format!("{} has no host that takes mail.", self.domain.name);
            let root = domain_root(self.domain);
            let none = Finding::new(Code::DnsNoMailHost, root, self.domain.name.as_str(), detail);
            return broken(none, Vec::new());
        };
        if let Some(outage) = outage.filter(|_| failed.iter().all(|one| one.root.kind == RootKind::MxHost)) {
            return broken(outage.clone(), symptoms.into_iter().collect());
        }
        if self.implicit {
            return broken(self.no_mail_host(first), vec![first.code]);
        }
        let hidden = |cause: &Finding| {
            symptoms
                .iter()
                .copied()
                .filter(|code| *code != cause.code)
                .collect()
        };
        if failed.len() == 1 || failed.iter().all(|one| one.root == first.root) {
            let code = first.code;
            // What an address behind a dead router shows by itself is what the router explains.
            let mut under: Vec<Code> = hidden(first);
            if code == Code::GatewayDown {
                under.push(Code::HostUnreachable);
            }
            return broken(first.clone(), under);
        }
        let names: Vec<&str> = self.hosts.iter().map(|host| host.name.as_str()).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        let mut all = first.clone();
        if failed.iter().all(|one| one.root.kind == RootKind::MxHost) {
            all.root = Root {
                kind: RootKind::MxSet,
                client: None,
                name: sorted.join(" ").into(),
            };
            all.subject = names.join(", ");
            all.detail = failed
                .iter()
                .take(4)
                .map(|one| one.detail.as_str())
                .collect::<Vec<_>>()
                .join(" ");
            all.evidence = failed
                .iter()
                .flat_map(|one| one.evidence.iter().cloned())
                .take(8)
                .collect();
        }
        let under = hidden(&all);
        broken(all, under)
    }

    /// What is wrong with the lines to the gateways that its addresses lie behind, each told once.
    fn lines(&self) -> Vec<Finding> {
        let mut found: Vec<Finding> = Vec::new();
        for view in self.hosts.iter().flat_map(|host| &host.addresses) {
            for gateway in self.picture.gateways_of(view.address.ip()) {
                let finding = impairment(self.picture, gateway);
                found.extend(finding.filter(|new| found.iter().all(|known| known.root != new.root)));
            }
        }
        found
    }

    /// No MX, and the domain's own address is no mail host: usually that of a web site.
    fn no_mail_host(&self, seen: &Finding) -> Finding {
        let detail = format!(
            "{} publishes no MX record, and its own address takes no mail. {}",
            self.domain.name, seen.detail
        );
        let root = domain_root(self.domain);
        Finding::new(Code::DnsNoMailHost, root, self.domain.name.as_str(), detail)
            .on(seen.evidence.iter().cloned())
    }

    fn warnings(&self, mail_hosts: &MailHosts<'_>) -> Vec<Finding> {
        let mut warnings: Vec<Finding> = self
            .hosts
            .iter()
            .flat_map(|host| host.warnings.iter().cloned())
            .collect();
        for host in &self.hosts {
            if let HostState::Unknown(Some(reason)) = &host.state {
                warnings.push(reason.clone());
            }
        }
        if self.implicit {
            let detail = format!(
                "{} has no MX record; its own address takes the mail.",
                self.domain.name
            );
            warnings.push(self.about_domain(Code::DnsMxMissing, detail));
        }
        if let MailHosts::Records(records) = mail_hosts {
            warnings.extend(self.odd_records(records));
        }
        warnings.extend(self.policies.warnings.iter().chain(&self.zone).cloned());
        warnings
    }

    fn odd_records(&self, records: &[MxRecord]) -> Option<Finding> {
        let odd: Vec<String> = records
            .iter()
            .filter(|record| !matches!(record.exchange, Exchange::Host(_)))
            .take(5)
            .map(|record| format!("{} {}", record.preference, record.exchange))
            .collect();
        (!odd.is_empty()).then(|| {
            let detail = format!("These MX records lead nowhere: {}.", odd.join(", "));
            self.about_domain(Code::DnsMxInvalid, detail)
        })
    }

    fn about_domain(&self, code: Code, detail: String) -> Finding {
        Finding::new(code, domain_root(self.domain), self.domain.name.as_str(), detail)
    }
}

fn failure(host: &HostView) -> Option<&Finding> {
    match &host.state {
        HostState::Failed(finding) => Some(finding),
        _ => None,
    }
}

fn unknown(reason: Option<Finding>) -> Rolled {
    Rolled {
        state: State::Unknown,
        cause: reason,
        others: Vec::new(),
        warnings: Vec::new(),
        accepted: Vec::new(),
    }
}

/// `symptoms` ride along as bare findings: only their codes are shown.
fn broken(cause: Finding, symptoms: Vec<Code>) -> Rolled {
    let others = symptoms
        .into_iter()
        .map(|code| Finding::new(code, cause.root.clone(), "", ""))
        .collect();
    Rolled {
        state: State::Broken,
        cause: Some(cause),
        others,
        warnings: Vec::new(),
        accepted: Vec::new(),
    }
}

/// Of several equally serious findings the deeper one is the cause: gateway, then DNS, host, SMTP, TLS.
fn layer_rank(code: Code) -> u8 {
    match code.layer() {
        "vantage" => 0,
        "provider" => 1,
        "gateway" => 2,
        "dns" => 3,
        "host" => 4,
        "smtp" => 5,
        "tls" => 6,
        _ => 7,
    }
}
