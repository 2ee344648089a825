//! Taking a person's name out of the trail without breaking its chain.
//!
//! A redacted record keeps its place, its time, its action and its hash, on which the next record stands; only its texts
//! change. Its hash can no longer be made from them, so a seal stands in for that: a keyed hash over the new texts, the old
//! hash and the one before. Who can only edit the database can make no seal, and a redacted record that is edited again,
//! or one blanked by hand, is found as before.

use portico_model::{OrganizationId, Timestamp};
use serde_json::Value;
use subtle::ConstantTimeEq;

use super::{Audit, Row};
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::on_db;
use crate::secrets::keyed_hash;

/// Records looked through at a time.
const BATCH: i64 = 1_000;

/// Keys of details under which a name is a person's, whoever acted on whatever.
const NAME_KEYS: [&str; 5] = ["username", "user", "owner", "owner_name", "actor"];

/// Whose traces are to go.
#[derive(Debug, Clone)]
pub struct Redaction {
    /// The person's user names, the earlier ones too. In his own records each text that is one goes, in others' only
    /// under a key that says so.
    pub usernames: Vec<String>,
    /// His e-mail addresses, the earlier ones too. A text that holds one goes, wherever it stands.
    pub emails: Vec<String>,
    /// As the trail names him as the target (`user:0193…`).
    pub target: String,
    /// What stands in the place of his names.
    pub pseudonym: String,
    /// Records before this moment are of somebody else, who had the name earlier.
    pub since: Timestamp,
}

impl Redaction {
    fn is_actor(&self, row: &Row) -> bool {
        row.actor.strip_prefix("user:").is_some_and(|name| self.usernames.iter().any(|own| own == name))
    }

    /// The row without what tells who it was; `None` when it tells nothing.
    fn apply(&self, row: &Row) -> Result<Option<Row>> {
        if row.at < self.since {
            return Ok(None);
        }
        let (is_actor, is_target) = (self.is_actor(row), row.target == self.target);
        let mut details: Value = serde_json::from_str(&row.details).map_err(Error::internal)?;
        let is_named = self.clean(&mut details, is_actor || is_target);
        // From where he acted, or somebody tried to act as him, tells who he is too. Another's address stays.
        let is_his_address = (is_actor || (is_target && !row.actor.starts_with("user:"))) && !row.address.is_empty();
        if !(is_actor || is_his_address || is_named) {
            return Ok(None);
        }
        Ok(Some(Row {
            seq: row.seq,
            id: row.id,
            at: row.at,
            actor: if is_actor { format!("user:{}", self.pseudonym) } else { row.actor.clone() },
            action: row.action.clone(),
            target: row.target.clone(),
            outcome: row.outcome.clone(),
            address: if is_his_address { String::new() } else { row.address.clone() },
            request_id: row.request_id.clone(),
            details: details.to_string(),
            hash: row.hash.clone(),
        }))
    }

    /// Whether anything was taken out.
    fn clean(&self, value: &mut Value, is_name: bool) -> bool {
        match value {
            Value::String(text) => {
                let lower = text.to_lowercase();
                let is_his = self.emails.iter().any(|email| lower.contains(&email.to_lowercase()))
                    || (is_name && self.usernames.iter().any(|name| lower == name.to_lowercase()));
                if is_his {
                    text.clone_from(&self.pseudonym);
                }
                is_his
            }
            // Each is to be cleaned, so no short cut.
            Value::Array(values) => values.iter_mut().fold(false, |found, value| self.clean(value, is_name) | found),
            Value::Object(fields) => fields.iter_mut().fold(false, |found, (key, value)| {
                self.clean(value, is_name || NAME_KEYS.contains(&key.as_str())) | found
            }),
            _ => false,
        }
    }
}

impl Audit {
    /// Takes the person out of all records of the organisation, in the caller's transaction. How many were changed.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn redact(&self, tx: &mut Tx, organization: OrganizationId, redaction: &Redaction) -> Result<u64> {
        let mut changed = 0;
        let mut previous = vec![0_u8; 32];
        let mut after = 0_i64;
        loop {
            let rows: Vec<Row> = on_db!(&mut *tx, conn => sqlx::query_as(
                "select seq, id, at, actor, action, target, outcome, address, request_id, details, hash
                 from audit where organization_id = $1 and seq > $2 order by seq limit $3",
            ).bind(organization).bind(after).bind(BATCH).fetch_all(conn).await)?;
            let Some(last) = rows.last() else { return Ok(changed) };
            after = last.seq;
            for row in rows {
                if let Some(redacted) = redaction.apply(&row)? {
                    self.write_redacted(tx, organization, &previous, &redacted).await?;
                    changed += 1;
                }
                previous = row.hash;
            }
        }
    }

    async fn write_redacted(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        previous: &[u8],
        row: &Row,
    ) -> Result<()> {
        on_db!(&mut *tx, conn => sqlx::query(
            "update audit set actor = $3, address = $4, details = $5 where organization_id = $1 and seq = $2",
        ).bind(organization).bind(row.seq).bind(&row.actor).bind(&row.address).bind(&row.details)
            .execute(conn).await.map(drop))?;
        let seal = seal(&self.key, organization, previous, row);
        on_db!(&mut *tx, conn => sqlx::query(
            "insert into audit_redaction (organization_id, seq, at, seal) values ($1, $2, $3, $4)
             on conflict (organization_id, seq) do update set at = excluded.at, seal = excluded.seal",
        ).bind(organization).bind(row.seq).bind(self.clock.now()).bind(seal.to_vec()).execute(conn).await.map(drop))?;
        Ok(())
    }
}

/// Whether the record was redacted by us, and not changed since.
pub(super) async fn is_genuine(
    tx: &mut Tx,
    key: &[u8; 32],
    organization: OrganizationId,
    previous: &[u8],
    row: &Row,
) -> Result<bool> {
    let found: Option<Vec<u8>> = on_db!(&mut *tx, conn => sqlx::query_scalar(
        "select seal from audit_redaction where organization_id = $1 and seq = $2",
    ).bind(organization).bind(row.seq).fetch_optional(conn).await)?;
    Ok(found.is_some_and(|found| bool::from(seal(key, organization, previous, row).as_slice().ct_eq(&found))))
}

fn seal(key: &[u8; 32], organization: OrganizationId, previous: &[u8], row: &Row) -> [u8; 32] {
    keyed_hash(
        key,
        &[
            b"redacted",
            organization.uuid().as_bytes(),
            previous,
            &row.hash,
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
