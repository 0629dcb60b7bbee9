use super::*;
use crate::model::DomainName;

fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(1_000_000_000_000 + milliseconds).unwrap()
}

fn smtp(n: u8) -> Subject {
    Subject::Smtp(format!("192.0.2.{n}:25").parse().unwrap())
}

fn budget(n: u8) -> Budget {
    Budget::Address(format!("192.0.2.{n}:25").parse().unwrap())
}

fn every(seconds: u64) -> Pace {
    Pace {
        interval: Some(Duration::from_secs(seconds)),
        confirm_interval: Duration::from_secs(1),
    }
}

fn allow(concurrent: u32, burst: u32, milliseconds: i64) -> Allowance {
    Allowance {
        concurrent,
        burst,
        period: SignedDuration::from_millis(milliseconds),
    }
}

fn subjects(due: Vec<Due>) -> Vec<Subject> {
    due.into_iter().map(|due| due.subject).collect()
}

#[test]
fn an_interval_is_from_start_to_start_and_never_longer() {
    let mut agenda = Agenda::new(10);
    let subject = Subject::Mx(DomainName::parse("acme.test").unwrap());
    agenda.watch(&subject, every(60), vec![], at(0));
    assert_eq!(subjects(agenda.take_due(at(0))), std::slice::from_ref(&subject));
    assert_eq!(agenda.take_due(at(0)), []);
    agenda.done(&subject, Next::Routine, at(5_000));
    let next = agenda.next_wake().unwrap();
    assert!(next <= at(60_000) && next >= at(57_000), "{next}");
}

#[test]
fn routine_probes_begin_together_on_the_beat() {
    let mut agenda = Agenda::new(100);
    let begun = |n: u8| at(i64::from(n) * 7);
    for n in 1..=50 {
        agenda.watch(&smtp(n), every(60), vec![], begun(n));
        assert_eq!(subjects(agenda.take_due(begun(n))), [smtp(n)]);
        agenda.done(&smtp(n), Next::Routine, begun(n));
    }
    let (mut wakes, mut seen) = (0, 0);
    while let Some(wake) = agenda.next_wake() {
        assert_eq!(wake.as_millisecond() % BEAT_MILLIS, 0, "{wake}");
        wakes += 1;
        seen += agenda.take_due(wake).len();
    }
    assert_eq!(seen, 50);
    assert!(wakes < 40, "{wakes}");
}

#[test]
fn a_short_interval_keeps_its_own_time() {
    let mut agenda = Agenda::new(10);
    let quick = Pace {
        interval: Some(Duration::from_millis(90)),
        ..every(1)
    };
    agenda.watch(&smtp(1), quick, vec![], at(3));
    agenda.take_due(at(3));
    agenda.done(&smtp(1), Next::Routine, at(3));
    let next = agenda.next_wake().unwrap();
    assert!(next <= at(93) && next > at(85), "{next}");
}

#[test]
fn a_failure_is_looked_at_again_soon_and_refusal_is_left_alone() {
    let mut agenda = Agenda::new(10);
    agenda.watch(&smtp(1), every(60), vec![(budget(1), allow(1, 1, 100))], at(0));
    agenda.take_due(at(0));
    agenda.done(&smtp(1), Next::Confirm, at(4_000));
    assert_eq!(agenda.next_wake(), Some(at(5_000)));
    agenda.take_due(at(5_000));
    agenda.done(&smtp(1), Next::BackOff(Duration::from_mins(10)), at(6_000));
    agenda.ask(&smtp(1), at(7_000), at(7_000));
    assert_eq!(agenda.take_due(at(8_000)), []);
    assert_eq!(agenda.next_wake(), Some(at(606_000)));
    assert_eq!(agenda.effective_interval(&smtp(1)), Duration::from_mins(10));
}

#[test]
fn one_session_at_a_time_an_address_and_not_faster_than_its_pace() {
    let mut agenda = Agenda::new(10);
    agenda.watch(&smtp(1), every(1), vec![(budget(1), allow(1, 1, 10_000))], at(0));
    assert_eq!(agenda.take_due(at(0)).len(), 1);
    agenda.done(&smtp(1), Next::Confirm, at(100));
    assert_eq!(agenda.take_due(at(5_000)), []);
    assert_eq!(agenda.next_wake(), Some(at(10_000)));
    assert_eq!(agenda.take_due(at(10_000)).len(), 1);
}

