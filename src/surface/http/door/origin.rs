//! Where a request comes from.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};

/// The other end of the connection.
#[derive(Debug, Clone, Copy)]
pub(in crate::surface::http) struct Peer(pub(in crate::surface::http) SocketAddr);

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address that a request comes from: the peer's, or, where a proxy on this machine hands it on, the last that this
/// proxy names. What other proxies say is not believed: anybody can say it.
pub(super) fn origin(peer: Option<Peer>, headers: &HeaderMap) -> Option<IpAddr> {
    let peer = peer?.0.ip().to_canonical();
    if !peer.is_loopback() {
        return Some(peer);
    }
    let last = headers.get_all(FORWARDED_FOR).iter().next_back();
    let named = last
        .and_then(|value| value.to_str().ok())
        .and_then(|list| list.rsplit(',').next()?.trim().parse().ok());
    Some(named.map_or(peer, |named: IpAddr| named.to_canonical()))
}

/// What counts as one origin where attempts are counted: whoever has an IPv6 address has 2^64 of them.
pub(super) fn neighbourhood(origin: Option<IpAddr>) -> u64 {
    match origin.map(|address| address.to_canonical()) {
        Some(IpAddr::V4(address)) => u64::from(address.to_bits()),
        Some(IpAddr::V6(address)) => u64::try_from(address.to_bits() >> 64).unwrap_or(u64::MAX),
        None => u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::direct("203.0.113.9:4711", None, "203.0.113.9")]
    #[case::lies("203.0.113.9:4711", Some("10.0.0.1"), "203.0.113.9")]
    #[case::proxy("127.0.0.1:4711", Some("10.0.0.1, 203.0.113.9"), "203.0.113.9")]
    #[case::proxy_says_nonsense("[::1]:4711", Some("unknown"), "::1")]
    #[case::mapped("[::ffff:203.0.113.9]:1", None, "203.0.113.9")]
    fn only_a_proxy_on_this_machine_is_believed(
        #[case] peer: &str,
        #[case] forwarded: Option<&'static str>,
        #[case] expected: &str,
    ) {
        let mut headers = HeaderMap::new();
        if let Some(forwarded) = forwarded {
            headers.append(FORWARDED_FOR, "198.51.100.77".parse().unwrap());
            headers.append(FORWARDED_FOR, forwarded.parse().unwrap());
        }
        let found = origin(Some(Peer(peer.parse().unwrap())), &headers);
        assert_eq!(found, Some(expected.parse().unwrap()));
    }
}
