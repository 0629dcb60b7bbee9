//! Whoever gives out tokens of OAuth 2.0, at `web`: a token endpoint over HTTPS for the daemon, and over HTTP an
//! introspection endpoint (RFC 7662), where Dovecot asks what a token is worth.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::hosts::Host;
use crate::pki::Flavour;
use crate::post;
use crate::shell;
use crate::worker::Worker;
use crate::world::World;

/// Where the two are.
const ADDRESS: &str = "192.0.2.80";
const TOKENS: u16 = 8443;
const INTROSPECTION: u16 = 8080;
/// What the daemon proves itself with.
const SECRET: &str = "lab-application-secret";
/// Seconds that a token lasts.
const LASTS: u32 = 10;
/// Whose logins are by a token then: ACME's at its own server, and everybody's at the partner's mailboxes.
const SERVERS: [&str; 3] = ["mx.acme.test:587", "mx.acme.test:993", "mx.partner.test:993"];

/// A daemon's configuration with tokens in place of passwords.
pub fn by_token(config: &str) -> String {
    let mut config = config.to_owned();
    for server in SERVERS {
        let login = format!(r#"server = "{server}", username = "canary", "#);
        let password = format!(r#"{login}password = "{}""#, post::PASSWORD);
        let token = format!(
            "{login}auth = {{ type = \"oauth2\", token_url = \"https://{ADDRESS}:{TOKENS}/token\", client_id = \"lab\", \
             client_secret = \"{SECRET}\", scope = \"mail\" }}"
        );
        config = config.replace(&password, &token);
    }
    config
}

/// What Dovecot is told of it.
pub fn dovecot() -> String {
    format!(
        "introspection_mode = get\nintrospection_url = http://{ADDRESS}:{INTROSPECTION}/introspect?token=\n\
         username_attribute = username\nactive_attribute = active\nactive_value = true\n"
    )
}

/// Both endpoints of one world, for as long as they are kept.
pub struct Issuer {
    home: PathBuf,
    _tokens: Worker,
    _introspection: Worker,
}

impl Issuer {
    /// Starts them; nothing was asked so far.
    pub fn start(world: &World) -> Result<Self> {
        let home = world.home(Host::Web);
        for file in ["given", "believed"] {
            shell::replace(&home.join(file), "")?;
        }
        let tls = tls(&world.pki.issue(&[ADDRESS], Flavour::Good)?)?;
        let namespace = world.namespace(Host::Web);
        let (own, others) = (home.clone(), home.clone());
        let tokens = Worker::start(
            &namespace,
            || listen(TOKENS),
            move |listener| async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let (tls, home) = (tls.clone(), own.clone());
                    tokio::spawn(async move {
                        if let Ok(stream) = tls.accept(stream).await {
                            serve(stream, |request| give(&home, request)).await;
                        }
                    });
                }
            },
        )?;
        let introspection = Worker::start(
            &namespace,
            || listen(INTROSPECTION),
            move |listener| async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let home = others.clone();
                    tokio::spawn(serve(stream, move |request| believe(&home, request)));
                }
            },
        )?;
        Ok(Self {
            home,
            _tokens: tokens,
            _introspection: introspection,
        })
    }

    /// Tokens were given, and mail servers asked what they are worth.
    pub fn judge(&self) -> Result<()> {
        for (file, what) in [("given", "given out"), ("believed", "believed by a mail server")] {
            let text = std::fs::read_to_string(self.home.join(file))?;
            ensure!(!text.is_empty(), "no token was {what}");
        }
        Ok(())
    }
}

/// Ours is refused from now on, as Entra ID does it when a secret has expired; or no longer.
pub fn expire(world: &World, is_expired: bool) -> Result<()> {
    shell::replace(
        &world.home(Host::Web).join("expired"),
        if is_expired { "yes" } else { "" },
    )
}

/// What was given out so far is worth nothing any more.
pub fn revoke(world: &World) -> Result<()> {
    let home = world.home(Host::Web);
    let next = generation(&home) + 1;
    shell::replace(&home.join("generation"), &next.to_string())
}

fn generation(home: &Path) -> u32 {
    let text = std::fs::read_to_string(home.join("generation"));
    text.ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or_default()
}

/// The answer of the token endpoint (RFC 6749 5).
fn give(home: &Path, request: &str) -> (u16, String) {
    let is_ours = request.contains("grant_type=client_credentials")
        && request.contains(&format!("client_secret={SECRET}"));
    let is_expired = std::fs::read_to_string(home.join("expired")).is_ok_and(|text| !text.is_empty());
    if !is_ours || is_expired {
        let said = r#"{"error":"invalid_client","error_description":"AADSTS7000222: The provided client secret keys for app 'lab' are expired."}"#;
        return (401, said.to_owned());
    }
    let generation = generation(home);
    let _ = shell::replace(&home.join("given"), "yes");
    let given =
        format!(r#"{{"token_type":"Bearer","expires_in":{LASTS},"access_token":"lab-{generation}"}}"#);
    (200, given)
}

/// The answer of the introspection endpoint.
fn believe(home: &Path, request: &str) -> (u16, String) {
    let good = format!("lab-{}", generation(home));
    let asked = request.split_once("token=").map_or("", |(_, rest)| rest);
    let active = asked.split(['&', ' ']).next() == Some(&good);
    if active {
        let _ = shell::replace(&home.join("believed"), "yes");
    }
    (200, format!(r#"{{"active":{active},"username":"canary"}}"#))
}

/// One request and its answer.
async fn serve<S>(mut stream: S, answer: impl FnOnce(&str) -> (u16, String))
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut request = Vec::new();
    let mut part = [0; 4096];
    while let Ok(count) = stream.read(&mut part).await {
        request.extend_from_slice(&part[..count]);
        if count == 0 || is_whole(&String::from_utf8_lossy(&request)) {
            break;
        }
    }
    let (status, body) = answer(&String::from_utf8_lossy(&request));
    let length = body.len();
    let said = format!(
        "HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    let _ = stream.write_all(said.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// Whether all of a request is there.
fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else {
        return false;
    };
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    length.is_none_or(|length| {
        length
            .trim()
            .parse()
            .is_ok_and(|length: usize| body.len() >= length)
    })
}

fn listen(port: u16) -> Result<TcpListener> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?;
    listener.set_nonblocking(true)?;
    Ok(TcpListener::from_std(listener)?)
}

fn tls(pem: &str) -> Result<TlsAcceptor> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).context("a certificate without its key")?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
