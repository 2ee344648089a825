//! Alarm rules, to which devices they apply, and how far each is with each device.

use portico_model::alarms::Severity;
use portico_model::alarms::rule::{AlarmRule, Condition, NewRule, Phase, RuleState, Scope, Tell, Threshold};
use portico_model::devices::Connection;
use portico_model::{AlarmRuleId, DeviceId, GroupId, OrganizationId, Timestamp, UserId};
use portico_platform::{Error, Result, Tx, on_db};
use uuid::Uuid;

#[derive(sqlx::FromRow)]
struct Row {
    id: AlarmRuleId,
    name: String,
    condition: String,
    scope_kind: String,
    scope_id: Option<Uuid>,
    scope_type: Option<String>,
    scope_name: Option<String>,
    severity: String,
    is_enabled: bool,
    tell: String,
    escalate_after_s: Option<i64>,
    repeat_every_s: Option<i64>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

fn unknown(column: &str, value: &str) -> Error {
    Error::internal(format!("alarm_rule.{column} holds {value:?}"))
}

impl TryFrom<Row> for AlarmRule {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let scope = match (row.scope_kind.as_str(), row.scope_id, row.scope_type) {
            ("device", Some(id), _) => Scope::Device { device_id: DeviceId::from_uuid(id) },
            ("group", Some(id), _) => Scope::Group { group_id: GroupId::from_uuid(id) },
            ("type", _, Some(device_type)) => Scope::Type { device_type },
            _ => return Err(unknown("scope_kind", &row.scope_kind)),
        };
        Ok(Self {
            id: row.id,
            scope_name: match &scope {
                Scope::Type { device_type } => device_type.clone(),
                _ => row.scope_name.unwrap_or_default(),
            },
            rule: NewRule {
                name: row.name,
                condition: serde_json::from_str(&row.condition).map_err(Error::internal)?,
                scope,
                severity: Severity::parse(&row.severity).ok_or_else(|| unknown("severity", &row.severity))?,
                is_enabled: row.is_enabled,
                tell: Tell::parse(&row.tell).ok_or_else(|| unknown("tell", &row.tell))?,
                escalate_after_s: row.escalate_after_s,
                repeat_every_s: row.repeat_every_s,
            },
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

macro_rules! select_rule {
    ($rest:literal) => {
        concat!(
            "select r.id, r.name, r.condition, r.scope_kind, r.scope_id, r.scope_type, coalesce(d.name, g.name) as scope_name,
                    r.severity, r.is_enabled, r.tell, r.escalate_after_s, r.repeat_every_s, r.created_at, r.updated_at
             from alarm_rule r
             left join device d on r.scope_kind = 'device' and d.id = r.scope_id
                 and d.organization_id = r.organization_id and d.deleted_at is null
             left join device_group g on r.scope_kind = 'group' and g.id = r.scope_id
                 and g.organization_id = r.organization_id
             where r.organization_id = $1 ",
            $rest
        )
    };
}

pub async fn find(tx: &mut Tx, organization: OrganizationId, id: AlarmRuleId) -> Result<Option<AlarmRule>> {
    let row: Option<Row> = on_db!(tx, conn => sqlx::query_as(select_rule!("and r.id = $2"))
        .bind(organization).bind(id).fetch_optional(conn).await)?;
    row.map(AlarmRule::try_from).transpose()
}

/// By name; with an owner only those about one device of his.
pub async fn list(
    tx: &mut Tx,
    organization: OrganizationId,
    owner: Option<UserId>,
    after: Option<(&str, AlarmRuleId)>,
    limit: i64,
) -> Result<Vec<AlarmRule>> {
    let (name, id) = (after.map(|(name, _)| name), after.map(|(_, id)| id));
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(select_rule!(
        "and ($2 is null or d.owner_id = $2) and ($3 is null or r.name > $3 or (r.name = $3 and r.id > $4))
         order by r.name, r.id limit $5"
    )).bind(organization).bind(owner).bind(name).bind(id).bind(limit).fetch_all(conn).await)?;
    rows.into_iter().map(AlarmRule::try_from).collect()
}

/// All that are in use.
pub async fn list_enabled(tx: &mut Tx, organization: OrganizationId) -> Result<Vec<AlarmRule>> {
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(select_rule!("and r.is_enabled order by r.name, r.id"))
        .bind(organization).fetch_all(conn).await)?;
    rows.into_iter().map(AlarmRule::try_from).collect()
}

pub async fn count(tx: &mut Tx, organization: OrganizationId) -> Result<i64> {
    Ok(on_db!(tx, conn => sqlx::query_scalar("select count(*) from alarm_rule where organization_id = $1")
        .bind(organization).fetch_one(conn).await)?)
}

fn scope_columns(scope: &Scope) -> (Option<Uuid>, Option<&str>) {
    match scope {
        Scope::Device { device_id } => (Some(device_id.uuid()), None),
        Scope::Group { group_id } => (Some(group_id.uuid()), None),
        Scope::Type { device_type } => (None, Some(device_type)),
    }
}

/// Inserts, or replaces what may change.
pub async fn save(tx: &mut Tx, organization: OrganizationId, rule: &AlarmRule) -> Result<()> {
    let what = &rule.rule;
    let (scope_id, scope_type) = scope_columns(&what.scope);
    let condition = serde_json::to_string(&what.condition).map_err(Error::internal)?;
    on_db!(tx, conn => sqlx::query(
        "insert into alarm_rule (id, organization_id, name, condition, scope_kind, scope_id, scope_type, severity, is_enabled,
             tell, escalate_after_s, repeat_every_s, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
         on conflict (id) do update set name = excluded.name, condition = excluded.condition,
             scope_kind = excluded.scope_kind, scope_id = excluded.scope_id, scope_type = excluded.scope_type,
             severity = excluded.severity, is_enabled = excluded.is_enabled, tell = excluded.tell,
             escalate_after_s = excluded.escalate_after_s, repeat_every_s = excluded.repeat_every_s,
             updated_at = excluded.updated_at
         where alarm_rule.organization_id = excluded.organization_id",
    )
    .bind(rule.id).bind(organization).bind(&what.name).bind(condition).bind(what.scope.kind()).bind(scope_id)
    .bind(scope_type).bind(what.severity.as_str()).bind(what.is_enabled).bind(what.tell.as_str())
    .bind(what.escalate_after_s).bind(what.repeat_every_s).bind(rule.created_at).bind(rule.updated_at)
    .execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn delete(tx: &mut Tx, organization: OrganizationId, id: AlarmRuleId) -> Result<()> {
    on_db!(tx, conn => sqlx::query("delete from alarm_rule where organization_id = $1 and id = $2")
        .bind(organization).bind(id).execute(conn).await.map(drop))?;
    Ok(())
}

/// Rules about one device go with it.
pub async fn delete_of_device(tx: &mut Tx, organization: OrganizationId, device: DeviceId) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "delete from alarm_rule where organization_id = $1 and scope_kind = 'device' and scope_id = $2",
    ).bind(organization).bind(device).execute(conn).await.map(drop))?;
    Ok(())
}

/// Forgets how far the rule is, with every device.
pub async fn delete_states(tx: &mut Tx, organization: OrganizationId, rule: AlarmRuleId) -> Result<()> {
    on_db!(tx, conn => sqlx::query("delete from alarm_rule_state where organization_id = $1 and rule_id = $2")
        .bind(organization).bind(rule).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn delete_state(tx: &mut Tx, rule: AlarmRuleId, device: DeviceId) -> Result<()> {
    on_db!(tx, conn => sqlx::query("delete from alarm_rule_state where rule_id = $1 and device_id = $2")
        .bind(rule).bind(device).execute(conn).await.map(drop))?;
    Ok(())
}

/// A rule was made or changed: servers must read the organisation's rules anew.
pub async fn changed(tx: &mut Tx, organization: OrganizationId) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into alarm_rule_version (organization_id, version, reconciled) values ($1, 1, 0)
         on conflict (organization_id) do update set version = alarm_rule_version.version + 1",
    ).bind(organization).execute(conn).await.map(drop))?;
    Ok(())
}

