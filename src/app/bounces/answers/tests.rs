use super::*;
use crate::message;

fn letter() -> Letter {
    Letter {
        from: Some("anna@acme.test".into()),
        id: Some("<fwd@acme.test>".into()),
        references: vec!["<first@acme.test>".into()],
        subject: "Fwd: Unzustellbar: größer".into(),
        ..Letter::default()
    }
}

fn now() -> Timestamp {
    "2026-11-26T09:10:00Z".parse().unwrap()
}

#[test]
fn an_answer_is_one_that_no_machine_answers() {
    let text = mail(
        "bounces@msp.test",
        "anna@acme.test",
        &letter(),
        "No user.\n",
        now(),
    )
    .unwrap();
    let (headers, body) = text.split_once("\r\n\r\n").unwrap();
    for line in [
        "From: bounces@msp.test",
        "To: anna@acme.test",
        "Auto-Submitted: auto-replied",
        "In-Reply-To: <fwd@acme.test>",
        "References: <first@acme.test> <fwd@acme.test>",
        "Date: Thu, 26 Nov 2026 09:10:00 +0000",
    ] {
        assert!(headers.lines().any(|one| one == line), "{line} in {headers}");
    }
    assert_eq!(body, "No user.\r\n");
    let again = message::letter(text.as_bytes());
    assert!(again.by_machine);
    assert_eq!(again.subject, "Re: Fwd: Unzustellbar: größer");
    assert!(text.is_ascii());
}

#[test]
fn a_subject_cannot_add_a_header() {
    let hostile = Letter {
        subject: "x\r\nBcc: all@acme.test".into(),
        ..letter()
    };
    let text = mail("bounces@msp.test", "anna@acme.test", &hostile, "", now()).unwrap();
    assert!(!text.lines().any(|line| line.starts_with("Bcc:")), "{text}");
    assert_eq!(mail("bounces@msp.test", "no address", &letter(), "", now()), None);
}

#[test]
fn more_answers_within_an_hour_than_anybody_reads_are_not_written() {
    let mut answers = Answers::default();
    let given = (0..50)
        .filter(|_| answers.may_answer("Anna@acme.test", now()))
        .count();
    assert_eq!(given, TO_ONE);
    assert!(answers.may_answer("beate@acme.test", now()));
    let later = now() + SignedDuration::from_mins(61);
    assert!(answers.may_answer("anna@acme.test", later));
    let mut answers = Answers::default();
    let all = (0..500).filter(|index| answers.may_answer(&format!("a{index}@acme.test"), now()));
    assert_eq!(all.count(), IN_ALL);
}
