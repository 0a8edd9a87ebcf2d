//! HTTP peers that ask and do not read.

use std::time::{Duration, Instant};

use tokio::{
    io::AsyncWriteExt,
    net::TcpSocket,
    time::{sleep, timeout},
};

use crate::support::{process::Process, run};

/// They kept their places for as long as they liked, and probes had to wait for one.
#[test]
fn an_http_peer_that_reads_nothing_is_cut_off() {
    run(async {
        let server = Process::start(&[]);
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4 << 10).unwrap();
        let mut peer = socket.connect(server.http_addr()).await.unwrap();
        let request = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n";
        // The server answers until nothing more fits between the two, and then reads nothing
        // more either; who is cut off can no longer write.
        let give_up = Instant::now() + Duration::from_secs(60);
        loop {
            match timeout(Duration::from_millis(100), peer.write_all(request)).await {
                Ok(Err(_cut_off)) => break,
                Ok(Ok(())) => {}
                Err(_full) => sleep(Duration::from_millis(20)).await,
            }
            assert!(Instant::now() < give_up, "the peer still has its place");
        }
    });
}
