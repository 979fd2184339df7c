//! gRPC: the service on the server's side.

use super::http::Answers;
use crate::grpc::{GetReply, GetRequest, PutReply, PutRequest, GET, MAX_MESSAGE};
use http::Request;
use hyper::body::Incoming;
use std::convert::Infallible;
use std::future::{ready, Ready};
use tonic::body::Body;
use tonic::server::{Grpc, UnaryService};
use tonic::{Response, Status};
use tonic_prost::ProstCodec;

/// The two methods.
struct Methods(Answers);

impl UnaryService<GetRequest> for Methods {
    type Response = GetReply;
    type Future = Ready<Result<Response<GetReply>, Status>>;

    fn call(&mut self, request: tonic::Request<GetRequest>) -> Self::Future {
        let is_known = *request.get_ref().address == *self.0.address;
        let body = self.0.body.clone();
        ready(if is_known {
            Ok(Response::new(GetReply { body }))
        } else {
            Err(Status::not_found("there is no such object"))
        })
    }
}

impl UnaryService<PutRequest> for Methods {
    type Response = PutReply;
    type Future = Ready<Result<Response<PutReply>, Status>>;

    fn call(&mut self, request: tonic::Request<PutRequest>) -> Self::Future {
        let is_object = request.get_ref().body == self.0.body;
        let address = self.0.address.to_string();
        ready(if is_object {
            Ok(Response::new(PutReply { address }))
        } else {
            Err(Status::invalid_argument("other bytes than the object's"))
        })
    }
}

pub(super) async fn answer(
    request: Request<Incoming>,
    answers: Answers,
) -> Result<http::Response<Body>, Infallible> {
    let methods = Methods(answers);
    Ok(if request.uri().path() == GET {
        let codec = ProstCodec::<GetReply, GetRequest>::new();
        let grpc = Grpc::new(codec).max_decoding_message_size(MAX_MESSAGE);
        { grpc }.unary(methods, request).await
    } else {
        let codec = ProstCodec::<PutReply, PutRequest>::new();
        let grpc = Grpc::new(codec).max_decoding_message_size(MAX_MESSAGE);
        { grpc }.unary(methods, request).await
    })
}
