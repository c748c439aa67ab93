"""Whatever is wrong with what a command is given: one sentence, a remedy, and never a traceback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from escrow.ground.clock import SystemClock
from escrow.testing.releases import ReleaseWorld, SettledFolder
from escrow.testing.serving import served
from escrow.vault import age
from tests.rooms.cli.conftest import Desk, Run
from tests.rooms.cli.lines import LINES, READ, WRITTEN, Line, Things

REMOTE = [line for line in LINES if line.who != "-"]
NOWHERE = "http://127.0.0.1:1"
# What no line gets far enough to need.
NOT_MADE = ("accepted", "filled", "member", "token_id", "renewed", "replaced", "destroyed")
# In an order in which none stands in the next one's way.
STANDING = ("agreement", "filed", "contributed", "draft", "paper", "drill", "destruction", "hold")


@pytest.fixture(scope="module")
def standing(
    settled_release: SettledFolder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Things]:
    """A service in which nothing is done, for lines that fail before they do anything."""
    world = ReleaseWorld.copied(settled_release, tmp_path_factory.mktemp("standing"))
    new = tmp_path_factory.mktemp("new") / "new.age"
    age.write_identity_file(new, age.new_x25519_identity(), None)
    made = Things(world, {"new_age": str(new)})
    try:
        for name in STANDING:
            made[name]
        made["confirmable"] = made["destruction"]
        made["request"] = made["approved"]
        # It voids the request, which the lines that fail do not get to.
        made["change"]
        del made["new_age"]
        yield made
    finally:
        world.close()


@pytest.fixture
def fault_desk(standing: Things, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A person before the standing service, with files of his own."""
    monkeypatch.setattr(SystemClock, "now", lambda _: standing.world.clock.now())
    made = Desk(standing.world, tmp_path / "desk", run)
    made.things.update(dict.fromkeys(NOT_MADE, "none"))
    made.things.update(standing, released="none", one_time="esc_none")
    return made


@pytest.mark.parametrize("line", REMOTE, ids=lambda line: line.command)
def test_no_token(fault_desk: Desk, line: Line) -> None:
    done = fault_desk.type(line, "--json", ESCROW_TOKEN="")
    assert (done.code, done.problem()["code"]) == (2, "cli.no-token")


@pytest.mark.parametrize("line", REMOTE, ids=lambda line: line.command)
def test_service_that_does_not_answer(fault_desk: Desk, line: Line) -> None:
    done = fault_desk.type(line, "--json", ESCROW_URL=NOWHERE)
    assert (done.code, done.problem()["code"]) == (2, "cli.service-out")
    assert NOWHERE in done.problem()["reason"]


@pytest.mark.parametrize("line", REMOTE, ids=lambda line: line.command)
def test_token_that_does_not_hold(fault_desk: Desk, line: Line) -> None:
    done = fault_desk.type(line, "--json", ESCROW_TOKEN="esc_production_none_none")
    assert (done.code, done.problem()["code"]) == (2, "parties.token-malformed")


WRONG = [
    "",
    "localhost",
    "127.0.0.1:8420",
    "ftp://localhost",
    "http://",
    "http://[::1",
    "http://a b",
]
WRONG += ["http://localhost:99999", "http://localhost:x", "http://\udcff/", "file:///etc"]


@pytest.mark.parametrize("url", WRONG)
def test_address_that_is_none(run: Run, url: str) -> None:
    done = run("product", "list", "--json", ESCROW_URL=url, ESCROW_TOKEN="esc_x")
    assert (done.code, done.problem()["code"]) == (2, "cli.bad-address")


