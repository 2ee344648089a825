//! Rollups: what the points of a minute or an hour add up to.

use std::sync::LazyLock;

use portico_platform::db::Statements;
use portico_platform::{Result, Tx, on_db};

use super::point::Point;

/// A rollup table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resolution {
    Minute,
    Hour,
}

impl Resolution {
    pub const ALL: [Self; 2] = [Self::Minute, Self::Hour];

    pub const fn milliseconds(self) -> i64 {
        match self {
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
        }
    }

    /// The start of the bucket that the time is in.
    pub const fn bucket_of(self, ts: i64) -> i64 {
        ts.div_euclid(self.milliseconds()) * self.milliseconds()
    }
}

/// The points of one series in one bucket.
#[derive(Debug, Clone, Copy, PartialEq, sqlx::FromRow)]
pub struct Rollup {
    pub series_id: i64,
    pub bucket: i64,
    pub count: i64,
    pub sum: f64,
    pub min: f64,
    pub max: f64,
    pub first: f64,
    pub first_ts: i64,
    pub last: f64,
    pub last_ts: i64,
}

impl Rollup {
    const fn of(point: &Point, bucket: i64) -> Self {
        Self {
            series_id: point.series,
            bucket,
            count: 1,
            sum: point.value,
            min: point.value,
            max: point.value,
            first: point.value,
            first_ts: point.ts,
            last: point.value,
            last_ts: point.ts,
        }
    }

    /// Adds a point that is later than those so far.
    fn add(&mut self, point: &Point) {
        self.count += 1;
        self.sum += point.value;
        self.min = self.min.min(point.value);
        self.max = self.max.max(point.value);
        self.last = point.value;
        self.last_ts = point.ts;
    }
}

/// The rollups of points that are sorted by (series, ts) and distinct; sorted likewise, so that two servers lock rows
/// in the same order.
pub fn of_points<'p>(points: impl Iterator<Item = &'p Point>, resolution: Resolution) -> Vec<Rollup> {
    let mut rollups: Vec<Rollup> = Vec::new();
    for point in points {
        let bucket = resolution.bucket_of(point.ts);
        match rollups.last_mut() {
            Some(last) if last.series_id == point.series && last.bucket == bucket => last.add(point),
            _ => rollups.push(Rollup::of(point, bucket)),
        }
    }
    rollups
}

/// Ten parameters a row.
const CHUNKS: &[usize] = &[256, 64, 16, 4, 1];

macro_rules! on_conflict {
    ($table:literal) => {
        concat!(
            " on conflict (series_id, bucket) do update set count = ",
            $table,
            ".count + excluded.count, sum = ",
            $table,
            ".sum + excluded.sum, min = case when excluded.min < ",
            $table,
            ".min then excluded.min else ",
            $table,
            ".min end, max = case when excluded.max > ",
            $table,
            ".max then excluded.max else ",
            $table,
            ".max end, first = case when excluded.first_ts < ",
            $table,
            ".first_ts then excluded.first else ",
            $table,
            ".first end, first_ts = case when excluded.first_ts < ",
            $table,
            ".first_ts then excluded.first_ts else ",
            $table,
            ".first_ts end, last = case when excluded.last_ts > ",
            $table,
            ".last_ts then excluded.last else ",
            $table,
            ".last end, last_ts = case when excluded.last_ts > ",
            $table,
            ".last_ts then excluded.last_ts else ",
            $table,
            ".last_ts end"
        )
    };
}

macro_rules! insert {
    ($table:literal) => {
        concat!("insert into ", $table, " (series_id, bucket, count, sum, min, max, first, first_ts, last, last_ts)")
    };
}

macro_rules! insert_arrays {
    ($table:literal) => {
        concat!(
            insert!($table),
            " select series_id, bucket, count, sum, min, max, first, first_ts, last, last_ts
             from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::double precision[],
                 $5::double precision[], $6::double precision[], $7::double precision[], $8::bigint[],
                 $9::double precision[], $10::bigint[])
             as new (series_id, bucket, count, sum, min, max, first, first_ts, last, last_ts)",
            on_conflict!($table)
        )
    };
}

static UPSERT_1M: LazyLock<Statements> =
    LazyLock::new(|| Statements::new(insert!("rollup_1m"), 10, on_conflict!("rollup_1m"), CHUNKS));
