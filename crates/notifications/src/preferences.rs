//! What a person wants to be told, and a try of it.

use portico_model::FieldError;
use portico_model::alarms::Severity;
use portico_model::notifications::preference::{KINDS, all_preferences};
use portico_model::notifications::{Audience, MyPreferences, Notification, Preference};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Notifications, person, store};

/// By which channel to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TestChannel {
    Push,
    Mail,
}

impl Notifications {
    /// What the actor is told.
    ///
    /// # Errors
    /// Forbidden `needs_a_person`.
    pub async fn my_preferences(&self, actor: &Actor) -> Result<MyPreferences> {
        let user = person(actor)?;
        let platform = &self.0.platform;
        let mut tx = platform.db.read().await?;
        let chosen = store::preference::list(&mut tx, actor.organization, user).await?;
        let people = self.0.identity.recipients(&mut tx, actor.organization, &Audience::Users(vec![user])).await?;
        Ok(MyPreferences {
            preferences: all_preferences(&chosen),
            email: people.into_iter().next().map(|user| user.email).unwrap_or_default(),
            mail_available: platform.config.mail.is_configured(),
            push_key: platform.deliveries.push_key()?.public(),
        })
    }

    /// Changes what the actor is told; kinds that are not named stay as they are.
    ///
    /// # Errors
    /// Invalid, naming a kind that does not exist or is named twice; Forbidden `needs_a_person`.
    pub async fn set_my_preferences(&self, actor: &Actor, preferences: &[Preference]) -> Result<MyPreferences> {
        let user = person(actor)?;
        check(preferences)?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        for preference in preferences {
            store::preference::upsert(&mut tx, actor.organization, user, preference).await?;
        }
        let entry = Entry::success("notification.preferences_changed").target("user", user);
        let record = platform.audit.append(&mut tx, actor, entry.details(json!(preferences))).await?;
        tx.commit().await?;
        self.announce(actor.organization, record);
        self.my_preferences(actor).await
    }

    /// Sends the actor a message by this channel, whatever he has chosen; to how many places it goes.
    ///
    /// # Errors
    /// Conflict `no_push_subscription` or `mail_not_configured`; Forbidden `needs_a_person`.
    pub async fn send_test(&self, actor: &Actor, channel: TestChannel) -> Result<usize> {
        let user = person(actor)?;
        let platform = &self.0.platform;
        let test = Notification {
            kind: "test".to_owned(),
            severity: Severity::Info,
            title: "Portico reaches you here".to_owned(),
            body: "This is the test that you asked for.".to_owned(),
            link: "/notifications".to_owned(),
            tag: "test".to_owned(),
        };
        let mut tx = platform.db.begin().await?;
        let sent = match channel {
            TestChannel::Push => self.push_to(&mut tx, actor.organization, user, &test).await?,
            TestChannel::Mail => {
                if !platform.config.mail.is_configured() {
                    return Err(Error::conflict("mail_not_configured", "This server has no mail server to send by."));
                }
                let people =
                    self.0.identity.recipients(&mut tx, actor.organization, &Audience::Users(vec![user])).await?;
                for user in &people {
                    self.mail_to(&mut tx, actor.organization, user, &test).await?;
                }
                people.len()
            }
        };
        if sent == 0 {
            return Err(Error::conflict(
                "no_push_subscription",
                "No browser of yours is subscribed. Turn pushes on in the browser that should get them.",
            ));
        }
        let entry = Entry::success("notification.tested").target("user", user).details(json!({ "channel": channel }));
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        platform.deliveries.wake();
        self.announce(actor.organization, record);
        Ok(sent)
    }
}

fn check(preferences: &[Preference]) -> Result<()> {
    let mut problems = Vec::new();
    for (at, preference) in preferences.iter().enumerate() {
        let field = format!("preferences[{at}].kind");
        if KINDS.iter().all(|kind| kind.code != preference.kind) {
            problems.push(FieldError::new(&field, "There is no such kind."));
        } else if preferences[..at].iter().any(|earlier| earlier.kind == preference.kind) {
            problems.push(FieldError::new(&field, "This kind is named twice."));
        }
        if problems.len() > KINDS.len() {
            break;
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::fields(problems)) }
}
