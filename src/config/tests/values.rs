//! Values read what people write, and write it back.

use std::time::Duration;

use proptest::prelude::*;
use rstest::rstest;

use crate::config::value::duration;
use crate::config::{HostPort, Hours, IpNet, MailAddress, MxPattern};
use crate::model::Endpoint;

#[rstest]
#[case("60s", 60_000)]
#[case("5m", 300_000)]
#[case("1h30m", 5_400_000)]
#[case("400d", 34_560_000_000)]
#[case("2w", 1_209_600_000)]
#[case("250ms", 250)]
#[case("1s500ms", 1_500)]
#[case(" 0 ", 0)]
fn durations_are_numbers_with_units(#[case] text: &str, #[case] millis: u64) {
    assert_eq!(duration::parse(text), Ok(Duration::from_millis(millis)));
}

#[rstest]
#[case("", "a duration is a number and a unit, such as \"60s\", \"5m\" or \"1h30m\"")]
#[case("60", "a duration needs a unit: \"60s\" are seconds, \"60m\" minutes")]
#[case("1h30", "a duration needs a unit: \"30s\" are seconds, \"30m\" minutes")]
#[case(
    "5 m",
    "a duration is a whole number and a unit, such as \"60s\", \"5m\" or \"1h30m\""
)]
#[case(
    "1.5h",
    "a duration is a whole number and a unit, such as \"60s\", \"5m\" or \"1h30m\""
)]
#[case(
    "-5s",
    "a duration is a whole number and a unit, such as \"60s\", \"5m\" or \"1h30m\""
)]
#[case("5min", "\"min\" is no unit of time: ms, s, m, h, d and w are")]
#[case(
    "30m1h",
    "in a duration the larger unit comes first, each unit once, as in \"1h30m\""
)]
#[case(
    "1m1m",
    "in a duration the larger unit comes first, each unit once, as in \"1h30m\""
)]
#[case("200000d", "this is longer than a hundred years")]
#[case("99999999999999999999999s", "this is longer than a hundred years")]
#[case("18446744073709551615w", "this is longer than a hundred years")]
fn other_durations_say_what_is_wrong(#[case] text: &str, #[case] why: &str) {
    assert_eq!(duration::parse(text).unwrap_err().to_string(), why);
}

proptest! {
    #[test]
    fn a_duration_survives_being_written_and_read(millis in 0..=3_162_240_000_000_u64) {
        let span = Duration::from_millis(millis);
        prop_assert_eq!(duration::parse(&duration::display(span).to_string()), Ok(span));
    }

    #[test]
    fn no_text_makes_a_value_panic(text in ".{0,40}") {
        let _ = duration::parse(&text);
        let _ = text.parse::<IpNet>();
        let _ = text.parse::<Endpoint>();
        let _ = text.parse::<Hours>();
        let _ = text.parse::<MailAddress>();
        let _ = text.parse::<MxPattern>();
        let _ = HostPort::parse(&text, Some(25));
    }

    #[test]
    fn a_network_holds_exactly_the_addresses_with_its_prefix(address: u32, other: u32, prefix in 0..=32_u32) {
        let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
        let text = format!("{}/{prefix}", std::net::Ipv4Addr::from(address & mask));
        let network: IpNet = text.parse().unwrap();
        prop_assert_eq!(network.to_string(), text);
        prop_assert!(network.contains(std::net::Ipv4Addr::from(address).into()));
        let inside = other & mask == address & mask;
        prop_assert_eq!(network.contains(std::net::Ipv4Addr::from(other).into()), inside);
    }
}

#[test]
fn networks_know_both_families() {
    let network: IpNet = "2001:db8::/32".parse().unwrap();
    assert!(network.contains("2001:db8:ffff::1".parse().unwrap()));
    assert!(!network.contains("2001:db9::1".parse().unwrap()));
    assert!(!network.contains("192.0.2.1".parse().unwrap()));
    let v4: IpNet = "192.0.2.0/24".parse().unwrap();
    assert!(v4.contains("::ffff:192.0.2.7".parse().unwrap()));
    assert_eq!("192.0.2.1".parse::<IpNet>().unwrap().to_string(), "192.0.2.1/32");
}

