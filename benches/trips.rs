//! How many round trips a cold `mailflow check` waits for, in the fake net, where everybody is as far away.

use std::time::Duration;

use anyhow::Result;
use mailflow::app::look::{Look, once};
use mailflow::model::{DomainName, State, Target};
use mailflow::net::Net as _;
use mailflow::net::fake::{DnsMode, FakeNet, MailServer, Peer, WebPage};
use mailflow::picture::Learnt;
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use std::sync::Arc;

use crate::report::Section;
use crate::world;

/// There and back.
const ROUND_TRIP: Duration = Duration::from_millis(100);

/// Who shows that our own line works.
const WITNESS: [u8; 4] = [192, 0, 2, 200];

/// What must wait for what: nobody can look at a mail server with fewer.
const PLAIN: [&str; 6] = ["MX", "address", "connection", "greeting", "EHLO", "QUIT"];
/// The same, where the server offers TLS (1.3).
const SECURED: [&str; 9] = [
    "MX",
    "address",
    "connection",
    "greeting",
    "EHLO",
    "STARTTLS",
    "handshake",
    "EHLO",
    "QUIT",
];

/// Measures a look at a domain with TLS and at one without.
pub fn measure() -> Result<Section> {
    let rows = [("STARTTLS", true, &SECURED[..]), ("plain", false, &PLAIN[..])]
        .into_iter()
        .map(|(name, tls, steps)| {
            let trips = trips(tls)?;
            Ok(vec![
                name.to_owned(),
                format!("{trips:.1}"),
                steps.len().to_string(),
                format!("{:+.1}", trips - steps.len() as f64),
                steps.join(", "),
            ])
        })
        .collect::<Result<_>>()?;
    Ok(Section {
        title: "Round trips of a cold check".to_owned(),
        how: format!(
            "`mailflow check` of one domain in the fake net, resolver, name server and mail server all {} ms away, there and \
             back; its driven time divided by that. Beside it the longest chain of steps of which each needs the one before.",
            ROUND_TRIP.as_millis()
        ),
        columns: vec!["dialogue", "round trips", "chain", "more", "its steps"],
        rows,
    })
}

fn trips(tls: bool) -> Result<f64> {
    world::driven(async {
        let dir = tempfile::tempdir()?;
        let net = FakeNet::new();
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec!["mx.acme.test".to_owned()])?.self_signed(&key)?;
        let root = dir.path().join("root.pem");
        std::fs::write(&root, certificate.pem())?;
        let mut server = MailServer::new("mx.acme.test");
        if tls {
            let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let config = ServerConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()?
                .with_no_client_auth()
                .with_single_cert(vec![certificate.der().clone()], key)?;
            server = server.with_tls(Arc::new(config));
        }
        net.load(ZONE)?;
        net.resolver([192, 0, 2, 52]);
        net.set_dns([192, 0, 2, 53], DnsMode::Authoritative);
        net.listen(([198, 51, 100, 10], 25), Peer::Mail(Box::new(server)));
        // Enforced, it would have senders deliver nothing without TLS (RFC 8461 5).
        let mode = if tls { "enforce" } else { "testing" };
        let policy = format!("version: STSv1\nmode: {mode}\nmx: mx.acme.test\nmax_age: 604800\n");
        net.host(WITNESS);
        net.listen(
            (WITNESS, 25),
            Peer::Mail(Box::new(MailServer::new("mx.witness.test"))),
        );
        net.listen(([198, 51, 100, 11], 443), Peer::Web(WebPage::plain(&policy)));
        for address in [
            [192, 0, 2, 52],
            [192, 0, 2, 53],
            [198, 51, 100, 10],
            [198, 51, 100, 11],
            WITNESS,
        ] {
            net.set_latency(address, ROUND_TRIP / 2);
        }
        let settled = world::settle(
            dir.path(),
            &net,
            &format!(
                "[vantage]\nname = \"bench\"\nhelo = \"probe.acme.test\"\n\
                 anchors = [\"ping:192.0.2.200\", \"smtp:192.0.2.200:25\"]\n[resolver]\nservers = [\"192.0.2.52\"]\n\
                 [probes]\nca_file = \"{}\"\n[[clients]]\nname = \"ACME\"\ndomains = [\"acme.test\"]\n",
                root.display()
            ),
        )?;
        let net = Arc::new(net);
        let began = net.now();
        let monitor = once(
            Look {
                net: &net,
                context: &settled.context,
                trust: &settled.trust,
                inventory: settled.inventory,
                learnt: Learnt::default(),
                deadline: Duration::from_mins(1),
            },
            |_| {},
        )
        .await;
        let took = net.now().duration_since(began).as_secs_f64();
        let state = monitor
            .verdict(&Target::Domain(DomainName::parse("acme.test")?))
            .map(|verdict| verdict.state);
        // Without TLS, or with a certificate of nobody's, it is degraded; all steps are taken all the same.
        anyhow::ensure!(
            matches!(state, Some(State::Flowing | State::Degraded)),
            "the domain does not flow: {state:?}"
        );
        Ok(took / ROUND_TRIP.as_secs_f64())
    })
}

const ZONE: &str = "\
acme.test. 3600 SOA 1 300
acme.test. NS ns.acme.test.
ns.acme.test. A 192.0.2.53
acme.test. MX 10 mx.acme.test.
acme.test. TXT v=spf1 mx -all
_dmarc.acme.test. TXT \"v=DMARC1; p=reject\"
_mta-sts.acme.test. TXT \"v=STSv1; id=1\"
mta-sts.acme.test. A 198.51.100.11
mx.acme.test. A 198.51.100.10
";
