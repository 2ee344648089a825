-- Answers to POSTs that carried an Idempotency-Key, kept for a day.
create table idempotency (
    key blob primary key not null,
    created_at bigint not null,
    fingerprint blob not null,
    status integer,
    body blob
);
create index idempotency_by_age on idempotency (created_at);
