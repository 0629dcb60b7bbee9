//! Against sockets of this machine's loopback interface. No test waits for a time to pass but for an answer that
//! never comes, and then a short one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::rdata::{MX, SOA};
use hickory_proto::rr::{Name, RData, Record};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::*;
use crate::model::DomainName;
use crate::net::dns::{RecordData, RecordType, rcode};

const LIMIT: Duration = Duration::from_secs(5);
const SHORT: Duration = Duration::from_millis(40);

fn question() -> Question {
    Question::recursive(&DomainName::parse("acme.test").unwrap(), RecordType::Mx)
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

/// The answer to a question, as a server without fault gives it.
fn answer(asked: &Message) -> Message {
    let mut answer = Message::response(asked.metadata.id, asked.metadata.op_code);
    answer.metadata.recursion_desired = asked.metadata.recursion_desired;
    answer.add_query(asked.queries[0].clone());
    answer.set_edns(Edns::new());
    answer.add_answer(Record::from_rdata(
        name("acme.test."),
        60,
        RData::MX(MX::new(10, name("MX.acme.test."))),
    ));
    answer
}

/// Serves UDP on a free port: each datagram is answered by what `reply` makes of it.
pub(super) async fn serve(mut reply: impl FnMut(Message) -> Vec<Message> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            for message in reply(Message::from_vec(&buffer[..length]).unwrap()) {
                socket.send_to(&message.to_vec().unwrap(), from).await.unwrap();
            }
        }
    });
    at
}

#[tokio::test]
async fn an_answer_comes_with_its_flags_and_extended_errors() {
    let server = serve(|asked| {
        assert!(asked.metadata.authentic_data, "AD asks for AD");
        assert!(!asked.edns.as_ref().unwrap().flags().dnssec_ok, "no signatures");
        let mut reply = answer(&asked);
        reply.metadata.authentic_data = true;
        reply.metadata.authoritative = true;
        let mut edns = Edns::new();
        let mut data = 22_u16.to_be_bytes().to_vec();
        data.extend(b"no \x1bservers");
        edns.options_mut().insert(EdnsOption::Unknown(15, data));
        reply.set_edns(edns);
        reply.add_authority(Record::from_rdata(
            name("acme.test."),
            900,
            RData::SOA(SOA::new(name("ns."), name("a."), 7, 1, 1, 1, 30)),
        ));
        vec![reply]
    })
    .await;
    let answer = RealNet::new().ask(server, &question(), LIMIT).await.unwrap();
    assert!(answer.authentic && answer.authoritative);
    assert_eq!(answer.answers[0].data, RecordData::Mx(10, "MX.acme.test.".into()));
    assert_eq!(answer.answers[0].ttl, Duration::from_mins(1));
    assert_eq!(
        (answer.extended[0].code, answer.extended[0].text.as_str()),
        (22, "no \\x1bservers")
    );
    let negative_ttl = Duration::from_secs(30);
    assert_eq!(
        answer.authority[0].data,
        RecordData::Soa {
            origin: DomainName::from_dns("ns.").ok(),
            serial: 7,
            refresh: Duration::from_secs(1),
            retry: Duration::from_secs(1),
            negative_ttl
        }
    );
}

#[tokio::test]
async fn extended_bits_of_the_code_are_read() {
    let server = serve(|asked| {
        let mut reply = answer(&asked);
        reply.metadata.response_code = ResponseCode::BADVERS;
        vec![reply]
    })
    .await;
    let answer = RealNet::new().ask(server, &question(), LIMIT).await.unwrap();
    assert_eq!(answer.rcode, 16);
}

#[tokio::test]
async fn what_answers_another_question_is_passed_over() {
    let server = serve(|asked| {
        let mut empty = answer(&asked);
        empty.answers.clear();
        let mut foreign = empty.clone();
        foreign.metadata.id = asked.metadata.id.wrapping_add(1);
        let mut other = empty.clone();
        other.queries[0].set_name(name("other.test."));
        let mut question = empty;
        question.metadata.message_type = MessageType::Query;
        vec![foreign, other, question, answer(&asked)]
    })
    .await;
    let answer = RealNet::new().ask(server, &question(), LIMIT).await.unwrap();
    assert_eq!(answer.answers.len(), 1);
}

#[tokio::test]
async fn nothing_but_strangers_is_malformed_and_many_end_the_waiting() {
    let one = |asked: Message| {
        let mut foreign = answer(&asked);
        foreign.metadata.id = asked.metadata.id.wrapping_add(1);
        foreign
    };
    let few = serve(move |asked| vec![one(asked)]).await;
    let flood = serve(move |asked| vec![one(asked); 200]).await;
    let net = RealNet::new();
    let malformed = Err(AskError::Malformed("an answer to another question".into()));
    assert_eq!(net.ask(few, &question(), SHORT).await, malformed);
    let patient = question();
    let asked = net.ask(flood, &patient, Duration::from_hours(1));
    assert_eq!(tokio::time::timeout(LIMIT, asked).await, Ok(malformed));
}

