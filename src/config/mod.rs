//! The configuration: what the operator wrote, read, layered, checked and typed.

pub mod schema;
pub mod secret;
pub mod value;

pub use schema::*;
pub use secret::{Secret, SecretError};
pub use value::{HostPort, Hours, HttpUrl, IpNet, MailAddress};
