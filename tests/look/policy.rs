//! What a domain publishes about its mail, one case each as data (`policy.toml`): each code where it is true, and not
//! where it is not.

use std::sync::Arc;

use mailflow::model::{DomainName, State};
use mailflow::net::RecordType;
use mailflow::net::fake::{MailServer, Peer, Reach, Uplink, WebPage};
use serde::Deserialize;

use super::faults::run;
use super::world::{CONFIG, Looked, MX, World, configured, name};

const WEB: [u8; 4] = [198, 51, 100, 80];

#[derive(Deserialize)]
struct File {
    case: Vec<Case>,
}

/// A domain in order, but for what is written here.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What it is about.
    name: String,
    /// Further keys of the domain's table in the configuration.
    #[serde(default)]
    domain: String,
    /// TXT records at the domain.
    #[serde(default = "good_spf")]
    spf: Vec<String>,
    /// TXT records at `_dmarc`.
    #[serde(default = "good_dmarc")]
    dmarc: Vec<String>,
    /// Further records.
    #[serde(default)]
    zones: String,
    /// The TXT record at `_mta-sts`.
    sts: Option<String>,
    /// What the policy host says: a policy's text, `bad certificate`, `silent`, `html`, `404`, `redirect`.
    web: Option<String>,
    /// The last year of the mail server's certificate.
    #[serde(default = "next_year")]
    certificate: i32,
    /// What is wrong elsewhere.
    fault: Option<String>,
    state: String,
    #[serde(default)]
    code: String,
    /// What the detail of the cause says, among other things.
    #[serde(default)]
    says: Vec<String>,
    /// The codes in `also`, and what their summaries say.
    #[serde(default)]
    also: Vec<(String, String)>,
    /// The state of the hop `policy`; else that of the domain.
    hop: Option<String>,
}

fn good_spf() -> Vec<String> {
    vec!["v=spf1 mx -all".into()]
}

fn good_dmarc() -> Vec<String> {
    vec!["v=DMARC1; p=reject".into()]
}

fn next_year() -> i32 {
    2027
}

fn world(case: &Case) -> World {
    let mut world = World::healthy();
    let table = format!("domains = [{{ name = \"acme.test\", {} }}]", case.domain);
    world.config =
        configured(&CONFIG.replace("domains = [\"acme.test\"]", table.replace(", }", " }").as_str()));
    for at in ["acme.test", "_dmarc.acme.test"] {
        world.net.remove(&name(at), Some(RecordType::Txt));
    }
    let txt = |at: &str, text: &str| world.net.add(&format!("{at} TXT \"{text}\"")).unwrap();
    for text in &case.spf {
        txt("acme.test.", text);
    }
    for text in &case.dmarc {
        txt("_dmarc.acme.test.", text);
    }
    world.net.add(&case.zones).unwrap();
    if let Some(text) = &case.sts {
        txt("_mta-sts.acme.test.", text);
        world.net.add("mta-sts.acme.test. A 198.51.100.80").unwrap();
    }
    if let Some(web) = &case.web {
        world.net.listen((WEB, 443), web_server(web));
        if web == "silent" {
            world.net.set_reach(WEB, Reach::Silent);
        }
    }
    if case.certificate != next_year() {
        let tls = world.authority.serves("mx.acme.test", case.certificate);
        world.mail_server(MX, MailServer::new("mx.acme.test").with_tls(tls));
    }
    match case.fault.as_deref() {
        None => {}
        Some("the line is cut") => world.net.set_uplink(Uplink::Cut),
        Some("lame.test is down") => world.net.set_reach([203, 0, 113, 99], Reach::Silent),
        Some("port 443 is blocked") => world.net.set_blocked(443, true),
        Some(other) => panic!("{other}?"),
    }
    world
}

fn web_server(what: &str) -> Peer {
    let text = |status, kind: &str, body: &str| Peer::Web(WebPage::Text(status, kind.into(), body.into()));
    match what {
        "bad certificate" => Peer::Web(WebPage::BadCertificate("the certificate has expired".into())),
        "silent" => Peer::Drop,
        "html" => text(200, "text/html", "<html>"),
        "404" => text(404, "text/html", "not found"),
        "redirect" => text(301, "text/plain", ""),
        "huge" => text(200, "text/plain; charset=utf-8", &"x".repeat(70_000)),
        policy => Peer::Web(WebPage::plain(policy)),
    }
}

fn state(text: &str) -> State {
    match text {
        "flowing" => State::Flowing,
        "degraded" => State::Degraded,
        "broken" => State::Broken,
        _ => State::Unknown,
    }
}

fn hop(looked: &Looked) -> State {
    let hop = looked
        .verdict
        .path
        .iter()
        .find(|hop| hop.hop.as_str() == "policy");
    hop.map_or(State::Unknown, |hop| hop.state)
}

