-- People. The keys are the lower-cased names: both are unique in the whole instance, because signing in names no organisation.
create table user_account (
    id blob primary key not null,
    organization_id blob not null references organization (id),
    username text not null,
    username_key text not null unique,
    email text not null,
    email_key text not null unique,
    role text not null,
    password_hash text not null,
    is_active boolean not null,
    created_at bigint not null,
    updated_at bigint not null,
    last_login_at bigint
);
create index user_account_by_organization on user_account (organization_id, username_key);

-- A signed-in browser or API client: the family of its refresh tokens.
create table user_session (
    id blob primary key not null,
    organization_id blob not null references organization (id),
    user_id blob not null references user_account (id) on delete cascade,
    kind text not null,
    user_agent text not null,
    address text not null,
    created_at bigint not null,
    last_used_at bigint not null,
    expires_at bigint not null,
    ended_at bigint,
    end_reason text
);
create index user_session_by_user on user_session (user_id, expires_at);
create index user_session_by_expiry on user_session (expires_at);

-- Only the SHA-256 of a token is kept. A replaced token keeps the salt from which its successor was made.
create table refresh_token (
    token_hash blob primary key not null,
    organization_id blob not null references organization (id),
    session_id blob not null references user_session (id) on delete cascade,
    expires_at bigint not null,
    replaced_at bigint,
    successor_salt blob
);
create index refresh_token_by_session on refresh_token (session_id);
create index refresh_token_by_expiry on refresh_token (expires_at);

-- Browsers that have signed in to an account before: guesses by others cannot lock them out.
create table known_device (
    token_hash blob not null,
    user_id blob not null references user_account (id) on delete cascade,
    organization_id blob not null references organization (id),
    last_used_at bigint not null,
    primary key (token_hash, user_id)
);
create index known_device_by_user on known_device (user_id);

-- Failed sign-ins, counted by a hash of what was named and from where: a name that has no account counts alike.
create table sign_in_throttle (
    key blob primary key not null,
    failures bigint not null,
    window_ends_at bigint not null,
    locked_until bigint not null
);
create index sign_in_throttle_by_window on sign_in_throttle (window_ends_at);

-- The one-time link of the first start; only the hash is kept.
create table setup_token (
    token_hash blob primary key not null,
    expires_at bigint not null
);
