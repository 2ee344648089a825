-- When an account's owner has proved that the address is his; absent: not yet.
alter table user_account add column email_verified_at bigint;

-- When the person last proved who he is in this session, and how.
alter table user_session add column authenticated_at bigint not null default 0;
alter table user_session add column method text not null default 'password';
update user_session set authenticated_at = created_at;

-- One-time codes of an app (RFC 6238). The secret is encrypted; `last_step` is the time step of the last code taken, so
-- that none is taken twice. Not confirmed: its owner has not yet shown that his app has it.
create table totp_factor (
    user_id uuid primary key not null references user_account (id) on delete cascade,
    organization_id uuid not null references organization (id),
    secret bytea not null,
    last_step bigint not null,
    created_at bigint not null,
    confirmed_at bigint
);

-- For when the app or the key is lost: each works once; only a keyed hash is kept.
create table recovery_code (
    code_hash bytea primary key not null,
    organization_id uuid not null references organization (id),
    user_id uuid not null references user_account (id) on delete cascade,
    created_at bigint not null
);
create index recovery_code_by_user on recovery_code (user_id);

-- Passkeys (WebAuthn). `credential` is the public key with its counter, as JSON.
create table passkey (
    id uuid primary key not null,
    organization_id uuid not null references organization (id),
    user_id uuid not null references user_account (id) on delete cascade,
    credential_id bytea not null unique,
    credential text not null,
    name text not null,
    created_at bigint not null,
    last_used_at bigint
);
create index passkey_by_user on passkey (user_id, id);

-- What has begun and wants an answer: the second step of a sign-in, a passkey's ceremony. Used once, for minutes; only
-- the hash of its token is kept. Nobody is known yet when a passkey is to tell who signs in.
create table sign_in_challenge (
    token_hash bytea primary key not null,
    organization_id uuid references organization (id),
    user_id uuid references user_account (id) on delete cascade,
    session_id uuid references user_session (id) on delete cascade,
    purpose text not null,
    state text not null,
    created_at bigint not null,
    expires_at bigint not null
);
create index sign_in_challenge_by_expiry on sign_in_challenge (expires_at);
create index sign_in_challenge_by_user on sign_in_challenge (user_id);

-- Links sent by e-mail, to set a new password or to confirm an address. Only the hash of the token is kept.
create table account_link (
    token_hash bytea primary key not null,
    organization_id uuid not null references organization (id),
    user_id uuid not null references user_account (id) on delete cascade,
    purpose text not null,
    email text not null,
    created_at bigint not null,
    expires_at bigint not null
);
create index account_link_by_user on account_link (user_id, purpose, created_at);
create index account_link_by_expiry on account_link (expires_at);

-- Who may make an account, and with what role. Only the hash of the link's token is kept.
create table invitation (
    id uuid primary key not null,
    organization_id uuid not null references organization (id),
    email text not null,
    email_key text not null,
    role text not null,
    token_hash bytea not null unique,
    invited_by uuid references user_account (id) on delete set null,
    created_at bigint not null,
    sent_at bigint not null,
    expires_at bigint not null,
    accepted_at bigint,
    revoked_at bigint
);
create index invitation_by_organization on invitation (organization_id, id);
