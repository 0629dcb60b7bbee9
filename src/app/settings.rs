//! From the configuration to the settings of the rooms that do not know it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::config::{self, Config, MailTls, NotifierKind, ProbeOverrides};
use crate::incident::{Flapping, Policy};
use crate::model::{Code, ProbeKind, Severity};
use crate::notify::{
    Alertmanager, Email, EmailSettings, EmailTls, Notifier, Notifiers, Ntfy, NtfySettings, Pagerduty,
    PagerdutySettings, Routing, Secret, SetupError, Slack, Teams, Webhook, WebhookSettings, Wording,
};

/// How loud each cause is, and how long to wait.
pub fn policy(config: &Config) -> Policy {
    let alerting = &config.alerting;
    let mut page_after = BTreeMap::new();
    let mut severity = BTreeMap::new();
    for code in Code::ALL.iter().copied() {
        if let Some(own) = alerting.severity_of(code) {
            severity.insert(code, own);
        }
        let by_code = alerting
            .page_after
            .by_code
            .iter()
            .any(|(pattern, _)| pattern.matches(code));
        if let Some(after) = alerting
            .page_after
            .of(code, Severity::Critical)
            .filter(|_| by_code)
        {
            page_after.insert(code, after);
        }
    }
    let none: &[&ProbeOverrides] = &[];
    Policy {
        group_wait: alerting.group_wait,
        critical_after: alerting.page_after.critical,
        warning_after: alerting.page_after.warning,
        page_after,
        severity,
        escalate: alerting.escalate.iter().map(|step| step.after).collect(),
        repeat_interval: Some(alerting.repeat_interval),
        reopen_within: alerting.reopen_within,
        flapping: Some(Flapping::of_interval(
            config.probes.resolve(ProbeKind::Smtp, none).interval,
        )),
    }
}

/// Who is told of whose incidents, and when.
pub fn routing(config: &Config) -> Routing {
    let all = || {
        config
            .notifiers
            .iter()
            .map(|notifier| notifier.name.as_str().into())
            .collect()
    };
    let names =
        |names: &[String]| -> Vec<Arc<str>> { names.iter().map(|name| name.as_str().into()).collect() };
    let mut steps = config.alerting.escalate.iter().map(|step| names(&step.notify));
    let otherwise = steps.next().unwrap_or_else(all);
    let by_client = config
        .clients
        .iter()
        .filter(|client| !client.notify.is_empty())
        .map(|client| (client.id.clone(), names(&client.notify)));
    Routing {
        by_client: by_client.collect(),
        otherwise,
        all: all(),
        later: steps.collect(),
        hours: config.alerting.hours.clone(),
        ways: super::ways::configured(config),
    }
}

/// How people and places are called.
pub fn wording(config: &Config) -> Wording {
    Wording {
        clients: config
            .clients
            .iter()
            .map(|client| (client.id.clone(), client.name.clone()))
            .collect(),
        zone: TimeZone::UTC,
        url: config
            .server
            .external_url
            .as_ref()
            .map(|url| url.as_str().trim_end_matches('/').to_owned()),
    }
}

/// The notifiers.
///
/// # Errors
/// [`SetupError`] with the notifier's name before it.
pub fn notifiers(config: &Config) -> Result<Notifiers, String> {
    let mut notifiers = Notifiers::new();
    for notifier in &config.notifiers {
        let made = match &notifier.kind {
            NotifierKind::Webhook(webhook) => self::webhook(webhook).map(Notifier::Webhook),
            NotifierKind::Email(email) => self::email(email, config).map(Notifier::Email),
            NotifierKind::Alertmanager(alertmanager) => {
                let urls: Vec<String> = alertmanager
                    .urls
                    .iter()
                    .map(|url| url.as_str().to_owned())
                    .collect();
                Alertmanager::new(&urls).map(Notifier::Alertmanager)
            }
            NotifierKind::Pagerduty(pagerduty) => Pagerduty::new(PagerdutySettings {
                routing_key: secret(&pagerduty.routing_key),
                url: pagerduty.url.as_ref().map(|url| url.as_str().to_owned()),
            })
            .map(Notifier::Pagerduty),
            NotifierKind::Slack(slack) => Slack::new(secret(&slack.url)).map(Notifier::Slack),
            NotifierKind::Teams(teams) => Teams::new(secret(&teams.url)).map(Notifier::Teams),
            NotifierKind::Ntfy(ntfy) => Ntfy::new(NtfySettings {
                url: ntfy.url.as_str().to_owned(),
                token: ntfy.token.as_ref().map(secret),
            })
            .map(Notifier::Ntfy),
        };
        let made = made.map_err(|error| format!("notifier {}: {error}", notifier.name))?;
        notifiers.insert(notifier.name.as_str().into(), Arc::new(made));
    }
    Ok(notifiers)
}

fn webhook(webhook: &config::Webhook) -> Result<Webhook, SetupError> {
    Webhook::new(WebhookSettings {
        url: webhook.address.clone(),
        headers: webhook
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), secret(value)))
            .collect(),
        secret: webhook.secret.as_ref().map(secret),
        template: webhook.template.clone(),
        capture: webhook.capture.clone(),
    })
}

fn email(email: &config::Email, config: &Config) -> Result<Email, SetupError> {
    Email::new(EmailSettings {
        server: email.server.host.to_string(),
        port: email.server.port,
        tls: match email.tls {
            MailTls::Starttls => EmailTls::Starttls,
            MailTls::Implicit => EmailTls::Implicit,
            MailTls::None => EmailTls::None,
        },
        login: email
            .login
            .as_ref()
            .map(|(user, password)| (user.clone(), secret(password))),
        helo: config.vantage.helo.as_ref().map(ToString::to_string),
        from: email.from.to_string(),
        to: email.to.iter().map(ToString::to_string).collect(),
    })
}

pub(super) fn secret(from: &config::Secret) -> Secret {
    let from = from.clone();
    Secret::new(move || from.reveal().map_err(|error| error.to_string()))
}
