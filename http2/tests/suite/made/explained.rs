//! Where this engine and h2 differ, and why. Each row is narrow: the type of the frame at which
//! they differ, what each did, and the rule that allows or demands what this engine does.

use super::outcome::Outcome;
use crate::support::{
    ACK, CONTINUATION, DATA, END_HEADERS, HEADERS, PADDED, PRIORITY, PUSH_PROMISE, SETTINGS,
    WINDOW_UPDATE, WITH_PRIORITY,
};

/// What a server did about a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Did {
    /// It ended the connection, with this code where one was sent.
    End(Option<u32>),
    /// It reset a stream.
    Reset(u32),
    /// It has a request, and answers.
    Answer,
    Nothing,
}

const PROTOCOL: u32 = 1;
const FLOW_CONTROL: u32 = 3;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE: u32 = 6;
const REFUSED: u32 = 7;
const COMPRESSION: u32 = 9;
const CALM: u32 = 11;

fn did(outcome: &Outcome) -> Did {
    let reset = outcome.streams.values().find_map(|sent| sent.reset);
    match reset {
        _ if outcome.over => Did::End(outcome.goaway),
        Some(code) => Did::Reset(code),
        None if outcome.requests.is_empty() => Did::Nothing,
        None => Did::Answer,
    }
}

/// What was done about a frame, in a few words.
pub(crate) fn label(frame: &[u8], ours: &Outcome, theirs: &Outcome) -> String {
    let kind = frame.get(3).copied().unwrap_or_default();
    format!("kind {kind}: {:?}, h2 {:?}", did(ours), did(theirs))
}

/// The reason for a difference at a frame, if there is one.
pub(crate) fn reason(frame: &[u8], ours: &Outcome, theirs: &Outcome) -> Option<&'static str> {
    let [_, _, _, kind, flags, ..] = frame.first_chunk::<9>()?;
    let headers = matches!(*kind, HEADERS | CONTINUATION);
    let is_first = frame.starts_with(b"PRI ");
    let did = (did(ours), did(theirs));
    ends_comparison(frame)
        .or_else(|| {
            if headers {
                of_headers(*flags, did)
            } else {
                of_others((*kind, *flags), is_first, did)
            }
        })
        .or_else(|| of_any(is_first, did))
}

/// HEADERS and CONTINUATION.
fn of_headers(flags: u8, did: (Did, Did)) -> Option<&'static str> {
    Some(match did {
        (Did::Reset(PROTOCOL), Did::End(Some(PROTOCOL))) => {
            "8.1.1: a malformed field is an error of its stream; h2 ends the connection for some"
        }
        (Did::End(Some(COMPRESSION)), Did::End(Some(PROTOCOL))) => {
            "4.3: a block that does not decode is COMPRESSION_ERROR, whatever its stream"
        }
        (Did::End(Some(STREAM_CLOSED)), Did::End(Some(PROTOCOL))) => {
            "5.1: HEADERS on a closed stream are STREAM_CLOSED; to h2 its number does not grow"
        }
        (Did::Reset(STREAM_CLOSED), Did::End(Some(PROTOCOL))) => {
            "5.1: HEADERS after RST_STREAM are STREAM_CLOSED; to h2 their number does not grow"
        }
        (Did::Reset(STREAM_CLOSED), Did::Reset(PROTOCOL)) => {
            "5.1: HEADERS after the end of a request are STREAM_CLOSED; h2 looks at other rules first"
        }
        (Did::Nothing, Did::End(_)) if flags & END_HEADERS == 0 => {
            "4.3: a block is decoded when it is complete; h2 decodes what it has"
        }
        (Did::Nothing, Did::End(Some(PROTOCOL))) => {
            "5.1: what comes for a stream that was reset is ignored; h2 has forgotten it"
        }
        (Did::Reset(PROTOCOL), Did::Answer | Did::Nothing) => {
            "8.1.1: a malformed request is reset; h2 lets pass a path that is missing, or `*`, and \
             pseudo-header fields in trailers"
        }
        (Did::Answer | Did::Nothing, Did::Reset(PROTOCOL)) => {
            "8.3.1: what no URI's path may have is left to the owner, who serves no such path"
        }
        (Did::Answer, Did::End(Some(PROTOCOL))) => {
            "8.2.1: a value has no NUL, CR or LF; h2 refuses other control characters, too"
        }
        (Did::End(Some(PROTOCOL)), Did::Nothing) => {
            "5.1.1: a number that no client has, or that was used long ago, is an error at once; h2 \
             waits for the block's end, and remembers longer what it has reset"
        }
        (Did::End(Some(COMPRESSION)), Did::Nothing) => {
            "RFC 7541, 4.2: a change of the table's size comes first in a block; h2 takes others"
        }
        (Did::End(Some(PROTOCOL | STREAM_CLOSED)), Did::Reset(PROTOCOL)) => {
            "5.1.1: a number that does not grow is an error of the connection; h2 reads fields first"
        }
        (Did::Reset(REFUSED), Did::End(Some(PROTOCOL)) | Did::Reset(PROTOCOL)) => {
            "8.7: what is refused is not looked at; h2 reads fields first"
        }
        _ => return None,
    })
}

