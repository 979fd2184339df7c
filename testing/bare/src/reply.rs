//! Reading a reply without keeping its body.

use crate::request::Check;
use crate::Result;
use memchr::memmem;
use ron_app_sdk::oap::{FrameDecoder, Header, Part, MAX_META};
use ron_app_sdk::AddrB3;

/// How much of a body is hashed at once. BLAKE3 hashes 16 KiB side by side where they start at a multiple of that:
/// parts of records, as they come, would take it twice as long as moving them together first.
const WINDOW: usize = 64 * 1024;

/// One reply after the other, from slices that may be cut anywhere.
pub(crate) struct ReplyReader {
    decoder: FrameDecoder,
    corr_id: u64,
    code: u16,
    has_meta: bool,
    is_hashed: bool,
    /// The frame that is being read.
    header: Option<Header>,
    /// `meta_len` and the meta, as far as they have come.
    start: Vec<u8>,
    meta_len: Option<usize>,
    body: Body,
    /// What has come of the body and is not hashed yet.
    window: Box<[u8]>,
    filled: usize,
    hasher: blake3::Hasher,
    is_complete: bool,
}

/// What has come of the body.
enum Body {
    Nothing,
    /// All of it in one slice, hashed where it lay.
    Whole(AddrB3),
    /// What is in the window, and nothing else.
    Window,
    /// What the hasher has taken, and what is in the window.
    Hasher,
}

impl ReplyReader {
    pub(crate) fn new() -> Self {
        Self {
            decoder: FrameDecoder::new(),
            corr_id: 0,
            code: 0,
            has_meta: false,
            is_hashed: false,
            header: None,
            start: Vec::with_capacity(4 + MAX_META),
            meta_len: None,
            body: Body::Nothing,
            window: vec![0; WINDOW].into_boxed_slice(),
            filled: 0,
            hasher: blake3::Hasher::new(),
            is_complete: false,
        }
    }

    /// Turns to the reply of this call.
    pub(crate) fn expect(&mut self, corr_id: u64, check: &Check) {
        self.corr_id = corr_id;
        self.has_meta = true;
        self.is_hashed = matches!(check, Check::Object(_));
        self.start.clear();
        self.meta_len = None;
        self.body = Body::Nothing;
        self.filled = 0;
        self.is_complete = false;
    }

    /// Turns to the answer to HELLO, whose payload is no meta.
    pub(crate) fn expect_hello(&mut self) {
        self.expect(0, &Check::Success);
        self.has_meta = false;
    }

    pub(crate) const fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Takes bytes that have been received off the front, up to the end of the reply.
    pub(crate) fn consume(&mut self, bytes: &mut &[u8]) -> Result<()> {
        while !self.is_complete {
            match self.decoder.next_part(bytes)? {
                None => break,
                Some(Part::Header(header)) => self.begin_frame(header)?,
                Some(Part::Payload(payload)) => self.take(payload),
                Some(Part::Capability(_)) => return Err("a reply has a capability".into()),
                Some(Part::End) => {
                    let header = self.header.take();
                    // HELLO's answer bears no END.
                    self.is_complete = !self.has_meta || header.is_some_and(|h| h.is_end());
                }
            }
        }
        Ok(())
    }

    fn begin_frame(&mut self, header: Header) -> Result<()> {
        if header.corr_id != self.corr_id {
            return Err(format!("a frame for call {} came unasked", header.corr_id).into());
        }
        self.code = header.code;
        self.header = Some(header);
        Ok(())
    }

    fn take(&mut self, mut payload: &[u8]) {
        if !self.has_meta {
            return;
        }
        if self.meta_len.is_none() {
            let missing = 4 - self.start.len();
            self.start
                .extend_from_slice(split_off(&mut payload, missing));
            let meta_len = self.start.first_chunk::<4>().copied();
            self.meta_len = meta_len.map(|bytes| u32::from_be_bytes(bytes) as usize);
        }
        if let Some(meta_len) = self.meta_len {
            let missing = 4 + meta_len - self.start.len();
            self.start
                .extend_from_slice(split_off(&mut payload, missing));
        }
        if self.is_hashed && !payload.is_empty() {
            self.hash(payload);
        }
    }

    fn hash(&mut self, mut bytes: &[u8]) {
        if let Body::Nothing = self.body {
            let is_last_frame = self.header.is_some_and(|header| header.is_end());
            if is_last_frame && self.decoder.payload_left() == 0 {
                self.body = Body::Whole(AddrB3::of(bytes));
                return;
            }
            self.body = Body::Window;
        }
        while !bytes.is_empty() {
            if self.filled == WINDOW {
                self.empty_window();
            }
            let taken = split_off(&mut bytes, WINDOW - self.filled);
            self.window[self.filled..self.filled + taken.len()].copy_from_slice(taken);
            self.filled += taken.len();
        }
    }

    fn empty_window(&mut self) {
        if let Body::Window = self.body {
            self.hasher.reset();
            self.body = Body::Hasher;
        }
        self.hasher.update(&self.window[..self.filled]);
        self.filled = 0;
    }

