//! What each setting means: the source of `docs/configuration.md`.

use std::fmt::Write as _;

use serde_json::Value;

use super::Config;

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Dotted, as in the TOML file.
    pub path: &'static str,
    pub meaning: &'static str,
}

const fn key(path: &'static str, meaning: &'static str) -> Key {
    Key { path, meaning }
}

/// Every setting, in the order of the reference.
pub const KEYS: &[Key] = &[
    key("http_addr", "Address and port for browsers and the REST API; port 0 takes any free one."),
    key("mqtt_addr", "Address and port of the embedded MQTT broker; port 0 takes any free one."),
    key("data_dir", "Directory of the SQLite database, the instance key and the broker's files."),
    key(
        "database_url",
        "`sqlite://PATH` or `postgres://USER:PASSWORD@HOST/DATABASE`. Unset: `portico.db` in the data directory. Secret.",
    ),
    key("mqtt_url", "An external broker, `mqtt://USER:PASSWORD@HOST:PORT`. Unset: the embedded one. Secret."),
    key(
        "admin_token",
        "Allows `Authorization: admin TOKEN`, at least 8 characters. Unset: that header is refused. Secret.",
    ),
    key(
        "instance_key",
        "64 hexadecimal characters from which session, audit and other keys are derived; the same on every server of one database. Unset: made once, in `instance.key` in the data directory. Secret.",
    ),
    key("signup", "Who may make an account: `open` anyone, `invite` only those an admin adds, `closed` nobody."),
    key(
        "public_url",
        "Where browsers find this server, without a slash at the end; used in links and for `Secure` cookies. Unset: from `http_addr`.",
    ),
    key("log_filter", "What is logged: a level or `target=level` pairs, comma separated."),
    key("log_format", "`text` or `json`."),
    key("site_dir", "Directory of the web app's files. Unset: `site` beside the program."),
    key(
        "database.max_connections",
        "Most connections to the database; on SQLite at most 8 readers beside the one writer.",
    ),
    key(
        "database.acquire_timeout_ms",
        "How long a request waits for a connection before it is answered 503, milliseconds.",
    ),
    key(
        "database.synchronous",
        "SQLite: `full` survives a power cut at every commit, `normal` may lose the last commits in one (never when only the program ends).",
    ),
    key("identity.browser_token_s", "Life of a browser's access token, seconds; renewed silently."),
    key("identity.api_token_s", "Life of an API client's access token, seconds."),
    key("identity.session_idle_s", "A session unused for so long ends, seconds."),
    key(
        "identity.refresh_grace_s",
        "How long a refresh token just replaced is still taken, seconds, for requests that were under way together.",
    ),
    key(
        "identity.lockout_failures",
        "Wrong passwords for an account from one address before that address has to wait.",
    ),
    key("identity.lockout_s", "How long it has to wait, seconds."),
    key(
        "identity.account_failures",
        "Wrong passwords for an account from all addresses before unknown devices have to wait; a device that signed in before still gets in.",
    ),
    key(
        "identity.setup_token_s",
        "Life of the set-up link printed at the first start, seconds; a restart prints a new one.",
    ),
    key("identity.min_password_chars", "Shortest password, at least 12 characters."),
    key(
        "identity.service_key_overlap_s",
        "How long the old key of a service works beside the new one after a rotation, unless the rotation says otherwise, seconds.",
    ),
    key(
        "identity.step_up_s",
        "How long after proving who one is (signing in, or again when asked) sensitive actions are allowed, seconds.",
    ),
    key(
        "identity.max_sessions",
        "Sessions of one person at the same time, browsers and API clients each; the one unused for longest ends.",
    ),
    key(
        "identity.require_verified_email",
        "Whether one who signed up must confirm the e-mail address before the first sign-in.",
    ),
    key("identity.reset_link_s", "Life of a link to set a new password, seconds."),
    key("identity.verification_link_s", "Life of a link to confirm an e-mail address, seconds."),
    key("identity.invitation_s", "Life of an invitation, seconds."),
    key("devices.max_devices_per_user", "Most devices one user may register."),
    key(
        "devices.heartbeat_interval_s",
        "How often a new device promises to be heard when it says nothing else, seconds.",
    ),
    key(
        "devices.key_overlap_s",
        "How long the old key works beside the new one after a rotation, seconds; 0 ends it and its MQTT session at once.",
    ),
    key("devices.raw_retention_days", "Days that single measurements are kept."),
    key("devices.minute_retention_days", "Days that one-minute rollups are kept."),
    key("devices.hour_retention_days", "Days that one-hour rollups are kept."),
    key("devices.problem_retention_days", "Days that samples of bad payloads are kept."),
    key("devices.command_retention_days", "Days that finished commands are kept."),
    key(
        "devices.firmware_dir",
        "Directory of firmware images; one that all servers of an installation share. Unset: `firmware` in the data directory.",
    ),
    key("devices.firmware_limit_bytes", "Largest firmware image, bytes."),
    key("devices.payload_limit_bytes", "Largest telemetry payload, bytes."),
    key("devices.ingest_queue_messages", "Messages waiting to be stored; when full, devices wait."),
    key("devices.batch_points", "Most measurements stored in one transaction."),
    key("devices.batch_wait_ms", "How long a transaction waits for more measurements, milliseconds."),
    key(
        "alarms.same_within_s",
        "An alarm that comes back within so many seconds after it cleared is the same one, not a new one.",
    ),
    key("alarms.retention_days", "Days that cleared alarms are kept."),
    key("access.log_retention_days", "Days that the access log and the history of locks are kept."),
    key(
        "access.anomaly_percent",
        "How many of a hundred usual events at doors may count as unusual; a new model takes its threshold from it.",
    ),
    key(
        "access.anomaly_alarm_percent",
        "How many of a hundred usual events at doors may raise an alarm as unusual; 0: none does.",
    ),
    key("parking.reading_retention_days", "Days that single measurements of parking sensors are kept."),
    key("parking.plate_retention_days", "Days that the number plates of vehicles that have left are kept."),
    key(
        "parking.guest_retention_days",
        "Days after the end of a stay without an account until its e-mail address and number plate are blanked.",
    ),
    key(
        "stripe.secret_key",
        "Secret or restricted key of a Stripe account (`sk_…`, `rk_…`): parking is paid for online with it. Unset: at the place. Secret.",
    ),
    key("stripe.publishable_key", "Publishable key of the same account (`pk_…`), for the card form in the browser."),
    key(
        "stripe.webhook_secrets",
        "Secrets of the webhook endpoint `/api/v1/webhooks/stripe` (`whsec_…`); while one is replaced, both with a comma between. Secret.",
    ),
    key("stripe.webhook_tolerance_s", "How old a webhook's signature may be, or how far ahead, seconds."),
    key("stripe.url", "Where Stripe's REST API is; plain `http://` only on this machine."),
    key("stripe.script_url", "Where the browser gets Stripe.js from: Stripe itself, or for tests this machine."),
    key("stripe.version", "Version of Stripe's API. Unset: the one that Portico was written against."),
    key("stripe.timeout_ms", "Milliseconds for one attempt to reach Stripe."),
    key(
        "bridge.addr",
        "Address and port of the MQTT bridge for locks, doors and parking sensors with firmware from before Portico; port 0 takes any free one. What comes over it is not proved. Unset: there is none.",
    ),
    key("bridge.logins", "Who may connect to the bridge: `NAME:PASSWORD`, several with commas between. Secret."),
    key(
        "bridge.devices",
        "Devices that the bridge takes, by what they call themselves: the hardware id they are registered with.",
    ),
    key("bridge.organization", "Id of the organisation whose devices they are. Unset: the only one."),
    key(
        "http.tls_cert",
        "File with the certificate chain (PEM); with `tls_key` the server speaks HTTPS. A renewed file is noticed.",
    ),
    key("http.tls_key", "File with the private key (PEM)."),
    key("http.hsts_s", "Seconds for which a browser that came over HTTPS insists on it (HSTS); 0: never."),
    key(
        "http.cors_origins",
        "Origins, such as `https://panel.example`, whose pages may call the API and open websockets with credentials.",
    ),
    key(
        "http.trusted_proxies",
        "Addresses or networks (`10.0.0.0/8`) of reverse proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.",
    ),
    key(
        "http.proxy_secret",
        "Secret that a trusted proxy presents in `X-Proxy-Secret`, at least 16 characters; only beside it does its `X-User-ID` name the user who asks. Unset: that header names nobody. Secret.",
    ),
    key("http.body_limit_bytes", "Largest body of a request, bytes."),
    key("http.timeout_ms", "Milliseconds until a request without an answer is answered 503."),
    key(
        "http.header_timeout_ms",
        "Milliseconds a client may take to send the head of a request, or the next one of a kept connection.",
    ),
    key("http.max_connections", "Connections at the same time, live ones included; more are closed at once."),
    key("http.shutdown_ms", "Milliseconds that requests under way get to finish at shutdown."),
    key(
        "http.metrics_token",
        "Token for `/metrics` (`Authorization: Bearer TOKEN`); unset: only this machine may read it. Secret.",
    ),
    key("http.rate_limits.enabled", "Whether requests are limited at all."),
    key(
        "http.rate_limits.sign_in_per_minute",
        "Attempts to sign in, set up or change a password, by address (IPv6: by /64, here and below).",
    ),
    key(
        "http.rate_limits.register_per_minute",
        "Accounts, devices or locks registered, cards and fingers handed in by readers (`register_rfid`, `register_fingerprint`), by address.",
    ),
    key(
        "http.rate_limits.address_per_minute",
        "All other requests, by address, whoever makes them: an office or a gateway speaks for many.",
    ),
    key("http.rate_limits.user_per_minute", "Requests of one user, from wherever."),
    key("http.rate_limits.device_per_minute", "Requests of one device, from wherever."),
    key("http.rate_limits.service_per_minute", "Requests with one service key, from wherever."),
    key("http.live.topics_per_connection", "Topics that one connection may follow."),
    key(
        "http.live.connections_per_user",
        "Connections that one user may have on this server: a tab each, and some to spare.",
    ),
    key("http.live.message_limit_bytes", "Largest message of a client, bytes."),
    key(
        "http.live.messages_per_s",
        "Messages and topics that a connection may send a second; one that sends more is read more slowly.",
    ),
    key("http.live.ping_ms", "Milliseconds between two pings."),
    key("http.live.silence_ms", "Milliseconds after which a client that is not heard is closed."),
    key("http.live.send_timeout_ms", "Milliseconds after which a client that takes nothing is closed."),
    key(
        "http.live.recheck_ms",
        "Milliseconds between two checks that the session is still good, should another server have ended it.",
    ),
    key("mqtt.tls_addr", "Address and port of the embedded broker's TLS listener; unset: none."),
    key("mqtt.tls_cert", "File with the certificate chain (PEM) of the TLS listener; a renewed file is noticed."),
    key("mqtt.tls_key", "File with the private key (PEM) of the TLS listener."),
    key(
        "mqtt.websocket_addr",
        "Address and port of the embedded broker's WebSocket listener (path `/mqtt`); unset: none.",
    ),
    key(
        "mqtt.websocket_origins",
        "Origins of pages that may use the WebSocket listener; clients that are no browsers send none and may.",
    ),
    key("mqtt.prefix", "First levels of every topic, such as `site-1`; empty: none."),
    key("mqtt.persistent", "Keep sessions and retained messages of the embedded broker in the data directory."),
    key("mqtt.limits.max_connections", "Connections at the same time."),
    key("mqtt.limits.max_connections_per_address", "Connections at the same time from one address."),
    key("mqtt.limits.max_pending", "Connections that have not authenticated yet, all together."),
    key("mqtt.limits.connect_timeout_ms", "Milliseconds until a new connection must have authenticated."),
    key(
        "mqtt.limits.max_connect_bytes",
        "Bytes a client may send before it has authenticated, TLS and WebSocket handshakes included.",
    ),
    key("mqtt.limits.max_packet_bytes", "Bytes of the largest packet."),
    key(
        "mqtt.limits.receive_maximum",
        "Messages of one client that are not acknowledged yet; more are not read (MQTT 5: receive maximum).",
    ),
    key(
        "mqtt.limits.max_unstored_bytes",
        "Bytes of messages, of all clients, that are not stored yet; while they are in use, more are not read.",
    ),
    key("mqtt.limits.channel_capacity", "Messages waiting in memory for one connected client."),
    key("mqtt.limits.max_queued_messages", "Messages queued for one client that is away."),
    key("mqtt.limits.max_queued_bytes", "Bytes queued for one client that is away."),
    key("mqtt.limits.max_subscriptions", "Subscriptions of one client."),
    key("mqtt.limits.max_retained_messages", "Retained messages in the broker."),
    key("mqtt.limits.session_expiry_s", "Seconds after which the session of a client that is away is forgotten."),
    key(
        "mqtt.limits.store_timeout_ms",
        "Milliseconds a message waits to be stored before its connection is closed without an acknowledgement.",
    ),
    key("mail.host", "Name of the mail server (SMTP) that takes our e-mail; unset: none is sent."),
    key("mail.port", "Its port; unset: 587 with `starttls`, 465 with `tls`, 25 with `none`."),
    key("mail.tls", "`starttls`, `tls` from the first byte, or `none` (for a server on this machine)."),
    key("mail.tls_ca", "File with certificates (PEM) that the mail server's may be signed by, beside the public ones."),
    key("mail.user", "Name to sign in to the mail server with."),
    key("mail.password", "Password to sign in to the mail server with. Secret."),
    key("mail.from", "Sender of our e-mail: `Name <name@example.org>`."),
    key("mail.timeout_ms", "Milliseconds that the mail server may take to answer a step."),
    key(
        "webhooks.allow_private_addresses",
        "Whether webhooks and pushes may go to this machine and private networks, and by plain `http://`.",
    ),
    key("webhooks.timeout_ms", "Milliseconds for one attempt to deliver a webhook or a push."),
    key("webhooks.max_per_organization", "Webhooks that one organisation may have."),
];

