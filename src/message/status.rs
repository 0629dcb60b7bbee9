//! What codes mean: enhanced status codes (RFC 3463, RFC 5248 and the IANA registry), then bare reply codes (RFC 5321
//! 4.2, RFC 1846, RFC 4954, RFC 7504, RFC 7505).

use crate::model::EnhancedCode;

use super::reason::Reason;

/// How far a code alone can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// It says one thing and is used for nothing else.
    Firm,
    /// It is used for much: words that say something else are believed more.
    Soft,
    /// It says hardly more than "no".
    Vague,
}

use Reason as R;
use Trust::{Firm, Soft, Vague};

/// Subject and detail with their meaning. The class (4 or 5) says only for how long.
const ENHANCED: &[((u16, u16), Reason, Trust)] = &[
    ((1, 0), R::UserUnknown, Vague),
    ((1, 1), R::UserUnknown, Soft),
    ((1, 2), R::DomainNotFound, Soft),
    ((1, 3), R::UserUnknown, Soft),
    ((1, 4), R::UserUnknown, Soft),
    ((1, 5), R::UserUnknown, Vague),
    ((1, 6), R::Moved, Soft),
    ((1, 7), R::SenderRefused, Soft),
    ((1, 8), R::SenderRefused, Soft),
    // RFC 7505 4.2.
    ((1, 9), R::SenderRefused, Soft),
    ((1, 10), R::NullMx, Firm),
    ((2, 0), R::MailboxDisabled, Vague),
    ((2, 1), R::MailboxDisabled, Soft),
    ((2, 2), R::MailboxFull, Soft),
    ((2, 3), R::TooLarge, Firm),
    ((2, 4), R::SystemError, Soft),
    ((3, 0), R::SystemError, Vague),
    ((3, 1), R::StorageFull, Soft),
    ((3, 2), R::Unavailable, Soft),
    ((3, 3), R::SystemError, Soft),
    ((3, 4), R::TooLarge, Firm),
    ((3, 5), R::SystemError, Soft),
    ((4, 0), R::Unreachable, Vague),
    ((4, 1), R::Unreachable, Soft),
    ((4, 2), R::Disconnected, Soft),
    ((4, 3), R::DnsFailure, Soft),
    ((4, 4), R::NoMailHost, Soft),
    ((4, 5), R::RateLimited, Soft),
    ((4, 6), R::Loop, Firm),
    ((4, 7), R::Expired, Soft),
    ((4, 8), R::StsMismatch, Soft),
    ((5, 0), R::Malformed, Vague),
    ((5, 1), R::Malformed, Vague),
    ((5, 2), R::Malformed, Vague),
    ((5, 3), R::TooManyRecipients, Soft),
    ((5, 4), R::Malformed, Vague),
    ((5, 5), R::Malformed, Vague),
    ((5, 6), R::SubmissionFailed, Soft),
    ((6, 0), R::Content, Vague),
    ((6, 1), R::Content, Soft),
    ((6, 2), R::Content, Soft),
    ((6, 3), R::Content, Soft),
    ((6, 5), R::Content, Soft),
    ((6, 6), R::Content, Soft),
    ((6, 7), R::Malformed, Soft),
    ((6, 8), R::Malformed, Soft),
    ((6, 9), R::Malformed, Soft),
    ((6, 10), R::Malformed, Soft),
    ((7, 0), R::Policy, Vague),
    ((7, 1), R::Policy, Vague),
    ((7, 2), R::Policy, Soft),
    ((7, 3), R::Policy, Vague),
    ((7, 4), R::TlsFailed, Vague),
    ((7, 5), R::TlsFailed, Vague),
    ((7, 6), R::TlsFailed, Vague),
    ((7, 7), R::Authentication, Vague),
    ((7, 8), R::SubmissionFailed, Soft),
    ((7, 9), R::SubmissionFailed, Soft),
    ((7, 10), R::TlsNotOffered, Soft),
    ((7, 11), R::TlsNotOffered, Soft),
    ((7, 12), R::SubmissionFailed, Soft),
    ((7, 13), R::MailboxDisabled, Soft),
    ((7, 14), R::SubmissionFailed, Soft),
    ((7, 15), R::RateLimited, Soft),
    ((7, 16), R::TooLarge, Soft),
    ((7, 17), R::Moved, Soft),
    ((7, 18), R::Moved, Soft),
    ((7, 19), R::Policy, Soft),
    ((7, 20), R::Dkim, Firm),
    ((7, 21), R::Dkim, Firm),
    ((7, 22), R::Dkim, Firm),
    ((7, 23), R::Spf, Firm),
    ((7, 24), R::Spf, Firm),
    ((7, 25), R::NoReverseDns, Firm),
    ((7, 26), R::Authentication, Soft),
    ((7, 27), R::SenderRefused, Soft),
    ((7, 28), R::RateLimited, Soft),
    ((7, 29), R::Authentication, Soft),
    ((7, 30), R::TlsNotOffered, Soft),
];

/// Bare reply codes.
const CODES: &[(u16, Reason, Trust)] = &[
    (421, R::Unavailable, Soft),
    (432, R::SubmissionFailed, Soft),
    (442, R::Disconnected, Vague),
    (447, R::Expired, Vague),
    (450, R::Unavailable, Vague),
    (451, R::SystemError, Vague),
    (452, R::StorageFull, Vague),
    (454, R::TlsFailed, Vague),
    (471, R::Unavailable, Vague),
    (500, R::Malformed, Soft),
    (501, R::Malformed, Vague),
    (502, R::Malformed, Soft),
    (503, R::Malformed, Soft),
    (504, R::Malformed, Vague),
    (521, R::NullMx, Soft),
    (523, R::TlsNotOffered, Vague),
    (525, R::SubmissionFailed, Vague),
    (530, R::SubmissionFailed, Soft),
    (534, R::SubmissionFailed, Firm),
    (535, R::SubmissionFailed, Firm),
    (538, R::TlsNotOffered, Firm),
    (541, R::Spam, Soft),
    (550, R::UserUnknown, Vague),
    (551, R::Moved, Vague),
    (552, R::MailboxFull, Soft),
    (553, R::UserUnknown, Vague),
    (554, R::Policy, Vague),
    (556, R::NullMx, Firm),
    (571, R::Policy, Vague),
];

/// What an enhanced status code says.
pub(super) fn of_enhanced(code: EnhancedCode) -> Option<(Reason, Trust)> {
    let EnhancedCode(class, subject, detail) = code;
    if !matches!(class, 4 | 5) {
        return None;
    }
    // 4.7.1 is what greylisting servers commonly say (RFC 6647 leaves it open): the words decide.
    let known = ENHANCED.iter().find(|(known, _, _)| *known == (subject, detail));
    known.map(|(_, reason, trust)| (*reason, *trust))
}

/// What a bare reply code says.
pub(super) fn of_code(code: u16) -> Option<(Reason, Trust)> {
    let known = CODES.iter().find(|(known, _, _)| *known == code);
    known.map(|(_, reason, trust)| (*reason, *trust))
}

/// Whether a code says hardly more than its class: `5.0.0`.
pub(super) fn is_bare(code: EnhancedCode) -> bool {
    matches!(code, EnhancedCode(_, 0, _)) || code.2 == 0
}
