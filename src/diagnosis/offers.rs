//! What a mail server used to offer and offers no more, or only much less of (`semantics` 8).
//!
//! STARTTLS has codes of its own. For the rest the catalogue has none, and mail flows without them, so they are warnings
//! under the code that senders would meet: without SIZE (RFC 1870), or with a much smaller limit, messages that used to
//! pass are `message.too-large`; without 8BITMIME (RFC 6152) those that cannot be rewritten in seven bits are refused for
//! what is in them (5.6.3), `message.content`.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::model::{Code, DomainName, Observation, Root, RootKind, State};
use crate::picture::{Offered, Picture};

use super::finding::Finding;

/// A limit that has shrunk to one part in so many is told; administrators adjust it by less all the time.
const DRASTIC: u64 = 2;
/// What usually is behind it.
const SUSPECT: &str = "A changed setting, or a firewall that rewrites the conversation, does this; if it is meant, \
    approve the domain's servers.";

/// What somebody should know of what a server no longer offers.
pub(super) fn lost_offers(
    picture: &Picture,
    host: &DomainName,
    address: SocketAddr,
    observation: &Arc<Observation>,
) -> Vec<Finding> {
    let Some((before, now)) = picture.learnt.offers(address) else {
        return Vec::new();
    };
    let label = format!("{host} ({})", address.ip());
    let make = |code, what: String| {
        let root = Root {
            kind: RootKind::MxHost,
            client: None,
            name: host.as_str().into(),
        };
        Finding::new(code, root, label.clone(), format!("{label} {what}. {SUSPECT}"))
            .giving(State::Flowing)
            .on([Arc::clone(observation)])
    };
    let size = smaller(before, now).map(|what| make(Code::MessageTooLarge, what));
    let eight_bit = before.eight_bit_mime && !now.eight_bit_mime;
    let eight_bit = eight_bit.then(|| {
        let what =
            "no longer offers 8BITMIME, which it did: some messages with umlauts come back to their senders";
        make(Code::MessageContent, what.into())
    });
    size.into_iter().chain(eight_bit).collect()
}

/// What has become of the limit of a message's size, where it matters.
fn smaller(before: Offered, now: Offered) -> Option<String> {
    let once = before.size?;
    match now.size {
        None if once == 0 => Some("no longer offers SIZE, which it did".into()),
        None => Some(format!(
            "no longer says how large a message may be (SIZE); it was {}",
            bytes(once)
        )),
        // 0 is no limit that anybody states.
        Some(limit) if limit > 0 && limit <= once / DRASTIC => Some(format!(
            "takes messages of {} at most (SIZE); it was {}",
            bytes(limit),
            bytes(once)
        )),
        Some(_) => None,
    }
}

/// A number of bytes as people say it.
fn bytes(count: u64) -> String {
    let round = |unit: u64| (count + unit / 2) / unit;
    match count {
        0..1_000_000 => format!("{} kB", round(1000)),
        1_000_000..1_000_000_000 => format!("{} MB", round(1_000_000)),
        _ => format!("{} GB", round(1_000_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1_000_000;

    #[rstest::rstest]
    #[case(Some(50 * MB), Some(50 * MB), None)]
    #[case(Some(50 * MB), Some(26 * MB), None)]
    #[case(Some(50 * MB), Some(25 * MB), Some("takes messages of 25 MB at most (SIZE); it was 50 MB"))]
    #[case(Some(50 * MB), Some(0), None)]
    #[case(Some(0), Some(10 * MB), None)]
    #[case(
        Some(36_700_160),
        None,
        Some("no longer says how large a message may be (SIZE); it was 37 MB")
    )]
    #[case(Some(0), None, Some("no longer offers SIZE, which it did"))]
    #[case(None, Some(1000), None)]
    fn a_limit_that_shrank(
        #[case] before: Option<u64>,
        #[case] now: Option<u64>,
        #[case] told: Option<&str>,
    ) {
        let offered = |size| Offered {
            size,
            eight_bit_mime: true,
        };
        assert_eq!(smaller(offered(before), offered(now)).as_deref(), told);
    }
}
