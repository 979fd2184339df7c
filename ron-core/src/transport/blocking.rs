//! The driver for threads: a caller waits on the socket itself, or parks while another one reads.

use super::connection::{
    Connection, ConnectionId, Exchange, Failure, Receive, Reply, Step, Ticket,
};
use super::endpoint::Endpoint;
use super::pool::{Acquired, Pool};
use super::socket::{ThreadSocket, RECEIVE};
use super::{resolve, Dialer};
use crate::config::SdkConfig;
use crate::error::SdkError;
use crate::interrupt::Interrupt;
use crate::metrics::Metrics;
use crate::oap::hello::HelloRequest;
use crate::oap::Executed;
use crate::retry::Random;
use crate::stats::ClientStats;
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
    ) -> Result<Self, SdkError> {
        Ok(Self {
            #[cfg(feature = "internals")]
            echo: (config.transport == crate::config::Transport::Echo)
                .then(|| Box::new(super::echo::Echo::new())),
            dialer: Dialer::new(config, metrics)?,
            pool: Pool::new(config, random),
            hello: super::hello(),
        })
    }

    /// The gateway that calls go to.
    pub(crate) fn gateway(&self) -> &Endpoint {
        &self.dialer.endpoint
    }

    /// Uses a connection for no more calls.
    pub(crate) fn leave(&self, connection: ConnectionId) {
        self.pool.leave(connection);
    }

    /// Opens no more connections and ends those that are open.
    pub(crate) fn close(&self) {
        self.pool.close();
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
        let mut wait = self.pool.wait((), exchange.content.dial_by());
        loop {
            if *now >= deadline {
                return Err(super::out_of_time().into());
            }
            match wait.acquire(*now, waker) {
                Acquired::Use(connection) => return Ok(connection),
                Acquired::Dial(permit, fallback) => {
                    let dialed = self.dial(permit.id(), deadline);
                    *now = Instant::now();
                    return super::finish_dial(&self.dialer, permit, dialed, fallback);
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
        id: ConnectionId,
        deadline: Instant,
    ) -> Result<Connection<ThreadSocket>, Failure> {
        let dialer = &self.dialer;
        let tls = dialer.tls()?;
        let connect_deadline = Instant::now() + dialer.timeouts.connect;
        let until = connect_deadline.min(deadline);
        let addresses = match resolve::literal(&dialer.endpoint) {
            Some(address) => vec![address],
            None => resolve::lookup(&dialer.endpoint, until)
                .map_err(|error| dialer.dial_failed(&error, deadline))?,
        };
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in addresses {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                last = io::ErrorKind::TimedOut.into();
                break;
            }
            match ThreadSocket::connect(&address, left) {
                Ok(socket) => {
                    return Ok(Connection::new(
                        socket,
                        dialer.label(id),
                        tls,
                        &self.hello,
                        dialer.slots(),
                        &dialer.timeouts,
                        connect_deadline,
                    ))
                }
                Err(error) => last = error,
            }
        }
        Err(dialer.dial_failed(&last, deadline).into())
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
