//! Networks: an address and the length of its prefix.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A network such as `198.51.100.0/26` or `2001:db8::/32`. A bare address is a network of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IpNet {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IpNetError {
    /// The part before `/` is no address.
    #[error("a network is an address and a prefix, such as \"198.51.100.0/26\" or \"2001:db8::/32\"")]
    BadAddress,
    /// The part after `/` is no number, or larger than the address is long.
    #[error("the prefix of this network is a number from 0 to {max}")]
    BadPrefix {
        /// 32 for IPv4, 128 for IPv6.
        max: u8,
    },
    /// The address has bits beyond the prefix.
    #[error("this address lies inside the network {network}; write that")]
    HostBits {
        /// The network that was probably meant.
        network: IpNet,
    },
}

impl IpNet {
    /// The network of one address.
    pub fn single(address: IpAddr) -> Self {
        Self {
            address,
            prefix: width(address),
        }
    }

    /// The first address.
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// The length of the prefix in bits.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether `address` lies in this network. An IPv4 address in its IPv6 form (`::ffff:192.0.2.1`) counts
    /// as the IPv4 address that it is.
    pub fn contains(self, address: IpAddr) -> bool {
        masked(address.to_canonical(), self.prefix) == Some(self.address)
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address with all bits beyond the prefix cleared; `None` when the prefix is longer than the address.
fn masked(address: IpAddr, prefix: u8) -> Option<IpAddr> {
    let host_bits = u32::from(width(address).checked_sub(prefix)?);
    Some(match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    })
}

impl FromStr for IpNet {
    type Err = IpNetError;

    fn from_str(text: &str) -> Result<Self, IpNetError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| IpNetError::BadAddress)?;
        let max = width(address);
        let prefix = match prefix {
            None => max,
            Some(digits) => digits.parse().map_err(|_| IpNetError::BadPrefix { max })?,
        };
        let network = masked(address, prefix).ok_or(IpNetError::BadPrefix { max })?;
        let network = Self {
            address: network,
            prefix,
        };
        if network.address == address {
            Ok(network)
        } else {
            Err(IpNetError::HostBits { network })
        }
    }
}

impl fmt::Display for IpNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}
