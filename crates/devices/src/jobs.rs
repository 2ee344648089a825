//! Periodic work: devices that fell silent, keys that expired, measurements that are too old.

use std::time::Duration;

use portico_model::{DeviceId, Timestamp};
use portico_platform::{Result, jobs};
use tokio_util::sync::CancellationToken;

use crate::Devices;
use crate::store::sweep::{self, BATCH, Table};
use crate::store::{command, key, problem, retention};
use crate::telemetry::Rules;

/// How often missed deadlines are looked for.
const WATCH_EVERY: Duration = Duration::from_secs(2);

/// How often deleted devices and expired keys are looked for.
const CLEAN_EVERY: Duration = Duration::from_secs(60);

/// How often commands are looked at that are to be sent again or have expired.
const DISPATCH_EVERY: Duration = Duration::from_secs(1);

const RETENTION_EVERY: Duration = Duration::from_secs(3_600);

/// Other servers may still be storing messages of a device just deleted.
const DELETED_REST_MS: i64 = 60_000;

/// Between two batches, so that devices get their turn.
const BREATH: Duration = Duration::from_millis(5);

const DAY_MS: i64 = 86_400_000;

/// Series looked at in one read.
const PAGE: i64 = 500;

pub(crate) fn spawn(devices: &Devices) {
    let tasks = &devices.0.platform.tasks;
    let watched = devices.clone();
    // Without a lease: each server writes its own sightings first, and a device is marked by one of them only.
    tasks.spawn("device watch", move |cancel| watch(watched.clone(), cancel));
    let commanded = devices.clone();
    // Without a lease: each command is claimed by the server that sends it.
    tasks.spawn("device commands", move |cancel| dispatch(commanded.clone(), cancel));
    let rolled_out = devices.clone();
    tasks.spawn("firmware roll-outs", move |cancel| crate::rollouts::run(rolled_out.clone(), cancel));
    let cleaned = devices.clone();
    tasks.spawn("device clean-up", move |cancel| {
        let devices = cleaned.clone();
        async move {
            let platform = devices.0.platform.clone();
            jobs::run_every("device clean-up", CLEAN_EVERY, platform.db, platform.clock, cancel, || devices.clean_up())
                .await;
        }
    });
    let kept = devices.clone();
    tasks.spawn("telemetry retention", move |cancel| {
        let devices = kept.clone();
        async move {
            let platform = devices.0.platform.clone();
            let work = || async {
                devices.sweep_firmware_files().await?;
                devices.apply_retention().await
            };
            jobs::run_every("telemetry retention", RETENTION_EVERY, platform.db, platform.clock, cancel, work).await;
        }
    });
}

async fn watch(devices: Devices, cancel: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(WATCH_EVERY) => {}
            () = cancel.cancelled() => return,
        }
        if let Err(error) = devices.watch_once().await {
            tracing::warn!(error = %error, "devices' deadlines not looked at; trying again");
        }
    }
}

async fn dispatch(devices: Devices, cancel: CancellationToken) {
    let returned = devices.0.presence.returned();
    loop {
        tokio::select! {
            () = returned.notified() => {}
            () = tokio::time::sleep(DISPATCH_EVERY) => {}
            () = cancel.cancelled() => return,
        }
        if let Err(error) = devices.dispatch_commands().await {
            tracing::warn!(error = %error, "commands not sent; trying again");
        }
    }
}

