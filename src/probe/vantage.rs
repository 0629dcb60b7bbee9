//! Our own side: anchors, which witness that our uplink works, and our resolvers.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::ask::{self, Deadline, NoAddress, locate};
use super::{Context, Seen};
use crate::model::dns::{Lookup, ResolverEvidence};
use crate::model::reach::{AnchorEvidence, AnchorOutcome, PingReport};
use crate::model::text::clean;
use crate::model::{Anchor, DialError, Endpoint, Evidence, Reply};
use crate::net::dns::{AskError, Question, RecordData, RecordType};
use crate::net::{Net, PingPlan};

/// A reply of more bytes than this is none.
const LONGEST_REPLY: usize = 8 * 1024;
/// Characters of each line of a greeting that are kept.
const LONGEST_LINE: usize = 512;
/// How long we wait at most for the answer to QUIT: it is courtesy, and proves nothing.
const COURTESY: Duration = Duration::from_secs(2);

/// Asks a witness of our own uplink. A name that does not resolve is a witness that does not answer: on a dead
/// line no name resolves.
pub async fn anchor<N: Net>(net: &N, context: &Context, anchor: &Anchor, timeout: Duration) -> Seen {
    let deadline = Deadline::new(net, timeout);
    let host = match anchor {
        Anchor::Ping { host } | Anchor::Smtp { host, .. } => host,
    };
    let address = match find(net, context, host, timeout / 2).await {
        Ok(address) => address,
        Err(seen) => return *seen,
    };
    let (outcome, source) = match anchor {
        Anchor::Ping { .. } => (ping(net, address, deadline).await, None),
        Anchor::Smtp { port, .. } => {
            let (outcome, source) = smtp(net, SocketAddr::new(address, *port), deadline).await;
            (outcome.map(|outcome| (outcome, None)), source)
        }
    };
    match outcome {
        Ok((outcome, pings)) => Seen {
            evidence: Evidence::Anchor(Box::new(AnchorEvidence {
                address: Some(address),
                outcome,
                pings,
            })),
            source,
        },
        Err(reason) => Seen::unrunnable(reason),
    }
}

async fn find<N: Net>(
    net: &N,
    context: &Context,
    host: &Endpoint,
    limit: Duration,
) -> Result<IpAddr, Box<Seen>> {
    locate(net, context, host, limit).await.map_err(|why| {
        Box::new(match why {
            NoAddress::None(reason) | NoAddress::Untold(reason) => {
                Seen::of(Evidence::Anchor(Box::new(AnchorEvidence {
                    address: None,
                    outcome: AnchorOutcome::Silent { reason },
                    pings: None,
                })))
            }
            NoAddress::Local(reason) => Seen::unrunnable(reason),
        })
    })
}

/// Pings once, as a round; an error is our own inability.
async fn ping<N: Net>(
    net: &N,
    address: IpAddr,
    deadline: Deadline,
) -> Result<(AnchorOutcome, Option<PingReport>), String> {
    let plan = PingPlan::USUAL.within(deadline.left(net));
    let report = match net.ping(address, plan).await {
        Ok(report) => report,
        // That we have no way there is just what an anchor is to tell.
        Err(error @ crate::net::PingError::NoRoute) => {
            let reason = error.to_string();
            return Ok((AnchorOutcome::Silent { reason }, None));
        }
        Err(error) => return Err(error.to_string()),
    };
    let outcome = match report.round_trips.first() {
        Some(after) => AnchorOutcome::Answered {
            after: *after,
            greeting: None,
        },
        None => AnchorOutcome::Silent {
            reason: if report.unreachable {
                "the network says that it is unreachable".into()
            } else {
                format!("{} of {} pings lost", report.lost(), report.sent)
            },
        },
    };
    Ok((outcome, Some(report)))
}

