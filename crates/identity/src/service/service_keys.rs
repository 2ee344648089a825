//! Keys of services: programs that act for the organisation, each within its scopes. Permission, unless said otherwise:
//! [`Permission::ManageServiceKeys`]; and nobody can give a scope that he has not himself.

use portico_model::identity::{Permission, ServiceKey};
use portico_model::{ServiceKeyId, Timestamp};
use portico_platform::audit::{Entry, no_organization};
use portico_platform::{Actor, Error, Principal, Result, Tx};
use rand::Rng as _;
use rand::distr::Alphanumeric;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Identity;
use crate::context::RequestContext;
use crate::input::one_line;
use crate::store::service_key as store;
use crate::token::token_hash;

/// Tells a service's key from a device's, and both from other secrets, wherever one turns up.
pub const KEY_PREFIX: &str = "svc_";

/// 40 characters of 62 kinds: 238 random bits.
const KEY_CHARS: usize = 40;

const NAME_CHARS: usize = 80;

/// Most keys of one organisation.
const MOST_KEYS: i64 = 200;

/// Longest overlap of a rotation, seconds: 30 days.
const MAX_OVERLAP_S: i64 = 30 * 86_400;

/// The last use of a key is written at most this often.
const TOUCH_MS: i64 = 60_000;

/// What a new key is to be.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({ "name": "Building reports", "scopes": ["read_all_devices"], "expires_at": "2027-06-30T00:00:00Z" }))]
pub struct NewServiceKey {
    /// What the program is called, 1 to 80 characters.
    pub name: String,
    /// All it may do; at least one.
    pub scopes: Vec<Permission>,
    /// From then on it is refused; absent: never.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub expires_at: Option<Timestamp>,
}

/// What to change; absent fields stay.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
#[schema(example = json!({ "scopes": ["read_all_devices", "read_all_alarms"] }))]
pub struct ServiceKeyChange {
    pub name: Option<String>,
    pub scopes: Option<Vec<Permission>>,
    /// `null` takes the expiry away.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub expires_at: Option<Option<Timestamp>>,
}

/// Absent and `null` are told apart.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Timestamp>>, D::Error> {
    Option::<Timestamp>::deserialize(deserializer).map(Some)
}

impl Identity {
    /// The organisation's keys by name; those revoked in the last 90 days too, if wanted.
    ///
    /// # Errors
    /// Forbidden.
    pub async fn service_keys(&self, actor: &Actor, with_revoked: bool) -> Result<Vec<ServiceKey>> {
        self.require(actor, Permission::ManageServiceKeys, "service_key.list").await?;
        let mut tx = self.platform.db.read().await?;
        let now = self.platform.clock.now();
        store::list(&mut tx, actor.organization, with_revoked, now, MOST_KEYS * 5).await
    }

    /// # Errors
    /// Forbidden; `NotFound` `service_key_not_found`.
    pub async fn service_key(&self, actor: &Actor, id: ServiceKeyId) -> Result<ServiceKey> {
        self.require(actor, Permission::ManageServiceKeys, "service_key.read").await?;
        let mut tx = self.platform.db.read().await?;
        self.find_service_key(&mut tx, actor, id).await
    }

