"""The names of Baileys' files: each record comes back exactly, or is refused by name."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wa_core.errors import EngineConfigError
from wa_core.storage.layouts import CREDS, KINDS, key_of, record_of
from wa_engine_file.layouts.filenames import FileNames

NAMES = FileNames()
USERS = st.from_regex(r"[1-9][0-9]{3,15}", fullmatch=True)
DEVICES = st.integers(0, 99).map(str)
DOMAINS = st.sampled_from(["", "_1", "_128", "_129"])
SERVERS = st.sampled_from(["lid", "s.whatsapp.net", "hosted", "hosted.lid"])
ADDRESSES = st.builds("{}{}.{}".format, USERS, DOMAINS, DEVICES)
GROUPS = st.one_of(
    st.builds("{}@g.us".format, USERS),
    st.builds("{}-{}@g.us".format, USERS, USERS),
    st.just("status@broadcast"),
    st.builds("{}@newsletter".format, USERS),
)
PEOPLE = st.one_of(
    st.builds("{}@{}".format, USERS, SERVERS),
    st.builds("{}:{}@{}".format, USERS, DEVICES, SERVERS),
)
IDS = {
    "pre-key": st.integers(1, 2**24).map(str),
    "session": ADDRESSES,
    "identity-key": ADDRESSES,
    "sender-key": st.builds("{}::{}{}::{}".format, GROUPS, USERS, DOMAINS, DEVICES),
    "sender-key-memory": GROUPS,
    "app-state-sync-key": st.binary(min_size=1, max_size=12).map(
        lambda data: base64.b64encode(data).decode()
    ),
    "app-state-sync-version": st.sampled_from(
        ["critical_block", "critical_unblock_low", "regular", "regular_high", "regular_low"]
    ),
    "lid-mapping": st.one_of(USERS, st.builds("{}_reverse".format, USERS)),
    "device-list": USERS,
    "tctoken": st.one_of(PEOPLE, GROUPS, st.just("__index")),
}
RECORDS = st.sampled_from(KINDS).flatmap(lambda kind: st.tuples(st.just(kind), IDS[kind]))


def as_baileys_names(kind: str, ident: str) -> str:
    return f"{kind}-{ident}.json".replace("/", "__").replace(":", "-")


def test_all_kinds_of_baileys_are_tried() -> None:
    assert set(IDS) == set(KINDS)


@given(RECORDS)
def test_every_record_that_baileys_can_have_comes_back(record: tuple[str, str]) -> None:
    key = key_of(*record)

    name = NAMES.name(key)

    assert name == as_baileys_names(*record)
    assert NAMES.key(name) == key


@given(st.sampled_from([*KINDS, "a-new-kind", "new", "wa"]), st.text(max_size=30))
def test_a_name_is_given_only_where_it_is_read_back(kind: str, ident: str) -> None:
    key = key_of(kind, ident)

    name = NAMES.name(key)

    assert name is None or NAMES.key(name) == key


@given(st.text(alphabet="-_:/.@=+ab1é", max_size=20), st.sampled_from(KINDS))
def test_no_two_records_share_a_name(ident: str, kind: str) -> None:
    flat = as_baileys_names(kind, ident)
    try:
        meant = NAMES.key(flat)
    except EngineConfigError:
        return

    assert meant is not None
    found = record_of(meant)
    assert found is not None
    assert as_baileys_names(*found) == flat


@pytest.mark.parametrize(
    ("name", "kind", "ident"),
    [
        ("sender-key-memory-123-456@g.us", "sender-key-memory", "123-456@g.us"),
        ("sender-key-123-456@g.us--55_1--0", "sender-key", "123-456@g.us::55_1::0"),
        ("app-state-sync-key-__A____A", "app-state-sync-key", "/A//A"),
        ("app-state-sync-version-regular_low", "app-state-sync-version", "regular_low"),
        ("tctoken-55-12@lid", "tctoken", "55:12@lid"),
        ("tctoken-55-12@g.us", "tctoken", "55-12@g.us"),
        ("new-55", "new", "55"),
    ],
)
def test_a_name_is_read_by_what_its_kind_allows(name: str, kind: str, ident: str) -> None:
    if kind == "app-state-sync-key":
        # Base64 comes in fours.
        name, ident = name + "AAA", ident + "AAA"

    assert NAMES.key(f"{name}.json") == key_of(kind, ident)


@pytest.mark.parametrize(
    "name",
    [
        "session-one-two.json",
        "pre-key-count-1.json",
        "sender-key-memory-1@g.us--5--0.json",
        "sender-key-1@g.us--5.json",
        "lid-cache-12.json",
        "new-a__b.json",
        "-x.json",
    ],
)
def test_a_name_in_doubt_is_refused_and_named(name: str) -> None:
    with pytest.raises(EngineConfigError, match=r"\?kinds=") as refused:
        NAMES.key(name)

    assert name in str(refused.value)


def test_a_kind_that_is_named_is_no_doubt() -> None:
    names = FileNames(["lid-cache"])

    assert names.key("lid-cache-12.json") == key_of("lid-cache", "12")
    assert names.name(key_of("lid-cache", "12")) == "lid-cache-12.json"


def test_what_is_no_record_has_no_key_and_no_file() -> None:
    for name in ("creds.txt", "notes.json", ".DS_Store", "creds.json.bak"):
        assert NAMES.key(name) is None
    for key in ("chat/1/index", "session/pre-key/1/x", "session/pre-key", key_of("wa", "move")):
        assert NAMES.name(key) is None
    assert NAMES.name(CREDS) == "creds.json"
    assert NAMES.name("wa/move") == "wa-move.json"
    assert NAMES.name(key_of("pre-key", "1" * 250)) is None
