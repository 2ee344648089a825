-- Access: locks, people with credentials, doors, policies, what happened.

-- A lock is a device. `position` is what it last said, `since` when; `wanted` what it was told and has not answered yet.
create table access_lock (
    device_id blob primary key not null,
    organization_id blob not null references organization (id),
    owner_id blob not null,
    position text not null,
    position_at bigint,
    last_known text,
    last_known_at bigint,
    is_sure boolean not null,
    wanted text,
    wanted_command_id blob,
    changed_by text not null,
    changed_how text not null,
    relock_after_s bigint,
    relock_at bigint,
    require_step_up boolean not null,
    is_bridged boolean not null,
    notify_on text not null,
    created_at bigint not null,
    updated_at bigint not null
);
create index access_lock_by_owner on access_lock (organization_id, owner_id);
create index access_lock_by_relock on access_lock (relock_at) where relock_at is not null;

-- Who else may use a lock: a user, or a group of people. `role` is viewer or operator.
create table access_lock_grant (
    id blob primary key not null,
    organization_id blob not null references organization (id),
    device_id blob not null references access_lock (device_id) on delete cascade,
    user_id blob,
    person_group_id blob,
    role text not null,
    granted_by text not null,
    created_at bigint not null
);
create unique index access_lock_grant_by_user on access_lock_grant (device_id, user_id) where user_id is not null;
create unique index access_lock_grant_by_group on access_lock_grant (device_id, person_group_id) where person_group_id is not null;
create index access_lock_grant_of_user on access_lock_grant (user_id) where user_id is not null;

-- What became of a lock: who, how, with what result, after how long.
create table access_lock_event (
    id blob primary key not null,
    organization_id blob not null references organization (id),
    device_id blob not null references access_lock (device_id) on delete cascade,
    at bigint not null,
    kind text not null,
    actor text not null,
    how text not null,
    result text not null,
    delay_ms bigint,
    command_id blob,
    note text not null
);
create index access_lock_event_by_lock on access_lock_event (device_id, id);
create index access_lock_event_by_age on access_lock_event (at);
create index access_lock_event_by_organization on access_lock_event (organization_id, id);

-- Permission to open a lock over Bluetooth without network, signed, short-lived. `holder` is the
-- public key of the browser that keeps it. `told_at`: the lock was told that it is
-- revoked.
create table access_offline_grant (
    id blob primary key not null,
    organization_id blob not null references organization (id),
    device_id blob not null references access_lock (device_id) on delete cascade,
    user_id blob not null,
    holder blob not null,
    issued_at bigint not null,
    expires_at bigint not null,
    revoked_at bigint,
    told_at bigint
);
create index access_offline_grant_by_lock on access_offline_grant (device_id, expires_at);
create index access_offline_grant_to_tell on access_offline_grant (revoked_at) where revoked_at is not null and told_at is null;
create index access_offline_grant_by_user on access_offline_grant (user_id, expires_at);

-- People who come through doors; with `user_id` also people who sign in. `number` is what existing readers know them by.
create table access_person (
    id blob primary key not null,
    organization_id blob not null references organization (id),
    number bigint not null,
    name text not null,
    search_text text not null,
    employee_id text,
    email text,
    user_id blob,
    level text not null,
    is_active boolean not null,
    last_access_at bigint,
    created_at bigint not null,
    updated_at bigint not null,
    unique (organization_id, number)
);
create unique index access_person_by_employee on access_person (organization_id, employee_id) where employee_id is not null;
create unique index access_person_by_user on access_person (organization_id, user_id) where user_id is not null;
create index access_person_by_name on access_person (organization_id, search_text, id);

create table access_person_group (
    id blob primary key not null,
    organization_id blob not null references organization (id),
    name text not null,
    description text not null,
    created_at bigint not null,
    unique (organization_id, name)
);

create table access_person_group_member (
    group_id blob not null references access_person_group (id) on delete cascade,
    person_id blob not null references access_person (id) on delete cascade,
    organization_id blob not null references organization (id),
    primary key (group_id, person_id)
);
create index access_person_group_member_by_person on access_person_group_member (person_id);

-- What a person shows: a card (its UID in capitals, without separators), a PIN (keyed hash), a finger (a slot of a
-- sensor; of one reader, or of all when `reader_id` is absent). `lookup` is what is searched, unique within its kind and reader.
create table access_credential (
    id blob primary key not null,
    organization_id blob not null references organization (id),
    person_id blob not null references access_person (id) on delete cascade,
    kind text not null,
    lookup text not null,
    hint text not null,
    reader_id blob,
    is_active boolean not null,
    valid_from bigint,
    valid_until bigint,
    last_used_at bigint,
    created_at bigint not null,
    updated_at bigint not null
);
create unique index access_credential_by_lookup on access_credential (organization_id, kind, lookup) where reader_id is null;
create unique index access_credential_by_reader on access_credential (organization_id, kind, reader_id, lookup) where reader_id is not null;
create index access_credential_by_person on access_credential (person_id);

