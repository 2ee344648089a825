-- Answers to POSTs that carried an Idempotency-Key, kept for a day.
create table idempotency (
    key bytea primary key not null,
    created_at bigint not null,
    fingerprint bytea not null,
    status integer,
    body bytea
);
create index idempotency_by_age on idempotency (created_at);
