//! What may happen, at random.

use proptest::prelude::*;

use crate::model::State;

/// Where the process is killed in a turn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kill {
    /// Nothing of the turn is written down.
    Undecided,
    /// It is written down, but nothing is sent.
    Unsent,
    /// So many messages are sent and confirmed, one more is sent, and that is not written down.
    Unconfirmed(usize),
}

/// How a receiver is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Receiver {
    Up,
    Down,
    /// It asks to be left alone for so many seconds.
    Busy(u64),
    /// It refuses what it is given for good.
    Refusing,
}

/// Whom a silence or a maintenance is about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Whom {
    Acme,
    Bravo,
    /// Whoever's mail servers.
    Hosts,
}

/// What a reload changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Change {
    /// How long to wait, whom to tell later, how loud.
    Policy(usize),
    /// Who is told of whose incidents, and when.
    Routing(usize),
    /// Whether the last domain is watched.
    Domain(bool),
    /// Whether the notifier of the later step is configured.
    Boss(bool),
}

/// One thing that happens.
#[derive(Debug, Clone)]
pub(super) enum Action {
    /// A target turns, for a cause at one of the roots.
    Judge(usize, State, usize),
    /// One goes down and up, so many times.
    Flap(usize, u64),
    /// Somebody accepts what a target stands in an incident for.
    Accept(usize),
    Wait(u64),
    /// Somebody takes on whatever goes on.
    Acknowledge,
    Silence(Whom, u64),
    /// A maintenance that begins after so many seconds, for so many.
    Maintain(Whom, u64, u64),
    /// What was set by hand last is lifted.
    Lift,
    Receiver(usize, Receiver),
    Reload(Change),
    /// Whether the disk takes anything.
    Disk(bool),
    /// And whether everything is looked at again at once.
    Kill(Kill, bool),
}

/// A history.
pub(super) fn actions() -> impl Strategy<Value = Vec<Action>> {
    let state = prop_oneof![
        3 => Just(State::Flowing),
        3 => Just(State::Broken),
        1 => Just(State::Degraded),
        1 => Just(State::Unknown),
    ];
    let whom = || prop_oneof![Just(Whom::Acme), Just(Whom::Bravo), Just(Whom::Hosts)];
    let kill = prop_oneof![
        Just(Kill::Undecided),
        Just(Kill::Unsent),
        (0..3_usize).prop_map(Kill::Unconfirmed),
    ];
    let receiver = prop_oneof![
        3 => Just(Receiver::Up),
        2 => Just(Receiver::Down),
        1 => (1..300_u64).prop_map(Receiver::Busy),
        1 => Just(Receiver::Refusing),
    ];
    let change = prop_oneof![
        (0..3_usize).prop_map(Change::Policy),
        (0..3_usize).prop_map(Change::Routing),
        any::<bool>().prop_map(Change::Domain),
        any::<bool>().prop_map(Change::Boss),
    ];
    let action = prop_oneof![
        12 => (0..4_usize, state, 0..3_usize).prop_map(|(target, state, root)| Action::Judge(target, state, root)),
        1 => (0..4_usize, 1..6_u64).prop_map(|(target, times)| Action::Flap(target, times)),
        1 => (0..4_usize).prop_map(Action::Accept),
        6 => (1..900_u64).prop_map(Action::Wait),
        1 => (3600..40_000_u64).prop_map(Action::Wait),
        2 => Just(Action::Acknowledge),
        2 => (whom(), 1..900_u64).prop_map(|(whom, seconds)| Action::Silence(whom, seconds)),
        1 => (whom(), 0..600_u64, 1..900_u64).prop_map(|(whom, from, seconds)| Action::Maintain(whom, from, seconds)),
        1 => Just(Action::Lift),
        3 => (0..3_usize, receiver).prop_map(|(receiver, is)| Action::Receiver(receiver, is)),
        2 => change.prop_map(Action::Reload),
        1 => any::<bool>().prop_map(Action::Disk),
        3 => (kill, any::<bool>()).prop_map(|(kill, look)| Action::Kill(kill, look)),
    ];
    prop::collection::vec(action, 1..60)
}
