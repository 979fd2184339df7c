//! Minting, narrowing, reading and verifying, against two other implementations.
#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

/// The example of the libmacaroons documentation.
fn example() -> Macaroon {
    Macaroon::mint(
        b"this is our super secret key; only we should know it",
        "http://mybank/",
        b"we used our secret key",
    )
}

const ROOT_KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

/// A token with the caveats that the fixture of two implementations has.
fn narrowed() -> Macaroon {
    let mut token = Macaroon::mint(ROOT_KEY, "ron-gateway", b"v1:k1:alice:t-1");
    for caveat in [
        "tenant=0102030405060708090a0b0c0d0e0f10",
        "path^=/public/",
        "exp<1900000000",
    ] {
        token = token.attenuate(caveat.as_bytes()).unwrap();
    }
    token
}

fn hex(token: &Macaroon) -> String {
    let bytes = token.encode();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn minting_and_attenuating_write_the_bytes_that_pymacaroons_writes() {
    // pymacaroons 0.13.0, version=MACAROON_V2; the second with two first-party caveats.
    let header = concat!(
        "02010e687474703a2f2f6d7962616e6b2f021677652075736564206f757220736563726574206b6579",
        "00",
    );
    let bare = "000620e3d9e02908526c4c0039ae15114115d97fdd68bf2ba379b342aaf0f617d0552f";
    let narrowed = concat!(
        "020e6f703d73746f726167652e67657400020e6578703c31393030303030303030",
        "00000620b26ad661a0d45347bac3cf22051ee98db4870330ade6c6110f5df4b30fcd187e",
    );
    let token = example();
    assert_eq!(hex(&token), format!("{header}{bare}"));
    let token = token.attenuate(b"op=storage.get").unwrap();
    let token = token.attenuate(b"exp<1900000000").unwrap();
    assert_eq!(hex(&token), format!("{header}{narrowed}"));
}

#[test]
fn two_other_implementations_write_the_same_bytes_and_ours_verifies_them() {
    // The same bytes from npm macaroon 3.0.4 (newMacaroon with version 2, addFirstPartyCaveat, exportBinary)
    // and from pymacaroons 0.13.0 (version=MACAROON_V2, serialize).
    let bare = concat!(
        "02010b726f6e2d67617465776179020f76313a6b313a616c6963653a742d3100",
        "00062027ed3e03707bb99776164f6a824809a6e0a4b73c82cb737778dbcd872a94ac12",
    );
    let with_caveats = concat!(
        "02010b726f6e2d67617465776179020f76313a6b313a616c6963653a742d3100",
        "022774656e616e743d303130323033303430353036303730383039306130623063306430653066313000",
        "020e706174685e3d2f7075626c69632f00020e6578703c3139303030303030303000",
        "00062072b0f197d18cd1afecdfb6c604e2f306eeb0914fa7b252fcd51be77aef65b53e",
    );
    let minted = Macaroon::mint(ROOT_KEY, "ron-gateway", b"v1:k1:alice:t-1");
    for (token, fixture) in [(minted, bare), (narrowed(), with_caveats)] {
        assert_eq!(hex(&token), fixture);
        let parsed = Macaroon::parse(&token.encode()).unwrap();
        assert!(parsed.verify(ROOT_KEY));
        assert!(!parsed.verify(b"another root key"));
    }
}

#[test]
fn every_change_of_a_bit_and_every_truncation_is_refused() {
    let token = narrowed();
    let bytes = token.encode();
    let is_good = |bytes: &[u8]| Macaroon::parse(bytes).is_ok_and(|token| token.verify(ROOT_KEY));
    assert!(is_good(&bytes));
    // The location's text is a hint that no signature covers.
    let location = 3..3 + token.location().unwrap().len();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        if !location.contains(&(bit / 8)) {
            assert!(!is_good(&changed), "bit {bit}");
        }
    }
    for end in 0..bytes.len() {
        assert!(!is_good(&bytes[..end]), "cut at {end}");
    }
}

