//! A picture to try things on.

use std::sync::Arc;

use super::{Learnt, Picture};
use crate::config;
use crate::inventory::{Inventory, Surroundings};
use crate::net::Routes;

/// What a daemon with this configuration, and IPv6, knows before it has looked at anything.
pub(crate) fn picture(config: &str) -> Picture {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mailflow.toml");
    std::fs::write(&path, config).unwrap();
    let loaded = config::load(Some(&path), std::iter::empty())
        .unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    let surroundings = Surroundings {
        resolvers: Vec::new(),
        ipv6: true,
    };
    let inventory = Arc::new(Inventory::new(&loaded.config, &surroundings));
    Picture::new(inventory, Learnt::default(), Routes { v4: true, v6: true })
}
