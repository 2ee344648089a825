//! All SQL of the queue of messages to people and other systems.

use portico_model::notifications::{Delivery, DeliveryChannel, DeliveryState};
use portico_model::{DeliveryId, OrganizationId, Timestamp};
use uuid::Uuid;

use crate::db::Tx;
use crate::error::{Error, Result};
use crate::on_db;

/// A message as it is written.
pub struct New<'a> {
    pub id: DeliveryId,
    pub organization: OrganizationId,
    pub channel: DeliveryChannel,
    pub destination: &'a str,
    pub summary: &'a str,
    /// The person or webhook it is for, when it is for one of ours.
    pub subject: Option<Uuid>,
    pub sealed: &'a [u8],
    pub now: Timestamp,
}

pub async fn insert(tx: &mut Tx, new: New<'_>) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into delivery (id, organization_id, kind, destination, summary, subject_id, message, state, attempts,
           next_attempt_at, last_error, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, 'queued', 0, $8, '', $8)",
    )
    .bind(new.id).bind(new.organization).bind(new.channel.as_str()).bind(new.destination).bind(new.summary)
    .bind(new.subject).bind(new.sealed).bind(new.now)
    .execute(conn).await.map(drop))?;
    Ok(())
}

/// When the earliest message of the channel wants to leave.
pub async fn next_due(tx: &mut Tx, channel: DeliveryChannel) -> Result<Option<Timestamp>> {
    let (next,): (Option<Timestamp>,) = on_db!(tx, conn => sqlx::query_as(
        "select min(next_attempt_at) from delivery where kind = $1 and state = 'queued'",
    ).bind(channel.as_str()).fetch_one(conn).await)?;
    Ok(next)
}

/// A message taken to be sent.
#[derive(Debug, sqlx::FromRow)]
pub struct Claimed {
    pub id: DeliveryId,
    pub organization_id: OrganizationId,
    pub message: Vec<u8>,
    /// This one counted.
    pub attempts: i64,
}

/// Takes what is due, until `until`: should this server die, another takes it again after that.
pub async fn claim(
    tx: &mut Tx,
    channel: DeliveryChannel,
    now: Timestamp,
    until: Timestamp,
    limit: i64,
) -> Result<Vec<Claimed>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "update delivery set attempts = attempts + 1, next_attempt_at = $3
         where state = 'queued' and next_attempt_at <= $2 and id in (
           select id from delivery where kind = $1 and state = 'queued' and next_attempt_at <= $2
           order by next_attempt_at, id limit $4)
         returning id, organization_id, message, attempts",
    ).bind(channel.as_str()).bind(now).bind(until).bind(limit).fetch_all(conn).await)?)
}

/// It has arrived: what it said is not kept.
pub async fn set_delivered(tx: &mut Tx, id: DeliveryId, now: Timestamp) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update delivery set state = 'delivered', finished_at = $2, last_error = '', message = $3 where id = $1",
    ).bind(id).bind(now).bind(Vec::<u8>::new()).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn set_failed(tx: &mut Tx, id: DeliveryId, error: &str, again_at: Timestamp) -> Result<()> {
    on_db!(tx, conn => sqlx::query("update delivery set last_error = $2, next_attempt_at = $3 where id = $1")
        .bind(id).bind(error).bind(again_at).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn set_dead(tx: &mut Tx, id: DeliveryId, error: &str, now: Timestamp) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update delivery set state = 'dead', finished_at = $3, last_error = $2 where id = $1",
    ).bind(id).bind(error).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn delete(tx: &mut Tx, id: DeliveryId) -> Result<()> {
    on_db!(tx, conn => sqlx::query("delete from delivery where id = $1").bind(id).execute(conn).await.map(drop))?;
    Ok(())
}

/// Makes an undelivered message wait again, as if new. False when there is none such.
pub async fn requeue(tx: &mut Tx, organization: OrganizationId, id: DeliveryId, now: Timestamp) -> Result<bool> {
    let row: Option<(DeliveryId,)> = on_db!(tx, conn => sqlx::query_as(
        "update delivery set state = 'queued', attempts = 0, next_attempt_at = $3, last_error = '', finished_at = null
         where organization_id = $1 and id = $2 and state = 'dead' returning id",
    ).bind(organization).bind(id).bind(now).fetch_optional(conn).await)?;
    Ok(row.is_some())
}

/// Removes a message that has not arrived. False when there is none such.
pub async fn discard(tx: &mut Tx, organization: OrganizationId, id: DeliveryId) -> Result<bool> {
    let row: Option<(DeliveryId,)> = on_db!(tx, conn => sqlx::query_as(
        "delete from delivery where organization_id = $1 and id = $2 and state <> 'delivered' returning id",
    ).bind(organization).bind(id).fetch_optional(conn).await)?;
    Ok(row.is_some())
}

/// Removes all of one person or webhook, and every e-mail to `address`.
pub async fn delete_of(tx: &mut Tx, organization: OrganizationId, subject: Uuid, address: Option<&str>) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "delete from delivery where organization_id = $1 and (subject_id = $2 or (kind = 'mail' and destination = $3))",
    ).bind(organization).bind(subject).bind(address).execute(conn).await.map(drop))?;
    Ok(())
}

