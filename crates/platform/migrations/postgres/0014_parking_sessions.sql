-- Parking: vehicles that come and leave, and rights to park without reserving.

-- Without `lot_id`: every lot of the organisation. `plate_key`: letters and digits of the plate, upper case.
create table parking_permit (
    id uuid primary key not null,
    organization_id uuid not null references organization (id),
    lot_id uuid,
    user_id uuid,
    holder text not null,
    plate text not null,
    plate_key text not null,
    label text not null,
    valid_from bigint not null,
    valid_until bigint,
    revoked_at bigint,
    created_at bigint not null,
    updated_at bigint not null
);
create index parking_permit_of_organization on parking_permit (organization_id, created_at);
create index parking_permit_by_plate on parking_permit (organization_id, plate_key) where plate_key <> '';
create index parking_permit_of_user on parking_permit (user_id) where user_id is not null;

-- A vehicle in a lot. `plate`, `plate_key`: empty when the plate was not read or is no longer kept. `grace_minutes`, `tariff_…`:
-- in force when it came. `price`, `amount_minor`: of the time that nothing covered, once it has left.
create table parking_session (
    id uuid primary key not null,
    organization_id uuid not null references organization (id),
    lot_id uuid not null,
    spot_id uuid,
    plate text not null,
    plate_key text not null,
    source text not null,
    entered_at bigint not null,
    left_at bigint,
    reservation_id uuid,
    permit_id uuid,
    grace_minutes bigint not null,
    tariff_id uuid,
    tariff_version bigint,
    price text not null,
    amount_minor bigint not null,
    currency text not null,
    paid_minor bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    check (left_at >= entered_at),
    check (amount_minor >= 0)
);
-- A vehicle is in a lot once, and a spot has one vehicle.
create unique index parking_session_open_plate on parking_session (lot_id, plate_key)
    where left_at is null and plate_key <> '';
create unique index parking_session_open_spot on parking_session (spot_id) where left_at is null and spot_id is not null;
create index parking_session_of_organization on parking_session (organization_id, entered_at);
create index parking_session_by_plate on parking_session (organization_id, plate_key, left_at) where plate_key <> '';
create index parking_session_of_spot on parking_session (spot_id, left_at) where spot_id is not null;
create index parking_session_left on parking_session (left_at) where plate_key <> '';
