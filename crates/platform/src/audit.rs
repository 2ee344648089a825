//! The audit trail: who did what to what, from where, with what outcome. Each record's hash covers the one before under
//! a key that is not in the database, so edits, deletions, reordering and a cut tail are found (`portico audit verify`).

mod redaction;

pub use redaction::Redaction;

pub use portico_model::audit::AuditSearch;
use portico_model::audit::{AuditOutcome, AuditRecord};
use portico_model::{AuditId, OrganizationId, Timestamp};
use serde_json::Value;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::actor::Actor;
use crate::clock::Clock;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::on_db;
use crate::secrets::keyed_hash;

/// A checkpoint is kept every so many records: the place from which a verification can be trusted in parts.
const CHECKPOINT_EVERY: i64 = 1_000;

/// What to record.
#[derive(Debug, Clone)]
pub struct Entry {
    action: &'static str,
    target: String,
    outcome: AuditOutcome,
    details: Value,
}

impl Entry {
    /// The action was done.
    #[must_use]
    pub const fn success(action: &'static str) -> Self {
        Self { action, target: String::new(), outcome: AuditOutcome::Success, details: Value::Null }
    }

    /// The action was refused.
    #[must_use]
    pub const fn denied(action: &'static str) -> Self {
        Self { action, target: String::new(), outcome: AuditOutcome::Denied, details: Value::Null }
    }

    /// The action was tried and failed.
    #[must_use]
    pub const fn failed(action: &'static str) -> Self {
        Self { action, target: String::new(), outcome: AuditOutcome::Failed, details: Value::Null }
    }

    #[must_use]
    pub fn target(mut self, kind: &str, id: impl std::fmt::Display) -> Self {
        self.target = format!("{kind}:{id}");
        self
    }

    /// What else is worth knowing; never a secret.
    #[must_use]
    pub fn details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }
}

/// Writes and verifies the chain.
#[derive(Clone)]
pub struct Audit {
    key: [u8; 32],
    clock: Clock,
}

#[derive(sqlx::FromRow)]
struct Row {
    seq: i64,
    id: AuditId,
    at: Timestamp,
    actor: String,
    action: String,
    target: String,
    outcome: String,
    address: String,
    request_id: String,
    details: String,
    hash: Vec<u8>,
}

/// What a verification found in one organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    pub organization: OrganizationId,
    pub records: i64,
    /// The first thing found wrong.
    pub defect: Option<String>,
}

impl Audit {
    #[must_use]
    pub const fn new(key: [u8; 32], clock: Clock) -> Self {
        Self { key, clock }
    }

