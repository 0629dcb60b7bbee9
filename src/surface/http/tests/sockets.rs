//! The server on real sockets: TLS, and peers that ask for too much, or never finish asking.

use rstest::rstest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// What a server on a real socket answers to some bytes, until it closes or says no more.
async fn answer(surface: Surface, bytes: &[u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let server = tokio::spawn(serve(listener, surface, stop.clone()));
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    // It may have closed before all is written.
    let _ = stream.write_all(bytes).await;
    let mut start = vec![0; 400];
    let read = stream.read(&mut start).await.unwrap_or(0);
    stop.cancel();
    drop(stream);
    server.await.unwrap();
    String::from_utf8_lossy(&start[..read]).into_owned()
}

#[rstest]
#[case::large_head(format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "a".repeat(100_000)), "HTTP/1.1 431 ")]
#[case::many_headers(format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: y\r\n".repeat(500)), "HTTP/1.1 431 ")]
#[case::no_http("EHLO mail.example\r\n\r\n".to_owned(), "HTTP/1.1 400 ")]
#[case::large_body("POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n".to_owned(), "HTTP/1.1 413 ")]
#[case::control("GET / HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n".to_owned(), "HTTP/1.1 400 ")]
#[tokio::test]
async fn what_is_too_large_or_no_http_is_refused(#[case] sent: String, #[case] expected: &str) {
    let (surface, _snapshots) = surface(sample::fleet());
    let said = answer(surface, sent.as_bytes()).await;
    assert!(said.starts_with(expected), "{said}");
}

#[tokio::test]
async fn a_head_that_never_ends_does_not_keep_its_place() {
    let (surface, _snapshots) = surface(sample::fleet());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let server = tokio::spawn(serve(listener, surface, stop.clone()));
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nX: ").await.unwrap();
    // Until the server has begun to read; then the clock is ours.
    tokio::time::sleep(Duration::from_millis(20)).await;
    tokio::time::pause();
    let mut rest = Vec::new();
    let writing = async {
        loop {
            tokio::time::sleep(Duration::from_secs(20)).await;
            if stream.write_all(b"x").await.is_err() {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_mins(5), writing).await;
    let _ = stream.read_to_end(&mut rest).await;
    stop.cancel();
    server.await.unwrap();
}

#[tokio::test]
async fn tls_with_our_own_certificate() {
    let made = rcgen::generate_simple_self_signed(["mail.msp.example".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(path("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let other = rcgen::generate_simple_self_signed(["x.example".to_owned()]).unwrap();
    std::fs::write(path("other.pem"), other.signing_key.serialize_pem()).unwrap();
    std::fs::write(path("empty.pem"), "").unwrap();
    for (certificate, key, wrong) in [
        ("cert.pem", "other.pem", "does not go with the key"),
        ("empty.pem", "key.pem", "empty.pem"),
        ("cert.pem", "empty.pem", "empty.pem"),
        ("none.pem", "key.pem", "none.pem"),
    ] {
        let error = tls(&path(certificate), &path(key)).unwrap_err();
        assert!(error.contains(wrong), "{error}");
    }
    let (mut surface, _snapshots) = surface(sample::fleet());
    let config = tls(&path("cert.pem"), &path("key.pem")).unwrap();
    let doors = Doors {
        tls: Some(config),
        secure: true,
        ..Doors::default()
    };
    surface.doors = watch::channel(Arc::new(doors)).1;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let server = tokio::spawn(serve(listener, surface.clone(), stop.clone()));
    let client = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap()])
        .resolve("mail.msp.example", address)
        .build()
        .unwrap();
    let url = format!("https://mail.msp.example:{}/-/healthy", address.port());
    let healthy = client.get(url).send().await.unwrap();
    assert_eq!(
        (healthy.status().as_u16(), healthy.version()),
        (200, axum::http::Version::HTTP_2)
    );
    let own = format!("https://mail.msp.example:{}", address.port());
    let reload = client
        .post(format!("{own}/-/reload"))
        .header("origin", &own)
        .send()
        .await
        .unwrap();
    assert_eq!(reload.status(), 200, "our own form over HTTP/2");
    let foreign = client
        .post(format!("{own}/-/reload"))
        .header("origin", "https://evil.example")
        .send()
        .await
        .unwrap();
    assert_eq!(foreign.status(), 403);
    drop(client);
    stop.cancel();
    server.await.unwrap();
    // An alert, and no HTTP.
    let plain = answer(surface, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(plain.starts_with('\u{15}') || plain.is_empty(), "{plain}");
}
