//! What each dashboard shows.

mod canaries;
mod client;
mod domain;
mod gateways;
mod itself;
mod overview;
mod providers;

use crate::board::Board;

/// All of them.
pub fn all() -> Vec<Board> {
    vec![
        overview::board(),
        client::board(),
        domain::board(),
        gateways::board(),
        providers::board(),
        canaries::board(),
        itself::board(),
    ]
}

/// What the cause of something is called and what to do, for a table: `selected` are series with a `code`.
fn explained(selected: &str, by: &str) -> String {
    format!(
        "count by ({by}) ({selected} * on (job, instance, code) group_left (title, action) mailflow_cause_info)"
    )
}
