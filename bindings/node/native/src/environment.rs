//! One JavaScript environment (the main thread's or a worker's): its queue of completions and what wakes it.
#![allow(unsafe_code)]

use crate::completions::{flatten, Outcome};
use crate::failure::Failure;
use napi::bindgen_prelude::{Array, Function};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{check_status, sys, Env, Status};
use napi_derive::napi;
use ron_app_sdk::completion::{CallId, CompletionQueue};
use ron_app_sdk::SdkError;
use std::future::Future;
use std::sync::Arc;

/// Calls JavaScript's `wake`, which takes nothing and returns nothing. It keeps no process alive unless it is told to.
type Wake = ThreadsafeFunction<(), (), (), Status, false, true>;

/// An environment. JavaScript makes one, before its first client.
#[napi]
pub struct Environment {
    queue: CompletionQueue<Outcome>,
    wake: Arc<Wake>,
}

#[napi]
impl Environment {
    /// `wake` is called when there are completions, once until they are all taken.
    #[napi(constructor)]
    pub fn new(env: Env, wake: Function<'_, (), ()>) -> napi::Result<Self> {
        let builder = wake.build_threadsafe_function::<()>();
        let wake: Arc<Wake> = Arc::new(builder.weak::<true>().build()?);
        let tell = Arc::clone(&wake);
        let queue = CompletionQueue::with_callback(move || {
            // It fails only where the environment is at its end, and takes nothing more.
            tell.call((), ThreadsafeFunctionCallMode::NonBlocking);
        });
        // It is called before the function above goes, which is older: the last hook comes first.
        env.add_env_cleanup_hook(queue.clone(), |queue| queue.close())?;
        Ok(Self { queue, wake })
    }

    /// Up to `most` completions, four elements for each; see `flatten`.
    #[napi]
    pub fn take<'env>(&self, env: &'env Env, most: u32) -> napi::Result<Array<'env>> {
        let completions = self.queue.take(most as usize);
        // It fails only in a child of a fork, in which there is no JavaScript.
        flatten(env, completions.unwrap_or_default().into_iter())
    }

    /// Cancels a call. Whether it was open; its completion comes either way.
    #[napi]
    pub fn cancel(&self, id: f64) -> bool {
        self.queue
            .cancel(CallId::from_number(id as u64))
            .unwrap_or(false)
    }

    /// Keeps the process until `unref`.
    #[napi(js_name = "ref")]
    pub fn reference(&self, env: Env) -> napi::Result<()> {
        // SAFETY: this is the environment's own thread, and the function lives as long as `self.wake`.
        check_status!(unsafe { sys::napi_ref_threadsafe_function(env.raw(), self.wake.raw()) })
    }

    /// Keeps the process no longer.
    #[napi(js_name = "unref")]
    pub fn unreference(&self, env: Env) -> napi::Result<()> {
        // SAFETY: as in `reference`.
        check_status!(unsafe { sys::napi_unref_threadsafe_function(env.raw(), self.wake.raw()) })
    }

    /// Calls that have not ended.
    #[napi(getter)]
    pub fn open_calls(&self) -> u32 {
        u32::try_from(self.queue.open_calls()).unwrap_or(u32::MAX)
    }
}

impl Environment {
    pub(crate) fn queue(&self) -> &CompletionQueue<Outcome> {
        &self.queue
    }

    /// Starts a call, and returns its number.
    pub(crate) fn submit(
        &self,
        call: impl Future<Output = Result<Outcome, SdkError>> + Send + 'static,
    ) -> Result<f64, Failure> {
        Ok(self.queue.submit(call)?.number() as f64)
    }
}