/// Waits for a greeting, whatever it says, and takes leave.
async fn smtp<N: Net>(
    net: &N,
    peer: SocketAddr,
    deadline: Deadline,
) -> (Result<AnchorOutcome, String>, Option<IpAddr>) {
    let silent = |reason: String| Ok(AnchorOutcome::Silent { reason });
    let mut connection = match net.dial(peer, deadline.left(net)).await {
        Ok(connection) => connection,
        Err(DialError::Local { reason }) => return (Err(reason), None),
        Err(error) => return (silent(error.to_string()), None),
    };
    let stream = &mut connection.stream;
    let greeting = tokio::time::timeout(deadline.left(net), read_reply(stream)).await;
    let outcome = match greeting {
        Err(_) => silent("connected, and no greeting came".into()),
        Ok(Err(reason)) => silent(format!("connected, and then: {reason}")),
        Ok(Ok(reply)) => {
            let after = deadline.elapsed(net);
            let courtesy = COURTESY.min(deadline.left(net));
            let _ = tokio::time::timeout(courtesy, take_leave(stream)).await;
            Ok(AnchorOutcome::Answered {
                after,
                greeting: Some(reply),
            })
        }
    };
    (outcome, connection.source)
}

async fn take_leave<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> Result<(), String> {
    let gone = |error: std::io::Error| error.to_string();
    stream.write_all(b"QUIT\r\n").await.map_err(gone)?;
    stream.flush().await.map_err(gone)?;
    read_reply(stream).await.map(|_| ())
}

/// Reads one reply (RFC 5321 4.2.1), multi-line ones included, or says why what came is none.
async fn read_reply<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Reply, String> {
    let mut heard = Vec::new();
    let mut chunk = [0; 1024];
    loop {
        if let Some(reply) = parse_reply(&heard)? {
            return Ok(reply);
        }
        if heard.len() > LONGEST_REPLY {
            return Err("a reply without end".into());
        }
        match stream.read(&mut chunk).await {
            Ok(0) => return Err("it hung up".into()),
            Ok(length) => heard.extend_from_slice(chunk.get(..length).unwrap_or_default()),
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// The first whole reply in `heard`; `None` while its last line is missing.
fn parse_reply(heard: &[u8]) -> Result<Option<Reply>, String> {
    let mut lines = Vec::new();
    for line in heard.split_inclusive(|byte| *byte == b'\n') {
        let Some(line) = line.strip_suffix(b"\n") else {
            return Ok(None);
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let no_reply = || format!("not an SMTP reply: \"{}\"", clean(line, 80));
        let (digits, rest) = line.split_at_checked(3).ok_or_else(no_reply)?;
        let code = std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| digits.parse::<u16>().ok())
            .filter(|code| (200..600).contains(code))
            .ok_or_else(no_reply)?;
        let last = match rest.first() {
            None | Some(b' ') => true,
            Some(b'-') => false,
            Some(_) => return Err(no_reply()),
        };
        lines.push(clean(rest.get(1..).unwrap_or_default(), LONGEST_LINE));
        if last {
            let enhanced = None;
            return Ok(Some(Reply {
                code,
                enhanced,
                lines,
            }));
        }
    }
    Ok(None)
}

/// Asks one of our resolvers for the root's name servers, which every resolver knows.
pub async fn resolver<N: Net>(net: &N, server: SocketAddr, timeout: Duration) -> Seen {
    let question = Question {
        name: None,
        kind: RecordType::Ns,
        recursive: true,
        unchecked: false,
    };
    let outcome = net.ask(server, &question, timeout).await;
    if let Err(AskError::Local(reason)) = outcome {
        return Seen::unrunnable(reason);
    }
    let servers = ask::read(&outcome, None, false, |data| match data {
        RecordData::Ns(_) => Some(()),
        _ => None,
    });
    Seen::of(Evidence::Resolver(Box::new(ResolverEvidence {
        answer: count(servers),
    })))
}

fn count(lookup: Lookup<Vec<()>>) -> Lookup<usize> {
    lookup.map(|records| records.len())
}
