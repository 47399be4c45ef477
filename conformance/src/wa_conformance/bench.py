"""What a check is given: a place to open sessions in, numbers, dice, and the hooks.

A bench belongs to one run of one check. It remembers every engine and session that was opened, so
that nothing of a run is left behind, and it keeps the program that the check ran.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Mapping

from wa_core.errors import EngineClosedError
from wa_core.storage import Capabilities, Engine

from wa_conformance.hooks import Hooks
from wa_conformance.probe import Probe
from wa_conformance.profile import QUICK, Profile
from wa_conformance.program import Program
from wa_conformance.target import Target, TargetError, UrlTarget

_AT_ONCE_S = 1.0
_NAMES = ("engine", "other", "third")


class OccupiedError(Exception):
    """A session that the suite did not make holds records already; they were not touched."""

    def __init__(self, session: str) -> None:
        super().__init__(session)
        self.session = session

    def __str__(self) -> str:
        return f"session {self.session!r} holds records: give the suite a place of its own"


class Bench:
    """The surroundings of one check."""

    def __init__(
        self,
        target: Target,
        *,
        capabilities: Capabilities,
        claims: frozenset[str],
        clause: str,
        claim: str | None = None,
        profile: Profile = QUICK,
        seed: int = 0,
        dice: str = "",
    ) -> None:
        self.target = target
        self.capabilities = capabilities
        self.claims = claims
        self.clause = clause
        self.claim = claim
        self.profile = profile
        self.seed = seed
        self.rng = random.Random(f"{seed}:{dice}")
        self.program = Program(f"conf-{secrets.token_hex(4)}")
        self.hooks: Hooks = target.hooks.watched(
            lambda name: self.program.gap(f"the hook {name} was called")
        )
        self.notes: list[str] = []
        """What could not be cleaned up."""
        self._made = 0
        self._opened: dict[str, None] = {}
        self._probes: list[Probe] = []
        self.session = self.new_session()
        """The session of this check, empty."""

    def new_session(self, hint: str = "") -> str:
        """Name another session; `hint` ends the name and may be hostile."""
        self._made += 1
        name = self.program.token if self._made == 1 else f"{self.program.token}-{self._made}"
        return f"{name}-{hint}" if hint else name

    async def open(
        self, session: str | None = None, *, read_only: bool = False, **url_params: str
    ) -> Probe:
        """Open a session, by default the check's own; again is a second object on it."""
        place = len(self._probes)
        name = _NAMES[place] if place < len(_NAMES) else f"engine_{place + 1}"
        return await self._open(name, session or self.session, read_only, url_params)

    async def second(self) -> Probe:
        """Open the check's session again, as the engine allows: to write, or to read."""
        return await self.open(read_only=not self.capabilities.shared)

    async def reopen(self, probe: Probe) -> Probe:
        """Close an engine and open its session again."""
        await probe.close()
        return await self._open(probe.name, probe.session, probe.read_only, probe.params)

    def url(self, session: str | None = None, **params: str) -> str:
        """Write the URL of a session, secrets included, or of the place when given ''."""
        if not isinstance(self.target, UrlTarget):
            raise TargetError(f"{self.target.shown} is no URL")
        name = self.session if session is None else session
        if name:
            self._opened.setdefault(name)
        return self.target.url(name or None, **params)

    def record(self, statement: str) -> None:
        """Add a statement to the program, for what no probe does."""
        self.program.add(statement)

    async def restart(self) -> None:
        """End one example of a property: close, clean up, and begin with an empty session."""
        await self.clean_up()
        self.program.clear()
        self.session = self.new_session()

    async def close(self) -> None:
        """Close every engine that is open."""
        while self._probes:
            probe = self._probes.pop()
            await self._quietly(f"closing {probe.name}", probe)

    async def clean_up(self) -> None:
        """Close everything, and empty every session that was opened."""
        emptied = [name for name in self._opened if await self._empty_at_once(name)]
        await self.close()
        for session in [name for name in self._opened if name not in emptied]:
            if not self._forgettable(session):
                await self._empty(session)
        await self._forget()
        self._opened.clear()
        await self.target.release()

    async def _forget(self) -> None:
        """Let the target's own hook remove what an empty session leaves: folders, say."""
        for session in filter(self._forgettable, self._opened):
            assert isinstance(self.target, UrlTarget)
            await self.hooks.forget(self.target.bare_url(session))

    def _forgettable(self, session: str) -> bool:
        ours = isinstance(self.target, UrlTarget) and session.startswith("conf-")
        return ours and self.hooks.has("forget")

    async def _open(
        self, name: str, session: str, read_only: bool, params: Mapping[str, str]
    ) -> Probe:
        first = session not in self._opened
        text = self.target.source(self.program.session(session), read_only=read_only, params=params)
        self.program.add(f"{name} = {text}")
        engine = await self.target.open(session, read_only=read_only, params=params)
        probe = Probe(engine, name=name, clause=self.clause, program=self.program)
        probe.session, probe.read_only, probe.params = session, read_only, dict(params)
        self._probes.append(probe)
        if first:
            await self._refuse_strangers(session, engine)
            self._opened[session] = None
        return probe

    async def _refuse_strangers(self, session: str, engine: Engine) -> None:
        # A session of the suite's own name is empty; any other may be somebody's.
        if not session.startswith("conf-") and await engine.list("", limit=1):
            raise OccupiedError(session)

    async def _empty_at_once(self, session: str) -> bool:
        # To open anew costs some engines a scan or a process; one that is at hand will often do.
        for probe in self._probes:
            if probe.session == session and not probe.read_only:
                try:
                    async with asyncio.timeout(_AT_ONCE_S):
                        # Behind its wrappers, which may keep a record for themselves.
                        await self.target.behind(probe.engine).clear()
                except Exception:
                    # Closed, fenced or broken: a new engine gets its chance, and its note.
                    continue
                return True
        return False

    async def _empty(self, session: str) -> None:
        if self.capabilities.read_only:
            return
        probe = None
        try:
            engine = await self.target.open(session)
            probe = Probe(engine, name="cleaner", clause=self.clause, program=Program("conf-"))
            await self.target.behind(engine).clear()
        except Exception as exc:
            self.notes.append(f"session {session!r} was not cleaned up: {exc!r}")
        if probe is not None:
            await self._quietly(f"closing {session!r}", probe)

    async def _quietly(self, what: str, probe: Probe) -> None:
        try:
            # Another program: closing up is no part of what the check did.
            await Probe(
                probe.engine, name=probe.name, clause=self.clause, program=Program("conf-")
            ).close()
        except EngineClosedError:
            return
        except Exception as exc:
            self.notes.append(f"{what} failed: {exc!r}")
