//! Writing points: many rows in few statements. SQLite takes rows of `values` (its prepared statements are reused, so
//! only a few sizes occur), PostgreSQL takes arrays.

use std::collections::HashSet;
use std::sync::LazyLock;

use portico_model::{DeviceId, OrganizationId};
use portico_platform::db::Statements;
use portico_platform::{Result, Tx, on_db};
use sqlx::Row as _;

/// A number or boolean of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub series: i64,
    pub ts: i64,
    pub value: f64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextPoint {
    pub series: i64,
    pub ts: i64,
    pub value: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    pub organization: OrganizationId,
    pub device: DeviceId,
    pub ts: i64,
    pub json: String,
}

/// Which of the rows were new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inserted {
    /// The usual case.
    All,
    /// These alone, as (series, ts); the others were there already.
    Some(HashSet<(i64, i64)>),
}

impl Inserted {
    pub fn contains(&self, series: i64, ts: i64) -> bool {
        match self {
            Self::All => true,
            Self::Some(rows) => rows.contains(&(series, ts)),
        }
    }
}

/// How many rows one statement takes on SQLite; three parameters each, far below its limit of 32,766.
const CHUNKS: &[usize] = &[1024, 256, 64, 16, 4, 1];

static INSERT_POINT: LazyLock<Statements> =
    LazyLock::new(|| Statements::new("insert into point (series_id, ts, value)", 3, " on conflict do nothing", CHUNKS));

static INSERT_POINT_RETURNING: LazyLock<Statements> = LazyLock::new(|| {
    let after = " on conflict do nothing returning series_id, ts";
    Statements::new("insert into point (series_id, ts, value)", 3, after, CHUNKS)
});

/// Inserts rows that are sorted by (series, ts) and distinct. Asking which rows were new costs as much as inserting
/// them; so it is only asked when the count says that some were not.
pub async fn insert(tx: &mut Tx, points: &[Point]) -> Result<Inserted> {
    if points.is_empty() {
        return Ok(Inserted::All);
    }
    on_db!(&mut *tx, conn => sqlx::query("savepoint points").execute(conn).await.map(drop))?;
    if insert_counting(tx, points).await? == points.len() as u64 {
        on_db!(tx, conn => sqlx::query("release savepoint points").execute(conn).await.map(drop))?;
        return Ok(Inserted::All);
    }
    on_db!(&mut *tx, conn => sqlx::query("rollback to savepoint points").execute(conn).await.map(drop))?;
    let inserted = insert_returning(tx, points).await?;
    on_db!(tx, conn => sqlx::query("release savepoint points").execute(conn).await.map(drop))?;
    Ok(Inserted::Some(inserted))
}

async fn insert_counting(tx: &mut Tx, points: &[Point]) -> Result<u64> {
    match tx {
        Tx::Sqlite(transaction) => {
            let mut count = 0;
            for (sql, piece) in INSERT_POINT.pieces(false, points) {
                let query =
                    piece.iter().fold(sqlx::query(sql), |query, p| query.bind(p.series).bind(p.ts).bind(p.value));
                count += query.execute(&mut **transaction).await?.rows_affected();
            }
            Ok(count)
        }
        Tx::Postgres(transaction) => {
            let (series, times, values) = columns(points);
            let done = sqlx::query(
                "insert into point (series_id, ts, value) select series_id, ts, value
                 from unnest($1::bigint[], $2::bigint[], $3::double precision[]) as new (series_id, ts, value)
                 on conflict do nothing",
            )
            .bind(series)
            .bind(times)
            .bind(values)
            .execute(&mut **transaction)
            .await?;
            Ok(done.rows_affected())
        }
    }
}

async fn insert_returning(tx: &mut Tx, points: &[Point]) -> Result<HashSet<(i64, i64)>> {
    let mut inserted = HashSet::new();
    match tx {
        Tx::Sqlite(transaction) => {
            for (sql, piece) in INSERT_POINT_RETURNING.pieces(false, points) {
                let query =
                    piece.iter().fold(sqlx::query(sql), |query, p| query.bind(p.series).bind(p.ts).bind(p.value));
                for row in query.fetch_all(&mut **transaction).await? {
                    inserted.insert((row.try_get(0)?, row.try_get(1)?));
                }
            }
        }
        Tx::Postgres(transaction) => {
            let (series, times, values) = columns(points);
            let rows: Vec<(i64, i64)> = sqlx::query_as(
                "insert into point (series_id, ts, value) select series_id, ts, value
                 from unnest($1::bigint[], $2::bigint[], $3::double precision[]) as new (series_id, ts, value)
                 on conflict do nothing returning series_id, ts",
            )
            .bind(series)
            .bind(times)
            .bind(values)
            .fetch_all(&mut **transaction)
            .await?;
            inserted.extend(rows);
        }
    }
    Ok(inserted)
}

fn columns(points: &[Point]) -> (Vec<i64>, Vec<i64>, Vec<f64>) {
    let series = points.iter().map(|point| point.series).collect();
    let times = points.iter().map(|point| point.ts).collect();
    (series, times, points.iter().map(|point| point.value).collect())
}

/// Texts are rare: one statement each. Those that were new, as (series, ts).
pub async fn insert_texts(tx: &mut Tx, points: &[TextPoint]) -> Result<HashSet<(i64, i64)>> {
    let mut inserted = HashSet::new();
    for point in points {
        let new = on_db!(&mut *tx, conn => sqlx::query(
            "insert into point_text (series_id, ts, value) values ($1, $2, $3) on conflict do nothing",
        ).bind(point.series).bind(point.ts).bind(&point.value).execute(conn).await.map(|done| done.rows_affected()))?;
        if new == 1 {
            inserted.insert((point.series, point.ts));
        }
    }
    Ok(inserted)
}

pub async fn insert_metadata(tx: &mut Tx, rows: &[Metadata]) -> Result<()> {
    for row in rows {
        on_db!(&mut *tx, conn => sqlx::query(
            "insert into sample_metadata (device_id, ts, organization_id, metadata) values ($1, $2, $3, $4)
             on conflict do nothing",
        ).bind(row.device).bind(row.ts).bind(row.organization).bind(&row.json).execute(conn).await.map(drop))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cut_into_the_sizes_there_are_statements_for() {
        let rows: Vec<u32> = (0..2 * 1024 + 3 * 64 + 16 + 7).collect();
        let pieces: Vec<_> = INSERT_POINT.pieces(false, &rows).map(|(_, piece)| piece).collect();
        let sizes: Vec<_> = pieces.iter().map(|piece| piece.len()).collect();
        assert_eq!(sizes, [1024, 1024, 64, 64, 64, 16, 4, 1, 1, 1]);
        assert_eq!(pieces.concat(), rows);
        assert_eq!(INSERT_POINT.pieces::<u32>(false, &[]).count(), 0);
    }
}