    /// Makes a key; the second value is the key itself, which is not stored and not shown again.
    ///
    /// Wants a fresh authentication.
    ///
    /// # Errors
    /// Forbidden, also `step_up_required` and `scope_not_held`; Conflict `name_taken` or `too_many_keys`; Invalid.
    pub async fn create_service_key(&self, actor: &Actor, new: NewServiceKey) -> Result<(ServiceKey, String)> {
        const ACTION: &str = "service_key.created";
        self.require(actor, Permission::ManageServiceKeys, ACTION).await?;
        self.require_fresh_authentication(actor).await?;
        let now = self.platform.clock.now();
        let name = parse_name(&new.name)?;
        let scopes = self.check_scopes(actor, new.scopes, ACTION).await?;
        check_expiry(new.expires_at, now)?;
        let secret = new_secret();
        let key = ServiceKey {
            id: ServiceKeyId::generate(),
            name,
            scopes,
            hint: hint_of(&secret),
            created_by: actor.label(),
            created_at: now,
            expires_at: new.expires_at,
            last_used_at: None,
            old_key_until: None,
            revoked_at: None,
        };
        let mut tx = self.platform.db.begin().await?;
        crate::store::organization::lock(&mut tx, actor.organization).await?;
        check_name_free(&mut tx, actor, &key.name, None).await?;
        if store::count(&mut tx, actor.organization).await? >= MOST_KEYS {
            return Err(Error::conflict(
                "too_many_keys",
                format!("There are {MOST_KEYS} keys already; revoke one first."),
            ));
        }
        store::insert(&mut tx, actor.organization, &key).await?;
        store::insert_secret(&mut tx, actor.organization, key.id, &token_hash(&secret), now).await?;
        let entry = Entry::success(ACTION)
            .target("service_key", key.id)
            .details(json!({ "name": key.name, "scopes": key.scopes, "expires_at": key.expires_at }));
        let record = self.platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.announce(actor.organization, record);
        Ok((key, secret))
    }

    /// Changes name, scopes or expiry. With other scopes its live connections end; it comes back with the new ones.
    ///
    /// Wants a fresh authentication.
    ///
    /// # Errors
    /// Forbidden, also `step_up_required` and `scope_not_held`; `NotFound`; Conflict `name_taken` or `key_revoked`; Invalid.
    pub async fn update_service_key(
        &self,
        actor: &Actor,
        id: ServiceKeyId,
        change: ServiceKeyChange,
    ) -> Result<ServiceKey> {
        const ACTION: &str = "service_key.updated";
        self.require(actor, Permission::ManageServiceKeys, ACTION).await?;
        self.require_fresh_authentication(actor).await?;
        let name = change.name.as_deref().map(parse_name).transpose()?;
        let scopes = match change.scopes {
            Some(scopes) => Some(self.check_scopes(actor, scopes, ACTION).await?),
            None => None,
        };
        let now = self.platform.clock.now();
        if let Some(expires_at) = change.expires_at {
            check_expiry(expires_at, now)?;
        }
        let mut tx = self.platform.db.begin().await?;
        crate::store::organization::lock(&mut tx, actor.organization).await?;
        let before = self.find_unrevoked(&mut tx, actor, id).await?;
        let after = ServiceKey {
            name: name.unwrap_or_else(|| before.name.clone()),
            scopes: scopes.unwrap_or_else(|| before.scopes.clone()),
            expires_at: change.expires_at.unwrap_or(before.expires_at),
            ..before.clone()
        };
        check_name_free(&mut tx, actor, &after.name, Some(id)).await?;
        store::update(&mut tx, actor.organization, &after).await?;
        let entry = Entry::success(ACTION).target("service_key", id).details(json!({
            "name": [before.name, after.name],
            "scopes": [before.scopes, after.scopes],
            "expires_at": [before.expires_at, after.expires_at],
        }));
        let record = self.platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        if before.scopes != after.scopes {
            self.platform.hub.close_service(id);
        }
        self.announce(actor.organization, record);
        Ok(after)
    }

