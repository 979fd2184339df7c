//! Writing a meta: one flat JSON object after the other's field.

use serde::Serialize;

/// A JSON object that is being written. Most of its texts are of kinds that never need an escape: to look for
/// one in every byte of an address costs more than all the rest of a request's meta.
pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
    next: u8,
}

impl<'a> Object<'a> {
    pub(super) fn begin(out: &'a mut Vec<u8>) -> Self {
        Self { out, next: b'{' }
    }

    /// A text of a kind whose rules allow neither quotes nor backslashes nor control characters.
    pub(super) fn plain(&mut self, name: &str, text: &str) {
        debug_assert!(
            !text.bytes().any(|b| b < b' ' || b == b'"' || b == b'\\'),
            "{name} needs escapes"
        );
        self.name(name);
        self.out.push(b'"');
        self.out.extend_from_slice(text.as_bytes());
        self.out.push(b'"');
    }

    /// Anything else.
    pub(super) fn value(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        self.name(name);
        // Nothing that a meta holds can fail to serialise into memory.
        let _infallible = serde_json::to_writer(&mut *self.out, value);
    }

    pub(super) fn end(self) {
        self.out.push(b'}');
    }

    fn name(&mut self, name: &str) {
        self.out.push(self.next);
        self.next = b',';
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }
}
