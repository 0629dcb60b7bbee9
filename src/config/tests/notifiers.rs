//! What a notifier needs, and what its mistakes are called.

use rstest::rstest;

use super::super::problem::Level;
use super::load_text;
use crate::config::NotifierKind;
use crate::model::template::Field;

/// The mistakes of one notifier.
fn mistakes(lines: &str) -> Vec<String> {
    let text = format!("[[clients]]\nid = 'a'\ndomains = ['a.test']\n[[notifiers]]\nname = 'n'\n{lines}\n");
    match load_text(&text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems
            .list()
            .iter()
            .filter(|problem| problem.level == Level::Error)
            .map(|problem| problem.message.clone())
            .collect(),
    }
}

#[rstest]
#[case::plain("type = 'webhook'\nurl = 'https://a.example/hook'")]
#[case::a_ticket_system(
    "type = 'webhook'\nurl = 'https://t.example/tickets{{#captured}}/{{captured}}{{/captured}}'\n\
     template = '{\"title\": \"{{ subject }}\"}'\ncapture = '/id'"
)]
#[case::a_form(
    "type = 'webhook'\nurl = 'https://sms.example/send'\ntemplate = 'to=1&text={{text}}'\n\
     headers = { content-type = 'application/x-www-form-urlencoded; charset=utf-8' }"
)]
#[case::xml(
    "type = 'webhook'\nurl = 'https://a.example'\ntemplate = '<t>{{text}}</t>'\nheaders = { Content-Type = 'application/soap+xml' }"
)]
#[case::a_topic("type = 'ntfy'\nurl = 'https://ntfy.example/push/oncall_1'")]
#[case::a_cluster("type = 'alertmanager'\nurls = ['http://127.0.0.1:9093', 'https://am.example/prefix/']")]
#[case::pagerduty("type = 'pagerduty'\nrouting_key = { env = 'HOME' }")]
#[case::teams("type = 'teams'\nurl = { env = 'HOME' }")]
fn what_is_right_is_taken(#[case] lines: &str) {
    assert_eq!(mistakes(lines), [""; 0]);
}

#[rstest]
#[case::no_field(
    "type = 'webhook'\nurl = 'https://a.example'\ntemplate = '{\"t\": \"{{ txet }}\"}'",
    "line 1, column 8: \"txet\" is no field of a message"
)]
#[case::no_json(
    "type = 'webhook'\nurl = 'https://a.example'\ntemplate = 'text={{text}}'",
    "line 1, column 2: the first message would be no JSON"
)]
#[case::an_unknown_kind(
    "type = 'webhook'\nurl = 'https://a.example'\ntemplate = 'x'\nheaders = { content-type = 'image/png' }",
    "how to escape what fills this template"
)]
#[case::nothing_captured(
    "type = 'webhook'\nurl = 'https://a.example/{{captured}}'",
    "nothing is captured that could fill `{{ captured }}`"
)]
#[case::a_host_that_others_choose(
    "type = 'webhook'\nurl = 'https://a{{captured}}.example/'\ncapture = '/id'",
    "the gaps of a URL come after its host"
)]
#[case::no_url("type = 'webhook'\nurl = 'ftp://a.example/{{id}}'", "")]
#[case::no_topic("type = 'ntfy'\nurl = 'https://ntfy.example/'", "this is the URL of a topic")]
#[case::no_name_of_a_topic(
    "type = 'ntfy'\nurl = 'https://ntfy.example/on.call'",
    "this is the URL of a topic"
)]
#[case::no_instance("type = 'alertmanager'\nurls = []", "an Alertmanager has at least one URL")]
fn what_is_wrong_is_named(#[case] lines: &str, #[case] expected: &str) {
    let mistakes = mistakes(lines);
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    assert!(mistakes[0].starts_with(expected), "{mistakes:?}");
}

#[test]
fn an_address_is_checked_as_the_first_message_finds_it() {
    let text = "[[clients]]\nid = 'a'\ndomains = ['a.test']\n[[notifiers]]\nname = 'n'\ntype = 'webhook'\n\
                url = 'https://t.example/tickets{{#captured}}/{{captured}}{{/captured}}'\ncapture = '/id'\n";
    let config = load_text(text).unwrap().config;
    let NotifierKind::Webhook(webhook) = &config.notifiers[0].kind else {
        panic!("a webhook");
    };
    assert_eq!(webhook.url.as_str(), "https://t.example/tickets");
    assert!(webhook.address.uses(Field::Captured));
}
