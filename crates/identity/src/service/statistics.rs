//! Figures about people and programs.

use portico_model::identity::Permission;
use portico_model::statistics::{PeopleStatistics, ServerStatistics};
use portico_platform::{Actor, Result};

use super::Identity;
use crate::store;

const DAY_S: i64 = 86_400;

impl Identity {
    /// People and programs of the organisation in numbers. Permission: [`Permission::ManageOrganization`].
    ///
    /// # Errors
    /// Forbidden.
    pub async fn statistics(&self, actor: &Actor) -> Result<PeopleStatistics> {
        self.require(actor, Permission::ManageOrganization, "statistics.read").await?;
        let now = self.platform.clock.now();
        let mut tx = self.platform.db.read().await?;
        let mut statistics = PeopleStatistics {
            sessions: store::session::count_live(&mut tx, actor.organization, now).await?,
            service_keys: store::service_key::count(&mut tx, actor.organization).await?,
            failed_sign_ins_24h: store::user::count_failed_sign_ins(&mut tx, actor.organization, now.plus_secs(-DAY_S))
                .await?,
            ..PeopleStatistics::default()
        };
        for (role, is_active, count) in store::user::counts(&mut tx, actor.organization).await? {
            statistics.total += count;
            statistics.inactive += if is_active { 0 } else { count };
            *statistics.by_role.entry(role).or_default() += count;
        }
        Ok(statistics)
    }

    /// The server in numbers. Permission: [`Permission::ManageOrganization`].
    ///
    /// # Errors
    /// Forbidden.
    pub async fn server_statistics(&self, actor: &Actor) -> Result<ServerStatistics> {
        self.require(actor, Permission::ManageOrganization, "statistics.read").await?;
        portico_platform::statistics::collect(&self.platform, actor.organization).await
    }
}
