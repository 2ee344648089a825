//! Deleting measurements on request.

use portico_model::{DeviceId, Timestamp};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Result, Tx};
use serde_json::json;

use crate::Devices;
use crate::store::read::{self, Source};
use crate::store::rollup::{self, Resolution};
use crate::store::series::{self, Kind, Series};
use crate::store::sweep::{self, Table};

impl Devices {
    /// Deletes what the device measured in `from..=to`; how many values. Needs to be its owner or `ManageAllDevices`.
    /// Rollups follow: those wholly inside go, those at the edges are made anew from the points that remain (of a time
    /// whose points have expired already, the rollup at the edge goes as a whole).
    ///
    /// # Errors
    /// Not found, forbidden, or a range that ends before it begins.
    pub async fn delete_range(&self, actor: &Actor, id: DeviceId, from: Timestamp, to: Timestamp) -> Result<u64> {
        if to < from {
            return Err(Error::field("stop_time", "must not be before start_time"));
        }
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        self.find_changeable(&mut tx, actor, id).await?;
        // Recorded before the first row goes: the deletion itself takes several transactions.
        let entry = Entry::success("telemetry.deleted").target("device", id);
        let record = platform.audit.append(&mut tx, actor, entry.details(json!({"from": from, "to": to}))).await?;
        sweep::delete_metadata_range(&mut tx, actor.organization, id, from, to).await?;
        let series = series::of_device(&mut tx, actor.organization, id).await?;
        tx.commit().await?;
        self.announce_audit(actor.organization, record);
        let mut deleted = 0;
        for series in &series {
            deleted += self.delete_of_series(series, from, to).await?;
        }
        Ok(deleted)
    }

    /// Piece by piece, each in its own transaction, so that devices are not held up.
    async fn delete_of_series(&self, series: &Series, from: Timestamp, to: Timestamp) -> Result<u64> {
        let table = if series.kind == Kind::Text { Table::Texts } else { Table::Points };
        let mut deleted = 0;
        let mut begin = from;
        loop {
            let mut tx = self.0.platform.db.begin().await?;
            let piece = sweep::end_of_piece(&mut tx, table, series.id, begin, to).await?;
            let end = piece.unwrap_or(to);
            let rows = sweep::delete_range(&mut tx, table, series.id, begin, end).await?;
            if table == Table::Points {
                for resolution in Resolution::ALL {
                    follow(&mut tx, resolution, series.id, begin, end).await?;
                }
            }
            tx.commit().await?;
            deleted += rows;
            if piece.is_none() || end >= to {
                return Ok(deleted);
            }
            begin = end.plus_millis(1);
        }
    }
}

/// Makes the rollups of `from..=to` fit the points again. They are deleted (which locks them) before the points are
/// read: points that are being added meanwhile either are seen here, or add themselves afterwards.
async fn follow(tx: &mut Tx, resolution: Resolution, series: i64, from: Timestamp, to: Timestamp) -> Result<()> {
    let width_ms = resolution.milliseconds();
    let first = resolution.bucket_of(from.millis());
    let last = resolution.bucket_of(to.millis());
    rollup::delete(tx, resolution, series, first, last).await?;
    let mut edges = vec![first];
    if last != first {
        edges.push(last);
    }
    for edge in edges {
        let begin = Timestamp::from_millis(edge);
        let remaining =
            read::windows(tx, Source::Points, series, begin, begin.plus_millis(width_ms - 1), width_ms).await?;
        rollup::add(tx, resolution, &remaining).await?;
    }
    Ok(())
}
