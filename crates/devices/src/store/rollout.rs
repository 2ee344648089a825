//! Roll-outs and the devices in them.

use portico_model::firmware::{DeviceUpdate, Facts, Rollout, RolloutCounts, RolloutState, Selection, UpdateState};
use portico_model::{CommandId, DeviceId, FirmwareId, OrganizationId, RolloutId, Timestamp};
use portico_platform::{Error, Result, Tx, on_db};

#[derive(sqlx::FromRow)]
struct Row {
    id: RolloutId,
    firmware_id: FirmwareId,
    device_type: String,
    version: String,
    state: String,
    selection: String,
    stages: String,
    stage: i64,
    per_minute: i64,
    at_once: i64,
    max_failed_percent: i64,
    force: bool,
    timeout_s: i64,
    reason: String,
    created_by: String,
    created_at: Timestamp,
    finished_at: Option<Timestamp>,
}

impl TryFrom<Row> for Rollout {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            firmware_id: row.firmware_id,
            device_type: row.device_type,
            version: row.version,
            state: RolloutState::parse(&row.state).ok_or_else(|| unknown(&row.state))?,
            selection: serde_json::from_str(&row.selection).map_err(Error::internal)?,
            stages: serde_json::from_str(&row.stages).map_err(Error::internal)?,
            stage: row.stage,
            per_minute: row.per_minute,
            at_once: row.at_once,
            max_failed_percent: row.max_failed_percent,
            force: row.force,
            timeout_s: row.timeout_s,
            reason: row.reason,
            created_by: row.created_by,
            created_at: row.created_at,
            finished_at: row.finished_at,
            counts: RolloutCounts::default(),
        })
    }
}

fn unknown(state: &str) -> Error {
    Error::internal(format!("a roll-out or a device of it has the state {state:?}"))
}

macro_rules! select_rollout {
    ($rest:literal) => {
        concat!(
            "select r.id, r.firmware_id, r.device_type, f.version, r.state, r.selection, r.stages, r.stage, r.per_minute,
                    r.at_once, r.max_failed_percent, r.force, r.timeout_s, r.reason, r.created_by, r.created_at,
                    r.finished_at
             from rollout r join firmware f on f.id = r.firmware_id where r.organization_id = $1 ",
            $rest
        )
    };
}

pub async fn find(tx: &mut Tx, organization: OrganizationId, id: RolloutId) -> Result<Option<Rollout>> {
    let row: Option<Row> = on_db!(&mut *tx, conn => sqlx::query_as(select_rollout!("and r.id = $2"))
        .bind(organization).bind(id).fetch_optional(conn).await)?;
    let Some(row) = row else { return Ok(None) };
    let mut rollout = Rollout::try_from(row)?;
    rollout.counts = counts(tx, organization, id).await?;
    Ok(Some(rollout))
}

/// As [`find`], locked until the end of the transaction.
pub async fn lock(tx: &mut Tx, organization: OrganizationId, id: RolloutId) -> Result<Option<Rollout>> {
    if let Tx::Postgres(transaction) = tx {
        sqlx::query("select 1 from rollout where id = $1 and organization_id = $2 for update")
            .bind(id)
            .bind(organization)
            .execute(&mut **transaction)
            .await?;
    }
    find(tx, organization, id).await
}

/// The newest first.
pub async fn list(
    tx: &mut Tx,
    organization: OrganizationId,
    before: Option<RolloutId>,
    limit: i64,
) -> Result<Vec<Rollout>> {
    let rows: Vec<Row> = on_db!(&mut *tx, conn => sqlx::query_as(select_rollout!(
        "and ($2 is null or r.id < $2) order by r.id desc limit $3"
    )).bind(organization).bind(before).bind(limit).fetch_all(conn).await)?;
    let mut rollouts = Vec::with_capacity(rows.len());
    for row in rows {
        let mut rollout = Rollout::try_from(row)?;
        rollout.counts = counts(tx, organization, rollout.id).await?;
        rollouts.push(rollout);
    }
    Ok(rollouts)
}

async fn counts(tx: &mut Tx, organization: OrganizationId, id: RolloutId) -> Result<RolloutCounts> {
    let rows: Vec<(String, i64)> = on_db!(tx, conn => sqlx::query_as(
        "select state, count(*) from rollout_device where rollout_id = $1 and organization_id = $2 group by state",
    ).bind(id).bind(organization).fetch_all(conn).await)?;
    let mut counts = RolloutCounts::default();
    for (state, count) in rows {
        counts.add(UpdateState::parse(&state).ok_or_else(|| unknown(&state))?, count);
    }
    Ok(counts)
}

