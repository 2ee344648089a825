-- Parking: lots, levels, spots, the sensors on them, tariffs, reservations.

-- No reservation may overlap another of its spot: an index on "same id, times that overlap" needs it (part of contrib).
create extension if not exists btree_gist;

-- Grows with every change of a spot, in the transaction of the change; each spot keeps the number of its last change. So what
-- is held in memory is brought up to date by the few rows that are newer. `whole`: what is older must be read anew.
create table parking_version (
    organization_id uuid primary key not null references organization (id),
    version bigint not null,
    whole bigint not null
);

-- What parking costs. A version is never changed: reservations keep theirs.
create table parking_tariff (
    id uuid primary key not null,
    organization_id uuid not null references organization (id),
    name text not null,
    version bigint not null,
    removed_at bigint,
    created_at bigint not null,
    updated_at bigint not null
);
create unique index parking_tariff_by_name on parking_tariff (organization_id, name) where removed_at is null;

create table parking_tariff_version (
    tariff_id uuid not null references parking_tariff (id) on delete cascade,
    version bigint not null,
    organization_id uuid not null references organization (id),
    rules text not null,
    created_by text not null,
    created_at bigint not null,
    primary key (tariff_id, version)
);

create table parking_lot (
    id uuid primary key not null,
    organization_id uuid not null references organization (id),
    name text not null,
    address text not null,
    latitude double precision,
    longitude double precision,
    time_zone text,
    tariff_id uuid references parking_tariff (id),
    gate_door_id uuid,
    is_public boolean not null,
    debounce_s bigint not null,
    stale_after_minutes bigint not null,
    low_battery_percent bigint not null,
    booking text not null,
    created_at bigint not null,
    updated_at bigint not null
);
create unique index parking_lot_by_name on parking_lot (organization_id, name);

create table parking_level (
    id uuid primary key not null,
    organization_id uuid not null references organization (id),
    lot_id uuid not null references parking_lot (id) on delete cascade,
    name text not null,
    position bigint not null,
    width_cm bigint not null,
    height_cm bigint not null,
    clearance_cm bigint
);
create unique index parking_level_by_name on parking_level (lot_id, name);
create index parking_level_of_organization on parking_level (organization_id);

-- `code`: what is written on its sign. `reserved_…`: its present or next reservation. `version`: see parking_version.
create table parking_spot (
    id uuid primary key not null,
    organization_id uuid not null references organization (id),
    lot_id uuid not null references parking_lot (id) on delete cascade,
    level_id uuid not null references parking_level (id) on delete cascade,
    code text not null,
    location text not null,
    zone text not null,
    sensor_type text,
    is_accessible boolean not null,
    is_ev boolean not null,
    size text not null,
    clearance_cm bigint,
    is_disabled boolean not null,
    tariff_id uuid references parking_tariff (id),
    x double precision not null,
    y double precision not null,
    width double precision not null,
    length double precision not null,
    angle double precision not null,
    state text not null,
    state_at bigint,
    reserved_from bigint,
    reserved_until bigint,
    reservation_id uuid,
    version bigint not null,
    created_at bigint not null,
    updated_at bigint not null
);
create unique index parking_spot_by_code on parking_spot (organization_id, code);
create index parking_spot_by_version on parking_spot (organization_id, version);
create index parking_spot_of_level on parking_spot (level_id);
create index parking_spot_of_lot on parking_spot (lot_id);
create index parking_spot_by_reserved on parking_spot (reserved_until) where reserved_until is not null;

-- What reports a spot. Without a spot it waits in the list of new sensors. `occupied`, `since`: what is believed;
-- `doubt_…`: since when and how often it has said otherwise.
create table parking_sensor (
    id uuid primary key not null,
    organization_id uuid not null references organization (id),
    sensor_id text not null,
    device_id uuid,
    spot_id uuid references parking_spot (id) on delete set null,
    is_ignored boolean not null,
    is_silent boolean not null,
    is_bridged boolean not null,
    has_low_battery boolean not null,
    occupied boolean,
    since bigint,
    newest bigint,
    doubt_since bigint,
    doubt_times bigint,
    heard_at bigint not null,
    distance_cm double precision,
    battery_percent double precision,
    rssi_dbm double precision,
    firmware_version text not null,
    location text not null,
    messages bigint not null,
    first_seen_at bigint not null
);
create unique index parking_sensor_by_name on parking_sensor (organization_id, sensor_id);
create unique index parking_sensor_of_spot on parking_sensor (spot_id) where spot_id is not null;
create index parking_sensor_by_doubt on parking_sensor (doubt_since) where doubt_since is not null;
create index parking_sensor_by_heard on parking_sensor (heard_at) where spot_id is not null and not is_silent;

-- What a sensor measured. The same message twice is the same row.
create table parking_reading (
    sensor_id uuid not null references parking_sensor (id) on delete cascade,
    at bigint not null,
    occupied boolean not null,
    distance_cm double precision,
    battery_percent double precision,
    rssi_dbm double precision,
    primary key (sensor_id, at)
);

