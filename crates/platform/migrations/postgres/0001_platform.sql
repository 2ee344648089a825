-- Times are milliseconds since 1970 UTC.
create table organization (
    id uuid primary key not null,
    name text not null,
    created_at bigint not null
);

-- One chain per organisation; records before any organisation exists belong to the nil id.
create table audit (
    organization_id uuid not null,
    seq bigint not null,
    id uuid not null,
    at bigint not null,
    actor text not null,
    action text not null,
    target text not null,
    outcome text not null,
    address text not null,
    request_id text not null,
    details text not null,
    hash bytea not null,
    primary key (organization_id, seq)
);
create index audit_by_time on audit (organization_id, at);
create index audit_by_action on audit (organization_id, action, seq);

create table audit_head (
    organization_id uuid primary key not null,
    seq bigint not null,
    hash bytea not null,
    mac bytea not null
);

create table audit_checkpoint (
    organization_id uuid not null,
    seq bigint not null,
    at bigint not null,
    hash bytea not null,
    mac bytea not null,
    primary key (organization_id, seq)
);

-- MQTT messages that wait to be published: written with the state they tell of, deleted when the broker has them.
create table outbox (
    id uuid primary key not null,
    topic text not null,
    payload bytea not null,
    qos integer not null,
    retain boolean not null,
    created_at bigint not null
);

-- Work that one server at a time may do.
create table job_lease (
    name text primary key not null,
    holder uuid not null,
    expires_at bigint not null
);