/// A device came, went, or changed its type, status or groups: rules may apply to others now. Costs next to nothing
/// where there are no rules.
pub async fn scope_changed(tx: &mut Tx, organization: OrganizationId) -> Result<()> {
    on_db!(tx, conn => sqlx::query("update alarm_rule_version set version = version + 1 where organization_id = $1")
        .bind(organization).execute(conn).await.map(drop))?;
    Ok(())
}

/// How often the rules of each organisation that ever had one have changed, and how far that has been put into effect.
pub async fn versions(tx: &mut Tx) -> Result<Vec<(OrganizationId, i64, i64)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select organization_id, version, reconciled from alarm_rule_version",
    ).fetch_all(conn).await)?)
}

/// Takes it upon the caller to put the changes into effect; false when that is done already.
pub async fn begin_reconciling(tx: &mut Tx, organization: OrganizationId) -> Result<bool> {
    let taken = on_db!(tx, conn => sqlx::query(
        "update alarm_rule_version set reconciled = version where organization_id = $1 and reconciled < version",
    ).bind(organization).execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(taken > 0)
}

/// A rule and a device in use to which it applies.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Applies {
    pub rule_id: AlarmRuleId,
    pub device_id: DeviceId,
    connection: String,
    pub last_seen_at: Option<Timestamp>,
}