    /// The address of the body, which is complete.
    fn address(&mut self) -> AddrB3 {
        match self.body {
            Body::Nothing => AddrB3::of(b""),
            Body::Whole(address) => address,
            Body::Window => AddrB3::of(&self.window[..self.filled]),
            Body::Hasher => {
                self.empty_window();
                AddrB3::from_digest(*self.hasher.finalize().as_bytes())
            }
        }
    }

    /// Whether the complete reply is what the request asked for.
    pub(crate) fn verify(&mut self, check: &Check, stored: Option<AddrB3>) -> Result<()> {
        check_code(self.code, self.meta())?;
        let is_right = match check {
            Check::Success => true,
            Check::Object(address) => self.address() == *address,
            Check::Stored(_) => stored.is_some_and(|address| names(self.meta(), address)),
        };
        is_right.then_some(()).ok_or_else(|| WRONG.into())
    }

    fn meta(&self) -> &[u8] {
        self.start.get(4..).unwrap_or_default()
    }
}

const WRONG: &str = "the reply is not for the bytes that were asked for or sent";

/// Whether a reply that was put together as a whole is what the request asked for.
pub(crate) fn verify_whole(
    check: &Check,
    stored: Option<AddrB3>,
    code: u16,
    meta: &[u8],
    body: &[u8],
) -> Result<()> {
    check_code(code, meta)?;
    let is_right = match check {
        Check::Success => true,
        Check::Object(address) => AddrB3::of(body) == *address,
        Check::Stored(_) => stored.is_some_and(|address| names(meta, address)),
    };
    is_right.then_some(()).ok_or_else(|| WRONG.into())
}

fn check_code(code: u16, meta: &[u8]) -> Result<()> {
    match code {
        200 => Ok(()),
        _ => Err(format!(
            "the peer answered {code}: {}",
            String::from_utf8_lossy(meta)
        )
        .into()),
    }
}

/// Whether a receipt contains the address.
fn names(meta: &[u8], address: AddrB3) -> bool {
    memmem::find(meta, &text(address)).is_some()
}

/// `b3:` and the digest's digits, without an allocation.
fn text(address: AddrB3) -> [u8; 67] {
    let mut text = *b"b3:0000000000000000000000000000000000000000000000000000000000000000";
    for (pair, byte) in text[3..].chunks_exact_mut(2).zip(address.digest()) {
        pair[0] = b"0123456789abcdef"[usize::from(byte >> 4)];
        pair[1] = b"0123456789abcdef"[usize::from(byte & 15)];
    }
    text
}

/// Takes up to `len` bytes from the front.
fn split_off<'a>(bytes: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (front, rest) = bytes.split_at(len.min(bytes.len()));
    *bytes = rest;
    front
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use ron_app_sdk::oap::{Flags, Frame};

    fn frame(flags: Flags, corr_id: u64, payload: &[u8], out: &mut Vec<u8>) {
        let header = Header {
            len: 0,
            flags: Flags::RESP.with(flags),
            code: 200,
            app_proto_id: 0x0301,
            tenant_id: 0,
            cap_len: 0,
            corr_id,
        };
        let capability = b"";
        Frame {
            header,
            capability,
            payload,
        }
        .encode(out)
        .unwrap();
    }

    #[test]
    fn a_reply_cut_anywhere_is_verified_and_any_other_body_is_refused() {
        let mut bytes = Vec::new();
        frame(Flags::START, 3, b"\0\0\0\x02{}hel", &mut bytes);
        frame(Flags::END, 3, b"lo", &mut bytes);
        for size in 1..=bytes.len() {
            for (object, is_right) in [(&b"hello"[..], true), (b"hallo", false)] {
                let check = Check::Object(AddrB3::of(object));
                let mut reader = ReplyReader::new();
                reader.expect(3, &check);
                for mut chunk in bytes.chunks(size) {
                    assert!(!reader.is_complete());
                    reader.consume(&mut chunk).unwrap();
                    assert!(chunk.is_empty());
                }
                assert!(reader.is_complete());
                assert_eq!(reader.meta(), b"{}");
                assert_eq!(reader.verify(&check, None).is_ok(), is_right, "{size}");
            }
        }
    }

    #[test]
    fn a_receipt_for_another_object_is_refused() {
        let address = AddrB3::of(b"hello");
        let meta = format!("{{\"address\":\"{address}\"}}");
        let payload = [&(meta.len() as u32).to_be_bytes()[..], meta.as_bytes()].concat();
        let mut bytes = Vec::new();
        frame(Flags::START.with(Flags::END), 1, &payload, &mut bytes);
        let check = Check::Stored(Vec::new());
        let mut reader = ReplyReader::new();
        reader.expect(1, &check);
        reader.consume(&mut &bytes[..]).unwrap();
        assert!(reader.verify(&check, Some(address)).is_ok());
        assert!(reader.verify(&check, Some(AddrB3::of(b"hallo"))).is_err());
    }

    #[test]
    fn frames_of_another_call_are_refused() {
        let mut bytes = Vec::new();
        frame(Flags::START.with(Flags::END), 2, b"\0\0\0\0", &mut bytes);
        let mut reader = ReplyReader::new();
        reader.expect(1, &Check::Success);
        assert!(reader.consume(&mut &bytes[..]).is_err());
    }
}
