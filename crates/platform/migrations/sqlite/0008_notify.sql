-- What a message is about (an e-mail's subject, a webhook's event), and the person or webhook it is for.
alter table delivery add column summary text not null default '';
alter table delivery add column subject_id blob;
alter table delivery add column finished_at bigint;
drop index delivery_by_attempt;
create index delivery_by_attempt on delivery (kind, state, next_attempt_at);
create index delivery_by_end on delivery (state, finished_at);

-- What a person wants to be told; what is not named here is as for everyone.
create table notification_preference (
    user_id blob not null references user_account (id) on delete cascade,
    organization_id blob not null references organization (id),
    kind text not null,
    push text not null,
    mail text not null,
    primary key (user_id, kind)
);

-- A browser that a person wants pushes in. Its endpoint is a capability: encrypted, and found again by its hash.
create table push_subscription (
    id blob primary key not null,
    organization_id blob not null references organization (id),
    user_id blob not null references user_account (id) on delete cascade,
    endpoint_hash blob not null unique,
    name text not null,
    service text not null,
    sealed blob not null,
    created_at bigint not null
);
create index push_subscription_by_user on push_subscription (user_id, id);

-- An address of another system that is told what happens. Secrets are encrypted; `kinds` is a JSON list.
create table webhook (
    id blob primary key not null,
    organization_id blob not null references organization (id),
    name text not null,
    url text not null,
    kinds text not null,
    min_severity text not null,
    is_active boolean not null,
    secret blob not null,
    previous_secret blob,
    previous_secret_until bigint,
    created_at bigint not null,
    updated_at bigint not null
);
create index webhook_by_organization on webhook (organization_id, id);