#[test]
fn each_code_is_found_where_it_is_true_and_nowhere_else() {
    let file: File = toml::from_str(include_str!("policy.toml")).unwrap();
    for case in &file.case {
        run(async {
            let looked = world(case).look().await;
            let about = &case.name;
            let verdict = &looked.verdict;
            let code = looked.code().map_or("", |code| code.as_str());
            assert_eq!(
                (verdict.state, code),
                (state(&case.state), case.code.as_str()),
                "{about}: {verdict:#?}"
            );
            let detail = verdict.cause.as_ref().map_or("", |cause| cause.detail.as_str());
            for part in &case.says {
                assert!(
                    detail.contains(part),
                    "{about}: \"{detail}\" does not say \"{part}\""
                );
            }
            let ours = verdict.also.iter().filter(|one| one.code.layer() == "policy");
            let ours: Vec<_> = ours.collect();
            assert_eq!(ours.len(), case.also.len(), "{about}: {ours:#?}");
            for (warning, (code, part)) in ours.iter().zip(&case.also) {
                assert_eq!(warning.code.as_str(), code, "{about}");
                assert!(warning.summary.contains(part), "{about}: {}", warning.summary);
            }
            let expected = case.hop.as_ref().unwrap_or(&case.state);
            assert_eq!(hop(&looked), state(expected), "{about}: {:#?}", verdict.path);
        });
    }
}

/// A domain whose zone is signed, with TLSA records for its mail host.
fn signed(records: &[&str]) -> World {
    let world = World::healthy();
    world.net.set_signed(&name("acme.test"), true);
    for record in records {
        world
            .net
            .add(&format!("_25._tcp.mx.acme.test. TLSA {record}"))
            .unwrap();
    }
    world
}

fn wrong() -> String {
    format!("3 1 1 {}", "ab".repeat(32))
}

/// The record that would be right, as the finding's own words give it.
fn advice(looked: &Looked) -> String {
    let detail = &looked.verdict.cause.as_ref().unwrap().detail;
    let at = detail.rfind("\"3 1 1 ").unwrap();
    detail[at + 1..].split('"').next().unwrap().to_owned()
}

#[test]
fn a_fingerprint_of_another_certificate_stops_senders_and_the_advice_is_right() {
    run(async {
        let world = signed(&[&wrong()]);
        let looked = world.look().await;
        assert_eq!(
            looked.outcome(),
            (State::Broken, "policy.dane-mismatch", 2),
            "{:#?}",
            looked.verdict
        );
        let advice = advice(&looked);
        world
            .net
            .add(&format!("_25._tcp.mx.acme.test. TLSA {advice}"))
            .unwrap();
        let looked = world.look().await;
        assert_eq!(looked.outcome(), (State::Flowing, "", 0), "{:#?}", looked.verdict);
        assert!(
            looked
                .verdict
                .path
                .iter()
                .any(|hop| hop.summary.contains("DANE at 1 of 1"))
        );
    });
}

/// Without DNSSEC all the way, and with records that no sender goes by, nothing can be wrong with them.
#[test]
fn fingerprints_that_do_not_count_are_none() {
    type Change = fn(&mut World);
    let unsigned: Change = |w| w.net.set_signed(&name("acme.test"), false);
    let off: Change = |w| {
        w.config = configured(&CONFIG.replace("[probes]", "dnssec = \"off\"\n[probes]"));
    };
    let usage_1: Change = |w| {
        let host = DomainName::parse("_25._tcp.mx.acme.test").unwrap();
        w.net.remove(&host, Some(RecordType::Tlsa));
        w.net.add(&format!("{host} TLSA 1{}", &wrong()[1..])).unwrap();
    };
    for change in [unsigned, off, usage_1] {
        run(async move {
            let mut world = signed(&[&wrong()]);
            change(&mut world);
            let looked = world.look().await;
            assert_eq!(looked.outcome(), (State::Flowing, "", 0), "{:#?}", looked.verdict);
        });
    }
}

/// One of two hosts that does not fit delays mail; the other still takes it.
#[test]
fn one_host_of_two_that_does_not_fit_degrades() {
    run(async {
        let world = signed(&[&wrong()]);
        let second = [198, 51, 100, 11];
        world
            .net
            .add("acme.test. MX 20 mx2.acme.test.\nmx2.acme.test. A 198.51.100.11")
            .unwrap();
        let tls = world.authority.serves("mx2.acme.test", 2027);
        world.mail_server(second, MailServer::new("mx2.acme.test").with_tls(tls));
        let looked = world.look().await;
        assert_eq!(
            looked.outcome(),
            (State::Degraded, "policy.dane-mismatch", 1),
            "{:#?}",
            looked.verdict
        );
    });
}

/// TLSA records demand STARTTLS, but it is they who say which certificate is right.
#[test]
fn with_fingerprints_encryption_is_a_must_and_an_old_certificate_is_none() {
    run(async {
        let world = signed(&[&wrong()]);
        world.mail_server(MX, MailServer::new("mx.acme.test"));
        let looked = world.look().await;
        assert_eq!(
            looked.outcome(),
            (State::Broken, "tls.not-offered", 2),
            "{:#?}",
            looked.verdict
        );

        let tls = world.authority.serves("mx.acme.test", 2025);
        world.mail_server(MX, MailServer::new("mx.acme.test").with_tls(Arc::clone(&tls)));
        let advice = advice(&world.look().await);
        world
            .net
            .add(&format!("_25._tcp.mx.acme.test. TLSA {advice}"))
            .unwrap();
        let looked = world.look().await;
        assert_eq!(
            looked.outcome(),
            (State::Degraded, "tls.certificate-expired", 1),
            "{:#?}",
            looked.verdict
        );
    });
}
