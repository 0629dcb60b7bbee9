//! STARTTLS and what comes of it.

use std::sync::Arc;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_starttls_that_is_refused() {
    let held = Plan::default()
        .hold(async |mut server: Server| {
            server.say("220 mx\r\n").await;
            server.answer(OFFER).await;
            server
                .answer("454 4.7.0 TLS not available due to local problem\r\n")
                .await;
            server.answer("221 Bye\r\n").await;
            server.listen().await;
        })
        .await;
    let SmtpFailureKind::Reply(reply) = &failure(&held).kind else {
        panic!("{:?}", failure(&held))
    };
    assert_eq!((failure(&held).stage, reply.code), (SmtpStage::StartTls, 454));
    assert_eq!(held.heard, ["EHLO probe.msp.example", "STARTTLS", "QUIT"]);
    assert!(held.smtp().capabilities.as_ref().unwrap().starttls);
}

#[tokio::test(start_paused = true)]
async fn plain_text_behind_the_starttls_reply() {
    let held = Plan::default()
        .hold(async |mut server: Server| {
            server.say("220 mx\r\n").await;
            server.answer(OFFER).await;
            server.answer("220 Ready\r\n250-mx\r\n250 AUTH PLAIN\r\n").await;
            server.listen().await;
        })
        .await;
    let expected = SmtpFailureKind::Protocol(ProtocolError::Unsolicited);
    assert_eq!(
        (failure(&held).stage, &failure(&held).kind),
        (SmtpStage::StartTls, &expected)
    );
    assert_eq!(
        held.heard,
        ["EHLO probe.msp.example", "STARTTLS"],
        "nothing more is said to it"
    );
}

