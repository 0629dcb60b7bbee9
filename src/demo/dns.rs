//! The DNS servers of the demo's world, on sockets.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, ResponseCode};
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::rdata::{A, AAAA, CNAME, MX, NS, PTR, SOA, TXT};
use hickory_proto::rr::{self, Name, RData};
use tokio::net::UdpSocket;

use crate::model::DomainName;
use crate::net::dns::{Answer, Question, Record, RecordData, RecordType, rcode};
use crate::net::{FakeNet, Net};

/// How long the world may think about an answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// As much as a question over UDP may take.
const LONGEST: usize = 1232;
/// INFO-CODE and EXTRA-TEXT (RFC 8914 2): the option's number.
const EXTENDED_ERROR: u16 = 15;

/// Opens a socket that answers as the server at `address` of the world, for as long as the process lives.
///
/// # Errors
/// When the machine gives no socket.
pub(super) async fn serve(world: FakeNet, address: IpAddr) -> io::Result<SocketAddr> {
    let socket = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?);
    let at = socket.local_addr()?;
    tokio::spawn(async move {
        let mut buffer = [0; LONGEST];
        loop {
            // An error is the echo of an answer that nobody waited for.
            let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
                continue;
            };
            let Some(asked) = buffer
                .get(..length)
                .and_then(|bytes| Message::from_vec(bytes).ok())
            else {
                continue;
            };
            let (socket, world) = (Arc::clone(&socket), world.clone());
            tokio::spawn(async move {
                if let Some(reply) = reply(&world, address, &asked).await {
                    let _ = socket.send_to(&reply, from).await;
                }
            });
        }
    });
    Ok(at)
}

/// What the server says; nothing where it is silent.
async fn reply(world: &FakeNet, server: IpAddr, asked: &Message) -> Option<Vec<u8>> {
    let query = asked.queries.first()?;
    let mut message = Message::response(asked.metadata.id, asked.metadata.op_code);
    message.metadata.recursion_desired = asked.metadata.recursion_desired;
    message.metadata.recursion_available = true;
    message.add_query(query.clone());
    let Some(kind) = kind(query.query_type()) else {
        message.metadata.response_code = ResponseCode::NotImp;
        return message.to_vec().ok();
    };
    let question = Question {
        name: DomainName::from_dns(&query.name().to_ascii()).ok(),
        kind,
        recursive: asked.metadata.recursion_desired,
        unchecked: asked.metadata.checking_disabled,
    };
    let answer = world
        .ask(SocketAddr::new(server, 53), &question, PATIENCE)
        .await
        .ok()?;
    write(&answer, &mut message);
    message.to_vec().ok()
}

fn write(answer: &Answer, message: &mut Message) {
    message.metadata.authoritative = answer.authoritative;
    message.metadata.authentic_data = answer.authentic;
    message.metadata.response_code = match answer.rcode {
        rcode::NO_ERROR => ResponseCode::NoError,
        rcode::NX_DOMAIN => ResponseCode::NXDomain,
        rcode::REFUSED => ResponseCode::Refused,
        _ => ResponseCode::ServFail,
    };
    message.add_answers(answer.answers.iter().filter_map(record));
    message.add_authorities(answer.authority.iter().filter_map(record));
    message.add_additionals(answer.additional.iter().filter_map(record));
    let mut edns = Edns::new();
    for error in &answer.extended {
        let mut data = error.code.to_be_bytes().to_vec();
        data.extend(error.text.as_bytes());
        edns.options_mut()
            .insert(EdnsOption::Unknown(EXTENDED_ERROR, data));
    }
    message.set_edns(edns);
}

fn record(record: &Record) -> Option<rr::Record> {
    let owner = record.name.as_ref().map_or_else(|| Some(Name::root()), name)?;
    let ttl = u32::try_from(record.ttl.as_secs()).ok()?;
    Some(rr::Record::from_rdata(owner, ttl, data(&record.data)?))
}

fn data(data: &RecordData) -> Option<RData> {
    Some(match data {
        RecordData::A(address) => RData::A(A(*address)),
        RecordData::Aaaa(address) => RData::AAAA(AAAA(*address)),
        RecordData::Mx(preference, exchange) => {
            RData::MX(MX::new(*preference, Name::from_ascii(exchange).ok()?))
        }
        RecordData::Ns(server) => RData::NS(NS(name(server)?)),
        RecordData::Cname(target) => RData::CNAME(CNAME(name(target)?)),
        RecordData::Ptr(target) => RData::PTR(PTR(name(target)?)),
        RecordData::Txt(text) => {
            let parts = text
                .chunks(255)
                .map(|part| String::from_utf8_lossy(part).into_owned());
            RData::TXT(TXT::new(parts.collect()))
        }
        RecordData::Soa {
            origin,
            serial,
            refresh,
            retry,
            negative_ttl,
        } => {
            let origin = origin.as_ref().map_or_else(|| Some(Name::root()), name)?;
            let seconds = |time: &Duration| i32::try_from(time.as_secs()).unwrap_or(i32::MAX);
            let minimum = u32::try_from(negative_ttl.as_secs()).ok()?;
            let contact = Name::from_ascii("hostmaster.example.").ok()?;
            let (refresh, retry) = (seconds(refresh), seconds(retry));
            RData::SOA(SOA::new(
                origin, contact, *serial, refresh, retry, 604_800, minimum,
            ))
        }
        // The world has no such records.
        RecordData::Tlsa(..) | RecordData::Other(_) => return None,
    })
}

fn name(name: &DomainName) -> Option<Name> {
    Name::from_ascii(format!("{name}.")).ok()
}

fn kind(kind: rr::RecordType) -> Option<RecordType> {
    Some(match kind {
        rr::RecordType::A => RecordType::A,
        rr::RecordType::AAAA => RecordType::Aaaa,
        rr::RecordType::MX => RecordType::Mx,
        rr::RecordType::NS => RecordType::Ns,
        rr::RecordType::CNAME => RecordType::Cname,
        rr::RecordType::SOA => RecordType::Soa,
        rr::RecordType::TXT => RecordType::Txt,
        rr::RecordType::PTR => RecordType::Ptr,
        rr::RecordType::TLSA => RecordType::Tlsa,
        rr::RecordType::DS => RecordType::Ds,
        rr::RecordType::DNSKEY => RecordType::Dnskey,
        _ => return None,
    })
}
