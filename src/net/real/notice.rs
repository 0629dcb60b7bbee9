//! What the network said of a packet that we sent: ICMP errors, read from a socket's error queue (Linux
//! `IP_RECVERR`, ip(7)). Without the queue a firewall's "prohibited" and a router's "unreachable" are one errno.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd};

use nix::libc;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};

/// `SO_EE_ORIGIN_ICMP` and `SO_EE_ORIGIN_ICMP6` of Linux's `errqueue.h`.
const ORIGIN_ICMP: u8 = 2;
const ORIGIN_ICMP6: u8 = 3;

/// Notices beyond this many in one queue say nothing new.
const MOST_NOTICES: usize = 8;

/// One ICMP error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Notice {
    /// ICMPv6 rather than ICMP.
    pub v6: bool,
    /// The ICMP type.
    pub kind: u8,
    /// The ICMP code.
    pub code: u8,
    /// Who sent it, where known.
    pub from: Option<IpAddr>,
}

impl Notice {
    /// Whether it says "administratively prohibited" (RFC 792 and RFC 1812 5.2.7.1: type 3, code 9, 10 or 13;
    /// RFC 4443 3.1: type 1, code 1, 5 or 6).
    pub(super) fn prohibits(self) -> bool {
        if self.v6 {
            self.kind == 1 && matches!(self.code, 1 | 5 | 6)
        } else {
            self.kind == 3 && matches!(self.code, 9 | 10 | 13)
        }
    }

    /// Whether this machine itself sent it: `own` is the address that we spoke from to `peer`.
    pub(super) fn is_own(self, own: Option<IpAddr>, peer: IpAddr) -> bool {
        self.from.is_some() && self.from == own && own != Some(peer)
    }

    /// Whether it says that the packet had travelled as many hops as it might (RFC 792: type 11; RFC 4443 3.3: type 3).
    pub(super) fn travelled_too_far(self) -> bool {
        (self.v6, self.kind, self.code) == (false, 11, 0) || (self.v6, self.kind, self.code) == (true, 3, 0)
    }

    /// Whether it says that nothing listens on the port.
    pub(super) fn port_closed(self) -> bool {
        (self.v6, self.kind, self.code) == (false, 3, 3) || (self.v6, self.kind, self.code) == (true, 1, 4)
    }
}

/// Makes the kernel keep ICMP errors for this socket, or stop and forget them.
pub(super) fn listen(socket: &impl AsFd, v4: bool, on: bool) -> io::Result<()> {
    if v4 {
        setsockopt(socket, sockopt::Ipv4RecvErr, &on)?;
    } else {
        setsockopt(socket, sockopt::Ipv6RecvErr, &on)?;
    }
    Ok(())
}

/// Takes the last ICMP error from the queue; `None` where there is none.
pub(super) fn take(socket: &impl AsRawFd) -> Option<Notice> {
    let mut last = None;
    for _ in 0..MOST_NOTICES {
        match take_one(socket) {
            Ok(Some(notice)) => last = Some(notice),
            Ok(None) => {}
            Err(_) => break,
        }
    }
    last
}

fn take_one(socket: &impl AsRawFd) -> nix::Result<Option<Notice>> {
    let mut space = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut [], Some(&mut space), flags)?;
    for control in message.cmsgs()? {
        let (error, from) = match control {
            ControlMessageOwned::Ipv4RecvErr(error, from) => (
                error,
                from.map(|from| IpAddr::V4(Ipv4Addr::from_bits(u32::from_be(from.sin_addr.s_addr)))),
            ),
            ControlMessageOwned::Ipv6RecvErr(error, from) => (
                error,
                from.map(|from| IpAddr::V6(Ipv6Addr::from(from.sin6_addr.s6_addr))),
            ),
            _ => continue,
        };
        if matches!(error.ee_origin, ORIGIN_ICMP | ORIGIN_ICMP6) {
            return Ok(Some(Notice {
                v6: error.ee_origin == ORIGIN_ICMP6,
                kind: error.ee_type,
                code: error.ee_code,
                from,
            }));
        }
    }
    Ok(None)
}
