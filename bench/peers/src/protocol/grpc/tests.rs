use super::*;

/// A block that says status 0 without a table.
const STATUS_0: &[u8] = b"\x00\x0bgrpc-status\x010";

fn frame_of(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let at = frame::begin(&mut out, kind, flags, stream);
    out.extend_from_slice(payload);
    frame::end(&mut out, at);
    out
}

fn hit(stream: u32) -> Vec<u8> {
    let mut message = vec![0, 0, 0, 0, 68, 0x08, 1, 0x12, 64];
    message.extend([b'v'; 64]);
    reply(stream, &message, STATUS_0)
}

fn reply(stream: u32, message: &[u8], trailers: &[u8]) -> Vec<u8> {
    let mut out = frame_of(Kind::HEADERS, flags::END_HEADERS, stream, &[0x88]);
    out.extend(frame_of(Kind::DATA, 0, stream, message));
    let flags = flags::END_HEADERS | flags::END_STREAM;
    out.extend(frame_of(Kind::HEADERS, flags, stream, trailers));
    out
}

fn asked(requests: u64) -> Grpc {
    let mut grpc = Grpc::new(Value::Small, false, Dialect::Plain);
    for due in 0..requests {
        grpc.send(Request { operation: Operation::Get, keys: &[7], due }, &mut Vec::new());
    }
    grpc
}

fn receive(grpc: &mut Grpc, input: &[u8]) -> Result<(usize, Vec<u64>), Fault> {
    let mut answered = Vec::new();
    let taken = grpc.receive(input, &mut Vec::new(), &mut answered)?;
    Ok((taken, answered))
}

#[test]
fn replies_in_any_order_are_told_apart() {
    let mut grpc = asked(3);
    assert_eq!(receive(&mut grpc, &hit(5)).unwrap().1, [2]);
    assert_eq!(receive(&mut grpc, &hit(1)).unwrap().1, [0]);
    assert_eq!(receive(&mut grpc, &hit(3)).unwrap().1, [1]);
    assert_eq!((grpc.open, grpc.first_stream), (0, 7));
}

#[test]
fn a_reply_counts_once_it_is_complete() {
    let reply = hit(1);
    for end in 0..reply.len() {
        let mut grpc = asked(1);
        let (taken, answered) = receive(&mut grpc, &reply[..end]).unwrap();
        assert!(answered.is_empty());
        assert_eq!(receive(&mut grpc, &reply[taken..]).unwrap().1, [0]);
    }
}

#[test]
fn a_status_other_than_0_is_a_fault() {
    let mut trailers = STATUS_0.to_vec();
    *trailers.last_mut().unwrap() = b'5';
    let only_trailers =
        frame_of(Kind::HEADERS, flags::END_HEADERS | flags::END_STREAM, 1, &trailers);
    assert!(receive(&mut asked(1), &only_trailers).is_err());
}

#[test]
fn a_miss_and_a_value_of_another_length_are_faults() {
    for message in [&[0, 0, 0, 0, 0][..], &[0, 0, 0, 0, 68, 0x08, 1, 0x12, 64]] {
        assert!(receive(&mut asked(1), &reply(1, message, STATUS_0)).is_err());
    }
}

#[test]
fn a_reset_a_goodbye_and_a_second_reply_are_faults() {
    assert!(receive(&mut asked(1), &frame_of(Kind::RST_STREAM, 0, 1, &[0; 4])).is_err());
    assert!(receive(&mut asked(1), &frame_of(Kind::GOAWAY, 0, 0, &[0; 8])).is_err());
    assert!(receive(&mut asked(2), &[hit(3), hit(3)].concat()).is_err());
}

#[test]
fn requests_wait_for_the_window_and_for_a_stream() {
    let mut grpc = Grpc::new(Value::Large, false, Dialect::Plain);
    let mut out = Vec::new();
    for _ in 0..64 {
        grpc.send(Request { operation: Operation::Set, keys: &[7], due: 0 }, &mut out);
    }
    // 1,050 bytes each, and 65,535 in all.
    assert_eq!((grpc.open, grpc.held.len()), (62, 2));

    let mut update = Vec::new();
    frame::number(&mut update, Kind::WINDOW_UPDATE, 1050);
    receive(&mut grpc, &update).unwrap();
    assert_eq!((grpc.open, grpc.held.len()), (63, 1));

    let most = [&setting::MAX_CONCURRENT_STREAMS.to_be_bytes()[..], &63u32.to_be_bytes()].concat();
    receive(&mut grpc, &frame_of(Kind::SETTINGS, 0, 0, &most)).unwrap();
    receive(&mut grpc, &update).unwrap();
    assert_eq!((grpc.open, grpc.held.len()), (63, 1));
}

#[test]
fn a_ping_and_settings_are_acknowledged() {
    let mut out = Vec::new();
    let input = [
        frame_of(Kind::PING, 0, 0, b"12345678"),
        frame_of(Kind::SETTINGS, 0, 0, &[]),
        frame_of(Kind::SETTINGS, flags::ACK, 0, &[]),
    ];
    asked(0).receive(&input.concat(), &mut out, &mut Vec::new()).unwrap();
    let expected = [
        frame_of(Kind::PING, flags::ACK, 0, b"12345678"),
        frame_of(Kind::SETTINGS, flags::ACK, 0, &[]),
    ];
    assert_eq!(out, expected.concat());
}
