//! "Did you mean": the code that is closest to what somebody typed.

use strsim::osa_distance;

use crate::model::Code;

/// The code that `text` most likely means: its name with the dot or the layer left out, or with a few typing
/// mistakes. `None` when nothing is close.
pub fn nearest(text: &str) -> Option<Code> {
    // No code is longer; what is must not cost a quadratic comparison.
    if text.len() > 80 {
        return None;
    }
    let wanted: String = text
        .trim()
        .to_lowercase()
        .chars()
        .map(|c| if matches!(c, ' ' | '_') { '-' } else { c })
        .collect();
    if wanted.is_empty() {
        return None;
    }
    let (distance, code) = Code::ALL
        .iter()
        .map(|code| (distance_to(*code, &wanted), *code))
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= wanted.chars().count() / 3).then_some(code)
}

fn distance_to(code: Code, wanted: &str) -> usize {
    let name = code.as_str();
    let tail = name.split_once('.').map_or(name, |(_, tail)| tail);
    let whole = osa_distance(name, wanted).min(osa_distance(&name.replace('.', "-"), wanted));
    // A bare tail is a guess at the layer too, so a whole name that is as close wins.
    let typed = whole.min(osa_distance(tail, wanted) + usize::from(tail != wanted));
    if shortened(name, wanted) {
        typed.min(2)
    } else {
        typed
    }
}

/// Whether letters were only left out, and not most of them: `tls.cert-expired`.
fn shortened(name: &str, wanted: &str) -> bool {
    let mut letters = name.chars();
    wanted.len() * 2 >= name.len() && wanted.chars().all(|letter| letters.any(|other| other == letter))
}
