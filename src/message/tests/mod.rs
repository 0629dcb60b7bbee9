//! What becomes of whole messages.
