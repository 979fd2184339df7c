//! Properties over arbitrary splits, replies, bytes and frames.

use super::*;

proptest! {
    #[test]
    fn a_body_split_over_frames_anywhere_arrives_whole(
        sizes in proptest::collection::vec(0usize..200, 1..30), reads in 1usize..97,
    ) {
        let body: Vec<u8> = (0..sizes.iter().sum::<usize>()).map(|i| i as u8).collect();
        let split = |role: Flags, code| {
            let (mut out, mut at) = (Vec::new(), 0);
            for (index, size) in sizes.iter().enumerate() {
                let meta = (index == 0).then_some(&b"{}"[..]);
                let flags = role
                    .with_if(index == 0, START)
                    .with_if(index + 1 == sizes.len(), END);
                out.extend(frame(flags, code, 0x0301, 1, meta, &body[at..at + size]));
                at += size;
            }
            out
        };
        let mut pair = Pair::ready();
        for chunk in split(REQ, 0).chunks(reads) {
            pair.server.receive(pair.now, chunk).unwrap();
        }
        prop_assert_eq!(pair.bodies(), [(1, Bytes::from(body.clone()))]);

        let mut pair = Pair::ready();
        pair.call(9, b"");
        for chunk in split(RESP, 200).chunks(reads) {
            pair.client.receive(pair.now, chunk).unwrap();
        }
        prop_assert_eq!(pair.replies(), [(9, 200, Bytes::from(body))]);
    }

    #[test]
    fn arbitrary_bytes_never_panic(chunks in proptest::collection::vec(any::<Vec<u8>>(), 0..8)) {
        let mut pair = Pair::ready();
        pair.call(0, b"");
        for chunk in &chunks {
            if pair.client.receive(pair.now, chunk).is_err() {
                break;
            }
        }
        for chunk in &chunks {
            if pair.server.receive(pair.now, chunk).is_err() {
                break;
            }
        }
        pair.server_output();
    }

    #[test]
    fn arbitrary_valid_frames_never_panic(
        frames in proptest::collection::vec(
            (0u16..256, 0u16..600, 0usize..6, 0u64..6, proptest::option::of(any::<Vec<u8>>()), any::<Vec<u8>>()),
            0..20),
    ) {
        let mut pair = Pair::ready();
        pair.call(0, b"");
        for (flags, code, app, id, meta, body) in &frames {
            let app = [0, 0x0201, 0x0301, 0x0401, 0x0501, 9][*app];
            let bytes = frame(Flags::from_bits(*flags).unwrap(), *code, app, *id, meta.as_deref(), body);
            let _ = pair.client.receive(pair.now, &bytes);
            let _ = pair.server.receive(pair.now, &bytes);
        }
        pair.server_output();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn replies_never_reach_another_caller(
        frames in proptest::collection::vec((1u64..9, 0u8..6, 0usize..40), 1..80),
    ) {
        let mut pair = Pair::ready();
        for tag in 0..8 {
            pair.call(tag, b"");
        }
        for (id, shape, size) in frames {
            let flags = [RESP.with(START).with(END), RESP.with(START), RESP, RESP.with(END),
                         RESP.with(END), RESP.with(START).with(END)][usize::from(shape)];
            let code = if shape >= 4 { 500 } else { 200 };
            let has_meta = flags.contains(START) || code == 500;
            let bytes = frame(flags, code, 0x0301, id, has_meta.then_some(&b"{}"[..]), &vec![id as u8; size]);
            if pair.client.receive(pair.now, &bytes).is_err() {
                break;
            }
        }
        for (tag, _, body) in pair.replies() {
            prop_assert!(body.iter().all(|byte| usize::from(*byte) == tag + 1));
        }
    }
}