-- A card or finger being enrolled at a reader. At most one is open at a reader.
create table access_enrolment (
    id blob primary key not null,
    organization_id blob not null references organization (id),
    reader_id blob not null,
    person_id blob not null references access_person (id) on delete cascade,
    mode text not null,
    state text not null,
    started_by text not null,
    started_at bigint not null,
    expires_at bigint not null,
    finished_at bigint,
    credential_id blob,
    error text not null
);
create unique index access_enrolment_open on access_enrolment (reader_id) where state = 'waiting';
create index access_enrolment_by_expiry on access_enrolment (expires_at) where state = 'waiting';

-- Areas of the building. A zone may lie in another; anti-passback watches who is inside.
create table access_zone (
    id blob primary key not null,
    organization_id blob not null references organization (id),
    parent_id blob,
    name text not null,
    passback text not null,
    reset_after_s bigint,
    created_at bigint not null,
    unique (organization_id, name)
);

-- Where a person is, as far as doors know: the innermost zone, and when he came into it.
create table access_presence (
    person_id blob not null references access_person (id) on delete cascade,
    zone_id blob not null references access_zone (id) on delete cascade,
    organization_id blob not null references organization (id),
    entered_at bigint not null,
    door_id blob,
    primary key (person_id, zone_id)
);
create index access_presence_by_zone on access_presence (zone_id);

-- Pictures that doors are placed on. `content` is what was uploaded: SVG, PNG, JPEG or WebP.
create table access_plan (
    id blob primary key not null,
    organization_id blob not null references organization (id),
    name text not null,
    width bigint not null,
    height bigint not null,
    media_type text not null,
    content blob not null,
    created_at bigint not null,
    updated_at bigint not null,
    unique (organization_id, name)
);

-- A door has a reader (and one to leave), perhaps a lock, a contact. `state` is what the contact last said.
create table access_door (
    id blob primary key not null,
    organization_id blob not null references organization (id),
    name text not null,
    location text not null,
    reader_id blob,
    exit_reader_id blob,
    lock_id blob,
    contact_id blob,
    into_zone_id blob,
    from_zone_id blob,
    mode text not null,
    mode_until bigint,
    mode_by text not null,
    passback text not null,
    passback_s bigint,
    state text not null,
    state_at bigint,
    granted_at bigint,
    forced_at bigint,
    held_at bigint,
    held_after_s bigint not null,
    unlock_s bigint not null,
    plan_id blob,
    plan_x real,
    plan_y real,
    created_at bigint not null,
    updated_at bigint not null,
    unique (organization_id, name)
);
create unique index access_door_by_reader on access_door (reader_id) where reader_id is not null;
create unique index access_door_by_exit_reader on access_door (exit_reader_id) where exit_reader_id is not null;
create index access_door_by_contact on access_door (contact_id) where contact_id is not null;
create index access_door_by_lock on access_door (lock_id) where lock_id is not null;
create index access_door_by_open on access_door (state_at) where state = 'open';
create index access_door_by_mode on access_door (mode_until) where mode_until is not null;

create table access_door_group (
    id blob primary key not null,
    organization_id blob not null references organization (id),
    name text not null,
    description text not null,
    created_at bigint not null,
    unique (organization_id, name)
);

create table access_door_group_member (
    group_id blob not null references access_door_group (id) on delete cascade,
    door_id blob not null references access_door (id) on delete cascade,
    organization_id blob not null references organization (id),
    primary key (group_id, door_id)
);
create index access_door_group_member_by_door on access_door_group_member (door_id);

-- Who was last seen at a door, for anti-passback by door.
create table access_last_seen (
    person_id blob not null references access_person (id) on delete cascade,
    door_id blob not null references access_door (id) on delete cascade,
    organization_id blob not null references organization (id),
    at bigint not null,
    leaving boolean not null,
    primary key (person_id, door_id)
);

-- Weekly hours. `windows` is JSON: [{"days": [0..6, 7 = holiday], "from": "08:00", "until": "18:00"}].
create table access_schedule (
    id blob primary key not null,
    organization_id blob not null references organization (id),
    name text not null,
    windows text not null,
    created_at bigint not null,
    updated_at bigint not null,
    unique (organization_id, name)
);

-- `date` as 2026-12-25, in the building's calendar.
create table access_holiday (
    id blob primary key not null,
    organization_id blob not null references organization (id),
    date text not null,
    name text not null,
    unique (organization_id, date)
);

