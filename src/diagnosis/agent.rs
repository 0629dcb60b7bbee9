//! What somebody should know of a gateway beside its state: checks that prove nothing, and what its SNMP agent says.

use jiff::{SignedDuration, Timestamp};

use crate::inventory::Gateway;
use crate::model::reach::LifeCheck;
use crate::model::snmp::SnmpFailure;
use crate::model::{Code, Evidence, Warning};
use crate::picture::Picture;

/// How long a restart is told of: whoever looks into what happened just now should see it.
const RESTART_SHOWN: SignedDuration = SignedDuration::from_hours(1);

/// The warnings of a gateway.
pub fn gateway_warnings(picture: &Picture, gateway: &Gateway, now: Timestamp) -> Vec<Warning> {
    let told = [
        unproven(picture, gateway),
        silent_agent(picture, gateway),
        restarted(picture, gateway, now),
    ];
    let warning = |(code, summary): (Code, String)| Warning {
        code,
        subject: gateway.label().into(),
        summary: summary.into(),
        accepted: false,
    };
    told.into_iter().flatten().map(warning).collect()
}

fn unproven(picture: &Picture, gateway: &Gateway) -> Option<(Code, String)> {
    let proven = picture.learnt.gateway_answered(&gateway.client, &gateway.name);
    let track = picture.track(&gateway.subject())?;
    let summary = "None of its checks has ever been answered, so they cannot tell when it fails.";
    (!proven && !track.is_in_doubt()).then(|| (Code::GatewayUnproven, summary.into()))
}

/// An agent that has never answered, on a gateway that lives: it is off, or what we say to it is wrong.
fn silent_agent(picture: &Picture, gateway: &Gateway) -> Option<(Code, String)> {
    let subject = gateway.subject();
    if picture.agent_has_answered(&subject) {
        return None;
    }
    let Evidence::Gateway(evidence) = &picture.track(&subject)?.latest.evidence else {
        return None;
    };
    let failure = evidence.checks.iter().find_map(|check| match check {
        LifeCheck::Snmp { report } => report.as_ref().err(),
        _ => None,
    })?;
    if !evidence.answered() {
        return None;
    }
    let remedy = match failure {
        SnmpFailure::Silent => " Is the agent on, does it let our address in, and is the community right?",
        SnmpFailure::Closed => " Switch the agent on, or take `snmp` out of the configuration.",
        SnmpFailure::Denied => " Compare them with those in the router.",
        SnmpFailure::Malformed | SnmpFailure::Local { .. } => "",
    };
    let summary = format!("Its SNMP agent has never answered: {failure}.{remedy}");
    Some((Code::GatewayUnproven, summary))
}

fn restarted(picture: &Picture, gateway: &Gateway, now: Timestamp) -> Option<(Code, String)> {
    let at = picture.restarted(&gateway.subject())?;
    let shown = now.duration_since(at) < RESTART_SHOWN;
    let when = at.strftime("%Y-%m-%d %H:%M:%S UTC");
    shown.then(|| {
        (
            Code::GatewayRebooted,
            format!("It restarted at {when}, says its uptime (SNMP)."),
        )
    })
}
