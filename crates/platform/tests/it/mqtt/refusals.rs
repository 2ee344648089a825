//! Who is not let in, and what those who are in may not do.

use portico_platform::mqtt::{MqttConfig, MqttLimits};
use secrecy::ExposeSecret;

use super::raw::{Connect, PUBACK, PUBREC, Raw};
use super::stand::{Stand, device, key_of, topic};

const NOT_AUTHORIZED_5: u8 = 0x87;

async fn answer(stand: &Stand, connect: &Connect) -> Option<u8> {
    Raw::open(stand.addr).await.try_connect(connect).await.map(|(code, _)| code)
}

#[tokio::test]
async fn wrong_credentials_are_refused() {
    let stand = Stand::start().await;
    let id = device();
    let good = Connect::v4(&id, &key_of(&id));
    let cases = [
        Connect { password: Some("wrong".to_owned()), ..good.clone() },
        Connect { password: Some(String::new()), ..good.clone() },
        Connect { password: None, ..good.clone() },
        Connect { password: None, user_name: None, ..good.clone() },
        Connect { client_id: String::new(), ..good.clone() },
        // The server's user name without its password.
        Connect::v4("portico", "portico"),
    ];
    for (number, case) in cases.iter().enumerate() {
        assert!(matches!(answer(&stand, case).await, Some(4 | 5)), "3.1.1 case {number}");
        let case = Connect { level: 5, ..case.clone() };
        assert!(matches!(answer(&stand, &case).await, Some(0x86 | NOT_AUTHORIZED_5)), "5 case {number}");
    }
    assert_eq!(stand.broker.connections(), 0);
    assert_eq!(answer(&stand, &good).await, Some(0));
}

#[tokio::test]
async fn old_protocol_version_is_refused() {
    let stand = Stand::start().await;
    let id = device();
    let code = answer(&stand, &Connect { level: 3, ..Connect::v4(&id, &key_of(&id)) }).await;
    assert!(matches!(code, Some(1) | None), "{code:?}");
}

#[tokio::test]
async fn client_id_of_another_is_refused_and_does_not_disturb_its_owner() {
    let stand = Stand::start().await;
    let (owner, thief) = (device(), device());
    let mut raw = Raw::connect(stand.addr, &Connect::v4(&owner, &key_of(&owner)).keeping_session()).await;
    assert_eq!(raw.subscribe(&topic(&owner, "command"), 1).await, 1);
    for level in [4, 5] {
        for clean in [true, false] {
            for client_id in [owner.clone(), owner.to_uppercase(), format!("{owner}x"), "portico".to_owned()] {
                let steal =
                    Connect { level, clean, client_id: client_id.clone(), ..Connect::v4(&thief, &key_of(&thief)) };
                assert!(matches!(answer(&stand, &steal).await, Some(5 | NOT_AUTHORIZED_5)), "{client_id}");
            }
        }
    }
    raw.ping().await;
    drop(raw);
    // The queue of its session stays its own, too.
    let client = stand.client().await;
    client.publish(&topic(&owner, "command"), "secret".into(), 1, false).await.unwrap();
    let steal = Connect { client_id: owner.clone(), clean: false, ..Connect::v4(&thief, &key_of(&thief)) };
    assert_eq!(answer(&stand, &steal).await, Some(5));
    let mut raw = Raw::connect(stand.addr, &Connect::v4(&owner, &key_of(&owner)).keeping_session()).await;
    assert_eq!(raw.message().await.payload, "secret");
}

#[tokio::test]
async fn publishing_for_another_device_is_refused() {
    let mut stand = Stand::start().await;
    let (id, other) = (device(), device());
    let mut victim = stand.v4(&other).await;
    assert_eq!(victim.subscribe(&topic(&other, "command"), 1).await, 1);
    let topics = [
        topic(&other, "telemetry"),
        topic(&other, "command"),
        topic(&id, "command"),
        "x".to_owned(),
        "portico/events/x".to_owned(),
        "$SYS/broker".to_owned(),
    ];

    let mut raw = stand.v4(&id).await;
    for topic in &topics {
        // 3.1.1 has no negative acknowledgement: the message is dropped, the client can go on.
        raw.publish(topic, "forged", 0, 0).await;
        raw.publish(topic, "forged", 1, 1).await;
        assert_eq!(raw.expect(PUBACK).await.body, [0, 1], "{topic}");
        raw.publish(topic, "forged", 2, 2).await;
        assert_eq!(raw.expect(PUBREC).await.body, [0, 2], "{topic}");
        raw.pubrel(2).await;
        raw.expect(7).await;
    }
    let mut raw = stand.v5(&id).await;
    for topic in &topics {
        raw.publish(topic, "forged", 0, 0).await;
        raw.publish(topic, "forged", 1, 1).await;
        assert_eq!(raw.expect(PUBACK).await.body[..3], [0, 1, NOT_AUTHORIZED_5], "{topic}");
        raw.publish(topic, "forged", 2, 2).await;
        assert_eq!(raw.expect(PUBREC).await.body[..3], [0, 2, NOT_AUTHORIZED_5], "{topic}");
    }
    raw.ping().await;
    stand.seen.nothing_stored();
    victim.ping().await;
}

