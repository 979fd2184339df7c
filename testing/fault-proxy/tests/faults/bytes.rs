//! What happens to the bytes of a connection.

use crate::support::{assert_took, pattern, read, read_to_end, write, Fixture};
use ron_fault_proxy::{Direction, Faults};
use std::io::ErrorKind;
use std::num::{NonZeroU64, NonZeroUsize};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;

const LATENCY: Duration = Duration::from_millis(200);

#[tokio::test]
async fn without_faults_everything_passes_both_ways_and_so_does_the_end() {
    let fixture = Fixture::start().await;
    let mut client = fixture.echo().await;
    let sent = pattern(3_000_000);
    let (mut from, mut to) = client.split();
    let mut received = Vec::new();
    let (end, sending) = tokio::join!(
        tokio::io::AsyncReadExt::read_to_end(&mut from, &mut received),
        async {
            to.write_all(&sent).await?;
            to.shutdown().await
        },
    );
    assert_eq!((end.unwrap(), sending.unwrap()), (sent.len(), ()));
    assert!(received == sent);
    let counters = fixture.proxy.counters();
    assert_eq!(counters.connections, 1);
    assert_eq!(counters.bytes_to_gateway, 3_000_000);
    assert_eq!(counters.bytes_from_gateway, 3_000_000);
    assert_eq!(
        (counters.delays, counters.slices, counters.resets),
        (0, 0, 0)
    );
}

#[tokio::test]
async fn latency_is_added_in_its_direction() {
    let fixture = Fixture::start().await;
    let (mut client, mut gateway) = fixture.pair().await;
    fixture.proxy.set(Faults::to_gateway(Direction {
        latency: LATENCY,
        ..Direction::default()
    }));
    let began = Instant::now();
    write(&mut client, b"there").await;
    read(&mut gateway, 5).await;
    assert_took(began, LATENCY);
    let began = Instant::now();
    write(&mut gateway, b"back").await;
    read(&mut client, 4).await;
    assert_took(began, Duration::ZERO);
    assert_eq!(fixture.proxy.counters().delays, 1);
}

#[tokio::test]
async fn the_end_of_a_stream_has_the_latency_too() {
    let fixture = Fixture::start().await;
    let (mut client, mut gateway) = fixture.pair().await;
    fixture.proxy.set(Faults::to_gateway(Direction {
        latency: LATENCY,
        ..Direction::default()
    }));
    let began = Instant::now();
    client.shutdown().await.unwrap();
    assert_eq!(read_to_end(&mut gateway).await, (Vec::new(), None));
    assert_took(began, LATENCY);
}