impl Devices {
    /// Marks devices offline that missed their deadline and ends the sessions of expired keys.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn watch_once(&self) -> Result<()> {
        self.0.presence.sweep().await?;
        self.expire_keys().await
    }

    /// Writes at once what is otherwise written once a second: sightings and counted problems.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn flush(&self) -> Result<()> {
        self.0.presence.flush().await
    }

    async fn expire_keys(&self) -> Result<()> {
        let platform = &self.0.platform;
        let now = platform.clock.now();
        let mut tx = platform.db.read().await?;
        let any = key::any_expired(&mut tx, now).await?;
        drop(tx);
        if !any {
            return Ok(());
        }
        let mut tx = platform.db.begin().await?;
        let expired = key::delete_expired(&mut tx, now).await?;
        tx.commit().await?;
        for device in expired {
            self.0.directory.forget(device).await;
            self.end_session(device);
        }
        Ok(())
    }

    /// Removes what deleted devices have left, old commands and old problems.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn clean_up(&self) -> Result<()> {
        let platform = &self.0.platform;
        let now = platform.clock.now();
        let mut tx = platform.db.read().await?;
        let deleted = sweep::deleted_before(&mut tx, now.plus_millis(-DELETED_REST_MS)).await?;
        drop(tx);
        for device in deleted {
            self.purge(device).await?;
        }
        let oldest = now.plus_millis(-platform.config.devices.command_retention_days.saturating_mul(DAY_MS));
        loop {
            let mut tx = platform.db.begin().await?;
            let removed = command::delete_older(&mut tx, oldest, BATCH).await?;
            tx.commit().await?;
            if removed == 0 {
                break;
            }
            tokio::time::sleep(BREATH).await;
        }
        let oldest = now.plus_millis(-platform.config.devices.problem_retention_days.saturating_mul(DAY_MS));
        loop {
            let mut tx = platform.db.begin().await?;
            let removed = problem::delete_older(&mut tx, oldest, BATCH).await?;
            tx.commit().await?;
            if removed == 0 {
                return Ok(());
            }
            tokio::time::sleep(BREATH).await;
        }
    }

    async fn purge(&self, device: DeviceId) -> Result<()> {
        let mut tx = self.0.platform.db.read().await?;
        let series = sweep::series_of_deleted(&mut tx, device).await?;
        drop(tx);
        let end = Timestamp::from_millis(i64::MAX);
        for id in series {
            for table in Table::ALL {
                self.delete_before(table, id, end).await?;
            }
        }
        self.delete_metadata_before(device, end).await?;
        let mut tx = self.0.platform.db.begin().await?;
        sweep::delete_device(&mut tx, device).await?;
        tx.commit().await
    }

    /// Removes measurements that are older than their retention.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn apply_retention(&self) -> Result<()> {
        let platform = &self.0.platform;
        let now = platform.clock.now();
        let mut tx = platform.db.read().await?;
        let rules = Rules::new(&platform.config.devices, retention::list_all(&mut tx).await?);
        drop(tx);
        let before = |days: i64| now.plus_millis(-days.saturating_mul(DAY_MS));
        let mut last = 0;
        loop {
            let mut overdue = Vec::new();
            let mut tx = platform.db.read().await?;
            let page = sweep::series_after(&mut tx, last, PAGE).await?;
            for series in &page {
                let days = rules.of(series.organization_id, series.device_id, &series.key);
                for (table, days) in [
                    (Table::Points, days.raw),
                    (Table::Texts, days.raw),
                    (Table::Minutes, days.minute),
                    (Table::Hours, days.hour),
                ] {
                    let oldest = sweep::oldest(&mut tx, table, series.id).await?;
                    if oldest.is_some_and(|oldest| oldest < before(days).millis()) {
                        overdue.push((table, series.id, before(days)));
                    }
                }
            }
            drop(tx);
            for (table, series, before) in overdue {
                self.delete_before(table, series, before).await?;
            }
            match page.last() {
                Some(series) => last = series.id,
                None => break,
            }
        }
        let mut tx = platform.db.read().await?;
        let devices = sweep::devices_with_metadata_before(&mut tx, before(1)).await?;
        drop(tx);
        for (organization, device) in devices {
            self.delete_metadata_before(device, before(rules.of(organization, device, "").raw)).await?;
        }
        Ok(())
    }

    async fn delete_before(&self, table: Table, series: i64, before: Timestamp) -> Result<()> {
        loop {
            let mut tx = self.0.platform.db.begin().await?;
            let removed = sweep::delete_before(&mut tx, table, series, before).await?;
            tx.commit().await?;
            if removed < BATCH.unsigned_abs() {
                return Ok(());
            }
            tokio::time::sleep(BREATH).await;
        }
    }

    async fn delete_metadata_before(&self, device: DeviceId, before: Timestamp) -> Result<()> {
        loop {
            let mut tx = self.0.platform.db.begin().await?;
            let removed = sweep::delete_metadata_before(&mut tx, device, before).await?;
            tx.commit().await?;
            if removed < BATCH.unsigned_abs() {
                return Ok(());
            }
            tokio::time::sleep(BREATH).await;
        }
    }
}
