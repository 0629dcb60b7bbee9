//! Against a web server of our own, on this machine's loopback interface.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

const HOST: &str = "mta-sts.acme.test";
const LIMITS: FetchLimits = FetchLimits {
    time: Duration::from_secs(5),
    bytes: 1000,
};

/// A root, and a server's side of TLS with a certificate for `name` by it.
fn pki(name: &str) -> (CertificateDer<'static>, Arc<ServerConfig>) {
    let root_key = KeyPair::generate().unwrap();
    let mut root = CertificateParams::default();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root.distinguished_name.push(DnType::CommonName, "Root");
    let anchor = root.self_signed(&root_key).unwrap().der().clone();
    let key = KeyPair::generate().unwrap();
    let issuer = Issuer::new(root, root_key);
    let params = CertificateParams::new([name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap().der().clone();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], PrivateKeyDer::from(key));
    (anchor, Arc::new(server.unwrap()))
}

/// Answers each connection with these bytes, and then stalls or hangs up.
async fn serve(tls: Arc<ServerConfig>, answer: Vec<u8>, stall: bool) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = TlsAcceptor::from(Arc::clone(&tls)).accept(stream).await else {
                continue;
            };
            let mut request = [0; 4096];
            let heard = stream.read(&mut request).await.unwrap();
            assert!(request[..heard].starts_with(b"GET /.well-known/mta-sts.txt HTTP/1.1\r\n"));
            let _ = stream.write_all(&answer).await;
            let _ = stream.flush().await;
            if stall {
                std::future::pending::<()>().await;
            }
            let _ = stream.shutdown().await;
        }
    });
    at
}

async fn get(
    at: SocketAddr,
    root: CertificateDer<'static>,
    limits: FetchLimits,
) -> Result<Fetched, FetchError> {
    let page = Page {
        host: HOST,
        path: "/.well-known/mta-sts.txt",
        addresses: &[at],
        form: None,
    };
    fetch(&page, &Trust::only([root]), limits).await
}

#[tokio::test]
async fn a_page_is_fetched_and_cut_at_the_limit() {
    let (root, tls) = pki(HOST);
    let answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nversion: STSv1\n";
    let at = serve(Arc::clone(&tls), answer.to_vec(), false).await;
    let fetched = get(at, root.clone(), LIMITS).await.unwrap();
    assert_eq!(
        (fetched.status, fetched.content_type.as_deref()),
        (200, Some("text/plain"))
    );
    assert_eq!(
        (fetched.body.as_slice(), fetched.cut),
        (&b"version: STSv1\n"[..], false)
    );

    let mut endless = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
    endless.extend(vec![b'x'; 5000]);
    let at = serve(tls, endless, true).await;
    let fetched = get(at, root, LIMITS).await.unwrap();
    assert_eq!(
        (fetched.body.len(), fetched.cut, fetched.content_type),
        (1000, true, None)
    );
}

#[tokio::test]
async fn a_form_is_posted() {
    let (root, tls) = pki(HOST);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    let posted = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = TlsAcceptor::from(tls).accept(stream).await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"client_secret=a%26b") {
            let mut part = [0; 1024];
            let count = stream.read(&mut part).await.unwrap();
            request.extend_from_slice(&part[..count]);
        }
        let answer = b"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\n{}";
        stream.write_all(answer).await.unwrap();
        stream.flush().await.unwrap();
        String::from_utf8(request).unwrap()
    };
    let form = "grant_type=client_credentials&client_secret=a%26b".into();
    let page = Page {
        host: HOST,
        path: "/token",
        addresses: &[at],
        form: Some(&form),
    };
    let trust = Trust::only([root]);
    let (fetched, posted) = futures_util::join!(fetch(&page, &trust, LIMITS), posted);
    assert_eq!(fetched.unwrap().status, 401);
    let lower = posted.to_ascii_lowercase();
    assert!(lower.starts_with("post /token http/1.1\r\n"), "{posted}");
    assert!(
        lower.contains("\r\ncontent-type: application/x-www-form-urlencoded\r\n"),
        "{posted}"
    );
    assert!(!format!("{page:?}").contains("a%26b"));
}

#[tokio::test]
async fn a_redirect_is_told_and_not_followed() {
    let (root, tls) = pki(HOST);
    let answer = b"HTTP/1.1 301 Moved\r\nLocation: https://elsewhere.test/\r\nContent-Length: 0\r\n\r\n";
    let at = serve(tls, answer.to_vec(), true).await;
    assert_eq!(get(at, root, LIMITS).await.unwrap().status, 301);
}

#[tokio::test]
async fn whoever_cannot_prove_who_he_is_gives_nothing() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec();
    let (root, tls) = pki("www.acme.test");
    let at = serve(tls, answer.clone(), true).await;
    let wrong_name = get(at, root.clone(), LIMITS).await.unwrap_err();
    assert_eq!(
        wrong_name.to_string(),
        format!("TLS failed: the certificate is not for {HOST}")
    );
    let (_, tls) = pki(HOST);
    let at = serve(tls, answer, true).await;
    let unknown = get(at, root, LIMITS).await.unwrap_err();
    assert!(
        matches!(&unknown, FetchError::Tls(reason) if reason.contains("the certificate")),
        "{unknown}"
    );
}

#[tokio::test]
async fn each_failure_is_told_by_its_kind() {
    let (root, tls) = pki(HOST);
    let short = FetchLimits {
        time: Duration::from_millis(300),
        ..LIMITS
    };
    let at = serve(Arc::clone(&tls), Vec::new(), true).await;
    assert_eq!(get(at, root.clone(), short).await, Err(FetchError::Timeout));
    let at = serve(tls, b"220 mx.acme.test ESMTP\r\n".to_vec(), true).await;
    assert!(matches!(
        get(at, root.clone(), LIMITS).await,
        Err(FetchError::Http(_))
    ));

    let plain = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = plain.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = plain.accept().await.unwrap();
        let _ = stream.write_all(b"220 mx.acme.test ESMTP\r\n").await;
        std::future::pending::<()>().await;
    });
    assert!(matches!(
        get(at, root.clone(), LIMITS).await,
        Err(FetchError::Tls(_))
    ));

    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = closed.local_addr().unwrap();
    drop(closed);
    assert_eq!(
        get(at, root, LIMITS).await,
        Err(FetchError::Dial(DialError::Refused))
    );
}
