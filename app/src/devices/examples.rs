//! Ready-to-paste examples with the real id and key.

use leptos::prelude::*;
use portico_model::devices::Device;
use serde::{Deserialize, Serialize};

use crate::ui::CopyButton;

/// Where devices reach this Portico. The server provides it as context; what it does not know is taken from the
/// address of the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// `http://host:port`, without a slash at the end.
    pub http: String,
    pub mqtt_host: String,
    pub mqtt_port: u16,
}

/// The same on the server and at hydration; call it while the page begins, not inside a suspense.
#[must_use]
pub fn use_endpoints() -> Endpoints {
    SharedValue::new(|| {
        #[cfg(feature = "ssr")]
        return crate::server::endpoints();
        #[cfg(not(feature = "ssr"))]
        {
            let location = window().location();
            Endpoints {
                http: location.origin().unwrap_or_default(),
                mqtt_host: location.hostname().unwrap_or_default(),
                mqtt_port: 1883,
            }
        }
    })
    .into_inner()
}

/// Shown in place of a key that is not known any more.
pub const KEY_PLACEHOLDER: &str = "YOUR_API_KEY";

fn mosquitto(endpoints: &Endpoints, id: &str, key: &str) -> String {
    format!(
        "mosquitto_pub -h {} -p {} -q 1 \\\n  -i {id} \\\n  -u {id} \\\n  -P {key} \\\n  -t devices/{id}/telemetry \\\n  -m '{{\"data\": {{\"temperature\": 21.5, \"humidity\": 48}}}}'",
        endpoints.mqtt_host, endpoints.mqtt_port
    )
}

fn curl(endpoints: &Endpoints, key: &str) -> String {
    format!(
        "curl -X POST {}/api/v1/telemetry \\\n  -H 'X-API-Key: {key}' \\\n  -H 'Content-Type: application/json' \\\n  -d '{{\"data\": {{\"temperature\": 21.5, \"humidity\": 48}}}}'",
        endpoints.http
    )
}

fn esp32(endpoints: &Endpoints, id: &str, key: &str, interval_s: i64) -> String {
    format!(
        r#"// Arduino IDE, board "ESP32 Dev Module", library "PubSubClient"
#include <WiFi.h>
#include <PubSubClient.h>

const char* WIFI_NAME = "your network";
const char* WIFI_PASSWORD = "your password";
const char* ID = "{id}";
const char* KEY = "{key}";

WiFiClient network;
PubSubClient mqtt(network);
unsigned long last = 0;

void connectMqtt() {{
  const char* status = "devices/{id}/status";
  // If the device dies, the broker says so in its place.
  while (!mqtt.connect(ID, ID, KEY, status, 1, false, "{{\"status\":\"offline\"}}")) delay(2000);
  mqtt.publish(status, "{{\"status\":\"online\"}}");
}}

void setup() {{
  WiFi.begin(WIFI_NAME, WIFI_PASSWORD);
  while (WiFi.status() != WL_CONNECTED) delay(200);
  mqtt.setServer("{host}", {port});
}}

void loop() {{
  if (!mqtt.connected()) connectMqtt();
  mqtt.loop();
  if (last == 0 || millis() - last > {interval_ms}UL) {{
    last = millis();
    char text[96];
    snprintf(text, sizeof text, "{{\"data\":{{\"temperature\":%.2f}}}}", temperatureRead());
    mqtt.publish("devices/{id}/telemetry", text);
  }}
}}"#,
        host = endpoints.mqtt_host,
        port = endpoints.mqtt_port,
        interval_ms = interval_s.saturating_mul(1_000),
    )
}

/// The three examples.
#[component]
pub fn Examples(device: Device, #[prop(into)] api_key: String, endpoints: Endpoints) -> impl IntoView {
    let id = device.id.to_string();
    view! {
        <div class="examples">
            <Example
                title="MQTT"
                what="MQTT example"
                open=true
                text=mosquitto(&endpoints, &id, &api_key)
                about="Package mosquitto-clients. User name and client id are the device's id, the password is its key."
            />
            <Example
                title="HTTP"
                what="HTTP example"
                open=true
                text=curl(&endpoints, &api_key)
                about="For devices and scripts that do not speak MQTT."
            />
            <Example
                title="ESP32"
                what="ESP32 sketch"
                open=false
                text=esp32(&endpoints, &id, &api_key, device.heartbeat_interval_s)
                about="A whole sketch: connects, announces itself, leaves a last will, sends its temperature."
            />
        </div>
    }
}

#[component]
fn Example(title: &'static str, what: &'static str, open: bool, text: String, about: &'static str) -> impl IntoView {
    view! {
        <details class="example" open=open>
            <summary>{title}</summary>
            <p class="quiet">{about}</p>
            <div class="code">
                <pre tabindex="0" aria-label=what>
                    <code>{text.clone()}</code>
                </pre>
                <CopyButton text=Signal::stored(text) what />
            </div>
        </details>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints() -> Endpoints {
        Endpoints { http: "http://localhost:3000".into(), mqtt_host: "localhost".into(), mqtt_port: 1883 }
    }

    #[test]
    fn examples_hold_the_real_id_and_key() {
        let (id, key) = ("0".repeat(32), "k".repeat(32));
        for text in [mosquitto(&endpoints(), &id, &key), esp32(&endpoints(), &id, &key, 60)] {
            assert!(text.contains(&format!("devices/{id}/telemetry")) && text.contains(&key), "{text}");
        }
        assert!(curl(&endpoints(), &key).contains(&key));
    }
}
