//! The driver for tasks: a call reads and writes the socket in its own poll.

use super::connection::{Connection, ConnectionId, Exchange, Failure, Reply, Step, Ticket};
use super::endpoint::Endpoint;
use super::pool::{Acquired, DialPermit, DialWait, Pool};
use super::proxy::{Handshake, Isolation, Progress, Refusal, Target};
use super::race::Race;
use super::socket::{prepare, TaskSocket};
use super::timer::{sleeps_until, SpareTimers};
use super::{resolve, Dialer, Obstacle, Route};
use crate::config::SdkConfig;
use crate::error::{ErrorKind, SdkError};
use crate::metrics::Metrics;
use crate::oap::hello::HelloRequest;
use crate::process::Origin;
use crate::retry::Random;
use crate::runtime::SharedRuntime;
use crate::stats::ClientStats;
use crate::telemetry::Tracing;
use std::future::{poll_fn, Future};
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::pin::{pin, Pin};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::runtime::{Handle, Id};

/// A call that somebody holds without polling it (in a `select!`, say) must not stop the others: a call that
/// depends on another one waits this long, then does the other's part too; each time twice as long, up to so many
/// doublings.
const PATIENCE: Duration = Duration::from_millis(20);
const MOST_DOUBLINGS: u32 = 6;

/// Connections whose callers are tasks of a tokio runtime.
pub(crate) struct AsyncTransport {
    #[cfg(feature = "internals")]
    echo: Option<Box<super::echo::Echo>>,
    dialer: Dialer,
    pool: Pool<TaskSocket>,
    hello: HelloRequest,
    /// From the first call on that needs it. The last field: it goes after the connections.
    own: OnceLock<Arc<SharedRuntime>>,
}

/// The runtime with whose help a call waits: the caller's or, where that has none, the SDK's own.
pub(crate) struct Home(Handle);

impl Home {
    pub(crate) fn id(&self) -> Id {
        self.0.id()
    }

    /// Polls a call in the presence of that runtime; not in a child of the process in which it was made.
    pub(crate) async fn run<T>(
        &self,
        origin: Origin,
        mut call: Pin<&mut impl Future<Output = Result<T, SdkError>>>,
    ) -> Result<T, SdkError> {
        poll_fn(|context| {
            origin.check()?;
            // Also the caller's own: the call may be polled elsewhere next time.
            let _entered = self.0.enter();
            call.as_mut().poll(context)
        })
        .await
    }
}

impl AsyncTransport {
    pub(crate) fn new(
        config: &SdkConfig,
        random: Arc<Random>,
        metrics: &Metrics,
        tracing: &Tracing,
    ) -> Result<Self, SdkError> {
        let dialer = Dialer::new(config, metrics, tracing)?;
        Ok(Self {
            #[cfg(feature = "internals")]
            echo: (config.transport == crate::config::Transport::Echo)
                .then(|| Box::new(super::echo::Echo::new())),
            pool: Pool::new(config, dialer.gateways(), random),
            dialer,
            hello: super::hello(),
            own: OnceLock::new(),
        })
    }

    /// The runtime whose task this is or, where it is no runtime's, the SDK's own.
    pub(crate) fn home(&self) -> Result<Home, SdkError> {
        if let Ok(runtime) = Handle::try_current() {
            return Ok(Home(runtime));
        }
        let own = match self.own.get() {
            Some(own) => own,
            None => {
                let shared = SharedRuntime::get()?;
                self.own.get_or_init(|| shared)
            }
        };
        Ok(Home(own.handle().clone()))
    }

    /// The gateway that calls go to by preference.
    pub(crate) fn gateway(&self) -> &Endpoint {
        self.dialer.preferred()
    }

    /// Uses a connection for no more calls.
    pub(crate) fn leave(&self, connection: ConnectionId) {
        self.pool.leave(connection);
    }

    /// Opens no more connections and ends those that are open.
    pub(crate) fn close(&self) {
        self.pool.close();
    }

    /// Whether the gateway can be reached, as far as that is known.
    pub(crate) fn condition(&self) -> Option<Result<(), SdkError>> {
        #[cfg(feature = "internals")]
        if self.echo.is_some() {
            return Some(Ok(()));
        }
        self.pool.condition()
    }

    /// What there is at the moment.
    pub(crate) fn stats(&self) -> ClientStats {
        self.pool.stats()
    }

    /// Makes an attempt and waits for its answer.
    pub(crate) async fn exchange(
        &self,
        runtime: Id,
        exchange: &Exchange<'_>,
    ) -> Result<Reply, Failure> {
        #[cfg(feature = "internals")]
        if let Some(echo) = &self.echo {
            return echo.exchange(exchange);
        }
        let (mut moves, mut now) = (0, exchange.content.begins());
        loop {
            let connection = self.connection(runtime, exchange, &mut now).await?;
            match drive(connection, exchange, now).await {
                Err(failure) if failure.may_move && moves < super::MAX_MOVES => {
                    moves += 1;
                    now = Instant::now();
                }
                result => return result,
            }
        }
    }