/// Removes what ended before these times.
pub async fn delete_finished(tx: &mut Tx, delivered_before: Timestamp, dead_before: Timestamp) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "delete from delivery where (state = 'delivered' and finished_at < $1) or (state = 'dead' and finished_at < $2)",
    ).bind(delivered_before).bind(dead_before).execute(conn).await.map(drop))?;
    Ok(())
}

/// How many of each channel wait or are dead: channel, state, count.
pub async fn depths(tx: &mut Tx) -> Result<Vec<(String, String, i64)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select kind, state, count(id) from delivery where state in ('queued', 'dead') group by kind, state",
    ).fetch_all(conn).await)?)
}

#[derive(sqlx::FromRow)]
struct Row {
    id: DeliveryId,
    kind: String,
    destination: String,
    summary: String,
    state: String,
    attempts: i64,
    next_attempt_at: Timestamp,
    last_error: String,
    created_at: Timestamp,
    finished_at: Option<Timestamp>,
}

impl Row {
    fn into_delivery(self) -> Result<Delivery> {
        let unknown = || Error::internal("a delivery of unknown kind or state in the database");
        let state = DeliveryState::parse(&self.state).ok_or_else(unknown)?;
        Ok(Delivery {
            id: self.id,
            channel: DeliveryChannel::parse(&self.kind).ok_or_else(unknown)?,
            destination: self.destination,
            summary: self.summary,
            state,
            attempts: self.attempts,
            next_attempt_at: (state == DeliveryState::Queued).then_some(self.next_attempt_at),
            last_error: self.last_error,
            created_at: self.created_at,
            finished_at: self.finished_at,
        })
    }
}

/// Which messages are wanted, newest first.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    pub state: Option<DeliveryState>,
    pub channel: Option<DeliveryChannel>,
    /// Only those for this webhook.
    pub subject: Option<Uuid>,
    /// Only those made before this one.
    pub before: Option<DeliveryId>,
    pub limit: i64,
}

pub async fn list(tx: &mut Tx, organization: OrganizationId, filter: &DeliveryFilter) -> Result<Vec<Delivery>> {
    let before = filter.before.map_or(Uuid::max(), DeliveryId::uuid);
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(
        "select id, kind, destination, summary, state, attempts, next_attempt_at, last_error, created_at, finished_at
         from delivery
         where organization_id = $1 and id < $2 and ($3 is null or state = $3) and ($4 is null or kind = $4)
           and ($5 is null or subject_id = $5)
         order by id desc limit $6",
    )
    .bind(organization).bind(before).bind(filter.state.map(DeliveryState::as_str))
    .bind(filter.channel.map(DeliveryChannel::as_str)).bind(filter.subject).bind(filter.limit)
    .fetch_all(conn).await)?;
    rows.into_iter().map(Row::into_delivery).collect()
}

pub async fn find(tx: &mut Tx, organization: OrganizationId, id: DeliveryId) -> Result<Option<Delivery>> {
    let row: Option<Row> = on_db!(tx, conn => sqlx::query_as(
        "select id, kind, destination, summary, state, attempts, next_attempt_at, last_error, created_at, finished_at
         from delivery where organization_id = $1 and id = $2",
    ).bind(organization).bind(id).fetch_optional(conn).await)?;
    row.map(Row::into_delivery).transpose()
}
