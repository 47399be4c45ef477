"""What can be checked, measured and built; `./dev help` names the commands that lead here.

One environment per Python version, under .nox/envs/, holds every locked dependency and the members
in editable form, and serves all sessions: a warm run installs nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import nox

sys.path.insert(0, str(Path(__file__).parent))

from tools.memory import place_in_memory
from tools.pythons import REQUIRED, SUPPORTED, default_version, find_python
from tools.targets import Target
from tools.workspace import LOCK, ROOT, Member, members

nox.options.sessions = ["lint", "types", "layers", "tests"]
nox.options.default_venv_backend = "none"

IN_CI = os.environ.get("CI") == "true"
ENVIRONMENTS = ROOT / ".nox" / "envs"
REPORT = ROOT / ".nox" / "report"
MEMBERS = members()
TARGETS = [target for member in MEMBERS for target in member.conformance_targets]
DISTRIBUTED = [target for member in MEMBERS for target in member.distributed_targets]
# The wheels with servers in them are for one version of Python; every version's tests use them.
SERVERS = {
    "WA_SERVER_WHEELS": os.environ.get("WA_SERVER_WHEELS", str(ENVIRONMENTS / REQUIRED)),
    "WA_SERVER_DIR": os.environ.get("WA_SERVER_DIR", place_in_memory(gibibytes=10)),
}
PYTHON_FILES = ("noxfile.py", "tools", "benchmarks")
ON_DISK = {"WA_SERVER_DIR": ""}


@nox.session
def lint(session: nox.Session) -> None:
    """Style, formatting, the rules of the house, shell scripts."""
    run(session, "ruff", "check", ".")
    run(session, "ruff", "format", "--check", ".")
    run(session, "python", "-m", "tools.house")
    run(session, "shellcheck", "dev", ".ci/run")


@nox.session
def format(session: nox.Session) -> None:
    """Let ruff rewrite what it can."""
    run(session, "ruff", "check", "--fix-only", ".")
    run(session, "ruff", "format", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check all code and all tests with mypy --strict, member by member."""
    run(session, "mypy", *PYTHON_FILES)
    for member in MEMBERS:
        # One run each: test modules of two members may have one name.
        paths = [str(p) for p in member.typed_folders]
        run(session, "mypy", *paths, env={"MYPYPATH": os.pathsep.join(paths)})


@nox.session
def layers(session: nox.Session) -> None:
    """Hold the arrows between modules and between packages."""
    run(session, "python", "-m", "tools.layers")


@nox.session
def docs(session: nox.Session) -> None:
    """Follow every relative link of the documentation."""
    run(session, "python", "-m", "tools.links")


@nox.session
def matrix(session: nox.Session) -> None:
    """Compare the kill matrix in the documentation with what the zoo does today."""
    run(session, "python", "-m", "wa_conformance.zoo.matrix", "--check", "docs/conformance.md")


@nox.session
@nox.parametrize("version", SUPPORTED, ids=SUPPORTED)
def tests(session: nox.Session, version: str) -> None:
    """Run the tests on each Python version of this machine."""
    if find_python(version) is None:
        if version == REQUIRED and IN_CI:
            session.error(f"Python {version} must be present")
        not_run(f"the tests on Python {version}", f"install Python {version}")
        session.skip(f"no Python {version} on this machine")
    junit = f"--junitxml={REPORT / f'tests-{version}.xml'}"
    # What takes long and says nothing about a Python version runs on the required one.
    rare = "not soak and not distributed"
    marks = rare if version == REQUIRED else f"{rare} and not once"
    run(session, "pytest", "-n", "2", "-m", marks, junit, *session.posargs, version=version)


@nox.session
@nox.parametrize("target", [target.text for target in TARGETS], ids=[t.label for t in TARGETS])
def conformance(session: nox.Session, target: str) -> None:
    """Judge each engine by every clause of the contract."""
    judge(session, Target(target), "conformance")


@nox.session
@nox.parametrize(
    "part", ["", *(t.text for t in DISTRIBUTED)], ids=["tests", *(t.label for t in DISTRIBUTED)]
)
def distributed(session: nox.Session, part: str) -> None:
    """Judge the engines on servers of several processes, and run the tests that need such."""
    if part:
        judge(session, Target(part), "distributed")
    else:
        junit = f"--junitxml={REPORT / 'distributed-tests.xml'}"
        run(session, "pytest", "-n", "2", "-m", "distributed", junit, *session.posargs)


@nox.session
@nox.parametrize("target", [target.text for target in TARGETS], ids=[t.label for t in TARGETS])
def sealed(session: nox.Session, target: str) -> None:
    """Judge each engine by every clause with a seal in front of it."""
    key = {"WA_KEY": f"wa-key:{secrets.token_hex(32)}"}
    judge(session, Target(target), "sealed", query="?seal=env:WA_KEY", env=key)