    async fn connection(
        &self,
        runtime: Id,
        exchange: &Exchange<'_>,
        now: &mut Instant,
    ) -> Result<Arc<Connection<TaskSocket>>, Failure> {
        let isolation = self.dialer.isolation(exchange.capability);
        let dial_by = exchange.content.dial_by();
        let mut wait = self.pool.wait(runtime, isolation, dial_by);
        let acquired = poll_fn(|context| Poll::Ready(wait.acquire(*now, context.waker()))).await;
        if let Acquired::Use(connection) = acquired {
            return Ok(connection);
        }
        // Not what calls usually do: the memory for it is theirs who do.
        let connection = Box::pin(self.wait_or_dial(runtime, wait, acquired, exchange.deadline));
        let connection = connection.await;
        *now = Instant::now();
        connection
    }

    /// Goes on where no connection could be used at once.
    async fn wait_or_dial<'a>(
        &'a self,
        runtime: Id,
        mut wait: DialWait<'a, TaskSocket>,
        mut acquired: Acquired<'a, TaskSocket>,
        deadline: Instant,
    ) -> Result<Arc<Connection<TaskSocket>>, Failure> {
        let mut sleep = pin!(tokio::time::sleep_until(deadline.into()));
        loop {
            let until = match acquired {
                Acquired::Use(connection) => return Ok(connection),
                Acquired::Failed(failure) => return Err(failure),
                Acquired::Dial(permit, fallback) => {
                    let dialed = self.dial(&permit, runtime, deadline).await;
                    return super::finish_dial(permit, dialed, fallback);
                }
                Acquired::Wait(until) => until.min(deadline),
            };
            // The waker that is registered is this task's: it asks again when it is woken, or when it is time.
            let mut is_woken = false;
            let has_time = poll_fn(|context| {
                if !sleeps_until(sleep.as_mut(), until, context) {
                    return Poll::Ready(until < deadline);
                }
                match mem::replace(&mut is_woken, true) {
                    true => Poll::Ready(true),
                    false => Poll::Pending,
                }
            });
            if !has_time.await {
                return Err(super::out_of_time().into());
            }
            let now = Instant::now();
            acquired = poll_fn(|context| Poll::Ready(wait.acquire(now, context.waker()))).await;
        }
    }

    async fn dial(
        &self,
        permit: &DialPermit<'_, TaskSocket>,
        runtime: Id,
        deadline: Instant,
    ) -> Result<Connection<TaskSocket>, Failure> {
        let dialer = &self.dialer;
        if !dialer.trust.is_built() {
            let trust = Arc::clone(&dialer.trust);
            // What fails here fails again below.
            let built = tokio::task::spawn_blocking(move || drop(trust.client_config())).await;
            built.map_err(|error| SdkError::new(ErrorKind::Internal, error.to_string()))?;
        }
        let mut route = Route::new(dialer, permit, dialer.timeouts.connect, deadline);
        while let Some((gateway, until)) = route.next() {
            let tls = route.tls(gateway)?;
            match self.open(gateway, permit.isolation(), runtime, until).await {
                Ok(socket) => {
                    return Ok(Connection::new(
                        socket,
                        permit.isolation().clone(),
                        route.label(gateway),
                        tls,
                        &self.hello,
                        dialer.slots(),
                        &dialer.timeouts,
                        route.connect_deadline,
                    ))
                }
                Err(obstacle) => route.not_reached(gateway, obstacle)?,
            }
        }
        Err(route.exhausted().into())
    }

    /// A socket at whose other end the gateway is.
    async fn open(
        &self,
        endpoint: &Endpoint,
        isolation: &Isolation,
        runtime: Id,
        until: Instant,
    ) -> Result<TaskSocket, Obstacle> {
        let gateway = (endpoint.host.as_str(), endpoint.port);
        let Some(proxy) = &self.dialer.proxy else {
            let socket = connect(gateway, runtime, until).await;
            return socket.map_err(Obstacle::Gateway);
        };
        let targets = match proxy.gets_addresses() {
            false => vec![Target::of(endpoint)],
            true => in_time(until, lookup(gateway))
                .await
                .map_err(Obstacle::Gateway)?
                .into_iter()
                .map(Target::Address)
                .collect(),
        };
        let mut last = Obstacle::Gateway(io::ErrorKind::AddrNotAvailable.into());
        for target in targets {
            let socket = connect(proxy.place(), runtime, until).await;
            let socket = socket.map_err(Obstacle::Proxy)?;
            match negotiate(&socket, proxy.handshake(&target, isolation), until).await {
                Ok(()) => return Ok(socket),
                // Another address may do.
                Err(refused @ Obstacle::Refused(Refusal::Failed(_))) => last = refused,
                Err(obstacle) => return Err(obstacle),
            }
        }
        Err(last)
    }
}

