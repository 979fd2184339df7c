//! Answers that come in time and are wrong: what is in them decides, and wrong data is never handed out.

use crate::fixture::{always, into_puts, on_each_client, once, told, Client, Fixture, Outcome};
use crate::support::bytes;
use ron_app_sdk::{AddrB3, ByteRange, ErrorKind, Executed};
use ron_gateway::faults::Fault;

const RANGE: (u64, u64) = (100, 199);

/// A read, checked as far as it can be.
fn read(client: &Client, address: AddrB3, object: &[u8], is_ranged: bool) -> Outcome<()> {
    if is_ranged {
        let range = ByteRange::new(RANGE.0, RANGE.1).unwrap();
        let (part, report) = client.get_range(address, range)?;
        assert_eq!((part.range, &part.bytes[..]), (range, &object[100..200]));
        Ok(((), report))
    } else {
        let (whole, report) = client.get(address)?;
        assert_eq!(whole, object);
        Ok(((), report))
    }
}

/// A read that is wrong once is fetched again over another connection; one that stays wrong is an error.
fn is_fetched_again_once(fixture: &Fixture, fault: &Fault, is_ranged: bool) {
    let object = bytes(1000);
    let client = fixture.client();
    let address = client.put(&object).unwrap().0;
    let fired = fixture.fired(fault.kind());
    let accepted = fixture.accepted();
    fixture.arm([once(fault.clone())]);
    let right = read(&client, address, &object, is_ranged);
    assert_eq!(told(&right), (2, false, Executed::No), "{fault:?}");
    assert_eq!(fixture.fired(fault.kind()), fired + 1, "{fault:?}");
    assert_eq!(fixture.accepted(), accepted + 1, "elsewhere");

    fixture.arm([always(fault.clone())]);
    let error = read(&client, address, &object, is_ranged).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::IntegrityMismatch, "{error}");
    assert_eq!((error.attempts(), error.executed()), (2, Executed::No));
    assert_eq!(fixture.fired(fault.kind()), fired + 3, "{fault:?}");
    fixture.disarm();
}

#[test]
fn a_wrong_object_is_fetched_again_once_elsewhere() {
    on_each_client(|fixture| {
        for fault in [
            Fault::CorruptBody,
            Fault::ShortBody { bytes: 1 },
            Fault::ShortBody { bytes: 1000 },
            Fault::LongBody { bytes: 1 },
            Fault::LongBody { bytes: 65_536 },
        ] {
            is_fetched_again_once(fixture, &fault, false);
        }
    });
}

#[test]
fn a_wrong_range_is_fetched_again_once_elsewhere() {
    on_each_client(|fixture| {
        for fault in [
            Fault::WrongRange,
            Fault::WrongAddress,
            Fault::ShortBody { bytes: 1 },
            Fault::LongBody { bytes: 1 },
        ] {
            is_fetched_again_once(fixture, &fault, true);
        }
    });
}

/// The bytes decide for a whole object, and the named address where there are none.
#[test]
fn an_answer_about_another_object_is_not_believed() {
    on_each_client(|fixture| {
        let client = fixture.client();
        let address = client.put(b"x").unwrap().0;
        fixture.arm([always(Fault::WrongAddress)]);
        let error = client.head(address).unwrap_err();
        assert_eq!(
            (error.kind(), error.attempts()),
            (ErrorKind::IntegrityMismatch, 2)
        );
        assert_eq!(fixture.fired(Fault::WrongAddress.kind()), 2);
        assert_eq!(client.get(address).unwrap().0, "x");
    });
}

#[test]
fn a_wrong_receipt_is_an_error_of_a_put_that_took_effect() {
    on_each_client(|fixture| {
        fixture.arm([always(Fault::WrongReceipt)]);
        let error = fixture.client().put(b"x").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::IntegrityMismatch);
        assert_eq!((error.attempts(), error.executed()), (1, Executed::Yes));
        assert_eq!(fixture.fired(Fault::WrongReceipt.kind()), 1);
        assert_eq!(fixture.effects(), (1, 1, 1));
    });
}

#[test]
fn an_answer_that_breaks_its_schema_is_an_error_at_once() {
    on_each_client(|fixture| {
        let client = fixture.client();
        let address = client.put(b"x").unwrap().0;
        for fault in [Fault::UnknownField, Fault::WrongType, Fault::DeepMeta] {
            fixture.arm([always(fault.clone())]);
            let fired = fixture.fired(fault.kind());
            let error = client.get(address).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::SchemaViolation, "{error}");
            assert_eq!((error.attempts(), error.executed()), (1, Executed::No));
            assert!(error.to_string().contains("meta"), "{error}");
            fixture.arm([into_puts(always(fault.clone()))]);
            let error = client.put(b"y").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::SchemaViolation, "{error}");
            assert_eq!((error.attempts(), error.executed()), (1, Executed::Yes));
            assert_eq!(fixture.fired(fault.kind()), fired + 2);
        }
        assert_eq!(fixture.effects(), (4, 4, 1));
    });
}
