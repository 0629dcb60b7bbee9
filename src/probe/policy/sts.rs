//! MTA-STS: the record, and the policy that it announces (RFC 8461 3). The policy is fetched at each look, since a
//! sender that meets the domain for the first time has to fetch it as well; what was read last is kept for as long as
//! senders may remember it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use futures_util::future::join;

use super::{Looker, below};
use crate::model::dns::AddressEvidence;
use crate::model::policy::sts::{is_meant_as, is_sts, sts_id};
use crate::model::policy::{HeldPolicy, StsEvidence, StsFetch, StsMode, StsOutcome, StsPolicy, Texts};
use crate::model::text::clean;
use crate::model::{DialError, DomainName};
use crate::net::trust::Trust;
use crate::net::{FetchError, FetchLimits, Fetched, Net, Page};
use crate::probe::ask::{self, LocalFault};

const PATH: &str = "/.well-known/mta-sts.txt";
/// Bytes of a policy (RFC 8461 3.3).
const LARGEST: usize = 64 * 1024;
/// Lines of it that are kept as evidence, and characters of each.
const LINES: usize = 60;
const LINE: usize = 300;

/// Looks at both records and the policy. `held` is what was read last, where senders may still remember it.
pub(super) async fn look<N: Net>(
    looker: &Looker<'_, N>,
    trust: &Trust,
    domain: &DomainName,
    held: Option<&HeldPolicy>,
) -> Result<StsEvidence, LocalFault> {
    let (record, tls_rpt) = join(
        texts(looker, "_mta-sts", domain, "sts"),
        texts(looker, "_smtp._tls", domain, "tlsrpt"),
    )
    .await;
    let (record, tls_rpt) = (record?, tls_rpt?);
    let announced = match record.records().map(Vec::as_slice) {
        Some([one]) if is_sts(one) => sts_id(one).ok(),
        _ => None,
    };
    let now = looker.net.now();
    let mut seen = StsEvidence {
        record,
        fetch: None,
        held: held.filter(|held| held.holds_at(now)).cloned().map(Box::new),
        tls_rpt,
    };
    if let Some(id) = announced
        && let Some(host) = below("mta-sts", domain)
    {
        let (fetch, policy) = fetch(looker, trust, &host).await?;
        if let Some(policy) = policy {
            let read = HeldPolicy {
                id,
                policy,
                fetched: now,
            };
            seen.held = Some(Box::new(read)).filter(|read| read.policy.mode != StsMode::None);
        }
        seen.fetch = Some(Box::new(fetch));
    }
    Ok(seen)
}

async fn texts<N: Net>(
    looker: &Looker<'_, N>,
    prefix: &str,
    domain: &DomainName,
    mark: &str,
) -> Result<Texts, LocalFault> {
    match below(prefix, domain) {
        Some(name) => looker.texts(&name, |text| is_meant_as(text, mark)).await,
        None => Ok(Texts::NoData { ttl: Duration::ZERO }),
    }
}

async fn fetch<N: Net>(
    looker: &Looker<'_, N>,
    trust: &Trust,
    host: &DomainName,
) -> Result<(StsFetch, Option<StsPolicy>), LocalFault> {
    let url = format!("https://{host}{PATH}");
    let found = match locate(looker, host).await? {
        Ok(found) => found,
        Err(outcome) => {
            let fetch = StsFetch {
                url,
                address: None,
                outcome,
            };
            return Ok((fetch, None));
        }
    };
    let page = Page {
        host: host.as_str(),
        path: PATH,
        addresses: &found,
        form: None,
    };
    let limits = FetchLimits {
        time: looker.deadline.left(looker.net),
        bytes: LARGEST,
    };
    let (outcome, policy) = match looker.net.fetch(&page, trust, limits).await {
        Ok(fetched) => read(&fetched),
        Err(error) => (failure(&error), None),
    };
    let fetch = StsFetch {
        url,
        address: found.first().map(SocketAddr::ip),
        outcome,
    };
    Ok((fetch, policy))
}

/// The addresses of the policy host, or why there is nobody to fetch from.
async fn locate<N: Net>(
    looker: &Looker<'_, N>,
    host: &DomainName,
) -> Result<Result<Vec<SocketAddr>, StsOutcome>, LocalFault> {
    let half = looker.deadline.left_of(looker.net, 1, 2);
    let told = ask::addresses(looker.net, looker.context, host, half).await?;
    let evidence = AddressEvidence {
        server: told.v4.server,
        v4: told.v4(host),
        v6: told.v6(host),
        alias_of: None,
    };
    let usable: Vec<SocketAddr> = evidence
        .addresses()
        .filter(|address| !leads_inside(*address))
        .filter(|address| looker.context.ipv6 || address.is_ipv4())
        .map(|address| SocketAddr::new(address, 443))
        .take(4)
        .collect();
    if !usable.is_empty() {
        return Ok(Ok(usable));
    }
    let reason = format!("{host}: {}", evidence.v4.outcome());
    let nowhere = evidence.v4.is_definite() && evidence.v6.is_definite();
    Ok(Err(if !nowhere {
        StsOutcome::Untold { reason }
    } else if let Some(address) = evidence.addresses().next()
        && evidence.addresses().all(leads_inside)
    {
        // From there nobody else gets it either.
        StsOutcome::Failed {
            reason: format!("{host} leads to {address}, where nobody on the internet finds anything"),
            text: None,
        }
    } else if evidence.addresses().next().is_some() {
        StsOutcome::Untold {
            reason: format!("{host} has only IPv6 addresses, which we cannot reach"),
        }
    } else {
        StsOutcome::Failed {
            reason: format!("{host} has no address"),
            text: None,
        }
    }))
}

