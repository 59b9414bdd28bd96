//! A witness as an HTTP/1.1 server: `POST /add-checkpoint`, and `GET /<origin hash>/checkpoint` for monitors.
//!
//! It speaks without TLS: what it says is signed, and a proxy in front ends TLS where the way there is
//! public. Connections, requests at once, bodies, and the time that each takes are bounded ([`Bounds`]): who
//! dawdles is cut off, and keeps nobody else waiting for longer.

use std::io;
use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::{Response, StatusCode, header};
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use paygod_tlog::limits::REQUEST_BYTES_MAX;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::{Refusal, Witness};

/// Requests worked on at once; past that the answer is 503, to be asked again.
pub const REQUESTS_AT_ONCE_MAX: usize = 64;

/// How long requests in flight are waited for when the server is told to stop.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes that one connection buffers: of a head, more is refused.
const BUFFER_BYTES_MAX: usize = 64 * 1_024;

/// Before the next connection is accepted when the system refused one.
const ACCEPT_WAIT: Duration = Duration::from_secs(1);

/// Threads that work on requests.
const WORKERS: usize = 2;

/// What a server takes from those who ask it.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections at once; past that the next one waits to be accepted.
    pub connections: u32,
    /// How long the head of a request may take, from the end of the one before.
    pub head: Duration,
    /// How long its body may take.
    pub body: Duration,
    /// How long a connection may last; whoever wants more opens another.
    pub connection: Duration,
}

impl Default for Bounds {
    /// Some hundred logs, each of which asks once a second and keeps its connection open.
    fn default() -> Self {
        Self {
            connections: 512,
            head: Duration::from_secs(10),
            body: Duration::from_secs(10),
            connection: Duration::from_secs(300),
        }
    }
}

struct Server {
    witness: Arc<Witness>,
    places: Semaphore,
    bounds: Bounds,
}

type Answer = Response<Body>;

/// Serves until `stop` is ready, then answers what is in flight and returns.
///
/// # Errors
/// The listener or the threads cannot be used.
pub fn serve(
    listener: TcpListener,
    witness: Arc<Witness>,
    bounds: Bounds,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()?;
    let served = runtime.block_on(async move {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let server = Arc::new(Server {
            witness,
            places: Semaphore::new(REQUESTS_AT_ONCE_MAX),
            bounds,
        });
        let routes = Router::new()
            .route("/add-checkpoint", post(add_checkpoint))
            .route("/{origin}/checkpoint", get(checkpoint))
            .with_state(server);
        accept(listener, routes, bounds, stop).await;
        Ok(())
    });
    runtime.shutdown_timeout(STOP_TIMEOUT);
    served
}

/// Accepts connections until `stop` is ready, then waits for those that there are.
async fn accept(
    listener: tokio::net::TcpListener,
    routes: Router,
    bounds: Bounds,
    stop: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(0));
    places.add_permits(usize::try_from(bounds.connections).unwrap_or(Semaphore::MAX_PERMITS));
    let (stopping, told) = watch::channel(());
    let mut stop = pin!(stop);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        tokio::select! {
            () = &mut stop => break,
            (place, accepted) = accepted => match accepted {
                Ok((stream, _)) => {
                    let (routes, told) = (routes.clone(), told.clone());
                    tokio::spawn(async move {
                        connection(stream, routes, bounds, told).await;
                        drop(place);
                    });
                }
                // This process or the system has too many files open; it passes.
                Err(_) => sleep(ACCEPT_WAIT).await,
            },
        }
    }
    drop(listener);
    drop(stopping);
    let _late = timeout(STOP_TIMEOUT, places.acquire_many(bounds.connections)).await;
}

/// Serves one connection, until it ends, dawdles or has lasted long enough.
async fn connection(
    stream: TcpStream,
    routes: Router,
    bounds: Bounds,
    mut stopping: watch::Receiver<()>,
) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    let mut served = pin!(served);
    tokio::select! {
        _ended = served.as_mut() => return,
        _gone = stopping.changed() => {}
        () = sleep(bounds.connection) => {}
    }
    served.as_mut().graceful_shutdown();
    // A peer that does not go is left.
    let _late = timeout(STOP_TIMEOUT, served).await;
}

/// Ready when the process is told to stop: SIGTERM or SIGINT.
///
/// # Errors
/// Signals cannot be received.
pub async fn told_to_stop() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted,
    }
}

async fn add_checkpoint(State(server): State<Arc<Server>>, request: Request) -> Answer {
    let Ok(_place) = server.places.try_acquire() else {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once");
    };
    let body = match timeout(
        server.bounds.body,
        to_bytes(request.into_body(), REQUEST_BYTES_MAX),
    )
    .await
    {
        Ok(Ok(body)) => body,
        // What was cut off and what was too long are not told apart by the library.
        Ok(Err(_)) => {
            let what = "the body was cut off, or is too long";
            return plain(StatusCode::PAYLOAD_TOO_LARGE, what);
        }
        Err(_) => return plain(StatusCode::REQUEST_TIMEOUT, "the body took too long"),
    };
    let witness = Arc::clone(&server.witness);
    // It writes to the disk before it answers.
    let done = spawn_blocking(move || witness.add_checkpoint(&body, now())).await;
    match done {
        Ok(Ok(lines)) => answer(StatusCode::OK, "text/plain; charset=utf-8", lines.into()),
        Ok(Err(Refusal::Conflict { size })) => {
            let body = format!("{size}\n").into();
            answer(StatusCode::CONFLICT, "text/x.tlog.size", body)
        }
        Ok(Err(refusal)) => {
            let status = StatusCode::from_u16(refusal.status());
            let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            // Why the witness itself failed is for its operator alone.
            match refusal {
                Refusal::Failed(_) => plain(status, "the witness failed; its operator knows why"),
                refusal => plain(status, &refusal.to_string()),
            }
        }
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "the witness failed"),
    }
}

async fn checkpoint(State(server): State<Arc<Server>>, Path(origin): Path<String>) -> Answer {
    let witness = Arc::clone(&server.witness);
    match spawn_blocking(move || witness.checkpoint(&origin)).await {
        Ok(Ok(Some(note))) => answer(StatusCode::OK, "text/plain; charset=utf-8", note.into()),
        Ok(Ok(None)) => plain(
            StatusCode::NOT_FOUND,
            "no checkpoint of that log was cosigned",
        ),
        _ => plain(StatusCode::INTERNAL_SERVER_ERROR, "the witness failed"),
    }
}

fn plain(status: StatusCode, why: &str) -> Answer {
    answer(
        status,
        "text/plain; charset=utf-8",
        format!("{why}\n").into(),
    )
}

fn answer(status: StatusCode, kind: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() = status;
    let kind = header::HeaderValue::from_static(kind);
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer
}

/// POSIX seconds.
#[must_use]
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
