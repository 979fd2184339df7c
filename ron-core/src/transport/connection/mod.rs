//! One connection, shared by its callers, driven by them.
//!
//! A caller enters with [`Ticket::advance`], which does everything that can be done without waiting: open
//! the call, seal and write its frames, read and hand out what has arrived. What it then has to wait for is
//! the driver's business. At most one caller at a time is the *reader*; the others sleep until the reader
//! hands them their reply or, on its way out, the role.
//!
//! Who waits for what, and who wakes them:
//!
//! | caller | waits for | is woken by |
//! |---|---|---|
//! | the reader | the socket to be readable | the socket |
//! | whoever found the socket full (tasks: one of them, the *writer*) | the socket to be writable | the socket |
//! | in the queue for a slot | its turn | whoever hands out a reply, or leaves |
//! | with a request half sealed | room in the outgoing buffer | whoever writes |
//! | with its request sent, or with the writer | its reply | the reader |
//!
//! With several calls open, whoever has a small request finds others who have one too. The first of those tasks is
//! the writer: it lets the others run, which leave their requests in the plaintext buffer, then seals them as one
//! record and writes it. What waits there is a copy, so that nobody's body is read after its call has ended, and it
//! is wiped as it is sealed. A reader whose buffer is empty takes it along when it waits in the system (threads), so
//! that others can seal meanwhile; only that reader reads then.
//!
//! Nobody relies on the others for ever: a task that others do not wake looks for itself after a while and
//! takes over the roles, and a thread that waits for the socket, where it cannot be woken, looks regularly.

mod exchange;
mod limits;
mod probe;
mod sending;
mod state;
mod ticket;

pub(crate) use exchange::{ConnectionId, Content, Exchange, Failure, Reply};
pub(super) use ticket::{Receive, Step, Ticket};

use super::endpoint::Endpoint;
use super::proxy::Isolation;
use super::socket::Socket;
use super::tls::TlsSession;
use crate::config::Timeouts;
use crate::error::{ErrorKind, SdkError};
use crate::oap::hello::HelloRequest;
use crate::process::Origin;
use crate::session::Client;
use crate::stats::ClientStats;
use crate::telemetry::{ConnectionEvent, ConnectionLabel};
use state::{lost, State, Wakes};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A connection to the gateway: TCP is established, TLS and HELLO are up to its callers.
pub(super) struct Connection<S: Socket> {
    pub(super) socket: S,
    /// Who may share it.
    pub(super) isolation: Isolation,
    label: ConnectionLabel,
    connect_deadline: Instant,
    /// A forked child never drops a connection: the socket is its parent's too.
    origin: Origin,
    state: Mutex<State>,
    // Copies of what the pool needs to choose, so that it does not have to lock the state.
    is_ready: AtomicBool,
    is_over: AtomicBool,
    is_suspect: AtomicBool,
    load: AtomicUsize,
    slots: AtomicUsize,
}

impl<S: Socket> Connection<S> {
    #[allow(clippy::too_many_arguments)] // what a dial has brought, and what it began with
    pub(super) fn new(
        socket: S,
        isolation: Isolation,
        label: ConnectionLabel,
        tls: TlsSession,
        hello: &HelloRequest,
        slots: usize,
        timeouts: &Timeouts,
        connect_deadline: Instant,
    ) -> Self {
        let state = State::new(&label, tls, Client::new(hello, slots), timeouts);
        Self {
            socket,
            isolation,
            label,
            connect_deadline,
            origin: Origin::here(),
            state: Mutex::new(state),
            is_ready: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            is_suspect: AtomicBool::new(false),
            load: AtomicUsize::new(0),
            // Until HELLO says otherwise: a burst of first calls is no reason for a second connection.
            slots: AtomicUsize::new(slots),
        }
    }

    pub(super) fn id(&self) -> ConnectionId {
        ConnectionId(self.label.number())
    }

    /// Where it leads.
    pub(super) fn gateway(&self) -> &Arc<Endpoint> {
        self.label.gateway()
    }

