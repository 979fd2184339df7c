//! An address at which nobody answers.

use socket2::{Domain, Socket, Type};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

/// Takes no connection, and refuses none: its queue is full, and the system drops what else knocks.
pub(crate) struct Silent {
    pub(crate) address: SocketAddr,
    _listener: Socket,
    _queue: Vec<Socket>,
}

impl Silent {
    pub(crate) fn new() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener
            .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
            .unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let queue = (0..4).map(|_| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            let _ = socket.connect(&address.into());
            socket
        });
        let queue = queue.collect();
        thread::sleep(Duration::from_millis(50));
        Self {
            address,
            _listener: listener,
            _queue: queue,
        }
    }
}
