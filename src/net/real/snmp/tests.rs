//! Against sockets of this machine's loopback interface that play an agent.

use snmp2::pdu::Pdu;

use super::*;

const LIMIT: Duration = Duration::from_secs(5);
const SHORT: Duration = Duration::from_millis(60);

fn community() -> Credentials {
    Credentials::Community("secret-word".into())
}

fn uptime() -> Vec<ObjectId> {
    vec![vec![1, 3, 6, 1, 2, 1, 1, 3, 0]]
}

/// An agent that answers every packet by what `reply` makes of it; if that is empty, not at all.
async fn agent(mut reply: impl FnMut(&[u8]) -> Vec<u8> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            let packet = reply(&buffer[..length]);
            if !packet.is_empty() {
                socket.send_to(&packet, from).await.unwrap();
            }
        }
    });
    at
}

/// The question itself as an answer (tag 0xa2, RFC 3416 3), with 7 ticks where it had NULL.
fn answered(question: &[u8]) -> Vec<u8> {
    let pdu = Pdu::from_bytes(question).unwrap();
    assert_eq!(pdu.community, b"secret-word");
    let mut answer = question.to_vec();
    let request = answer.iter().position(|byte| *byte == 0xa0).unwrap();
    answer[request] = 0xa2;
    let null = answer.len() - 2;
    answer.truncate(null);
    answer.extend([0x43, 0x01, 0x07]);
    // One byte more in each of the four lengths around the value.
    let sizes = [1, request + 1];
    for at in sizes {
        answer[at] += 1;
    }
    let list = request + 2 + 3 * 2 + usize::from(question[request + 3]) - 1;
    let list = (list..answer.len()).find(|at| answer[*at] == 0x30).unwrap();
    answer[list + 1] += 1;
    answer[list + 3] += 1;
    answer
}

#[tokio::test]
async fn an_answer_is_read() {
    let at = agent(answered).await;
    let values = get(at, &community(), &uptime(), LIMIT).await;
    assert_eq!(values, Ok(vec![SnmpValue::Number(7)]));
}

#[tokio::test]
async fn a_question_that_was_lost_is_asked_again() {
    let mut heard = 0;
    let at = agent(move |question| {
        heard += 1;
        if heard == 1 {
            Vec::new()
        } else {
            answered(question)
        }
    })
    .await;
    let values = get(at, &community(), &uptime(), Duration::from_secs(1)).await;
    assert_eq!(values, Ok(vec![SnmpValue::Number(7)]));
}

#[tokio::test]
async fn silence_and_a_closed_port_are_told_apart() {
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = silent.local_addr().unwrap();
    assert_eq!(
        get(at, &community(), &uptime(), SHORT).await,
        Err(SnmpFailure::Silent)
    );
    drop(silent);
    assert_eq!(
        get(at, &community(), &uptime(), LIMIT).await,
        Err(SnmpFailure::Closed)
    );
}

#[tokio::test]
async fn hostile_bytes_do_no_harm() {
    let nested: Vec<u8> = std::iter::repeat_n([0x30, 0x80], 700).flatten().collect();
    for bytes in [
        vec![0x30],
        vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
        vec![0xff; 1400],
        nested,
        b"not snmp at all".to_vec(),
    ] {
        let said = bytes.clone();
        let at = agent(move |_| said.clone()).await;
        for credentials in [community(), user()] {
            let failed = get(at, &credentials, &uptime(), LIMIT).await.unwrap_err();
            assert!(
                matches!(failed, SnmpFailure::Malformed | SnmpFailure::Denied),
                "{bytes:?}: {failed:?}"
            );
        }
    }
}

fn user() -> Credentials {
    Credentials::User {
        name: "mailflow".into(),
        auth: (SnmpAuth::Sha256, "authentication".into()),
        privacy: Some((SnmpCipher::Aes128, "confidential".into())),
    }
}

#[test]
fn no_secret_shows_in_debug() {
    let shown = format!("{:?} {:?}", community(), user());
    for secret in ["secret-word", "authentication", "confidential"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// The library reads what an agent sends in a task of its own; what it makes of the values is ours.
#[test]
fn fuzzed_packets_are_read() {
    crate::fuzzing::feed("snmp", &["public", "\u{30}\u{7f}"], |bytes| {
        let Ok(packet) = Pdu::from_bytes(bytes) else {
            return;
        };
        for (_, value) in packet.varbinds {
            if let SnmpValue::Text(text) = read(&value) {
                assert!(text.len() <= LONGEST_TEXT);
            }
        }
    });
}

#[test]
fn a_text_is_cut() {
    let text = read(&Value::OctetString(&[b'a'; 5000]));
    assert_eq!(text, SnmpValue::Text(vec![b'a'; LONGEST_TEXT]));
}
