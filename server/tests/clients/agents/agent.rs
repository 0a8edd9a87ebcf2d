//! An agent on tonic's channel, which is hyper and h2, with messages as bytes. What an agent reads
//! and writes is told in `commands.py`.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program of the tests")]

use std::{collections::HashMap, env, fs, io, time::Duration};

use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use tokio::{runtime::Runtime, sync::oneshot};
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

/// Messages as they are.
#[derive(Clone, Copy, Default)]
struct AsBytes;

impl Codec for AsBytes {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for AsBytes {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(message);
        Ok(())
    }
}

impl Decoder for AsBytes {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(message.copy_to_bytes(message.remaining())))
    }
}

async fn call(
    channel: Channel,
    path: PathAndQuery,
    timeout: Duration,
    message: Bytes,
) -> Result<Bytes, Status> {
    let mut client = Grpc::new(channel);
    client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let mut request = Request::new(message);
    request.set_timeout(timeout);
    client.unary(request, path, AsBytes).await.map(tonic::Response::into_inner)
}

fn say(id: &str, outcome: Result<Bytes, Status>) {
    match outcome {
        Ok(reply) if reply.is_empty() => println!("{id} 0 -"),
        Ok(reply) => println!("{id} 0 {}", hex::encode(reply)),
        Err(status) => {
            println!("{id} {} - {}", i32::from(status.code()), status.message().replace('\n', " "));
        }
    }
}

fn channel(address: &str, authority: Option<String>) -> Channel {
    let Some(authority) = authority else {
        return Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
    };
    let tls =
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(fs::read(authority).unwrap()));
    let endpoint = Endpoint::from_shared(format!("https://{address}")).unwrap();
    endpoint.tls_config(tls).unwrap().connect_lazy()
}

fn main() -> io::Result<()> {
    let runtime = Runtime::new()?;
    let _entered = runtime.enter();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let channel = channel(&arguments[0], arguments.get(1).cloned());
    let mut cancels = HashMap::new();
    // The crate does not tell; whoever starts this reads the lock file.
    println!("ready {}", env::var("TONIC_VERSION").unwrap_or_default());
    for line in io::stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let id = words[1].to_owned();
        if words[0] == "cancel" {
            cancels.remove(&id).map(|cancel: oneshot::Sender<()>| cancel.send(()));
            continue;
        }
        let (cancel, cancelled) = oneshot::channel();
        cancels.insert(id.clone(), cancel);
        let timeout = Duration::from_millis(words[3].parse().unwrap());
        let message = Bytes::from(fs::read(words[4])?);
        let made = call(channel.clone(), words[2].parse().unwrap(), timeout, message);
        tokio::spawn(async move {
            let outcome = tokio::select! {
                outcome = made => outcome,
                Ok(()) = cancelled => Err(Status::new(Code::Cancelled, "")),
            };
            say(&id, outcome);
        });
    }
    Ok(())
}
