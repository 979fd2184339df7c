//! The wish to end early: once said, everybody hears it.

use tokio::sync::watch;

/// Says that it is to end.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Hears that it is to end. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

/// Both ends of it.
pub fn stop_channel() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// It is to end now.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Whether that was said.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is said; for ever, where the other end is gone.
    pub async fn requested(&mut self) {
        if self.0.wait_for(|stopped| *stopped).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Hears Ctrl-C and, where there is such a thing, SIGTERM, on the current runtime.
///
/// Only the first one counts: under `ron-gateway dev` both come at once, and the report is on its way then.
///
/// # Errors
/// Where the system does not let signals be caught.
pub fn stop_at_signals() -> std::io::Result<Stop> {
    let (stopper, stop) = stop_channel();
    #[cfg(unix)]
    let (mut interrupt, mut terminate) = {
        use tokio::signal::unix::{signal, SignalKind};
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        )
    };
    tokio::spawn(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
        stopper.stop();
        // Whoever holds the other end must not take a dropped one for silence.
        std::future::pending::<()>().await;
    });
    Ok(stop)
}
