use super::*;
use crate::model::Target;
use crate::surface::sample;

fn now() -> Timestamp {
    sample::at(sample::NOW)
}

fn view(snapshot: &Snapshot) -> View<'_> {
    View {
        snapshot,
        notice: None,
        now: now(),
        account: false,
    }
}

fn front(snapshot: &Snapshot, query: &str) -> String {
    let query = serde_json::from_str(query).unwrap();
    let an_hour_ago = now() - jiff::SignedDuration::from_hours(1);
    index(&view(snapshot), &query, an_hour_ago).unwrap()
}

/// Writes the pages to look at them in a browser:
/// `MAILFLOW_PAGES=/tmp/pages cargo test --lib pages_to_look_at -- --ignored`
#[test]
#[ignore = "writes files for people to look at"]
fn pages_to_look_at() {
    let folder = std::path::PathBuf::from(std::env::var("MAILFLOW_PAGES").unwrap());
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
    let fleet = sample::fleet();
    write("fleet.html", front(&fleet, "{}"));
    write(
        "open.html",
        front(&fleet, "{}").replacen("<details", "<details open", 1),
    );
    write("calm.html", front(&sample::calm(), "{}"));
    write("blind.html", front(&sample::blind(), "{}"));
    write("warming.html", front(&sample::warming(), "{}"));
    write("hostile.html", front(&sample::hostile(), "{}"));
    let first = fleet
        .domains
        .values()
        .find(|one| one.state == State::Broken)
        .unwrap();
    let page = domain(&view(&fleet), first, &[]).unwrap();
    write("domain.html", page.replace("<details", "<details open"));
    write(
        "incident.html",
        incident(&view(&fleet), &fleet.open_incidents[0]).unwrap(),
    );
    write(
        "missing.html",
        missing(&view(&fleet), "There is no such page.").unwrap(),
    );
}

fn sentence(snapshot: &Snapshot) -> String {
    let headline = crate::surface::headline::Headline::of(snapshot);
    let mut lines = vec![format!("[{}] {}", headline.tone, headline.text)];
    lines.extend(headline.remedy.map(|remedy| format!("Do: {remedy}")));
    lines.extend(headline.notes);
    lines.join("\n")
}

