//! What the addresses of one domain say of one another.

use super::super::address::{AddressState, AddressView};
use super::super::doubt::Doubt;
use super::super::host::HostView;
use crate::model::Subject;
use crate::picture::Picture;

/// Addresses of one domain fail and recover together more often than not. A failure is judged only with news of
/// the others since; and when one has just recovered, what the others showed before that may be over as well.
pub(super) fn wait_for_siblings(picture: &Picture, hosts: &[HostView], doubt: &mut Doubt) {
    let addresses = || hosts.iter().flat_map(|host| &host.addresses);
    let settled_since = |view: &AddressView| {
        let track = picture.track(&Subject::Smtp(view.address))?;
        Some(track.settled.as_ref()?.since())
    };
    // A probe that found it good may have begun while it was still away, and had patience: its end counts.
    let good_since = |view: &AddressView| {
        let track = picture.track(&Subject::Smtp(view.address))?;
        Some(track.settled.as_ref()?.confirmed())
    };
    let newest = addresses()
        .filter(|view| view.state == AddressState::Usable)
        .filter_map(good_since)
        .max();
    let failed = addresses()
        .filter(|view| view.has_failed())
        .filter_map(settled_since)
        .max();
    for (view, failed) in addresses()
        .filter(|view| view.is_usable())
        .zip(std::iter::repeat(failed))
    {
        if let Some(failed) = failed {
            doubt.want(
                picture,
                &Subject::Smtp(view.address),
                failed,
                &picture.smtp_settings(view.address),
            );
        }
    }
    let Some(newest) = newest else { return };
    for view in
        addresses().filter(|view| view.has_failed() || matches!(view.state, AddressState::Impaired(_)))
    {
        doubt.want(
            picture,
            &Subject::Smtp(view.address),
            newest,
            &picture.smtp_settings(view.address),
        );
    }
}
