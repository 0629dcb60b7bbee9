//! Which form of the metrics a client asks for (RFC 9110 12.5.1).

/// A form of writing metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The classic text, for whoever does not ask for anything else.
    Classic,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// The form that a request's `Accept` header asks for: OpenMetrics where it is named and is wanted at least
    /// as much as plain text.
    pub fn accepted(accept: &str) -> Self {
        let mut open = 0.0_f64;
        let mut plain = 0.0_f64;
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let wanted = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "application/openmetrics-text" => &mut open,
                "text/plain" | "text/*" => &mut plain,
                _ => continue,
            };
            *wanted = wanted.max(quality(parts));
        }
        if open > 0.0 && open >= plain {
            Self::OpenMetrics
        } else {
            Self::Classic
        }
    }

    /// The media type to answer with.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

fn quality<'a>(parameters: impl Iterator<Item = &'a str>) -> f64 {
    parameters
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
        .map_or(1.0, |(_, value)| value.trim().parse().unwrap_or(0.0))
}