impl Applies {
    /// Heard from before, and silent now.
    pub fn is_offline(&self) -> bool {
        self.connection == Connection::Offline.as_str()
    }
}

/// Which enabled rule applies to which device in use.
pub async fn applies(tx: &mut Tx, organization: OrganizationId) -> Result<Vec<Applies>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select r.id as rule_id, d.id as device_id, d.connection, d.last_seen_at from alarm_rule r
         join device d on d.id = r.scope_id and d.organization_id = r.organization_id
         where r.organization_id = $1 and r.is_enabled and r.scope_kind = 'device'
             and d.deleted_at is null and d.status = 'active'
         union all
         select r.id as rule_id, d.id as device_id, d.connection, d.last_seen_at from alarm_rule r
         join device_group_member m on m.group_id = r.scope_id
         join device d on d.id = m.device_id and d.organization_id = r.organization_id
         where r.organization_id = $1 and r.is_enabled and r.scope_kind = 'group'
             and d.deleted_at is null and d.status = 'active'
         union all
         select r.id as rule_id, d.id as device_id, d.connection, d.last_seen_at from alarm_rule r
         join device d on d.organization_id = r.organization_id and d.device_type = r.scope_type
         where r.organization_id = $1 and r.is_enabled and r.scope_kind = 'type'
             and d.deleted_at is null and d.status = 'active'",
    ).bind(organization).fetch_all(conn).await)?)
}

/// Devices to which a rule of this scope would apply, newest first, at most `limit`; and how many there are.
pub async fn devices_in_scope(
    tx: &mut Tx,
    organization: OrganizationId,
    scope: &Scope,
    limit: i64,
) -> Result<(Vec<DeviceId>, i64)> {
    let (id, device_type) = scope_columns(scope);
    let devices: Vec<DeviceId> = on_db!(tx, conn => sqlx::query_scalar(
        "select d.id from device d where d.organization_id = $1 and d.deleted_at is null and (
             ($2 = 'device' and d.id = $3) or ($2 = 'type' and d.device_type = $4)
             or ($2 = 'group' and exists (
                 select 1 from device_group_member m where m.group_id = $3 and m.device_id = d.id)))
         order by d.id desc",
    ).bind(organization).bind(scope.kind()).bind(id).bind(device_type).fetch_all(conn).await)?;
    let all = i64::try_from(devices.len()).unwrap_or(i64::MAX);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    Ok((devices.into_iter().take(limit).collect(), all))
}

#[derive(sqlx::FromRow)]
struct StateRow {
    rule_id: AlarmRuleId,
    device_id: DeviceId,
    organization_id: OrganizationId,
    phase: String,
    since: Option<Timestamp>,
    last_ts: Option<Timestamp>,
    heard_at: Option<Timestamp>,
    due_at: Option<Timestamp>,
}

/// How far a rule is with a device.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct State {
    pub organization: OrganizationId,
    pub rule: AlarmRuleId,
    pub device: DeviceId,
    pub state: RuleState,
}

impl From<StateRow> for State {
    fn from(row: StateRow) -> Self {
        Self {
            organization: row.organization_id,
            rule: row.rule_id,
            device: row.device_id,
            state: RuleState {
                phase: Phase::parse(&row.phase).unwrap_or_default(),
                since: row.since,
                last_ts: row.last_ts,
                heard_at: row.heard_at,
                due_at: row.due_at,
            },
        }
    }
}

macro_rules! select_state {
    ($rest:literal) => {
        concat!(
            "select rule_id, device_id, organization_id, phase, since, last_ts, heard_at, due_at from alarm_rule_state ",
            $rest
        )
    };
}

/// The states of these devices, locked, so that two servers go one after the other. The ids come from our own index.
pub async fn lock_states(tx: &mut Tx, devices: &[DeviceId]) -> Result<Vec<State>> {
    let rows: Vec<StateRow> = match tx {
        // In the same process: a statement a device costs less than to take a list apart.
        Tx::Sqlite(transaction) => {
            let mut rows = Vec::new();
            for device in devices {
                let found = sqlx::query_as(select_state!("where device_id = $1")).bind(device);
                rows.extend(found.fetch_all(&mut **transaction).await?);
            }
            rows
        }
        Tx::Postgres(transaction) => {
            let ids: Vec<Uuid> = devices.iter().map(|device| device.uuid()).collect();
            sqlx::query_as(select_state!("where device_id = any($1) order by device_id, rule_id for update"))
                .bind(ids)
                .fetch_all(&mut **transaction)
                .await?
        }
    };
    Ok(rows.into_iter().map(State::from).collect())
}

