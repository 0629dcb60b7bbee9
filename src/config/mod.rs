//! The configuration: what the operator wrote, read, layered, checked and typed.
//!
//! [`load`] reads the main file, the files that it includes and the `MAILFLOW__SECTION__KEY` variables, and gives
//! either a [`Config`] with its warnings, or every mistake at once, each with its file, line and column. The
//! layers are merged with the `config` crate's values, in which each one remembers where it was written; then
//! the sections in [`schema`] read the merged tree, each in the file that declares its type and its defaults.
//!
//! A secret is never part of a message: values of secrets are masked in every line of source that is shown.

mod audit;
pub mod check;
mod layers;
mod load;
mod mask;
mod problem;
mod read;
mod reader;
mod render;
pub mod schema;
pub mod secret;
mod source;
pub mod value;

pub use crate::model::Hours;
pub use audit::budget_warning;
pub use load::{DEFAULT_PATHS, Loaded, load};
pub use problem::{Level, Place, Problem, Problems, SourceText};
pub use schema::*;
pub use secret::{Secret, SecretError};
pub use value::{HostPort, HttpUrl, IpNet, MailAddress};

#[cfg(test)]
mod tests;
