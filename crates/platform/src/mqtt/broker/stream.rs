//! The socket under every transport: it limits what a client may send before it has authenticated and until when it
//! must have, and it can be cut off while the broker is busy with a message.
//!
//! The limits sit below TLS and WebSocket so that a half-sent handshake, frame or CONNECT costs no more than they say.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use mqtt5::broker::transport::WebSocketTransport;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::connection::Connection;

pub(super) struct GuardedStream {
    socket: TcpStream,
    connection: Arc<Connection>,
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Until the connection has authenticated.
    probation: Option<Probation>,
}

struct Probation {
    bytes_left: usize,
    deadline: Pin<Box<Sleep>>,
}

impl GuardedStream {
    pub(super) fn new(socket: TcpStream, connection: Arc<Connection>, max_bytes: usize, deadline: Instant) -> Self {
        Self {
            socket,
            closed: Box::pin(connection.closed().clone().cancelled_owned()),
            connection,
            probation: Some(Probation {
                bytes_left: max_bytes,
                deadline: Box::pin(tokio::time::sleep_until(deadline)),
            }),
        }
    }

    fn check_closed(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.closed.as_mut().poll(cx).is_ready() {
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, "connection closed by the server"));
        }
        Ok(())
    }
}

impl AsyncRead for GuardedStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.check_closed(cx)?;
        if this.connection.is_authenticated() {
            this.probation = None;
        }
        let Some(probation) = &mut this.probation else {
            return Pin::new(&mut this.socket).poll_read(cx, buf);
        };
        if probation.deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "no authentication in time")));
        }
        // Over the limit nothing more is read: either what is there authenticates, or the deadline ends it.
        let allowed = probation.bytes_left.min(buf.remaining());
        if allowed == 0 {
            return Poll::Pending;
        }
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(allowed));
        match Pin::new(&mut this.socket).poll_read(cx, &mut part) {
            Poll::Ready(Ok(())) => {
                let read = part.filled().len();
                probation.bytes_left -= read;
                buf.advance(read);
                Poll::Ready(Ok(()))
            }
            other => other,
        }
    }
}

impl AsyncWrite for GuardedStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check_closed(cx)?;
        Pin::new(&mut this.socket).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.check_closed(cx)?;
        Pin::new(&mut this.socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}

/// Any stream, in the only shape in which the broker takes one that it did not make itself.
pub(super) struct Transport<S>(pub(super) S);

impl<S: AsyncRead + Unpin> AsyncRead for Transport<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Transport<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> WebSocketTransport for Transport<S> {
    fn peer_addr(&self) -> mqtt5::Result<SocketAddr> {
        Err(mqtt5::MqttError::InvalidState("the address is given with the connection".to_owned()))
    }
}
