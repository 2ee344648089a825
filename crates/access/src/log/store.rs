//! SQL of the access log.

use portico_model::OrganizationId;
use portico_model::access::AccessEvent;
use portico_platform::{Error, Result, Tx, on_db};

/// False when the reader's event of this number is there already.
pub async fn insert(
    tx: &mut Tx,
    organization: OrganizationId,
    event: &AccessEvent,
    address: &str,
    seq: Option<i64>,
) -> Result<bool> {
    let reasons = match event.score {
        Some(_) => Some(serde_json::to_string(&event.score_reasons).map_err(Error::internal)?),
        None => None,
    };
    let rows = on_db!(tx, conn => sqlx::query(
        "insert into access_event (id, organization_id, at, received_at, kind, door_id, door_name, reader_id, person_id,
             person_name, credential_id, credential_hint, method, granted, reason, policy_id, policy_name, leaving,
             is_offline, is_untrusted, seq, address, note, score, score_reasons, is_anomaly, is_false_alarm)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
             $24, $25, $26, $27)
         on conflict do nothing",
    )
    .bind(event.id).bind(organization).bind(event.at).bind(event.received_at).bind(event.kind.as_str())
    .bind(event.door_id).bind(&event.door_name).bind(event.reader_id).bind(event.person_id).bind(&event.person_name)
    .bind(event.credential_id).bind(&event.credential_hint).bind(event.method.as_str()).bind(event.granted)
    .bind(&event.reason).bind(event.policy_id).bind(&event.policy_name).bind(event.leaving).bind(event.is_offline)
    .bind(event.is_untrusted).bind(seq).bind(address).bind(&event.note).bind(event.score).bind(reasons)
    .bind(event.is_anomaly).bind(event.is_false_alarm)
    .execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}
