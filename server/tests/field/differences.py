"""Where the engine and another library differ, and why: the types of frames, what the engine did,
what the other did, and the rule that allows or demands what the engine does."""

END, RESET, ANSWER, NOTHING = "end", "reset", "answer", "nothing"
PROTOCOL, STREAM_CLOSED, FRAME_SIZE, REFUSED, COMPRESSION = 1, 5, 6, 7, 9

FIELDS = {"HEADERS", "CONTINUATION"}
ANY = {
    *FIELDS,
    *"DATA PRIORITY RST_STREAM SETTINGS PUSH_PROMISE PING GOAWAY WINDOW_UPDATE other".split(),
}

BOTH = [
    (FIELDS, {(RESET, PROTOCOL)}, {(END, PROTOCOL)}, "8.1.1: a malformed request is an error of its stream"),
    (
        FIELDS,
        {(RESET, PROTOCOL)},
        {(ANSWER, None), (NOTHING, None)},
        "8.3.1: `*` is a path of OPTIONS alone, and a stream does not depend on itself",
    ),
    (FIELDS, {(RESET, REFUSED)}, {(END, PROTOCOL)}, "5.1.2: a stream beyond the limit is refused"),
    (
        FIELDS,
        {(NOTHING, None)},
        {(END, PROTOCOL), (END, STREAM_CLOSED)},
        "5.1: what comes for a stream that was reset is ignored; blocks that are incomplete wait",
    ),
    (FIELDS, {(END, PROTOCOL)}, {(NOTHING, None)}, "5.1.1: a client's streams have odd numbers, which grow"),
    (ANY, {(END, FRAME_SIZE)}, {(END, PROTOCOL)}, "4.2: a frame of the wrong length is FRAME_SIZE_ERROR"),
    (ANY, {(END, PROTOCOL)}, {(END, FRAME_SIZE)}, "5.4: of two rules that are broken either may be named"),
    (
        FIELDS,
        {(END, PROTOCOL), (END, COMPRESSION), (END, STREAM_CLOSED)},
        {(END, PROTOCOL), (END, COMPRESSION), (END, STREAM_CLOSED)},
        "5.4: of two rules that are broken either may be named",
    ),
    ({"SETTINGS"}, {(NOTHING, None)}, {(END, PROTOCOL)}, "an acknowledgement of nothing is no error in RFC 9113"),
    (
        {"DATA"},
        {(NOTHING, None), (RESET, PROTOCOL), (RESET, STREAM_CLOSED)},
        {(END, PROTOCOL), (END, STREAM_CLOSED), (RESET, STREAM_CLOSED)},
        "5.1: DATA on a stream that was reset are an error of the stream, or ignored",
    ),
    (
        {"PRIORITY", "WINDOW_UPDATE"},
        {(RESET, PROTOCOL), (RESET, FRAME_SIZE), (NOTHING, None)},
        {(END, PROTOCOL), (END, FRAME_SIZE)},
        "6.3 and 6.9: what concerns a stream alone is an error of the stream",
    ),
]

PYTHON_H2 = [
    (FIELDS, {(ANSWER, None)}, {(END, PROTOCOL)}, "6.2: a block may be empty, beside its padding"),
    ({"DATA"}, {(END, STREAM_CLOSED)}, {(RESET, STREAM_CLOSED)}, "5.1: DATA behind the end is an error of the connection"),
    ({"RST_STREAM"}, {(END, PROTOCOL)}, {(NOTHING, None)}, "6.4: RST_STREAM on an idle stream is PROTOCOL_ERROR"),
    ({"other"}, {(END, FRAME_SIZE)}, {(NOTHING, None)}, "4.2: a frame that is too large is known by its head"),
]

NGHTTP2 = [
    (
        FIELDS,
        {(ANSWER, None), (NOTHING, None)},
        {(RESET, PROTOCOL)},
        "8.3.1: what no URI's path may have is left to the owner, who serves no such path",
    ),
    (FIELDS, {(ANSWER, None)}, {(NOTHING, None)}, "6.8: a peer that has sent GOAWAY may be served on"),
    (FIELDS, {(RESET, STREAM_CLOSED)}, {(END, STREAM_CLOSED)}, "5.1: HEADERS behind RST_STREAM are an error of the stream"),
    ({"DATA"}, {(END, PROTOCOL)}, {(END, STREAM_CLOSED), (NOTHING, None)}, "6.1: too much padding is PROTOCOL_ERROR"),
    ({"SETTINGS"}, {(END, PROTOCOL)}, {(NOTHING, None)}, "6.5: SETTINGS on a stream are PROTOCOL_ERROR"),
    ({"SETTINGS"}, {(NOTHING, None)}, {(NOTHING, None)}, "6.5.3: SETTINGS are acknowledged at once"),
    ({"other"}, {(NOTHING, None)}, {(END, FRAME_SIZE)}, "4.1: flags that a type does not define are ignored"),
]

RULES = {"python-h2": BOTH + PYTHON_H2, "nghttp2": BOTH + NGHTTP2}


def reason(name, kind, ours, theirs):
    """Why they differ, or nothing."""
    for kinds, mine, other, why in RULES[name]:
        if kind in kinds and ours in mine and theirs in other:
            return why
    return None
