"""Tokens that reach too far, words that wander, a database and blobs that somebody rewrites."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from demo.play import PRODUCT
from demo.stage import run
from escrow.evidence.trustroot import TrustRoot
from escrow.ground.errors import EscrowError, Tampered
from escrow.ground.identifiers import DepositId
from escrow.operations.calls.unix import UnixLine
from escrow.operations.home import Home
from escrow.operations.keyholder.client import RemoteKeyholder
from escrow.vault import age
from escrow.vault.age_keys import FileKey
from tests.journeys.conftest import Served, wait_for
from tests.worlds import DEPOSITS, Draft, database, deposit_tar, http, tar_of

GIT_DOOR = f"/git/{PRODUCT}/source.git/info/refs?service=git-receive-pack"
# What the calls that need a query need; the others overlook it.
QUERY = {"recipient": "age1none", "follow": "false"}
MAIN = "int main(void) { return 0; }\n"


def slow(seconds: int) -> dict[str, str]:
    """Return a project whose build takes some seconds."""
    makefile = f"all: prog\nprog: main.c\n\tsleep {seconds}\n\tcc -o prog main.c\n"
    return {"Makefile": makefile, "main.c": MAIN, "README": "Run make.\n"}


@pytest.fixture
def admin(served: Served) -> httpx.Client:
    return http(served.here.url, served.cast.admin)


@pytest.fixture
def vendor(served: Served) -> httpx.Client:
    return http(served.here.url, served.cast.tokens["vendor"])


def issue(admin: httpx.Client, organisation: str, role: str, **terms: object) -> tuple[str, str]:
    """Have a token issued; return its id and text."""
    body = {"organisation": organisation, "role": role, **terms}
    answer = admin.post("/api/v1/tokens", json=body).raise_for_status().json()
    return answer["id"], answer["token"]


def _at_each_door(url: str, token: str) -> set[int]:
    """Return what API, uploads and git answer to a token."""
    client = http(url, token)
    upload = client.post("/api/v1/deposits/dep_x/uploads", headers={"Tus-Resumable": "1.0.0"})
    pushed = httpx.get(url + GIT_DOOR, auth=("token", token), trust_env=False)
    answers = (client.get(DEPOSITS), client.post(DEPOSITS), upload, pushed)
    return {answer.status_code for answer in answers}


def test_a_revoked_token_opens_no_door(served: Served, admin: httpx.Client) -> None:
    identifier, token = issue(admin, "acme", "vendor")
    assert 401 not in _at_each_door(served.here.url, token)
    admin.delete(f"/api/v1/tokens/{identifier}").raise_for_status()
    assert _at_each_door(served.here.url, token) == {401}


@contextmanager
def _expiry(served: Served, identifier: str, at: str) -> Iterator[None]:
    """Let a token expire at another time, and put the row back: the ledger knows its own time."""
    change = "UPDATE token SET expires_at = ? WHERE id = ?"
    with database(served.here.folder) as rows:
        asked = rows.execute("SELECT expires_at FROM token WHERE id = ?", (identifier,))
        (before,) = asked.fetchone()
        rows.execute(change, (at, identifier))
        rows.commit()
    yield
    with database(served.here.folder) as rows:
        rows.execute(change, (before, identifier))
        rows.commit()


def test_an_expired_token_opens_no_door(served: Served, admin: httpx.Client) -> None:
    identifier, token = issue(admin, "acme", "vendor")
    with _expiry(served, identifier, "2020-01-01 00:00:00.000000"):
        assert _at_each_door(served.here.url, token) == {401}
    assert 401 not in _at_each_door(served.here.url, token)


def test_a_guessed_secret_opens_no_door(served: Served) -> None:
    token = served.cast.tokens["vendor"]
    guessed = token[:-12] + "".join("a" if c != "a" else "b" for c in token[-12:])
    assert _at_each_door(served.here.url, guessed) == {401}


@pytest.fixture(scope="module")
def sealed(served: Served) -> str:
    """Deposit something and wait for its report."""
    client = http(served.here.url, served.cast.tokens["vendor"])
    deposit, _ = deposit_tar(client, slow(0))
    wait_for(
        lambda: client.get(f"/api/v1/deposits/{deposit}").json(),
        lambda document: document["verification"] == "done",
    )
    return deposit


@pytest.fixture(scope="module")
def rival(served: Served) -> str:
    """Return the token of a vendor that has nothing to do with the agreement."""
    client = http(served.here.url, served.cast.admin)
    body = {"slug": "rival", "name": "Rival Ltd"}
    client.post("/api/v1/organisations", json=body).raise_for_status()
    return issue(client, "rival", "vendor")[1]


def test_anothers_things_look_absent(served: Served, rival: str, sealed: str) -> None:
    client, absent = http(served.here.url, rival), PRODUCT.replace("webframework", "nothing")
    agreement = served.cast.agreement
    pairs = [(sealed, "dep_00000000000000000000000000"), (PRODUCT, absent)]
    pairs.append((agreement, "agr_00000000000000000000000000"))
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    asked = 0
    for path in (path for path, calls in paths.items() if "get" in calls):
        known = path.replace("{vendor}/{product}", PRODUCT).replace("{deposit_id}", sealed)
        known = known.replace("{agreement_id}", agreement).replace("{number}", "1")
        for theirs, nobodys in pairs:
            if theirs in known:
                there = client.get(known, params=QUERY)
                nowhere = client.get(known.replace(theirs, nobodys), params=QUERY)
                assert (there.status_code, there.text) == (404, nowhere.text), known
                asked += 1
    assert asked >= 10


def test_anothers_repository_looks_absent(served: Served, rival: str) -> None:
    doors = (GIT_DOOR, GIT_DOOR.replace("webframework", "nothing"))
    answers = [
        httpx.get(served.here.url + door, auth=("token", rival), trust_env=False) for door in doors
    ]
    assert {(answer.status_code, answer.text) for answer in answers} == {(404, answers[0].text)}


@pytest.mark.parametrize("role", ["beneficiary", "agent_1", "operator"])
def test_only_the_vendor_deposits_and_reads_its_papers(
    served: Served, sealed: str, role: str
) -> None:
    token = served.cast.admin if role == "operator" else served.cast.tokens[role]
    client, place = http(served.here.url, token), f"/api/v1/deposits/{sealed}"
    asked = [client.get(f"{place}/{paper}") for paper in ("log", "receipt", "manifest")]
    asked += [client.post(DEPOSITS), client.post(f"{place}/finish"), client.delete(place)]
    asked.append(client.post(f"{place}/uploads", headers={"Tus-Resumable": "1.0.0"}))
    asked.append(httpx.get(served.here.url + GIT_DOOR, auth=("token", token), trust_env=False))
    assert {answer.status_code for answer in asked} <= {403, 404}
    assert not any("sha256" in answer.text for answer in asked)


@pytest.fixture(scope="module")
def whispered(served: Served) -> tuple[str, str]:
    """Push a word in a tag that does not count, and one in a commit message that does."""
    tag, message = ("canary" + secrets.token_hex(12) for _ in range(2))
    clone = served.clone({**slow(0), "docs.txt": secrets.token_hex(8)})
    identity = ("-c", "user.name=V", "-c", "user.email=v@acme.example")
    run("git", *identity, "commit", "-q", "--amend", "-m", message, cwd=clone)
    run("git", "tag", tag, cwd=clone)
    refused = subprocess.run(
        [*served.push_command(), tag], cwd=clone, env=served.person("vendor"), capture_output=True
    )
    assert refused.returncode != 0, "the tag does not count for the product"
    number = len(served.deposits()) + 1
    served.push(clone)
    assert served.verdict_of(number)["verdict"] == "pass"
    return tag, message


def test_words_of_git_reach_no_auditor(
    served: Served, admin: httpx.Client, whispered: tuple[str, str]
) -> None:
    _, token = issue(admin, "auditors", "auditor", agreements=[served.cast.agreement])
    client = http(served.here.url, token)
    values = served.places()
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    asked = [path.format_map(values) for path, calls in paths.items() if "get" in calls]
    answers = [client.get(path, params=QUERY) for path in asked]
    assert sum(answer.is_success for answer in answers) >= 5
    assert not any(word in answer.text for answer in answers for word in whispered)


def test_words_of_git_rest_nowhere(served: Served, whispered: tuple[str, str]) -> None:
    here = served.here
    files = [here.folder / "service.log"]
    for root in (here.folder / "home", here.scratch):
        files += [path for path in root.rglob("*") if path.is_file()]
    kept = [str(path) for path in files if _holds(path, whispered)]
    names = [str(path) for path in files if any(word in path.name for word in whispered)]
    assert (kept, names) == ([], [])


def _holds(path: Path, words: tuple[str, ...]) -> bool:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return False
    return any(word.encode() in content for word in words)


@pytest.fixture
def keyholder(served: Served) -> RemoteKeyholder:
    home = Home(served.here.folder / "home")
    root = TrustRoot.from_json(home.trust_root.read_text())
    return RemoteKeyholder(UnixLine(home.socket), root.roles["keyholder"])


def _begin_build(client: httpx.Client, seconds: int) -> str:
    deposit, _ = deposit_tar(client, slow(seconds))
    wait_for(
        lambda: client.get(f"/api/v1/deposits/{deposit}").json(),
        lambda document: document["verification"] == "building",
    )
    return deposit


@pytest.fixture(scope="module")
def open_lane(served: Served) -> str:
    """Return a deposit whose build goes on long enough: its lane is open."""
    return _begin_build(http(served.here.url, served.cast.tokens["vendor"]), 40)


@pytest.fixture
def rewritten(served: Served, open_lane: str) -> Iterator[str]:
    """Give the deposit; whatever a test wrote into its rows is put right afterwards."""
    queries = ("SELECT id, lane_header FROM part", "SELECT rowid, commitment FROM header_record")
    with database(served.here.folder) as rows:
        parts, headers = (
            rows.execute(f"{query} WHERE deposit_id = ?", (open_lane,)).fetchall()
            for query in queries
        )
        yield open_lane
        rows.executemany("UPDATE part SET lane_header = ?2 WHERE id = ?1", parts)
        rows.executemany("UPDATE header_record SET commitment = ?2 WHERE rowid = ?1", headers)
        rows.commit()


def _write(served: Served, sql: str, *values: object) -> None:
    with database(served.here.folder) as rows:
        assert rows.execute(sql, values).rowcount > 0
        rows.commit()


def _one(served: Served, sql: str, *values: object) -> object:
    with database(served.here.folder) as rows:
        return rows.execute(sql, values).fetchone()[0]


SET_LANE_HEADER = "UPDATE part SET lane_header = ? WHERE deposit_id = ?"


def test_a_lane_header_of_another_deposit_is_not_opened(
    served: Served, keyholder: RemoteKeyholder, sealed: str, rewritten: str
) -> None:
    assert keyholder.open_for_verification(DepositId(rewritten))
    foreign = _one(served, "SELECT lane_header FROM part WHERE deposit_id = ?", sealed)
    _write(served, SET_LANE_HEADER, foreign, rewritten)
    with pytest.raises(Tampered):
        keyholder.open_for_verification(DepositId(rewritten))


def test_a_lane_header_with_the_writers_own_key_is_not_opened(
    served: Served, keyholder: RemoteKeyholder, rewritten: str
) -> None:
    lane = str(_one(served, "SELECT recipient FROM lane WHERE deposit_id = ?", rewritten))
    forged = age.wrap_file_key(FileKey.generate(), [age.parse_recipient(lane)])
    _write(served, SET_LANE_HEADER, forged, rewritten)
    with pytest.raises(Tampered):
        keyholder.open_for_verification(DepositId(rewritten))


def test_an_exchanged_header_record_opens_nothing(
    served: Served, keyholder: RemoteKeyholder, sealed: str, rewritten: str
) -> None:
    foreign = _one(served, "SELECT commitment FROM header_record WHERE deposit_id = ?", sealed)
    sql = "UPDATE header_record SET commitment = ? WHERE deposit_id = ?"
    _write(served, sql, foreign, rewritten)
    with pytest.raises(Tampered):
        keyholder.open_for_verification(DepositId(rewritten))


def test_a_closed_lane_stays_closed(keyholder: RemoteKeyholder, sealed: str) -> None:
    with pytest.raises(EscrowError) as refusal:
        keyholder.open_for_verification(DepositId(sealed))
    assert refusal.value.code == "vault.lane-closed"


PING = """
import socket, sys
line = socket.socket(socket.AF_UNIX)
try:
    line.connect(sys.argv[1])
    line.sendall(b'{"verb": "ping", "arguments": {}}\\n')
    print("answer", line.recv(100))
