//! What is timed.

/// One kind of call.
pub(crate) struct Work {
    pub(crate) name: &'static str,
    pub(crate) operation: Operation,
    pub(crate) client: Client,
    pub(crate) callers: usize,
    /// Bytes of the object.
    pub(crate) payload: usize,
    /// Of each caller. A tenth of it comes before, untimed.
    pub(crate) calls: usize,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Operation {
    Get,
    Put,
}

#[derive(Clone, Copy)]
pub(crate) enum Client {
    Blocking,
    /// On a current-thread runtime: a gate pins all to one core.
    Async,
}

impl Operation {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Put => "put",
        }
    }
}

impl Client {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Blocking => "sdk-blocking",
            Self::Async => "sdk-async",
        }
    }
}

/// Each takes 0.1 to 0.2 s, so that two revisions alternate faster than a machine changes its mind.
pub(crate) const WORKS: [Work; 6] = [
    Work {
        name: "get-64b",
        operation: Operation::Get,
        client: Client::Blocking,
        callers: 1,
        payload: 64,
        calls: 5000,
    },
    Work {
        name: "get-64k",
        operation: Operation::Get,
        client: Client::Blocking,
        callers: 1,
        payload: 64 * 1024,
        calls: 2000,
    },
    Work {
        name: "get-992k",
        operation: Operation::Get,
        client: Client::Blocking,
        callers: 1,
        // The limit of a body in one envelope.
        payload: 992 * 1024,
        calls: 250,
    },
    // A gateway remembers 100,000 idempotency keys of a subject: enough for 80 rounds of two builds.
    Work {
        name: "put-64k",
        operation: Operation::Put,
        client: Client::Blocking,
        callers: 1,
        payload: 64 * 1024,
        calls: 500,
    },
    Work {
        name: "get-64k-async",
        operation: Operation::Get,
        client: Client::Async,
        callers: 1,
        payload: 64 * 1024,
        calls: 2000,
    },
    Work {
        name: "get-4k-64-callers",
        operation: Operation::Get,
        client: Client::Async,
        callers: 64,
        payload: 4 * 1024,
        calls: 200,
    },
];
