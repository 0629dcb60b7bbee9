use proptest::prelude::*;

use super::*;

/// Everything that the parser makes of these bytes, fed in pieces of the given sizes.
fn outcomes(bytes: &[u8], pieces: impl IntoIterator<Item = usize>) -> (Vec<Outcome>, Vec<String>) {
    let mut parser = ReplyParser::default();
    let (mut found, mut heard) = (Vec::new(), Vec::new());
    let mut pieces = pieces.into_iter();
    let mut rest = bytes;
    while !rest.is_empty() {
        let size = pieces.next().unwrap_or(rest.len()).clamp(1, rest.len());
        let (mut piece, after) = rest.split_at(size);
        rest = after;
        while !piece.is_empty() {
            let (used, outcome) = parser.feed(piece);
            assert!(used > 0, "each turn makes progress");
            piece = &piece[used..];
            let Some(outcome) = outcome else {
                assert!(piece.is_empty(), "without an outcome, all bytes are used");
                continue;
            };
            let over = matches!(&outcome, Err(error) if *error != ProtocolError::MixedCodes);
            found.push(outcome);
            let (lines, note) = parser.take_heard();
            heard.extend(lines);
            heard.extend(note);
            if over {
                return (found, heard);
            }
        }
    }
    found.extend(parser.closed());
    (found, heard)
}

