//! Whether a recipient who agreed to it would be given mail: the usual session, then MAIL, RCPT, RSET and QUIT.
//! Never DATA: nothing is ever sent.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::dialogue::Wire;
use super::{Context, Errand, Seen, Session, blank, explain};
use crate::model::smtp::SmtpFailure;
use crate::model::{DomainName, Evidence, Recipient, SmtpStage};
use crate::net::Net;
use crate::net::trust::Trust;

/// Asks the first of `peers` that talks to us for `recipient`.
///
/// `patience` limits each answer to MAIL and RCPT, `timeout` every other stage. Where nobody talks to us, the evidence
/// is the last one's session, which then came to no MAIL.
pub async fn ask_for<N: Net>(
    net: &N,
    context: &Context,
    trust: &Trust,
    recipient: &Recipient,
    peers: &[(SocketAddr, Option<DomainName>)],
    patience: Duration,
    timeout: Duration,
) -> Seen {
    let mut last = Seen::unrunnable("none of the recipient's mail servers can be asked at the moment");
    for (peer, server_name) in peers {
        let session = Session {
            net,
            helo: &context.helo,
            trust,
            timeout,
            errand: Some(Errand { recipient, patience }),
            evidence: blank(*peer, server_name.as_ref(), timeout, false),
        };
        last = session.hold(Evidence::Recipient).await;
        if matches!(&last.evidence, Evidence::Recipient(session) if session.has_asked()) {
            break;
        }
    }
    last
}

impl<N: Net> Session<'_, N> {
    /// MAIL, RCPT and RSET, where somebody is to be asked for.
    pub(super) async fn run_errand<S>(&mut self, wire: &mut Wire<S>) -> Result<(), SmtpFailure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Some(Errand { recipient, patience }) = self.errand.take() else {
            return Ok(());
        };
        let mail = self
            .timed(SmtpStage::Mail, patience, wire.mail(&recipient.from))
            .await;
        mail.map_err(|failure| explain(failure, wire))?;
        let rcpt = wire.recipient(&recipient.address);
        let rcpt = self.timed(SmtpStage::Rcpt, patience, rcpt).await;
        rcpt.map_err(|failure| explain(failure, wire))?;
        // The answer is known: how the envelope is thrown away is no failure of the session.
        if tokio::time::timeout(self.timeout, wire.reset()).await.is_err() {
            wire.timed_out();
        }
        Ok(())
    }
}
