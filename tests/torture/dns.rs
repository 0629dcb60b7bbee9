//! A name server for `test`, which is asked as a resolver too.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use anyhow::Result;
use hickory_proto::op::{Edns, Message, ResponseCode};
use hickory_proto::rr::rdata::{A, MX, NS, SOA};
use hickory_proto::rr::{Name, RData, Record, RecordType};

use crate::world::{NAME_SERVER, RESOLVER, host};

const TTL: u32 = 5;

/// Answers for as long as the process lives, on threads of its own: a resolver that has no time is another fault.
pub fn serve() -> Result<()> {
    for address in [RESOLVER, NAME_SERVER] {
        let socket = UdpSocket::bind(SocketAddr::from((address, 53)))?;
        // Bursts of questions are not to be lost.
        socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20)?;
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let Ok((length, from)) = socket.recv_from(&mut buffer) else {
                    continue;
                };
                let asked = Message::from_vec(&buffer[..length]);
                if let Some(reply) = asked.ok().and_then(|asked| reply(&asked, address == RESOLVER)) {
                    let _ = socket.send_to(&reply, from);
                }
            }
        });
    }
    Ok(())
}

fn reply(asked: &Message, resolves: bool) -> Option<Vec<u8>> {
    let query = asked.queries.first()?;
    let mut message = Message::response(asked.metadata.id, asked.metadata.op_code);
    message.metadata.recursion_desired = asked.metadata.recursion_desired;
    message.metadata.recursion_available = resolves;
    message.metadata.authoritative = !resolves;
    message.add_query(query.clone());
    message.set_edns(Edns::new());
    let name = query.name().to_ascii().to_ascii_lowercase();
    let (known, data) = records(name.trim_end_matches('.'), query.query_type());
    if !known {
        message.metadata.response_code = ResponseCode::NXDomain;
    }
    match data {
        Some(data) => message.add_answers([Record::from_rdata(query.name().clone(), TTL, data)]),
        None => message.add_authorities([Record::from_rdata(zone(&name), TTL, soa())]),
    };
    message.to_vec().ok()
}

/// Whether there is such a name, and what it has of a kind.
fn records(name: &str, kind: RecordType) -> (bool, Option<RData>) {
    let labels: Vec<&str> = name.split('.').collect();
    let number = |label: &str| -> Option<usize> { label.strip_prefix('d')?.parse().ok() };
    let address = |address: Ipv4Addr| (kind == RecordType::A).then_some(RData::A(A(address)));
    match labels.as_slice() {
        ["" | "test"] => (true, apex(kind)),
        ["probe", "test"] => (true, address(Ipv4Addr::LOCALHOST)),
        ["ns", "test"] => (true, address(NAME_SERVER)),
        ["mx", domain, "test"] => match number(domain) {
            Some(number) => (true, address(host(number))),
            None => (false, None),
        },
        [domain, "test"] if number(domain).is_some() => {
            let exchange = Name::from_ascii(format!("mx.{domain}.test."));
            match (kind, exchange) {
                (RecordType::MX, Ok(exchange)) => (true, Some(RData::MX(MX::new(10, exchange)))),
                _ => (true, apex(kind)),
            }
        }
        _ => (false, None),
    }
}

fn apex(kind: RecordType) -> Option<RData> {
    match kind {
        RecordType::NS => Some(RData::NS(NS(Name::from_ascii("ns.test.").ok()?))),
        RecordType::SOA => Some(soa()),
        _ => None,
    }
}

fn zone(name: &str) -> Name {
    let labels: Vec<&str> = name.trim_end_matches('.').rsplitn(3, '.').collect();
    let zone = match labels.as_slice() {
        [top, second, ..] => format!("{second}.{top}."),
        _ => "test.".to_owned(),
    };
    Name::from_ascii(zone).unwrap_or_else(|_| Name::root())
}

fn soa() -> RData {
    let name = |text| Name::from_ascii(text).unwrap_or_else(|_| Name::root());
    RData::SOA(SOA::new(
        name("ns.test."),
        name("hostmaster.test."),
        1,
        60,
        60,
        600,
        1,
    ))
}
