-- Messages to people and other systems. `message` is encrypted: it may carry a one-time link.
create table delivery (
    id uuid primary key not null,
    organization_id uuid not null references organization (id),
    kind text not null,
    destination text not null,
    message bytea not null,
    state text not null,
    attempts bigint not null,
    next_attempt_at bigint not null,
    last_error text not null,
    created_at bigint not null
);
create index delivery_by_attempt on delivery (state, next_attempt_at);
create index delivery_by_organization on delivery (organization_id, state, id);
