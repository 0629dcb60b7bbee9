//! Questions to an SNMP agent: v2c, and v3 with the user-based security model.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use snmp2::v3::{Auth, AuthProtocol, Cipher, Security};
use snmp2::{AsyncSession, Error, Oid, Value};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::tcp::{local_reason, no_way};
use crate::model::snmp::SnmpFailure;
use crate::net::snmp::{Credentials, ObjectId, SnmpAuth, SnmpCipher, SnmpValue};

/// Copies of a question within its limit: over UDP one may be lost.
const TRIES: u32 = 2;
/// Bytes of a text that are kept.
const LONGEST_TEXT: usize = 1024;
/// How often a v3 agent may make us repeat a question with its newer clock; once is usual.
const MOST_UPDATES: usize = 3;

/// Asks for some values, and gives them in the same order.
pub(super) async fn get(
    peer: SocketAddr,
    credentials: &Credentials,
    objects: &[ObjectId],
    limit: Duration,
) -> Result<Vec<SnmpValue>, SnmpFailure> {
    let mut failure = SnmpFailure::Silent;
    for _ in 0..TRIES {
        let (credentials, objects) = (credentials.clone(), objects.to_vec());
        // A task of its own: what a hostile agent might make the library do ends there.
        let asking = tokio::spawn(async move { ask(peer, &credentials, &objects).await });
        let abort = asking.abort_handle();
        match timeout(limit / TRIES, asking).await {
            Ok(Ok(Ok(values))) => return Ok(values),
            Ok(Ok(Err(failed))) => return Err(failed),
            Ok(Err(_)) => return Err(SnmpFailure::Malformed),
            Err(_) => {
                abort.abort();
                failure = SnmpFailure::Silent;
            }
        }
    }
    Err(failure)
}

async fn ask(
    peer: SocketAddr,
    credentials: &Credentials,
    objects: &[ObjectId],
) -> Result<Vec<SnmpValue>, SnmpFailure> {
    let mut session = open(peer, credentials).await?;
    let oids: Vec<Oid<'_>> = objects
        .iter()
        .map(|object| Oid::from(object).map_err(|_| local("an object identifier that is none")))
        .collect::<Result<_, _>>()?;
    let oids: Vec<&Oid<'_>> = oids.iter().collect();
    for _ in 0..MOST_UPDATES {
        let answer = match session.get_many(&oids).await {
            // The agent has told us its clock: the same question again.
            Err(Error::AuthUpdated) => continue,
            other => other.map_err(|error| failure(&error))?,
        };
        // An agent that lacks one of them may send fewer, or others: each is looked for by its name.
        let given: Vec<(Oid<'_>, Value<'_>)> = answer.varbinds.take(2 * objects.len()).collect();
        let value = |wanted: &&Oid<'_>| {
            let found = given.iter().find(|(name, _)| name == *wanted);
            found.map_or(SnmpValue::Nothing, |(_, value)| read(value))
        };
        return Ok(oids.iter().map(value).collect());
    }
    Err(SnmpFailure::Denied)
}

async fn open(peer: SocketAddr, credentials: &Credentials) -> Result<AsyncSession, SnmpFailure> {
    can_reach(peer).await?;
    let mut random = [0; 4];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| local("no random numbers"))?;
    // Positive, as some agents want it.
    let first = i32::from_be_bytes(random) & i32::MAX;
    let io = |error: std::io::Error| local(local_reason(&error));
    match credentials {
        Credentials::Community(community) => {
            AsyncSession::new_v2c(peer, community.expose_secret().as_bytes(), first)
                .await
                .map_err(io)
        }
        Credentials::User { name, auth, privacy } => {
            let security = security(name, auth, privacy.as_ref());
            let mut session = AsyncSession::new_v3(peer, first, security).await.map_err(io)?;
            session.init().await.map_err(|error| failure(&error))?;
            Ok(session)
        }
    }
}

/// That we have no way there is told before anything is sent.
async fn can_reach(peer: SocketAddr) -> Result<(), SnmpFailure> {
    let any = match peer {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let connected = async { UdpSocket::bind(any).await?.connect(peer).await };
    connected.await.map_err(|error| {
        if no_way(peer.ip(), &error) {
            local("we have no route there")
        } else {
            local(local_reason(&error))
        }
    })
}

fn security(
    name: &str,
    (auth, password): &(SnmpAuth, SecretString),
    privacy: Option<&(SnmpCipher, SecretString)>,
) -> Security {
    let protocol = match auth {
        SnmpAuth::Md5 => AuthProtocol::Md5,
        SnmpAuth::Sha1 => AuthProtocol::Sha1,
        SnmpAuth::Sha224 => AuthProtocol::Sha224,
        SnmpAuth::Sha256 => AuthProtocol::Sha256,
        SnmpAuth::Sha384 => AuthProtocol::Sha384,
        SnmpAuth::Sha512 => AuthProtocol::Sha512,
    };
    let level = match privacy {
        None => Auth::AuthNoPriv,
        Some((cipher, password)) => Auth::AuthPriv {
            cipher: match cipher {
                SnmpCipher::Des => Cipher::Des,
                SnmpCipher::Aes128 => Cipher::Aes128,
                SnmpCipher::Aes192 => Cipher::Aes192,
                SnmpCipher::Aes256 => Cipher::Aes256,
            },
            privacy_password: password.expose_secret().as_bytes().to_vec(),
        },
    };
    Security::new(name.as_bytes(), password.expose_secret().as_bytes())
        .with_auth_protocol(protocol)
        .with_auth(level)
}

fn read(value: &Value<'_>) -> SnmpValue {
    match value {
        Value::Integer(number) => u64::try_from(*number).map_or(SnmpValue::Nothing, SnmpValue::Number),
        Value::Counter32(number) | Value::Unsigned32(number) | Value::Timeticks(number) => {
            SnmpValue::Number(u64::from(*number))
        }
        Value::Counter64(number) => SnmpValue::Number(*number),
        Value::OctetString(bytes) => SnmpValue::Text(bytes.iter().copied().take(LONGEST_TEXT).collect()),
        _ => SnmpValue::Nothing,
    }
}

fn local(reason: impl Into<String>) -> SnmpFailure {
    SnmpFailure::Local {
        reason: reason.into(),
    }
}

/// What an error means. The library's own words are not passed on: nobody has promised that they hold no secret.
fn failure(error: &Error) -> SnmpFailure {
    match error {
        Error::Send | Error::Receive => SnmpFailure::Closed,
        Error::AuthFailure(_) | Error::AuthUpdated | Error::CommunityMismatch | Error::Crypto(_) => {
            SnmpFailure::Denied
        }
        _ => SnmpFailure::Malformed,
    }
}

#[cfg(test)]
mod tests;
