"""Hostile keys: what a key grammar allows and a backend's own syntax trips over.

A key is data. Each group is a language that somebody once built out of keys (a path, a pattern, a
query) with the characters that mean something there; `TWINS` are keys that such a place takes for
one another.
"""

from __future__ import annotations

from hypothesis import strategies as st
from wa_core.storage import MAX_KEY_BYTES, is_key

GLOB = ("chat/a*c", "chat/*", "*", "chat/?", "chat/[ab]", "chat/[!a]", "chat/{a,b}", "**", "**/x")
LIKE = ("chat/a_c", "chat/a%c", "_", "%", "chat/%", "chat/_", "100%", "a\\_b", "a\\%b", "\\")
REGEX = ("a.c", "a+c", "a|c", "(a)", "^a", "a$", "a{2}", "\\d", "\\", "[a-c]", "chat/.*", "a.*b")
QUOTES = ("o'brien", '"quoted"', "`tick`", "a'; DROP TABLE kv; --", "a\\'b", "''", "x'00'")
PATHS = (
    "...", ".hidden", "a/.hidden", "a/...", "a\\b", "a\\..\\b", "C:", "C:\\x", "~", "~root/x",
    "CON", "con.txt", "NUL", "aux/x", "lpt1", "a:b", "a|b", "a<b>", "a.tmp", "a.bak", ".lock",
    "-rf", "--", "a.", "a..", "index", "index/index", "a/value", "a.json", "tmp/x", ".order",
    ".git",)  # fmt: skip
MONGO = ("$where", "$gt", "a.b.c", "$set/x", '{"$gt": ""}', "_id", "a.$b", "$", "a.")
COLONS = ("a:b:c", "a::b", ":", "conf:x", "a:b/c", "x:creds", "{a}:b", "{a}", "a#b", "a?b=c&d")
LAYOUT = (
    "549@s.whatsapp.net", "549_at_s.whatsapp.net", "_at_", "a_at_b", "a@b", "@", "__", "a__b",
    "a--b", "a%40b", "%2F", "%2f", "a%2Fb", "%00", "%", "%25", "a%", "a%4", "=41", "!x", "~7e",
    "+", "a+b",
)  # fmt: skip
SPACES = (" ", " a", "a ", "a b", "  ", "a /b", " /a", "\u00a0", "\u2003a", "a\u200b", "\ufeffa")
UNICODE = (
    "\u00e9", "e\u0301", "\U0001f600", "chat/\U0001f468\u200d\U0001f469", "\u0130", "\u0131",
    "\u00df", "\u1e9e", "\ufb01", "fi", "\uff21", "\u4e2d\u6587", "\u05d0", "\u202eabc", "\uffff",
    "\U0010ffff", "\ue000", "\u2028", "\u0080", "\u0085", "\ufffd", "\u212b", "\u00c5", "A\u030a",
)  # fmt: skip
WORDS = (
    "default", "null", "None", "true", "0", "00", "1e3", "constructor", "__proto__", "toString",
)  # fmt: skip
LONG = (
    "x" * MAX_KEY_BYTES,
    "/".join("d" * 256),
    "a/" + "s" * 256,
    "a/" + "\u4e2d" * 170,
    "\U0001f600" * 128,
    "n" * 255 + "/" + "n" * 255,
    "l" * 300 + "/x",
    "A" * 256,
)
HOSTILE: tuple[str, ...] = tuple(
    dict.fromkeys(
        [
            *(*GLOB, *LIKE, *REGEX, *QUOTES, *PATHS, *MONGO, *COLONS),
            *(*LAYOUT, *SPACES, *UNICODE, *WORDS, *LONG),
        ]
    )
)
"""Valid keys, all different."""

TWINS: tuple[tuple[str, str], ...] = (
    ("chat/Abc", "chat/abc"),
    ("CHAT/x", "chat/x"),
    ("\u00e9", "e\u0301"),
    ("\ufb01le", "file"),
    ("\u212bngstrom", "\u00c5ngstrom"),
    ("stra\u00dfe", "strasse"),
    ("resume", "r\u00e9sum\u00e9"),
    ("I", "\u0131"),
    ("a", "a "),
    (" b", "b"),
    ("c/d", "c /d"),
    ("dot", "dot."),
    ("dots", "dots.."),
    ("549@s.whatsapp.net", "549_at_s.whatsapp.net"),
    ("a:b", "a-b"),
    ("a/b", "a__b"),
    ("m/n", "m_n"),
    ("p/q", "p:q"),
    ("p/r", "p\\r"),
    ("p/s", "p.s"),
    ("t/u", "t%2Fu"),
    ("v", "%76"),
    ("w+x", "w x"),
    ("\U0001f600", "\U0001f601"),
    ("y\U0001f600", "y\ufffd"),
    ("y?", "y\U0001f601"),
    ("z", "z\u200b"),
    ("quote'", "quote''"),
    ("x" * 511 + "a", "x" * 511 + "b"),
    ("s" * 300 + "a", "s" * 300 + "b"),
    ("s" * 255 + "/t", "s" * 255 + "u/t"),
    ("1", "01"),
    ("1", "1.0"),
)
"""Pairs of keys that differ in their bytes, and are one somewhere."""

INVALID: tuple[str, ...] = (
    "",
    "/",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "../a",
    "a/..",
    "a/./b",
    "a/../b",
    "../../etc/x",
    "a\x00b",
    "a\nb",
    "\t",
    "a\x1f",
    "a\x7fb",
    "a\ud800",
    "\udfffb",
    "x" * (MAX_KEY_BYTES + 1),
    "\u00e9" * 257,
    "\U0001f600" * 129,
)
"""Strings that are no keys [K1]."""

NO_PREFIX: tuple[str, ...] = (
    "/",
    "//",
    "/a",
    "a//",
    "a//b",
    "./",
    "../",
    "../a",
    "a/../",
    "a/./b",
    "a\x00",
    "\n",
    "a\x7f",
    "\ud800",
    "x" * MAX_KEY_BYTES + "/",
    "x" * (MAX_KEY_BYTES - 1) + "/",
    "x" * (MAX_KEY_BYTES + 1),
)
"""Strings with which no valid key begins [K4]."""

NOT_TEXT: tuple[object, ...] = (None, b"chat", 5, ["chat"])
"""What untyped callers hand over instead of a key."""

_SPICE = "ab*?[]_%\\.:@#$'\"{}^|~ -+=\u00e9\u0301\U0001f600A"
_segments = st.one_of(
    st.sampled_from(("a", "b", "chat", "1", "10", "index", "_at_", "a*", "a_", "a%", "A", "...")),
    st.text(alphabet=_SPICE, min_size=1, max_size=4),
)
KEYS: st.SearchStrategy[str] = st.one_of(
    st.lists(_segments, min_size=1, max_size=4).map("/".join),
    st.sampled_from(HOSTILE),
    st.sampled_from([key for pair in TWINS for key in pair]),
    st.text(min_size=1, max_size=8),
).filter(is_key)
"""Valid keys, dense enough that siblings, parents and twins meet."""

VALUES: st.SearchStrategy[bytes] = st.one_of(
    st.sampled_from((b"", b"\x00", b"0", b"null", b"\xff\xfe", b"\r\n", bytes(range(256)))),
    st.binary(max_size=40),
)