@nox.session
def trials(session: nox.Session) -> None:
    """Hold the trials as often as the house demands; `tests` holds a tenth of them."""
    junit = f"--junitxml={REPORT / 'trials.xml'}"
    marks = ("-m", "trials and not distributed")
    run(session, "pytest", *marks, junit, *session.posargs, env={"WA_TRIALS": "full"})


def judge(
    session: nox.Session,
    target: Target,
    stage: str,
    query: str = "",
    env: dict[str, str] | None = None,
) -> None:
    """Run the full profile on a target, on servers of its own."""
    junit = REPORT / f"{stage}-{target.label}.xml"
    if not servers_present(session, target):
        session.skip("a server is not installed")
    REPORT.mkdir(parents=True, exist_ok=True)
    with temporary_folder() as folder:
        words = (target.url(folder) + query, "--profile", "full", "--junit", str(junit))
        run(session, *target.command("wa-conformance", *words), env=env)


def servers_present(session: nox.Session, target: Target) -> bool:
    """Tell whether the servers of a target are installed; in CI one that is not is an error."""
    if not target.kinds:
        return True
    python = str(environment(session, default_version()) / "python")
    asked = subprocess.run(
        (python, "-m", "wa_conformance.servers", "--list", *target.kinds),
        env={**os.environ, **SERVERS},
        capture_output=True,
        text=True,
        check=False,
    )
    print(asked.stdout, end="")
    if asked.returncode and IN_CI:
        session.error(f"CI must have every server\n{asked.stdout}{asked.stderr}")
    if asked.returncode:
        said = (asked.stdout or asked.stderr).strip().splitlines()
        not_run(f"conformance of {target.label}", said[-1])
    return not asked.returncode


@nox.session
def wheels(session: nox.Session) -> None:
    """Build every dist, install the wheels into an empty environment, and use them from there."""
    with temporary_folder() as folder:
        dist = folder / "dist"
        for member in MEMBERS:
            options = ("-q", "--build-constraints", str(LOCK), "-o", str(dist))
            uv(session, "build", *options, str(member.folder))
        wheel_files = {path.name.split("-")[0]: path for path in dist.glob("*.whl")}
        if len(wheel_files) != len(MEMBERS):
            session.error(f"{len(MEMBERS)} members, but built {sorted(wheel_files)}")
        session.chdir(folder)
        call_every_script(session, new_environment(session, folder / "all", *wheel_files.values()))
        for member in MEMBERS:
            if member.conformance_targets:
                use_alone(session, member, wheel_files, folder)


def call_every_script(session: nox.Session, bin_folder: Path) -> None:
    """Ask each command that the wheels install for its help."""
    listing = session.run(
        str(bin_folder / "python"),
        "-c",
        "from importlib.metadata import entry_points as e; "
        "print(*(s.name for s in e(group='console_scripts') if s.dist.name.startswith('wa-')))",
        external=True,
        silent=True,
    )
    for script in str(listing).split():
        session.run(str(bin_folder / script), "--help", external=True, silent=True)


def use_alone(
    session: nox.Session, member: Member, wheel_files: Mapping[str, Path], folder: Path
) -> None:
    """Install one engine with nothing but what it asks for, open it by URL, and judge it.

    Then its extras bring the drivers of its other targets, and those are opened as well.
    """
    wheel, home = wheel_files[member.import_name], folder / member.dist
    bin_folder = new_environment(session, home, wheel_files["wa_core"], wheel)
    program = folder / "open_alone.py"
    program.write_text(OPEN_ALONE)
    for number, target in enumerate(member.conformance_targets):
        if not servers_present(session, target):
            continue
        url = target.url(folder)
        opening = (str(bin_folder / "python"), str(program), f"{url}#alone")
        run(session, *target.command(*opening))
        if not number:
            into_environment(session, home, wheel_files["wa_conformance"])
            quick = (str(bin_folder / "wa-conformance"), url, "--profile", "quick")
            run(session, *target.command(*quick))
            extras = f"{member.dist}[{','.join(member.extras)}] @ {wheel.as_uri()}"
            into_environment(session, home, extras if member.extras else wheel)


OPEN_ALONE = """
import asyncio, sys
from wa_core.storage import open_engine

async def main():
    async with await open_engine(sys.argv[1]) as engine:
        await engine.set("session/creds", b"kept")
        assert await engine.get("session/creds") == b"kept"

asyncio.run(main())
"""


