//! Bodies that nobody would send in earnest, to everything that takes one.

use super::*;

/// A file holds a path, a line end, and the body.
#[test]
fn fuzzed_bodies_are_taken_or_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let world = world(sample::fleet());
    let words = [
        "\"until\":",
        "\"client\":",
        "null",
        "1e999",
        "[[[[",
        "{\"a\":",
        "\\ud800",
        "%00",
        "&for=",
    ];
    crate::fuzzing::feed("api", &words, |bytes| {
        let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
        let path = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
        let body = parts.next().unwrap_or_default().to_vec();
        let Ok(request) = Request::post(path.as_str()).body(Body::from(body)) else {
            return;
        };
        let answer = async {
            let response = world.send(request).await;
            (
                response.status(),
                to_bytes(response.into_body(), 10_000_000).await.unwrap(),
            )
        };
        let (status, said) = runtime.block_on(answer);
        assert!(!status.is_server_error(), "{path}: {status}");
        assert!(
            status != StatusCode::BAD_REQUEST || !said.is_empty(),
            "{path}: refused without a reason"
        );
    });
}

#[tokio::test]
async fn a_body_is_no_longer_than_64_kib() {
    let world = world(sample::fleet());
    for (length, taken) in [(64 * 1024, true), (64 * 1024 + 1, false)] {
        let request = Request::post("/api/v1/silences")
            .body(Body::from("x".repeat(length)))
            .unwrap();
        let status = world.send(request).await.status();
        assert_eq!(
            status != StatusCode::PAYLOAD_TOO_LARGE,
            taken,
            "{length} bytes: {status}"
        );
    }
}