    /// Appends a record in the caller's transaction: if the record cannot be written, the action fails.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn append(&self, tx: &mut Tx, actor: &Actor, entry: Entry) -> Result<AuditRecord> {
        let label = actor.label();
        self.append_as(tx, actor.organization, &label, &actor.address, &actor.request_id, entry).await
    }

    /// As [`Audit::append`], for someone who is not signed in (`actor` is then such as `anonymous`).
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn append_as(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        actor: &str,
        address: &str,
        request_id: &str,
        entry: Entry,
    ) -> Result<AuditRecord> {
        let start = self.head_mac(organization, 0, &[0; 32]);
        on_db!(&mut *tx, conn => sqlx::query(
            "insert into audit_head (organization_id, seq, hash, mac) values ($1, 0, $2, $3) on conflict do nothing",
        ).bind(organization).bind(vec![0_u8; 32]).bind(start.to_vec()).execute(conn).await.map(drop))?;
        // The update takes the row's lock: appends to one chain happen one after the other.
        let (seq, previous): (i64, Vec<u8>) = on_db!(&mut *tx, conn => sqlx::query_as(
            "update audit_head set seq = seq + 1 where organization_id = $1 returning seq, hash",
        ).bind(organization).fetch_one(conn).await)?;

        let mut row = Row {
            seq,
            id: AuditId::generate(),
            at: self.clock.now(),
            actor: actor.to_owned(),
            action: entry.action.to_owned(),
            target: entry.target,
            outcome: entry.outcome.as_str().to_owned(),
            address: address.to_owned(),
            request_id: request_id.to_owned(),
            details: entry.details.to_string(),
            hash: Vec::new(),
        };
        let hash = self.record_hash(organization, &previous, &row);
        row.hash = hash.to_vec();
        on_db!(&mut *tx, conn => sqlx::query(
            "insert into audit (organization_id, seq, id, at, actor, action, target, outcome, address, request_id, details, hash)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        )
        .bind(organization).bind(seq).bind(row.id).bind(row.at).bind(&row.actor).bind(&row.action).bind(&row.target)
        .bind(&row.outcome).bind(&row.address).bind(&row.request_id).bind(&row.details).bind(&row.hash)
        .execute(conn).await.map(drop))?;
        let mac = self.head_mac(organization, seq, &hash);
        on_db!(&mut *tx, conn => sqlx::query(
            "update audit_head set hash = $2, mac = $3 where organization_id = $1",
        ).bind(organization).bind(hash.to_vec()).bind(mac.to_vec()).execute(conn).await.map(drop))?;
        if seq % CHECKPOINT_EVERY == 0 {
            on_db!(&mut *tx, conn => sqlx::query(
                "insert into audit_checkpoint (organization_id, seq, at, hash, mac) values ($1, $2, $3, $4, $5)",
            ).bind(organization).bind(seq).bind(row.at).bind(hash.to_vec()).bind(mac.to_vec()).execute(conn).await.map(drop))?;
        }
        row.into_record()
    }

    /// Walks every chain from its beginning.
    ///
    /// # Errors
    /// When the database cannot be read; what is wrong with a chain is in the result.
    pub async fn verify(&self, db: &Db) -> Result<Vec<Verification>> {
        let mut tx = db.read().await?;
        let organizations: Vec<(OrganizationId,)> = on_db!(&mut tx, conn => sqlx::query_as(
            "select organization_id from audit_head union select organization_id from audit",
        ).fetch_all(conn).await)?;
        let mut results = Vec::new();
        for (organization,) in organizations {
            let (records, defect) = match self.verify_chain(&mut tx, organization).await? {
                Ok(records) => (records, None),
                Err((records, defect)) => (records, Some(defect)),
            };
            results.push(Verification { organization, records, defect });
        }
        Ok(results)
    }

    async fn verify_chain(&self, tx: &mut Tx, organization: OrganizationId) -> Result<Result<i64, (i64, String)>> {
        let mut previous = vec![0_u8; 32];
        let mut checked = 0_i64;
        loop {
            let rows: Vec<Row> = on_db!(&mut *tx, conn => sqlx::query_as(
                "select seq, id, at, actor, action, target, outcome, address, request_id, details, hash
                 from audit where organization_id = $1 and seq > $2 order by seq limit 1000",
            ).bind(organization).bind(checked).fetch_all(conn).await)?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                let expected = checked + 1;
                if row.seq != expected {
                    return Ok(Err((checked, format!("record {expected} is missing"))));
                }
                let hash = self.record_hash(organization, &previous, &row);
                let is_sound = bool::from(hash.as_slice().ct_eq(&row.hash))
                    || redaction::is_genuine(tx, &self.key, organization, &previous, &row).await?;
                if !is_sound {
                    return Ok(Err((checked, format!("record {expected} was changed or moved"))));
                }
                checked = expected;
                previous = row.hash;
            }
        }
        let checkpoints: Vec<(i64, Vec<u8>, Vec<u8>)> = on_db!(&mut *tx, conn => sqlx::query_as(
            "select seq, hash, mac from audit_checkpoint where organization_id = $1 order by seq",
        ).bind(organization).fetch_all(conn).await)?;
        for (seq, hash, mac) in checkpoints {
            if seq > checked {
                return Ok(Err((checked, format!("records after {checked} were cut off: a checkpoint knows {seq}"))));
            }
            if !bool::from(self.head_mac(organization, seq, &hash).as_slice().ct_eq(&mac)) {
                return Ok(Err((checked, format!("checkpoint {seq} was changed"))));
            }
        }
        let head: Option<(i64, Vec<u8>, Vec<u8>)> = on_db!(&mut *tx, conn => sqlx::query_as(
            "select seq, hash, mac from audit_head where organization_id = $1",
        ).bind(organization).fetch_optional(conn).await)?;
        let Some((seq, hash, mac)) = head else {
            return Ok(Err((checked, "the head of the chain is missing".to_owned())));
        };
        if !bool::from(self.head_mac(organization, seq, &hash).as_slice().ct_eq(&mac)) {
            return Ok(Err((checked, "the head of the chain was changed".to_owned())));
        }
        if seq != checked || hash != previous {
            return Ok(Err((checked, format!("records after {checked} were cut off: the head knows {seq}"))));
        }
        Ok(Ok(checked))
    }

    fn record_hash(&self, organization: OrganizationId, previous: &[u8], row: &Row) -> [u8; 32] {
        keyed_hash(
            &self.key,
            &[
                b"record",
                organization.uuid().as_bytes(),
                previous,
                &row.seq.to_be_bytes(),
                row.id.uuid().as_bytes(),
                &row.at.millis().to_be_bytes(),
                row.actor.as_bytes(),
                row.action.as_bytes(),
                row.target.as_bytes(),
                row.outcome.as_bytes(),
                row.address.as_bytes(),
                row.request_id.as_bytes(),
                row.details.as_bytes(),
            ],
        )
    }

    fn head_mac(&self, organization: OrganizationId, seq: i64, hash: &[u8]) -> [u8; 32] {
        keyed_hash(&self.key, &[b"head", organization.uuid().as_bytes(), &seq.to_be_bytes(), hash])
    }
}

