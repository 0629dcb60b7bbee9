//! What stands between the network and the handlers: limits, headers that keep a browser from being used against its
//! owner, and the doors.

use axum::Router;
use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, ORIGIN, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tower_http::compression::CompressionLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use super::error::ApiError;
use super::{ANSWER_WITHIN, Server, door};
use crate::surface::page;

/// The largest body that a request may have, in bytes.
const BODY: usize = 64 * 1024;

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The routes behind all guards; those of `messages` take bodies as large as a message.
pub(super) fn guarded(router: Router, messages: Router, server: &Server) -> Router {
    router
        .layer(RequestBodyLimitLayer::new(BODY))
        .merge(messages.layer(RequestBodyLimitLayer::new(super::explain::LARGEST)))
        .layer(middleware::from_fn_with_state(server.clone(), door::admit))
        .layer(middleware::from_fn(same_site_only))
        .layer(middleware::from_fn_with_state(
            server.clone(),
            door::answers_to_us,
        ))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::GATEWAY_TIMEOUT,
            ANSWER_WITHIN,
        ))
        .layer(CompressionLayer::new())
        .layer(middleware::map_response(with_headers))
}

/// Lets nothing change anything that a page of another site sends. Browsers say where a request comes from by a header
/// that no page can set, which is worth more than a secret in each form; programs send neither header.
async fn same_site_only(request: Request, next: Next) -> Response {
    let harmless = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    // Over HTTP/2 the host stands in the address.
    let authority = request.uri().authority().map(Authority::as_str);
    if harmless || is_same_site(request.headers(), authority) {
        next.run(request).await
    } else {
        ApiError::new(
            StatusCode::FORBIDDEN,
            "pages of other sites may not change anything here",
        )
        .into_response()
    }
}

fn is_same_site(headers: &HeaderMap, authority: Option<&str>) -> bool {
    let site = headers.get(FETCH_SITE).map(HeaderValue::as_bytes);
    if site.is_some_and(|site| site != b"same-origin" && site != b"none") {
        return false;
    }
    let Some(origin) = headers.get(ORIGIN) else {
        return true;
    };
    let host = headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .or(authority);
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    origin.is_some_and(|(_, authority)| Some(authority) == host)
}

async fn with_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let fixed = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        // Not "no-referrer": a browser would then send `Origin: null` with our own forms.
        (REFERRER_POLICY, "same-origin"),
        (RESOURCE_POLICY, "same-origin"),
        (OPENER_POLICY, "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::from_str(page::content_security_policy()) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}
