//! A real mail server for tests: takes mail over SMTP and shows it.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::config::Config;
use crate::delivery::config::MailTls;

/// A mail as its reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaughtMail {
    /// The envelope's.
    pub from: String,
    /// The envelope's.
    pub to: String,
    pub subject: String,
    /// Decoded, lines ended by `\n`.
    pub text: String,
    /// As it came over the wire.
    pub raw: String,
}

impl CaughtMail {
    /// The first link in the text.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn link(&self) -> String {
        let at = self.text.find("http").unwrap_or_else(|| panic!("no link in {self:?}"));
        self.text[at..].split_whitespace().next().unwrap().to_owned()
    }
}

/// A mail server on a free port of this machine; ends when dropped.
pub struct MailCatcher {
    port: u16,
    tls: Option<MailTls>,
    state: Arc<State>,
    listening: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    mails: Mutex<VecDeque<CaughtMail>>,
    /// What RCPT is answered, while it is refused.
    refusal: Mutex<Option<String>>,
    /// Who must sign in, when anyone must.
    login: Mutex<Option<(String, String)>>,
    arrived: Notify,
}

impl MailCatcher {
    /// A server without TLS.
    ///
    /// # Panics
    /// When no port is to be had.
    pub async fn start() -> Self {
        Self::listen(None).await
    }

    /// A server with TLS, of the given kind.
    ///
    /// # Panics
    /// When certificate or key (PEM files) are not good.
    pub async fn start_tls(kind: MailTls, cert: &Path, key: &Path) -> Self {
        use rustls::pki_types::pem::PemObject;
        use rustls::pki_types::{CertificateDer, PrivateKeyDer};
        let chain = CertificateDer::pem_file_iter(cert).unwrap().map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        Self::listen(Some((kind, TlsAcceptor::from(Arc::new(config))))).await
    }

    async fn listen(tls: Option<(MailTls, TlsAcceptor)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::<State>::default();
        let (shared, kind) = (Arc::clone(&state), tls.as_ref().map(|(kind, _)| *kind));
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(talk(stream, tls.clone(), Arc::clone(&shared)));
            }
        });
        Self { port, tls: kind, state, listening }
    }

    /// Makes this the mail server of a platform.
    pub fn configure(&self, config: &mut Config) {
        config.mail.host = Some(if self.tls.is_some() { "localhost" } else { "127.0.0.1" }.to_owned());
        config.mail.port = Some(self.port);
        config.mail.tls = self.tls.unwrap_or(MailTls::None);
        config.mail.timeout_ms = 5_000;
    }

    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// From now on only with this name and password.
    ///
    /// # Panics
    /// Never.
    pub fn require_login(&self, user: &str, password: &str) {
        *self.state.login.lock().unwrap() = Some((user.to_owned(), password.to_owned()));
    }

    /// From now on every recipient is answered with this, such as `450 4.2.1 mailbox busy`; `None`: taken again.
    ///
    /// # Panics
    /// Never.
    pub fn refuse(&self, answer: Option<&str>) {
        *self.state.refusal.lock().unwrap() = answer.map(ToOwned::to_owned);
    }

    /// Everything that came and was not yet asked for, oldest first.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn mails(&self) -> Vec<CaughtMail> {
        self.state.mails.lock().unwrap().iter().cloned().collect()
    }

    /// Waits for the next mail to this address and takes it out.
    ///
    /// # Panics
    /// When none comes within ten seconds.
    pub async fn next_to(&self, address: &str) -> CaughtMail {
        let wait = async {
            loop {
                let arrived = self.state.arrived.notified();
                tokio::pin!(arrived);
                arrived.as_mut().enable();
                {
                    let mut mails = self.state.mails.lock().unwrap();
                    if let Some(at) = mails.iter().position(|mail| mail.to == address) {
                        return mails.remove(at).unwrap();
                    }
                }
                arrived.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), wait)
            .await
            .unwrap_or_else(|_| panic!("no mail to {address} within ten seconds; there are {:?}", self.mails()))
    }
}

