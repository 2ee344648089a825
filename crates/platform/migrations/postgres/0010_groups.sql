-- Texts that are sorted have the collation "C": the order of bytes, as on SQLite.

-- Groups of devices, each a person's own. A device may be in many.
create table device_group (
    id uuid primary key not null,
    organization_id uuid not null references organization (id),
    owner_id uuid not null,
    name text collate "C" not null,
    description text,
    color text,
    created_at bigint not null,
    updated_at bigint not null
);
create unique index device_group_by_owner_and_name on device_group (owner_id, name);
create index device_group_by_name on device_group (organization_id, name, id);

create table device_group_member (
    id uuid primary key not null,
    organization_id uuid not null references organization (id),
    group_id uuid not null references device_group (id) on delete cascade,
    device_id uuid not null references device (id) on delete cascade,
    added_at bigint not null,
    unique (group_id, device_id)
);
create index device_group_member_by_device on device_group_member (device_id);

-- Saved choices of devices and keys on the explore page; what is chosen is JSON.
create table saved_view (
    id uuid primary key not null,
    organization_id uuid not null references organization (id),
    owner_id uuid not null,
    name text collate "C" not null,
    shared boolean not null,
    definition text not null,
    created_at bigint not null,
    updated_at bigint not null
);
create unique index saved_view_by_owner_and_name on saved_view (owner_id, name);
create index saved_view_by_name on saved_view (organization_id, name, id);
