//! A small internet and ourselves in it, for the tests of the probes.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::Context;
use crate::model::DomainName;
use crate::net::fake::FakeNet;

/// What a probe in these tests may take.
pub(super) const LIMIT: Duration = Duration::from_secs(12);

pub(super) const RESOLVER: IpAddr = v4(192, 0, 2, 52);
pub(super) const SECOND_RESOLVER: IpAddr = v4(192, 0, 2, 53);
pub(super) const PARENT: IpAddr = v4(192, 0, 2, 40);
pub(super) const NS1: IpAddr = v4(198, 51, 100, 53);
pub(super) const NS2: IpAddr = v4(203, 0, 113, 53);
/// NS2's other address.
pub(super) const NS2_V6: IpAddr = IpAddr::V6(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x53));
/// Every address of every name server of acme.test.
pub(super) const NAME_SERVERS: [IpAddr; 3] = [NS1, NS2, NS2_V6];
pub(super) const MX: IpAddr = v4(198, 51, 100, 10);

const ZONES: &str = "
    .                 60 SOA 1 60
    .                 NS a.root.test.
    a.root.test.      A 192.0.2.4
    test.             60 SOA 1 60
    test.             NS ns.nic.test.
    ns.nic.test.      A 192.0.2.40
    acme.test.        600 SOA 7 30
    acme.test.        600 NS ns1.acme.test.
    acme.test.        600 NS ns2.other.test.
    ns1.acme.test.    A 198.51.100.53
    ns2.other.test.   A 203.0.113.53
    ns2.other.test.   AAAA 2001:db8::53
    acme.test.        120 MX 20 mx2.acme.test.
    acme.test.        60 MX 10 mx.acme.test.
    mx.acme.test.     300 A 198.51.100.10
    mx.acme.test.     300 AAAA 2001:db8::10
    mx2.acme.test.    45 CNAME real.acme.test.
    real.acme.test.   90 A 198.51.100.11
    web.acme.test.    A 198.51.100.80
    null.acme.test.   MX 0 .
    odd.acme.test.    MX 0 192.0.2.1.
    odd.acme.test.    MX 0 .
    odd.acme.test.    MX 0 localhost.
";

pub(super) const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(std::net::Ipv4Addr::new(a, b, c, d))
}

pub(super) fn name(text: &str) -> DomainName {
    text.parse().unwrap()
}

/// A world in which all is well.
pub(super) fn world() -> FakeNet {
    let net = FakeNet::new();
    net.load(ZONES).unwrap();
    net.resolver(RESOLVER);
    net.resolver(SECOND_RESOLVER);
    net
}

/// Ourselves: one resolver, no IPv6.
pub(crate) fn context() -> Context {
    Context {
        resolvers: [SocketAddr::new(RESOLVER, 53)].into(),
        root_keys: None,
        helo: "probe.msp.test".into(),
        ipv6: false,
        snmp: std::sync::Arc::default(),
        canaries: std::sync::Arc::default(),
    }
}

/// Ourselves with two resolvers.
pub(super) fn two_resolvers() -> Context {
    Context {
        resolvers: [RESOLVER, SECOND_RESOLVER]
            .map(|server| SocketAddr::new(server, 53))
            .into(),
        ..context()
    }
}
