//! The few REST calls a simulator needs: sign in, register a device, replace a lost key.

use std::time::Duration;

use portico_model::DeviceId;
use portico_model::devices::NewDevice;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use tokio::sync::Mutex;

/// Who the simulator is for the REST API.
#[derive(Clone)]
pub enum Credentials {
    /// A person's account.
    Password { username: String, password: String },
    /// An access token, used until it expires.
    Bearer(String),
    /// The configured admin token.
    AdminToken(String),
}

/// Why a REST call failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("the server cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    #[error("{method} {path} was answered {status}: {message}")]
    Refused { method: Method, path: String, status: StatusCode, message: String },
    #[error("{path} was answered without {missing}")]
    Unexpected { path: String, missing: &'static str },
}

impl ApiError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Refused { status, .. } => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
            Self::Unexpected { .. } => false,
        }
    }

    pub(crate) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// A client of the REST API that signs in when it has to.
pub struct Api {
    base: String,
    http: reqwest::Client,
    credentials: Credentials,
    authorization: Mutex<Option<String>>,
}

impl Api {
    /// `base`: such as `http://127.0.0.1:3000`.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new(base: &str, credentials: Credentials) -> Result<Self, ApiError> {
        // The one provider of TLS in the program; a second call only says that it is there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(15))
            .no_proxy()
            .build()
            .map_err(ApiError::Unreachable)?;
        Ok(Self { base: base.trim_end_matches('/').to_owned(), http, credentials, authorization: Mutex::new(None) })
    }

    /// The id and key of a device with that hardware id: registered now, or its lost key replaced.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn register(&self, device: &NewDevice) -> Result<(DeviceId, String), ApiError> {
        const PATH: &str = "/api/v1/devices/register";
        let body = serde_json::to_value(device).unwrap_or_default();
        match self.call(Method::POST, PATH, Some(&body)).await {
            Ok(answer) => id_and_key(PATH, &answer),
            Err(error) if error.status() == Some(StatusCode::CONFLICT) => {
                let hardware_id = device.hardware_id.as_deref().unwrap_or_default();
                match self.find(hardware_id).await? {
                    Some(id) => Ok((id, self.rotate_key(id).await?)),
                    None => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// A new key for a device; the old one ends.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn rotate_key(&self, device: DeviceId) -> Result<String, ApiError> {
        let path = format!("/api/v1/devices/{device}/key");
        let answer = self.call(Method::POST, &path, Some(&json!({}))).await?;
        let key = answer["api_key"].as_str().or(answer["device"]["api_key"].as_str());
        Ok(key.ok_or(ApiError::Unexpected { path, missing: "api_key" })?.to_owned())
    }

    /// The device with exactly that hardware id.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn find(&self, hardware_id: &str) -> Result<Option<DeviceId>, ApiError> {
        let path = format!("/api/v1/devices?search={hardware_id}&limit=100");
        let answer = self.call(Method::GET, &path, None).await?;
        let list = ["items", "devices"].iter().find_map(|key| answer[key].as_array()).or(answer.as_array());
        let found = list.into_iter().flatten().find(|device| device["hardware_id"] == hardware_id);
        Ok(found.and_then(|device| device["id"].as_str()?.parse().ok()))
    }

    /// A file of the server for a device, from a byte on; whole when it is another one than `sha256` says. `path` may be
    /// a whole address.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn range(
        &self,
        path: &str,
        api_key: &str,
        from: usize,
        sha256: &str,
    ) -> Result<reqwest::Response, ApiError> {
        let address = if path.starts_with('/') { format!("{}{path}", self.base) } else { path.to_owned() };
        let mut request = self.http.get(address).header("x-api-key", api_key);
        if from > 0 {
            request = request
                .header(header::RANGE, format!("bytes={from}-"))
                .header(header::IF_RANGE, format!("\"{sha256}\""));
        }
        request.send().await.map_err(ApiError::Unreachable)
    }

    /// Makes something.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, ApiError> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Posts a file as it is.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn upload(&self, path: &str, content: Vec<u8>) -> Result<Value, ApiError> {
        let authorization = self.authorization().await?;
        let request = self.http.post(format!("{}{path}", self.base)).header(header::AUTHORIZATION, authorization);
        answer(Method::POST, path, request.body(content).send().await.map_err(ApiError::Unreachable)?).await
    }

    /// A device's own call, with its key.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn own(
        &self,
        method: Method,
        path: &str,
        api_key: &str,
        body: Option<&Value>,
    ) -> Result<Value, ApiError> {
        let mut request =
            self.http.request(method.clone(), format!("{}{path}", self.base)).header("x-api-key", api_key);
        if let Some(body) = body {
            request = request.json(body);
        }
        answer(method, path, request.send().await.map_err(ApiError::Unreachable)?).await
    }

    /// One call with credentials; signs in first when needed, once more when the token has expired, and waits as long
    /// as a rate limit says.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, ApiError> {
        let mut signed_in_again = false;
        let mut waits = 0;
        loop {
            let authorization = self.authorization().await?;
            let mut request = self
                .http
                .request(method.clone(), format!("{}{path}", self.base))
                .header(header::AUTHORIZATION, &authorization);
            if let Some(body) = body {
                request = request.json(body);
            }
            let response = request.send().await.map_err(ApiError::Unreachable)?;
            match response.status() {
                StatusCode::UNAUTHORIZED
                    if !signed_in_again && matches!(self.credentials, Credentials::Password { .. }) =>
                {
                    signed_in_again = true;
                    let mut current = self.authorization.lock().await;
                    if current.as_ref() == Some(&authorization) {
                        *current = None;
                    }
                }
                StatusCode::TOO_MANY_REQUESTS if waits < 10 => {
                    waits += 1;
                    let seconds =
                        response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
                    tokio::time::sleep(Duration::from_secs(seconds.unwrap_or(1).clamp(1, 60))).await;
                }
                _ => return answer(method, path, response).await,
            }
        }
    }

    /// The value of the `Authorization` header, signing in first when needed.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn authorization(&self) -> Result<String, ApiError> {
        let (username, password) = match &self.credentials {
            Credentials::Bearer(token) => return Ok(format!("Bearer {token}")),
            Credentials::AdminToken(token) => return Ok(format!("admin {token}")),
            Credentials::Password { username, password } => (username, password),
        };
        let mut current = self.authorization.lock().await;
        if let Some(authorization) = &*current {
            return Ok(authorization.clone());
        }
        const PATH: &str = "/api/v1/auth/login";
        let body = json!({ "username": username, "password": password });
        let response =
            self.http.post(format!("{}{PATH}", self.base)).json(&body).send().await.map_err(ApiError::Unreachable)?;
        let answer = answer(Method::POST, PATH, response).await?;
        let token = answer["access_token"].as_str();
        let token = token.ok_or(ApiError::Unexpected { path: PATH.to_owned(), missing: "access_token" })?;
        Ok(current.insert(format!("Bearer {token}")).clone())
    }
}