/// The text of `docs/configuration.md`.
#[must_use]
pub fn reference() -> String {
    let defaults = serde_json::to_value(Config::default()).unwrap_or_default();
    let mut text = String::from(
        "# Configuration\n\nMade by `portico config reference`; a test keeps it true.\n\n\
         Sources, the later winning: defaults, `portico.toml` (or `--config FILE`), `.env`, the environment, the command line.\n\
         In the environment a key is upper case behind `PORTICO_`, with two underscores for a dot:\n\
         `database.max_connections` is `PORTICO_DATABASE__MAX_CONNECTIONS`. `portico config check` tells every mistake at once.\n\n\
         | key | default | meaning |\n|---|---|---|\n",
    );
    for key in KEYS {
        let default = default_of(&defaults, key.path);
        let _ = writeln!(text, "| `{}` | {default} | {} |", key.path, key.meaning);
    }
    text
}

fn default_of(defaults: &Value, path: &str) -> String {
    match path.split('.').try_fold(defaults, |value, part| value.get(part)) {
        None | Some(Value::Null) => "unset".to_owned(),
        Some(Value::String(text)) => format!("`{text}`"),
        Some(value) => format!("`{value}`"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn paths(value: &Value, prefix: &str, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                for (name, inner) in fields {
                    let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                    paths(inner, &path, into);
                }
            }
            _ => {
                into.insert(prefix.to_owned());
            }
        }
    }

    #[test]
    fn every_setting_is_documented_and_every_documented_one_exists() {
        let mut existing = BTreeSet::new();
        paths(&serde_json::to_value(Config::default()).unwrap(), "", &mut existing);
        let documented: BTreeSet<String> = KEYS.iter().map(|key| key.path.to_owned()).collect();
        assert_eq!(existing, documented);
    }

    #[test]
    fn reference_in_docs_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        assert!(text == reference(), "run `portico config reference > docs/configuration.md`");
    }
}
