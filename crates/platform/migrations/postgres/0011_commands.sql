-- A message that is of no use after a time is not published after it.
alter table outbox add column expires_at bigint;

-- Commands to devices. `next_attempt_at` is set while one is to be sent (again); without it the command waits for the
-- device's return, or for its answer.
create table command (
    id uuid primary key not null,
    organization_id uuid not null references organization (id),
    device_id uuid not null references device (id) on delete cascade,
    name text not null,
    args text not null,
    state text not null,
    counter bigint not null,
    issued_by text not null,
    issued_at bigint not null,
    expires_at bigint not null,
    sent_at bigint,
    delivered_at bigint,
    finished_at bigint,
    attempts bigint not null,
    next_attempt_at bigint,
    error text not null,
    response text not null
);
create index command_by_device on command (device_id, id);
create index command_by_attempt on command (next_attempt_at) where next_attempt_at is not null;
create index command_by_expiry on command (expires_at) where finished_at is null;
create index command_by_age on command (finished_at) where finished_at is not null;

-- The number of a device's last command.
create table command_counter (
    device_id uuid primary key not null references device (id) on delete cascade,
    organization_id uuid not null references organization (id),
    last bigint not null
);

-- What people want of a device and what it says it is, each a JSON object.
create table device_shadow (
    device_id uuid primary key not null references device (id) on delete cascade,
    organization_id uuid not null references organization (id),
    version bigint not null,
    desired text not null,
    reported text not null,
    desired_at bigint,
    reported_at bigint
);
