//! What a gateway can be told when it starts.

use crate::call_log::CallLog;
use crate::capability::{Clock, KeyRing, Revocations};
use crate::defect::Defect;
use crate::faults::AdminToken;
use crate::idempotency::{Deduplication, IdempotencyLimits};
use crate::index::IndexLimits;
use crate::mailbox::MailboxLimits;
use ron_app_sdk::oap::hello::Profile;
use ron_app_sdk::session::ServerLimits;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

/// The configuration of a [`Gateway`](crate::Gateway). The default listens on a free port of the
/// loopback interface.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// Where to listen; port 0 takes a free one. Default: `127.0.0.1:0`.
    pub listen: SocketAddr,
    /// How many bytes of objects the store in memory takes. Default: 1 GiB.
    pub storage_limit: u64,
    /// How messages are delivered, and how many are kept.
    pub mailbox: MailboxLimits,
    /// How many names are kept.
    pub index: IndexLimits,
    /// The folder whose files are the edge plane's objects. Default: none.
    pub edge_root: Option<PathBuf>,
    /// Only clients are taken whose certificate one of the authorities in this PEM file has issued; it is read when
    /// the gateway starts. Default: none, which asks no client for a certificate.
    pub client_ca: Option<PathBuf>,
    /// The keys that capabilities are minted and verified with. Default: none, which lets the gateway
    /// make one of its own when it starts.
    pub root_keys: KeyRing,
    /// The capabilities that do not count any more. Default: none.
    pub revocations: Revocations,
    /// The time of day that capabilities begin and end by. Default: the machine's clock.
    pub clock: Clock,
    /// How far that clock and the clock of whoever minted a capability may be apart, in whole seconds.
    /// Default: 60 s.
    pub clock_skew: Duration,
    /// What one client may cost.
    pub limits: Limits,
    /// The kind of node, as HELLO tells it. Default: a micronode.
    pub profile: Profile,
    /// Whether HELLO says that everything is forgotten when the node stops. Default: true.
    pub amnesia: bool,
    /// Whether `/metrics` is served on the same port. Default: false.
    pub expose_metrics: bool,
    /// Lets whoever sends this token from the gateway's own machine see and change what
    /// [`Gateway::faults`](crate::Gateway::faults) injects, as `/admin/faults` on the same port.
    /// Default: none.
    pub admin_token: Option<AdminToken>,
    /// What is remembered of mutations under an idempotency key.
    pub idempotency: IdempotencyLimits,
    /// Whether such a mutation is executed once. Anything but the default is for tests of a checker.
    pub deduplication: Deduplication,
    /// A guarantee that is broken, for tests of a checker and never for use. Default: none.
    pub defect: Option<Defect>,
    /// Hears of every call that is about to be executed. Default: none.
    pub call_log: Option<CallLog>,
    /// Whether effects are counted in a [`Ledger`](crate::Ledger), for tests. Default: false.
    pub ledger: bool,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            storage_limit: 1 << 30,
            mailbox: MailboxLimits::default(),
            index: IndexLimits::default(),
            edge_root: None,
            client_ca: None,
            root_keys: KeyRing::default(),
            revocations: Revocations::default(),
            clock: Clock::system(),
            clock_skew: Duration::from_secs(60),
            limits: Limits::default(),
            profile: Profile::Micronode,
            amnesia: true,
            expose_metrics: false,
            admin_token: None,
            idempotency: IdempotencyLimits::default(),
            deduplication: Deduplication::default(),
            defect: None,
            call_log: None,
            ledger: false,
        }
    }
}

/// What one client may cost the gateway, in time and in number.
#[derive(Clone, Debug)]
pub struct Limits {
    /// From the accepted connection to the end of the TLS handshake. Default: 5 s.
    pub handshake: Duration,
    /// From there to the end of HELLO. Default: 5 s.
    pub hello: Duration,
    /// Without a byte and without a running call. Default: 10 min.
    pub idle: Duration,
    /// From a frame's first byte to its last; bytes in between do not extend it. Over HTTP: the time
    /// for a request's head, and again for its body. Default: 10 s.
    pub frame: Duration,
    /// With output that the client does not take a byte of. Default: 30 s.
    pub write_stall: Duration,
    /// Connections at once. Default: 10,000.
    pub max_connections: usize,
    /// Connections at once from one address. Default: 64.
    pub max_connections_per_address: usize,
    /// Calls at once of one capability's subject, over all connections. Default: 4,096.
    pub max_calls_per_subject: usize,
    /// Calls that one subject may begin in a second; as many may begin at once after a rest. Default: any.
    pub calls_per_second_per_subject: Option<NonZeroU32>,
    /// What a client may do on one OAP connection.
    pub session: ServerLimits,
    /// How long a drain waits for open calls. Default: 30 s.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            hello: Duration::from_secs(5),
            idle: Duration::from_secs(600),
            frame: Duration::from_secs(10),
            write_stall: Duration::from_secs(30),
            max_connections: 10_000,
            max_connections_per_address: 64,
            max_calls_per_subject: 4096,
            calls_per_second_per_subject: None,
            session: ServerLimits::default(),
            drain: Duration::from_secs(30),
        }
    }
}
