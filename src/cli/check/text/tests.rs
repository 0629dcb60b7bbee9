use std::time::Duration;

use jiff::Timestamp;

use super::{render, wrap};
use crate::model::{
    Cause, ClientId, Code, Confidence, Hop, HopKind, Owner, Proof, Root, RootKind, State, Target, Verdict,
    Warning,
};

fn hop(hop: HopKind, subject: &str, state: State, elapsed: Option<f64>, summary: &str) -> Hop {
    Hop {
        hop,
        subject: subject.into(),
        state,
        elapsed: elapsed.map(|seconds| Duration::from_secs_f64(seconds).into()),
        summary: summary.into(),
    }
}

fn verdict(state: State, cause: Option<Cause>, path: Vec<Hop>) -> Verdict {
    Verdict {
        target: Target::Domain("acme.test".parse().unwrap()),
        client: None,
        state,
        since: Timestamp::UNIX_EPOCH,
        checked: None,
        proven_by: vec![Proof::Dialogue],
        cause: cause.map(std::sync::Arc::new),
        symptoms: vec![],
        also: vec![],
        provider: None,
        incident: None,
        flapping: None,
        path: path.into(),
    }
}

fn router_down() -> Verdict {
    let cause = Cause {
        on_route: false,
        code: Code::GatewayDown,
        root: Root {
            kind: RootKind::Gateway,
            client: Some(ClientId::parse("acme").unwrap()),
            name: "hq-router".into(),
        },
        subject: "hq-router (198.51.100.1)".into(),
        detail:
            "hq-router (198.51.100.1) does not answer (5 of 5 pings lost), nor does the server behind it; \
                 the server is not the suspect."
                .into(),
        owner: Owner::Client,
        contact: Some("Telekom business line, 0800 ..., circuit 4711".into()),
        confidence: Confidence::Probable,
        confidence_reason: Some("seen from hq only".into()),
        evidence: std::sync::Arc::default(),
        stands_on: vec![],
    };
    let path = vec![
        hop(HopKind::Vantage, "hq", State::Flowing, None, "our own line works"),
        hop(
            HopKind::Dns,
            "acme.test",
            State::Flowing,
            Some(0.012),
            "MX 10 mx.acme.test",
        ),
        hop(
            HopKind::Gateway,
            "hq-router (198.51.100.1)",
            State::Broken,
            None,
            "5 of 5 pings lost",
        ),
        hop(
            HopKind::Host,
            "mx.acme.test (198.51.100.10)",
            State::Unknown,
            None,
            "behind the gateway that is down",
        ),
    ];
    verdict(State::Broken, Some(cause), path)
}

#[test]
fn a_broken_domain_at_80_columns() {
    insta::assert_snapshot!(render(&router_down(), 80, false), @r"
    acme.test  broken

     ✓ vantage          hq  our own line works
     ✓ dns        12 ms acme.test  MX 10 mx.acme.test
     ✗ gateway          hq-router (198.51.100.1)  5 of 5 pings lost
     ? host             mx.acme.test (198.51.100.10)  behind the gateway that is
                        down

     Cause  hq-router (198.51.100.1): The router in front of the mail server does
            not answer
     Seen   hq-router (198.51.100.1) does not answer (5 of 5 pings lost), nor does
            the server behind it; the server is not the suspect.
     Sure   probable: seen from hq only
     Whose  the domain's own side, Telekom business line, 0800 ..., circuit 4711
     Do     Call the line's provider or the contact given here and ask whether the
            line is up. Then have somebody on site check the power and switch the
            router off and on. Do not restart the mail server.
     Code   gateway.down (more: mailflow explain gateway.down)
    ");
}

#[test]
fn a_flowing_domain_at_120_columns() {
    let path = vec![
        hop(
            HopKind::Vantage,
            "local",
            State::Flowing,
            None,
            "our own line works",
        ),
        hop(
            HopKind::Dns,
            "acme.test",
            State::Flowing,
            Some(0.0123),
            "MX 10 mx.acme.test",
        ),
        hop(
            HopKind::Host,
            "mx.acme.test (198.51.100.10)",
            State::Flowing,
            Some(0.0251),
            "port 25 open",
        ),
        hop(
            HopKind::Smtp,
            "mx.acme.test (198.51.100.10)",
            State::Flowing,
            Some(0.0512),
            "220, EHLO",
        ),
        hop(
            HopKind::Tls,
            "mx.acme.test (198.51.100.10)",
            State::Flowing,
            Some(0.054),
            "TLS 1.3, certificate until 2027-02-20",
        ),
    ];
    let mut flowing = verdict(State::Flowing, None, path);
    flowing.also.push(Warning {
        code: Code::TlsCertificateExpiring,
        subject: "mx.acme.test (198.51.100.10)".into(),
        summary: "9 days left, until 2026-12-01.".into(),
        accepted: false,
    });
    insta::assert_snapshot!(render(&flowing, 120, false), @r"
    acme.test  flowing

     ✓ vantage          local  our own line works
     ✓ dns        12 ms acme.test  MX 10 mx.acme.test
     ✓ host       25 ms mx.acme.test (198.51.100.10)  port 25 open
     ✓ smtp       51 ms mx.acme.test (198.51.100.10)  220, EHLO
     ✓ tls        54 ms mx.acme.test (198.51.100.10)  TLS 1.3, certificate until 2027-02-20
     Also   mx.acme.test (198.51.100.10): The mail server's certificate expires soon: 9 days left, until 2026-12-01.
    ");
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in [40, 80, 100] {
        for line in render(&router_down(), width, false).lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
}

#[test]
fn colour_is_only_there_when_wanted() {
    assert!(!render(&router_down(), 80, false).contains('\x1b'));
    assert!(render(&router_down(), 80, true).contains('\x1b'));
}

#[test]
fn long_words_are_cut() {
    let lines = wrap(&"x".repeat(50), 20);
    assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [20, 20, 10]);
}
