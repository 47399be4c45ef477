"""The tree of errors: stable codes, sentences that help, and nothing in them that is secret."""

from __future__ import annotations

import inspect
import re
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wa_core import errors
from wa_core.errors import (
    CorruptRecordError,
    DamagedSessionError,
    EngineBusyError,
    EngineClosedError,
    EngineConfigError,
    EngineUnavailableError,
    FencedError,
    InvalidKeyError,
    InvalidPageError,
    InvalidPositionError,
    InvalidUrlError,
    KeyUnavailableError,
    LeaseHeldError,
    MissingExtraError,
    MoveStandsError,
    NoSessionError,
    ReadOnlyError,
    SealedStoreError,
    SessionArrivingError,
    SessionLeavingError,
    SessionMovedError,
    StorageError,
    StoreVersionError,
    TransactionError,
    UnknownEngineError,
    UnsealedStoreError,
    UnsupportedError,
    UsageError,
    ValueTooLargeError,
    WaError,
    WrongKeyError,
    masked,
)

PHONE = "5491112345678"
ALL = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, WaError)]
EXAMPLES: list[WaError] = [
    CorruptRecordError(f"contact/{PHONE}/index", f"the file of {PHONE}"),
    DamagedSessionError(int(PHONE)),
    EngineClosedError(),
    EngineConfigError(f"/data/{PHONE}", f"move {PHONE}"),
    EngineUnavailableError(f"{PHONE} does not answer"),
    FencedError(7),
    InvalidKeyError(f"{PHONE}/", "a segment is empty"),
    InvalidKeyError(int(PHONE), "a key is a str"),
    InvalidPageError("offset", int(PHONE)),
    InvalidPageError("limit", PHONE),
    InvalidPositionError(-int(PHONE)),
    InvalidPositionError(float(PHONE)),
    InvalidPositionError(PHONE),
    InvalidUrlError(f"timeout of {PHONE}", f"not {PHONE!r}"),
    KeyUnavailableError(f"file:/keys/{PHONE}", "others may read it: chmod 600"),
    LeaseHeldError(f"worker of {PHONE}", 3.0),
    MissingExtraError("signal"),
    MoveStandsError(f"{PHONE} has it", f"look at {PHONE}"),
    NoSessionError(),
    ReadOnlyError(),
    SealedStoreError(),
    SessionArrivingError(f"file:/data/{PHONE}", f"{PHONE} does not answer"),
    SessionLeavingError(f"redis://host#{PHONE}"),
    SessionMovedError(f"redis://host#{PHONE}"),
    StorageError(f"the entry of {PHONE}"),
    StoreVersionError(9, 1),
    TransactionError(f"the one of {PHONE}"),
    UnknownEngineError(f"x{PHONE}", f"wa-engine-x{PHONE}", ("memory",)),
    UnsealedStoreError(),
    UnsupportedError("leases"),
    UsageError(f"no {PHONE}"),
    WrongKeyError(),
]


def rendered(error: BaseException) -> str:
    """Everything that a log could show of an error."""
    return "\n".join([str(error), repr(error), *traceback.format_exception(error)])


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in ALL]

    assert len(set(codes)) == len(ALL) > 15
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in codes)


def test_the_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    drawn = set(re.findall(r"(\w+Error)\b", errors.__doc__ or ""))

    assert drawn - {"ValueError", "LookupError", "ImportError"} == {kind.__name__ for kind in ALL}


def test_only_what_may_heal_by_itself_is_retryable() -> None:
    retryable = {kind.code for kind in ALL if kind.retryable}

    assert retryable == {"transport", "engine-unavailable", "lease-held", "unsettled-backup"}


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (InvalidKeyError, ValueError),
        (InvalidPageError, ValueError),
        (InvalidPositionError, ValueError),
        (InvalidUrlError, ValueError),
        (UnknownEngineError, LookupError),
    ],
)
def test_an_error_with_a_builtin_twin_can_be_caught_as_that(
    kind: type[WaError], builtin: type[Exception]
) -> None:
    assert issubclass(kind, builtin)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_no_sentence_shows_a_whole_phone_number(error: WaError) -> None:
    assert PHONE not in rendered(error)
    assert f"{float(PHONE)}" not in rendered(error)


def test_the_facts_stay_whole_as_attributes() -> None:
    assert CorruptRecordError(f"lid/{PHONE}").key == f"lid/{PHONE}"
    assert LeaseHeldError(PHONE, 2.5).expires_in == 2.5
    assert InvalidPageError("limit", -1).value == -1


def test_a_busy_engine_names_the_whole_pid() -> None:
    assert "pid 4194303" in str(EngineBusyError("pid 4194303 on host"))


def test_an_unknown_engine_names_the_package_and_what_is_installed() -> None:
    sentence = str(UnknownEngineError("redis", "wa-engine-redis", ("file", "memory")))

    assert "pip install wa-engine-redis" in sentence
    assert "file, memory" in sentence
    assert "none" in str(UnknownEngineError("redis", "wa-engine-redis", ()))


def test_a_value_that_is_too_large_names_the_limit() -> None:
    error = ValueTooLargeError(9, 8)

    assert (error.size, error.limit) == (9, 8)
    assert "9 bytes" in str(error)
    assert "limit of 8" in str(error)


@pytest.mark.parametrize("swapped", [b"private key material", "private key material", object])
def test_a_value_in_the_place_of_a_number_is_not_shown(swapped: object) -> None:
    for error in (InvalidPositionError(swapped), InvalidPageError("limit", swapped)):
        assert "private" not in rendered(error)


def test_a_value_in_the_place_of_a_key_is_not_shown() -> None:
    assert "private" not in rendered(InvalidKeyError(b"private key", "a key is a str, not bytes"))


def test_a_long_key_is_cut_in_the_sentence() -> None:
    assert len(str(InvalidKeyError("k" * 5000, "too long"))) < 120


def test_a_key_with_a_lone_surrogate_can_be_printed() -> None:
    assert str(InvalidKeyError("a\ud800", "no UTF-8")).encode()


@given(st.text(), st.integers(10**5, 10**15), st.text())
def test_no_run_of_six_digits_survives_masking(before: str, number: int, after: str) -> None:
    text = masked(f"{before}{number}{after}")

    assert not re.search(r"\d{6}", text)


@given(st.text(st.characters(exclude_categories=["Nd"])))
def test_what_holds_no_number_is_shown_as_it_is(text: str) -> None:
    assert masked(text) == text


def test_digits_of_another_script_are_masked_too() -> None:
    arabic = "".join(chr(0x660 + int(digit)) for digit in PHONE)

    sentence = str(InvalidKeyError(arabic + "/", "a segment is empty"))

    assert ascii(arabic)[1:-1] not in sentence
    assert ascii(arabic[-2:])[1:-1] in sentence
