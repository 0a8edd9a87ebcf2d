//! The rules of RFC 9113 and RFC 7541 that bind a server, and the test that holds each.
//!
//! Every MUST and MUST NOT that concerns a server without push, extended CONNECT or an HTTP/1
//! upgrade is here, and those SHOULDs that are kept. A test of the suite checks that the tests
//! exist. Rules that are not kept to the letter are at the end, with the reason.
//!
//! # RFC 9113
//!
//! | section | rule | test |
//! |---|---|---|
//! | 3.4 | the client's preface is checked; without it the connection ends, with or without GOAWAY | `another_protocol_is_known_by_its_first_wrong_byte`, `what_speaks_no_http2_gets_no_goaway` |
//! | 3.4 | the server's first frame is SETTINGS | `the_settings_of_this_side_come_first` |
//! | 3.4 | the client's first frame is SETTINGS | `the_first_frame_is_settings` |
//! | 3.4 | SETTINGS of the preface are acknowledged | `settings_are_acknowledged_and_pings_answered` |
//! | 4.1 | unknown types of frames are ignored | `priorities_and_unknown_frames_change_nothing` |
//! | 4.1 | the reserved bit of a stream's number is ignored | `the_reserved_bit_of_a_stream_is_ignored` |
//! | 4.1 | flags that a type does not define are ignored | `priorities_and_unknown_frames_change_nothing` |
//! | 4.2 | frames of 16,384 bytes are received | `a_large_reply_is_cut_by_windows_and_frame_size`, `a_header_block_has_an_end` |
//! | 4.2 | larger ones, and those that are too small, are FRAME_SIZE_ERROR; of the connection if they could change its state | `frames_that_end_a_connection`, `a_stream_may_not_depend_on_itself` |
//! | 4.3 | a block that does not decode is COMPRESSION_ERROR of the connection | `frames_that_end_a_connection`, `what_no_encoder_may_send_is_refused` |
//! | 4.3 | blocks are decoded even where they are dropped | `frames_under_way_to_a_stream_that_was_reset_are_ignored` |
//! | 4.3 | a block's frames are not interrupted by others | `a_header_block_is_not_interrupted` |
//! | 4.3.1 | an encoder whose table the peer has reduced says so in its next block | `a_peer_that_forbids_a_table_hears_that_there_is_none` |
//! | 5.1 | idle: anything but HEADERS and PRIORITY is PROTOCOL_ERROR of the connection | `frames_that_end_a_connection` |
//! | 5.1 | half closed (remote): anything but WINDOW_UPDATE, PRIORITY and RST_STREAM is STREAM_CLOSED | `frames_after_the_end_of_a_request` |
//! | 5.1 | closed by the peer's RST_STREAM: anything but PRIORITY is STREAM_CLOSED of the stream | `frames_on_a_stream_that_is_closed` |
//! | 5.1 | closed by END_STREAM: STREAM_CLOSED of the connection | `frames_on_a_stream_that_is_closed` |
//! | 5.1 | closed by our RST_STREAM: what is under way is ignored, and counted in windows and table | `frames_under_way_to_a_stream_that_was_reset_are_ignored` |
//! | 5.1 | WINDOW_UPDATE and RST_STREAM may come for a while after the end | `frames_after_the_end_of_a_request` |
//! | 5.1.1 | clients use odd numbers | `frames_that_end_a_connection` |
//! | 5.1.1 | numbers grow; those that were skipped are closed | `frames_on_a_stream_that_is_closed` |
//! | 5.1.2 | streams beyond the limit are REFUSED_STREAM or PROTOCOL_ERROR | `more_streams_than_allowed_are_refused_and_may_be_repeated` |
//! | 5.2.1 | no DATA is sent beyond a window of stream or connection | `every_reply_arrives_whole_within_the_windows` |
//! | 5.2.2 | frames other than DATA are read while windows are used up | `requests_wait_while_too_much_of_the_replies_does` |
//! | 5.3 | priorities are parsed and have no effect | `priorities_and_unknown_frames_change_nothing` |
//! | 5.4.1 | an error of the connection is followed by GOAWAY with the last stream, and by its end | `an_error_names_the_last_stream_too` |
//! | 5.4.2 | RST_STREAM is not answered with RST_STREAM | `a_cancelled_request_is_reported_whether_its_owner_knew_of_it_or_not` |
//! | 5.5 | unknown settings and frames of extensions are ignored | `settings_are_acknowledged_and_pings_answered` |
//! | 5.5 | a frame of an extension within a header block is PROTOCOL_ERROR | `a_header_block_is_not_interrupted` |
//! | 6.1 | DATA on stream 0 is PROTOCOL_ERROR | `frames_that_end_a_connection` |
//! | 6.1 | padding counts in windows | `padding_is_released_by_nobody` |
//! | 6.1 | padding that fills the payload or more is PROTOCOL_ERROR | `padding_may_fill_a_payload_and_not_exceed_it` |
//! | 6.2 | HEADERS on stream 0 is PROTOCOL_ERROR, as is too much padding | `frames_that_end_a_connection` |
//! | 6.3 | PRIORITY on stream 0 is PROTOCOL_ERROR; with another length FRAME_SIZE_ERROR | `frames_that_end_a_connection`, `a_stream_may_not_depend_on_itself` |
//! | 6.4 | RST_STREAM on stream 0 or an idle stream is PROTOCOL_ERROR; with another length FRAME_SIZE_ERROR | `frames_that_end_a_connection` |
//! | 6.5 | SETTINGS on a stream is PROTOCOL_ERROR; with half a parameter, or ACK with any, FRAME_SIZE_ERROR | `frames_that_end_a_connection` |
//! | 6.5.2 | ENABLE_PUSH is 0 or 1, INITIAL_WINDOW_SIZE at most 2^31-1, MAX_FRAME_SIZE from 2^14 to 2^24-1 | `frames_that_end_a_connection` |
//! | 6.5.3 | parameters are taken in order, then acknowledged | `settings_are_acknowledged_and_pings_answered`, `a_window_may_become_negative` |
//! | 6.5.3 | our own parameters hold from their acknowledgement on | `a_window_that_was_not_acknowledged_has_its_default_size` |
//! | 6.6 | PUSH_PROMISE from a client is PROTOCOL_ERROR | `frames_that_end_a_connection` |
//! | 6.7 | PING is answered with its payload | `settings_are_acknowledged_and_pings_answered` |
//! | 6.7 | PING on a stream is PROTOCOL_ERROR; with another length FRAME_SIZE_ERROR | `frames_that_end_a_connection` |
//! | 6.8 | GOAWAY on a stream is PROTOCOL_ERROR | `frames_that_end_a_connection` |
//! | 6.8 | a drain announces its end, and names the last stream after a round trip | `requests_under_way_are_answered_before_the_end` |
//! | 6.8 | streams beyond that are ignored | `requests_under_way_are_answered_before_the_end` |
//! | 6.9 | WINDOW_UPDATE by 0 is PROTOCOL_ERROR, of the stream or of the connection | `windows_of_streams_neither_stand_still_nor_overflow`, `frames_that_end_a_connection` |
//! | 6.9 | WINDOW_UPDATE with another length is FRAME_SIZE_ERROR | `frames_that_end_a_connection` |
//! | 6.9 | DATA of a stream in error counts in the connection's window | `frames_under_way_to_a_stream_that_was_reset_are_ignored` |
//! | 6.9.1 | a window beyond 2^31-1 is FLOW_CONTROL_ERROR, of the stream or of the connection | `windows_of_streams_neither_stand_still_nor_overflow`, `frames_that_end_a_connection` |
//! | 6.9.1 | DATA beyond a window is FLOW_CONTROL_ERROR | `more_than_a_window_is_refused` |
//! | 6.9.2 | INITIAL_WINDOW_SIZE changes the windows of open streams, below zero, too, and not that of the connection | `a_window_may_become_negative`, `every_reply_arrives_whole_within_the_windows` |
//! | 6.9.2 | a window that overflows by it is FLOW_CONTROL_ERROR of the connection | `windows_of_streams_neither_stand_still_nor_overflow` |
//! | 6.10 | CONTINUATION without an open block, or on another stream, is PROTOCOL_ERROR | `frames_that_end_a_connection`, `a_header_block_is_not_interrupted` |
//! | 7 | unknown error codes have no effect of their own | `an_error_names_its_reason_and_its_code` |
//! | 8.1 | a reply that is complete before its request may be followed by RST_STREAM with NO_ERROR | `a_reply_before_the_end_of_its_request_asks_the_peer_to_stop` |
//! | 8.1 | trailers end their stream | `trailers_that_are_malformed_are_reset` |
//! | 8.1.1 | a malformed request is PROTOCOL_ERROR of its stream | `requests_that_are_malformed_are_reset` |
//! | 8.1.1 | a body has the length of its content-length | `a_body_has_the_length_that_was_announced` |
//! | 8.2 | names with upper case are malformed | `characters_that_no_field_may_have` |
//! | 8.2.1 | characters that names and values must not have | `characters_that_no_field_may_have`, `white_space_around_a_value_is_refused_where_it_is_asked_for` |
//! | 8.2.2 | fields of HTTP/1 connections, and `te` other than `trailers`, are malformed | `fields_of_http_1_connections_are_refused`, `requests_that_are_malformed_are_reset` |
//! | 8.3 | pseudo-header fields come first, once, and not in trailers; unknown ones are malformed | `malformed_requests_are_known`, `trailers_have_no_pseudo_header_fields` |
//! | 8.3.1 | a host agrees with the authority | `a_host_agrees_with_the_authority` |
//! | 8.3.1 | a request has method, scheme and a path that is not empty, `*` for OPTIONS alone | `requests_without_what_they_need_are_malformed`, `pseudo_header_fields_are_the_four_of_a_request` |
//! | 8.5 | CONNECT has an authority alone | `requests_without_what_they_need_are_malformed` |
//! | 8.7 | a stream that was refused was not processed | `more_streams_than_allowed_are_refused_and_may_be_repeated` |
//! | 10.5 | what a peer may cost is limited | `frames_that_bring_nothing_are_limited`, `requests_that_are_reset_at_once_are_limited`, `requests_that_must_be_reset_are_limited`, `a_header_block_has_an_end`, `a_peer_that_does_not_read_is_not_read` |
//! | 10.5.1 | fields beyond the limit are answered, and counted to the end of their block | `a_request_with_too_many_fields_is_reported_and_can_be_answered`, `a_block_that_grows_when_it_is_decoded_is_counted_and_not_kept` |
//!
//! # RFC 7541
//!
//! | section | rule | test |
//! |---|---|---|
//! | 2.3.3 | an index beyond both tables is an error | `what_no_encoder_may_send_is_refused` |
//! | 4.1, 4.4 | the size of entries, eviction, a field larger than the table | `the_table_is_a_list_within_a_size`, `a_field_larger_than_the_table_empties_it` |
//! | 4.2 | changes of the size come first in a block; the last is within the limit | `a_table_may_shrink_to_nothing_and_grow_again_at_the_start_of_a_block`, `what_no_encoder_may_send_is_refused` |
//! | 5.1 | integers at every boundary, and beyond | `integers_at_every_boundary_are_read_as_written`, `an_integer_without_an_end_is_refused` |
//! | 5.2 | padding longer than 7 bits, or other than ones, and the end of a string within one are errors | `what_no_encoder_writes_is_refused`, `any_bytes_decode_as_bit_by_bit` |
//! | 6.1 | index 0 is an error | `what_no_encoder_may_send_is_refused` |
//! | 6.2.3 | what is never indexed stays so | `what_is_encoded_decodes_and_enters_no_table` |
//! | A | the static table | `names_are_found_at_their_first_index` |
//! | B | the code of every symbol | `the_codes_are_those_of_the_rfc`, `every_symbol_decodes_behind_and_before_every_other` |
//! | C.1 to C.6 | the examples | `the_examples_of_the_rfc`, `each_representation_of_a_field`, `requests_one_after_another`, `responses_one_after_another` |
//!
//! # Not to the letter
//!
//! - 8.2.1 forbids white space around a value. It is taken, unless [`Config::strict`] forbids it:
//!   gRPC's protocol allows clients to send it and servers to trim it.
//! - 8.3.1 wants an `:authority` that is one of a URI. Any but an empty one is taken: gRPC's clients
//!   send their target there, such as `ipv4:10.0.0.1:1,10.0.0.2:1`.
//! - 5.1 wants to know of every closed stream how it ended. The last 16 are remembered; DATA on
//!   an older one is ignored within a budget, and HEADERS are PROTOCOL_ERROR of the connection.
//! - 6.5.3 allows SETTINGS_TIMEOUT where SETTINGS are not acknowledged. None is enforced: until
//!   then the peer is held to the default, which is allowed to be different.
//! - RFC 7541, 5.1 allows integers without a limit. With more than four bytes after the first
//!   they are refused.
//!
//! [`Config::strict`]: crate::Config::strict
