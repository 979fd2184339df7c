//! What a client's frames do to the gateway's side.

use super::*;

impl Server {
    pub(super) fn begin_frame(&mut self, header: &Header) -> Result<Target, Violation> {
        let flags = header.flags;
        if header.code != 0 {
            return Err(Violation::Unexpected("a code in a request"));
        }
        if flags.contains(Flags::COMP) {
            return Err(Violation::Unexpected("compression was not agreed on"));
        }
        if header.cap_len as usize > MAX_CAPABILITY {
            return Err(Violation::CapabilityTooLong);
        }
        let kind = flags.bits() & (Flags::REQ.bits() | Flags::RESP.bits() | Flags::EVENT.bits());
        if !self.is_ready && (kind != Flags::REQ.bits() || header.app_proto_id != 0) {
            return Err(Violation::Hello("the first frame is not HELLO".into()));
        }
        if kind == Flags::EVENT.bits() {
            if header.app_proto_id != 0 || !header.is_start() || !header.is_end() {
                return Err(Violation::Unexpected("an event that is no control message"));
            }
            if header.payload_len() > 4 + MAX_META || header.cap_len > 0 {
                return Err(Violation::Control("longer than the limit of a meta".into()));
            }
            self.text.clear();
            return Ok(Target::Control);
        }
        if kind != Flags::REQ.bits() {
            return Err(Violation::Unexpected("neither a request nor an event"));
        }
        if header.app_proto_id == 0 {
            if self.is_ready {
                return Err(Violation::Hello("a second HELLO".into()));
            }
            if flags != Flags::REQ {
                return Err(Violation::Hello("it has other flags than REQ".into()));
            }
            if header.payload_len() > MAX_META {
                return Err(Violation::Hello("longer than the limit of a meta".into()));
            }
            return Ok(Target::Hello(*header));
        }
        self.begin_request(header)
    }

    fn begin_request(&mut self, header: &Header) -> Result<Target, Violation> {
        let corr_id = header.corr_id;
        if header.is_start() {
            let expected = self.last_corr + 1;
            if corr_id != expected {
                return Err(Violation::OutOfOrder {
                    got: corr_id,
                    expected,
                });
            }
            self.last_corr = corr_id;
            if self.drained_at.is_some() {
                // Not executed, and the client knows it from the drain.
                return Ok(Target::Discard);
            }
            let open = self.streams.len();
            let limit = self.limits.max_in_flight as usize;
            if open >= 2 * limit {
                return Err(Violation::Flood("calls at once"));
            }
            self.streams.insert(
                corr_id,
                Stream {
                    app_proto_id: header.app_proto_id,
                    tenant_id: header.tenant_id,
                    capability: Zeroizing::new(Vec::with_capacity(header.cap_len as usize)),
                    message: Assembly::default(),
                    request_ended: false,
                    announced: false,
                    answer: None,
                },
            );
            if open >= limit {
                self.refuse_itself(corr_id, &ErrorReply::not_executed(Reason::TooManyInFlight));
            }
        }
        let key = self.streams.find(corr_id);
        let Some((key, stream)) = key.and_then(|key| Some((key, self.streams.at(key)?))) else {
            let after_drain = self.drained_at.is_some_and(|last| corr_id > last);
            if after_drain && corr_id <= self.last_corr {
                return Ok(Target::Discard);
            }
            return Err(Violation::NeverIssued(corr_id));
        };
        if stream.request_ended {
            return Err(Violation::Unexpected("a frame after its request's END"));
        }
        if stream.app_proto_id != header.app_proto_id || stream.tenant_id != header.tenant_id {
            return Err(Violation::Unexpected(
                "a request that changes its plane or tenant",
            ));
        }
        stream.message.frame(header)?;
        Ok(Target::Request(*header, key))
    }

    /// The common case of [`Server::payload`], short enough for a stream of single bytes.
    #[inline]
    pub(super) fn append_to_body(&mut self, chunk: &[u8]) -> bool {
        let Target::Request(_, key) = self.target else {
            return false;
        };
        match self.streams.at(key) {
            Some(stream) if stream.answer.is_none() => stream.message.append_to_body(chunk),
            _ => false,
        }
    }

    pub(super) fn payload(&mut self, mut chunk: &[u8]) -> Result<(), Violation> {
        let left = self.decoder.payload_left();
        let room = left + chunk.len();
        match self.target {
            Target::Hello(_) | Target::Control => self.text.extend_from_slice(chunk),
            Target::Discard => {}
            Target::Request(ref header, key) => {
                let Some(stream) = self.streams.at(key) else {
                    return Ok(());
                };
                if header.is_start() && !stream.message.has_meta() {
                    stream.message.take_meta(&mut chunk, room)?;
                    let corr_id = header.corr_id;
                    self.announce(corr_id);
                }
                self.push_body(key, chunk, left);
            }
        }
        Ok(())
    }

    /// Tells of a request as soon as its meta is complete.
    fn announce(&mut self, corr_id: u64) {
        if let Some(stream) = self.streams.get_mut(corr_id) {
            if stream.message.has_meta() && !stream.announced && stream.answer.is_none() {
                stream.announced = true;
                let head = RequestHead {
                    app_proto_id: stream.app_proto_id,
                    tenant_id: stream.tenant_id,
                    capability: std::mem::take(&mut stream.capability),
                    meta: stream.message.take_meta_text(),
                };
                self.events
                    .push_back(ServerEvent::Request { corr_id, head });
            }
        }
    }

