//! What a client has at the moment.

/// What a client has at the moment, for whoever watches it. When no call is open and the gateway has
/// answered what was cancelled, all of it is 0 but the connections and what the cache has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientStats {
    /// Calls that have not returned, those included that wait for a slot or for their next attempt.
    pub open_calls: usize,
    /// Connections to the gateway.
    pub connections: usize,
    /// Calls that wait for a slot on a connection.
    pub waiting_calls: usize,
    /// Requests whose answer has not ended, cancelled ones included: the slots in use.
    pub open_streams: usize,
    /// Sealed bytes that no socket has taken yet.
    pub unsent_bytes: usize,
    /// Objects in the cache.
    pub cached_objects: usize,
    /// Their bytes.
    pub cached_bytes: usize,
}