-- Who, which doors, when. Absent person and group: everyone; absent door and group: all doors; absent schedule: always.
create table access_policy (
    id blob primary key not null,
    organization_id blob not null references organization (id),
    name text not null,
    person_id blob references access_person (id) on delete cascade,
    person_group_id blob references access_person_group (id) on delete cascade,
    door_id blob references access_door (id) on delete cascade,
    door_group_id blob references access_door_group (id) on delete cascade,
    schedule_id blob references access_schedule (id),
    levels bigint not null,
    valid_from bigint,
    valid_until bigint,
    in_lockdown boolean not null,
    is_active boolean not null,
    created_at bigint not null,
    updated_at bigint not null
);
create index access_policy_by_organization on access_policy (organization_id, id);

-- Grows with every change of who may go where: readers see by it that they must be told anew.
create table access_version (
    organization_id blob primary key not null references organization (id),
    version bigint not null
);

-- What readers know, and how far their own events have come.
create table access_reader (
    device_id blob primary key not null,
    organization_id blob not null references organization (id),
    last_seq bigint not null,
    synced_version bigint not null,
    synced_at bigint,
    sent_version bigint not null,
    sent_at bigint,
    told_at bigint,
    lost bigint not null,
    expires_at bigint,
    content blob
);

-- What happened at doors and locks that asks who. Names are kept as they were.
create table access_event (
    id blob primary key not null,
    organization_id blob not null references organization (id),
    at bigint not null,
    received_at bigint not null,
    kind text not null,
    door_id blob,
    door_name text not null,
    reader_id blob,
    person_id blob,
    person_name text not null,
    credential_id blob,
    credential_hint text not null,
    method text not null,
    granted boolean,
    reason text not null,
    policy_id blob,
    policy_name text not null,
    leaving boolean not null,
    is_offline boolean not null,
    is_untrusted boolean not null,
    seq bigint,
    address text not null,
    note text not null,
    score real,
    score_reasons text,
    is_anomaly boolean not null,
    is_false_alarm boolean not null
);
create index access_event_by_time on access_event (organization_id, at, id);
create index access_event_by_person on access_event (organization_id, person_id, at, id);
create index access_event_by_door on access_event (organization_id, door_id, at, id);
create index access_event_by_refusal on access_event (organization_id, at, id) where granted = 0;
create index access_event_by_reason on access_event (organization_id, reason, at, id) where reason <> 'granted';
create index access_event_by_method on access_event (organization_id, method, at, id);
create index access_event_by_kind on access_event (organization_id, kind, at, id) where kind <> 'request';
create index access_event_by_anomaly on access_event (organization_id, at, id) where is_anomaly;
create index access_event_by_offline on access_event (organization_id, at, id) where is_offline;
create unique index access_event_by_seq on access_event (reader_id, seq) where seq is not null;
create index access_event_by_age on access_event (at);

-- Codes for keypads: of a lock or of a door. `state` follows what the device has: unset, setting, set, removing.
create table access_code (
    id blob primary key not null,
    organization_id blob not null references organization (id),
    lock_id blob references access_lock (device_id) on delete cascade,
    door_id blob references access_door (id) on delete cascade,
    person_id blob references access_person (id) on delete set null,
    name text not null,
    sealed blob not null,
    lookup text not null,
    digits bigint not null,
    schedule_id blob,
    valid_from bigint,
    valid_until bigint,
    max_uses bigint,
    uses bigint not null,
    wanted boolean not null,
    state text not null,
    is_absent boolean not null,
    command_id blob,
    attempts bigint not null,
    next_attempt_at bigint,
    reason text not null,
    created_by text not null,
    created_at bigint not null,
    updated_at bigint not null
);
create index access_code_by_organization on access_code (organization_id, id);
create index access_code_by_lock on access_code (lock_id) where lock_id is not null;
create index access_code_by_door on access_code (door_id) where door_id is not null;
create index access_code_by_attempt on access_code (next_attempt_at) where next_attempt_at is not null;
create unique index access_code_by_lookup on access_code (organization_id, lookup) where wanted;
create index access_code_by_expiry on access_code (valid_until) where wanted and valid_until is not null;
create index access_code_by_command on access_code (command_id) where command_id is not null;

-- Trained models of what is usual. The newest that is done is in force.
create table access_model (
    id blob primary key not null,
    organization_id blob not null references organization (id),
    version bigint not null,
    state text not null,
    requested_by text not null,
    requested_at bigint not null,
    trained_at bigint,
    trained_on bigint not null,
    report text not null,
    content blob,
    error text not null,
    unique (organization_id, version)
);