    fn push_body(&mut self, key: StreamKey, chunk: &[u8], left: usize) {
        let Some(stream) = self.streams.at(key) else {
            return;
        };
        if chunk.is_empty() || stream.answer.is_some() {
            return;
        }
        if stream.message.body_len() + chunk.len() > MAX_BODY {
            let error = ErrorReply::not_executed(Reason::TooLarge)
                .with_detail(format!("a body has at most {MAX_BODY} bytes"));
            self.refuse_itself(key.corr_id(), &error);
        } else {
            stream.message.push_body(chunk, left);
        }
    }

    pub(super) fn end_frame(&mut self, now: Instant) -> Result<(), Violation> {
        match self.target {
            Target::Discard => Ok(()),
            Target::Hello(header) => self.end_hello(&header),
            Target::Control => self.end_control(now),
            Target::Request(header, _) => self.end_request(&header),
        }
    }

    fn end_hello(&mut self, header: &Header) -> Result<(), Violation> {
        let text = std::mem::take(&mut self.text);
        let request: HelloRequest = match serde_json::from_slice(&text) {
            Ok(request) => request,
            Err(error) => {
                self.refuse_hello(header, Reason::SchemaViolation);
                return Err(Violation::Hello(error.to_string()));
            }
        };
        if !request.dto.contains(&DTO_VERSION) {
            self.refuse_hello(header, Reason::UnsupportedVersion);
            let offered = format!("no common DTO version among {:?}", request.dto);
            return Err(Violation::Hello(offered));
        }
        let reply = serde_json::to_vec(&self.hello).unwrap_or_default();
        self.push_hello(header, 200, &reply);
        self.is_ready = true;
        self.events.push_back(ServerEvent::Hello(request));
        if let Some(reason) = self.drain_after_hello.take() {
            self.drain(&reason);
        }
        Ok(())
    }

    fn refuse_hello(&mut self, header: &Header, reason: Reason) {
        let meta = error_meta(&ErrorReply::not_executed(reason));
        self.push_hello(header, reason.code(), &meta);
    }

    fn push_hello(&mut self, header: &Header, code: u16, text: &[u8]) {
        let reply = Header {
            len: (HEADER_LEN + text.len()) as u32,
            flags: Flags::RESP,
            code,
            cap_len: 0,
            ..*header
        };
        self.control.extend_from_slice(&reply.encode());
        self.control.extend_from_slice(text);
    }

    fn end_control(&mut self, now: Instant) -> Result<(), Violation> {
        let text = std::mem::take(&mut self.text);
        let (meta, body) = crate::oap::split_meta(&text)?;
        if !body.is_empty() {
            return Err(Violation::Control("it has a body".into()));
        }
        let message: Control =
            serde_json::from_slice(meta).map_err(|error| Violation::Control(error.to_string()))?;
        if let Control::Cancel { corr } = message {
            return self.cancel(now, corr);
        }
        if self
            .controls
            .exceeds(now, self.limits.max_controls_per_second)
        {
            return Err(Violation::Flood("control messages"));
        }
        match message {
            Control::Ping { nonce } => Control::Pong { nonce }.append_frame(&mut self.control),
            Control::Pong { nonce } => self.events.push_back(ServerEvent::Pong { nonce }),
            _ => return Err(Violation::Unexpected("a drain from a client")),
        }
        Ok(())
    }

    fn cancel(&mut self, now: Instant, corr_id: u64) -> Result<(), Violation> {
        if corr_id == 0 || corr_id > self.last_corr {
            return Err(Violation::NeverIssued(corr_id));
        }
        if self
            .cancels
            .exceeds(now, self.limits.max_cancels_per_second)
        {
            self.drain("too many cancels");
        }
        // An id that has ended crossed its answer on the wire: nothing to do.
        if let Some(stream) = self.streams.get_mut(corr_id) {
            if stream.answer.is_some() || !stream.request_ended || !stream.announced {
                // Not executed, or executed and being answered: the rest of the answer is not wanted.
                let executed = stream
                    .answer
                    .as_ref()
                    .map_or(Executed::No, Answer::executed);
                let error = ErrorReply {
                    executed,
                    ..ErrorReply::not_executed(Reason::Cancelled)
                };
                self.refuse(corr_id, &error);
            }
            self.events.push_back(ServerEvent::Cancelled { corr_id });
        }
        Ok(())
    }

    fn end_request(&mut self, header: &Header) -> Result<(), Violation> {
        let corr_id = header.corr_id;
        let Some(stream) = self.streams.get_mut(corr_id) else {
            return Ok(());
        };
        if header.is_start() {
            stream.message.require_meta()?;
        }
        self.announce(corr_id);
        if !header.is_end() {
            return Ok(());
        }
        let Some(stream) = self.streams.get_mut(corr_id) else {
            return Ok(());
        };
        stream.request_ended = true;
        if stream.answer.is_none() {
            let body = stream.message.take_body();
            self.events.push_back(ServerEvent::Body { corr_id, body });
        } else if !self.answering.contains(&corr_id) {
            // Answered before its end: both sides are done now.
            self.streams.remove(corr_id);
        }
        Ok(())
    }
}
