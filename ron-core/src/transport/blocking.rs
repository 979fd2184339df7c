//! The driver for threads: a caller waits on the socket itself, or parks while another one reads.

use super::connection::{
    Connection, ConnectionId, Exchange, Failure, Receive, Reply, Step, Ticket,
};
use super::endpoint::Endpoint;
use super::pool::{Acquired, DialPermit, Pool};
use super::proxy::{Handshake, Isolation, Progress, Refusal, Target};
use super::socket::{ThreadSocket, RECEIVE};
use super::{resolve, Dialer, Obstacle, Route};
use crate::config::SdkConfig;
use crate::error::SdkError;
use crate::interrupt::Interrupt;
use crate::metrics::Metrics;
use crate::oap::hello::HelloRequest;
use crate::oap::Executed;
use crate::retry::Random;
use crate::stats::ClientStats;
use crate::telemetry::Tracing;
use std::io;
use std::mem;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

/// Connections whose callers block their threads.
pub(crate) struct BlockingTransport {
    #[cfg(feature = "internals")]
    echo: Option<Box<super::echo::Echo>>,
    dialer: Dialer,
    pool: Pool<ThreadSocket>,
    hello: HelloRequest,
}

impl BlockingTransport {
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
        })
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
    pub(crate) fn exchange(&self, exchange: &Exchange<'_>) -> Result<Reply, Failure> {
        #[cfg(feature = "internals")]
        if let Some(echo) = &self.echo {
            return echo.exchange(exchange);
        }
        let waker = thread_waker();
        let (mut moves, mut now) = (0, exchange.content.begins());
        loop {
            let connection = self.connection(exchange, &waker, &mut now)?;
            match drive(connection, exchange, &waker, now) {
                Err(failure) if failure.may_move && moves < super::MAX_MOVES => {
                    moves += 1;
                    now = Instant::now();
                }
                result => return result,
            }
        }
    }

    fn connection(
        &self,
        exchange: &Exchange<'_>,
        waker: &Waker,
        now: &mut Instant,
    ) -> Result<Arc<Connection<ThreadSocket>>, Failure> {
        let deadline = exchange.deadline;
        let isolation = self.dialer.isolation(exchange.capability);
        let mut wait = self.pool.wait((), isolation, exchange.content.dial_by());
        loop {
            if *now >= deadline {
                return Err(super::out_of_time().into());
            }
            match wait.acquire(*now, waker) {
                Acquired::Use(connection) => return Ok(connection),
                Acquired::Dial(permit, fallback) => {
                    let dialed = self.dial(&permit, deadline);
                    *now = Instant::now();
                    return super::finish_dial(permit, dialed, fallback);
                }
                Acquired::Wait(until) => {
                    let interrupt = Interrupt::here();
                    interrupt.check()?;
                    let left = until.min(deadline).saturating_duration_since(*now);
                    thread::park_timeout(interrupt.slice(left));
                    *now = Instant::now();
                }
                Acquired::Failed(failure) => return Err(failure),
            }
        }
    }

    fn dial(
        &self,
        permit: &DialPermit<'_, ThreadSocket>,
        deadline: Instant,
    ) -> Result<Connection<ThreadSocket>, Failure> {
        let dialer = &self.dialer;
        let mut route = Route::new(dialer, permit, dialer.timeouts.connect, deadline);
        while let Some((gateway, until)) = route.next() {
            let tls = route.tls(gateway)?;
            match self.open(gateway, permit.isolation(), until) {
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
    fn open(
        &self,
        endpoint: &Endpoint,
        isolation: &Isolation,
        until: Instant,
    ) -> Result<ThreadSocket, Obstacle> {
        let Some(proxy) = &self.dialer.proxy else {
            return connect(&endpoint.host, endpoint.port, until).map_err(Obstacle::Gateway);
        };
        let targets = match proxy.gets_addresses() {
            false => vec![Target::of(endpoint)],
            true => resolve::lookup(&endpoint.host, endpoint.port, until)
                .map_err(Obstacle::Gateway)?
                .into_iter()
                .map(Target::Address)
                .collect(),
        };
        let mut last = Obstacle::Gateway(io::ErrorKind::AddrNotAvailable.into());
        for target in targets {
            let (host, port) = proxy.place();
            let socket = connect(host, port, until).map_err(Obstacle::Proxy)?;
            match negotiate(&socket, proxy.handshake(&target, isolation), until) {
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
fn connect(host: &str, port: u16, until: Instant) -> io::Result<ThreadSocket> {
    ThreadSocket::connect(resolve::lookup(host, port, until)?, until)
}

/// Has a proxy connect to the gateway.
fn negotiate(
    socket: &ThreadSocket,
    mut handshake: Handshake,
    until: Instant,
) -> Result<(), Obstacle> {
    loop {
        let progress = handshake.advance(socket)?;
        if progress == Progress::Done {
            return Ok(());
        }
        let interrupt = Interrupt::here();
        interrupt.check().map_err(Obstacle::Interrupted)?;
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Obstacle::Answer(io::ErrorKind::TimedOut.into()));
        }
        let is_write = progress == Progress::Write;
        let waited = socket.wait(!is_write, is_write, interrupt.slice(left));
        waited.map_err(Obstacle::Answer)?;
    }
}

fn drive(
    connection: Arc<Connection<ThreadSocket>>,
    exchange: &Exchange<'_>,
    waker: &Waker,
    mut now: Instant,
) -> Result<Reply, Failure> {
    let mut ticket = Ticket::new(connection, now);
    let (mut has_waited, mut received) = (false, None);
    loop {
        match ticket.advance(exchange, waker, false, now, received.take()) {
            Step::Done(result) => return result,
            Step::Yield => thread::yield_now(),
            Step::Wait {
                read,
                write,
                until,
                is_sent,
                ..
            } => {
                if is_sent && !mem::replace(&mut has_waited, true) {
                    exchange.content.while_waiting();
                }
                let interrupt = Interrupt::here();
                if let Err(interrupted) = interrupt.check() {
                    let executed = [Executed::No, Executed::Unknown][usize::from(is_sent)];
                    return Err(interrupted.with_executed(executed).into());
                }
                let limit = interrupt.slice(until.saturating_duration_since(now));
                let can_receive = read && !write && limit > RECEIVE;
                match can_receive.then(|| ticket.receive()) {
                    Some(Receive::Done(bytes)) => received = Some(bytes),
                    Some(Receive::Needless) => {}
                    _ if !read && !write => thread::park_timeout(limit),
                    Some(Receive::Impossible) | None => {
                        if let Err(error) = ticket.connection.socket.wait(read, write, limit) {
                            ticket.connection.abandon(&error);
                        }
                    }
                }
            }
        }
        now = Instant::now();
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// A waker that unparks the current thread, made once per thread.
pub(crate) fn thread_waker() -> Waker {
    thread_local! {
        static WAKER: Waker = Arc::new(Unpark(thread::current())).into();
    }
    WAKER
        .try_with(Waker::clone)
        // The thread is ending and its locals are gone: a call from a destructor still gets one.
        .unwrap_or_else(|_| Arc::new(Unpark(thread::current())).into())
}