/// `false` when one is under way for the type already.
pub async fn insert(tx: &mut Tx, organization: OrganizationId, rollout: &Rollout) -> Result<bool> {
    let selection = serde_json::to_string(&rollout.selection).map_err(Error::internal)?;
    let stages = serde_json::to_string(&rollout.stages).map_err(Error::internal)?;
    let inserted = on_db!(tx, conn => sqlx::query(
        "insert into rollout (id, organization_id, firmware_id, device_type, state, selection, stages, stage, per_minute,
             at_once, max_failed_percent, force, timeout_s, failures_seen, reason, created_by, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, $10, $11, $12, 0, '', $13, $14) on conflict do nothing",
    )
    .bind(rollout.id).bind(organization).bind(rollout.firmware_id).bind(&rollout.device_type)
    .bind(rollout.state.as_str()).bind(selection).bind(stages).bind(rollout.per_minute).bind(rollout.at_once)
    .bind(rollout.max_failed_percent).bind(rollout.force).bind(rollout.timeout_s).bind(&rollout.created_by)
    .bind(rollout.created_at).execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(inserted > 0)
}

pub async fn insert_device(
    tx: &mut Tx,
    organization: OrganizationId,
    rollout: RolloutId,
    (device, from_version): (DeviceId, &str),
    position: i64,
    stage: i64,
    now: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into rollout_device (rollout_id, device_id, organization_id, position, stage, state, progress, error,
             from_version, updated_at)
         values ($1, $2, $3, $4, $5, 'pending', 0, '', $6, $7)",
    )
    .bind(rollout).bind(device).bind(organization).bind(position).bind(stage).bind(from_version).bind(now)
    .execute(conn).await.map(drop))?;
    Ok(())
}

/// The devices in use that a selection names: id and version. At most `limit` of them.
pub async fn candidates(
    tx: &mut Tx,
    organization: OrganizationId,
    device_type: &str,
    selection: &Selection,
    limit: i64,
) -> Result<Vec<(DeviceId, String)>> {
    Ok(match selection {
        Selection::Type => on_db!(tx, conn => sqlx::query_as(
            "select id, firmware_version from device
             where organization_id = $1 and device_type = $2 and status = 'active' and deleted_at is null limit $3",
        ).bind(organization).bind(device_type).bind(limit).fetch_all(conn).await)?,
        Selection::Group { group_id } => on_db!(tx, conn => sqlx::query_as(
            "select d.id, d.firmware_version from device d
             join device_group_member m on m.device_id = d.id and m.organization_id = d.organization_id
             where d.organization_id = $1 and d.device_type = $2 and d.status = 'active' and d.deleted_at is null
               and m.group_id = $4 limit $3",
        ).bind(organization).bind(device_type).bind(limit).bind(*group_id).fetch_all(conn).await)?,
        Selection::Devices { device_ids } => {
            let mut found = Vec::new();
            for id in device_ids {
                let device: Option<(DeviceId, String)> = on_db!(&mut *tx, conn => sqlx::query_as(
                    "select id, firmware_version from device where organization_id = $1 and device_type = $2
                       and status = 'active' and deleted_at is null and id = $3",
                ).bind(organization).bind(device_type).bind(*id).fetch_optional(conn).await)?;
                found.extend(device);
            }
            found.sort_unstable();
            found.dedup();
            found
        }
    })
}

pub async fn is_under_way(tx: &mut Tx, organization: OrganizationId, firmware: FirmwareId) -> Result<bool> {
    let found: Option<RolloutId> = on_db!(tx, conn => sqlx::query_scalar(
        "select id from rollout where organization_id = $1 and firmware_id = $2 and finished_at is null limit 1",
    ).bind(organization).bind(firmware).fetch_optional(conn).await)?;
    Ok(found.is_some())
}

