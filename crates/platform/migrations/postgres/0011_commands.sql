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

-- Whose signature makes a firmware image good; the public half alone.
create table publisher_key (
    id uuid primary key not null,
    organization_id uuid not null references organization (id),
    name text not null,
    public_key bytea not null,
    created_by text not null,
    created_at bigint not null,
    revoked_at bigint
);
create unique index publisher_key_by_key on publisher_key (organization_id, public_key) where revoked_at is null;

-- Images; their bytes lie in files named by the id. A deleted one stays, without its file, for the history.
create table firmware (
    id uuid primary key not null,
    organization_id uuid not null references organization (id),
    device_type text not null,
    version text not null,
    notes text not null,
    size_bytes bigint not null,
    sha256 bytea not null,
    signature bytea not null,
    key_id uuid not null references publisher_key (id),
    created_by text not null,
    created_at bigint not null,
    deleted_at bigint
);
create unique index firmware_by_version on firmware (organization_id, device_type, version) where deleted_at is null;
create index firmware_by_organization on firmware (organization_id, id);

create table rollout (
    id uuid primary key not null,
    organization_id uuid not null references organization (id),
    firmware_id uuid not null references firmware (id),
    device_type text not null,
    state text not null,
    selection text not null,
    stages text not null,
    stage bigint not null,
    per_minute bigint not null,
    at_once bigint not null,
    max_failed_percent bigint not null,
    force boolean not null,
    timeout_s bigint not null,
    -- Failures that a person has seen and gone on from.
    failures_seen bigint not null,
    reason text not null,
    created_by text not null,
    created_at bigint not null,
    finished_at bigint
);
-- One at a time for a type of device: two would pull it to and fro.
create unique index rollout_under_way on rollout (organization_id, device_type) where finished_at is null;
create index rollout_by_organization on rollout (organization_id, id);

create table rollout_device (
    rollout_id uuid not null references rollout (id) on delete cascade,
    device_id uuid not null references device (id) on delete cascade,
    organization_id uuid not null references organization (id),
    position bigint not null,
    stage bigint not null,
    state text not null,
    progress bigint not null,
    error text not null,
    from_version text not null,
    command_id uuid,
    notified_at bigint,
    deadline_at bigint,
    updated_at bigint not null,
    primary key (rollout_id, device_id)
);
create index rollout_device_by_state on rollout_device (rollout_id, state, stage, position);
create index rollout_device_by_device on rollout_device (device_id);
create index rollout_device_by_command on rollout_device (command_id) where command_id is not null;
