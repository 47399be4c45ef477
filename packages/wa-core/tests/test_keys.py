"""The key grammar against a checker that is written another way [K1, K4]."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wa_core.errors import InvalidKeyError
from wa_core.storage.keys import ancestors, check_key, check_prefix, end_of, is_key

HOSTILE = "/.ab%_*?[]{}\\:\"'<>|@#$^~ \x00\x1f\x20\x7e\x7f\x80é\ud7ff\ud800\udfff\ue000\U0010ffff"
texts = st.text(st.one_of(st.sampled_from(HOSTILE), st.characters(exclude_categories=[])))
long_texts = st.builds(
    lambda fill, count, end: fill * count + end,
    st.sampled_from(["a", "é", "😀", "a/", "./"]),
    st.integers(120, 515),
    st.sampled_from(["", "a", "/", "/.", "/..", ".", "é"]),
)
hostile_texts = st.one_of(texts, long_texts)


def spells_a_key(text: str) -> bool:
    """Decide what a key is by the words of K1, one after the other."""
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        return False
    if not 1 <= size <= 512:
        return False
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in text):
        return False
    return all(segment not in ("", ".", "..") for segment in text.split("/"))


keys = st.one_of(
    hostile_texts.filter(spells_a_key),
    st.lists(
        st.text(st.sampled_from("ab._-@é😀 %"), min_size=1).filter(lambda s: s not in (".", "..")),
        min_size=1,
        max_size=6,
    )
    .map("/".join)
    .filter(spells_a_key),
)


@pytest.mark.parametrize(
    "key",
    [
        "session/creds",
        "contact/5491112345678@s.whatsapp.net/index",
        "...",
        "a/...",
        ".a/a.",
        "~",
        " ",
        " a / b ",
        "*?[]{}\\:\"'<>|@#$^.~%_",
        "\x80\x9f\u2028\ufeff\ufffe\uffff",
        "😀/é/e\u0301",
        "a" * 512,
        "é" * 256,
    ],
)
def test_a_character_that_is_not_excluded_means_itself(key: str) -> None:
    assert is_key(key)
    assert check_key(key) is key


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("", "at least one byte"),
        ("/", "segment is empty"),
        ("a/", "segment is empty"),
        ("/a", "segment is empty"),
        ("a//b", "segment is empty"),
        (".", "'.' or '..'"),
        ("..", "'.' or '..'"),
        ("a/../b", "'.' or '..'"),
        ("a/.", "'.' or '..'"),
        ("a\nb", "control"),
        ("a\x00", "control"),
        ("a\x7f", "control"),
        ("a\n", "control"),
        ("\ud800", "surrogate"),
        ("a" * 513, "513 bytes"),
        ("é" * 257, "514 bytes"),
    ],
)
def test_a_text_that_is_no_key_is_refused_with_the_reason(key: str, reason: str) -> None:
    with pytest.raises(InvalidKeyError, match="invalid key") as caught:
        check_key(key)

    assert reason in caught.value.reason


@pytest.mark.parametrize("key", [None, b"a", 1, ("a",)])
def test_what_is_no_str_is_no_key_and_no_prefix(key: str) -> None:
    assert not is_key(key)
    with pytest.raises(InvalidKeyError, match="a key is a str"):
        check_key(key)
    with pytest.raises(InvalidKeyError, match="a key is a str"):
        check_prefix(key)


@given(hostile_texts)
def test_the_grammar_agrees_with_the_words_of_k1(text: str) -> None:
    assert is_key(text) == spells_a_key(text)


@given(hostile_texts)
def test_check_key_returns_keys_and_raises_for_the_rest(text: str) -> None:
    if spells_a_key(text):
        assert check_key(text) == text
    else:
        with pytest.raises(InvalidKeyError, match="invalid key"):
            check_key(text)


@given(keys, st.data())
def test_whatever_a_key_begins_with_is_a_prefix(key: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(key)))

    assert check_prefix(key[:cut]) == key[:cut]


@given(hostile_texts)
@example("a" * 510 + "/.")
@example("a" * 511 + "/")
@example("a" * 510 + "/")
@example("..")
@example("a/..")
def test_a_prefix_is_just_what_some_key_begins_with(text: str) -> None:
    extensible = any(spells_a_key(text + more) for more in ("", "x", "/x", "xx", "x/x", "é"))

    if extensible or text == "":
        assert check_prefix(text) == text
    else:
        with pytest.raises(InvalidKeyError, match="no valid key begins like this"):
            check_prefix(text)


@given(keys)
def test_the_ancestors_are_the_path_prefixes_in_order(key: str) -> None:
    segments = key.split("/")

    expected = ["/".join(segments[:depth]) + "/" for depth in range(1, len(segments))]

    assert ancestors(key) == ["", *expected]


@given(keys, keys)
@example("a\ud7ff", "a\ud7ffz")
@example("a\ud7ff", "a\ue000")
@example("a\U0010ffff", "a\U0010ffff\U0010ffff")
@example("a\U0010ffff", "b")
@example("\U0010ffff", "\U0010ffff\U0010ffffz")
def test_a_prefix_and_its_end_enclose_just_what_begins_with_it(prefix: str, other: str) -> None:
    end = end_of(prefix)

    for key in (other, prefix + other, prefix):
        assert (prefix <= key and (end is None or key < end)) == key.startswith(prefix)


def test_no_text_is_above_the_empty_prefix_or_the_last_code_point() -> None:
    assert end_of("") is None
    assert end_of("\U0010ffff" * 3) is None
    assert end_of("a\U0010ffff") == "b"
