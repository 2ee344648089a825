-- Programs that act for an organisation. The scopes are names of permissions, separated by blanks.
create table service_key (
    id blob primary key not null,
    organization_id blob not null references organization (id),
    name text not null,
    name_key text not null,
    scopes text not null,
    hint text not null,
    created_by text not null,
    created_at bigint not null,
    expires_at bigint,
    last_used_at bigint,
    revoked_at bigint
);
create unique index service_key_by_name on service_key (organization_id, name_key) where revoked_at is null;

-- Only the SHA-256 of a key is kept. After a rotation the old one is good until it expires.
create table service_key_secret (
    key_hash blob primary key not null,
    organization_id blob not null references organization (id),
    service_key_id blob not null references service_key (id) on delete cascade,
    created_at bigint not null,
    expires_at bigint
);
create index service_key_secret_by_key on service_key_secret (service_key_id);
create index service_key_secret_by_expiry on service_key_secret (expires_at) where expires_at is not null;

-- What administrators decide for all; an organisation without a row, or a null, follows the configuration. An empty time
-- zone is that of each reader.
create table organization_settings (
    organization_id blob primary key not null references organization (id),
    time_zone text not null,
    signup text,
    updated_at bigint not null
);

-- Records of the trail from which a person was taken out: the seal stands in for the hash that their texts no longer give.
create table audit_redaction (
    organization_id blob not null,
    seq bigint not null,
    at bigint not null,
    seal blob not null,
    primary key (organization_id, seq)
);
