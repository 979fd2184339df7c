#![allow(clippy::unwrap_used)]

use super::*;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use tokio::sync::oneshot;

fn queue() -> CompletionQueue<u32> {
    CompletionQueue::with_callback(|| ())
}

fn one(queue: &CompletionQueue<u32>) -> Completion<u32> {
    assert!(queue.wait(Some(Duration::from_secs(10))).unwrap());
    queue.take(1).unwrap().pop_front().unwrap()
}

#[test]
fn ids_are_counted_from_one_and_results_come_once() {
    let queue = queue();
    for number in 1..=3 {
        let id = queue.submit(async move { Ok(number) }).unwrap();
        assert_eq!(id.number(), u64::from(number));
    }
    let taken = queue.take(2).unwrap();
    assert_eq!(taken.len(), 2);
    let ended = one(&queue);
    assert_eq!((ended.id.number(), ended.result.unwrap()), (3, 3));
    assert!(queue.take(1).unwrap().is_empty());
    assert!(!queue.wait(Some(Duration::from_millis(1))).unwrap());
    assert_eq!(queue.open_calls(), 0);
}

#[test]
fn a_call_that_waits_goes_on_without_its_submitter() {
    let queue = queue();
    let (sender, receiver) = oneshot::channel();
    let id = queue.submit(async { Ok(receiver.await.unwrap()) }).unwrap();
    assert_eq!(queue.open_calls(), 1);
    sender.send(7).unwrap();
    let ended = one(&queue);
    assert_eq!((ended.id, ended.result.unwrap()), (id, 7));
}

#[test]
fn a_cancelled_call_has_its_completion_and_no_other() {
    let queue = queue();
    let id = queue.submit(pending()).unwrap();
    assert!(queue.cancel(id).unwrap());
    let ended = one(&queue);
    let error = ended.result.unwrap_err();
    assert_eq!((ended.id, error.kind()), (id, ErrorKind::Cancelled));
    assert_eq!(error.executed(), Executed::Unknown);
    assert!(!queue.cancel(id).unwrap());
    assert!(!queue.cancel(CallId::from_number(77)).unwrap());
    assert!(queue.take(1).unwrap().is_empty());
}

#[test]
fn a_panic_costs_its_own_call_alone() {
    let queue = queue();
    queue.submit(async { panic!("in the first poll") }).unwrap();
    let error = one(&queue).result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    let later = async {
        tokio::task::yield_now().await;
        panic!("in a later poll")
    };
    queue.submit(later).unwrap();
    let error = one(&queue).result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    queue.submit(async { Ok(1) }).unwrap();
    assert_eq!(one(&queue).result.unwrap(), 1);
}

#[test]
fn a_call_without_a_result_has_what_is_made_of_its_error() {
    let queue = queue();
    let number = |error: SdkError| Ok(error.kind().number());
    let id = queue.submit_or_else(pending(), number).unwrap();
    assert!(queue.cancel(id).unwrap());
    assert_eq!(one(&queue).result.unwrap(), ErrorKind::Cancelled.number());
    queue
        .submit_or_else(async { panic!("in the first poll") }, number)
        .unwrap();
    assert_eq!(one(&queue).result.unwrap(), ErrorKind::Internal.number());
    queue.submit_or_else(async { Ok(1) }, number).unwrap();
    assert_eq!(one(&queue).result.unwrap(), 1);
    queue.submit_or_else(pending(), number).unwrap();
    queue.close();
    assert_eq!(one(&queue).result.unwrap(), ErrorKind::Cancelled.number());
}

#[test]
fn a_host_is_called_once_until_it_has_taken_everything() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let queue = CompletionQueue::with_callback(move || {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    for round in 1..=3 {
        for _ in 0..10 {
            queue.submit(async { Ok(0) }).unwrap();
        }
        assert_eq!(calls.load(Ordering::SeqCst), round);
        assert_eq!(queue.take(4).unwrap().len(), 4);
        queue.submit(async { Ok(0) }).unwrap();
        assert_eq!(calls.load(Ordering::SeqCst), round);
        assert_eq!(queue.take(64).unwrap().len(), 7);
    }
}

#[cfg(unix)]
#[test]
fn a_descriptor_is_readable_as_long_as_something_is_there() {
    use rustix::event::{poll, PollFd, PollFlags, Timespec};
    let queue = CompletionQueue::with_descriptor().unwrap();
    let is_readable = || {
        let mut descriptors = [PollFd::from_borrowed_fd(
            queue.descriptor().unwrap(),
            PollFlags::IN,
        )];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        poll(&mut descriptors, Some(&now)).unwrap() == 1
    };
    for _ in 0..2 {
        assert!(!is_readable());
        for _ in 0..3 {
            queue.submit(async { Ok(0) }).unwrap();
        }
        assert!(is_readable());
        assert_eq!(queue.take(2).unwrap().len(), 2);
        assert!(is_readable());
        assert_eq!(queue.take(2).unwrap().len(), 1);
    }
    assert!(super::CompletionQueue::<u32>::with_callback(|| ())
        .descriptor()
        .is_none());
}

#[test]
fn a_closed_queue_leaves_nothing_at_work() {
    struct Dropped(mpsc::Sender<()>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.send(()).unwrap();
        }
    }
    let queue = queue();
    let (sender, dropped) = mpsc::channel();
    for _ in 0..100 {
        let borrowed = Dropped(sender.clone());
        let call = async move {
            pending::<()>().await;
            drop(borrowed);
            Ok(0)
        };
        queue.submit(call).unwrap();
    }
    queue.close();
    assert_eq!((dropped.try_iter().count(), queue.open_calls()), (100, 0));
    let refused = queue.submit(async { Ok(0) }).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Closed);
    let taken = queue.take(1000).unwrap();
    assert_eq!(taken.len(), 100);
    let are_cancelled =
        |ended: &Completion<u32>| ended.result.as_ref().unwrap_err().kind() == ErrorKind::Cancelled;
    assert!(taken.iter().all(are_cancelled));
}

#[test]
fn what_nobody_takes_is_bounded() {
    let queue = queue();
    for _ in 0..ledger::MAX_CALLS {
        queue.submit(async { Ok(0) }).unwrap();
    }
    let refused = queue.submit(async { Ok(0) }).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Busy);
    assert_eq!(queue.take(1).unwrap().len(), 1);
    queue.submit(async { Ok(0) }).unwrap();
}

#[test]
fn threads_that_submit_cancel_and_take_lose_nothing() {
    let queue = queue();
    let submitters = 4;
    let each = 2000;
    thread::scope(|scope| {
        for _ in 0..submitters {
            scope.spawn(|| {
                for number in 0..each {
                    let id = queue
                        .submit(async move {
                            if number % 2 == 0 {
                                tokio::task::yield_now().await;
                            }
                            Ok(number)
                        })
                        .unwrap();
                    if number % 3 == 0 {
                        queue.cancel(id).unwrap();
                    }
                }
            });
        }
        let mut ids = std::collections::HashSet::new();
        while ids.len() < submitters * each as usize {
            assert!(queue.wait(Some(Duration::from_secs(10))).unwrap());
            for ended in queue.take(100).unwrap() {
                assert!(ids.insert(ended.id), "{:?} ended twice", ended.id);
            }
        }
    });
    assert_eq!(queue.open_calls(), 0);
}