@pytest.mark.parametrize(
    ("status", "media", "body", "code"),
    [
        (200, "text/html", b"<h1>It works!</h1>", "cli.not-our-service"),
        (404, "text/html", b"<h1>Not here</h1>", "cli.not-our-service"),
        (404, "application/json", b'{"detail": "Not Found"}', "cli.not-our-service"),
        (401, "application/json", b'["no"]', "cli.not-our-service"),
        (404, "application/json", b"[" * 100_000, "cli.not-our-service"),
        (302, "text/html", b"", "cli.not-our-service"),
        (502, "text/html", b"<h1>Bad Gateway</h1>", "cli.service-out"),
        (200, "application/json", b'{"hello": "world"}', "cli.not-our-service"),
        (200, "application/json", b"[1, 2]", "cli.not-our-service"),
        (200, "application/json", b'{"items": [1]}', "cli.not-our-service"),
    ],
)
@pytest.mark.parametrize(
    "words", ["product list", "admin organisation a", "status a/b", "request show r"]
)
def test_another_program_at_the_address(
    run: Run, words: str, status: int, media: str, body: bytes, code: str
) -> None:
    async def stranger(scope, receive, send) -> None:
        headers = [(b"content-type", media.encode()), (b"location", b"https://else.example/")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    with served(stranger) as url:
        done = run(*words.split(), "--json", ESCROW_URL=url, ESCROW_TOKEN="esc_x")
    assert (done.code, done.problem()["code"]) == (2, code)


def _missing(folder: Path) -> Path:
    return folder / "nothing-here"


def _folder(folder: Path) -> Path:
    return folder


def _binary(folder: Path) -> Path:
    path = folder / "binary"
    path.write_bytes(b"\xff\xfe\x00")
    return path


def _empty(folder: Path) -> Path:
    path = folder / "empty"
    path.touch()
    return path


def _loop(folder: Path) -> Path:
    path = folder / "loop"
    path.symlink_to(path)
    return path


def _below_a_file(folder: Path) -> Path:
    return _empty(folder) / "x"


def _too_long(folder: Path) -> Path:
    return folder / ("x" * 300)


def _nested(folder: Path) -> Path:
    path = folder / "nested.json"
    path.write_text("[" * 100_000)
    return path


Bad = Callable[[Path], Path]
UNREADABLE: list[Bad] = [_missing, _folder, _loop, _below_a_file, _too_long]
UNFIT: list[Bad] = [_binary, _empty, _nested]
# Any bytes are good data, good words, a good proof.
ANYTHING = ("data", "words")
# What can be read and is no such document does not hold; of all else nothing is known.
TOLD: dict[str, list[Bad]] = {"receipt": UNFIT, "toml": [_empty, _nested]}

TO_READ = [
    (line, name, bad)
    for line in LINES
    for name in line.names
    if name in READ
    for bad in UNREADABLE + ([] if name in ANYTHING else UNFIT)
    # A folder is packed; and of a text that is no agreement each fault is told, as a result.
    if not (bad is _folder and line.command.startswith("deposit "))
    if not (bad in (_empty, _nested) and line.command == "agreement check")
    # The key is asked for when everything is proven, and this destruction is not that far.
    if not (name == "cy" and line.command == "ending confirm")
]
TO_WRITE = [
    (line, name, bad)
    for line in LINES
    for name in line.names
    if name in WRITTEN
    for bad in [_loop, _below_a_file, _too_long] + ([_folder] if name == "save" else [])
    # They fail for another reason before they write.
    if not {"released", "destroyed", "name"} & set(line.names)
]


def _ids(cases: list[tuple[Line, str, Bad]]) -> list[str]:
    return [f"{line.command} {name} {bad.__name__}" for line, name, bad in cases]


@pytest.mark.parametrize(("line", "name", "bad"), TO_READ, ids=_ids(TO_READ))
def test_file_that_cannot_be_used(
    fault_desk: Desk, tmp_path: Path, line: Line, name: str, bad: Bad
) -> None:
    fault_desk.things[name] = str(bad(tmp_path))
    done = fault_desk.type(line, "--json")
    problem = done.problem()
    told = bad in TOLD.get(name, ())
    assert done.code == (1 if told else 2), problem
    assert told or problem["code"].startswith(("cli.", "key.", "vault."))


@pytest.mark.parametrize(("line", "name", "bad"), TO_WRITE, ids=_ids(TO_WRITE))
def test_file_that_cannot_be_written(
    fault_desk: Desk, tmp_path: Path, line: Line, name: str, bad: Bad
) -> None:
    fault_desk.things[name] = str(bad(tmp_path))
    done = fault_desk.type(line, "--json")
    assert (done.code, done.problem()["code"]) == (2, "cli.file-trouble")