#[test]
fn the_sentence_on_top_sums_up() {
    insta::assert_snapshot!(sentence(&sample::fleet()), @r"[broken] 6 of 12 domains have a problem: 1 router and 2 mail servers.");
    insta::assert_snapshot!(sentence(&sample::calm()), @r"[flowing] Mail flows for all 6 domains.");
    insta::assert_snapshot!(sentence(&sample::blind()), @r"
    [unknown] Our own line blocks port 25, so we cannot test mail servers.
    Do: Run mailflow where outgoing port 25 is open, or ask the line's provider or the cloud's support to open TCP port 25 outwards for this machine. Look at your own firewall first. Do not call clients.
    6 domains cannot be judged at the moment.
    ");
    insta::assert_snapshot!(sentence(&sample::warming()), @r"[unknown] Still checking 4 of 6 domains.");
}

#[test]
fn the_sentence_on_top_of_odd_fleets() {
    let mut one = sample::calm();
    one.domains.retain(|name, _| name.as_str() == "hooli.test");
    insta::assert_snapshot!(sentence(&one), @r"[flowing] Mail flows for the one domain.");
    one.domains.clear();
    one.reload.successful = false;
    insta::assert_snapshot!(sentence(&one), @r"
    [unknown] No domain is watched yet; name some in the configuration.
    The last change of the configuration was refused; the one before is in use.
    ");
    // Some wrong, some still unseen: what is known comes first.
    let mut both = sample::fleet();
    both.pending_domains = 2;
    insta::assert_snapshot!(sentence(&both), @r"
    [broken] 6 of 12 domains have a problem: 1 router and 2 mail servers.
    Still checking 2 of 12 domains.
    ");
}

#[test]
fn the_front_page_shows_what_is_wrong_worst_first() {
    let page = front(&sample::fleet(), "{}");
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} is missing"));
    assert!(place("have a problem") < place("Open incidents"));
    assert!(place("id=\"incidents\"") < place("id=\"domains\""));
    assert!(place("data-key=\"d-acme.test\"") < place("data-key=\"d-globex.test\""));
    assert!(place("data-key=\"d-globex.test\"") < place("data-key=\"d-hooli.test\""));
    for text in [
        "Telekom business line, 0800 330 1000, circuit 4711",
        "bücher.test",
        "href=\"/incidents/482\"",
        "(6 min)",
        "Microsoft 365",
        "office-fw",
        "26 ms on average, 29% of pings lost",
    ] {
        place(text);
    }
}

#[test]
fn the_list_is_searched_by_the_server() {
    let snapshot = sample::fleet();
    let shown = |query: &str| -> Vec<String> {
        front(&snapshot, query)
            .split("data-key=\"d-")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(shown(r#"{"q":"GLOBEX-l"}"#), ["globex-labs.test"]);
    assert_eq!(shown(r#"{"q":"umbrella care"}"#), ["umbrella.test"]);
    assert_eq!(shown(r#"{"q":"microsoft"}"#), ["wayne.test"]);
    assert_eq!(shown(r#"{"q":"gateway.down"}"#), ["acme-shop.test", "acme.test"]);
    assert_eq!(shown(r#"{"q":"bücher"}"#), ["xn--bcher-kva.test"]);
    assert_eq!(shown(r#"{"q":"mx.hooli.test","state":"flowing"}"#).len(), 2);
    assert_eq!(shown(r#"{"state":"broken"}"#).len(), 2);
    assert_eq!(shown(r#"{"q":"nobody at all"}"#).len(), 0);
    assert_eq!(shown(r#"{"page":"-7","state":"nonsense"}"#).len(), 12);
}

#[test]
fn a_large_fleet_comes_in_pages() {
    let mut snapshot = sample::calm();
    let pattern = snapshot.domains.values().next().unwrap().clone();
    for number in 0..250 {
        let name = crate::model::DomainName::parse(&format!("d{number:03}.test")).unwrap();
        let mut verdict = (*pattern).clone();
        verdict.target = Target::Domain(name.clone());
        snapshot.domains.insert(name, verdict.into());
    }
    let page = front(&snapshot, r#"{"q":"d","page":"2","state":"flowing"}"#);
    assert_eq!(page.matches("data-key=\"d-").count(), 100);
    assert!(page.contains("page 2 of 3"));
    assert!(page.contains(r#"<a rel="prev" href="/?page=1&amp;state=flowing&amp;q=d#domains">"#));
    assert!(page.contains(r#"<a rel="next" href="/?page=3&amp;state=flowing&amp;q=d#domains">"#));
    assert!(front(&snapshot, r#"{"page":"99"}"#).contains("page 3 of 3"));
}

#[test]
fn hostile_text_is_inert() {
    let snapshot = sample::hostile();
    let first = snapshot.domains.values().next().unwrap();
    let query = serde_json::json!({ "q": "\"><script>alert(1)</script>" }).to_string();
    for page in [
        front(&snapshot, "{}"),
        front(&snapshot, &query),
        domain(&view(&snapshot), first, &[]).unwrap(),
        incident(&view(&snapshot), &snapshot.open_incidents[0]).unwrap(),
        report(&view(&snapshot), &snapshot.open_incidents[0]).unwrap(),
        missing(&view(&snapshot), sample::HOSTILE).unwrap(),
        look_back(&snapshot, "1d"),
        checked(&snapshot, sample::HOSTILE, Some(Ok((first, false)))),
        checked(&snapshot, sample::HOSTILE, Some(Err(sample::HOSTILE))),
        explained(sample::HOSTILE.as_bytes()),
        explained(format!("Return-Path: <>\nSubject: failure notice\n\nThis is the qmail-send program\n\n<who@partner.test>:\n550 5.1.1 {}\n", sample::HOSTILE).as_bytes()),
        quiet(&view(&snapshot), &hostile_wish(), Some(sample::HOSTILE)).unwrap(),
    ] {
        let ours = page.matches("<script>").count();
        assert_eq!(ours, 1, "only our own script stands in the page");
        assert!(!page.contains("<script>alert"));
        assert!(!page.contains("alert(\""));
    }
}

fn hostile_wish() -> Wished<'static> {
    Wished {
        maintenance: true,
        client: sample::HOSTILE,
        domain: sample::HOSTILE,
        gateway: sample::HOSTILE,
        lasting: sample::HOSTILE,
        recurring: sample::HOSTILE,
        reason: sample::HOSTILE,
        by: sample::HOSTILE,
    }
}

fn look_back(snapshot: &Snapshot, since: &str) -> String {
    let period = Period::of(Some(since), now(), now());
    let mut known = snapshot.open_incidents.clone();
    known.extend(snapshot.closed_incidents.iter().cloned());
    digest(&view(snapshot), &known, period, None).unwrap()
}

fn checked(snapshot: &Snapshot, typed: &str, found: Option<Result<(&Verdict, bool), &str>>) -> String {
    let asked = Asked {
        domain: typed,
        from: typed,
    };
    check(&view(snapshot), &asked, found).unwrap()
}

fn explained(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message);
    let explained = Explained::new(&sample::calm(), crate::message::explain(message));
    explain(&view(&sample::calm()), &text, Some(Ok(&explained))).unwrap()
}

#[test]
fn a_period_is_a_link_a_day_a_time_or_since_the_last_visit() {
    let visit = now() - jiff::SignedDuration::from_mins(90);
    let since = |asked| Period::of(asked, visit, now()).since.to_string();
    assert_eq!(since(None), visit.to_string());
    assert_eq!(since(Some("8h")), "2026-11-21T18:20:31Z");
    assert_eq!(since(Some("2026-11-20")), "2026-11-20T00:00:00Z");
    assert_eq!(since(Some("2026-11-20T18:00:00Z")), "2026-11-20T18:00:00Z");
    assert_eq!(since(Some("2027-11-20")), visit.to_string(), "that is to come");
    assert_eq!(since(Some("<script>")), visit.to_string());
}

#[test]
fn a_look_back_says_what_happened_and_what_goes_on() {
    let page = look_back(&sample::fleet(), "7d");
    for text in [
        "still go on",
        "goes on, ",
        "Whose it was",
        "href=\"/digest?since=30d\"",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let chosen = "<a href=\"/digest?since=7d\" aria-current=\"true\">7 days</a>";
    assert!(page.contains(chosen));
}

/// A route's answer is about the client; what is looked at once says so.
#[test]
fn the_box_answers_what_was_asked() {
    let snapshot = sample::fleet();
    let mut route = (**snapshot.domains.values().next().unwrap()).clone();
    let client = crate::model::ClientId::parse("acme").unwrap();
    let to = crate::model::DomainName::parse("partner.test").unwrap();
    route.target = Target::Route(client, to);
    let sentence = |state: State| {
        let verdict = Verdict {
            state,
            ..route.clone()
        };
        let page = checked(&snapshot, "", Some(Ok((&verdict, false))));
        assert!(page.contains("One look"));
        let start = page.find("</svg><span>").unwrap() + 12;
        page[start..].split('<').next().unwrap().to_owned()
    };
    insta::assert_snapshot!(State::ALL.map(sentence).join("\n"), @r"
    ACME Ltd can mail partner.test, as far as can be seen from outside.
    ACME Ltd can mail partner.test, but something should be mended.
    ACME Ltd cannot mail partner.test.
    We cannot tell whether ACME Ltd can mail partner.test.
    ");
    assert!(checked(&snapshot, "", Some(Ok((&route, true)))).contains("watched all the time"));
}

#[test]
fn nothing_in_the_page_needs_what_the_policy_forbids() {
    let policy = content_security_policy();
    let snapshot = sample::fleet();
    let page = front(&snapshot, "{}");
    assert!(!page.contains(" style=\""), "inline styles are forbidden");
    assert!(!page.contains(" onclick=") && !page.contains("javascript:"));
    for (tag, directive) in [("style", "style-src"), ("script", "script-src")] {
        let start = page.find(&format!("<{tag}>")).unwrap() + tag.len() + 2;
        let end = page.find(&format!("</{tag}>")).unwrap();
        assert!(policy.contains(&format!("{directive} 'sha256-{}'", hash(&page[start..end]))));
    }
}

#[test]
fn times_read_as_people_say_them() {
    let ago = |text: &str| words::duration(sample::at(text), now());
    assert_eq!(ago("2026-11-22T02:20:00Z"), "31 s");
    assert_eq!(ago("2026-11-22T02:14:00Z"), "6 min");
    assert_eq!(ago("2026-11-22T00:14:00Z"), "2 h 6 min");
    assert_eq!(ago("2026-11-20T02:14:00Z"), "2 d");
    assert_eq!(ago("2026-10-20T02:14:00Z"), "33 d");
    assert_eq!(ago("2027-01-01T00:00:00Z"), "0 s");
    let moment = |text: &str| words::Moment::new(sample::at(text), now()).human;
    assert_eq!(moment("2026-11-22T02:14:59Z"), "02:14 UTC");
    assert_eq!(moment("2026-11-02T02:14:59Z"), "2 Nov 02:14 UTC");
    assert_eq!(moment("2025-11-02T02:14:59Z"), "2 Nov 2025 02:14 UTC");
    assert_eq!(words::elapsed(0.0001), "<1 ms");
    assert_eq!(words::elapsed(0.0123), "12 ms");
    assert_eq!(words::elapsed(4.04), "4.0 s");
}

/// What comes and goes is said to, in every list and on every page of its own.
#[test]
fn flapping_is_said() {
    let fleet = sample::flapping();
    let said = "Flapping: 7 turns since 02:00 UTC";
    // The incident, two domains (closed and open), the router.
    assert_eq!(front(&fleet, "{}").matches(said).count(), 1 + 2 * 2 + 1);
    let first = &fleet.open_incidents[0];
    assert_eq!(incident(&view(&fleet), first).unwrap().matches(said).count(), 1);
    let acme = fleet.domains.values().find(|one| one.flapping.is_some()).unwrap();
    assert_eq!(domain(&view(&fleet), acme, &[]).unwrap().matches(said).count(), 1);
    assert!(!front(&sample::fleet(), "{}").contains("Flapping"));
}