/// Writes what moves of the roll-out itself. `see_failures`: those until now count no more.
pub async fn update(tx: &mut Tx, organization: OrganizationId, rollout: &Rollout, see_failures: bool) -> Result<()> {
    on_db!(&mut *tx, conn => sqlx::query(
        "update rollout set state = $3, stage = $4, reason = $5, finished_at = $6 where id = $1 and organization_id = $2",
    )
    .bind(rollout.id).bind(organization).bind(rollout.state.as_str()).bind(rollout.stage).bind(&rollout.reason)
    .bind(rollout.finished_at).execute(conn).await.map(drop))?;
    if see_failures {
        on_db!(tx, conn => sqlx::query("update rollout set failures_seen = $3 where id = $1 and organization_id = $2")
            .bind(rollout.id).bind(organization).bind(rollout.counts.failed + rollout.counts.rolled_back)
            .execute(conn).await.map(drop))?;
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct UpdateRow {
    device_id: DeviceId,
    device_name: String,
    state: String,
    stage: i64,
    progress: i64,
    error: String,
    from_version: String,
    command_id: Option<CommandId>,
    notified_at: Option<Timestamp>,
    updated_at: Timestamp,
}

impl TryFrom<UpdateRow> for DeviceUpdate {
    type Error = Error;

    fn try_from(row: UpdateRow) -> Result<Self> {
        Ok(Self {
            device_id: row.device_id,
            device_name: row.device_name,
            state: UpdateState::parse(&row.state).ok_or_else(|| unknown(&row.state))?,
            stage: row.stage,
            progress: row.progress,
            error: row.error,
            from_version: row.from_version,
            command_id: row.command_id,
            notified_at: row.notified_at,
            updated_at: row.updated_at,
        })
    }
}

macro_rules! select_update {
    ($rest:literal) => {
        concat!(
            "select u.device_id, d.name as device_name, u.state, u.stage, u.progress, u.error, u.from_version,
                    u.command_id, u.notified_at, u.updated_at
             from rollout_device u join device d on d.id = u.device_id where u.organization_id = $1 ",
            $rest
        )
    };
}

/// Those of a roll-out in their order, after a position.
pub async fn list_devices(
    tx: &mut Tx,
    organization: OrganizationId,
    rollout: RolloutId,
    state: Option<UpdateState>,
    after: i64,
    limit: i64,
) -> Result<Vec<(i64, DeviceUpdate)>> {
    let positions: Vec<(i64, DeviceId)> = on_db!(&mut *tx, conn => sqlx::query_as(
        "select position, device_id from rollout_device
         where organization_id = $1 and rollout_id = $2 and ($3 is null or state = $3) and position > $4
         order by position limit $5",
    ).bind(organization).bind(rollout).bind(state.map(UpdateState::as_str)).bind(after).bind(limit)
        .fetch_all(conn).await)?;
    let mut updates = Vec::with_capacity(positions.len());
    for (position, device) in positions {
        if let Some(update) = find_device(tx, organization, rollout, device).await? {
            updates.push((position, update));
        }
    }
    Ok(updates)
}

pub async fn find_device(
    tx: &mut Tx,
    organization: OrganizationId,
    rollout: RolloutId,
    device: DeviceId,
) -> Result<Option<DeviceUpdate>> {
    let row: Option<UpdateRow> = on_db!(tx, conn => sqlx::query_as(select_update!("and u.rollout_id = $2 and u.device_id = $3"))
        .bind(organization).bind(rollout).bind(device).fetch_optional(conn).await)?;
    row.map(DeviceUpdate::try_from).transpose()
}

/// The update that a command of the device belongs to.
pub async fn find_by_command(
    tx: &mut Tx,
    organization: OrganizationId,
    device: DeviceId,
    command: CommandId,
) -> Result<Option<RolloutId>> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select rollout_id from rollout_device where organization_id = $1 and device_id = $2 and command_id = $3",
    ).bind(organization).bind(device).bind(command).fetch_optional(conn).await)?)
}