/// A connection to one of the host's addresses.
async fn connect(place: (&str, u16), runtime: Id, until: Instant) -> io::Result<TaskSocket> {
    let connecting = async {
        match resolve::literal(place.0, place.1) {
            Some(address) => TcpStream::connect(address).await,
            None => race(Race::new(tokio::net::lookup_host(place).await?)).await,
        }
    };
    let stream = in_time(until, connecting).await?;
    prepare(&stream)?;
    Ok(TaskSocket {
        stream,
        runtime,
        timers: SpareTimers::new(),
    })
}

/// The first of several connections that comes about. The others are dropped.
pub(super) async fn race(mut race: Race) -> io::Result<TcpStream> {
    let mut open = Vec::new();
    let mut sleep = pin!(tokio::time::sleep(Duration::ZERO));
    poll_fn(|context| loop {
        while let Some(address) = race.start(Instant::now()) {
            open.push(Box::pin(TcpStream::connect(address)));
        }
        let (mut at, before) = (0, open.len());
        while let Some(connecting) = open.get_mut(at) {
            match connecting.as_mut().poll(context) {
                Poll::Ready(Ok(stream)) => return Poll::Ready(Ok(stream)),
                Poll::Ready(Err(error)) => {
                    race.failed(error);
                    drop(open.swap_remove(at));
                }
                Poll::Pending => at += 1,
            }
        }
        if open.len() < before {
            // Its successor need not wait.
            continue;
        }
        match race.next_at() {
            Some(next) if !sleeps_until(sleep.as_mut(), next, context) => {}
            None if open.is_empty() => return Poll::Ready(Err(race.lost())),
            Some(_) | None => return Poll::Pending,
        }
    })
    .await
}

async fn lookup(place: (&str, u16)) -> io::Result<Vec<SocketAddr>> {
    match resolve::literal(place.0, place.1) {
        Some(address) => Ok(vec![address]),
        None => Ok(tokio::net::lookup_host(place).await?.collect()),
    }
}

/// Has a proxy connect to the gateway.
async fn negotiate(
    socket: &TaskSocket,
    mut handshake: Handshake,
    until: Instant,
) -> Result<(), Obstacle> {
    loop {
        let ready = match handshake.advance(socket)? {
            Progress::Done => return Ok(()),
            Progress::Write => in_time(until, socket.stream.writable()).await,
            Progress::Read => in_time(until, socket.stream.readable()).await,
        };
        ready.map_err(Obstacle::Answer)?;
    }
}

async fn in_time<T>(until: Instant, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let done = tokio::time::timeout_at(until.into(), work).await;
    done.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn drive(
    connection: Arc<Connection<TaskSocket>>,
    exchange: &Exchange<'_>,
    now: Instant,
) -> Result<Reply, Failure> {
    let mut ticket = Ticket::new(Arc::clone(&connection), now);
    let (mut is_first, mut has_waited) = (true, false);
    let mut timer = connection.socket.timers.timer();
    let mut doublings = 0;
    let mut patience_ends: Option<Instant> = None;
    poll_fn(|context| loop {
        let now = match mem::take(&mut is_first) {
            true => now,
            false => Instant::now(),
        };
        let take_over = patience_ends.is_some_and(|end| now >= end);
        if take_over {
            patience_ends = None;
            doublings = (doublings + 1).min(MOST_DOUBLINGS);
        }
        match ticket.advance(exchange, context.waker(), take_over, now, None) {
            Step::Done(result) => return Poll::Ready(result),
            Step::Yield => {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Step::Wait {
                read,
                write,
                until,
                depends_on_others,
                is_sent,
            } => {
                if is_sent && !mem::replace(&mut has_waited, true) {
                    exchange.content.while_waiting();
                }
                let socket = &ticket.connection.socket.stream;
                let mut ready = Poll::Pending;
                if read {
                    ready = socket.poll_read_ready(context);
                }
                if write && ready.is_pending() {
                    ready = socket.poll_write_ready(context);
                }
                match ready {
                    Poll::Pending => {}
                    Poll::Ready(Ok(())) => continue,
                    // The runtime on which the connection was opened has ended.
                    Poll::Ready(Err(error)) => {
                        ticket.connection.abandon(&error);
                        continue;
                    }
                }
                let until = if depends_on_others {
                    until.min(
                        *patience_ends.get_or_insert_with(|| now + (PATIENCE * (1 << doublings))),
                    )
                } else {
                    patience_ends = None;
                    until
                };
                if timer.sleeps_until(until, context) {
                    return Poll::Pending;
                }
            }
        }
    })
    .await
}
