//! Anti-passback: who came in and has not left does not come in again, at one door or into one zone.

use portico_lock_core::decide::Passback;
use portico_model::access::door::{PassbackRule, ZonePlace, zones_crossed};
use portico_model::{DoorId, OrganizationId, PersonId, Timestamp, ZoneId};
use portico_platform::{Result, Tx, on_db};

use super::store::Gate;

/// What the way through a door means for somebody.
#[derive(Debug, Default)]
pub struct Crossing {
    pub entered: Vec<ZoneId>,
    pub left: Vec<ZoneId>,
}

/// The stricter of two.
const fn stricter(one: Passback, other: Passback) -> Passback {
    match (one, other) {
        (Passback::Hard, _) | (_, Passback::Hard) => Passback::Hard,
        (Passback::Soft, _) | (_, Passback::Soft) => Passback::Soft,
        _ => Passback::Clear,
    }
}

/// What a rule says of somebody who came in then and has not left.
fn judge(rule: PassbackRule, came_at: Timestamp, lasts_s: Option<i64>, now: Timestamp) -> Passback {
    if lasts_s.is_some_and(|seconds| came_at.plus_secs(seconds) <= now) {
        return Passback::Clear;
    }
    match rule {
        PassbackRule::Off => Passback::Clear,
        PassbackRule::Soft => Passback::Soft,
        PassbackRule::Hard => Passback::Hard,
    }
}

/// What anti-passback says of this person at this door, and where the way leads. Nobody is kept from leaving.
pub async fn look(
    tx: &mut Tx,
    gate: &Gate,
    person: PersonId,
    leaving: bool,
    now: Timestamp,
) -> Result<(Passback, Crossing)> {
    let mut verdict = Passback::Clear;
    if gate.passback != PassbackRule::Off
        && !leaving
        && let Some((at, false)) = last_seen(tx, gate, person).await?
    {
        verdict = judge(gate.passback, at, gate.passback_s, now);
    }
    if gate.into_zone_id.is_none() && gate.from_zone_id.is_none() {
        return Ok((verdict, Crossing::default()));
    }
    // Two doors at once would each find the person outside.
    if let Tx::Postgres(transaction) = tx {
        sqlx::query("select 1 from access_person where id = $1 for update")
            .bind(person)
            .execute(&mut **transaction)
            .await?;
    }
    let zones = zones(tx, gate.organization).await?;
    let places: Vec<ZonePlace> = zones.iter().map(|zone| ZonePlace { id: zone.id, parent: zone.parent_id }).collect();
    let (from, into) =
        if leaving { (gate.into_zone_id, gate.from_zone_id) } else { (gate.from_zone_id, gate.into_zone_id) };
    let (entered, left) = zones_crossed(&places, from, into);
    if !leaving {
        let inside = presence(tx, gate.organization, person).await?;
        for (zone, at) in inside.iter().filter(|(zone, _)| entered.contains(zone)) {
            let Some(zone) = zones.iter().find(|candidate| candidate.id == *zone) else { continue };
            let rule = PassbackRule::parse(&zone.passback).unwrap_or(PassbackRule::Off);
            verdict = stricter(verdict, judge(rule, *at, zone.reset_after_s, now));
        }
    }
    Ok((verdict, Crossing { entered, left }))
}

/// Writes down that somebody was let through.
pub async fn passed(
    tx: &mut Tx,
    gate: &Gate,
    person: PersonId,
    leaving: bool,
    crossing: &Crossing,
    now: Timestamp,
) -> Result<()> {
    if gate.passback != PassbackRule::Off {
        on_db!(tx, conn => sqlx::query(
            "insert into access_last_seen (person_id, door_id, organization_id, at, leaving) values ($1, $2, $3, $4, $5)
             on conflict (person_id, door_id) do update set at = excluded.at, leaving = excluded.leaving",
        ).bind(person).bind(gate.id).bind(gate.organization).bind(now).bind(leaving).execute(conn).await.map(drop))?;
    }
    for zone in &crossing.left {
        on_db!(tx, conn => sqlx::query(
            "delete from access_presence where person_id = $1 and zone_id = $2 and organization_id = $3",
        ).bind(person).bind(zone).bind(gate.organization).execute(conn).await.map(drop))?;
    }
    for zone in &crossing.entered {
        on_db!(tx, conn => sqlx::query(
            "insert into access_presence (person_id, zone_id, organization_id, entered_at, door_id)
             values ($1, $2, $3, $4, $5)
             on conflict (person_id, zone_id) do update set entered_at = excluded.entered_at, door_id = excluded.door_id",
        ).bind(person).bind(zone).bind(gate.organization).bind(now).bind(gate.id).execute(conn).await.map(drop))?;
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct ZoneRow {
    id: ZoneId,
    parent_id: Option<ZoneId>,
    passback: String,
    reset_after_s: Option<i64>,
}

async fn zones(tx: &mut Tx, organization: OrganizationId) -> Result<Vec<ZoneRow>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select id, parent_id, passback, reset_after_s from access_zone where organization_id = $1",
    ).bind(organization).fetch_all(conn).await)?)
}

async fn presence(tx: &mut Tx, organization: OrganizationId, person: PersonId) -> Result<Vec<(ZoneId, Timestamp)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select zone_id, entered_at from access_presence where organization_id = $1 and person_id = $2",
    ).bind(organization).bind(person).fetch_all(conn).await)?)
}

async fn last_seen(tx: &mut Tx, gate: &Gate, person: PersonId) -> Result<Option<(Timestamp, bool)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select at, leaving from access_last_seen where organization_id = $1 and person_id = $2 and door_id = $3",
    ).bind(gate.organization).bind(person).bind(gate.id).fetch_optional(conn).await)?)
}

/// Forgets who is inside: at a door, or in a zone.
pub async fn forget_door(tx: &mut Tx, organization: OrganizationId, door: DoorId) -> Result<u64> {
    Ok(on_db!(tx, conn => sqlx::query("delete from access_last_seen where organization_id = $1 and door_id = $2")
        .bind(organization).bind(door).execute(conn).await.map(|done| done.rows_affected()))?)
}

pub async fn forget_zone(tx: &mut Tx, organization: OrganizationId, zone: ZoneId) -> Result<u64> {
    Ok(on_db!(tx, conn => sqlx::query("delete from access_presence where organization_id = $1 and zone_id = $2")
        .bind(organization).bind(zone).execute(conn).await.map(|done| done.rows_affected()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_holds_until_its_time_is_over_and_the_stricter_counts() {
        let at = Timestamp::from_millis(1_000_000);
        let table = [
            (PassbackRule::Off, None, 0, Passback::Clear),
            (PassbackRule::Soft, None, 1_000_000, Passback::Soft),
            (PassbackRule::Hard, Some(60), 59, Passback::Hard),
            (PassbackRule::Hard, Some(60), 60, Passback::Clear),
        ];
        for (rule, lasts_s, after_s, expected) in table {
            assert_eq!(judge(rule, at, lasts_s, at.plus_secs(after_s)), expected, "{rule:?} {after_s}");
        }
        assert_eq!(stricter(Passback::Soft, Passback::Hard), Passback::Hard);
        assert_eq!(stricter(Passback::Clear, Passback::Soft), Passback::Soft);
    }
}