#[tokio::test]
async fn jitter_does_not_change_the_order() {
    let fixture = Fixture::start().await;
    fixture.proxy.set(Faults {
        seed: 7,
        ..Faults::to_gateway(Direction {
            jitter: Duration::from_millis(20),
            ..Direction::default()
        })
    });
    let (mut client, mut gateway) = fixture.pair().await;
    client.set_nodelay(true).unwrap();
    let sent = pattern(200);
    let began = Instant::now();
    for byte in &sent {
        write(&mut client, &[*byte]).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(read(&mut gateway, sent.len()).await, sent);
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(fixture.proxy.counters().delays > 10);
}

#[tokio::test(start_paused = true)]
async fn time_is_the_runtimes() {
    let fixture = Fixture::start().await;
    let hour = Duration::from_secs(3600);
    fixture.proxy.set(Faults::to_gateway(Direction {
        latency: hour,
        ..Direction::default()
    }));
    let mut client = fixture.client().await;
    let (mut gateway, _) = fixture.gateway.accept().await.unwrap();
    let began = tokio::time::Instant::now();
    client.write_all(b"x").await.unwrap();
    let mut byte = [0];
    tokio::io::AsyncReadExt::read_exact(&mut gateway, &mut byte)
        .await
        .unwrap();
    assert!(began.elapsed() >= hour);
}

#[tokio::test]
async fn bandwidth_is_kept_from_the_first_byte_on() {
    let fixture = Fixture::start().await;
    fixture.proxy.set(Faults::from_gateway(Direction {
        bandwidth: NonZeroU64::new(50_000),
        ..Direction::default()
    }));
    let (mut client, mut gateway) = fixture.pair().await;
    let sent = pattern(25_000);
    let began = Instant::now();
    write(&mut gateway, &sent).await;
    assert_eq!(read(&mut client, sent.len()).await, sent);
    // The last write has not to be waited after.
    assert_took(began, Duration::from_millis(490));
    assert!(fixture.proxy.counters().throttles >= 50);
}

#[tokio::test]
async fn slices_are_no_longer_than_told_and_have_their_pause() {
    let fixture = Fixture::start().await;
    fixture.proxy.set(Faults::from_gateway(Direction {
        slice: NonZeroUsize::new(3),
        slice_pause: Duration::from_millis(20),
        ..Direction::default()
    }));
    let (mut client, mut gateway) = fixture.pair().await;
    let began = Instant::now();
    write(&mut gateway, &pattern(30)).await;
    let mut received = Vec::new();
    let mut buffer = [0; 100];
    let first = tokio::io::AsyncReadExt::read(&mut client, &mut buffer);
    let first = first.await.unwrap();
    // Whoever reads late reads several.
    assert!(first % 3 == 0 && first < 30, "{first}");
    received.extend_from_slice(&buffer[..first]);
    received.extend(read(&mut client, 30 - first).await);
    assert_eq!(received, pattern(30));
    assert_took(began, Duration::from_millis(9 * 20));
    assert_eq!(fixture.proxy.counters().slices, 9);
}

#[tokio::test]
async fn a_reset_comes_after_its_number_of_bytes_and_to_both_sides() {
    let fixture = Fixture::start().await;
    let (mut client, mut gateway) = fixture.pair().await;
    // What was forwarded before does not count.
    write(&mut gateway, b"before").await;
    assert_eq!(read(&mut client, 6).await, b"before");
    fixture.proxy.set(Faults::from_gateway(Direction {
        reset_after: Some(10),
        ..Direction::default()
    }));
    write(&mut gateway, &pattern(100)).await;
    let (received, end) = read_to_end(&mut client).await;
    assert_eq!(end, Some(ErrorKind::ConnectionReset));
    assert!(pattern(10).starts_with(&received), "{received:?}");
    assert_eq!(read_to_end(&mut gateway).await.1, end);
    let counters = fixture.proxy.counters();
    assert_eq!((counters.resets, counters.bytes_from_gateway), (1, 16));
}

#[tokio::test]
async fn a_close_comes_after_its_number_of_bytes_and_is_orderly() {
    let fixture = Fixture::start().await;
    fixture.proxy.set(Faults::to_gateway(Direction {
        close_after: Some(10),
        ..Direction::default()
    }));
    let (mut client, mut gateway) = fixture.pair().await;
    write(&mut client, &pattern(100)).await;
    assert_eq!(read_to_end(&mut gateway).await, (pattern(10), None));
    assert_eq!(read_to_end(&mut client).await, (Vec::new(), None));
    let counters = fixture.proxy.counters();
    assert_eq!((counters.closes, counters.bytes_to_gateway), (1, 10));
}

#[tokio::test]
async fn an_end_after_no_byte_is_at_once() {
    let fixture = Fixture::start().await;
    let (mut client, _gateway) = fixture.pair().await;
    fixture.proxy.set(Faults::to_gateway(Direction {
        close_after: Some(0),
        ..Direction::default()
    }));
    assert_eq!(read_to_end(&mut client).await, (Vec::new(), None));
    assert_eq!(fixture.proxy.counters().closes, 1);
}

#[tokio::test]
async fn one_bit_is_flipped_once() {
    let fixture = Fixture::start().await;
    let mut client = fixture.echo().await;
    fixture.proxy.set(Faults::from_gateway(Direction {
        flip_bit_at: Some(70_000),
        ..Direction::default()
    }));
    let mut expected = pattern(100_000);
    write(&mut client, &expected).await;
    expected[70_000] ^= 1;
    assert!(read(&mut client, 100_000).await == expected);
    assert_eq!(fixture.proxy.counters().flips, 1);
}

#[tokio::test]
async fn what_waits_is_bounded() {
    let fixture = Fixture::start().await;
    let (client, mut gateway) = fixture.pair().await;
    fixture.proxy.set(Faults::to_gateway(Direction {
        latency: LATENCY,
        ..Direction::default()
    }));
    // With 64 KiB on their way at a time, more takes more than once the latency.
    let sent = pattern(3 * 64 * 1024);
    let began = Instant::now();
    let (mut client, expected) = (client, sent.clone());
    let sending = tokio::spawn(async move {
        write(&mut client, &sent).await;
        client
    });
    assert!(read(&mut gateway, expected.len()).await == expected);
    assert!(began.elapsed() >= 3 * LATENCY, "{:?}", began.elapsed());
    sending.await.unwrap();
}
