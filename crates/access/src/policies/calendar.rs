//! Weekly schedules and holidays.

use portico_devices::Check;
use portico_model::access::policies::{Holiday, NewHoliday, Schedule, ScheduleInput};
use portico_model::access::schedule::windows;
use portico_model::identity::Permission;
use portico_model::{HolidayId, ScheduleId};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Result};
use serde_json::json;

use super::calendar_store as store;
use crate::{Access, people, version};
use portico_identity::local_time::is_date;

/// Most schedules, and most holidays, of an organisation.
const MAX_SCHEDULES: usize = 500;
const MAX_HOLIDAYS: usize = 2_000;

fn schedule_not_found() -> Error {
    Error::not_found("schedule_not_found", "There is no such schedule.")
}

impl Access {
    /// By name. Permission: [`Permission::ReadAccess`].
    ///
    /// # Errors
    /// Forbidden.
    pub async fn schedules(&self, actor: &Actor) -> Result<Vec<Schedule>> {
        actor.require(Permission::ReadAccess)?;
        let mut tx = self.0.platform.db.read().await?;
        store::schedules(&mut tx, actor.organization, None).await
    }

    /// Makes a schedule (`id` absent) or replaces one. Permission: [`Permission::ManageAccess`].
    ///
    /// # Errors
    /// Forbidden; Not found; Invalid; Conflict when another has the name.
    pub async fn save_schedule(
        &self,
        actor: &Actor,
        id: Option<ScheduleId>,
        schedule: ScheduleInput,
    ) -> Result<Schedule> {
        actor.require(Permission::ManageAccess)?;
        let mut check = Check::default();
        let name = people::input::name(&mut check, &schedule.name);
        if let Err(bad) = windows(&schedule.windows) {
            check.problem("windows", bad.sentence());
        }
        let schedule = check.done(ScheduleInput { name, windows: schedule.windows })?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        version::bump(&mut tx, actor.organization).await?;
        let (id, action) = if let Some(id) = id {
            store::find_schedule(&mut tx, actor.organization, id).await?.ok_or_else(schedule_not_found)?;
            (id, "schedule.changed")
        } else {
            if store::schedules(&mut tx, actor.organization, None).await?.len() >= MAX_SCHEDULES {
                let message = format!("An organisation may have at most {MAX_SCHEDULES} schedules.");
                return Err(Error::conflict("too_many_schedules", message));
            }
            (ScheduleId::generate(), "schedule.created")
        };
        if store::name_is_taken(&mut tx, actor.organization, id, &schedule.name).await? {
            return Err(Error::conflict("schedule_name_taken", "Another schedule has this name already."));
        }
        store::save_schedule(&mut tx, actor.organization, id, &schedule, platform.clock.now()).await?;
        let entry = Entry::success(action).target("schedule", id).details(json!(schedule));
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        let schedule = store::find_schedule(&mut tx, actor.organization, id).await?.ok_or_else(schedule_not_found)?;
        tx.commit().await?;
        self.announce_policies(actor.organization, record);
        Ok(schedule)
    }

    /// Permission: [`Permission::ManageAccess`].
    ///
    /// # Errors
    /// Forbidden; Not found; Conflict while policies or codes use it.
    pub async fn delete_schedule(&self, actor: &Actor, id: ScheduleId) -> Result<()> {
        actor.require(Permission::ManageAccess)?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        version::bump(&mut tx, actor.organization).await?;
        let schedule = store::find_schedule(&mut tx, actor.organization, id).await?.ok_or_else(schedule_not_found)?;
        if schedule.policy_count > 0 || store::has_codes(&mut tx, actor.organization, id).await? {
            let message = "Policies or codes use this schedule: change them first.";
            return Err(Error::conflict("schedule_in_use", message));
        }
        store::delete_schedule(&mut tx, actor.organization, id).await?;
        let entry = Entry::success("schedule.deleted").target("schedule", id).details(json!({"name": schedule.name}));
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.announce_policies(actor.organization, record);
        Ok(())
    }

    /// By date. Permission: [`Permission::ReadAccess`].
    ///
    /// # Errors
    /// Forbidden.
    pub async fn holidays(&self, actor: &Actor) -> Result<Vec<Holiday>> {
        actor.require(Permission::ReadAccess)?;
        let mut tx = self.0.platform.db.read().await?;
        store::holidays(&mut tx, actor.organization).await
    }

    /// Permission: [`Permission::ManageAccess`].
    ///
    /// # Errors
    /// Forbidden; Invalid; Conflict when the day is a holiday already.
    pub async fn add_holiday(&self, actor: &Actor, new: NewHoliday) -> Result<Holiday> {
        actor.require(Permission::ManageAccess)?;
        let mut check = Check::default();
        let date = new.date.trim().to_owned();
        if !is_date(&date) {
            check.problem("date", "a day such as 2026-12-25");
        }
        let name = people::input::name(&mut check, &new.name);
        let holiday = check.done(Holiday { id: HolidayId::generate(), date, name })?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        version::bump(&mut tx, actor.organization).await?;
        if store::holidays(&mut tx, actor.organization).await?.len() >= MAX_HOLIDAYS {
            let message = format!("An organisation may have at most {MAX_HOLIDAYS} holidays.");
            return Err(Error::conflict("too_many_holidays", message));
        }
        if !store::insert_holiday(&mut tx, actor.organization, &holiday).await? {
            return Err(Error::conflict("holiday_exists", "This day is a holiday already."));
        }
        let entry = Entry::success("holiday.added").target("holiday", holiday.id);
        let record = platform.audit.append(&mut tx, actor, entry.details(json!({"date": holiday.date}))).await?;
        tx.commit().await?;
        self.announce_policies(actor.organization, record);
        Ok(holiday)
    }

    /// Permission: [`Permission::ManageAccess`].
    ///
    /// # Errors
    /// Forbidden; Not found.
    pub async fn delete_holiday(&self, actor: &Actor, id: HolidayId) -> Result<()> {
        actor.require(Permission::ManageAccess)?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        version::bump(&mut tx, actor.organization).await?;
        if !store::delete_holiday(&mut tx, actor.organization, id).await? {
            return Err(Error::not_found("holiday_not_found", "There is no such holiday."));
        }
        let entry = Entry::success("holiday.removed").target("holiday", id);
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.announce_policies(actor.organization, record);
        Ok(())
    }
}
