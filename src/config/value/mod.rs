//! Small typed values that configuration is made of. Each reads one text and writes the same text back.

mod address;
pub mod duration;
mod ip_net;
mod word;

pub(crate) use address::parse_port;
pub use address::{HostPort, HttpUrl, MailAddress};
pub use ip_net::{IpNet, IpNetError};
pub use word::Word;
pub(crate) use word::words;