    /// Gives the service a new key. The old one is taken for `overlap_s` seconds more (absent: as configured; 0 ends it,
    /// and the service's live connections, at once).
    ///
    /// Wants a fresh authentication.
    ///
    /// # Errors
    /// Forbidden, also `step_up_required` and `scope_not_held`: whoever holds the new key may what it may; `NotFound`; Conflict `key_revoked`;
    /// Invalid.
    pub async fn rotate_service_key(
        &self,
        actor: &Actor,
        id: ServiceKeyId,
        overlap_s: Option<i64>,
    ) -> Result<(ServiceKey, String)> {
        const ACTION: &str = "service_key.rotated";
        self.require(actor, Permission::ManageServiceKeys, ACTION).await?;
        self.require_fresh_authentication(actor).await?;
        let overlap_s = overlap_s.unwrap_or(self.platform.config.identity.service_key_overlap_s);
        if !(0..=MAX_OVERLAP_S).contains(&overlap_s) {
            return Err(Error::field("overlap_s", "0 to 2592000 seconds"));
        }
        let now = self.platform.clock.now();
        let secret = new_secret();
        let mut tx = self.platform.db.begin().await?;
        crate::store::organization::lock(&mut tx, actor.organization).await?;
        let before = self.find_unrevoked(&mut tx, actor, id).await?;
        if let Some(error) = missing_scope(actor, &before.scopes) {
            tx.rollback().await?;
            return Err(self.refuse(actor, Entry::denied(ACTION).target("service_key", id), error).await);
        }
        if overlap_s == 0 {
            store::delete_secrets(&mut tx, actor.organization, id).await?;
        } else {
            store::expire_secrets(&mut tx, actor.organization, id, now.plus_secs(overlap_s)).await?;
        }
        store::insert_secret(&mut tx, actor.organization, id, &token_hash(&secret), now).await?;
        store::update(&mut tx, actor.organization, &ServiceKey { hint: hint_of(&secret), ..before }).await?;
        let after = self.find_service_key(&mut tx, actor, id).await?;
        let entry = Entry::success(ACTION)
            .target("service_key", id)
            .details(json!({ "name": after.name, "overlap_s": overlap_s }));
        let record = self.platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        if overlap_s == 0 {
            self.platform.hub.close_service(id);
        }
        self.announce(actor.organization, record);
        Ok((after, secret))
    }

    /// Ends the key at once, and the service's live connections with it. For good.
    ///
    /// # Errors
    /// Forbidden; `NotFound`; Conflict `key_revoked`.
    pub async fn revoke_service_key(&self, actor: &Actor, id: ServiceKeyId) -> Result<ServiceKey> {
        const ACTION: &str = "service_key.revoked";
        self.require(actor, Permission::ManageServiceKeys, ACTION).await?;
        let now = self.platform.clock.now();
        let mut tx = self.platform.db.begin().await?;
        crate::store::organization::lock(&mut tx, actor.organization).await?;
        let key = self.find_unrevoked(&mut tx, actor, id).await?;
        store::revoke(&mut tx, actor.organization, id, now).await?;
        let entry = Entry::success(ACTION).target("service_key", id).details(json!({ "name": key.name }));
        let record = self.platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.platform.hub.close_service(id);
        self.announce(actor.organization, record);
        Ok(ServiceKey { revoked_at: Some(now), old_key_until: None, ..key })
    }

    /// Which service holds this key (`svc_…`).
    ///
    /// # Errors
    /// Unauthenticated `invalid_api_key`, also when it has expired or was revoked.
    pub async fn authenticate_service(&self, api_key: &str, ctx: &RequestContext) -> Result<Actor> {
        let now = self.platform.clock.now();
        let mut tx = self.platform.db.read().await?;
        let found = store::find_by_secret(&mut tx, &token_hash(api_key), now).await?;
        let first = match found {
            Some(_) => None,
            None => crate::store::organization::find_first(&mut tx).await?,
        };
        drop(tx);
        let Some(found) = found else { return Err(self.refuse_service(first, ctx).await) };
        if found.last_used_at.is_none_or(|last| now.millis_since(last) > TOUCH_MS) {
            self.services_used.add(found.organization, found.id, now);
        }
        Ok(Actor {
            organization: found.organization,
            principal: Principal::Service { id: found.id, name: found.name, scopes: found.scopes },
            address: ctx.address.clone(),
            request_id: ctx.request_id.clone(),
        })
    }