#[rstest]
#[case::noise(b"250-still plain text\r\n", None, "what the server sent is no TLS")]
#[case::only_old_versions(
    b"\x15\x03\x01\x00\x02\x02\x46",
    Some("protocol_version"),
    "the server ended the handshake with the alert protocol_version"
)]
#[case::no_common_cipher(
    b"\x15\x03\x03\x00\x02\x02\x28",
    Some("handshake_failure"),
    "the server ended the handshake with the alert handshake_failure"
)]
#[tokio::test(start_paused = true)]
async fn handshakes_that_fail(
    #[case] bytes: &'static [u8],
    #[case] alert: Option<&str>,
    #[case] reason: &str,
) {
    let held = Plan::default()
        .hold(async move |mut server: Server| {
            up_to_tls(&mut server).await;
            server.record().await;
            server.say(bytes).await;
            server.listen().await;
        })
        .await;
    let SmtpFailureKind::Tls(why) = &failure(&held).kind else {
        panic!("{:?}", failure(&held))
    };
    assert_eq!(failure(&held).stage, SmtpStage::Handshake);
    assert_eq!((why.alert.as_deref(), why.reason.as_str()), (alert, reason));
    assert_eq!(held.smtp().transcript.last(), Some(&format!("*: {reason}")));
    assert!(held.smtp().tls.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_handshake_without_an_answer() {
    let held = Plan::default()
        .hold(async |mut server: Server| {
            up_to_tls(&mut server).await;
            server.listen().await;
        })
        .await;
    let expected = SmtpFailure {
        stage: SmtpStage::Handshake,
        after: TIMEOUT,
        kind: SmtpFailureKind::Timeout,
    };
    assert_eq!(failure(&held), &expected);
}

#[tokio::test(start_paused = true)]
async fn the_hello_is_small_and_shares_no_post_quantum_key() {
    let (put, take) = tokio::sync::oneshot::channel();
    let plan = Plan {
        server_name: Some(mx()),
        ..Plan::default()
    };
    plan.hold(async move |mut server: Server| {
        up_to_tls(&mut server).await;
        put.send(server.record().await).unwrap();
    })
    .await;
    let hello = take.await.unwrap();
    assert!(hello.len() < 400, "{} bytes", hello.len());
    // supported_groups (RFC 8446 4.2.7): secp256r1, secp384r1, x25519 and no more.
    let groups = hello
        .windows(4)
        .position(|bytes| bytes == [0, 10, 0, 8])
        .expect("three groups");
    assert_eq!(hello[groups + 6..groups + 12], [0, 29, 0, 23, 0, 24]);
    // signature_algorithms: the two of SHA-1 among them, last.
    assert!(hello.windows(4).any(|bytes| bytes == [2, 1, 2, 3]));
}

#[tokio::test(start_paused = true)]
async fn without_a_name_none_is_sent() {
    let config = tls(identity(), &[&TLS13]);
    let held = Plan::default().hold(|server| healthy(server, config)).await;
    assert!(
        !held.heard.iter().any(|line| line.starts_with("SNI")),
        "{:?}",
        held.heard
    );
}

#[rstest]
#[case::trusted(|root: &Authority| root.issue(&["mx.acme.test"], pki::VALID), ChainVerdict::Trusted, true)]
#[case::wrong_name(|root: &Authority| root.issue(&["www.other.test"], pki::VALID), ChainVerdict::Trusted, false)]
#[case::wildcard(|root: &Authority| root.issue(&["*.acme.test"], pki::VALID), ChainVerdict::Trusted, true)]
#[case::expired(|root: &Authority| root.issue(&["mx.acme.test"], pki::PAST), ChainVerdict::Expired, true)]
#[case::not_yet_valid(|root: &Authority| root.issue(&["mx.acme.test"], pki::TO_COME), ChainVerdict::NotYetValid, true)]
#[case::self_signed(|_: &Authority| identity(), ChainVerdict::SelfSigned, true)]
#[case::unknown_issuer(|_: &Authority| Authority::root("Stranger").issue(&["mx.acme.test"], pki::VALID), ChainVerdict::UnknownIssuer, true)]
#[case::version_1(|_: &Authority| pki::version_1("mx.acme.test"), ChainVerdict::SelfSigned, true)]
#[tokio::test(start_paused = true)]
async fn certificates_of_every_kind_are_facts_and_not_failures(
    #[case] identity: fn(&Authority) -> Identity,
    #[case] verdict: ChainVerdict,
    #[case] covers: bool,
    #[values(&TLS12, &TLS13)] version: &'static rustls::SupportedProtocolVersion,
) {
    let root = Authority::root("Lab Root");
    let config = tls(identity(&root), &[version]);
    let plan = Plan {
        trust: Trust::only([root.certificate]),
        server_name: Some(mx()),
        ..Plan::default()
    };
    let held = plan.hold(|server| healthy(server, config)).await;
    assert_eq!(held.smtp().failure, None, "{}", transcript(&held));
    let shown = held.smtp().tls.as_ref().unwrap();
    assert_eq!(shown.chain, verdict);
    assert_eq!(shown.certificate.as_ref().unwrap().covers(&mx()), covers);
}

#[tokio::test(start_paused = true)]
async fn facts_of_a_certificate() {
    let root = Authority::root("Lab \u{1b}[31mRoot");
    let config = tls(
        root.issue(&["mx.acme.test", "*.acme.test"], pki::VALID),
        &[&TLS12],
    );
    let held = Plan::default().hold(|server| healthy(server, config)).await;
    let mut shown = held.smtp().tls.clone().unwrap();
    let own = Arc::make_mut(shown.certificate.as_mut().unwrap());
    assert_eq!(own.fingerprint.len(), 64);
    let hashes = std::mem::take(&mut shown.hashes);
    assert_eq!(hashes[0].certificate_sha256, own.fingerprint);
    let lengths = [
        &hashes[0].certificate_sha512,
        &hashes[0].key_sha256,
        &hashes[0].key_sha512,
    ];
    assert_eq!(lengths.map(String::len), [128, 64, 128]);
    own.fingerprint = "[fingerprint]".to_owned();
    insta::assert_json_snapshot!(shown, @r#"
    {
      "version": "TLS 1.2",
      "cipher": "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
      "certificate": {
        "subject": "CN=mx.acme.test",
        "issuer": "CN=Lab \\x1b[31mRoot",
        "names": [
          "mx.acme.test",
          "*.acme.test"
        ],
        "not_before": "2026-01-01T00:00:00Z",
        "not_after": "2027-01-01T00:00:00Z",
        "key": "ECDSA P-256",
        "fingerprint": "[fingerprint]",
        "self_signed": false
      },
      "chain": {
        "verdict": "unknown-issuer"
      },
      "hashes": []
    }
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_hold_the_key_is_found_out() {
    let mut thief = identity();
    thief.key = identity().key;
    let config = tls(thief, &[&TLS13]);
    let held = Plan::default()
        .hold(async move |mut server: Server| {
            up_to_tls(&mut server).await;
            let accept = tokio::spawn(server.secure(config));
            assert!(accept.await.is_err(), "we end the handshake");
        })
        .await;
    let SmtpFailureKind::Tls(why) = &failure(&held).kind else {
        panic!("{:?}", failure(&held))
    };
    assert_eq!(why.reason, "the server does not hold the key of its certificate");
}
