//! Writes connections that are made from seeds, frame by frame with what the engine made of each,
//! for servers in other languages to be compared with.
//!
//! `cargo run --example transcribe -- FIRST_SEED CONNECTIONS`
//!
//! A connection begins with a line `SEED`. Each frame is a line of its bytes in hexadecimal and
//! words: `q=STREAM:METHOD:PATH:BODY` for a request that is complete, with method and path in
//! hexadecimal, `s=STREAM:BLOCKS:BYTES:END:RESET` for what was sent on a stream, `p=PAYLOAD` for an
//! answer to PING, `a=1` for one to SETTINGS, `g=CODE` for GOAWAY, and `x` if the connection has
//! ended.

#[path = "../tests/suite/made/mod.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod made;
#[path = "../tests/suite/support.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod support;

use std::{
    env,
    error::Error,
    fmt::Write as _,
    io::{self, BufWriter, Write as _},
};

use made::{frames::Client, ours::Ours, outcome::Outcome};

/// Frames of one connection.
const FRAMES_EACH: usize = 80;

fn main() -> Result<(), Box<dyn Error>> {
    let numbers: Vec<u64> =
        env::args().skip(1).map(|number| number.parse()).collect::<Result<_, _>>()?;
    let [first, connections] = numbers[..] else {
        return Err("usage: transcribe FIRST_SEED CONNECTIONS".into());
    };
    let mut out = BufWriter::new(io::stdout().lock());
    for seed in first..first + connections {
        writeln!(out, "{seed}")?;
        let (mut client, mut server) = (Client::new(seed), Ours::new(seed));
        for _ in 0..FRAMES_EACH {
            let frame = client.next();
            let outcome = server.take(&frame);
            writeln!(out, "{}{}", hex::encode(&frame), words(&outcome)?)?;
            if outcome.over {
                break;
            }
        }
    }
    Ok(out.flush()?)
}

fn words(outcome: &Outcome) -> Result<String, std::fmt::Error> {
    let mut words = String::new();
    for request in &outcome.requests {
        let (method, path) = (hex::encode(&request.method), hex::encode(&request.path));
        write!(words, " q={}:{method}:{path}:{}", request.stream, request.body)?;
    }
    for (stream, sent) in &outcome.streams {
        let (blocks, data, end) = (sent.blocks, sent.data, u8::from(sent.end));
        write!(words, " s={stream}:{blocks}:{data}:{end}:")?;
        match sent.reset {
            Some(code) => write!(words, "{code}")?,
            None => words.push('-'),
        }
    }
    for pong in &outcome.pongs {
        write!(words, " p={}", hex::encode(pong))?;
    }
    if outcome.settings_acks > 0 {
        write!(words, " a={}", outcome.settings_acks)?;
    }
    if let Some(code) = outcome.goaway {
        write!(words, " g={code}")?;
    }
    if outcome.over {
        words.push_str(" x");
    }
    Ok(words)
}
