"""``escrow check`` is given what is no paper, half of one, or papers of which one does not hold."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from escrow.evidence.bundles import MAX_DOCUMENT_CHARS
from escrow.evidence.statements import RECEIPT_TYPE, Stamp, statement
from escrow.testing.ledgers import LedgerWorld
from tests.rooms.cli.conftest import Run

ON_SQLITE_ALONE = True


class Papers:
    """A folder with a trust root and a good paper."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "ledger").mkdir()
        self.world = LedgerWorld(folder / "ledger")
        self.root = folder / "trust-root.json"
        self.root.write_text(self.world.trust_root.to_json())
        self.good = self.issued("good.json", RECEIPT_TYPE)

    def issued(self, name: str, kind: str) -> Path:
        predicate = {"v": 1, "service": Stamp("Trial Escrow", "production", "0").to_json()}
        signed = self.world.issue(statement([("one", "ee" * 32)], kind, predicate))
        return self.written(name, signed.to_json())

    def written(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def tampered(self) -> Path:
        value = json.loads(self.good.read_text())
        value["ledger"]["leaf"]["index"] += 1
        return self.written("tampered.json", json.dumps(value))


@pytest.fixture
def papers(tmp_path: Path) -> Iterator[Papers]:
    made = Papers(tmp_path)
    yield made
    made.world.close()


NO_PAPERS = {
    "nothing at all": b"",
    "no text": b"\xff\xfe\x00\x9f" * 50,
    "a number": b"3",
    "an empty object": b"{}",
    "nested without end": b"[" * 200_000,
    "longer than any paper": b" " * (MAX_DOCUMENT_CHARS + 1),
    "a certificate": b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
}


@pytest.mark.parametrize("kind", NO_PAPERS)
def test_a_file_that_is_no_paper_does_not_hold(papers: Papers, run: Run, kind: str) -> None:
    path = papers.written("file", NO_PAPERS[kind])
    done = run("check", str(path), "--trust-root", str(papers.root), "--json")
    assert (done.code, done.problem()["code"]) == (1, "evidence.document-malformed")


@pytest.mark.parametrize("what", ["cut short", "twice", "a list of two", "the bundle alone"])
def test_half_a_paper_or_two_in_one_do_not_hold(papers: Papers, run: Run, what: str) -> None:
    good = papers.good.read_text()
    value = json.loads(good)
    made = {
        "cut short": good[: len(good) // 2],
        "twice": good + good,
        "a list of two": json.dumps([value, value]),
        "the bundle alone": json.dumps(value["bundle"]),
    }[what]
    done = run("check", str(papers.written("file", made)), "--trust-root", str(papers.root))
    assert done.code == 1
    assert "no signed document" in done.err


def test_a_folder_is_told_from_a_missing_file_and_neither_is_told_to_fail(
    papers: Papers, run: Run
) -> None:
    for path, told in ((papers.folder, "is a folder"), (papers.folder / "none", "cannot be read")):
        done = run("check", str(path), "--trust-root", str(papers.root), "--json")
        assert (done.code, done.problem()["code"]) == (2, "cli.no-document")
        assert told in done.err


def test_of_a_kind_that_comes_later_nobody_can_tell(papers: Papers, run: Run) -> None:
    later = papers.issued("later.json", "urn:escrow:deposit-receipt:v9")
    done = run("check", str(later), "--trust-root", str(papers.root), "--json")
    assert (done.code, done.problem()["code"]) == (2, "evidence.statement-kind-unknown")


def test_one_that_does_not_hold_outweighs_one_that_nobody_can_tell_of(
    papers: Papers, run: Run
) -> None:
    good, bad, missing = papers.good, papers.tampered(), papers.folder / "none"
    for paths, code, holds in (
        ([good, good], 0, [True, True]),
        ([good, missing], 2, [True, None]),
        ([missing, bad, good], 1, [None, False, True]),
        ([good, bad], 1, [True, False]),
    ):
        line = ("check", *map(str, paths), "--trust-root", str(papers.root), "--json")
        done = run(*line)
        assert (done.code, [one["holds"] for one in done.document]) == (code, holds)
