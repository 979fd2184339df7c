//! Whether a client tells anything, and in which trace its calls are.

use crate::error::{ErrorKind, SdkError};
use crate::trace_parent::TraceContext;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// What a client's calls and connections ask before they tell anything. Clones are one.
#[derive(Clone)]
pub(crate) struct Tracing(Arc<State>);

struct State {
    is_enabled: AtomicBool,
    context: OnceLock<Box<dyn TraceContext>>,
}

impl Tracing {
    pub(crate) fn new(is_enabled: bool) -> Self {
        Self(Arc::new(State {
            is_enabled: AtomicBool::new(is_enabled),
            context: OnceLock::new(),
        }))
    }

    /// Whether there are spans, events and traces.
    pub(crate) fn is_enabled(&self) -> bool {
        self.0.is_enabled.load(Ordering::Relaxed)
    }

    /// Whom to ask for the trace of a call.
    pub(crate) fn context(&self) -> Option<&dyn TraceContext> {
        self.0.context.get().map(|context| &**context)
    }

    pub(crate) fn set_context(&self, context: impl TraceContext) -> Result<(), SdkError> {
        let set = self.0.context.set(Box::new(context));
        set.map_err(|_| SdkError::new(ErrorKind::Config, "trace context: it is set already"))
    }
}

impl fmt::Debug for Tracing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracing")
            .field("is_enabled", &self.is_enabled())
            .finish_non_exhaustive()
    }
}