#[tokio::test]
async fn a_lost_question_is_sent_again_and_silence_is_a_timeout() {
    let mut heard = 0;
    let server = serve(move |asked| {
        heard += 1;
        if heard < 3 { vec![] } else { vec![answer(&asked)] }
    })
    .await;
    let net = RealNet::new();
    assert!(net.ask(server, &question(), Duration::from_secs(1)).await.is_ok());
    let silent = serve(|_| vec![]).await;
    assert_eq!(net.ask(silent, &question(), SHORT).await, Err(AskError::Timeout));
}

#[tokio::test]
async fn a_closed_port_is_known_at_once() {
    let closed = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = closed.local_addr().unwrap();
    drop(closed);
    assert_eq!(
        RealNet::new().ask(at, &question(), Duration::from_hours(1)).await,
        Err(AskError::Unreachable("the port is closed".into()))
    );
}

#[tokio::test]
async fn what_is_cut_off_is_asked_for_over_tcp() {
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = tcp.local_addr().unwrap();
    let udp = UdpSocket::bind(at).await.unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        let (length, from) = udp.recv_from(&mut buffer).await.unwrap();
        // Cut in the middle of a record, as some do.
        let mut cut = answer(&Message::from_vec(&buffer[..length]).unwrap())
            .to_vec()
            .unwrap();
        cut[2] |= 0x02;
        udp.send_to(&cut[..cut.len() - 20], from).await.unwrap();
        let (mut stream, _) = tcp.accept().await.unwrap();
        let mut question = vec![0; usize::from(stream.read_u16().await.unwrap())];
        stream.read_exact(&mut question).await.unwrap();
        let mut whole = answer(&Message::from_vec(&question).unwrap());
        for preference in 0..300 {
            let mx = MX::new(preference, name("mx.acme.test."));
            whole.add_answer(Record::from_rdata(name("acme.test."), 60, RData::MX(mx)));
        }
        let bytes = whole.to_vec().unwrap();
        stream
            .write_u16(u16::try_from(bytes.len()).unwrap())
            .await
            .unwrap();
        stream.write_all(&bytes).await.unwrap();
    });
    let answer = RealNet::new().ask(at, &question(), LIMIT).await.unwrap();
    assert_eq!(answer.answers.len(), 301);
}

#[tokio::test]
async fn what_is_cut_off_and_has_no_tcp_says_so() {
    let server = serve(|asked| {
        let mut reply = answer(&asked);
        reply.metadata.truncation = true;
        vec![reply]
    })
    .await;
    let error = RealNet::new().ask(server, &question(), LIMIT).await.unwrap_err();
    insta::assert_snapshot!(error, @"not reachable: the answer was cut off, and over TCP: connection refused");
}

#[tokio::test]
async fn a_server_from_before_edns_is_asked_without() {
    let asked_with = Arc::new(AtomicUsize::new(0));
    let count = asked_with.clone();
    let server = serve(move |asked| {
        if asked.edns.is_some() {
            count.fetch_add(1, Ordering::Relaxed);
            return vec![Message::error_msg(
                asked.metadata.id,
                asked.metadata.op_code,
                ResponseCode::FormErr,
            )];
        }
        let mut reply = answer(&asked);
        reply.edns = None;
        vec![reply]
    })
    .await;
    let answer = RealNet::new().ask(server, &question(), LIMIT).await.unwrap();
    assert_eq!((answer.rcode, answer.answers.len()), (rcode::NO_ERROR, 1));
    assert_eq!(asked_with.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn connections_open_or_say_why_not() {
    let net = RealNet::new();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    let connection = net.dial(at, LIMIT).await.unwrap();
    assert_eq!(connection.source, Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    drop(listener);
    assert_eq!(net.dial(at, LIMIT).await.map(|_| ()), Err(DialError::Refused));
}

#[tokio::test]
async fn this_machine_answers_its_own_pings_where_it_may_send_any() {
    let plan = PingPlan {
        count: 3,
        spacing: Duration::from_millis(1),
        wait: LIMIT,
    };
    match RealNet::new().ping(Ipv4Addr::LOCALHOST.into(), plan).await {
        Ok(report) => assert_eq!((report.sent, report.round_trips.len()), (3, 3)),
        Err(error) => assert_eq!(error, PingError::NotPermitted),
    }
}