except OSError as problem:
    print("refused", problem)
"""


def _ping_as(user: str, socket_path: Path) -> str:
    identity = ("--reuid", user, "--regid", user, "--clear-groups") if os.geteuid() == 0 else ()
    command = ("setpriv", *identity, "/usr/bin/python3", "-c", PING, str(socket_path))
    return run(*command, cwd=Path("/"))


def test_the_keyholder_answers_no_other_user(served: Served) -> None:
    path = Home(served.here.folder / "home").socket
    assert path.stat().st_mode & 0o777 == 0o600
    if os.geteuid() != 0:
        assert path.stat().st_uid == os.geteuid()
        return
    assert "refused" in _ping_as("escrow-git", path)
    path.chmod(0o666)
    try:
        # The kernel names the peer, whatever the file's mode says.
        assert "here" not in _ping_as("escrow-git", path)
        assert "here" in _ping_as("root", path)
    finally:
        path.chmod(0o600)


def test_a_damaged_payload_is_our_error(served: Served, vendor: httpx.Client) -> None:
    draft, content = Draft.begin(vendor), tar_of(slow(0))
    draft.send(draft.create(len(content)), 0, content)
    name = str(_one(served, "SELECT payload_sha256 FROM part WHERE deposit_id = ?", draft.id))
    (blob,) = (served.here.folder / "home" / "blobs").rglob(name)
    sealed = bytearray(blob.read_bytes())
    sealed[len(sealed) // 2] ^= 1
    blob.chmod(0o600)
    blob.write_bytes(sealed)
    draft.finish()
    shown = wait_for(
        lambda: vendor.get(f"/api/v1/deposits/{draft.id}").json(),
        lambda document: document["verification"] == "done",
    )
    assert (shown["verdict"], shown["reason"]) == ("error", "stored-bytes-damaged")
