"""Reading the journal of a writer that is at work: what has it committed since we last looked?

The idea: sequence numbers leave no doubt. The next frame is where the last one ended, or at the
beginning of the other segment; if neither is so and something newer is there, we were overtaken.
"""

from __future__ import annotations

import os
from dataclasses import replace

from wa_core.errors import StorageError

from wa_engine_file.change import Change
from wa_engine_file.journal import HEADER_BYTES, SEGMENTS, Frame, FrameCodec


class OvertakenError(StorageError):
    """The writer went through both segments since we last looked; look at the folder again."""

    code = "overtaken"
    retryable = True


class Follower:
    """A place in the journal, behind the last frame that was taken."""

    def __init__(self, control: str, codec: FrameCodec, newest: Frame | None, seq: int) -> None:
        self._paths = [f"{control}/{name}" for name in SEGMENTS]
        self._codec = codec
        self._seq = seq if newest is None else newest.seq
        self._active = 0 if newest is None else newest.generation % 2
        self._offset = None if newest is None else newest.end

    def changes(self) -> list[Change]:
        """Take all frames that follow, in order."""
        found = []
        while (frame := self._next()) is not None:
            found.append(frame.change)
            self._seq, self._offset = frame.seq, frame.end
        return found

    def _next(self) -> Frame | None:
        if self._offset is not None:
            seq, frame = self._look(self._active, self._offset)
            if frame is not None:
                return frame
        for which in (0, 1):
            seq, frame = self._look(which, 0)
            if frame is not None:
                self._active = which
                return frame
            if seq > self._seq + 1:
                raise OvertakenError
        return None

    def _look(self, which: int, offset: int) -> tuple[int, Frame | None]:
        """Return the sequence number found there, and the frame if it is the next one."""
        try:
            handle = os.open(self._paths[which], os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return 0, None
        try:
            seq, length = self._codec.header(os.pread(handle, HEADER_BYTES, offset))
            if seq != self._seq + 1:
                return seq, None
            frame = self._codec.frame_at(os.pread(handle, length, offset), 0)
            return seq, None if frame is None else replace(frame, end=offset + length)
        finally:
            os.close(handle)