impl Drop for MailCatcher {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn talk(stream: TcpStream, tls: Option<(MailTls, TlsAcceptor)>, state: Arc<State>) {
    // A client that goes away in the middle is no fault of the server.
    let _ = match tls {
        None => session(BufReader::new(stream), &state, false, true).await.map(drop),
        Some((MailTls::Tls, acceptor)) => match acceptor.accept(stream).await {
            Ok(stream) => session(BufReader::new(stream), &state, false, true).await.map(drop),
            Err(error) => Err(error),
        },
        Some((_, acceptor)) => match session(BufReader::new(stream), &state, true, true).await {
            Ok(Some(plain)) => match acceptor.accept(plain.into_inner()).await {
                Ok(stream) => session(BufReader::new(stream), &state, false, false).await.map(drop),
                Err(error) => Err(error),
            },
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        },
    };
}

/// One conversation; gives the stream back when the client asks for TLS.
async fn session<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: BufReader<S>,
    state: &State,
    offers_tls: bool,
    greets: bool,
) -> std::io::Result<Option<BufReader<S>>> {
    if greets {
        stream.write_all(b"220 catcher ESMTP\r\n").await?;
    }
    let (mut from, mut to) = (String::new(), Vec::new());
    let mut signed_in = false;
    loop {
        stream.flush().await?;
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let login = state.login.lock().unwrap().clone();
        let answer = match verb.as_str() {
            "EHLO" if offers_tls => "250-catcher\r\n250-8BITMIME\r\n250 STARTTLS".to_owned(),
            "EHLO" if login.is_some() => "250-catcher\r\n250-8BITMIME\r\n250 AUTH PLAIN".to_owned(),
            "EHLO" | "HELO" => "250-catcher\r\n250 8BITMIME".to_owned(),
            "STARTTLS" if offers_tls => {
                stream.write_all(b"220 go ahead\r\n").await?;
                stream.flush().await?;
                return Ok(Some(stream));
            }
            "AUTH" => {
                let given = STANDARD.decode(line.rsplit(' ').next().unwrap_or_default()).unwrap_or_default();
                signed_in = login.is_some_and(|(user, password)| given == format!("\0{user}\0{password}").into_bytes());
                if signed_in { "235 welcome" } else { "535 5.7.8 wrong name or password" }.to_owned()
            }
            "MAIL" | "RCPT" if login.is_some() && !signed_in => "530 5.7.0 sign in first".to_owned(),
            "MAIL" => {
                from = address(line);
                "250 ok".to_owned()
            }
            "RCPT" => {
                let refusal = state.refusal.lock().unwrap().clone();
                if refusal.is_none() {
                    to.push(address(line));
                }
                refusal.unwrap_or_else(|| "250 ok".to_owned())
            }
            "DATA" => {
                stream.write_all(b"354 go ahead\r\n").await?;
                stream.flush().await?;
                let raw = read_data(&mut stream).await?;
                let mut mails = state.mails.lock().unwrap();
                mails.extend(to.drain(..).map(|to| decode(&from, to, &raw)));
                drop(mails);
                state.arrived.notify_waiters();
                "250 taken".to_owned()
            }
            "RSET" | "NOOP" => "250 ok".to_owned(),
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                stream.flush().await?;
                return Ok(None);
            }
            _ => "502 not known".to_owned(),
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}

fn address(line: &str) -> String {
    let inner = line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(inner, _)| inner);
    inner.unwrap_or_default().to_owned()
}

async fn read_data<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>) -> std::io::Result<String> {
    let mut raw = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 || line == ".\r\n" {
            return Ok(raw);
        }
        // A dot at the start of a line is doubled on the wire (RFC 5321, section 4.5.2).
        raw.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}

fn decode(from: &str, to: String, raw: &str) -> CaughtMail {
    let (head, body) = raw.split_once("\r\n\r\n").unwrap_or((raw, ""));
    let head = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let header = |name: &str| {
        let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value.trim()).to_owned()
    };
    let text = match header("Content-Transfer-Encoding").to_ascii_lowercase().as_str() {
        "base64" => {
            let joined: String = body.split_whitespace().collect();
            String::from_utf8(STANDARD.decode(joined).unwrap()).unwrap()
        }
        "quoted-printable" => quoted_printable(body),
        _ => body.to_owned(),
    };
    let text = text.replace("\r\n", "\n");
    CaughtMail { from: from.to_owned(), to, subject: encoded_words(&header("Subject")), text, raw: raw.to_owned() }
}

/// RFC 2045, section 6.7.
fn quoted_printable(text: &str) -> String {
    let mut bytes = Vec::new();
    let joined = text.replace("=\r\n", "");
    let mut rest = joined.as_str();
    while let Some((before, after)) = rest.split_once('=') {
        bytes.extend_from_slice(before.as_bytes());
        bytes.push(u8::from_str_radix(&after[..2], 16).unwrap());
        rest = &after[2..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).unwrap()
}

/// `=?utf-8?b?…?=` (RFC 2047), the only form that our mails have.
fn encoded_words(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("=?utf-8?b?") {
        if !before.trim().is_empty() {
            bytes.extend_from_slice(before.as_bytes());
        }
        let (word, after) = after.split_once("?=").unwrap();
        bytes.extend(STANDARD.decode(word).unwrap());
        rest = after;
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).unwrap()
}
