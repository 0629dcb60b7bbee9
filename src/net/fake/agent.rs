//! An SNMP agent of the fake internet: some values, for whoever knows the community.

use std::collections::BTreeMap;

use secrecy::ExposeSecret as _;

use crate::model::snmp::SnmpFailure;
use crate::net::snmp::{Credentials, ObjectId, SnmpValue};

/// An agent that speaks SNMP v2c.
#[derive(Debug, Clone, Default)]
pub struct Agent {
    community: String,
    values: BTreeMap<ObjectId, SnmpValue>,
}

impl Agent {
    /// An agent that knows nothing yet.
    pub fn new(community: &str) -> Self {
        Self {
            community: community.to_owned(),
            values: BTreeMap::new(),
        }
    }

    /// Sets what it says of an object.
    pub fn set(&mut self, object: &[u64], value: SnmpValue) {
        self.values.insert(object.to_vec(), value);
    }

    /// What it says; to a wrong community nothing.
    pub(super) fn answer(
        &self,
        credentials: &Credentials,
        objects: &[ObjectId],
    ) -> Result<Vec<SnmpValue>, SnmpFailure> {
        match credentials {
            Credentials::Community(community) if community.expose_secret() == self.community => {}
            Credentials::Community(_) => return Err(SnmpFailure::Silent),
            Credentials::User { .. } => return Err(SnmpFailure::Denied),
        }
        let value = |object| self.values.get(object).cloned().unwrap_or(SnmpValue::Nothing);
        Ok(objects.iter().map(value).collect())
    }
}