    /// Keys that do not fit are on record, once a minute for each network, with their number.
    async fn refuse_service(&self, first: Option<portico_model::OrganizationId>, ctx: &RequestContext) -> Error {
        let error = Error::unauthenticated("invalid_api_key", "Invalid API key");
        let counters = self.lockout.at_address("service key", ctx);
        let Some(attempts) = self.lockout.report_refusal(&counters, self.platform.clock.now()) else { return error };
        let organization = first.unwrap_or(no_organization());
        let written: Result<()> = async {
            let mut tx = self.platform.db.begin().await?;
            let entry = Entry::denied("auth.service_key_refused").details(json!({ "attempts": attempts }));
            let record = self.append_anonymous(&mut tx, organization, ctx, entry).await?;
            tx.commit().await?;
            self.announce(organization, record);
            Ok(())
        }
        .await;
        written.err().unwrap_or(error)
    }

    /// The scopes, each once and in a fixed order, if the actor has them all himself.
    async fn check_scopes(
        &self,
        actor: &Actor,
        scopes: Vec<Permission>,
        action: &'static str,
    ) -> Result<Vec<Permission>> {
        if scopes.is_empty() {
            return Err(Error::field("scopes", "Choose at least one: a key without scopes may nothing."));
        }
        if let Some(error) = missing_scope(actor, &scopes) {
            return Err(self.refuse(actor, Entry::denied(action), error).await);
        }
        Ok(Permission::ALL.into_iter().filter(|scope| scopes.contains(scope)).collect())
    }

    async fn find_service_key(&self, tx: &mut Tx, actor: &Actor, id: ServiceKeyId) -> Result<ServiceKey> {
        store::find(tx, actor.organization, id, self.platform.clock.now()).await?.ok_or_else(not_found)
    }

    async fn find_unrevoked(&self, tx: &mut Tx, actor: &Actor, id: ServiceKeyId) -> Result<ServiceKey> {
        let key = self.find_service_key(tx, actor, id).await?;
        if key.revoked_at.is_some() {
            return Err(Error::conflict("key_revoked", "This key was revoked; make a new one."));
        }
        Ok(key)
    }
}

fn missing_scope(actor: &Actor, scopes: &[Permission]) -> Option<Error> {
    let missing = scopes.iter().find(|scope| !actor.may(**scope))?;
    Some(Error::forbidden(
        "scope_not_held",
        format!("You cannot give the scope `{}`: you do not have it yourself.", missing.as_str()),
    ))
}

async fn check_name_free(tx: &mut Tx, actor: &Actor, name: &str, except: Option<ServiceKeyId>) -> Result<()> {
    if store::is_name_taken(tx, actor.organization, name, except).await? {
        return Err(Error::conflict("name_taken", "Another key has this name."));
    }
    Ok(())
}

fn parse_name(name: &str) -> Result<String> {
    let name = one_line(name, NAME_CHARS + 1);
    match name.chars().count() {
        0 => Err(Error::field("name", "Give the key a name: which program will use it?")),
        count if count > NAME_CHARS => Err(Error::field("name", "The name can have at most 80 characters.")),
        _ => Ok(name),
    }
}

fn check_expiry(expires_at: Option<Timestamp>, now: Timestamp) -> Result<()> {
    match expires_at {
        Some(end) if end <= now => Err(Error::field("expires_at", "This moment has passed already.")),
        _ => Ok(()),
    }
}

fn new_secret() -> String {
    let random: String = rand::rng().sample_iter(Alphanumeric).take(KEY_CHARS).map(char::from).collect();
    format!("{KEY_PREFIX}{random}")
}

fn hint_of(secret: &str) -> String {
    secret.get(secret.len().saturating_sub(4)..).unwrap_or_default().to_owned()
}

pub(crate) fn not_found() -> Error {
    Error::not_found("service_key_not_found", "There is no such key.")
}
