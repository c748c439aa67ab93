"""Pushes that must not become deposits, each by the real git client; nothing of them stays."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from escrow.deposits.git_confinement import GitLimits
from escrow.deposits.git_wire import FLUSH, ZERO_ID, packet
from escrow.parties.permissions import Role
from escrow.testing.gits import Pushed, TrialRepository
from escrow.testing.intake import IntakeWorld
from escrow.testing.serving import served

FILE, LINK, TREE = "100644", "120000", "40000"


class Push:
    """A vendor with a clone, before a server."""

    def __init__(self, world: IntakeWorld, url: str, clone: TrialRepository) -> None:
        self.world, self.url, self.clone = world, url, clone

    def __call__(self, *refs: str, token: str | None = None) -> Pushed:
        return self.clone.push(self.url, token or self.world.token(), *refs)

    def refused(self, *refs: str, token: str | None = None) -> str:
        """Push, and make sure that neither git nor we believe in it."""
        pushed = self(*refs, token=token)
        assert not pushed.is_accepted
        assert self.world.sealed() == []
        assert self.world.leftovers() == []
        return pushed.text

    def refused_tree(self, *entries: tuple[str, bytes, str]) -> str:
        """Push a commit whose root tree has these lines."""
        self.clone.commit_tree(self.clone.tree(entries))
        return self.refused()


@pytest.fixture
def push(tmp_path: Path) -> Iterator[Push]:
    scratch = Path(tempfile.mkdtemp(prefix="escrow-scratch-"))
    world = IntakeWorld(tmp_path, scratch, limits=GitLimits(pack_bytes=4 * 1024 * 1024))
    clone = TrialRepository(tmp_path / "clone")
    clone.commit({"README": "Engine\n"})
    with served(world.app(idle_seconds=3)) as url:
        yield Push(world, url, clone)
    world.close()
    shutil.rmtree(scratch, ignore_errors=True)


def test_wrong_token(push: Push) -> None:
    text = push.refused(token="esc_production_wrong")
    assert "Authentication failed" in text
    assert "remote: " in text


def test_token_of_another_vendor_sees_nothing(push: Push) -> None:
    text = push.refused(token=push.world.token("mallory"))
    assert "There is no such product, or it is not yours." in text


def test_beneficiary_cannot_deposit(push: Push) -> None:
    text = push.refused(token=push.world.token("acme", Role.BENEFICIARY))
    assert "There is no such product" in text


def test_no_agreement_in_force(push: Push) -> None:
    push.world.agreements.clear()
    text = push.refused()
    assert "No agreement is in force for this product" in text
    assert "escrow agreement show" in text


def test_ref_that_does_not_count(push: Push) -> None:
    text = push.refused("main", "main:refs/heads/experiment")
    assert "does not count for this product; these do: refs/heads/main" in text
    assert "not taken, since all refs are taken or none" in text


def test_ref_outside_branches_and_tags(push: Push) -> None:
    assert "only branches and tags" in push.refused("main:refs/notes/commits")


def test_replace_ref(push: Push) -> None:
    first = push.clone.head()
    second = push.clone.commit({"README": "Other\n"})
    push.clone.git("replace", first, second)
    text = push.refused("main", "refs/replace/*:refs/replace/*")
    assert "replace refs would let the repository say one thing and show another" in text


def test_shallow_clone(push: Push, tmp_path: Path) -> None:
    push.clone.commit({"README": "Newer\n"})
    shallow = tmp_path / "shallow"
    push.clone.git("clone", "--quiet", "--depth=1", f"file://{push.clone.folder}", str(shallow))
    push.clone.folder = shallow
    text = push.refused()
    assert "the clone is shallow" in text
    assert "git fetch --unshallow" in text


def test_partial_clone_lacks_objects(push: Push) -> None:
    blob = push.clone.git("rev-parse", "HEAD:README").decode().strip()
    (push.clone.folder / ".git/objects" / blob[:2] / blob[2:]).unlink()
    commit = push.clone.head()
    objects = push.clone.git("rev-list", "--objects", "--missing=allow-any", "--all")
    wanted = [line.split()[0] for line in objects.decode().splitlines() if blob not in line]
    pack = push.clone.git("pack-objects", "--stdout", stdin="\n".join(wanted).encode() + b"\n")
    answer = raw_push(push, command(commit) + FLUSH + pack)
    assert b"ng refs/heads/main" in answer
    assert push.world.sealed() == []
    assert push.world.leftovers() == []


def test_deletion_by_stock_git(push: Push) -> None:
    assert "[remote rejected]" in push.refused(":refs/heads/main")


def test_deletion_by_hand(push: Push) -> None:
    answer = raw_push(push, command(ZERO_ID, old=push.clone.head()) + FLUSH)
    assert b"ng refs/heads/main a deposit deletes nothing" in answer


def test_probe_makes_no_deposit(push: Push) -> None:
    assert raw_push(push, FLUSH).startswith(b"HTTP/1.1 200")
    assert push.world.sealed() == []


def test_clone_is_refused(push: Push) -> None:
    address = push.url.replace("http://", f"http://x:{push.world.token()}@")
    done = push.clone.run("ls-remote", f"{address}/git/acme/engine/core.git")
    assert done.returncode != 0
    assert b"Deposits cannot be fetched or cloned" in done.stderr


def test_pack_over_the_limit(push: Push) -> None:
    noise = os.urandom(5 * 1024 * 1024)
    push.clone.commit({"noise": noise})
    assert "pack exceeds maximum allowed size" in push.refused()


def test_rubbish_instead_of_a_push(push: Push) -> None:
    answer = raw_push(push, b"this is not a push at all")
    assert answer.startswith(b"HTTP/1.1 422")
    assert b"deposits.push-malformed" in answer


def test_rubbish_behind_good_commands(push: Push) -> None:
    answer = raw_push(push, command(push.clone.head()) + FLUSH + b"PACK but not really")
    assert b"ng refs/heads/main" in answer
    assert push.world.leftovers() == []


def test_client_that_cannot_read_a_report(push: Push) -> None:
    line = f"{ZERO_ID} {push.clone.head()} refs/heads/main\0".encode()
    answer = raw_push(push, packet(line) + FLUSH)
    assert b"deposits.push-client-too-old" in answer


def test_update_of_what_never_was(push: Push) -> None:
    answer = raw_push(push, command(push.clone.head(), old="1" * 40) + FLUSH)
    assert b"there is nothing to update" in answer


def test_client_that_dies_half_way_leaves_nothing(push: Push) -> None:
    raw_push(push, command(push.clone.head()) + FLUSH + b"PACK", promise=100_000, wait=False)
    wait_for_nothing(push)


def test_client_that_falls_silent_leaves_nothing(push: Push) -> None:
    body = command(push.clone.head()) + FLUSH + b"PACK"
    answer = raw_push(push, body, promise=100_000)
    assert b"deposits.push-too-slow" in answer
    wait_for_nothing(push)


# --- trees ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [b".git", b".GIT", b"git~1", b"..", b"."])
def test_names_that_git_itself_refuses(push: Push, name: bytes) -> None:
    blob = push.clone.blob(b"x")
    assert "Git refused the push" in push.refused_tree((FILE, name, blob))


def test_names_that_differ_in_case_alone(push: Push) -> None:
    blob = push.clone.blob(b"x")
    text = push.refused_tree((FILE, b"Makefile", blob), (FILE, b"makefile", blob))
    assert "makefile: the same name as 'Makefile' on many systems." in text
    assert "Mend it in a new commit" in text


def test_names_that_are_one_when_composed(push: Push) -> None:
    blob = push.clone.blob(b"x")
    text = push.refused_tree(
        (FILE, "re\u0301sume\u0301".encode(), blob), (FILE, "r\u00e9sum\u00e9".encode(), blob)
    )
    assert "the same name as" in text


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (b"a\x1b[2Jb", "control character"),
        (b"a\nb", "control character"),
        (b"..\\..\\evil", "backslash"),
        (b"README\r", "carriage return"),
        (b"n" * 256, "at most 255"),
    ],
)
def test_names_that_betray_a_reader(push: Push, name: bytes, sentence: str) -> None:
    text = push.refused_tree((FILE, name, push.clone.blob(b"x")))
    assert sentence in text
    assert "\x1b[2J" not in text


@pytest.mark.parametrize("target", [b"/etc/passwd", b"../outside", b"C:\\x", b"a/../../b"])
def test_links_that_lead_out(push: Push, target: bytes) -> None:
    assert "symbolic link" in push.refused_tree((LINK, b"link", push.clone.blob(target)))


def test_link_that_climbs_out_of_a_folder(push: Push) -> None:
    below = push.clone.tree([(LINK, b"link", push.clone.blob(b"../../outside"))])
    assert "folder/link: the symbolic link leads out" in push.refused_tree((TREE, b"folder", below))


@pytest.mark.parametrize("mode", ["104755", "100777", "140000"])
def test_modes_that_no_git_writes(push: Push, mode: str) -> None:
    assert "file mode" in push.refused_tree((mode, b"tool", push.clone.blob(b"x")))


@pytest.mark.parametrize("url", ["ext::sh -c id", "file:///etc", "/srv/secret.git"])
def test_submodule_addresses_that_run_or_read(push: Push, url: str) -> None:
    modules = push.clone.blob(f'[submodule "m"]\n\tpath = m\n\turl = {url}\n'.encode())
    assert ".gitmodules: the submodule address" in push.refused_tree(
        (FILE, b".gitmodules", modules)
    )


def test_checkout_bomb_of_shared_trees(push: Push) -> None:
    tree = push.clone.tree([(FILE, b"f", push.clone.blob(b"x"))])
    for _ in range(7):
        tree = push.clone.tree([(TREE, f"d{i:02}".encode(), tree) for i in range(10)])
    push.clone.commit_tree(tree)
    assert "10000000 files" in push.refused()


def test_an_evil_tag_beside_a_good_branch(push: Push) -> None:
    good = push.clone.head()
    evil = push.clone.tree([(LINK, b"link", push.clone.blob(b"/etc/passwd"))])
    push.clone.commit_tree(evil, "refs/tags/v1")
    assert push.clone.head() == good
    assert "link: the symbolic link is absolute." in push.refused("main", "v1")


# --- by hand ----------------------------------------------------------------------------------


def command(new: str, old: str = ZERO_ID) -> bytes:
    line = f"{old} {new} refs/heads/main\0 report-status side-band-64k agent=hand/1"
    return packet(line.encode())


def raw_push(push: Push, body: bytes, promise: int = 0, *, wait: bool = True) -> bytes:
    """POST bytes as they are; a promise is a Content-Length that is not kept."""
    credential = base64.b64encode(f"x:{push.world.token()}".encode()).decode()
    head = (
        "POST /git/acme/engine/core.git/git-receive-pack HTTP/1.1\r\nHost: t\r\n"
        f"Authorization: Basic {credential}\r\nContent-Length: {promise or len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    address = urlsplit(push.url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as line:
        line.sendall(head.encode() + body)
        answer = b""
        while wait and (piece := line.recv(65536)):
            answer += piece
    return answer


def wait_for_nothing(push: Push) -> None:
    until = time.monotonic() + 20
    while push.world.leftovers() and time.monotonic() < until:
        time.sleep(0.05)
    assert push.world.leftovers() == []
    assert push.world.sealed() == []
