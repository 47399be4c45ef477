"""Checks of chapter V: bytes go in, the same bytes come out."""

from __future__ import annotations

from wa_core.errors import ValueTooLargeError
from wa_core.storage import MIN_MAX_VALUE, Batch

from wa_conformance.bench import Bench
from wa_conformance.check import check
from wa_conformance.filling import demand, expect_everything, fill, over

_TREACHEROUS = (
    b"\x00", b"a\x00b", b"\x00\x00\x00", b"ends in nul\x00", b"\r\n", b"a\nb\rc\r\nd", b"\n",
    b" a ", b"\t", b"null", b"None", b"undefined", b'{"b": 1,  "a": 1.0}', b"[1,2 ]", b"1e3",
    b"007", b"-0", b"\xff", b"\xff\xfe", b"\xef\xbb\xbfbom", b"\xc3\x28", b"\xed\xa0\x80",
    b"e\xcc\x81", b"'\"\\%_", b"$1", b"\\x41", b"\\000", b"\x1a", b"\x1f\x8b\x08", b"x\x9c",
    b"\x80\x04\x95.", b"QUJD", b"%41", b"\x7fELF", b"SQLite format 3\x00",
    b"*1\r\n$4\r\nPING\r\n", b"\x16\x00\x00\x00\x02a\x00",
)  # fmt: skip


@check("V1")
async def every_byte_comes_back(bench: Bench) -> None:
    """Each of the 256 bytes, alone, at the ends and all together, is returned as it was."""
    engine = await bench.open()
    whole = bytes(range(256))
    values = {f"byte/{code}": bytes([code]) for code in range(256)}
    values |= {"all": whole, "all/twice": whole * 2, "backwards": whole[::-1]}
    written = await fill(bench, engine, values)
    await expect_everything(engine, written)
    await engine.expect_get("all", whole)


@check("V1")
async def treacherous_values_come_back(bench: Bench) -> None:
    """Values that look like text, JSON, numbers, escapes or file headers are left alone."""
    engine = await bench.open()
    values = {f"v/{number}": value for number, value in enumerate(_TREACHEROUS)}
    written = await fill(bench, engine, values)
    await expect_everything(engine, written)


@check("V1")
async def empty_is_a_value(bench: Bench) -> None:
    """An empty value is kept, read as b'', listed and counted."""
    engine = await bench.open()
    await engine.set("creds", b"")
    await engine.set("chat/1", b"full")
    await engine.set("chat/1", b"")
    await engine.set("chat/1/below", "")
    await engine.expect_get("creds", b"")
    await engine.expect_get("chat/1", b"")
    keys = ["chat/1/below", "chat/1", "creds"]
    await engine.expect_many([*keys, "absent"], dict.fromkeys(keys, b""))
    await engine.expect_list(keys)
    await engine.expect_count(3)


@check("V1")
async def eight_mebibytes_come_back(bench: Bench) -> None:
    """Values of 64 KiB, 1 MiB, and of exactly 8 MiB are returned whole."""
    engine = await bench.open()
    pattern = bytes(range(256))
    for size in (65_535, 65_536, 1_048_576, 1_048_577, MIN_MAX_VALUE - 1, MIN_MAX_VALUE):
        value = (pattern * (size // 256 + 1))[:size] if size % 256 else pattern * (size // 256)
        await engine.set("media", value)
        await engine.expect_get("media", value)


@check("V1")
async def the_caller_keeps_its_buffer(bench: Bench) -> None:
    """What a caller does to its buffer after the call does not reach the record."""
    engine = await bench.open()
    buffer = bytearray(b"as it was written")
    await engine.set("alone", buffer)  # type: ignore[arg-type]  # as untyped callers do
    batch = Batch().put("in/a/batch", buffer)  # type: ignore[arg-type]
    engine.program.gap("the check changes a buffer between calls")
    buffer[:] = b"changed before use"
    await engine.apply(batch)
    buffer[:] = b"changed once again"
    await engine.expect_get("alone", b"as it was written")
    await engine.expect_get("in/a/batch", b"as it was written")


@check("V1")
async def an_overwrite_leaves_nothing_of_the_old_value(bench: Bench) -> None:
    """A shorter value, a longer one and a shorter one again replace each other whole."""
    engine = await bench.open()
    for value in (b"a" * 100, b"b", b"c" * 5_000, b"d" * 10, b"", b"e" * 3):
        await engine.set("creds", value)
        await engine.expect_get("creds", value)


@check("V2")
async def text_is_stored_as_utf8(bench: Bench) -> None:
    """A str is stored as its UTF-8 bytes, in set and in a batch, untouched otherwise."""
    engine = await bench.open()
    texts = (
        "plain",
        "",
        "\u00e9",
        "e\u0301",
        "\U0001f600",
        "\u2028",
        '{"a": "\u4e2d"}',
        "a\r\nb\x00",
    )
    for number, text in enumerate(texts):
        await engine.set(f"set/{number}", text)
        await engine.apply(Batch().put(f"batch/{number}", text))
        await engine.expect_get(f"set/{number}", text.encode())
        await engine.expect_get(f"batch/{number}", text.encode())


@check("V3")
async def the_limit_is_at_least_eight_mebibytes(bench: Bench) -> None:
    """The limit that capabilities state is 8 MiB or more."""
    engine = await bench.open()
    limit = engine.engine.capabilities.max_value
    engine.expect(limit >= MIN_MAX_VALUE, f"engine.capabilities.max_value >= {MIN_MAX_VALUE}")


@check("V3")
async def a_value_over_the_limit_changes_nothing(bench: Bench) -> None:
    """One byte over the limit raises ValueTooLargeError with that limit; the old value stays."""
    engine = await bench.open()
    limit = engine.engine.capabilities.max_value
    await engine.set("media", b"before", at=7)
    await engine.set("creds", b"newer")
    large = over(limit)
    for key in ("media", "fresh"):
        error = await engine.expect_raises(ValueTooLargeError, "set", key, large)
        named = (error.size, error.limit)
        demand(engine, named == (limit + 1, limit), f"the error says size and limit {named}")
    await engine.expect_list(["creds", "media"])
    await engine.expect_get("media", b"before")


@check("V3", also=("W1",))
async def one_value_over_the_limit_stops_its_batch(bench: Bench) -> None:
    """A batch that holds a value over the limit is refused whole."""
    engine = await bench.open()
    await fill(bench, engine, {"keep": b"1", "doomed/x": b"2"})
    large = over(engine.engine.capabilities.max_value)
    batch = Batch().put("before", b"1").delete("doomed").put("media", large).put("after", b"1")
    await engine.expect_raises(ValueTooLargeError, "apply", batch)
    await expect_everything(engine, {"keep": b"1", "doomed/x": b"2"})