/// Writes what moves, when the state is still the one the change was made for; `false` when it is not.
pub async fn update_device(
    tx: &mut Tx,
    organization: OrganizationId,
    rollout: RolloutId,
    before: UpdateState,
    update: &DeviceUpdate,
    deadline_at: Option<Timestamp>,
) -> Result<bool> {
    let changed = on_db!(tx, conn => sqlx::query(
        "update rollout_device set state = $4, progress = $5, error = $6, command_id = $7, notified_at = $8,
             updated_at = $9, deadline_at = coalesce($10, deadline_at)
         where rollout_id = $1 and device_id = $2 and organization_id = $3 and state = $11",
    )
    .bind(rollout).bind(update.device_id).bind(organization).bind(update.state.as_str()).bind(update.progress)
    .bind(&update.error).bind(update.command_id).bind(update.notified_at).bind(update.updated_at).bind(deadline_at)
    .bind(before.as_str()).execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(changed > 0)
}

/// Running roll-outs of all organisations, and paused and stopped ones whose devices may still be at work: for the job.
pub async fn under_way(tx: &mut Tx) -> Result<Vec<(OrganizationId, RolloutId)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select organization_id, id from rollout where finished_at is null order by id",
    ).fetch_all(conn).await)?)
}

/// What is known of a device that was told, or has the version though it was not.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Progress {
    pub device_id: DeviceId,
    pub state: String,
    /// The version in its own heartbeat.
    pub firmware_version: String,
    pub is_gone: bool,
    pub command_state: Option<String>,
    pub command_error: Option<String>,
    pub deadline_at: Option<Timestamp>,
}

/// Devices that have not finished and were told, are gone, or report the version.
pub async fn to_look_at(
    tx: &mut Tx,
    organization: OrganizationId,
    rollout: RolloutId,
    version: &str,
) -> Result<Vec<Progress>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select u.device_id, u.state, d.firmware_version, d.deleted_at is not null as is_gone, c.state as command_state,
                c.error as command_error, u.deadline_at
         from rollout_device u
         join device d on d.id = u.device_id
         left join command c on c.id = u.command_id
         where u.organization_id = $1 and u.rollout_id = $2
           and (u.state in ('notified', 'downloading', 'verifying')
                or (u.state in ('pending', 'failed') and d.firmware_version = $3)
                or (u.state = 'pending' and d.deleted_at is not null))",
    ).bind(organization).bind(rollout).bind(version).fetch_all(conn).await)?)
}

/// Where the roll-out stands.
pub async fn facts(tx: &mut Tx, organization: OrganizationId, rollout: &Rollout, now: Timestamp) -> Result<Facts> {
    #[derive(sqlx::FromRow)]
    struct Counted {
        devices: i64,
        later: i64,
        failed: i64,
        installed: i64,
        active: i64,
        waiting: i64,
        away: i64,
        told: i64,
        seen: i64,
    }
    let counted: Counted = on_db!(tx, conn => sqlx::query_as(
        "select
             count(case when u.stage <= $3 then 1 end) as devices,
             count(case when u.stage > $3 and u.state = 'pending' then 1 end) as later,
             count(case when u.state in ('failed', 'rolled_back') then 1 end) as failed,
             count(case when u.state = 'installed' then 1 end) as installed,
             count(case when u.state in ('notified', 'downloading', 'verifying') then 1 end) as active,
             count(case when u.stage <= $3 and u.state = 'pending' and d.connection = 'online' and d.status = 'active' then 1 end) as waiting,
             count(case when u.stage <= $3 and u.state = 'pending' and not (d.connection = 'online' and d.status = 'active') then 1 end) as away,
             count(case when u.notified_at > $4 then 1 end) as told,
             (select failures_seen from rollout where id = $2 and organization_id = $1) as seen
         from rollout_device u join device d on d.id = u.device_id
         where u.organization_id = $1 and u.rollout_id = $2",
    ).bind(organization).bind(rollout.id).bind(rollout.stage).bind(now.plus_secs(-60)).fetch_one(conn).await)?;
    Ok(Facts {
        devices: counted.devices,
        later: counted.later,
        failed: (counted.failed - counted.seen).max(0),
        installed: counted.installed,
        active: counted.active,
        waiting: counted.waiting,
        away: counted.away,
        told_last_minute: counted.told,
    })
}

/// The next devices to be told: there and in use, in their order.
pub async fn to_tell(
    tx: &mut Tx,
    organization: OrganizationId,
    rollout: &Rollout,
    limit: i64,
) -> Result<Vec<DeviceId>> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select u.device_id from rollout_device u join device d on d.id = u.device_id
         where u.organization_id = $1 and u.rollout_id = $2 and u.state = 'pending' and u.stage <= $3
           and d.connection = 'online' and d.status = 'active' and d.deleted_at is null
         order by u.position limit $4",
    ).bind(organization).bind(rollout.id).bind(rollout.stage).bind(limit).fetch_all(conn).await)?)
}