    /// Whether HELLO was answered.
    pub(super) fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::Relaxed)
    }

    /// Whether it was silent when it should not have been, and has to prove itself before it is used again.
    pub(super) fn is_suspect(&self) -> bool {
        self.is_suspect.load(Ordering::Relaxed)
    }

    /// Looks whether a suspect connection has proved itself, or has had its time.
    pub(super) fn recheck(&self, now: Instant) {
        let mut wakes = Wakes::default();
        let mut state = self.lock();
        while state.failed.is_none() && state.read(&self.socket, now, true, &mut wakes) {}
        state.enforce_limits(&self.socket, now, self.connect_deadline, &mut wakes);
        self.publish(&state);
        drop(state);
        wakes.wake(&self.label);
    }

    /// Takes no more calls; those that are open finish.
    pub(super) fn retire(&self) {
        let mut state = self.lock();
        state.is_retired = true;
        self.publish(&state);
    }

    /// Ends the connection and the calls on it, since its client is closed.
    pub(super) fn close(&self) {
        let mut wakes = Wakes::default();
        let mut state = self.lock();
        self.say_goodbye(&mut state);
        let had_failed = state.failed.is_some();
        state.fail(&self.socket, SdkError::closed(), false, &mut wakes);
        self.publish(&state);
        drop(state);
        // It was not lost.
        wakes.events.clear();
        wakes.wake(&self.label);
        if !had_failed {
            self.label.say(ConnectionEvent::Closed);
        }
    }

    /// Adds what there is on this connection.
    pub(super) fn add_to(&self, stats: &mut ClientStats) {
        let state = self.lock();
        stats.connections += 1;
        stats.waiting_calls += state.queue.len();
        stats.open_streams += state.session.open_calls();
        stats.unsent_bytes += state.outgoing.pending().len() + state.plaintext.len();
    }

    /// A courtesy to the gateway, which notices the end of the connection anyway.
    fn say_goodbye(&self, state: &mut State) {
        if state.failed.is_none() && !state.has_unsent() && state.tls.is_open() {
            let State { tls, outgoing, .. } = state;
            tls.append_close(outgoing);
            let _ = self.socket.try_write(outgoing.pending());
        }
    }

    /// Whether it serves calls or why not; `None` while its handshake goes on.
    pub(super) fn condition(&self) -> Option<Result<(), SdkError>> {
        let state = self.lock();
        match &state.failed {
            Some(failure) => Some(Err(failure.error.clone())),
            None if state.is_established() && !state.probe.is_suspicion() => Some(Ok(())),
            None => None,
        }
    }

    /// Why it is over, where it failed.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.lock().failed.clone()
    }

    /// Whether a new call may be tried here. A handshake that nobody finished in time does not count.
    pub(super) fn is_usable(&self, now: Instant) -> bool {
        !self.is_over.load(Ordering::Relaxed) && (self.is_ready() || now < self.connect_deadline)
    }

    /// Calls here, waiting ones included.
    pub(super) fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    /// Calls that may be open at once.
    pub(super) fn slots(&self) -> usize {
        self.slots.load(Ordering::Relaxed)
    }

    /// Ends the connection because its socket cannot be waited for.
    pub(super) fn abandon(&self, error: &io::Error) {
        let mut wakes = Wakes::default();
        let mut state = self.lock();
        let lost = lost(error, state.is_established());
        state.fail(&self.socket, lost, true, &mut wakes);
        self.publish(&state);
        drop(state);
        wakes.wake(&self.label);
    }

    /// Whether this process may touch it.
    fn is_here(&self) -> bool {
        self.origin.is_here()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(|poisoned: PoisonError<_>| {
                // Somebody panicked halfway through a change: whatever the state is, it is not sound.
                let mut state: MutexGuard<'_, State> = poisoned.into_inner();
                let error =
                    SdkError::new(ErrorKind::Internal, "a call panicked on this connection");
                let mut wakes = Wakes::default();
                state.fail(&self.socket, error, false, &mut wakes);
                state.wake_all(&mut wakes);
                // The lock is held: nothing can be said here.
                wakes.events.clear();
                wakes.wake(&self.label);
                state
            })
    }

    fn publish(&self, state: &State) {
        let over = state.failed.is_some() || state.session.is_draining() || state.is_retired;
        self.is_over.store(over, Ordering::Relaxed);
        self.is_suspect
            .store(state.probe.is_suspicion(), Ordering::Relaxed);
        if state.session.hello().is_some() {
            self.slots.store(state.session.slots(), Ordering::Relaxed);
            self.is_ready.store(true, Ordering::Relaxed);
        }
        let load = state.callers.len().max(state.session.open_calls());
        self.load.store(load, Ordering::Relaxed);
    }
}

impl<S: Socket> Drop for Connection<S> {
    fn drop(&mut self) {
        let mut state = self.lock();
        self.say_goodbye(&mut state);
        let has_failed = state.failed.is_some();
        drop(state);
        if !has_failed {
            self.label.say(ConnectionEvent::Closed);
        }
    }
}
