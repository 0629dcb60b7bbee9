use super::*;
use crate::model::{Cause, IncidentId, IncidentState, Severity, State};
use crate::surface::sample;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + 60 * minute).unwrap()
}

fn hit(client: &str, domain: &str, since: i64) -> Affected {
    Affected {
        target: Target::Domain(domain.parse().unwrap()),
        client: Some(ClientId::parse(client).unwrap()),
        state: State::Broken,
        first_sight: false,
        since: at(since),
        flapping: None,
    }
}

fn incident(id: u64, from: i64, to: Option<i64>, of: Vec<Affected>) -> Incident {
    let cause: Cause = sample::closed(1).cause;
    let open = sample::incident(id, Severity::Critical, 1, cause, of);
    Incident {
        id: IncidentId(id),
        opened: at(from),
        resolved: to.map(at),
        ended_by: to.map(|_| "recovered".to_owned()),
        state: match to {
            Some(_) => IncidentState::Resolved,
            None => IncidentState::Open,
        },
        ..open
    }
}

fn acme() -> ClientId {
    ClientId::parse("acme").unwrap()
}

#[test]
fn only_what_lies_in_the_time_counts() {
    let incidents = [
        incident(1, 0, Some(90), vec![hit("acme", "a.test", 0)]),
        incident(
            2,
            150,
            None,
            vec![hit("acme", "a.test", 150), hit("beta", "b.test", 180)],
        ),
        incident(3, 0, Some(99), vec![hit("acme", "a.test", 0)]),
        incident(4, 301, None, vec![hit("acme", "a.test", 301)]),
        incident(5, 100, Some(110), Vec::new()),
    ];
    let digest = Digest::of(&incidents, None, at(100), at(210));
    let told: Vec<_> = digest
        .episodes
        .iter()
        .map(|one| (one.incident.id.0, one.seconds / 60, one.domain_seconds / 60))
        .collect();
    assert_eq!(told, [(2, 60, 90), (5, 10, 0)]);
    assert_eq!(
        (digest.open(), digest.domains().len(), digest.clients().len()),
        (1, 2, 2)
    );
    insta::assert_snapshot!(digest.sentence(), @"2 incidents, 1 still goes on. 2 domains of 2 clients were hit, for 1 h 30 min altogether.");
}

#[test]
fn what_began_before_counts_from_the_beginning_of_the_time() {
    let incidents = [incident(1, 0, Some(130), vec![hit("acme", "a.test", 0)])];
    let digest = Digest::of(&incidents, None, at(100), at(210));
    assert_eq!(digest.domain_seconds(), 30 * 60);
    let owner = incidents[0].cause.owner;
    let share = Share {
        incidents: 1,
        domain_seconds: 30 * 60,
    };
    assert_eq!(digest.owners(), [(owner, share)]);
    insta::assert_snapshot!(digest.sentence(), @"1 incident, which is over. 1 domain of 1 client was hit, for 30 min altogether.");
}

#[test]
fn a_client_sees_its_own_alone() {
    let incidents = [
        incident(
            1,
            100,
            Some(110),
            vec![hit("acme", "a.test", 100), hit("beta", "b.test", 100)],
        ),
        incident(2, 100, Some(110), vec![hit("beta", "b.test", 100)]),
    ];
    let digest = Digest::of(&incidents, Some(&acme()), at(100), at(210));
    assert_eq!(digest.episodes.len(), 1);
    assert_eq!(digest.episodes[0].touched.len(), 1);
    assert_eq!(digest.domain_seconds(), 600);
}

#[test]
fn what_was_merged_is_told_where_it_went() {
    let mut merged = incident(1, 100, Some(101), vec![hit("acme", "a.test", 100)]);
    merged.ended_by = Some("merged into #2".into());
    let digest = Digest::of([&merged], None, at(100), at(210));
    insta::assert_snapshot!(digest.sentence(), @"Nothing happened.");
}
