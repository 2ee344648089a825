-- Devices. A deleted one stays, hidden, until its measurements are removed in small batches. The search text is lower
-- case made by us: the databases differ in what they know of letters beyond ASCII.
create table device (
    id blob primary key not null,
    organization_id blob not null references organization (id),
    owner_id blob not null,
    name text not null,
    hardware_id text,
    device_type text not null,
    description text not null,
    location text not null,
    firmware_version text not null,
    hardware_version text not null,
    metadata text not null,
    search_text text not null,
    status text not null,
    connection text not null,
    issue text not null,
    battery_percent real,
    rssi_dbm real,
    heartbeat_interval_s bigint not null,
    last_seen_at bigint,
    deadline_at bigint,
    created_at bigint not null,
    updated_at bigint not null,
    deleted_at bigint
);
create unique index device_by_hardware_id on device (organization_id, hardware_id) where deleted_at is null;
create unique index device_by_owner_and_name on device (owner_id, name) where deleted_at is null;
create index device_by_name on device (organization_id, name, id) where deleted_at is null;
create index device_by_created on device (organization_id, created_at, id) where deleted_at is null;
create index device_by_deadline on device (deadline_at) where deadline_at is not null;
create index device_by_deletion on device (deleted_at) where deleted_at is not null;

-- Only the SHA-256 of a key is kept. During a rotation the old one is good until it expires.
create table device_key (
    id blob primary key not null,
    organization_id blob not null references organization (id),
    device_id blob not null references device (id) on delete cascade,
    key_hash blob not null unique,
    created_at bigint not null,
    expires_at bigint,
    last_used_at bigint
);
create index device_key_by_device on device_key (device_id);
create index device_key_by_expiry on device_key (expires_at) where expires_at is not null;

-- Bad payloads: one row for each kind of mistake of a device in a minute.
create table device_problem (
    id blob primary key not null,
    organization_id blob not null references organization (id),
    device_id blob not null references device (id) on delete cascade,
    code text not null,
    minute bigint not null,
    at bigint not null,
    message text not null,
    sample text not null,
    count bigint not null,
    unique (device_id, code, minute)
);
create index device_problem_by_time on device_problem (device_id, at);
create index device_problem_by_age on device_problem (at);

-- One key of one device. The tables of points name only the series: it carries their organisation, and every query of
-- theirs goes through it. A key that changes its kind gets a second series.
create table series (
    id integer primary key autoincrement not null,
    organization_id blob not null references organization (id),
    device_id blob not null references device (id),
    key text not null,
    kind text not null,
    unique (device_id, key, kind)
);

-- Numbers and booleans (0, 1). Clustered by the key, so that a redelivered message changes nothing and a range is read in one piece.
create table point (
    series_id bigint not null,
    ts bigint not null,
    value real not null,
    primary key (series_id, ts)
) without rowid;

create table point_text (
    series_id bigint not null,
    ts bigint not null,
    value text not null,
    primary key (series_id, ts)
) without rowid;

create table sample_metadata (
    device_id blob not null,
    ts bigint not null,
    organization_id blob not null,
    metadata text not null,
    primary key (device_id, ts)
) without rowid;

-- Kept up to date in the transaction that stores the points.
create table rollup_1m (
    series_id bigint not null,
    bucket bigint not null,
    count bigint not null,
    sum real not null,
    min real not null,
    max real not null,
    first real not null,
    first_ts bigint not null,
    last real not null,
    last_ts bigint not null,
    primary key (series_id, bucket)
) without rowid;

create table rollup_1h (
    series_id bigint not null,
    bucket bigint not null,
    count bigint not null,
    sum real not null,
    min real not null,
    max real not null,
    first real not null,
    first_ts bigint not null,
    last real not null,
    last_ts bigint not null,
    primary key (series_id, bucket)
) without rowid;

-- How long measurements are kept; the nil device and the empty key stand for all. The most particular rule counts.
create table retention (
    organization_id blob not null references organization (id),
    device_id blob not null,
    key text not null,
    raw_days bigint not null,
    minute_days bigint not null,
    hour_days bigint not null,
    primary key (organization_id, device_id, key)
);