#[test]
fn hosts_and_ports() {
    for (text, shown) in [
        ("mx.acme.test:587", "mx.acme.test:587"),
        ("mx.acme.test", "mx.acme.test:25"),
        ("192.0.2.1:26", "192.0.2.1:26"),
        ("2001:db8::1", "[2001:db8::1]:25"),
        ("[2001:db8::1]", "[2001:db8::1]:25"),
        ("[2001:db8::1]:465", "[2001:db8::1]:465"),
    ] {
        assert_eq!(HostPort::parse(text, Some(25)).unwrap().to_string(), shown);
    }
    for text in [
        "mx.acme.test:0",
        "mx.acme.test:x",
        "mx.acme.test:70000",
        ":25",
        "",
        "a b:25",
    ] {
        assert!(HostPort::parse(text, Some(25)).is_err(), "{text}");
    }
    assert!(HostPort::parse("mx.acme.test", None).is_err());
}

#[test]
fn mail_addresses() {
    assert_eq!(
        "who@Acme.Test".parse::<MailAddress>().unwrap().to_string(),
        "who@acme.test"
    );
    for text in [
        "who",
        "@acme.test",
        "who@",
        "a b@acme.test",
        "a\r\nb@acme.test",
        "<a@acme.test>",
        "a@b@acme.test",
    ] {
        assert!(text.parse::<MailAddress>().is_err(), "{text}");
    }
}

#[rstest]
#[case("Mon-Fri 08:00-18:00 Europe/Berlin", "2026-11-23T07:00:00Z", true)]
#[case("Mon-Fri 08:00-18:00 Europe/Berlin", "2026-11-23T06:59:59Z", false)]
#[case("Mon-Fri 08:00-18:00 Europe/Berlin", "2026-11-23T17:00:00Z", false)]
#[case("Mon-Fri 08:00-18:00 Europe/Berlin", "2026-11-22T12:00:00Z", false)]
#[case("Mon-Fri 08:00-18:00 Europe/Berlin", "2026-07-20T06:00:00Z", true)]
#[case("Fri-Mon 00:00-24:00 UTC", "2026-11-22T23:59:59Z", true)]
#[case("Mon,Wed 00:00-00:00 UTC", "2026-11-24T00:00:00Z", false)]
#[case("Sun 22:00-06:00 UTC", "2026-11-23T05:59:59Z", true)]
#[case("Sun 22:00-06:00 UTC", "2026-11-22T05:59:59Z", false)]
fn working_hours(#[case] hours: &str, #[case] now: &str, #[case] inside: bool) {
    let hours: Hours = hours.parse().unwrap();
    assert_eq!(hours.contains(now.parse().unwrap()), inside);
}

#[test]
fn the_next_working_hour() {
    let hours: Hours = "Mon-Fri 08:00-18:00 Europe/Berlin".parse().unwrap();
    let next = |now: &str| hours.next(now.parse().unwrap()).unwrap().to_string();
    assert_eq!(next("2026-11-22T12:00:00Z"), "2026-11-23T07:00:00Z");
    assert_eq!(next("2026-11-23T12:00:00Z"), "2026-11-23T12:00:00Z");
    assert_eq!(next("2026-11-27T17:00:00Z"), "2026-11-30T07:00:00Z");
    // The clocks went forward in between.
    assert_eq!(next("2026-03-27T18:00:00Z"), "2026-03-30T06:00:00Z");
}

#[rstest]
#[case(
    "Mon-Fri 08:00-18:00",
    "hours are written as days, times and a time zone: \"Mon-Fri 08:00-18:00 Europe/Berlin\""
)]
#[case(
    "Mon-Fry 08:00-18:00 UTC",
    "\"Fry\" is no day: Mon, Tue, Wed, Thu, Fri, Sat and Sun are"
)]
#[case("Mon 8:00-18:00 UTC", "times are written as \"08:00-18:00\"")]
#[case("Mon 08:00-25:00 UTC", "times are written as \"08:00-18:00\"")]
#[case(
    "Mon 08:00-18:00 Mars/Base",
    "\"Mars/Base\" is no time zone known here; write an IANA name such as \"Europe/Berlin\" (is tzdata installed?)"
)]
fn other_hours_say_what_is_wrong(#[case] text: &str, #[case] why: &str) {
    assert_eq!(text.parse::<Hours>().unwrap_err().to_string(), why);
}
