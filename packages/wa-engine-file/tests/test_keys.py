"""Spelling: the paths that Node users know, and for all else one that is nobody else's [Y1, K2]."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from wa_core.storage import MAX_KEY_BYTES, is_key
from wa_engine_file.keys import CONTROL, PIECE_BYTES, Spelling

BITS = ("_at_", "_", "@", "at", "%", "%2f", "%+", "+", ".", ".wa", "a", "A", "é", "e\u0301", " ")
BOTH = pytest.mark.parametrize("spelling", list(Spelling))
NAME_MAX = 255


def keys() -> st.SearchStrategy[str]:
    trap = st.lists(st.sampled_from(BITS), min_size=1, max_size=6).map("".join)
    plain = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=90)
    long = st.tuples(st.sampled_from(["x", "é", "😀", "_at_", "%"]), st.integers(20, 500)).map(
        lambda pair: pair[0] * pair[1]
    )
    segments = st.lists(st.one_of(trap, plain, long), min_size=1, max_size=4)
    return segments.map("/".join).filter(is_key)


def folded(path: str) -> str:
    """What the worst file system makes of a name: no case, no accents of its own, no last dots."""
    names = unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold()).split("/")
    return "/".join(name.rstrip(". ") for name in names)


@BOTH
@given(key=keys())
def test_every_key_is_read_back_from_its_path(spelling: Spelling, key: str) -> None:
    assert spelling.key(spelling.path(key)) == key
    assert spelling.key(spelling.own(key)) == key


@BOTH
@given(key=keys())
def test_no_path_leaves_the_folder_or_is_too_long_for_a_file_system(
    spelling: Spelling, key: str
) -> None:
    names = spelling.own(key).split("/")

    assert names[0] != CONTROL
    assert all(name not in ("", ".", "..") for name in names)
    assert all(len(name.encode()) <= NAME_MAX for name in names)


@BOTH
@given(one=keys(), other=keys())
def test_two_keys_never_share_a_path(spelling: Spelling, one: str, other: str) -> None:
    assume(one != other)

    assert {spelling.path(one), spelling.own(one)}.isdisjoint(
        {spelling.path(other), spelling.own(other)}
    )


@BOTH
@given(key=keys(), other=keys())
def test_what_lies_below_a_path_lies_below_its_key(
    spelling: Spelling, key: str, other: str
) -> None:
    below = spelling.path(other).startswith(spelling.path(key) + "/")

    assert below == other.startswith(key + "/")


@given(one=keys(), other=keys())
def test_safe_paths_differ_also_where_names_are_folded(one: str, other: str) -> None:
    assume(one != other)
    safe = Spelling.SAFE

    assert folded(safe.path(one)) != folded(safe.path(other))
    assert folded(safe.path(one)) == safe.path(one)


@pytest.mark.parametrize(
    ("one", "other"),
    [("a", "A"), ("é", "e\u0301"), ("a", "a."), ("ß", "ss"), ("K", "\u212a"), (".wa", ".WA")],
)
def test_the_pairs_that_file_systems_confuse_are_kept_apart(one: str, other: str) -> None:
    assert folded(Spelling.SAFE.path(one)) != folded(Spelling.SAFE.path(other))


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("session/creds", "session/creds"),
        ("session/pre-key/12", "session/pre-key/12"),
        (
            "contact/5491112345678@s.whatsapp.net/index",
            "contact/5491112345678_at_s.whatsapp.net/index",
        ),
        ("chat/120363@g.us/message/3EB0:7/raw", "chat/120363_at_g.us/message/3EB0:7/raw"),
        ("lid/99*[?]{}\\|", "lid/99*[?]{}\\|"),
        ("a_at_b", "a%5fat_b"),
        ("_at@", "%5fat_at_"),
        ("x_@", "x__at_"),
        ("100%", "100%25"),
        ("%", "%25"),
        (".wa/manifest", "%2ewa/manifest"),
        ("a/.wa", "a/.wa"),
        (".wax", ".wax"),
    ],
)
def test_the_spelling_of_these_keys_is_for_ever(key: str, path: str) -> None:
    assert Spelling.PLAIN.path(key) == path


@pytest.mark.parametrize("char", ["k", "é", "😀", "@", "%"])
def test_a_key_of_512_bytes_in_one_segment_has_a_path(char: str) -> None:
    key = char * (MAX_KEY_BYTES // len(char.encode()))

    for spelling in Spelling:
        names = spelling.path(key).split("/")
        assert spelling.key("/".join(names)) == key
        assert max(len(name.encode()) for name in names) <= PIECE_BYTES + len("%++") + 8


@pytest.mark.parametrize(
    "path",
    [
        "a@b",
        "a%zz",
        "%61",
        "a%2Fb",
        "a%2f",
        "%",
        "a%+",
        "a%+/+b",
        "+%+/+",
        "%2ewax",
        "\udcff",
        "a\n",
    ],
)
def test_a_path_that_we_would_not_write_is_no_key(path: str) -> None:
    assert Spelling.PLAIN.key(path) is None


@given(st.lists(st.sampled_from(["_at_", "_", "at", "@", "a", "%", ".", "é"]), min_size=1))
def test_the_short_way_to_read_a_name_agrees_with_the_long_one(bits: list[str]) -> None:
    name = "".join(bits)
    assume(is_key(name))

    short = Spelling.PLAIN.segment(name)

    assert short is None or short == Spelling.PLAIN.key(name)


def session_names() -> st.SearchStrategy[str]:
    text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=64)
    traps = st.sampled_from([".", "..", ".wa", "a/b", "a%2fb", "/", "x" * 256, "A", "_at_", "@"])
    return st.one_of(text, traps)


@BOTH
@given(one=session_names(), other=session_names())
def test_sessions_have_folders_of_their_own(spelling: Spelling, one: str, other: str) -> None:
    path = spelling.session_path(one)

    assert spelling.session(path) == one
    assert all(name not in ("", ".", "..", CONTROL) for name in path.split("/"))
    assert one == other or not f"{spelling.session_path(other)}/".startswith(path + "/")
