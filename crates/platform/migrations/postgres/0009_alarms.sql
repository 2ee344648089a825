-- Alarms: one open one for one cause. `owner_id` sees it beside those who see all. `told` is what people were last told
-- (nothing, raised, cleared); `notify_at` and `escalate_at` say when the next of it is due.
create table alarm (
    id uuid primary key not null,
    organization_id uuid not null references organization (id),
    cause text not null,
    kind text not null,
    severity text not null,
    state text not null,
    title text not null,
    message text not null,
    search_text text not null,
    subject_kind text not null,
    subject_id text not null,
    subject_name text not null,
    owner_id uuid,
    rule_id uuid,
    tell text not null,
    escalate_after_s bigint,
    repeat_every_s bigint,
    began_at bigint not null,
    raised_at bigint not null,
    last_raised_at bigint not null,
    times bigint not null,
    escalated_at bigint,
    acknowledged_at bigint,
    acknowledged_by text,
    cleared_at bigint,
    cleared_by text,
    told text not null,
    notify_at bigint,
    escalate_at bigint
);
create unique index alarm_by_open_cause on alarm (organization_id, cause) where state <> 'cleared';
create index alarm_by_cause on alarm (organization_id, cause, id);
create index alarm_by_organization on alarm (organization_id, id);
create index alarm_by_open on alarm (organization_id, id) where state <> 'cleared';
create index alarm_by_subject on alarm (organization_id, subject_kind, subject_id, id);
create index alarm_by_notice on alarm (notify_at) where notify_at is not null;
create index alarm_by_escalation on alarm (escalate_at) where escalate_at is not null;
create index alarm_by_age on alarm (cleared_at) where cleared_at is not null;

-- The course of an alarm. `number` orders steps of one moment.
create table alarm_step (
    alarm_id uuid not null references alarm (id) on delete cascade,
    number bigint not null,
    organization_id uuid not null references organization (id),
    at bigint not null,
    kind text not null,
    actor text not null,
    note text not null,
    primary key (alarm_id, number)
);

-- What raises alarms about devices. `condition` is JSON. `scope_id` is a device or a group, `scope_type` a type of device.
create table alarm_rule (
    id uuid primary key not null,
    organization_id uuid not null references organization (id),
    name text collate "C" not null,
    condition text not null,
    scope_kind text not null,
    scope_id uuid,
    scope_type text,
    severity text not null,
    is_enabled boolean not null,
    tell text not null,
    escalate_after_s bigint,
    repeat_every_s bigint,
    created_at bigint not null,
    updated_at bigint not null
);
create index alarm_rule_by_name on alarm_rule (organization_id, name, id);
create index alarm_rule_by_scope on alarm_rule (scope_id) where scope_id is not null;

-- How far each rule is with each device. Without foreign keys: a rule that goes while measurements are being stored must
-- not refuse them; what is left over is removed by a job.
create table alarm_rule_state (
    rule_id uuid not null,
    device_id uuid not null,
    organization_id uuid not null,
    phase text not null,
    since bigint,
    last_ts bigint,
    heard_at bigint,
    due_at bigint,
    primary key (rule_id, device_id)
);
create index alarm_rule_state_by_device on alarm_rule_state (device_id);
create index alarm_rule_state_by_due on alarm_rule_state (due_at) where due_at is not null;

-- Grows with every change of what rules apply to which devices: servers see by it that they must read them anew.
create table alarm_rule_version (
    organization_id uuid primary key not null references organization (id),
    version bigint not null,
    reconciled bigint not null
);
