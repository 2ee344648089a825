//! A device that talks to this domain: over HTTP with its key, and over MQTT.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use http_body_util::BodyExt as _;
use portico_model::DeviceId;
use portico_model::devices::NewDevice;
use portico_platform::mqtt::{Inbound, Topics};
use serde_json::Value;
use tower::ServiceExt as _;

use crate::World;

pub struct Device {
    pub id: DeviceId,
    pub key: String,
    app: Router,
}

impl Device {
    pub async fn register(world: &World, name: &str, device_type: &str) -> Self {
        let new = NewDevice { name: name.into(), device_type: device_type.into(), ..NewDevice::default() };
        let made = world.devices.register(&world.manager, new).await.unwrap();
        let (app, _) = portico_access::rest::router(world.access.clone()).split_for_parts();
        Self { id: made.device.id, key: made.api_key, app }
    }

    /// Status and body of an answer over HTTP.
    pub async fn http(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let request = Request::builder().method(method).uri(path).header("x-api-key", &self.key);
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let response = self.app.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// Publishes on one of its topics (`event`, `status`, `ack`); done when it is committed.
    pub async fn publish(&self, world: &World, kind: &str, payload: &Value) {
        let message = Inbound {
            topic: format!("devices/{}/{kind}", self.id),
            payload: payload.to_string().into_bytes().into(),
            retained: false,
            durable: true,
            received_at: world.platform.clock.now(),
        };
        world.devices.message_handler(Topics::default()).handle(message).await.unwrap();
    }
}
