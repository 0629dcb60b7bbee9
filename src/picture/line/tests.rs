use rstest::rstest;

use super::*;

const CLEAN: Ours = Ours {
    loss: Some((0, 60)),
    delay: Some(Delay {
        mostly: Duration::ZERO,
        at_times: Duration::ZERO,
    }),
};

fn report(lost: u32, millis: u64) -> PingReport {
    PingReport {
        sent: 5,
        round_trips: vec![Duration::from_millis(millis); 5 - lost as usize],
        unreachable: false,
    }
}

/// A line after rounds a minute apart, each `(lost of 5, milliseconds)`, judged after each.
fn line(rounds: &[(u32, u64)], ours: Ours) -> Line {
    let mut line = Line::default();
    for (minute, (lost, millis)) in (0..).zip(rounds) {
        let at = Timestamp::from_second(60 * minute).unwrap();
        line.hear(at, &report(*lost, *millis), Timestamp::MIN);
        line.settle(ours);
    }
    line
}

fn lossy(rounds: &[u32], ours: Ours) -> bool {
    let rounds: Vec<(u32, u64)> = rounds.iter().map(|lost| (*lost, 10)).collect();
    line(&rounds, ours).impaired().lossy
}

#[rstest]
#[case::a_fifth(&[1; 6], true)]
#[case::too_few_rounds(&[1; 5], false)]
#[case::less_than_a_fifth(&[1, 1, 1, 1, 1, 0], false)]
#[case::two_rounds_cut_short(&[4, 0, 0, 0, 4, 0], false)]
#[case::silence_is_no_loss(&[5, 5, 5, 5, 5, 0, 0, 0, 0, 0, 0], false)]
#[case::over(&[2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], false)]
#[case::nearly_over(&[2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], true)]
#[case::silent_for_good(&[2, 2, 2, 2, 2, 2, 5, 5, 5, 5, 5, 5], false)]
fn loss_begins_and_ends(#[case] rounds: &[u32], #[case] expected: bool) {
    assert_eq!(lossy(rounds, CLEAN), expected);
}

#[rstest]
#[case::ours_is_clean(Some((0, 60)), true)]
#[case::ours_loses_a_little(Some((4, 60)), true)]
#[case::ours_loses_a_third_of_it(Some((8, 60)), false)]
#[case::ours_loses_as_much(Some((24, 60)), false)]
#[case::nobody_can_tell(None, false)]
fn what_our_own_line_loses_is_not_theirs(#[case] loss: Option<(u32, u32)>, #[case] expected: bool) {
    assert_eq!(lossy(&[2; 12], Ours { loss, ..CLEAN }), expected);
}

#[test]
fn what_nobody_can_tell_leaves_things_as_they_are() {
    let mut line = line(&[(2, 10); 6], CLEAN);
    line.settle(Ours::default());
    assert!(line.impaired().lossy);
    line.settle(Ours {
        loss: Some((12, 30)),
        delay: None,
    });
    assert!(!line.impaired().lossy);
}

#[rstest]
#[case::usual(10, 10, false)]
#[case::four_times_but_fast(10, 50, false)]
#[case::much_more_but_not_four_times(60, 200, false)]
#[case::both(10, 111, true)]
fn slow_is_slower_than_usual(#[case] usual: u64, #[case] now: u64, #[case] expected: bool) {
    let rounds = [[(0, usual); 12], [(0, now); 12]].concat();
    assert_eq!(line(&rounds, CLEAN).impaired().slow, expected);
}

#[rstest]
#[case::still_slow(70, true)]
#[case::twice_the_usual(19, false)]
#[case::little_above_it(59, false)]
fn slow_ends_well_below_where_it_began(#[case] then: u64, #[case] expected: bool) {
    let rounds = [[(0, 10); 12], [(0, 200); 12], [(0, then); 12]].concat();
    assert_eq!(line(&rounds, CLEAN).impaired().slow, expected);
}

#[rstest]
#[case::no_delay(Some((0, 0)), true)]
#[case::a_third_of_it(Some((64, 64)), false)]
#[case::a_third_of_it_at_times(Some((0, 64)), false)]
#[case::little_at_times(Some((0, 60)), true)]
#[case::nobody_can_tell(None, false)]
fn our_own_delay_is_not_theirs(#[case] delay: Option<(u64, u64)>, #[case] expected: bool) {
    let delay = delay.map(|(mostly, at_times)| Delay {
        mostly: Duration::from_millis(mostly),
        at_times: Duration::from_millis(at_times),
    });
    let ours = Ours { delay, ..CLEAN };
    let rounds = [[(0, 10); 12], [(0, 200); 12]].concat();
    assert_eq!(line(&rounds, ours).impaired().slow, expected);
}

#[test]
fn the_usual_time_is_the_median_of_good_rounds_and_follows_slowly() {
    let mut learning = line(&[(0, 10), (3, 90), (0, 12), (0, 11), (0, 10), (0, 11)], CLEAN);
    assert_eq!(learning.usual(), None);
    learning.hear(
        Timestamp::from_second(360).unwrap(),
        &report(0, 10),
        Timestamp::MIN,
    );
    assert_eq!(learning.usual(), Some(Duration::from_millis(11)));
    // An hour at the new pace moves it by a twenty-fourth; three days make the new pace usual.
    let after = |hours: usize| {
        let rounds = [vec![(0, 10); 12], vec![(0, 250); hours * 60]].concat();
        line(&rounds, CLEAN)
    };
    let hour = after(1).usual().unwrap().as_millis();
    assert!((15..25).contains(&hour), "{hour} ms");
    assert!(after(1).impaired().slow && !after(72).impaired().slow);
}

#[test]
fn rounds_of_another_time_are_forgotten() {
    let mut line = line(&[(2, 10); 6], CLEAN);
    let later = Timestamp::from_second(86_400).unwrap();
    line.hear(later, &report(0, 10), later);
    assert_eq!((line.loss(), line.span()), ((0, 5), Some((1, later))));
}