#[test]
fn a_short_provider_budget_holds_up_nobody_else() {
    let mut agenda = Agenda::new(100);
    let provider = Budget::Provider("BIGMAIL".into());
    for n in 1..=5 {
        agenda.watch(
            &smtp(n),
            every(60),
            vec![(provider.clone(), allow(2, 2, 1_000))],
            at(0),
        );
    }
    agenda.watch(&smtp(9), every(60), vec![(budget(9), allow(1, 1, 0))], at(0));
    let first = subjects(agenda.take_due(at(0)));
    assert_eq!(first.len(), 3);
    assert!(first.contains(&smtp(9)));
    assert_eq!(agenda.waiting(), 3);
    // Both places are taken: nothing begins, however long one waits.
    assert_eq!(agenda.take_due(at(9_000)), []);
    let one = first.iter().find(|subject| **subject != smtp(9)).unwrap();
    agenda.done(one, Next::Routine, at(9_000));
    assert_eq!(agenda.take_due(at(9_000)).len(), 1);
}

/// What nobody answered is tried at the budget's pace beside as many sessions as may be, and each session that ends still
/// gives back just its own place.
#[test]
fn what_nobody_answers_takes_no_place() {
    let mut agenda = Agenda::new(100);
    let provider = Budget::Provider("BIGMAIL".into());
    let budgets = || vec![(provider.clone(), allow(1, 1, 1_000))];
    for n in 1..=4 {
        agenda.watch(&smtp(n), every(60), budgets(), at(0));
        agenda.set_unanswered(&smtp(n), n != 4);
    }
    let mut begun = BTreeSet::new();
    for second in 0..4 {
        begun.extend(subjects(agenda.take_due(at(second * 1_000))));
    }
    assert_eq!(begun.len(), 4, "{begun:?}");
    // The one session is still on: the others end and begin again, and it is the only one of its kind.
    agenda.watch(&smtp(5), every(60), budgets(), at(4_000));
    for n in 1..=3 {
        agenda.done(&smtp(n), Next::Confirm, at(4_000));
    }
    let mut again = BTreeSet::new();
    for second in 5..=20 {
        again.extend(subjects(agenda.take_due(at(second * 1_000))));
    }
    assert_eq!(again, BTreeSet::from([smtp(1), smtp(2), smtp(3)]));
    agenda.done(&smtp(4), Next::Routine, at(21_000));
    assert_eq!(subjects(agenda.take_due(at(21_000))), [smtp(5)]);
}

#[test]
fn what_is_asked_for_goes_before_routine() {
    let mut agenda = Agenda::new(1);
    agenda.watch(&smtp(1), every(60), vec![], at(0));
    agenda.take_due(at(0));
    agenda.watch(&smtp(2), every(60), vec![], at(100));
    agenda.watch(
        &Subject::Host("192.0.2.7".parse().unwrap()),
        Pace {
            interval: None,
            ..every(0)
        },
        vec![],
        at(0),
    );
    agenda.ask(&Subject::Host("192.0.2.7".parse().unwrap()), at(0), at(50));
    agenda.done(&smtp(1), Next::Routine, at(200));
    assert_eq!(
        subjects(agenda.take_due(at(200))),
        [Subject::Host("192.0.2.7".parse().unwrap())]
    );
}

#[test]
fn evidence_asked_for_must_begin_after_the_failure() {
    let mut agenda = Agenda::new(10);
    agenda.watch(&smtp(1), every(60), vec![], at(0));
    agenda.take_due(at(0));
    // It runs since before the failure: it must run again.
    agenda.ask(&smtp(1), at(500), at(500));
    agenda.done(&smtp(1), Next::Routine, at(1_000));
    assert_eq!(agenda.take_due(at(1_000)).len(), 1);
    // It runs since after the failure: once is enough.
    agenda.ask(&smtp(1), at(900), at(1_100));
    agenda.done(&smtp(1), Next::Routine, at(1_200));
    assert_eq!(agenda.take_due(at(1_200)), []);
    // It ran after the failure: nothing to do.
    agenda.ask(&smtp(1), at(1_000), at(1_300));
    assert_eq!(agenda.take_due(at(1_300)), []);
}

#[test]
fn the_whole_never_runs_more_than_it_may_and_nothing_is_lost() {
    let mut agenda = Agenda::new(3);
    for n in 0..20 {
        agenda.watch(
            &smtp(n),
            every(60),
            vec![(Budget::Provider("P".into()), allow(2, 2, 10))],
            at(0),
        );
    }
    let mut seen = BTreeSet::new();
    let mut now = 0;
    let mut running = Vec::new();
    while seen.len() < 20 {
        for due in agenda.take_due(at(now)) {
            assert!(seen.insert(due.subject.clone()), "{} twice", due.subject);
            running.push(due.subject);
        }
        assert!(running.len() <= 2, "{running:?}");
        if let Some(subject) = running.pop() {
            agenda.done(&subject, Next::Routine, at(now));
        }
        now += 10;
        assert!(now < 10_000, "stuck with {} left", 20 - seen.len());
    }
}

