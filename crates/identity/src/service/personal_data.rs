//! What Portico knows about a person: handing it out, and forgetting it.

use std::collections::BTreeMap;

use portico_model::UserId;
use portico_model::audit::AuditRecord;
use portico_model::identity::{Role, User};
use portico_platform::audit::{AuditFilter, AuditSearch, Entry, Redaction, list};
use portico_platform::{Actor, Error, Result, Tx};
use serde_json::{Map, Value, json};

use super::Identity;
use super::users::ErasedLabels;
use crate::store;

/// Most audit records in an export, by the person and about him each; the newest are kept.
const MAX_RECORDS: i64 = 5_000;

impl Identity {
    /// Everything about a person, over all domains: one's own, or anyone's with the right to manage users. The export is
    /// itself recorded.
    ///
    /// # Errors
    /// Forbidden; `NotFound` `user_not_found`.
    pub async fn export_user(&self, actor: &Actor, id: UserId) -> Result<Value> {
        const ACTION: &str = "user.exported";
        self.require_self_or_manager(actor, id, ACTION).await?;
        let now = self.platform.clock.now();
        let mut tx = self.platform.db.read().await?;
        let user = self.find_account(&mut tx, actor, id).await?.user;
        let sessions = store::session::list(&mut tx, actor.organization, id, None, now).await?;
        let records = self.records_of(&mut tx, actor, &user).await?;
        let mut export = Map::new();
        export.insert("exported_at".to_owned(), json!(now));
        export.insert("organization".to_owned(), json!(self.find_organization(&mut tx, actor.organization).await?));
        export.insert("account".to_owned(), json!(user));
        export.insert("sessions".to_owned(), json!(sessions));
        export.insert("audit".to_owned(), json!(records));
        for domain in self.dependents() {
            export.extend(domain.personal_data(&mut tx, actor.organization, id).await?);
        }
        drop(tx);
        let mut tx = self.platform.db.begin().await?;
        let record = self.platform.audit.append(&mut tx, actor, Entry::success(ACTION).target("user", id)).await?;
        tx.commit().await?;
        self.announce(actor.organization, record);
        Ok(export.into())
    }

    /// Forgets a person: the account goes, with what belongs to it in other domains, and the audit trail names him by a
    /// pseudonym from now on. What happened stays on record, and the trail's chain stays verifiable. One's own account,
    /// or anyone's with the right to manage users; `confirmation` must be the user name, because nothing brings it back.
    ///
    /// # Errors
    /// Forbidden, also `admin_protected` and `step_up_required`; `NotFound`; Conflict `user_in_use`; Invalid, when the
    /// confirmation is wrong.
    pub async fn erase_user(&self, actor: &Actor, id: UserId, confirmation: &str) -> Result<()> {
        const ACTION: &str = "user.erased";
        self.require_self_or_manager(actor, id, ACTION).await?;
        self.require_fresh_authentication(actor).await?;
        let mut tx = self.platform.db.begin().await?;
        let user = self.find_removable(&mut tx, actor, id).await?;
        if user.role == Role::Admin {
            tx.rollback().await?;
            return Err(self.refuse_admin_removal(actor, id, ACTION).await);
        }
        if crate::input::name_key(confirmation) != crate::input::name_key(&user.username) {
            return Err(Error::field("confirm", "Type the user name to confirm; nothing brings the account back."));
        }
        let pseudonym = pseudonym_of(id);
        let (usernames, emails) = self.names_of(&mut tx, actor, &user).await?;
        let after_commit = self.remove_account(&mut tx, actor, id).await?;
        let erased = ErasedLabels {
            labels: usernames.iter().map(|name| format!("user:{name}")).collect(),
            pseudonym: format!("user:{pseudonym}"),
        };
        store::service_key::rename_maker(&mut tx, actor.organization, &erased).await?;
        for domain in self.dependents() {
            domain.user_erased(&mut tx, actor.organization, &erased).await?;
        }
        let redaction = Redaction {
            usernames,
            emails,
            target: format!("user:{id}"),
            pseudonym: pseudonym.clone(),
            since: user.created_at,
        };
        let changed = self.platform.audit.redact(&mut tx, actor.organization, &redaction).await?;
        let entry =
            Entry::success(ACTION).target("user", id).details(json!({ "pseudonym": pseudonym, "records": changed }));
        // Who erases himself is not named by doing so.
        let (label, address) = match actor.user_id() {
            Some(own) if own == id => (format!("user:{pseudonym}"), ""),
            _ => (actor.label(), actor.address.as_str()),
        };
        let (audit, organization) = (&self.platform.audit, actor.organization);
        let record = audit.append_as(&mut tx, organization, &label, address, &actor.request_id, entry).await?;
        tx.commit().await?;
        self.platform.hub.close_user(id);
        for step in after_commit {
            step.await;
        }
        self.announce(organization, record);
        Ok(())
    }

    /// What the person did, and what was done to him, newest first. Others' addresses are theirs, and left out.
    async fn records_of(&self, tx: &mut Tx, actor: &Actor, user: &User) -> Result<Vec<AuditRecord>> {
        let label = format!("user:{}", user.username);
        let target = format!("user:{}", user.id);
        let mut found = BTreeMap::new();
        let searches = [
            AuditSearch { actor: label.clone(), from: Some(user.created_at), ..AuditSearch::default() },
            AuditSearch { target: target.clone(), ..AuditSearch::default() },
        ];
        for search in searches {
            let filter = AuditFilter { search, before_seq: None, limit: MAX_RECORDS };
            for mut record in list(tx, actor.organization, &filter).await? {
                // The search finds longer names too.
                if record.actor == label || record.target == target {
                    if record.actor != label {
                        record.address.clear();
                    }
                    found.insert(record.seq, record);
                }
            }
        }
        Ok(found.into_values().rev().collect())
    }

    /// The names and addresses that the account has had, as the trail knows them.
    async fn names_of(&self, tx: &mut Tx, actor: &Actor, user: &User) -> Result<(Vec<String>, Vec<String>)> {
        let target = format!("user:{}", user.id);
        let (mut usernames, mut emails) = (vec![user.username.clone()], vec![user.email.clone()]);
        let mut before_seq = None;
        loop {
            let search = AuditSearch { target: target.clone(), ..AuditSearch::default() };
            let filter = AuditFilter { search, before_seq, limit: 500 };
            let records = list(tx, actor.organization, &filter).await?;
            for record in &records {
                collect(&record.details["username"], &mut usernames);
                collect(&record.details["email"], &mut emails);
            }
            match records.last() {
                Some(last) if records.len() == 500 => before_seq = Some(last.seq),
                _ => break,
            }
        }
        for names in [&mut usernames, &mut emails] {
            names.sort_unstable();
            names.dedup();
        }
        Ok((usernames, emails))
    }
}

fn collect(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) if !text.is_empty() => into.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| collect(value, into)),
        _ => {}
    }
}

/// The end of the id, which differs most.
fn pseudonym_of(id: UserId) -> String {
    let id = id.to_string();
    format!("erased-{}", id.get(20..).unwrap_or(&id))
}
