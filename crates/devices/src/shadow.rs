//! The device shadow: what people want is kept, and retained at the broker, until the device has it.

use std::sync::Arc;

use portico_model::live::Event;
use portico_model::shadow::{Shadow, ShadowChange, patched, without_nulls};
use portico_model::telemetry::PayloadProblem;
use portico_model::{DeviceId, OrganizationId, Timestamp};
use portico_platform::audit::Entry;
use portico_platform::hub::{Delivery, Publication};
use portico_platform::mqtt::TopicKind;
use portico_platform::outbox::MqttMessage;
use portico_platform::{Actor, Error, Result, Tx};
use serde_json::{Map, Value, json};

use crate::store::shadow as store;
use crate::{Devices, Known, channel};

/// A report that says nothing new is written at most so often, milliseconds: its time alone has changed.
const SAME_REPORT_MS: i64 = 10_000;

impl Devices {
    /// A device's shadow. Needs to see the device.
    ///
    /// # Errors
    /// Not found.
    pub async fn shadow(&self, actor: &Actor, device: DeviceId) -> Result<Shadow> {
        let mut tx = self.0.platform.db.read().await?;
        self.find_visible(&mut tx, actor, device).await?;
        let found = store::find(&mut tx, actor.organization, device).await?;
        Ok(found.unwrap_or_else(|| Shadow::empty(device)))
    }

    /// Changes what is wanted by a merge patch: members that are null are removed. Needs to be the device's owner or
    /// `ManageAllDevices`.
    ///
    /// # Errors
    /// Not found, forbidden, invalid; conflict when the version is another one by now.
    pub async fn change_desired(&self, actor: &Actor, device: DeviceId, change: ShadowChange) -> Result<Shadow> {
        self.write_desired(actor, device, change, patched).await
    }

    /// As [`Devices::change_desired`], but the document takes the place of the one before.
    ///
    /// # Errors
    /// As [`Devices::change_desired`].
    pub async fn replace_desired(&self, actor: &Actor, device: DeviceId, change: ShadowChange) -> Result<Shadow> {
        let empty = Value::Object(Map::new());
        self.write_desired(actor, device, change, |_, document| patched(&empty, document)).await
    }

    async fn write_desired(
        &self,
        actor: &Actor,
        device: DeviceId,
        change: ShadowChange,
        apply: impl Fn(&Value, &Value) -> Result<Value, String>,
    ) -> Result<Shadow> {
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        self.find_changeable(&mut tx, actor, device).await?;
        let mut shadow = store::lock(&mut tx, actor.organization, device).await?;
        if let Some(version) = change.version.filter(|version| *version != shadow.version) {
            let message = format!("The shadow has version {} by now, not {version}.", shadow.version);
            return Err(Error::conflict("shadow_version_conflict", message));
        }
        let desired = apply(&shadow.desired, &change.desired).map_err(|message| Error::field("desired", message))?;
        if desired == shadow.desired {
            // Nothing to tell the device or the trail; the row just made stays for the next change.
            tx.commit().await?;
            return Ok(shadow);
        }
        let now = self.now();
        shadow.version += 1;
        shadow.desired = desired;
        shadow.desired_at = Some(now);
        let shadow = shadow.compared();
        store::update_desired(&mut tx, actor.organization, device, shadow.version, &shadow.desired, now).await?;
        let payload = json!({"version": shadow.version, "desired": shadow.desired}).to_string().into_bytes();
        self.enqueue_desired(&mut tx, device, payload).await?;
        let entry = Entry::success("shadow.desired_changed").target("device", device);
        let record = platform.audit.append(&mut tx, actor, entry.details(json!({"version": shadow.version}))).await?;
        tx.commit().await?;
        platform.outbox.wake();
        self.announce_shadow(actor.organization, &shadow);
        self.announce_audit(actor.organization, record);
        Ok(shadow)
    }

    /// Retained: a device that comes later gets it, and of several only the last.
    async fn enqueue_desired(&self, tx: &mut Tx, device: DeviceId, payload: Vec<u8>) -> Result<()> {
        let topic = self.0.topics.device(device, TopicKind::Desired);
        let message = MqttMessage { topic, payload, qos: 1, retain: true, expires_at: None };
        self.0.platform.outbox.enqueue(tx, &message).await
    }

    /// The device is being deleted: nothing of it stays at the broker.
    pub(crate) async fn forget_desired(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        device: DeviceId,
    ) -> Result<()> {
        match store::find(tx, organization, device).await? {
            Some(shadow) if shadow.version > 0 => self.enqueue_desired(tx, device, Vec::new()).await,
            _ => Ok(()),
        }
    }

    fn announce_shadow(&self, organization: OrganizationId, shadow: &Shadow) {
        self.0.platform.hub.publish(Publication {
            channels: vec![channel::shadow(organization, shadow.device_id)],
            event: Event::ShadowChanged { shadow: shadow.clone() },
            delivery: Delivery::Latest,
        });
    }

    /// Takes what a device says of itself, a merge patch, over MQTT or HTTP; done after the commit.
    ///
    /// # Errors
    /// What is wrong with it, in the inner result; when the database does not take it, in the outer.
    pub(crate) async fn take_reported(
        &self,
        device: &Arc<Known>,
        payload: &[u8],
        at: Timestamp,
    ) -> Result<Result<(), PayloadProblem>> {
        let refuse = |code, message: String| {
            self.0.presence.problem(device, at, code, &message, payload);
            Ok(Err(PayloadProblem::new(code, message)))
        };
        if payload.len() > portico_model::shadow::MAX_BYTES {
            return refuse(
                "payload_too_large",
                format!("{} bytes sent, {} allowed", payload.len(), portico_model::shadow::MAX_BYTES),
            );
        }
        let patch: Value = match serde_json::from_slice(payload) {
            Ok(patch) => patch,
            Err(error) => return refuse("not_json", format!("not JSON: {error}")),
        };
        let organization = device.organization;
        // A device that repeats itself costs a read.
        let mut tx = self.0.platform.db.read().await?;
        let before = store::find(&mut tx, organization, device.id).await?.unwrap_or_else(|| Shadow::empty(device.id));
        drop(tx);
        let after = match patched(&before.reported, &patch) {
            Ok(after) => after,
            Err(message) => return refuse("bad_report", message),
        };
        let is_fresh = before.reported_at.is_some_and(|reported| at.millis_since(reported) < SAME_REPORT_MS);
        if is_fresh && after == before.reported {
            return Ok(Ok(()));
        }
        let mut tx = self.0.platform.db.begin().await?;
        let mut shadow = store::lock(&mut tx, organization, device.id).await?;
        shadow.reported = match patched(&shadow.reported, &patch) {
            Ok(after) => without_nulls(&after),
            Err(message) => return refuse("bad_report", message),
        };
        shadow.reported_at = Some(at.max(shadow.reported_at.unwrap_or(at)));
        let shadow = shadow.compared();
        store::update_reported(&mut tx, organization, device.id, &shadow.reported, at).await?;
        tx.commit().await?;
        self.announce_shadow(organization, &shadow);
        Ok(Ok(()))
    }

    /// The device's own shadow, for one that asks over HTTP.
    pub(crate) async fn own_shadow(&self, device: &Known) -> Result<Shadow> {
        let mut tx = self.0.platform.db.read().await?;
        let found = store::find(&mut tx, device.organization, device.id).await?;
        Ok(found.unwrap_or_else(|| Shadow::empty(device.id)))
    }
}
