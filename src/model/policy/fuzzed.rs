//! What anybody may publish: every text is read by every parser.

use super::dkim::DkimKey;
use super::dmarc::DmarcRecord;
use super::spf::SpfRecord;
use super::sts::{StsPolicy, check_tls_rpt, sts_id};
use crate::model::text::clean;

#[test]
fn fuzzed_policies_are_read_or_refused_with_a_reason() {
    let words = [
        "v=spf1 ",
        "v=STSv1; ",
        "version: STSv1\n",
        "%{i}",
        "include:",
        "max_age: ",
        "mx: *.",
        "; p=",
        "ip4:",
        "/32//128",
    ];
    crate::fuzzing::feed("policy", &words, |bytes| {
        // A policy comes as it is; records are cleaned before anybody reads them.
        let body = String::from_utf8_lossy(bytes);
        let text = clean(bytes, 8192);
        let reasons = [
            StsPolicy::parse(&body).err(),
            sts_id(&text).err(),
            check_tls_rpt(&text).err(),
            DkimKey::parse(&text).err(),
            DmarcRecord::parse(&text).err(),
            SpfRecord::parse(&text).err().map(|(term, reason)| term + &reason),
        ];
        for reason in reasons.into_iter().flatten() {
            assert!(
                !reason.is_empty() && !reason.chars().any(char::is_control),
                "{reason:?}"
            );
            assert!(reason.len() < 4096, "{} bytes", reason.len());
        }
    });
}