#[test]
fn a_caveat_of_a_third_party_is_never_verified() {
    // Signed as the format asks for: only the rule refuses it.
    let mut token = Macaroon::mint(ROOT_KEY, "here", b"id");
    let (verification_id, identifier) = (b"vid".to_vec(), b"elsewhere".to_vec());
    let pair = [
        hmac(&token.signature, &verification_id),
        hmac(&token.signature, &identifier),
    ];
    token.signature = hmac(&token.signature, &pair.concat());
    token.caveats.push(Caveat {
        location: None,
        identifier,
        verification_id: Some(verification_id),
    });
    assert!(!token.verify(ROOT_KEY));
}

#[test]
fn a_token_is_narrowed_at_most_64_times() {
    let mut token = example();
    for _ in 0..MAX_CAVEATS {
        token = token.attenuate(b"op=storage.get").unwrap();
    }
    let refused = token.attenuate(b"op=storage.get").unwrap_err();
    assert_eq!(refused, MacaroonError::TooManyCaveats);
}

#[test]
fn malformed_tokens_are_refused() {
    let good = Macaroon::mint(b"key", "here", b"id").encode();
    assert!(Macaroon::parse(&good).is_ok());
    for cut in 0..good.len() {
        assert!(Macaroon::parse(&good[..cut]).is_err(), "cut at {cut}");
    }
    let mut longer = good.clone();
    longer.push(0);
    assert_eq!(
        Macaroon::parse(&longer).unwrap_err(),
        MacaroonError::TrailingBytes
    );
    let mut other = good;
    other[0] = 1;
    assert_eq!(
        Macaroon::parse(&other).unwrap_err(),
        MacaroonError::Version(1)
    );
}

#[test]
fn the_number_of_caveats_is_bounded() {
    let mut token = Macaroon::mint(b"key", "here", b"id");
    let caveat = Caveat {
        location: None,
        identifier: b"c".to_vec(),
        verification_id: None,
    };
    token.caveats = vec![caveat.clone(); MAX_CAVEATS];
    assert!(Macaroon::parse(&token.encode()).is_ok());
    token.caveats.push(caveat);
    assert_eq!(
        Macaroon::parse(&token.encode()).unwrap_err(),
        MacaroonError::TooManyCaveats
    );
}

proptest! {
    #[test]
    fn caveats_are_neither_dropped_nor_swapped_nor_added_without_the_key(
        key: Vec<u8>,
        identifier: Vec<u8>,
        caveats in proptest::collection::hash_set(any::<Vec<u8>>(), 2..6),
        first: prop::sample::Index,
        second: prop::sample::Index,
        added: Vec<u8>,
    ) {
        let mut token = Macaroon::mint(&key, "here", &identifier);
        for caveat in &caveats {
            token = token.attenuate(caveat).unwrap();
        }
        prop_assert!(token.verify(&key));
        let with = |caveats: Vec<Caveat>| Macaroon {
            location: None,
            identifier: identifier.clone(),
            caveats,
            signature: token.signature,
        };
        let (first, second) = (first.index(caveats.len()), second.index(caveats.len()));

        let mut dropped = token.caveats.clone();
        dropped.remove(first);
        prop_assert!(!with(dropped).verify(&key));

        let mut swapped = token.caveats.clone();
        swapped.swap(first, second);
        prop_assert_eq!(with(swapped).verify(&key), first == second);

        let mut longer = token.caveats.clone();
        let caveat = Caveat { location: None, identifier: added, verification_id: None };
        longer.insert(first, caveat);
        prop_assert!(!with(longer).verify(&key));
    }

    #[test]
    fn tokens_round_trip(
        location: Option<String>, identifier in proptest::collection::vec(any::<u8>(), 0..300),
        caveats in proptest::collection::vec(
            (any::<Option<String>>(), any::<Vec<u8>>(), any::<Option<Vec<u8>>>()), 0..5),
        signature: [u8; 32],
    ) {
        let caveats = caveats.into_iter().map(|(location, identifier, verification_id)| Caveat {
            location, identifier, verification_id,
        }).collect();
        let token = Macaroon { location, identifier, caveats, signature };
        let again = Macaroon::parse(&token.encode()).unwrap();
        prop_assert_eq!(&again.location, &token.location);
        prop_assert_eq!(&again.identifier, &token.identifier);
        prop_assert_eq!(&again.caveats, &token.caveats);
        prop_assert_eq!(again.signature, token.signature);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
        let _ = Macaroon::parse(&bytes);
    }
}