static UPSERT_1H: LazyLock<Statements> =
    LazyLock::new(|| Statements::new(insert!("rollup_1h"), 10, on_conflict!("rollup_1h"), CHUNKS));

/// Adds what newly inserted points add up to.
pub async fn add(tx: &mut Tx, resolution: Resolution, rollups: &[Rollup]) -> Result<()> {
    if rollups.is_empty() {
        return Ok(());
    }
    match tx {
        Tx::Sqlite(transaction) => {
            let statements = match resolution {
                Resolution::Minute => &*UPSERT_1M,
                Resolution::Hour => &*UPSERT_1H,
            };
            for (sql, piece) in statements.pieces(false, rollups) {
                let query = piece.iter().fold(sqlx::query(sql), |query, r| {
                    query
                        .bind(r.series_id)
                        .bind(r.bucket)
                        .bind(r.count)
                        .bind(r.sum)
                        .bind(r.min)
                        .bind(r.max)
                        .bind(r.first)
                        .bind(r.first_ts)
                        .bind(r.last)
                        .bind(r.last_ts)
                });
                query.execute(&mut **transaction).await?;
            }
        }
        Tx::Postgres(transaction) => {
            let sql = match resolution {
                Resolution::Minute => insert_arrays!("rollup_1m"),
                Resolution::Hour => insert_arrays!("rollup_1h"),
            };
            let integers = |of: fn(&Rollup) -> i64| rollups.iter().map(of).collect::<Vec<_>>();
            let numbers = |of: fn(&Rollup) -> f64| rollups.iter().map(of).collect::<Vec<_>>();
            sqlx::query(sql)
                .bind(integers(|r| r.series_id))
                .bind(integers(|r| r.bucket))
                .bind(integers(|r| r.count))
                .bind(numbers(|r| r.sum))
                .bind(numbers(|r| r.min))
                .bind(numbers(|r| r.max))
                .bind(numbers(|r| r.first))
                .bind(integers(|r| r.first_ts))
                .bind(numbers(|r| r.last))
                .bind(integers(|r| r.last_ts))
                .execute(&mut **transaction)
                .await?;
        }
    }
    Ok(())
}

/// Whether anything was counted in the bucket.
pub async fn exists(tx: &mut Tx, resolution: Resolution, series: i64, bucket: i64) -> Result<bool> {
    let sql = match resolution {
        Resolution::Minute => "select count(*) from rollup_1m where series_id = $1 and bucket = $2",
        Resolution::Hour => "select count(*) from rollup_1h where series_id = $1 and bucket = $2",
    };
    let found: i64 = on_db!(tx, conn => sqlx::query_scalar(sql).bind(series).bind(bucket).fetch_one(conn).await)?;
    Ok(found > 0)
}

/// Removes the buckets that begin in `from..=to`.
pub async fn delete(tx: &mut Tx, resolution: Resolution, series: i64, from: i64, to: i64) -> Result<()> {
    let sql = match resolution {
        Resolution::Minute => "delete from rollup_1m where series_id = $1 and bucket >= $2 and bucket <= $3",
        Resolution::Hour => "delete from rollup_1h where series_id = $1 and bucket >= $2 and bucket <= $3",
    };
    on_db!(tx, conn => sqlx::query(sql).bind(series).bind(from).bind(to).execute(conn).await.map(drop))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_add_up_by_series_and_bucket() {
        let point = |series, ts, value| Point { series, ts, value };
        let points = [point(1, 1_000, 4.0), point(1, 59_999, 2.0), point(1, 60_000, 8.0), point(2, 0, -1.0)];
        let rollups = of_points(points.iter(), Resolution::Minute);
        assert_eq!(rollups.len(), 3);
        assert_eq!(
            rollups[0],
            Rollup {
                series_id: 1,
                bucket: 0,
                count: 2,
                sum: 6.0,
                min: 2.0,
                max: 4.0,
                first: 4.0,
                first_ts: 1_000,
                last: 2.0,
                last_ts: 59_999,
            }
        );
        assert_eq!(of_points(points.iter(), Resolution::Hour)[0].count, 3);
    }

    #[test]
    fn buckets_before_1970_begin_before_their_points() {
        assert_eq!(Resolution::Minute.bucket_of(-1), -60_000);
    }
}