-- How a spot was, from when until when.
create table parking_stay (
    spot_id uuid not null references parking_spot (id) on delete cascade,
    from_at bigint not null,
    until_at bigint,
    lot_id uuid not null,
    state text not null,
    primary key (spot_id, from_at)
);
create index parking_stay_of_lot on parking_stay (lot_id, from_at);
create index parking_stay_open on parking_stay (spot_id) where until_at is null;

-- Who has a spot when. `state`: held, confirmed, checked_in (these have the spot), completed, cancelled, expired, no_show.
create table parking_reservation (
    id uuid primary key not null,
    organization_id uuid not null references organization (id),
    lot_id uuid not null,
    spot_id uuid not null,
    user_id uuid,
    name text not null,
    email text not null,
    phone text not null,
    plate text not null,
    notes text not null,
    start_at bigint not null,
    end_at bigint not null,
    state text not null,
    hold_until bigint,
    no_show_at bigint,
    checked_in_at bigint,
    checked_out_at bigint,
    tariff_id uuid,
    tariff_version bigint,
    price text not null,
    amount_minor bigint not null,
    currency text not null,
    payment_status text not null,
    paid_minor bigint not null,
    refunded_minor bigint not null,
    created_by text not null,
    created_at bigint not null,
    updated_at bigint not null,
    check (end_at > start_at),
    check (amount_minor >= 0),
    constraint parking_reservation_overlap exclude using gist (spot_id with =, int8range(start_at, end_at) with &&)
        where (state in ('held', 'confirmed', 'checked_in'))
);
create index parking_reservation_of_spot on parking_reservation (spot_id, start_at);
create index parking_reservation_of_user on parking_reservation (user_id, start_at) where user_id is not null;
create index parking_reservation_of_lot on parking_reservation (organization_id, start_at);
create index parking_reservation_held on parking_reservation (hold_until) where state = 'held';
create index parking_reservation_confirmed on parking_reservation (start_at) where state = 'confirmed';
create index parking_reservation_checked_in on parking_reservation (end_at) where state = 'checked_in';

-- What is to be paid, or was, through Stripe. `state`: wanted (Stripe does not know of it yet), open, paid, cancelled,
-- mismatch (another amount or currency than asked for). `next_at`: when Stripe is asked how it stands.
create table parking_payment (
    id uuid primary key not null,
    organization_id uuid not null references organization (id),
    reservation_id uuid not null,
    intent_id text,
    state text not null,
    amount_minor bigint not null,
    currency text not null,
    refunded_minor bigint not null,
    problem text not null,
    attempts bigint not null,
    next_at bigint not null,
    created_at bigint not null,
    updated_at bigint not null
);
create unique index parking_payment_by_intent on parking_payment (intent_id) where intent_id is not null;
create index parking_payment_of_reservation on parking_payment (reservation_id);
create index parking_payment_to_ask on parking_payment (next_at) where state in ('wanted', 'open');

-- What is to be given back, or was. `state`: wanted, pending, done, failed.
create table parking_refund (
    id uuid primary key not null,
    organization_id uuid not null references organization (id),
    payment_id uuid not null references parking_payment (id) on delete cascade,
    reservation_id uuid not null,
    refund_id text,
    state text not null,
    amount_minor bigint not null,
    reason text not null,
    problem text not null,
    attempts bigint not null,
    next_at bigint not null,
    created_at bigint not null,
    updated_at bigint not null
);
create unique index parking_refund_by_stripe on parking_refund (refund_id) where refund_id is not null;
create index parking_refund_of_payment on parking_refund (payment_id);
create index parking_refund_to_do on parking_refund (next_at) where state = 'wanted';

-- What Stripe told us, each once, whatever came of it.
create table parking_stripe_event (
    event_id text primary key not null,
    body text not null,
    received_at bigint not null,
    handled_at bigint,
    attempts bigint not null,
    next_at bigint not null,
    problem text not null
);
create index parking_stripe_event_to_do on parking_stripe_event (next_at) where handled_at is null;

-- How full a lot was in a quarter of an hour (`at`: its beginning), looked at once a minute: the sums of occupied spots and of
-- spots of which that is known; who came, who left, and how long they had stayed. Imported ones have one sample.
create table parking_slot (
    lot_id uuid not null references parking_lot (id) on delete cascade,
    at bigint not null,
    organization_id uuid not null references organization (id),
    occupied bigint not null,
    capacity bigint not null,
    samples bigint not null,
    arrivals bigint not null,
    departures bigint not null,
    stayed_ms bigint not null,
    primary key (lot_id, at)
);

-- The newest forecast of a lot.
create table parking_forecast (
    lot_id uuid primary key not null references parking_lot (id) on delete cascade,
    organization_id uuid not null references organization (id),
    made_at bigint not null,
    body text not null
);
