//! Gateways that answer, but badly: the line to them loses packets or has become slow (`semantics` 9, 13).

use std::sync::Arc;

use crate::inventory::Gateway;
use crate::model::{Code, Root, RootKind};
use crate::picture::{Line, Picture};

use super::finding::Finding;
use super::note::brief;

/// What is wrong with the line to a gateway, the worse first. Loss says more than delay, and brings delay with it.
///
/// What our own line loses as well is not held against anybody: [`Line`] has compared it with the anchors.
pub fn impairment(picture: &Picture, gateway: &Gateway) -> Option<Finding> {
    let subject = gateway.subject();
    let line = picture.line(&subject)?;
    let impaired = line.impaired();
    let (code, detail) = if impaired.lossy {
        (Code::GatewayLossy, lossy(line, gateway)?)
    } else if impaired.slow {
        (Code::GatewaySlow, slow(line, gateway)?)
    } else {
        return None;
    };
    let root = Root {
        kind: RootKind::Gateway,
        client: Some(gateway.client.clone()),
        name: Arc::clone(&gateway.name),
    };
    let newest = picture.track(&subject).map(|track| Arc::clone(&track.latest));
    let found = Finding::new(code, root, gateway.label(), detail)
        .on(newest)
        .seen_from(picture);
    Some(found)
}

fn lossy(line: &Line, gateway: &Gateway) -> Option<String> {
    let (lost, sent) = line.loss();
    let (rounds, since) = line.span()?;
    let ours = match line.our_loss() {
        Some((0, _)) => "; our own line lost none meanwhile".to_owned(),
        Some((own, of)) => format!("; our own line lost {own} of {of} meanwhile"),
        None => String::new(),
    };
    Some(format!(
        "{lost} of {sent} pings to {} were lost ({} %) in the last {rounds} rounds, since {}{ours}.",
        gateway.label(),
        lost * 100 / sent.max(1),
        since.strftime("%H:%M UTC"),
    ))
}

fn slow(line: &Line, gateway: &Gateway) -> Option<String> {
    let (rounds, since) = line.span()?;
    Some(format!(
        "Pings to {} take {}, usually {}, in the last {rounds} rounds, since {}; our own line is not that slow.",
        gateway.label(),
        brief(line.median()?),
        brief(line.usual()?),
        since.strftime("%H:%M UTC"),
    ))
}