async fn answer(method: Method, path: &str, response: reqwest::Response) -> Result<Value, ApiError> {
    let status = response.status();
    let text = response.text().await.map_err(ApiError::Unreachable)?;
    let value: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    if status.is_success() {
        return Ok(value);
    }
    let message = value["detail"].as_str().or(value["error"].as_str()).unwrap_or(&text).chars().take(300).collect();
    Err(ApiError::Refused { method, path: path.to_owned(), status, message })
}

/// Reads `{"device": {"id", …}, "api_key"}`, also with the key inside the device, as the contract's older form has it.
fn id_and_key(path: &str, answer: &Value) -> Result<(DeviceId, String), ApiError> {
    let missing = |missing| ApiError::Unexpected { path: path.to_owned(), missing };
    let device = &answer["device"];
    let id = device["id"].as_str().and_then(|id| id.parse().ok()).ok_or_else(|| missing("device.id"))?;
    let key = answer["api_key"].as_str().or(device["api_key"].as_str()).ok_or_else(|| missing("api_key"))?;
    Ok((id, key.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_found_in_both_forms() {
        let id = "0193a000000070008000000000000001";
        for answer in [json!({"device": {"id": id}, "api_key": "k"}), json!({"device": {"id": id, "api_key": "k"}})] {
            let (found, key) = id_and_key("/", &answer).unwrap();
            assert_eq!((found.to_string().as_str(), key.as_str()), (id, "k"));
        }
        assert!(id_and_key("/", &json!({"device": {"id": id}})).is_err());
    }
}
