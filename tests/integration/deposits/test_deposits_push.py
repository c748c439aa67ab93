"""Pushes by the real git client over a real server."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest

from escrow.deposits.git_confinement import GitConfinement
from escrow.evidence.checking import check_document
from escrow.ground.errors import Unavailable
from escrow.testing.gits import TrialRepository
from escrow.testing.intake import IntakeWorld
from escrow.testing.serving import served
from escrow.vault.blobs import FileBlobStore, FileStaging


def test_a_push_becomes_a_sealed_deposit(
    world: IntakeWorld, url: str, token: str, repository: TrialRepository
) -> None:
    repository.git("tag", "-a", "v1", "-m", "first")
    pushed = repository.push(url, token, "main", "v1")
    assert pushed.is_accepted, pushed.text
    [deposit] = world.sealed()
    [part] = world.parts(deposit.id)
    assert (deposit.number, deposit.via, part.kind, part.name) == (1, "git", "source", "core")
    assert part.git is not None
    assert part.git["head_commit"] == repository.head()
    assert set(part.git["refs"]) == {"refs/heads/main", "refs/tags/v1"}
    assert world.jobs.keys == [f"verify-{deposit.id}"]
    assert world.leftovers() == []


def test_the_vendor_reads_hash_number_and_where_to_follow(
    world: IntakeWorld, url: str, token: str, repository: TrialRepository
) -> None:
    text = repository.push(url, token).text
    [deposit] = world.sealed()
    [part] = world.parts(deposit.id)
    assert part.git is not None
    assert "remote: Received  5 objects," in text
    assert f"remote: SHA-256   {part.git['pack_sha256']} (the pack)" in text
    assert "remote: Sealed    and logged as deposit 1 of acme/engine" in text
    assert "remote: Follow    https://escrow.example/acme/engine/deposits/1" in text
    assert f"escrow logs -f {deposit.id}" in text


def test_the_bundle_clones_with_stock_git(
    world: IntakeWorld, url: str, token: str, repository: TrialRepository, tmp_path: Path
) -> None:
    assert repository.push(url, token).is_accepted
    [part] = world.parts(world.sealed()[0].id)
    bundle = tmp_path / "core.bundle"
    bundle.write_bytes(world.opened(part))
    subprocess.run(["git", "bundle", "verify", str(bundle)], check=True, cwd=repository.folder)
    clone = tmp_path / "restored"
    subprocess.run(["git", "clone", "--quiet", str(bundle), str(clone)], check=True)
    assert (clone / "README").read_text() == "Engine\n"


def test_a_push_of_tags_alone_checks_out_the_youngest(
    world: IntakeWorld, url: str, token: str, repository: TrialRepository, tmp_path: Path
) -> None:
    repository.git("tag", "v1")
    repository.commit({"README": "newer\n"})
    repository.git("-c", "x.y=z", "tag", "-a", "v2", "-m", "second")
    youngest = repository.head()
    assert repository.push(url, token, "v1", "v2").is_accepted
    [part] = world.parts(world.sealed()[0].id)
    assert part.git is not None
    assert part.git["head_commit"] in (youngest, repository.git("rev-parse", "v1").decode().strip())
    bundle = tmp_path / "core.bundle"
    bundle.write_bytes(world.opened(part))
    clone = tmp_path / "restored"
    subprocess.run(["git", "clone", "--quiet", str(bundle), str(clone)], check=True)
    assert (clone / "README").exists()


def test_the_receipt_is_good_offline(
    world: IntakeWorld, url: str, token: str, repository: TrialRepository
) -> None:
    repository.push(url, token)
    [deposit] = world.sealed()
    checked = check_document(deposit.receipt_json or "", world.ledger.trust_root)
    assert checked.statement.predicate["deposit"]["number"] == 1  # type: ignore[index]
    assert world.ledger.check().entries > 0


def test_every_push_is_a_new_deposit_even_a_forced_one(
    world: IntakeWorld, url: str, token: str, repository: TrialRepository
) -> None:
    assert repository.push(url, token).is_accepted
    repository.git("commit", "--quiet", "--amend", "--message", "another past")
    assert repository.push(url, token).is_accepted
    assert repository.push(url, token).is_accepted
    assert [deposit.number for deposit in world.sealed()] == [3, 2, 1]


def test_a_large_push_comes_in_pieces_behind_a_probe(
    world: IntakeWorld, url: str, token: str, repository: TrialRepository
) -> None:
    noise = b"".join(i.to_bytes(8, "big") * 32 for i in range(3000))
    repository.commit({"noise": noise, "more": noise[::-1]})
    # A small post buffer makes git probe with an empty request and send chunks.
    pushed = repository.push(url, token, options=("-c", "http.postBuffer=1024"))
    assert pushed.is_accepted, pushed.text
    assert len(world.sealed()) == 1


def test_concurrent_pushes_get_numbers_without_a_gap(
    world: IntakeWorld, url: str, token: str, tmp_path: Path
) -> None:
    def push(name: str) -> None:
        repository = TrialRepository(tmp_path / name)
        repository.commit({"name": name})
        assert repository.push(url, token).is_accepted

    threads = [threading.Thread(target=push, args=(f"clone{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(deposit.number or 0 for deposit in world.sealed()) == [1, 2, 3, 4]
    assert world.leftovers() == []


def test_the_other_repository_is_carried_forward(
    world: IntakeWorld, url: str, token: str, repository: TrialRepository
) -> None:
    address = url.replace("http://", f"http://x:{token}@") + "/git/acme/engine/tools.git"
    assert repository.run("push", address, "main").returncode == 0
    assert repository.push(url, token).is_accepted
    parts = {part.name: part for part in world.parts(world.sealed()[0].id)}
    first = world.parts(world.sealed()[1].id)[0]
    assert parts["core"].carried_from is None
    assert parts["tools"].carried_from == first.id
    assert (parts["tools"].as_of, parts["tools"].lane_header) == (first.as_of, b"")


def test_a_push_of_nothing_new_makes_no_deposit(
    world: IntakeWorld, url: str, token: str, repository: TrialRepository
) -> None:
    pushed = repository.push(url, token, ":refs/heads/main")
    assert not pushed.is_accepted
    assert world.sealed() == []


class FullStaging(FileStaging):
    """A staging on a disk that is full."""

    def append(self, data: object) -> None:
        raise FullDisk("The payload store is full.", "Make room.")


class FullDisk(Unavailable):
    code = "testing.full-disk"


class FullStore(FileBlobStore):
    """A blob store on a disk that is full."""

    def stage(self) -> FileStaging:
        staging = super().stage()
        staging.__class__ = FullStaging
        return staging


def test_a_push_that_cannot_be_stored_is_shown_as_rejected(
    tmp_path: Path, scratch: Path, repository: TrialRepository
) -> None:
    world = IntakeWorld(tmp_path, scratch, blobs=FullStore(tmp_path / "blobs"))
    with served(world.app()) as url:
        pushed = repository.push(url, world.token())
    assert not pushed.is_accepted
    assert "[remote rejected] (not stored, push again: The payload store is full.)" in pushed.text
    assert world.sealed() == []
    assert world.leftovers() == []
    world.close()


def test_a_push_is_rejected_while_the_keyholder_is_out(
    world: IntakeWorld, url: str, token: str, repository: TrialRepository
) -> None:
    world.keyholder.is_out = True
    pushed = repository.push(url, token)
    assert "not stored, push again: The keyholder does not answer." in pushed.text
    world.keyholder.is_out = False
    assert repository.push(url, token).is_accepted
    assert [deposit.number for deposit in world.sealed()] == [1]


def test_git_runs_as_its_own_user_without_network(tmp_path: Path, scratch: Path) -> None:
    confinement = GitConfinement.detect("nobody", scratch)
    line = confinement.command(["version"])
    assert confinement.user_id is not None
    assert f"--reuid={confinement.user_id}" in line
    assert "--no-new-privs" in line
    assert confinement.limits.memory_bytes == 4 * 1024**3


def test_a_push_is_received_by_gits_own_user(
    tmp_path: Path, scratch: Path, repository: TrialRepository
) -> None:
    world = IntakeWorld(tmp_path, scratch, git_user="nobody")
    with served(world.app()) as url:
        pushed = repository.push(url, world.token())
    assert pushed.is_accepted, pushed.text
    assert world.leftovers() == []
    world.close()


def test_without_such_a_user_git_runs_with_limits_and_says_so(
    scratch: Path, caplog: pytest.LogCaptureFixture
) -> None:
    confinement = GitConfinement.detect("no-such-user", scratch)
    assert "there is no user set aside" in caplog.text
    assert "/usr/bin/prlimit" in confinement.command(["version"])
