"""The position clock and the lease book, each with a clock that a test moves."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wa_core.errors import FencedError, LeaseHeldError, UsageError
from wa_core.storage import Lease, LeaseBook, PositionClock
from wa_core.storage.lease import MAX_TTL_S, check_holder, check_ttl
from wa_core.storage.leasebook import suspend_clock
from wa_core.storage.position import wall_clock_us


class FakeClock:
    """Seconds that pass when a test says so."""

    def __init__(self, seconds: float = 1000.0) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        return self.seconds


def book(epoch: int = 0) -> tuple[LeaseBook, FakeClock]:
    clock = FakeClock()
    return LeaseBook(epoch=epoch, now=clock), clock


def test_positions_follow_the_clock_while_it_runs() -> None:
    moments = iter([10, 20, 30])
    clock = PositionClock(now=lambda: next(moments))

    assert [clock.next(), clock.next(), clock.next()] == [10, 20, 30]


def test_within_one_microsecond_positions_still_grow() -> None:
    clock = PositionClock(now=lambda: 10)

    assert [clock.next() for _ in range(4)] == [10, 11, 12, 13]


def test_a_clock_that_steps_back_takes_no_position_with_it() -> None:
    moments = iter([1000, 5, 6, 2000])
    clock = PositionClock(now=lambda: next(moments))

    assert [clock.next() for _ in range(4)] == [1000, 1001, 1002, 2000]


def test_a_clock_goes_on_where_the_last_one_ended() -> None:
    clock = PositionClock(last=500, now=lambda: 10)

    assert clock.next() == 501
    assert clock.last == 501


@given(st.lists(st.integers(0, 2**50), min_size=1), st.integers(0, 2**50))
def test_every_position_is_new_and_not_before_the_clock(moments: list[int], last: int) -> None:
    steps = iter(moments)
    clock = PositionClock(last=last, now=lambda: next(steps))

    given_out = [clock.next() for _ in moments]

    assert [last, *given_out] == sorted({last, *given_out})
    assert all(at >= moment for at, moment in zip(given_out, moments, strict=True))


def test_the_wall_clock_counts_microseconds_since_1970() -> None:
    assert abs(wall_clock_us() / 1e6 - time.time()) < 5


def test_the_lease_clock_never_goes_backwards() -> None:
    readings = [suspend_clock() for _ in range(100)]

    assert readings == sorted(readings)


def test_a_second_holder_has_to_wait() -> None:
    leases, clock = book()
    leases.grant("one", 10)
    clock.seconds += 4

    with pytest.raises(LeaseHeldError) as caught:
        leases.grant("two", 10)

    assert (caught.value.holder, caught.value.expires_in) == ("one", 6.0)
    assert leases.epoch == 1


def test_the_holder_itself_has_to_wait_too() -> None:
    leases, _ = book()
    leases.grant("one", 10)

    with pytest.raises(LeaseHeldError, match="held by 'one'"):
        leases.grant("one", 10)


@pytest.mark.parametrize("ending", ["release", "expiry"])
def test_a_lease_that_ended_can_be_taken_with_a_greater_epoch(ending: str) -> None:
    leases, clock = book(epoch=41)
    first = leases.grant("one", 10)
    if ending == "release":
        leases.release(first)
    else:
        clock.seconds += 10

    assert leases.grant("two", 10) == first + 1 == 43
    with pytest.raises(FencedError):
        leases.check_current(first)


def test_a_renewed_lease_lasts_from_the_moment_of_renewal() -> None:
    leases, clock = book()
    epoch = leases.grant("one", 10)
    clock.seconds += 9
    leases.renew(epoch, 10)

    clock.seconds += 9.5
    leases.check_current(epoch)
    clock.seconds += 0.5
    with pytest.raises(FencedError):
        leases.check_current(epoch)


def test_an_expired_lease_cannot_be_renewed() -> None:
    leases, clock = book()
    epoch = leases.grant("one", 10)
    clock.seconds += 10

    with pytest.raises(FencedError):
        leases.renew(epoch, 10)
    assert leases.grant("two", 1) == 2


def test_releasing_an_old_lease_leaves_the_new_one_alone() -> None:
    leases, _ = book()
    old = leases.grant("one", 10)
    leases.release(old)
    new = leases.grant("two", 10)

    leases.release(old)

    leases.check_current(new)
    with pytest.raises(LeaseHeldError):
        leases.check_free()


def test_an_epoch_never_given_is_not_current() -> None:
    leases, _ = book()

    for epoch in (0, 1, -1):
        with pytest.raises(FencedError):
            leases.check_current(epoch)


@given(
    st.lists(st.tuples(st.sampled_from(["grant", "renew", "release", "wait"]), st.integers(0, 9)))
)
def test_at_most_one_lease_is_current_and_epochs_only_grow(steps: list[tuple[str, int]]) -> None:
    leases, clock = book()
    epochs: list[int] = []
    for what, number in steps:
        known = epochs[-1 - number] if number < len(epochs) else 99
        try:
            if what == "grant":
                epochs.append(leases.grant(f"holder {number}", number + 1))
            elif what == "renew":
                leases.renew(known, number + 1)
            elif what == "release":
                leases.release(known)
            else:
                clock.seconds += number
        except (FencedError, LeaseHeldError):
            pass
        current = [epoch for epoch in epochs if is_current(leases, epoch)]

        assert current in ([], epochs[-1:])
        assert epochs == sorted(set(epochs))


def is_current(leases: LeaseBook, epoch: int) -> bool:
    try:
        leases.check_current(epoch)
    except FencedError:
        return False
    return True


class Keeper:
    """Writes down what a lease asks of its engine."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, float]] = []
        self.refuses = False

    async def renew_lease(self, lease: Lease, ttl: float) -> None:
        self.asked.append(("renew", lease.epoch, ttl))
        if self.refuses:
            raise FencedError(lease.epoch)

    async def release_lease(self, lease: Lease) -> None:
        self.asked.append(("release", lease.epoch, 0.0))