#[test]
fn what_is_asked_for_before_all_others_waits_for_none_of_them() {
    let mut agenda = Agenda::new(2);
    let witness = Subject::Resolver("192.0.2.53:53".parse().unwrap());
    let paced = vec![(budget(9), allow(1, 1, 4000))];
    agenda.watch(&smtp(9), every(60), paced, at(0));
    assert_eq!(subjects(agenda.take_due(at(0))), [smtp(9)]);
    agenda.done(&smtp(9), Next::Confirm, at(10));
    for n in 1..=5 {
        agenda.watch(&smtp(n), every(60), vec![], at(20));
    }
    agenda.watch(&witness, every(60), vec![], at(60_000));
    assert_eq!(agenda.take_due(at(20)).len(), 2, "there are no more places");
    assert_eq!(agenda.next_wake(), None);

    agenda.ask(&witness, at(30), at(30));
    assert_eq!(subjects(agenda.take_due(at(30))), std::slice::from_ref(&witness));
    agenda.done(&witness, Next::Confirm, at(40));
    assert_eq!(agenda.next_wake(), Some(at(1040)), "its time, and nobody else's");
    assert_eq!(
        subjects(agenda.take_due(at(1040))),
        std::slice::from_ref(&witness)
    );

    // What was to confirm a failure goes first now, at its own time and at its budget's pace.
    agenda.ask_first(&smtp(9), at(1040), at(1040));
    assert_eq!(agenda.take_due(at(1040)), []);
    assert_eq!(agenda.next_wake(), Some(at(4000)));
    assert_eq!(subjects(agenda.take_due(at(4000))), [smtp(9)]);
    // Until it is confirmed, and no longer.
    agenda.done(&smtp(9), Next::Confirm, at(4010));
    assert_eq!(agenda.next_wake(), Some(at(5010)));
    assert_eq!(agenda.take_due(at(5010)), []);
    assert_eq!(subjects(agenda.take_due(at(8000))), [smtp(9)]);
    agenda.done(&smtp(9), Next::Routine, at(8010));
    agenda.ask(&smtp(9), at(8020), at(8020));
    assert_eq!(agenda.take_due(at(12_000)), []);
}

#[test]
fn what_runs_and_is_asked_for_before_all_others_runs_again_before_them() {
    let mut agenda = Agenda::new(1);
    agenda.watch(&smtp(1), every(60), vec![], at(0));
    agenda.watch(&smtp(2), every(60), vec![], at(0));
    assert_eq!(subjects(agenda.take_due(at(0))), [smtp(1)]);
    agenda.ask_first(&smtp(1), at(10), at(10));
    agenda.done(&smtp(1), Next::Routine, at(20));
    assert_eq!(subjects(agenda.take_due(at(20))), [smtp(1)]);
    assert_eq!(agenda.next_wake(), None);
}

#[test]
fn a_subject_that_goes_while_it_runs_gives_its_place_back() {
    let mut agenda = Agenda::new(1);
    agenda.watch(&smtp(1), every(60), vec![(budget(1), allow(1, 1, 0))], at(0));
    agenda.take_due(at(0));
    agenda.unwatch(&smtp(1));
    agenda.done(&smtp(1), Next::Routine, at(10));
    agenda.watch(&smtp(2), every(60), vec![(budget(1), allow(1, 1, 0))], at(20));
    assert_eq!(agenda.take_due(at(20)).len(), 1);
}

#[test]
fn asking_does_not_cut_short_the_pause_before_a_confirmation() {
    let mut agenda = Agenda::new(10);
    agenda.watch(&smtp(1), every(60), vec![], at(0));
    agenda.take_due(at(0));
    agenda.done(&smtp(1), Next::Confirm, at(100));
    agenda.ask(&smtp(1), at(100), at(150));
    assert_eq!(agenda.take_due(at(200)), []);
    assert_eq!(subjects(agenda.take_due(at(1_100))), [smtp(1)]);
}

#[test]
fn what_comes_back_while_its_probe_runs_waits_for_that() {
    let mut agenda = Agenda::new(10);
    let watch = |agenda: &mut Agenda, now| {
        agenda.watch(&smtp(1), every(60), vec![(budget(1), allow(1, 1, 100))], now);
    };
    watch(&mut agenda, at(0));
    agenda.take_due(at(0));
    agenda.unwatch(&smtp(1));
    assert!(!agenda.watches(&smtp(1)) && !agenda.is_quiet(|_| false));
    watch(&mut agenda, at(1_000));
    assert!(agenda.watches(&smtp(1)));
    assert_eq!(agenda.take_due(at(1_000)), [], "its first probe still runs");
    agenda.done(&smtp(1), Next::Routine, at(2_000));
    assert_eq!(
        subjects(agenda.take_due(at(2_000))),
        [smtp(1)],
        "and says nothing about now"
    );
    agenda.unwatch(&smtp(1));
    agenda.done(&smtp(1), Next::Routine, at(3_000));
    assert!(agenda.is_empty() && agenda.is_quiet(|_| false));
}