/// Frames without fields.
fn of_others((kind, flags): (u8, u8), is_first: bool, did: (Did, Did)) -> Option<&'static str> {
    Some(match did {
        (Did::Nothing, Did::End(_)) if kind == SETTINGS && flags & ACK != 0 => {
            "an acknowledgement of no SETTINGS is no error in RFC 9113; h2 ends the connection"
        }
        (Did::Nothing, Did::Reset(STREAM_CLOSED)) if kind == DATA => {
            "5.1: what comes for a stream that was reset is ignored; h2 resets it once more"
        }
        (Did::End(Some(STREAM_CLOSED)), Did::Reset(STREAM_CLOSED)) if kind == DATA => {
            "5.1: DATA on a stream that has ended is an error of the connection; h2 resets the stream"
        }
        (Did::Reset(STREAM_CLOSED), Did::End(Some(PROTOCOL))) if kind == DATA => {
            "5.1: DATA after RST_STREAM are STREAM_CLOSED; h2 has forgotten the stream"
        }
        (Did::Reset(PROTOCOL | FRAME_SIZE), Did::Nothing | Did::End(Some(PROTOCOL)))
            if kind == PRIORITY =>
        {
            "6.3: a wrong PRIORITY is an error of its stream; h2 looks at open streams alone, or \
             ends the connection"
        }
        (Did::Nothing | Did::Reset(PROTOCOL), Did::End(Some(PROTOCOL)))
            if kind == WINDOW_UPDATE =>
        {
            "6.9: WINDOW_UPDATE by nothing is an error of its stream; h2 ends the connection"
        }
        (Did::End(Some(FLOW_CONTROL)), Did::End(Some(PROTOCOL)))
            if kind == SETTINGS || is_first =>
        {
            "6.5.2: a window beyond 2^31-1 is FLOW_CONTROL_ERROR; h2 says PROTOCOL_ERROR"
        }
        (Did::End(Some(PROTOCOL)), Did::Nothing) if kind == PUSH_PROMISE => {
            "8.4: a client does not push; h2 waits for the block's end"
        }
        (Did::End(Some(PROTOCOL | FRAME_SIZE)), Did::Reset(_)) if kind == PRIORITY => {
            "5.1: RST_STREAM is never sent for an idle stream; h2 does so for a wrong PRIORITY"
        }
        _ => return None,
    })
}

fn of_any(is_first: bool, did: (Did, Did)) -> Option<&'static str> {
    Some(match did {
        (Did::End(Some(CALM)), _) | (_, Did::End(Some(CALM))) => {
            "10.5: each server has limits of its own for frames that bring nothing"
        }
        (Did::Answer | Did::Nothing | Did::Reset(_), Did::End(Some(0))) => {
            "6.8: who has sent GOAWAY may close; h2 closes for him when no stream is open"
        }
        (Did::End(Some(PROTOCOL)), Did::Nothing) if is_first => {
            "3.4: the first frame is SETTINGS; h2 lets pass one that it does not know"
        }
        (Did::End(Some(FRAME_SIZE)), Did::End(Some(PROTOCOL))) => {
            "4.2: a frame of the wrong length is FRAME_SIZE_ERROR; h2 says PROTOCOL_ERROR for some"
        }
        (Did::Nothing, Did::End(Some(FRAME_SIZE))) => {
            "4.2: a frame that is too large is refused when its head has come; h2 needs three bytes"
        }
        (Did::End(Some(PROTOCOL)), Did::End(Some(FRAME_SIZE))) => {
            "5.4: a frame that breaks two rules may be answered by either code"
        }
        _ => return None,
    })
}

/// Whether what follows a frame says nothing, and why.
pub(crate) fn ends_comparison(frame: &[u8]) -> Option<&'static str> {
    let [_, _, _, kind, flags, stream @ ..] = frame.first_chunk::<9>()?;
    let skipped = usize::from(flags & PADDED != 0);
    let parent = frame.get(9 + skipped..)?.first_chunk::<4>()?;
    let is_own =
        u32::from_be_bytes(*parent) & 0x7fff_ffff == u32::from_be_bytes(*stream) & 0x7fff_ffff;
    let loops = *kind == HEADERS && flags & WITH_PRIORITY != 0 && is_own;
    loops.then_some("4.3: the block of a stream that depends on itself is decoded; h2 drops it, and its table is another from there on")
}
