use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::*;

fn value(field: Field) -> Value {
    match field {
        Field::Text => json!("He said \"no\" & <left>\n"),
        Field::Affected => json!(2),
        Field::Domains => json!(["a.test", "b.test"]),
        Field::Captured => json!("47/11"),
        Field::Id => json!("482"),
        _ => Value::Null,
    }
}

fn filled(text: &str, encoding: Encoding) -> String {
    Template::parse(text, encoding).unwrap().fill(&value)
}

#[rstest]
#[case::text_in_quotes(
    Encoding::Json,
    r#"{"t":"see: {{ text }}"}"#,
    r#"{"t":"see: He said \"no\" & <left>\n"}"#
)]
#[case::values_of_their_own(
    Encoding::Json,
    r#"{"n":{{affected}},"d":{{domains}},"t":{{text}},"r":{{resolved}}}"#,
    r#"{"n":2,"d":["a.test","b.test"],"t":"He said \"no\" & <left>\n","r":null}"#
)]
#[case::a_list_in_quotes(Encoding::Json, r#"["{{domains}}"]"#, r#"["a.test, b.test"]"#)]
#[case::a_quote_that_is_escaped(Encoding::Json, r#"["\"{{id}}\\"]"#, r#"["\"482\\"]"#)]
#[case::where_it_is_filled(
    Encoding::Json,
    r#"{"a":1{{#resolved}},"status":"closed"{{/resolved}}{{^ resolved }},"status":"open"{{/resolved}}}"#,
    r#"{"a":1,"status":"open"}"#
)]
#[case::a_url(
    Encoding::Percent,
    "https://t.test/tickets{{#captured}}/{{captured}}/comments{{/captured}}",
    "https://t.test/tickets/47%2F11/comments"
)]
#[case::a_form(
    Encoding::Percent,
    "m={{text}}&id={{id}}",
    "m=He%20said%20%22no%22%20%26%20%3Cleft%3E%0A&id=482"
)]
#[case::xml(
    Encoding::Xml,
    "<t>{{text}}</t>",
    "<t>He said &quot;no&quot; &amp; &lt;left&gt;\n</t>"
)]
#[case::plain(Encoding::Plain, "{{id}}: {{text}} {", "482: He said \"no\" & <left>\n {")]
fn gaps_are_filled_and_escaped_for_where_they_stand(
    #[case] encoding: Encoding,
    #[case] text: &str,
    #[case] expected: &str,
) {
    assert_eq!(filled(text, encoding), expected);
}

#[rstest]
#[case::no_field(
    "{\n \"a\": \"{{ txet }}\"}",
    "line 2, column 8: \"txet\" is no field of a message; there are event, dedup_key"
)]
#[case::no_end_of_a_gap(r#"{"a":"{{text"}"#, "line 1, column 7: }} is missing")]
#[case::no_end_of_a_section(r#"{"a":"{{#text}}x"}"#, "line 1, column 16: {{/text}} is missing")]
#[case::another_end(
    r#"["{{#text}}x{{/body}}"]"#,
    "line 1, column 13: {{/body}} ends a section that is not open"
)]
#[case::half_a_string(r#"[{{#text}}"x{{/text}}"]"#, "line 1, column 2: a section has both quotes")]
#[case::no_json(r#"{"a":{{text}}"#, "line 1, column 8: the first message would be no JSON")]
#[case::no_json_at_the_end(
    "[1{{#resolved}} 2{{/resolved}}]",
    "line 1, column 4: the last message would be no JSON"
)]
#[case::no_json_in_a_test(
    "[{{#id}}1{{/id}}{{^id}}x{{/id}}]",
    "line 1, column 2: a test message would be no JSON"
)]
fn mistakes_are_found_when_it_is_read(#[case] text: &str, #[case] expected: &str) {
    let error = Template::parse(text, Encoding::Json).unwrap_err().to_string();
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn sections_end_somewhere() {
    let deep = format!("{}{}", "{{#id}}".repeat(9), "{{/id}}".repeat(9));
    let error = Template::parse(&deep, Encoding::Plain).unwrap_err();
    assert_eq!(error.problem, "sections lie at most 8 deep");
}

proptest! {
    #[test]
    fn no_words_break_out_of_json(words in any::<String>()) {
        let template = Template::parse(r#"{"a":"x{{text}}","b":{{text}}}"#, Encoding::Json).unwrap();
        let filled = template.fill(&|_| json!(words));
        let document: Value = serde_json::from_str(&filled).unwrap();
        prop_assert_eq!(&document["a"], &json!(format!("x{words}")));
        prop_assert_eq!(&document["b"], &json!(words));
    }

    #[test]
    fn reading_never_panics(text in "[{}#^/\" a-z\\\\é]{0,60}") {
        for encoding in [Encoding::Json, Encoding::Percent, Encoding::Plain] {
            let _ = Template::parse(&text, encoding);
        }
    }
}

#[test]
fn sections_lie_only_so_deep() {
    let nested = |depth: usize| "{{#id}}".repeat(depth) + "x" + &"{{/id}}".repeat(depth);
    assert!(Template::parse(&nested(8), Encoding::Percent).is_ok());
    assert!(Template::parse(&nested(9), Encoding::Percent).is_err());
    assert!(Template::parse(&nested(100_000), Encoding::Percent).is_err());
}
