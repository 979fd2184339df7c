//! Connections that are cut or garbled after some number of bytes, through the proxy: whatever the number,
//! nothing partial comes out, and nothing takes effect twice.

use crate::fixture::{told, with_each_client, Client, Face, Fixture};
use crate::support::bytes;
use ron_app_sdk::{AddrB3, Executed};
use ron_fault_proxy::{BlockingFaultProxy, Counters, Direction, Faults};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// One put and one get after it, during whose first attempt the line does this; then it is good again.
struct Trial<'a> {
    fixture: &'a Fixture,
    proxy: &'a BlockingFaultProxy,
    client: &'a Client,
    /// Attempts.
    expected: RangeInclusive<u32>,
}

impl Trial<'_> {
    /// Makes the call while the fault is on, and takes that away when it has happened.
    fn during<T: Send>(
        &self,
        faults: Faults,
        count: impl Fn(&Counters) -> u64 + Sync,
        call: impl FnOnce(&Client) -> T + Send,
    ) -> T {
        let before = count(&self.proxy.counters());
        self.proxy.set(faults);
        std::thread::scope(|scope| {
            let call = scope.spawn(move || call(self.client));
            let deadline = Instant::now() + Duration::from_secs(4);
            while count(&self.proxy.counters()) == before {
                assert!(Instant::now() < deadline, "{faults:?} did not happen");
                std::thread::sleep(Duration::from_micros(200));
            }
            self.proxy.set(Faults::default());
            call.join().unwrap()
        })
    }

    fn put_and_get(&self, faults: Faults, count: impl Fn(&Counters) -> u64 + Sync, round: usize) {
        let mut object = bytes(300);
        object[..8].copy_from_slice(&round.to_be_bytes());
        let keys = self.fixture.effects().1;
        let put = self.during(faults, &count, |client| client.put(&object));
        let (attempts, _, executed) = told(&put);
        assert!(self.expected.contains(&attempts), "{faults:?}: {attempts}");
        assert_eq!(executed, Executed::Yes);
        let address = put.unwrap().0;
        assert_eq!(address, AddrB3::of(&object));
        let (_, after, most) = self.fixture.effects();
        assert_eq!((after, most), (keys + 1, 1), "{faults:?}");

        let got = self.during(faults, &count, |client| client.get(address));
        assert!(self.expected.contains(&told(&got).0), "{faults:?}");
        assert_eq!(got.unwrap().0, object, "{faults:?}");
    }
}

fn sweep(
    face: Face,
    numbers: impl IntoIterator<Item = u64>,
    fault: impl Fn(u64) -> Direction,
    count: impl Fn(&Counters) -> u64 + Sync,
) {
    let fixture = Fixture::start(face);
    let (proxy, client) = fixture.proxied(|config| config.backoff.base = Duration::from_millis(5));
    // A garbled length leaves a record unfinished, which only the attempt's limit ends.
    let client = client.with_limit(Duration::from_millis(1500));
    client.put(b"connected").unwrap();
    for (round, number) in numbers.into_iter().enumerate() {
        let trial = Trial {
            fixture: &fixture,
            proxy: &proxy,
            client: &client,
            // What ends before the call begins costs it none.
            expected: if number == 0 { 1..=5 } else { 2..=5 },
        };
        let direction = fault(number);
        trial.put_and_get(Faults::from_gateway(direction), &count, 2 * round);
        trial.put_and_get(Faults::to_gateway(direction), &count, 2 * round + 1);
    }
    assert_eq!(client.open_calls(), 0);
}

/// A record's header, a frame's header within it, and some way beyond.
fn numbers() -> impl Iterator<Item = u64> {
    (0..=38).chain([39, 43, 60, 64, 80, 100, 150])
}

#[test]
fn a_reset_after_any_number_of_bytes_is_survived() {
    with_each_client(|face| {
        let reset = |number| Direction {
            reset_after: Some(number),
            ..Direction::default()
        };
        sweep(face, numbers(), reset, |counters| counters.resets);
    });
}

#[test]
fn an_end_after_any_number_of_bytes_is_no_success() {
    with_each_client(|face| {
        let close = |number| Direction {
            close_after: Some(number),
            ..Direction::default()
        };
        let every_third = numbers().step_by(3);
        sweep(face, every_third, close, |counters| counters.closes);
    });
}

#[test]
fn a_flipped_bit_anywhere_is_noticed() {
    with_each_client(|face| {
        let flip = |number| Direction {
            flip_bit_at: Some(number),
            ..Direction::default()
        };
        // Of a record's header, its type and its length. Its version means nothing (RFC 8446, section 5.1).
        let places = [0, 3, 4, 5, 10, 40, 100];
        sweep(face, places, flip, |counters| counters.flips);
    });
}