fn only(bytes: &[u8]) -> Outcome {
    let (mut found, _) = outcomes(bytes, []);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn reply(bytes: &[u8]) -> Reply {
    only(bytes).unwrap()
}

#[test]
fn replies_of_every_shape() {
    let long = [b"220 ".as_slice(), &[b'a'; 5000], b"\r\n"].concat();
    let table: [(&[u8], u16, &[&str]); 10] = [
        (b"220 mx.acme.test ESMTP\r\n", 220, &["mx.acme.test ESMTP"]),
        (b"220\r\n", 220, &[""]),
        (b"220 \r\n", 220, &[""]),
        (
            b"220-one\r\n220-two\r\n220 three\r\n",
            220,
            &["one", "two", "three"],
        ),
        (b"220-\r\n220 ready\r\n", 220, &["", "ready"]),
        (b"220 bare line feed\n", 220, &["bare line feed"]),
        (b"250-mixed\n250 ends\r\n", 250, &["mixed", "ends"]),
        (b"220 caf\xe9 \x1b[2J\x00\r\n", 220, &["caf\\xe9 \\x1b[2J\\x00"]),
        (b"220 a\rb\r\r\n", 220, &["a\\x0db\\x0d"]),
        (
            b"599 no such code, but a reply\r\n",
            599,
            &["no such code, but a reply"],
        ),
    ];
    for (bytes, code, lines) in table {
        let reply = reply(bytes);
        assert_eq!(reply.code, code);
        assert_eq!(reply.lines, lines);
    }
    assert_eq!(
        reply(&long).lines[0].len(),
        LINE_KEPT - 4,
        "a long line is cut, and is still a reply"
    );
}

#[test]
fn what_is_no_reply_is_said_to_be_none() {
    let table: [(&[u8], &str); 8] = [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0-OpenSSH_9.2"),
        (b"* OK IMAP4rev1 ready\r\n", "* OK IMAP4rev1 ready"),
        (b"\r\n", ""),
        (b"22 short\r\n", "22 short"),
        (b"2200 long\r\n", "2200 long"),
        (
            b"120 a class that is not in use\r\n",
            "120 a class that is not in use",
        ),
        (b"220\ttab\r\n", "220 tab"),
        (
            b"\x15\x03\x01\x00\x02\x02\x46\n",
            "\\x15\\x03\\x01\\x00\\x02\\x02F",
        ),
    ];
    for (bytes, line) in table {
        assert_eq!(
            only(bytes),
            Err(ProtocolError::NotAReply {
                line: line.to_owned()
            })
        );
    }
}

#[test]
fn codes_that_differ_within_a_reply_are_told_at_its_end() {
    let (found, heard) = outcomes(b"250-a\r\n550-b\r\n250 c\r\n221 bye\r\n", []);
    assert_eq!(found[0], Err(ProtocolError::MixedCodes));
    assert_eq!(
        found[1].as_ref().map(|reply| reply.code),
        Ok(221),
        "the dialogue is still in step"
    );
    assert_eq!(heard, ["S: 250-a", "S: 550-b", "S: 250 c", "S: 221 bye"]);
}

#[test]
fn a_reply_has_an_end() {
    let endless_lines = b"220-again\r\n".repeat(1000);
    let endless_line = [b"220 ".as_slice(), &vec![b'a'; REPLY_MOST]].concat();
    let endless_noise = vec![b'a'; LINE_KEPT];
    assert_eq!(only(&endless_lines), Err(ProtocolError::TooLong));
    assert_eq!(only(&endless_line), Err(ProtocolError::TooLong));
    assert!(matches!(
        only(&endless_noise),
        Err(ProtocolError::NotAReply { .. })
    ));
    let most = [b"220-again\r\n".repeat(LINES_MOST - 1), b"220 end\r\n".to_vec()].concat();
    assert_eq!(reply(&most).lines.len(), LINES_MOST);
}

#[test]
fn memory_is_bounded_whatever_comes() {
    let mut parser = ReplyParser::default();
    let (used, outcome) = parser.feed(&vec![b'2'; 64 * 1024 * 1024]);
    assert_eq!((used, outcome.is_some()), (LINE_KEPT, true));
    let mut parser = ReplyParser::default();
    let (used, outcome) = parser.feed(&[b"220 ".as_slice(), &vec![b'2'; 64 * 1024 * 1024]].concat());
    assert_eq!(
        (used, outcome),
        (REPLY_MOST + 1, Some(Err(ProtocolError::TooLong)))
    );
    assert!(parser.line.capacity() <= 2 * LINE_KEPT);
}

#[test]
fn the_transcript_keeps_the_start_of_a_long_reply() {
    let bytes = [b"220-again\r\n".repeat(100), b"220 end\r\n".to_vec()].concat();
    let (_, heard) = outcomes(&bytes, []);
    assert_eq!(heard.len(), SHOWN_LINES + 1);
    assert_eq!(heard.last().map(String::as_str), Some("61 more lines"));
    let (_, heard) = outcomes(b"220 bare\n", []);
    assert_eq!(heard, ["S: 220 bare", "lines end in a bare LF"]);
}

#[test]
fn the_end_of_the_connection_ends_a_refusal_and_nothing_else() {
    let refusal = reply(b"421 4.7.0 too many connections");
    assert_eq!(
        (refusal.code, refusal.enhanced),
        (421, Some(EnhancedCode(4, 7, 0)))
    );
    assert_eq!(outcomes(b"220 mx.acme.te", []).0, [], "half a greeting is none");
    assert_eq!(outcomes(b"554-more to co", []).0, []);
    assert_eq!(outcomes(b"", []).0, []);
    assert_eq!(
        only(b"go away"),
        Err(ProtocolError::NotAReply {
            line: "go away".to_owned()
        })
    );
}

#[test]
fn enhanced_codes() {
    let table = [
        ("5.7.1 refused", Some(EnhancedCode(5, 7, 1))),
        ("4.7.509 limited", Some(EnhancedCode(4, 7, 509))),
        ("2.0.0", Some(EnhancedCode(2, 0, 0))),
        ("5.7.1refused", None),
        ("5.7 refused", None),
        ("5.7.1.1 refused", None),
        ("3.0.0 no such class", None),
        ("5.1000.1 refused", None),
        ("5..1 refused", None),
        ("5.+7.1 refused", None),
        ("mx.acme.test 5.7.1", None),
        ("192.0.2.1 is listed", None),
    ];
    for (text, code) in table {
        assert_eq!(enhanced_code(text.as_bytes()), code, "{text}");
    }
    let late = reply(b"554-mx.acme.test\r\n554 5.7.1 refused\r\n");
    assert_eq!(
        late.enhanced,
        Some(EnhancedCode(5, 7, 1)),
        "the first that there is"
    );
    let reply = reply(b"554-5.7.1 first\r\n554 5.7.2 second\r\n");
    assert_eq!(reply.enhanced, Some(EnhancedCode(5, 7, 1)));
    assert_eq!(reply.lines[0], "5.7.1 first", "the text is whole");
}

#[test]
fn capabilities_of_well_known_kinds() {
    let offers = |lines: &[u8]| capabilities(&reply(lines));
    let plain =
        offers(b"250-mx\r\n250-size 10240000\r\n250-8BitMime\r\n250-X-EXPS gssapi\r\n250 StartTLS\r\n");
    assert_eq!(plain.size, Some(10_240_000));
    assert!(plain.eight_bit_mime && plain.starttls && !plain.masked);
    assert_eq!(
        plain.lines,
        ["SIZE 10240000", "8BITMIME", "X-EXPS gssapi", "STARTTLS"]
    );

    assert_eq!(offers(b"250 mx\r\n"), Capabilities::default());
    assert!(!offers(b"250 STARTTLS\r\n").starttls, "the first line is a name");
    for (line, size) in [
        ("SIZE", 0),
        ("SIZE 0", 0),
        ("SIZE lots", 0),
        ("SIZE -1", 0),
        ("SIZE  35882577 x", 35_882_577),
        ("SIZE 99999999999999999999999", u64::MAX),
    ] {
        assert_eq!(
            offers(format!("250-mx\r\n250 {line}\r\n").as_bytes()).size,
            Some(size),
            "{line}"
        );
    }
    for (line, masked) in [
        ("XXXXXXXX", true),
        ("XXXXXXXA", true),
        ("XCLIENT NAME", false),
        ("XXX", false),
        ("X-EXPS", false),
    ] {
        assert_eq!(
            offers(format!("250-mx\r\n250 {line}\r\n").as_bytes()).masked,
            masked,
            "{line}"
        );
    }
    assert!(
        !offers(b"250-mx\r\n250-STARTTLS\r\n250 XXXXXXXA\r\n").masked,
        "nothing was taken from us"
    );
}

#[test]
fn keywords_are_bounded() {
    let many = [
        b"250-mx\r\n".to_vec(),
        b"250-KEYWORD\r\n".repeat(LINES_MOST - 2),
        b"250 END\r\n".to_vec(),
    ];
    assert_eq!(capabilities(&reply(&many.concat())).lines.len(), KEYWORDS_MOST);
}

/// Bytes near enough to SMTP to reach every corner of the parser.
fn nearly_smtp() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        4 => "[2-5][0-5][0-9][ -][a-zA-Z0-9. ]{0,20}\r\n".prop_map(String::into_bytes),
        2 => "(250-|220 |421 |5)[A-Z. ]{0,3}(\r|\n|\r\n)?".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => (any::<u8>(), 1_usize..3000).prop_map(|(byte, count)| vec![byte; count]),
    ];
    proptest::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn any_split_of_the_bytes_gives_the_same(
        bytes in nearly_smtp(),
        pieces in proptest::collection::vec(1_usize..50, 0..400),
    ) {
        let whole = outcomes(&bytes, []);
        prop_assert_eq!(&whole, &outcomes(&bytes, pieces));
        prop_assert_eq!(&whole, &outcomes(&bytes, std::iter::repeat(1)));
    }

    #[test]
    fn whatever_comes_out_is_bounded_and_printable(bytes in nearly_smtp()) {
        let (found, heard) = outcomes(&bytes, []);
        for outcome in found {
            let Ok(reply) = outcome else { continue };
            prop_assert!((200..600).contains(&reply.code));
            prop_assert!((1..=LINES_MOST).contains(&reply.lines.len()));
            prop_assert!(reply.lines.iter().all(|line| !line.chars().any(char::is_control)));
            let _ = capabilities(&reply);
        }
        prop_assert!(heard.iter().all(|line| !line.chars().any(char::is_control)));
    }

    #[test]
    fn a_proper_reply_is_read_as_it_was_written(
        code in 200_u16..600,
        lines in proptest::collection::vec("[a-zA-Z0-9 .]{0,60}", 1..10),
    ) {
        let mut bytes = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            let separator = if index + 1 == lines.len() { ' ' } else { '-' };
            bytes.extend_from_slice(format!("{code}{separator}{line}\r\n").as_bytes());
        }
        let reply = reply(&bytes);
        prop_assert_eq!((reply.code, reply.lines), (code, lines));
    }
}
