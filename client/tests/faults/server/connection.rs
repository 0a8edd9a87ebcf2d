//! One connection of the server.

use bytes::Bytes;
use h2::{Reason, server::Builder};
use tokio::{
    io::{AsyncWriteExt, DuplexStream},
    sync::mpsc,
    time::sleep,
};

use super::{
    FaultServer, Peer,
    answer::{self, SETTLED},
    tap::{Tap, go_away},
};

/// What an answer does to its connection.
pub(super) enum Command {
    /// Ends it at once.
    Cut,
    /// Sends GOAWAY with this last stream.
    GoAway(u32, Reason),
}

pub(super) type Commands = mpsc::UnboundedSender<Command>;

/// Serves a connection until either side ends it.
pub(super) async fn serve(server: FaultServer, number: usize, peer: Peer, mut pipe: DuplexStream) {
    match peer {
        Peer::Silent => std::future::pending().await,
        Peer::Says(words) => {
            pipe.write_all(words).await.unwrap();
            std::future::pending::<()>().await;
        }
        _ => {}
    }
    let (tap, injection) = Tap::new(pipe);
    let mut builder = Builder::new();
    builder.initial_window_size(1 << 20).initial_connection_window_size(1 << 20);
    if let Peer::ServesAtATime(streams) = peer {
        builder.max_concurrent_streams(streams);
    }
    let Ok(mut connection) = builder.handshake::<_, Bytes>(tap).await else { return };
    match peer {
        Peer::HangsUp => return sleep(SETTLED).await,
        Peer::Stalls => std::future::pending().await,
        _ => {}
    }
    let calls = if let Peer::ServesCalls(calls) = peer { calls } else { u32::MAX };
    let (mut accepted, mut turned_away) = (0, Vec::new());
    let (commands, mut commanded) = mpsc::unbounded_channel();
    server.commanded_by(number, commands.clone());
    loop {
        tokio::select! {
            Some(command) = commanded.recv() => match command {
                Command::Cut => return,
                Command::GoAway(last, reason) => {
                    injection.lock().unwrap().extend(go_away(last, reason));
                }
            },
            stream = connection.accept() => {
                let Some(Ok((request, respond))) = stream else { return };
                accepted += 1;
                if accepted == calls {
                    let last = respond.stream_id().as_u32();
                    injection.lock().unwrap().extend(go_away(last, Reason::NO_ERROR));
                }
                if accepted > calls {
                    // To drop it would be to reset the stream.
                    turned_away.push(respond);
                    continue;
                }
                let answer = server.take(number, &request);
                tokio::spawn(answer::give(answer, request, respond, commands.clone()));
            }
        }
    }
}
