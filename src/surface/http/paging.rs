//! Lists in pages: `?limit=` says how many, `?after=` after which.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::error::ApiError;
use crate::model::State;

/// What any list takes.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ListQuery {
    /// At most so many; everything without it.
    pub(super) limit: Option<usize>,
    /// Only what follows the item of this key.
    pub(super) after: Option<String>,
    /// Only what is in this state.
    pub(super) state: Option<State>,
    /// Only what belongs to the client of this id.
    pub(super) client: Option<String>,
    /// By key, or worst first.
    #[serde(default)]
    pub(super) order: Order,
}

/// In which order a list comes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Order {
    /// By key: pages neither repeat nor skip an item, whatever changes meanwhile.
    #[default]
    Name,
    /// Broken, unknown, degraded, flowing; by key within each.
    Worst,
}

/// One item of a list, before it is written.
pub(super) struct Item<T> {
    /// What `after` names it by.
    pub(super) key: String,
    pub(super) state: Option<State>,
    pub(super) client: Option<String>,
    pub(super) value: T,
}

/// The page of `items` that `query` asks for, as `{"domains": [...], "next": "..."}`; `next` is there when more
/// follows.
pub(super) fn page<T: Serialize>(
    plural: &str,
    items: impl IntoIterator<Item = Item<T>>,
    query: &ListQuery,
) -> Result<Value, ApiError> {
    if query.limit == Some(0) {
        return Err(ApiError::bad_request("limit must be at least 1"));
    }
    let mut items: Vec<Item<T>> = items.into_iter().collect();
    let rank = |item: &Item<T>| match query.order {
        Order::Name => 0,
        Order::Worst => u8::MAX - item.state.map_or(0, State::urgency),
    };
    items.sort_by(|a, b| (rank(a), &a.key).cmp(&(rank(b), &b.key)));
    if let Some(after) = &query.after {
        let place = match query.order {
            Order::Name => Some(items.partition_point(|item| item.key <= *after)),
            // Where the item stands now: its neighbours are what the reader has seen.
            Order::Worst => items.iter().position(|item| item.key == *after).map(|at| at + 1),
        };
        let place = place.ok_or_else(|| ApiError::bad_request("after names nothing that is in this list"))?;
        items.drain(..place);
    }
    items.retain(|item| {
        query.state.is_none_or(|state| item.state == Some(state))
            && query
                .client
                .as_ref()
                .is_none_or(|client| item.client.as_ref() == Some(client))
    });
    let limit = query.limit.unwrap_or(usize::MAX);
    let next = (items.len() > limit).then(|| items.get(limit - 1).map(|item| item.key.clone()));
    items.truncate(limit);
    let values: Vec<T> = items.into_iter().map(|item| item.value).collect();
    Ok(document(plural, &values, next.flatten()))
}

/// A list's answer.
pub(super) fn document<T: Serialize>(plural: &str, values: &[T], next: Option<String>) -> Value {
    let mut map = Map::new();
    map.insert(plural.to_owned(), json!(values));
    if let Some(next) = next {
        map.insert("next".to_owned(), Value::String(next));
    }
    Value::Object(map)
}