#[tokio::test]
async fn only_the_own_command_topics_can_be_subscribed() {
    let stand = Stand::start().await;
    let (id, other) = (device(), device());
    let filters = [
        topic(&other, "command"),
        topic(&id, "telemetry"),
        topic(&id, "+"),
        topic(&id, "#"),
        format!("devices/+/{}", "command"),
        "#".to_owned(),
        "+/+/+".to_owned(),
        "$SYS/#".to_owned(),
        format!("$share/g/{}", topic(&id, "command")),
        "$share/g/#".to_owned(),
    ];
    for filter in &filters {
        let mut raw = stand.v4(&id).await;
        assert_eq!(raw.subscribe(filter, 1).await, 0x80, "{filter}");
        let mut raw = stand.v5(&id).await;
        assert_eq!(raw.subscribe(filter, 1).await, NOT_AUTHORIZED_5, "{filter}");
        raw.ping().await;
    }
}

#[tokio::test]
async fn will_outside_the_own_topics_is_refused_at_connect() {
    let mut stand = Stand::start().await;
    let _client = stand.client().await;
    let (id, other) = (device(), device());
    for will in [
        topic(&other, "status"),
        topic(&id, "command"),
        topic(&id, "+"),
        "#".to_owned(),
        "x".to_owned(),
        "/".repeat(100),
        topic(&id, "status") + "/deeper",
    ] {
        for level in [4, 5] {
            let connect = Connect { level, ..Connect::v4(&id, &key_of(&id)) }.with_will(&will, "forged");
            let code = answer(&stand, &connect).await;
            assert!(matches!(code, Some(5 | NOT_AUTHORIZED_5) | None), "{will}: {code:?}");
        }
    }
    stand.seen.nothing_stored();
}

#[tokio::test]
async fn very_deep_and_very_long_topics_do_no_harm() {
    let mut stand = Stand::start().await;
    let id = device();
    let mut bystander = stand.v4(&device()).await;
    for strange in ["/".repeat(65_000), "a/".repeat(17), "x".repeat(65_000), "x".repeat(257)] {
        for retain in [false, true] {
            let mut raw = stand.v4(&id).await;
            let bytes = raw.publish_bytes(&strange, b"x", 1, 1, retain);
            raw.send(&bytes).await;
            // Dropped or hung up, both are fine.
            let _ = raw.next().await;
            let mut raw = stand.v4(&id).await;
            let _ = raw.subscribe_any(&strange).await;
        }
    }
    bystander.ping().await;
    stand.seen.nothing_stored();
}

impl Raw {
    /// The SUBACK's code, or `None` when hung up.
    async fn subscribe_any(&mut self, filter: &str) -> Option<u8> {
        let mut body = vec![0, 9];
        super::raw::string(&mut body, filter);
        body.push(0);
        self.send(&super::raw::packet(0x82, &body)).await;
        let code = self.next().await.and_then(|packet| packet.body.last().copied());
        assert!(code.is_none_or(|code| code >= 0x80));
        code
    }
}

#[tokio::test]
async fn too_many_subscriptions_are_refused() {
    let limits = MqttLimits { max_subscriptions: 3, ..MqttLimits::default() };
    let stand = Stand::with(MqttConfig { limits, ..MqttConfig::default() }).await;
    let connect = Connect::v5("portico", stand.server.password.expose_secret());
    let mut raw = Raw::connect(stand.addr, &connect).await;
    for number in 0..3 {
        assert_eq!(raw.subscribe(&format!("x/{number}"), 1).await, 1);
    }
    assert_eq!(raw.subscribe("x/3", 1).await, 0x97);
}

#[tokio::test]
async fn revoked_device_is_cut_off_and_does_not_come_back() {
    let stand = Stand::start().await;
    let (id, other) = (device(), device());
    let mut raw = stand.v4(&id).await;
    let mut bystander = stand.v4(&other).await;
    stand.keys.revoke(&id);
    stand.broker.disconnect_client(&id);
    raw.expect_end().await;
    assert!(matches!(answer(&stand, &Connect::v4(&id, &key_of(&id))).await, Some(4 | 5)));
    bystander.ping().await;
}
