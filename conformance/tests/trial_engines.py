"""Engines on disk for the trials: healthy ones, and ones with one fault each; found by name."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from wa_conformance.zoo.persistent import SHARED, LogSpecimen
from wa_core.errors import EngineUnavailableError
from wa_core.storage import Durability, Lease, Operation

MOMENT_S = 0.003


class Unfenced(LogSpecimen):
    """A lease is given, and nobody asks for it again."""

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await super()._apply(operations, None)


class FencedBefore(LogSpecimen):
    """The fence is checked in one step, and the batch written in the next."""

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        if fence is not None:
            await super()._apply((), fence)
            await asyncio.sleep(MOMENT_S)
        await super()._apply(operations, None)


class GivenTwice(LogSpecimen):
    """The lease is looked at in one step, and taken in the next."""

    async def _acquire(self, holder: str, ttl: float) -> int:
        async with self._writing():
            self.log.lease.check_free()
            epoch = self.log.lease.epoch + 1
        await asyncio.sleep(MOMENT_S)
        async with self._writing():
            self._lease(epoch, holder, ttl)
        return epoch


class Machine:
    """What a server is to its clients: there or not; its memory ends with it."""

    alive: ClassVar[bool] = True
    memory: ClassVar[dict[Path, Sequence[Operation]]] = {}

    def kill(self) -> None:
        type(self).alive = False
        self.memory.clear()

    def restart(self) -> None:
        type(self).alive = True


class Served(LogSpecimen):
    """The healthy one: a batch is on disk when it is acknowledged."""

    async def _answering(self) -> None:
        if not Machine.alive:
            raise EngineUnavailableError("the machine is off")


class AcknowledgesBefore(Served):
    """A batch is on disk when the next one comes."""

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await asyncio.sleep(MOMENT_S)
        async with self._writing():
            self._write(Machine.memory.pop(self.log.folder, ()))
            Machine.memory[self.log.folder] = operations


class SaysSo(AcknowledgesBefore):
    """The same, and no more is promised."""

    promises = replace(SHARED, durability=Durability.VOLATILE, claims=SHARED.claims - {"D1"})


class InTwoSteps(Served):
    """Half of a batch is on disk before the other."""

    promises = SaysSo.promises

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        half = len(operations) // 2
        async with self._writing():
            self._write(operations[:half])
            await asyncio.sleep(MOMENT_S)
            await self._answering()
            self._write(operations[half:])


class LeavesItsDriverOut(Served):
    """The error of a dead server is the driver's own."""

    async def _answering(self) -> None:
        if not Machine.alive:
            raise ConnectionResetError
