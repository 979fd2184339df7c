//! What a gateway's frames do to the client's side.

use super::*;

impl Client {
    pub(super) fn begin_frame(
        &mut self,
        now: Instant,
        header: &Header,
    ) -> Result<Target, Violation> {
        let flags = header.flags;
        if flags.contains(Flags::COMP) {
            return Err(Violation::Unexpected("compression was not agreed on"));
        }
        let kind = flags.bits() & (Flags::REQ.bits() | Flags::RESP.bits() | Flags::EVENT.bits());
        if kind == Flags::EVENT.bits() {
            if header.app_proto_id != 0 || !header.is_start() || !header.is_end() {
                return Err(Violation::Unexpected("an event that is no control message"));
            }
            if self.controls.exceeds(now, MAX_CONTROLS) {
                return Err(Violation::Flood("control messages"));
            }
            if header.payload_len() > 4 + MAX_META {
                return Err(Violation::Control("longer than the limit of a meta".into()));
            }
            self.text.clear();
            return Ok(Target::Control);
        }
        if kind != Flags::RESP.bits() {
            return Err(Violation::Unexpected("neither a reply nor an event"));
        }
        if self.hello.is_none() {
            if header.app_proto_id != 0 {
                return Err(Violation::Hello("a reply came before HELLO's".into()));
            }
            if flags != Flags::RESP || header.corr_id != HELLO_CORR_ID {
                return Err(Violation::Hello("its answer is not HELLO's".into()));
            }
            if header.payload_len() > MAX_META {
                return Err(Violation::Hello("longer than the limit of a meta".into()));
            }
            return Ok(Target::Hello(header.code));
        }
        self.begin_reply(header)
    }

    fn begin_reply(&mut self, header: &Header) -> Result<Target, Violation> {
        let corr_id = header.corr_id;
        if corr_id == 0 || corr_id > self.last_corr {
            return Err(Violation::NeverIssued(corr_id));
        }
        let key = self.streams.find(corr_id);
        let Some((key, stream)) = key.and_then(|key| Some((key, self.streams.at(key)?))) else {
            self.stray.late += 1;
            if self.stray.late >= MAX_STRAYS {
                return Err(Violation::Flood("frames of ended calls"));
            }
            return Ok(Target::Discard);
        };
        if header.app_proto_id != stream.plane || header.tenant_id != stream.tenant_id {
            return Err(Violation::Unexpected(
                "a reply on another plane or tenant than its request",
            ));
        }
        stream.message.frame(header)?;
        let ends_with_error = header.code >= 400 && header.is_end();
        match stream.reply {
            None if header.is_start() => {
                stream.reply = Some(header.code);
                self.receiving += 1;
            }
            None if ends_with_error => {}
            None => {
                return Err(Violation::Unexpected(
                    "a reply that does not begin with START",
                ))
            }
            Some(_) if header.is_start() => {
                return Err(Violation::Unexpected("a second START in one reply"))
            }
            Some(code) if code == header.code => {}
            Some(_) if ends_with_error => {}
            Some(_) => return Err(Violation::Unexpected("a reply that changes its code")),
        }
        if stream.reply != Some(header.code) {
            // What came before the error is void.
            stream.message = Assembly::default();
        }
        Ok(Target::Reply(*header, key))
    }

    /// The common case of [`Client::payload`], short enough for a stream of single bytes: body bytes of a call
    /// that somebody waits for, with room reserved. False where it is another case.
    #[inline]
    pub(super) fn append_to_body(&mut self, chunk: &[u8]) -> bool {
        let Target::Reply(_, key) = self.target else {
            return false;
        };
        match self.streams.at(key) {
            Some(stream) if stream.tag.is_some() => stream.message.append_to_body(chunk),
            _ => false,
        }
    }