/// Whether an address is one that only this machine or its own network segment has: ours, not theirs. Whoever owns a
/// domain could otherwise have us ask our own services, or those of the cloud that we run in. Private addresses are left:
/// a company may well give out its policy within its own network.
fn leads_inside(address: IpAddr) -> bool {
    /// What clouds tell a machine about itself, beside the link-local addresses.
    const METADATA: [IpAddr; 3] = [
        IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
        IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
        IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    ];
    let address = embedded(address);
    let nobodys = address.is_unspecified() || address.is_loopback() || address.is_multicast();
    let local = match address {
        IpAddr::V4(address) => address.is_link_local() || address.is_broadcast() || address.octets()[0] == 0,
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    nobodys || local || METADATA.contains(&address)
}

/// The IPv4 address within an IPv6 one (mapped, and by NAT64: RFC 6052), or the address itself.
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let segments = v6.segments();
    let (high, low) = (u32::from(segments[6]), u32::from(segments[7]));
    match segments[..6] {
        [0x64, 0xff9b, 0, 0, 0, 0] | [0, 0, 0, 0, 0, 0xffff] => Ipv4Addr::from_bits(high << 16 | low).into(),
        _ => address,
    }
}

fn failure(error: &FetchError) -> StsOutcome {
    let reason = error.to_string();
    match error {
        FetchError::Local(_)
        | FetchError::Dial(DialError::Local { .. } | DialError::Unreachable { no_route: true, .. }) => {
            StsOutcome::Untold { reason }
        }
        // A reset may come from a firewall on our own side as well.
        FetchError::Dial(_) => StsOutcome::Silent { reason },
        FetchError::Tls(_) | FetchError::Timeout | FetchError::Http(_) => {
            StsOutcome::Failed { reason, text: None }
        }
    }
}

/// What came, and the policy where it is one.
fn read(fetched: &Fetched) -> (StsOutcome, Option<StsPolicy>) {
    let text = shown(&fetched.body);
    let fault = |reason: String| {
        let outcome = StsOutcome::Failed {
            reason,
            text: Some(text.clone()),
        };
        (outcome, None)
    };
    match fetched.status {
        200 => {}
        301 | 302 | 303 | 307 | 308 => {
            let reason = format!(
                "it answers with a redirect ({}), which senders do not follow",
                fetched.status
            );
            return fault(reason);
        }
        status => return fault(format!("it answers with status {status}")),
    }
    let kind = fetched.content_type.as_deref().unwrap_or("no type at all");
    let bare = kind.split(';').next().unwrap_or_default().trim();
    if !bare.eq_ignore_ascii_case("text/plain") {
        return fault(format!("it is given out as {kind}, not as text/plain"));
    }
    if fetched.cut {
        return fault(format!("it is larger than {} KiB", LARGEST / 1024));
    }
    let Ok(body) = std::str::from_utf8(&fetched.body) else {
        return fault("it is no text".into());
    };
    match StsPolicy::parse(body) {
        Ok(policy) => (StsOutcome::Read { text }, Some(policy)),
        Err(reason) => fault(reason),
    }
}

/// The start of a body, safe to show.
fn shown(body: &[u8]) -> String {
    let lines: Vec<String> = body
        .split(|byte| *byte == b'\n')
        .take(LINES)
        .map(|line| clean(line.strip_suffix(b"\r").unwrap_or(line), LINE))
        .collect();
    lines.join("\n").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::leads_inside;

    #[rstest]
    #[case("127.0.0.1", true)]
    #[case("127.9.9.9", true)]
    #[case("0.0.0.0", true)]
    #[case("0.1.2.3", true)]
    #[case("169.254.169.254", true)]
    #[case("100.100.100.200", true)]
    #[case("224.0.0.1", true)]
    #[case("255.255.255.255", true)]
    #[case("::1", true)]
    #[case("::", true)]
    #[case("fe80::1", true)]
    #[case("ff02::1", true)]
    #[case("fd00:ec2::254", true)]
    #[case("::ffff:127.0.0.1", true)]
    #[case("64:ff9b::a9fe:a9fe", true)]
    #[case("10.0.0.5", false)]
    #[case("192.168.1.1", false)]
    #[case("fd12::1", false)]
    #[case("198.51.100.80", false)]
    #[case("2001:db8::1", false)]
    fn what_is_ours_is_not_asked(#[case] address: &str, #[case] inside: bool) {
        assert_eq!(leads_inside(address.parse().unwrap()), inside);
    }
}
