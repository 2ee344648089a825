//! From what happened to the messages that leave.

use portico_model::OrganizationId;
use portico_model::alarms::Severity;
use portico_model::identity::User;
use portico_model::notifications::preference::preference_for;
use portico_model::notifications::{Audience, Notification};
use portico_platform::config::Signup;
use portico_platform::delivery::{Mail, Message};
use portico_platform::{Result, Tx};
use serde_json::json;

use crate::{Notifications, store};

/// A push shows a few lines; longer text is cut.
const PUSH_BODY_CHARS: usize = 300;

impl Notifications {
    /// Puts the messages about something that happened into the transaction in which it did; once that is committed,
    /// call `platform.deliveries.wake()`. Whom of the audience it reaches, and how, is for each of them to say; webhooks
    /// of the organisation are told whoever the audience is.
    ///
    /// # Errors
    /// When the database does not take them.
    pub async fn notify(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        notification: &Notification,
        audience: &Audience,
    ) -> Result<()> {
        for user in self.0.identity.recipients(tx, organization, audience).await? {
            let chosen = store::preference::list(tx, organization, user.id).await?;
            let wish = preference_for(&chosen, &notification.kind);
            if wish.push.admits(notification.severity) {
                self.push_to(tx, organization, user.id, notification).await?;
            }
            if wish.mail.admits(notification.severity) && self.takes_mail(&user) {
                self.mail_to(tx, organization, &user, notification).await?;
            }
        }
        self.call_webhooks(tx, organization, notification).await
    }

    /// Without a mail server each mail would only become a dead letter; and where anyone may make an account, an address
    /// that is not proved may be a stranger's.
    fn takes_mail(&self, user: &User) -> bool {
        let config = &self.0.platform.config;
        config.mail.is_configured() && (user.email_verified_at.is_some() || config.signup != Signup::Open)
    }

    pub(crate) async fn mail_to(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        user: &User,
        notification: &Notification,
    ) -> Result<()> {
        let mail = mail(&user.email, notification, &self.0.platform.config.public_url());
        self.0.platform.deliveries.enqueue(tx, organization, &Message::Mail(mail)).await.map(drop)
    }
}

fn mail(to: &str, notification: &Notification, public_url: &str) -> Mail {
    let severity = match notification.severity {
        Severity::Critical => "Critical: ",
        Severity::Warning => "Warning: ",
        Severity::Info => "",
    };
    let text = format!(
        "{title}\n\n{body}\n\n{public_url}{link}\n\n-- \nYou get this mail because of what you have chosen in Portico:\n\
         {public_url}/notifications\n",
        title = notification.title,
        body = notification.body,
        link = notification.link,
    );
    Mail { to: to.to_owned(), subject: format!("{severity}{}", one_line(&notification.title)), text }
}

/// What the service worker gets (`public/sw.js` shows it).
pub(crate) fn push_payload(notification: &Notification) -> String {
    let body: String = notification.body.chars().take(PUSH_BODY_CHARS).collect();
    json!({
        "title": notification.title.chars().take(120).collect::<String>(),
        "body": body,
        "link": notification.link,
        "tag": notification.tag,
        "severity": notification.severity,
    })
    .to_string()
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(150).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notification(severity: Severity) -> Notification {
        Notification {
            kind: "alarm.raised".to_owned(),
            severity,
            title: "Pump 3\r\nBcc: everyone@example.org".to_owned(),
            body: "ä".repeat(5_000),
            link: "/alarms/1".to_owned(),
            tag: "alarm-1".to_owned(),
        }
    }

    #[test]
    fn subject_is_one_line_and_says_how_grave_it_is() {
        let mail = mail("a@b.co", &notification(Severity::Critical), "https://portico.example");
        assert!(
            mail.subject.starts_with("Critical: Pump 3") && !mail.subject.contains(['\r', '\n']),
            "{}",
            mail.subject
        );
        assert!(mail.text.contains("https://portico.example/alarms/1\n"), "{}", mail.text);
        assert!(mail.text.contains("https://portico.example/notifications"), "{}", mail.text);
    }

    #[test]
    fn push_is_short_enough_for_every_push_service() {
        let payload = push_payload(&Notification { title: "ü".repeat(5_000), ..notification(Severity::Info) });
        assert!(payload.len() < 2_000, "{}", payload.len());
    }
}