    pub(super) fn payload(&mut self, mut chunk: &[u8]) -> Result<(), Violation> {
        let left = self.decoder.payload_left();
        let room = left + chunk.len();
        match self.target {
            Target::Hello(_) | Target::Control => self.text.extend_from_slice(chunk),
            Target::Discard => {}
            Target::Reply(ref header, key) => {
                let Some(stream) = self.streams.at(key) else {
                    return Ok(());
                };
                let assembly = &mut stream.message;
                // An error frame has a meta even where it is not the first one.
                if (header.is_start() || header.code >= 400) && !assembly.has_meta() {
                    assembly.take_meta(&mut chunk, room)?;
                }
                if !chunk.is_empty() {
                    if assembly.body_len() + chunk.len() > MAX_BODY {
                        return Err(Violation::BodyTooLong);
                    }
                    if stream.tag.is_some() {
                        assembly.push_body(chunk, left);
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn end_frame(&mut self, now: Instant) -> Result<(), Violation> {
        match self.target {
            Target::Discard => Ok(()),
            Target::Hello(code) => self.end_hello(code),
            Target::Control => self.end_control(),
            Target::Reply(header, _) => self.end_reply(now, &header),
        }
    }

    fn end_hello(&mut self, code: u16) -> Result<(), Violation> {
        let text = std::mem::take(&mut self.text);
        if code != 200 {
            return Err(Violation::Hello(format!(
                "the gateway refused it with {code}"
            )));
        }
        let hello: HelloReply =
            serde_json::from_slice(&text).map_err(|error| Violation::Hello(error.to_string()))?;
        if !hello.versions.contains(&VERSION) || !hello.dto.contains(&DTO_VERSION) {
            return Err(Violation::Hello(format!(
                "the gateway speaks versions {:?} with DTOs {:?}, this SDK {VERSION} with {DTO_VERSION}",
                hello.versions, hello.dto
            )));
        }
        if hello.max_inflight == 0 {
            return Err(Violation::Hello("max_inflight is 0".into()));
        }
        if hello.max_frame < (2 * BODY_CHUNK) as u64 {
            return Err(Violation::Hello("max_frame is below 131072".into()));
        }
        let offered = usize::try_from(hello.max_inflight).unwrap_or(usize::MAX);
        self.slots = offered.min(self.max_in_flight);
        self.hello = Some(hello);
        self.events.push_back(ClientEvent::Ready);
        Ok(())
    }

    fn end_control(&mut self) -> Result<(), Violation> {
        let text = std::mem::take(&mut self.text);
        let (meta, body) = crate::oap::split_meta(&text)?;
        if !body.is_empty() {
            return Err(Violation::Control("it has a body".into()));
        }
        let message: Control =
            serde_json::from_slice(meta).map_err(|error| Violation::Control(error.to_string()))?;
        match message {
            Control::Ping { nonce } => Control::Pong { nonce }.append_frame(&mut self.control),
            Control::Pong { nonce } => self.events.push_back(ClientEvent::Pong { nonce }),
            Control::Drain { last_corr, .. } => self.drain(last_corr),
            Control::Cancel { .. } => return Err(Violation::Unexpected("a cancel from a gateway")),
        }
        Ok(())
    }

    fn drain(&mut self, last_corr: u64) {
        let last = self.drained_at.map_or(last_corr, |at| at.min(last_corr));
        self.drained_at = Some(last);
        for corr_id in self.streams.ids_above(last) {
            let Some(stream) = self.streams.remove(corr_id) else {
                continue;
            };
            self.receiving -= usize::from(stream.reply.is_some());
            if let Some(tag) = stream.tag {
                self.events.push_back(ClientEvent::NotExecuted { tag });
            }
        }
    }

    fn end_reply(&mut self, now: Instant, header: &Header) -> Result<(), Violation> {
        let Some(stream) = self.streams.get_mut(header.corr_id) else {
            return Ok(());
        };
        let is_bare_error = !header.is_start() && header.payload_len() == 0;
        if header.is_start() || (header.code >= 400 && !is_bare_error) {
            stream.message.require_meta()?;
        }
        if !header.is_end() {
            return Ok(());
        }
        let Some(mut stream) = self.streams.remove(header.corr_id) else {
            return Ok(());
        };
        self.receiving -= usize::from(stream.reply.is_some());
        if !stream.request_ended {
            push_empty_end(
                &mut self.control,
                header.corr_id,
                stream.plane,
                stream.tenant_id,
            );
        }
        match stream.tag {
            Some(tag) => {
                if header.code == CODE_CANCELLED && self.resets.exceeds(now, MAX_RESETS) {
                    self.give_up = true;
                }
                self.events.push_back(ClientEvent::Reply {
                    tag,
                    code: header.code,
                    meta: stream.message.take_meta_text(),
                    body: stream.message.take_body(),
                });
            }
            None => self.stray.cancelled += 1,
        }
        self.events.push_back(ClientEvent::SlotFree);
        Ok(())
    }
}
