//! HTTP/2's windows and frames in bytes, the same at the clients and at the server.

/// Of a stream: so wide that nobody ever waits for it.
pub(crate) const STREAM: u32 = 4 * 1024 * 1024;
/// Of a connection, likewise.
pub(crate) const CONNECTION: u32 = 256 * 1024 * 1024;
/// As large as the OAP frames of a body.
pub(crate) const FRAME: u32 = 64 * 1024;
