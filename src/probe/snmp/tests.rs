use super::*;
use crate::net::fake::{Agent, FakeNet, Reach};
use crate::probe::fixtures::*;

fn login(community: &'static str) -> SnmpLogin {
    SnmpLogin::new(move || Ok(Credentials::Community(community.into())))
}

/// A router at MX with an agent; its interface 2 holds its address, 3 is that of the default route.
fn router() -> (FakeNet, Agent) {
    let net = world();
    net.host(MX);
    let mut agent = Agent::new("right");
    agent.set(UPTIME, SnmpValue::Number(123_456));
    agent.set(DESCRIPTION, SnmpValue::Text(b"Router \x1b[31mOS".to_vec()));
    agent.set(
        &extended(INTERFACE_OF_ADDRESS, [198, 51, 100, 10]),
        SnmpValue::Number(2),
    );
    agent.set(INTERFACE_OF_DEFAULT, SnmpValue::Number(3));
    for index in [2, 3] {
        let values = [1, 5, 6, 1 << 40, 8].map(SnmpValue::Number);
        let ethernet = SnmpValue::Number(6);
        let name = SnmpValue::Text(format!("wan{index}").into_bytes());
        for (column, value) in OF_INTERFACE
            .iter()
            .zip([ethernet, name].into_iter().chain(values))
        {
            agent.set(&extended(column, [index]), value);
        }
    }
    net.set_agent(MX, agent.clone());
    (net, agent)
}

async fn look(net: &FakeNet, login: &SnmpLogin) -> Result<SnmpReport, SnmpFailure> {
    match check(net, MX, login, LIMIT).await {
        LifeCheck::Snmp { report } => report,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_tells_its_uptime_and_its_interface_to_the_outside() {
    let (net, mut agent) = router();
    let report = look(&net, &login("right")).await.unwrap();
    assert_eq!(
        (report.uptime, report.description.as_str()),
        (123_456, "Router \\x1b[31mOS")
    );
    let interface = report.interface.clone().unwrap();
    assert_eq!((interface.index, interface.octets_in), (2, Some(1 << 40)));
    insta::assert_snapshot!(report, @"up 20 min, wan2 up, 5 errors in, 6 out");
    agent.set(
        &extended(INTERFACE_OF_ADDRESS, [198, 51, 100, 10]),
        SnmpValue::Nothing,
    );
    net.set_agent(MX, agent);
    let report = look(&net, &login("right")).await.unwrap();
    assert_eq!(report.interface.unwrap().index, 3);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_of_a_loopback() {
    let (net, mut agent) = router();
    agent.set(&extended(OF_INTERFACE[0], [2]), SnmpValue::Number(LOOPBACK));
    net.set_agent(MX, agent);
    let report = look(&net, &login("right")).await.unwrap();
    insta::assert_snapshot!(report, @"up 20 min");
}

#[tokio::test(start_paused = true)]
async fn a_sparse_agent_is_an_agent() {
    let (net, _) = router();
    let mut sparse = Agent::new("right");
    sparse.set(UPTIME, SnmpValue::Number(100 * 86_400 * 40));
    net.set_agent(MX, sparse.clone());
    let report = look(&net, &login("right")).await.unwrap();
    assert_eq!(
        (report.interface.clone(), report.to_string().as_str()),
        (None, "up 40 d 0 h")
    );
    sparse.set(UPTIME, SnmpValue::Nothing);
    net.set_agent(MX, sparse);
    assert_eq!(look(&net, &login("right")).await, Err(SnmpFailure::Malformed));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_community_is_silence_and_takes_no_long_time() {
    let (net, _) = router();
    let before = net.now();
    assert_eq!(look(&net, &login("wrong")).await, Err(SnmpFailure::Silent));
    assert!(net.now().duration_since(before).as_secs() <= 3);
    net.set_reach(MX, Reach::Silent);
    assert_eq!(look(&net, &login("right")).await, Err(SnmpFailure::Silent));
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_cannot_be_had_is_our_own_fault() {
    let (net, _) = router();
    let none = SnmpLogin::new(|| Err("the environment variable X is not set".into()));
    let report = look(&net, &none).await;
    let check = LifeCheck::Snmp { report };
    assert!(!check.could_run() && !check.answered());
    assert_eq!(check.summary(), "SNMP: the environment variable X is not set");
}
