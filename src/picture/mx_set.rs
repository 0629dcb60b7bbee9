//! The hosts of an MX set.

use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::DomainName;
use crate::model::dns::{Exchange, MxRecord};

/// The hosts of an MX set in their order, each once, without preferences. `["."]` is a null MX.
///
/// Cheap to clone: a fleet has one a domain, and compares it at each look.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Arc<str>>")]
pub struct MxSet(Arc<[Arc<str>]>);

impl MxSet {
    /// Of a set of records.
    pub fn of(records: &[MxRecord]) -> Self {
        let names = records.iter().map(|record| match &record.exchange {
            Exchange::Host(name) => name.shared(),
            other => other.to_string().into(),
        });
        names.collect()
    }

    /// That a domain takes no mail (RFC 7505).
    pub fn null() -> Self {
        Self::from(vec![".".into()])
    }
}

impl From<Vec<Arc<str>>> for MxSet {
    fn from(mut names: Vec<Arc<str>>) -> Self {
        names.sort();
        names.dedup();
        Self(names.into())
    }
}

impl FromIterator<Arc<str>> for MxSet {
    fn from_iter<I: IntoIterator<Item = Arc<str>>>(names: I) -> Self {
        Self::from(Vec::from_iter(names))
    }
}

impl<'a> FromIterator<&'a DomainName> for MxSet {
    fn from_iter<I: IntoIterator<Item = &'a DomainName>>(names: I) -> Self {
        names.into_iter().map(DomainName::shared).collect()
    }
}

impl Deref for MxSet {
    type Target = [Arc<str>];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> MxSet {
        names.iter().map(|name| Arc::from(*name)).collect()
    }

    #[test]
    fn order_and_repetition_make_no_other_set() {
        assert_eq!(set(&["b", "a", "b"]), set(&["a", "b"]));
        assert_ne!(set(&["a"]), set(&["a", "b"]));
    }

    #[test]
    fn it_is_kept_as_a_list_of_names() {
        let text = serde_json::to_string(&set(&["mx2.acme.test", "mx1.acme.test"])).unwrap();
        insta::assert_snapshot!(text, @r#"["mx1.acme.test","mx2.acme.test"]"#);
        assert_eq!(
            serde_json::from_str::<MxSet>(r#"["b","a"]"#).unwrap(),
            set(&["a", "b"])
        );
    }
}