def new_environment(session: nox.Session, home: Path, *what: object) -> Path:
    """Make an empty environment, install there, and return its folder of commands."""
    uv(session, "venv", "-q", "--python", interpreter(session, default_version()), str(home))
    into_environment(session, home, *what)
    return home / "bin"


def into_environment(session: nox.Session, home: Path, *what: object) -> None:
    """Install with the locked versions of what is not ours."""
    into = ("pip", "install", "-q", "--python", str(home), "-c", str(LOCK))
    uv(session, *into, *map(str, what))


@nox.session
def demo(session: nox.Session) -> None:
    """Show the main job, on embedded defaults."""
    run(session, "python", "-m", "tools.demo", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure speed, as ratios to a floor of the same run: `-- storage`."""
    run(session, "python", "-m", "benchmarks", *session.posargs, env=ON_DISK)


@nox.session
def soak(session: nox.Session) -> None:
    """Run what takes hours."""
    run(session, "pytest", "-m", "soak", *session.posargs)


@nox.session
def lock(session: nox.Session) -> None:
    """Resolve requirements.lock for every supported Python and platform, with hashes."""
    # The lock holds what the index has for everybody, not the few files that lie on one machine.
    for local in ("UV_INDEX", "UV_FIND_LINKS"):
        session.env[local] = ""
    ours = [arg for member in MEMBERS for arg in ("--no-emit-package", member.dist)]
    uv(
        session,
        *("pip", "compile", "-q", "--universal", "--generate-hashes", "--no-emit-index-url"),
        *("--no-emit-find-links", "--custom-compile-command", "./dev lock"),
        *("--python-version", REQUIRED, "--group", "front", "--group", "dev"),
        *("--group", "bench", "--all-extras"),
        *ours,
        *session.posargs,
        *("-o", LOCK.name, *(str(m.pyproject.relative_to(ROOT)) for m in MEMBERS)),
    )


@nox.session(name="run")
def run_command(session: nox.Session) -> None:
    """Run one command in the default environment: `-- pytest -k keys`."""
    run(session, *session.posargs)


def run(
    session: nox.Session,
    *command: str,
    version: str | None = None,
    env: dict[str, str] | None = None,
) -> None:
    """Run a command of the environment of a Python version, by default the default one."""
    bin_folder = environment(session, version or default_version())
    path = f"{bin_folder}{os.pathsep}{os.environ['PATH']}"
    program = bin_folder / command[0]
    session.run(
        str(program) if program.exists() else command[0],
        *command[1:],
        env={
            "PATH": path,
            "VIRTUAL_ENV": str(bin_folder.parent),
            "PYTHONDONTWRITEBYTECODE": "",
            **SERVERS,
            **(env or {}),
        },
        external=True,
    )


def environment(session: nox.Session, version: str) -> Path:
    """Return the folder of commands of a version's environment; make it if its inputs changed."""
    home = ENVIRONMENTS / version
    stamp = home / "made-from"
    python = interpreter(session, version)
    inputs = hashlib.sha256(python.encode())
    inputs.update(LOCK.read_bytes())
    for member in MEMBERS:
        inputs.update(member.recipe.encode())
    wanted = inputs.hexdigest()
    with one_maker():
        if not stamp.exists() or stamp.read_text() != wanted:
            uv(session, "venv", "-q", "--clear", "--python", python, str(home))
            # Tests start thousands of processes, and some machines forbid Python to write bytecode.
            into = ("pip", "install", "-q", "--compile-bytecode", "--python", str(home))
            uv(session, *into, "--require-hashes", "-r", str(LOCK))
            editable = [arg for member in MEMBERS for arg in ("-e", str(member.folder))]
            uv(session, *into, "--no-deps", "--no-build-isolation", *editable)
            stamp.write_text(wanted)
    return home / "bin"


def interpreter(session: nox.Session, version: str) -> str:
    """Return the path of a Python, or end the session with what to install."""
    found = find_python(version)
    if found is None:
        session.error(f"no Python {version} found: install it, or put it on PATH")
    return str(found)


def uv(session: nox.Session, *arguments: str) -> None:
    """Run the uv that stands beside this nox."""
    beside = Path(sys.executable).with_name("uv")
    session.run(str(beside) if beside.exists() else "uv", *arguments, external=True)


def not_run(what: str, how: str) -> None:
    """Leave a note for the summary of `./dev test`."""
    REPORT.mkdir(parents=True, exist_ok=True)
    with (REPORT / "not-run.jsonl").open("a", encoding="utf-8") as notes:
        notes.write(json.dumps({"what": what, "how": how}) + "\n")


@contextmanager
def one_maker() -> Iterator[None]:
    """Let one process at a time make environments."""
    ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
    with (ENVIRONMENTS / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Give a folder outside the tree, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="wa-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
