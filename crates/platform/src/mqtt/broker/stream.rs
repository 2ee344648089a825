//! The socket under every transport: it limits what a client may send before it has authenticated and until when it
//! must have, and it can be cut off while the broker is busy with a message.
//!
//! The limits sit below TLS and WebSocket so that a half-sent handshake, frame or CONNECT costs no more than they say.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::sync::Semaphore;

    use super::*;

    async fn pair(max_bytes: usize, deadline_ms: u64) -> (TcpStream, GuardedStream, Arc<Connection>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (socket, peer) = listener.accept().await.unwrap();
        let pending = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let connection = Connection::new(peer, pending, Arc::default());
        let deadline = Instant::now() + Duration::from_millis(deadline_ms);
        (client, GuardedStream::new(socket, Arc::clone(&connection), max_bytes, deadline), connection)
    }

    #[tokio::test]
    async fn no_more_than_the_limit_is_read_before_authentication() {
        let (mut client, mut guarded, _connection) = pair(1_000, 300).await;
        client.write_all(&[0; 50_000]).await.unwrap();
        let mut read = Vec::new();
        let error = guarded.read_to_end(&mut read).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(read.len(), 1_000);
    }

    #[tokio::test]
    async fn limit_and_deadline_end_with_authentication() {
        let (mut client, mut guarded, connection) = pair(1_000, 200).await;
        client.write_all(&[0; 1_000]).await.unwrap();
        guarded.read_exact(&mut [0; 1_000]).await.unwrap();
        connection.authenticated_for_test();
        tokio::time::sleep(Duration::from_millis(250)).await;
        client.write_all(&[0; 5_000]).await.unwrap();
        guarded.read_exact(&mut [0; 5_000]).await.unwrap();
    }

    #[tokio::test]
    async fn closed_connection_neither_reads_nor_writes() {
        let (mut client, mut guarded, connection) = pair(1_000, 60_000).await;
        let closing = async {
            tokio::task::yield_now().await;
            connection.close();
        };
        let (read, ()) = tokio::join!(guarded.read_u8(), closing);
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(guarded.write_u8(1).await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        drop(guarded);
        assert!(client.read_u8().await.is_err());
    }
}
