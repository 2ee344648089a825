//! Acknowledgements that wait for the commit, many for one connection at once.
//!
//! The broker acknowledges a QoS 1 message as soon as its callback returns, and reads the next one only then. A device
//! would get one message stored per commit. So the callback returns at once, the acknowledgement the broker writes is
//! swallowed by [`Acknowledging`], and ours is written when the message is stored: in the order in which the messages
//! came (MQTT 3.1.1, 4.6). Meanwhile the connection stays alive.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use futures::stream::{FuturesOrdered, Stream};
use mqtt5::broker::transport::WebSocketTransport;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::connection::Connection;
use crate::BoxFuture;

const PUBACK: u8 = 0x40;

/// How many messages of all connections are not acknowledged yet; shutdown waits for none.
pub(super) type Total = Arc<AtomicUsize>;

/// The messages of one connection that are being stored. Its task drives them whenever it reads or writes.
pub(super) struct Unacknowledged {
    state: Mutex<State>,
    total: Total,
}

#[derive(Default)]
struct State {
    /// Whether the message is stored.
    under_way: FuturesOrdered<BoxFuture<'static, (u16, bool)>>,
    /// The packet id whose acknowledgement the broker writes next.
    swallow: Option<u16>,
    /// Acknowledgements to be written.
    out: BytesMut,
    /// Messages whose acknowledgement has not left.
    owed: usize,
    failed: bool,
}

impl Unacknowledged {
    pub(super) fn new(total: Total) -> Self {
        Self { state: Mutex::default(), total }
    }

    /// Begins to store a message; the broker's acknowledgement of it, which comes next, will be swallowed.
    pub(super) fn push(&self, packet_id: u16, stored: BoxFuture<'static, bool>) {
        let mut state = self.state();
        state.under_way.push_back(Box::pin(async move { (packet_id, stored.await) }));
        state.swallow = Some(packet_id);
        state.owed += 1;
        self.total.fetch_add(1, Ordering::Relaxed);
    }

    /// Drives the messages; true when fewer than `most` are left.
    pub(super) fn poll_room(&self, cx: &mut Context<'_>, most: usize) -> Poll<()> {
        let mut state = self.state();
        state.progress(cx);
        if state.under_way.len() < most || state.failed { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Drives the messages while something else is awaited: a place in the handler's queue that one of them has been
    /// given must not stay unused.
    pub(super) async fn while_waiting<F: Future>(&self, other: F) -> F::Output {
        let mut other = std::pin::pin!(other);
        std::future::poll_fn(|cx| {
            self.state().progress(cx);
            other.as_mut().poll(cx)
        })
        .await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn progress(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some((packet_id, stored))) = Pin::new(&mut self.under_way).poll_next(cx) {
            if stored && !self.failed {
                let [high, low] = packet_id.to_be_bytes();
                // The same in MQTT 5, where a missing reason code means success.
                self.out.extend_from_slice(&[PUBACK, 2, high, low]);
            } else {
                self.failed = true;
            }
        }
    }
}

impl Drop for Unacknowledged {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.total.fetch_sub(state.owed, Ordering::Relaxed);
    }
}

/// The stream between the broker's protocol and the transport, in the only shape in which the broker takes a stream
/// that it did not make itself.
pub(super) struct Acknowledging<S> {
    inner: S,
    connection: Arc<Connection>,
    /// Bytes of the broker's packet that are still to be written: nothing may come in between.
    partial: usize,
    unflushed: bool,
    /// Cancelled: nothing more is read, so that what was read can be acknowledged.
    stopping: CancellationToken,
    closed: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Acknowledging<S> {
    pub(super) fn new(inner: S, connection: Arc<Connection>, stopping: CancellationToken) -> Self {
        Self { inner, connection, partial: 0, unflushed: false, stopping, closed: None }
    }

    /// Drives the messages and writes what acknowledgements the transport takes; true when all are written.
    fn acknowledge(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let unacknowledged = &self.connection.unacknowledged;
        let mut state = unacknowledged.state();
        state.progress(cx);
        if state.failed {
            // Even the acknowledgements before it stay: the client sends all of them again.
            drop(state);
            self.connection.close();
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, "a message could not be stored"));
        }
        if self.partial > 0 {
            return Ok(false);
        }
        while !state.out.is_empty() {
            match Pin::new(&mut self.inner).poll_write(cx, &state.out)? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(written) => {
                    state.out.advance(written);
                    self.unflushed = true;
                }
                Poll::Pending => return Ok(false),
            }
        }
        if self.unflushed && Pin::new(&mut self.inner).poll_flush(cx)?.is_ready() {
            self.unflushed = false;
        }
        if !self.unflushed && state.owed > state.under_way.len() {
            let left = state.under_way.len();
            unacknowledged.total.fetch_sub(state.owed - left, Ordering::Relaxed);
            state.owed = left;
        }
        Ok(true)
    }

    /// The broker's acknowledgement of a message that is not stored yet.
    fn swallows(&self, packet: &[u8]) -> bool {
        let mut state = self.connection.unacknowledged.state();
        let [PUBACK, _, high, low, ..] = *packet else { return false };
        let swallow = state.swallow == Some(u16::from_be_bytes([high, low]));
        if swallow {
            state.swallow = None;
        }
        swallow
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Acknowledging<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.acknowledge(cx)?;
        if this.stopping.is_cancelled() {
            let closed =
                this.closed.get_or_insert_with(|| Box::pin(this.connection.closed().clone().cancelled_owned()));
            return match closed.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
                Poll::Pending => Poll::Pending,
            };
        }
        Pin::new(&mut this.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Acknowledging<S> {
    /// The broker writes whole packets.
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let all_written = this.acknowledge(cx)?;
        if this.partial == 0 {
            if this.swallows(buf) {
                return Poll::Ready(Ok(buf.len()));
            }
            if !all_written {
                return Poll::Pending;
            }
            this.partial = buf.len();
        }
        match Pin::new(&mut this.inner).poll_write(cx, buf) {
            Poll::Ready(Ok(written)) => {
                this.partial = this.partial.saturating_sub(written);
                Poll::Ready(Ok(written))
            }
            other => other,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.acknowledge(cx)?;
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> WebSocketTransport for Acknowledging<S> {
    fn peer_addr(&self) -> mqtt5::Result<SocketAddr> {
        Ok(self.connection.peer)
    }
}
