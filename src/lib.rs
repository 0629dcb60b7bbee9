//! mailflow.