impl Row {
    fn into_record(self) -> Result<AuditRecord> {
        Ok(AuditRecord {
            id: self.id,
            seq: self.seq,
            at: self.at,
            actor: self.actor,
            action: self.action,
            target: self.target,
            outcome: AuditOutcome::parse(&self.outcome).ok_or_else(|| Error::internal("unknown audit outcome"))?,
            address: self.address,
            request_id: self.request_id,
            details: serde_json::from_str(&self.details).map_err(Error::internal)?,
        })
    }
}

/// Which records of the trail are wanted; newest first.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    pub search: AuditSearch,
    /// Only records before this position.
    pub before_seq: Option<i64>,
    pub limit: i64,
}

/// Records that match, newest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn list(tx: &mut Tx, organization: OrganizationId, filter: &AuditFilter) -> Result<Vec<AuditRecord>> {
    let search = &filter.search;
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(
        // Security events: as `portico_model::audit::SECURITY_PREFIXES` has them; a test compares.
        "select seq, id, at, actor, action, target, outcome, address, request_id, details, hash from audit
         where organization_id = $1 and seq < $2 and at >= $3 and at <= $4
           and ($5 is null or outcome = $5)
           and ($6 is null or lower(actor || ' ' || action || ' ' || target || ' ' || address) like $6 escape '\\')
           and ($7 is null or action like $7 escape '\\')
           and ($8 is null or lower(actor) like $8 escape '\\')
           and ($9 is null or lower(target) like $9 escape '\\')
           and ($10 = false or outcome = 'denied' or action like 'auth.%' or action like 'session.%'
             or action like 'setup.%' or action like 'service^_key.%' escape '^' or action like 'device.key%'
             or action like 'passkey.%' or action like 'totp.%' or action like 'recovery^_codes.%' escape '^'
             or action like 'step^_up.%' escape '^' or action like 'email.%' or action like 'invitation.%'
             or action like 'user.%' or action like 'organization.%' or action like 'audit.%')
         order by seq desc limit $11",
    )
    .bind(organization)
    .bind(filter.before_seq.unwrap_or(i64::MAX))
    .bind(search.from.unwrap_or(Timestamp::from_millis(i64::MIN)))
    .bind(search.to.unwrap_or(Timestamp::from_millis(i64::MAX)))
    .bind(search.outcome.map(AuditOutcome::as_str))
    .bind(part(&search.search))
    .bind(given(&search.action).map(|action| format!("{}%", literal(&action.to_lowercase()))))
    .bind(part(&search.actor))
    .bind(part(&search.target))
    .bind(search.security)
    .bind(filter.limit)
    .fetch_all(conn).await)?;
    rows.into_iter().map(Row::into_record).collect()
}

fn given(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

/// A `like` pattern that finds the text anywhere.
fn part(text: &str) -> Option<String> {
    given(text).map(|text| format!("%{}%", literal(&text.to_lowercase())))
}

/// The text with its own wildcards taken literally.
fn literal(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// The chain of what happens outside any organisation (before set-up, unknown accounts).
#[must_use]
pub const fn no_organization() -> OrganizationId {
    OrganizationId::from_uuid(Uuid::nil())
}
