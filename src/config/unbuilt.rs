//! Parts of the configuration that this version reads and checks but does not act on yet.

/// A part that is not built yet. One warning each says so; whoever builds one takes it off this list, and the
/// compiler shows where it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Validate,
}

impl Part {
    /// What this version does not do, as a sentence's end: "not built yet: ...".
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Validate => "checking DNSSEC signatures here; the resolver's word is taken",
        }
    }
}
