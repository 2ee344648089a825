//! The alarms domain on a real SQLite and a real PostgreSQL, with a clock that tests move.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod engine;
mod people;
mod rest;

use portico_alarms::{Alarms, Reach, Report, Subject};
use portico_identity::Identity;
use portico_model::alarms::{Alarm, AlarmStepKind, Severity};
use portico_model::identity::Role;
use portico_model::{AlarmId, OrganizationId};
use portico_notifications::Notifications;
use portico_platform::testing::{TestPlatform, each_database, insert_user};
use portico_platform::{Actor, Platform};

pub struct World {
    pub alarms: Alarms,
    pub identity: Identity,
    pub platform: Platform,
    pub organization: OrganizationId,
    pub manager: Actor,
    pub test: TestPlatform,
}

pub async fn each<F, Fut>(test: F)
where
    F: Fn(World) -> Fut,
    Fut: Future<Output = ()>,
{
    each_database(|platform| async { test(World::new(platform).await).await }).await;
}

impl World {
    async fn new(test: TestPlatform) -> Self {
        let platform = test.platform.clone();
        let identity = Identity::new(platform.clone());
        let notifications = Notifications::new(platform.clone(), identity.clone());
        let alarms = Alarms::new(platform.clone(), notifications);
        let organization = test.organization;
        let manager = insert_user(&platform, organization, "manager", Role::Manager).await;
        Self { alarms, identity, platform, organization, manager, test }
    }

    pub async fn user(&self, name: &str, role: Role) -> Actor {
        insert_user(&self.platform, self.organization, name, role).await
    }

    /// Reports as a domain does; what changed.
    pub async fn raise(&self, report: &Report) -> Option<Alarm> {
        let mut tx = self.platform.db.begin().await.unwrap();
        let change = self.alarms.raise(&mut tx, self.organization, report).await.unwrap();
        tx.commit().await.unwrap();
        let alarm = change.as_ref().map(|change| change.alarm.clone());
        self.alarms.announce(change);
        alarm
    }

    pub async fn clear(&self, cause: &str) -> Option<Alarm> {
        let mut tx = self.platform.db.begin().await.unwrap();
        let change = self.alarms.clear(&mut tx, self.organization, cause, "It is well again.").await.unwrap();
        tx.commit().await.unwrap();
        let alarm = change.as_ref().map(|change| change.alarm.clone());
        self.alarms.announce(change);
        alarm
    }

    pub async fn course(&self, id: AlarmId) -> Vec<AlarmStepKind> {
        self.alarms.get(&self.manager, id).await.unwrap().steps.into_iter().map(|step| step.kind).collect()
    }

    pub fn advance_s(&self, seconds: i64) {
        self.test.clock.advance_ms(seconds * 1_000);
    }
}

pub fn report(cause: &str) -> Report {
    Report {
        cause: cause.into(),
        kind: "threshold",
        severity: Severity::Warning,
        title: "Too warm".into(),
        text: "t is 31, above 30.".into(),
        subject: Subject { kind: "device", id: "d1".into(), name: "Freezer".into() },
        began_at: portico_platform::testing::START,
        reach: Reach::default(),
    }
}
