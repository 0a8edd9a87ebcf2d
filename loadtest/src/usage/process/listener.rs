//! The sockets that listen on an address, by inode. Knows nothing of processes.
//!
//! The table: `/proc/net/tcp` in <https://man7.org/linux/man-pages/man5/proc_pid_net.5.html>

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use procfs::{
    ProcResult,
    net::{TcpNetEntry, TcpState, tcp, tcp6},
};

/// Whether a connection to the address stays on this machine: the kernel binds sockets to
/// its own addresses alone, unless `ip_nonlocal_bind` is set.
pub(super) fn is_here(address: SocketAddr) -> bool {
    let mut any_port = address;
    any_port.set_port(0);
    address.ip().is_loopback() || UdpSocket::bind(any_port).is_ok()
}

/// The sockets that take connections to an address: those bound to it, or else those bound
/// to every address. Several share it with `SO_REUSEPORT`.
pub(super) fn listeners(address: SocketAddr) -> ProcResult<Vec<TcpNetEntry>> {
    let mut sockets = tcp()?;
    // There is no such table where IPv6 is switched off.
    sockets.extend(tcp6().unwrap_or_default());
    sockets.retain(|socket| socket.state == TcpState::Listen);
    let nearness = |socket: &TcpNetEntry| nearness(socket.local_address, address);
    let nearest = sockets.iter().filter_map(nearness).min();
    sockets.retain(|socket| nearest.is_some() && nearness(socket) == nearest);
    Ok(sockets)
}

/// How closely a socket fits an address, 0 the closest: the kernel prefers it so.
fn nearness(socket: SocketAddr, wanted: SocketAddr) -> Option<u8> {
    if socket.port() != wanted.port() {
        return None;
    }
    // An IPv6 socket shows an IPv4 address as a mapped one.
    let wildcard = socket.ip().is_unspecified();
    let (bound, wanted) = (socket.ip().to_canonical(), connected_to(wanted.ip()));
    match (bound, wanted) {
        _ if bound == wanted => Some(0),
        (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) if wildcard => Some(1),
        // Unless it is for IPv6 alone, which the table does not show.
        (IpAddr::V6(_), IpAddr::V4(_)) if wildcard => Some(2),
        _ => None,
    }
}

/// Whoever connects to no address in particular gets to the loopback.
fn connected_to(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_socket_takes_the_connection() {
        for (socket, wanted, expected) in [
            ("127.0.0.1:7", "127.0.0.1:7", Some(0)),
            ("[::ffff:127.0.0.1]:7", "127.0.0.1:7", Some(0)),
            ("127.0.0.1:7", "[::ffff:127.0.0.1]:7", Some(0)),
            ("127.0.0.1:7", "0.0.0.0:7", Some(0)),
            ("[::1]:7", "[::]:7", Some(0)),
            ("0.0.0.0:7", "127.0.0.1:7", Some(1)),
            ("[::]:7", "[::1]:7", Some(1)),
            ("[::]:7", "127.0.0.1:7", Some(2)),
            ("0.0.0.0:7", "[::1]:7", None),
            ("127.0.0.1:8", "127.0.0.1:7", None),
            ("127.0.0.2:7", "127.0.0.1:7", None),
            ("[::1]:7", "127.0.0.1:7", None),
        ] {
            let rank = nearness(socket.parse().unwrap(), wanted.parse().unwrap());
            assert_eq!(rank, expected, "{socket} for {wanted}");
        }
    }
}