/// All states of an organisation.
pub async fn list_states(tx: &mut Tx, organization: OrganizationId) -> Result<Vec<State>> {
    let rows: Vec<StateRow> = on_db!(tx, conn => sqlx::query_as(select_state!("where organization_id = $1"))
        .bind(organization).fetch_all(conn).await)?;
    Ok(rows.into_iter().map(State::from).collect())
}

/// Whether any rule, of any organisation, is to be looked at: one look into the index.
pub async fn any_due(tx: &mut Tx, now: Timestamp) -> Result<bool> {
    let found: Option<i64> = on_db!(tx, conn => sqlx::query_scalar(
        "select due_at from alarm_rule_state where due_at is not null and due_at <= $1 limit 1",
    ).bind(now).fetch_optional(conn).await)?;
    Ok(found.is_some())
}

/// Some states that are due, locked; two servers get different ones.
pub async fn lock_due(tx: &mut Tx, now: Timestamp) -> Result<Vec<State>> {
    let rows: Vec<StateRow> = match tx {
        Tx::Sqlite(transaction) => {
            sqlx::query_as(select_state!("where due_at is not null and due_at <= $1 order by due_at limit 200"))
                .bind(now)
                .fetch_all(&mut **transaction)
                .await?
        }
        Tx::Postgres(transaction) => {
            sqlx::query_as(select_state!(
                "where due_at is not null and due_at <= $1 order by due_at limit 200 for update skip locked"
            ))
            .bind(now)
            .fetch_all(&mut **transaction)
            .await?
        }
    };
    Ok(rows.into_iter().map(State::from).collect())
}

pub async fn save_states(tx: &mut Tx, states: &[State]) -> Result<()> {
    const UPSERT: &str =
        "on conflict (rule_id, device_id) do update set phase = excluded.phase, since = excluded.since,
             last_ts = excluded.last_ts, heard_at = excluded.heard_at, due_at = excluded.due_at";
    if states.is_empty() {
        return Ok(());
    }
    match tx {
        Tx::Sqlite(transaction) => {
            let sql = format!(
                "insert into alarm_rule_state (rule_id, device_id, organization_id, phase, since, last_ts, heard_at, due_at)
                 values ($1, $2, $3, $4, $5, $6, $7, $8) {UPSERT}"
            );
            for State { organization, rule, device, state } in states {
                sqlx::query(sqlx::AssertSqlSafe(sql.as_str()))
                    .bind(rule)
                    .bind(device)
                    .bind(organization)
                    .bind(state.phase.as_str())
                    .bind(state.since)
                    .bind(state.last_ts)
                    .bind(state.heard_at)
                    .bind(state.due_at)
                    .execute(&mut **transaction)
                    .await?;
            }
        }
        Tx::Postgres(transaction) => {
            let sql = format!(
                "insert into alarm_rule_state (rule_id, device_id, organization_id, phase, since, last_ts, heard_at, due_at)
                 select rule_id, device_id, organization_id, phase, since, last_ts, heard_at, due_at
                 from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::bigint[],
                     $7::bigint[], $8::bigint[])
                     as new (rule_id, device_id, organization_id, phase, since, last_ts, heard_at, due_at) {UPSERT}"
            );
            let uuids = |of: fn(&State) -> Uuid| states.iter().map(of).collect::<Vec<_>>();
            let times = |of: fn(&RuleState) -> Option<Timestamp>| -> Vec<Option<i64>> {
                states.iter().map(|state| of(&state.state).map(Timestamp::millis)).collect()
            };
            sqlx::query(sqlx::AssertSqlSafe(sql))
                .bind(uuids(|state| state.rule.uuid()))
                .bind(uuids(|state| state.device.uuid()))
                .bind(uuids(|state| state.organization.uuid()))
                .bind(states.iter().map(|state| state.state.phase.as_str()).collect::<Vec<_>>())
                .bind(times(|state| state.since))
                .bind(times(|state| state.last_ts))
                .bind(times(|state| state.heard_at))
                .bind(times(|state| state.due_at))
                .execute(&mut **transaction)
                .await?;
        }
    }
    Ok(())
}

/// A line of a chart, if the rule has one.
pub fn threshold_of(rule: &AlarmRule) -> Option<Threshold> {
    match &rule.rule.condition {
        Condition::Threshold { key, side, limit, .. } => Some(Threshold {
            rule_id: rule.id,
            name: rule.rule.name.clone(),
            key: key.clone(),
            side: *side,
            limit: *limit,
            severity: rule.rule.severity,
        }),
        _ => None,
    }
}