async def test_a_lease_renews_for_its_own_time_unless_told_otherwise() -> None:
    keeper = Keeper()
    lease = Lease(keeper, holder="one", epoch=3, ttl=10.0)

    await lease.renew()
    await lease.renew(4)
    await lease.renew()

    assert keeper.asked == [("renew", 3, 10.0), ("renew", 3, 4.0), ("renew", 3, 4.0)]
    assert lease.ttl == 4.0


async def test_a_renewal_that_failed_changes_nothing_about_the_lease() -> None:
    keeper = Keeper()
    lease = Lease(keeper, holder="one", epoch=3, ttl=10.0)
    keeper.refuses = True

    with pytest.raises(FencedError):
        await lease.renew(4)

    assert lease.ttl == 10.0


async def test_a_lease_is_released_at_the_end_of_its_block_also_by_an_error() -> None:
    keeper = Keeper()
    with pytest.raises(KeyError):
        async with Lease(keeper, holder="one", epoch=3, ttl=10.0) as lease:
            raise KeyError(lease.epoch)

    assert keeper.asked == [("release", 3, 0.0)]


def test_a_lease_shows_its_epoch_and_not_its_holder() -> None:
    assert repr(Lease(Keeper(), holder="5491112345678", epoch=3, ttl=1.0)) == "<Lease epoch 3>"


@pytest.mark.parametrize("ttl", [0, -1, float("nan"), float("inf"), 10**400, "1", None, b"secret"])
def test_a_time_to_live_is_a_positive_number_of_seconds(ttl: float) -> None:
    with pytest.raises(UsageError, match="positive number of seconds") as caught:
        check_ttl(ttl)

    assert "secret" not in str(caught.value)


def test_a_time_to_live_within_reason_becomes_a_float() -> None:
    assert check_ttl(1) == 1.0
    assert check_ttl(0.001) == 0.001
    assert check_ttl(MAX_TTL_S) == MAX_TTL_S


@pytest.mark.parametrize("holder", ["", "x" * 257, "a\nb", "a\x00", 1, None])
def test_a_holder_is_a_printable_name(holder: str) -> None:
    with pytest.raises(UsageError, match="printable name"):
        check_holder(holder)


def test_a_holder_may_be_any_printable_name() -> None:
    assert check_holder("worker-1 on höst 😀") == "worker-1 on höst 😀"
    assert check_holder("x" * 256)
