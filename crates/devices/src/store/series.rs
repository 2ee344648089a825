//! Series: which keys a device has sent, and of which kind.

use portico_model::{DeviceId, OrganizationId};
use portico_platform::{Result, Tx, on_db};

/// What the points of a series are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Number,
    Boolean,
    Text,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Text => "text",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Number, Self::Boolean, Self::Text].into_iter().find(|kind| kind.as_str() == text)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    pub id: i64,
    pub key: String,
    pub kind: Kind,
}

/// The series of a device, by key.
pub async fn of_device(tx: &mut Tx, organization: OrganizationId, device: DeviceId) -> Result<Vec<Series>> {
    let rows: Vec<(i64, String, String)> = on_db!(tx, conn => sqlx::query_as(
        "select id, key, kind from series where organization_id = $1 and device_id = $2 order by key, kind",
    ).bind(organization).bind(device).fetch_all(conn).await)?;
    Ok(rows.into_iter().filter_map(|(id, key, kind)| Kind::parse(&kind).map(|kind| Series { id, key, kind })).collect())
}

/// The id of the series, made if need be. `None` when the device is gone.
pub async fn find_or_insert(
    tx: &mut Tx,
    organization: OrganizationId,
    device: DeviceId,
    key: &str,
    kind: Kind,
) -> Result<Option<i64>> {
    let inserted: Option<i64> = on_db!(&mut *tx, conn => sqlx::query_scalar(
        "insert into series (organization_id, device_id, key, kind)
         select d.organization_id, d.id, $3, $4 from device d
         where d.organization_id = $1 and d.id = $2 and d.deleted_at is null
         on conflict (device_id, key, kind) do nothing returning id",
    ).bind(organization).bind(device).bind(key).bind(kind.as_str()).fetch_optional(conn).await)?;
    if inserted.is_some() {
        return Ok(inserted);
    }
    // Another server was first.
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select id from series where organization_id = $1 and device_id = $2 and key = $3 and kind = $4",
    ).bind(organization).bind(device).bind(key).bind(kind.as_str()).fetch_optional(conn).await)?)
}
