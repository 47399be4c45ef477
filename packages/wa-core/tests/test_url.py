"""The URL grammar: all forms of U2 to U4, nothing dropped in silence, nothing secret shown."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wa_core.errors import InvalidUrlError
from wa_core.storage import Durability, EngineUrl, without_secrets

SECRET = "hunter2%2Fcorrect"
CONTROLS = "".join(map(chr, (*range(32), 127)))
names = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters=CONTROLS),
    max_size=60,
)


@pytest.mark.parametrize(
    ("text", "scheme", "place", "session"),
    [
        ("redis://host/0#5491", "redis", "//host/0", "5491"),
        ("mongodb://host/app#5491", "mongodb", "//host/app", "5491"),
        ("mongodb+srv://host/app", "mongodb+srv", "//host/app", None),
        ("mongodb://a:27017,b:27017/app#x@y", "mongodb", "//a:27017,b:27017/app", "x@y"),
        ("sqlite:///wa.db#5491", "sqlite", "///wa.db", "5491"),
        ("file:.baileys#mi-bot", "file", ".baileys", "mi-bot"),
        ("file:.baileys", "file", ".baileys", None),
        ("file:.baileys#", "file", ".baileys", ""),
        ("redis:HOST", "redis", "HOST", None),
        ("mongo:HOST/DB", "mongo", "HOST/DB", None),
        ("sqlite:PATH", "sqlite", "PATH", None),
        ("postgres:app", "postgres", "app", None),
        ("mysql://u@h:3306/app#a", "mysql", "//u@h:3306/app", "a"),
        ("memory:", "memory", "", None),
        ("memory:#s", "memory", "", "s"),
        ("MEMORY:Place", "memory", "Place", None),
        ("redis://[::1]:6379/0#a@b", "redis", "//[::1]:6379/0", "a@b"),
        ("redis://host:6379#549@s.whatsapp.net", "redis", "//host:6379", "549@s.whatsapp.net"),
    ],
)
def test_the_forms_that_people_type_are_understood(
    text: str, scheme: str, place: str, session: str | None
) -> None:
    url = EngineUrl.parse(text)

    assert (url.scheme, url.place, url.session) == (scheme, place, session)
    assert dict(url.params) == {}


@pytest.mark.parametrize("text", ["", "redis", ":", ":x", "1a:x", "a_b:x", " redis:x", "/a/b:c"])
def test_a_text_without_a_scheme_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(InvalidUrlError, match="begins with a scheme") as caught:
        EngineUrl.parse(text + SECRET)

    assert SECRET not in str(caught.value)


def test_parameters_are_decoded_and_kept_in_order() -> None:
    url = EngineUrl.parse("redis://h?b=1&a=x%26y+z&flag&empty=#s")

    assert list(url.params.items()) == [("b", "1"), ("a", "x&y z"), ("flag", ""), ("empty", "")]


def test_a_question_mark_behind_the_hash_belongs_to_the_session() -> None:
    url = EngineUrl.parse("redis://h?a=1#who?b=2#c")

    assert url.session == "who?b=2#c"
    assert dict(url.params) == {"a": "1"}


def test_a_parameter_given_twice_is_refused() -> None:
    with pytest.raises(InvalidUrlError, match="'a' is given twice"):
        EngineUrl.parse("redis://h?a=1&b=2&a=1")


def test_a_parameter_that_the_engine_does_not_know_is_refused_by_name() -> None:
    url = EngineUrl.parse("redis://h?durability=power&prefix=wa&prefixx=wa")

    with pytest.raises(InvalidUrlError, match=r"unknown parameter 'prefixx' \(known: .*prefix"):
        url.refuse_unknown(("prefix",))
    EngineUrl.parse("redis://h?timeout=1&readonly=1&prefix=wa").refuse_unknown(("prefix",))


@pytest.mark.parametrize(
    "text", ["memory:#%ff", "memory:#%ed%a0%80", "memory:#\ud800", "memory:?a=%ff", "memory:?%ff=a"]
)
def test_what_is_not_utf8_is_refused_not_replaced(text: str) -> None:
    with pytest.raises(InvalidUrlError, match="not UTF-8"):
        EngineUrl.parse(text)


@pytest.mark.parametrize("name", ["a\x00b", "a%0Ab", "%7F", "x" * 257, "é" * 129])
def test_a_session_name_has_bounds(name: str) -> None:
    with pytest.raises(InvalidUrlError, match="at most 256 bytes, no control"):
        EngineUrl.parse(f"memory:#{name}")


@given(names)
@example("%41")
@example("../..")
@example("a#b?c&d=e%")
@example("${HOME}")
def test_any_session_name_survives_the_round_trip(name: str) -> None:
    url = EngineUrl.parse("redis://h/0?a=1").with_session(name)

    again = EngineUrl.parse(url.reveal())

    assert again == url
    assert again.session == name


def test_the_url_of_no_session_is_the_url_of_the_place() -> None:
    url = EngineUrl.parse("redis://h/0?a=1#s").with_session(None)

    assert url.reveal() == "redis://h/0?a=1"


@given(st.dictionaries(names, names, max_size=4), st.none() | names)
@example({"sealing": "100%${HOME}"}, None)
@example({"a+b": "c+d e"}, "s")
def test_any_parameters_survive_the_round_trip(params: dict[str, str], name: str | None) -> None:
    url = EngineUrl("redis", "//host/0", params, name)

    assert EngineUrl.parse(url.reveal()) == url


def test_variables_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WA_TEST_PASSWORD", "p@ss/w:rd?#%${HOME}")

    url = EngineUrl.parse("redis://u:${WA_TEST_PASSWORD}@h/0?seal_key=${WA_TEST_PASSWORD}#s")

    assert url.place == "//u:p%40ss%2Fw%3Ard%3F%23%25%24%7BHOME%7D@h/0"
    assert url.params["seal_key"] == "p@ss/w:rd?#%${HOME}"
    assert EngineUrl.parse(url.reveal()) == url


def test_a_variable_that_is_not_set_is_an_error_with_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("WA_TEST_MISSING", raising=False)

    for text in ("redis://u:${WA_TEST_MISSING}@h", "redis://h?a=${WA_TEST_MISSING}"):
        with pytest.raises(InvalidUrlError, match="WA_TEST_MISSING is not set"):
            EngineUrl.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        f"redis://user:{SECRET}@host/0",
        f"redis://:{SECRET}@host/0",
        f"redis://user:a@{SECRET}@host/0",
        f"redis://user:a/{SECRET}@host/0",
        f"redis://user:a:{SECRET}@host:6379/0",
        f"mongo:user:{SECRET}@host/db",
        f"mongodb://user:{SECRET}@a,b/app?authSource=admin",
        f"redis://host?password={SECRET}",
        f"redis://host?sealing_key={SECRET}",
        f"redis://host?api_token={SECRET}&readonly=1#s",
        f"redis://host?AUTH={SECRET}",
    ],
)
def test_no_text_form_shows_a_password(text: str) -> None:
    url = EngineUrl.parse(text)

    for shown in (str(url), repr(url), f"{url}", repr([url]), str(url.with_session("x"))):
        assert "hunter2" not in shown
        assert "***" in shown
    assert "hunter2" in url.reveal()


@pytest.mark.parametrize("sign", ["?", "#"])
def test_a_password_torn_apart_by_syntax_is_refused_and_not_shown(sign: str) -> None:
    with pytest.raises(InvalidUrlError, match="%3F and %23") as caught:
        EngineUrl.parse(f"redis://user:hunter{sign}correct@host/0")

    assert "hunter" not in str(caught.value)
    assert "correct" not in str(caught.value)


def test_the_user_and_the_place_stay_readable() -> None:
    url = EngineUrl.parse("redis://me:secret@host:6379/0?prefix=wa#bot")

    assert str(url) == "redis://me:***@host:6379/0?prefix=wa#bot"
    assert str(EngineUrl.parse("file:/data/a:b@c")) == "file:/data/a:b@c"


def test_a_phone_number_is_masked_in_the_text_form() -> None:
    url = EngineUrl.parse("file:/data/5491112345678#5491112345678")

    assert str(url) == "file:/data/54…78#54…78"
    assert url.session == "5491112345678"


@pytest.mark.parametrize("level", list(Durability))
def test_a_durability_is_asked_for_by_name(level: Durability) -> None:
    assert EngineUrl.parse(f"file:x?durability={level}").durability is level


def test_no_durability_is_asked_for_unless_it_is() -> None:
    assert EngineUrl.parse("file:x").durability is None
    with pytest.raises(InvalidUrlError, match="one of volatile, process, power"):
        _ = EngineUrl.parse("file:x?durability=fast").durability


@pytest.mark.parametrize(("text", "seconds"), [("2", 2.0), ("0.25", 0.25), ("1e1", 10.0)])
def test_a_timeout_is_a_number_of_seconds(text: str, seconds: float) -> None:
    assert EngineUrl.parse(f"file:x?timeout={text}").timeout == seconds
    assert EngineUrl.parse("file:x").timeout is None


@pytest.mark.parametrize("text", ["", "0", "-1", "nan", "inf", "1e999", "ten", "2s"])
def test_what_is_no_number_of_seconds_is_refused(text: str) -> None:
    with pytest.raises(InvalidUrlError, match="positive number of seconds"):
        _ = EngineUrl.parse(f"file:x?timeout={text}").timeout


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", False),
        ("?readonly=0", False),
        ("?readonly=no", False),
        ("?readonly=FALSE", False),
        ("?readonly", True),
        ("?readonly=1", True),
        ("?readonly=Yes", True),
        ("?readonly=true", True),
    ],
)
def test_a_switch_is_on_or_off(query: str, *, expected: bool) -> None:
    assert EngineUrl.parse("file:x" + query).flag("readonly") is expected


def test_a_switch_with_another_word_is_refused() -> None:
    with pytest.raises(InvalidUrlError, match="1 or 0"):
        EngineUrl.parse("file:x?readonly=maybe").flag("readonly")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("file:a/b", "a/b"),
        ("file:/a/b", "/a/b"),
        ("file:///a/b", "/a/b"),
        ("file:a%20b%3Fc%23d%25", "a b?c#d%"),
        ("file:a b", "a b"),
        ("sqlite:///var/wa.db", "/var/wa.db"),
    ],
)
def test_a_place_can_be_read_as_a_path(text: str, path: str) -> None:
    assert EngineUrl.parse(text).path == path


def test_a_path_that_is_not_utf8_is_the_bytes_of_the_file_system() -> None:
    assert os.fsencode(EngineUrl.parse("file:a%ff").path) == b"a\xff"


def test_a_path_may_begin_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")

    assert EngineUrl.parse("file:~/wa").path == "/home/somebody/wa"


def test_the_parameters_of_a_parsed_url_cannot_be_changed() -> None:
    params: Any = EngineUrl.parse("file:x?a=1").params

    with pytest.raises(TypeError, match="does not support item assignment"):
        params["a"] = "2"


@pytest.mark.parametrize(
    ("text", "record"),
    [
        ("redis://host/0#549", "redis://host/0#549"),
        ("redis://:hush@host/0", "redis://@host/0"),
        (
            "postgres://me:hu:s@h@host/app?sslmode=require#a",
            "postgres://me@host/app?sslmode=require#a",
        ),
        ("postgres://me:${PGPASS}@host/app", "postgres://me:${PGPASS}@host/app"),
        ("redis:host?prefix=a&password=hush", "redis:host?prefix=a"),
        ("redis:host?password=${PGPASS}", "redis:host?password=${PGPASS}"),
        ("redis:me:hush@host", "redis:me@host"),
        ("baileys-sql:postgres://me:hush@host/app#7", "baileys-sql:postgres://me@host/app#7"),
        ("file:a b/c#x", "file:a b/c#x"),
    ],
)
def test_a_url_for_the_record_holds_no_secret_and_names_its_variables(
    text: str, record: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASS", "hush")

    assert without_secrets(text) == record
    assert "PGPASS" not in without_secrets(text, variables=False)
