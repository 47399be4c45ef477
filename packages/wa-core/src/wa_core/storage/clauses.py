"""The contract as a table: clause by clause, what an engine promises.

`docs/contract.md` is generated from here, and every check of the conformance suite names the
clause it judges. A number is for ever: clauses are added, never renumbered.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

CONTRACT_VERSION = 1


class Level(StrEnum):
    """Who is expected to claim a clause."""

    CORE = "core"
    """Every engine, also one that only gets, sets and lists."""
    FULL = "full"
    """Every engine that a session may rely on."""
    LAYOUT = "layout"
    """The one engine that keeps a layout people already have."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One promise: its number, who claims it, and the sentence."""

    id: str
    level: Level
    sentence: str


def _clauses(level: Level, **sentences: str) -> tuple[Clause, ...]:
    return tuple(Clause(number, level, sentence) for number, sentence in sentences.items())


CHAPTERS = {
    "K": "keys",
    "V": "values",
    "G": "reads",
    "W": "writes",
    "C": "cascade",
    "O": "order",
    "S": "scan",
    "L": "leases",
    "D": "durability",
    "F": "failure",
    "X": "cancellation and concurrency",
    "N": "sessions and versions",
    "U": "URLs",
    "Y": "the layouts people already have",
}

CLAUSES: tuple[Clause, ...] = (
    *_clauses(
        Level.CORE,
        K1="A key is a str of 1 to 512 UTF-8 bytes: segments joined by '/', none empty, '.' or "
        "'..', no control character, no lone surrogate. Everything else is allowed and means "
        "itself.",
        K2="Keys are equal when their UTF-8 bytes are equal: no case folding, no Unicode "
        "normalisation, no trimming.",
        K3="A key may hold a value and have keys below it at the same time.",
        K4="An invalid key raises InvalidKeyError before anything is read or written. A prefix is "
        "the empty string or anything that a valid key can begin with.",
        V1="Any bytes from 0 to 8 MiB at least, returned exactly. Empty is a value, not a "
        "deletion.",
        V2="A str given to a write is stored as UTF-8.",
        V3="Over the engine's own limit: ValueTooLargeError with that limit, nothing changed.",
        G1="None means: the engine has proof that the key is absent.",
        G2="A record that cannot be read back as written raises CorruptRecordError: never None, "
        "never an older value.",
        G3="A backend that does not answer in time raises EngineUnavailableError: never None.",
        G4="get_many is one round trip, whatever the number of keys; absent keys are left out.",
    ),
    *_clauses(
        Level.FULL,
        W1="apply is all or nothing over any keys of the session, its operations in the given "
        "order, visible at one moment, also after kill -9 at any point.",
        W2="When apply returns, the batch has the durability that capabilities states.",
        W3="Applying the same batch again leaves the same state, positions aside.",
    ),
    *_clauses(
        Level.CORE,
        W4="set(key, value) is a batch of one put; set(key, None) a batch of one delete.",
        W5="After apply returned, every engine object on that session reads the new state.",
    ),
    *_clauses(
        Level.FULL,
        W6="Batches given to one engine object take effect in the order in which the calls were "
        "made.",
    ),
    *_clauses(
        Level.CORE,
        C1="Deleting k removes k and every key that begins with k/. Nothing else, whatever "
        "characters k holds.",
        C2="Deleting what is not there is no error.",
        C3="What was deleted is gone from get, get_many, list, count and scan, and no index row, "
        "empty folder or temporary file of it stays behind.",
        C4="The cost of a delete grows with the number of keys removed, not of keys stored.",
        O1="Every key has a position in microseconds since 1970. at= sets it. Without at the "
        "engine gives one that is at least its clock and greater than every position it gave "
        "before in this session.",
        O2="list returns the keys that begin with prefix, highest position first; equal positions "
        "by key, ascending in UTF-8 byte order.",
        O3="A rewrite moves the key to its new position.",
        O4="limit=None is all, 0 is nothing, an offset past the end is nothing, a negative number "
        "is ValueError.",
        O5="While nobody writes, the pages laid end to end are the whole list: no key twice, none "
        "missed.",
    ),
    *_clauses(
        Level.FULL,
        O6="For a prefix that is empty or ends in '/', a page costs O(log n + offset + limit). "
        "count reads no values, and no more of the index than the prefix spans.",
        S1="scan yields every key that existed from its start to its end exactly once, with value "
        "and position, in any order, in constant memory, while others write.",
        L1="acquire gives a Lease with an epoch greater than every epoch before it, or raises "
        "LeaseHeldError. At most one lease is current.",
        L2="renew prolongs it, release ends it, an expired one can be taken over. Time is the "
        "backend's.",
        L3="apply(batch, fence=lease) checks in the same atomic step that the lease is current; "
        "if not: FencedError, nothing written.",
        D1="Three levels: power, process, volatile. A persistent engine opens at the strongest "
        "level its backend is set up for; a weaker one is asked for by name in the URL.",
        D2="open looks at the backend's settings and never promises more than they give.",
        F1="Every call ends within the engine's timeout: a result or an error.",
        F2="Driver exceptions do not leave the package; every error is one of wa_core.errors, "
        "with code and retryable.",
        X1="Cancelling a call leaves no open transaction, lock or connection behind; its batch is "
        "wholly applied or not at all; the engine stays usable.",
        X2="Any number of tasks may share one engine object; any number of processes a shared "
        "engine. A second writer on an engine that is not shared gets EngineBusyError naming the "
        "holder.",
    ),
    *_clauses(
        Level.CORE,
        N1="Two sessions in one backend never see each other, whatever their names hold.",
    ),
    *_clauses(
        Level.FULL,
        N2="list_sessions(url) names the sessions of a backend; clear empties one, and only that "
        "one.",
        N3="A store written by a newer contract is refused (StoreVersionError), never misread.",
        U1="open_engine(url) finds the engine by the URL's scheme among the entry points of the "
        "group wa.engines. A scheme nobody offers raises UnknownEngineError.",
        U2="One URL, one session. #name picks a session within a shared place.",
        U3="Short forms people type work.",
        U4="Credentials may come from the environment, and appear in no log, repr or error.",
    ),
    *_clauses(
        Level.LAYOUT,
        Y1="For ordinary keys the file engine's folder is the one that Node users know; whatever "
        "that spelling cannot hold is escaped, reversibly and without collision.",
        Y2="The Redis engine keeps {prefix}:{key} as plain strings, its index beside them, and "
        "adopts a keyspace that was written without an index.",
        Y3="State keys follow one table: session/creds, session/{type}/{id}, contact/{jid}/index, "
        "lid/{lid}, chat/{cid}/index, chat/{cid}/messages, "
        "chat/{cid}/message/{mid}/index|raw|content.",
    ),
)

BY_ID = {clause.id: clause for clause in CLAUSES}
CORE = frozenset(clause.id for clause in CLAUSES if clause.level is Level.CORE)
FULL = frozenset(clause.id for clause in CLAUSES if clause.level is not Level.LAYOUT)
