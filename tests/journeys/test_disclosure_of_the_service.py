"""What others than the vendor get to see of a deposit: that it builds, never what it is."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import httpx
import pytest

from demo.cast import PRODUCT
from demo.stage import run
from tests.journeys.conftest import Served

VENDOR, _, SLUG = PRODUCT.partition("/")
OTHERS = ("beneficiary", "agent_1", "operator")


@pytest.fixture(scope="module")
def canary(served: Served) -> tuple[str, str]:
    """Deposit a word that stands nowhere else, in every place where a vendor can write one."""
    word = "canary" + secrets.token_hex(12)
    source = f"int main(void) {{ return 0; }} /* {word} */\n"
    makefile = f"all: {word}\n{word}: {word}.c\n\tcc -o {word} {word}.c && echo {word}\n"
    clone = served.clone({f"{word}.c": source, "Makefile": makefile, "README": word})
    commit = run("git", "rev-parse", "HEAD", cwd=clone).strip()
    number = len(served.deposits()) + 1
    served.push(clone)
    assert served.verdict_of(number)["verdict"] == "pass"
    return word, commit


def _answers(served: Served, role: str) -> list[str]:
    """Return the body of every GET that the API has, asked by one of the cast."""
    token = served.cast.admin if role == "operator" else served.cast.tokens[role]
    values = served.places()
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=served.here.url, headers=headers, trust_env=False) as client:
        paths = client.get("/api/v1/openapi.json").json()["paths"]
        asked = [path.format_map(values) for path, calls in paths.items() if "get" in calls]
        assert len(asked) > 10
        return [client.get(path, params={"follow": "false"}).text for path in asked]


@pytest.mark.parametrize("role", OTHERS)
def test_no_word_of_the_source_reaches_others(
    served: Served, canary: tuple[str, str], role: str
) -> None:
    for answer in _answers(served, role):
        assert not any(word in answer for word in canary)


def test_the_vendor_reads_his_own_log(served: Served, canary: tuple[str, str]) -> None:
    log = served.here.escrow(served.person("vendor"), "logs", PRODUCT)
    assert canary[0] in log


def test_no_word_of_the_source_rests_on_the_disk(served: Served, canary: tuple[str, str]) -> None:
    word = canary[0].encode()
    roots = (served.here.folder / "home", served.here.scratch, served.here.folder / "service.log")
    files = [p for root in roots for p in ([root] if root.is_file() else root.rglob("*"))]
    kept = [str(p) for p in files if p.is_file() and word in _content(p)]
    assert kept == []


def test_foreign_and_absent_look_the_same(served: Served) -> None:
    headers = {"Authorization": f"Bearer {served.cast.tokens['beneficiary']}"}
    with httpx.Client(base_url=served.here.url, headers=headers, trust_env=False) as client:
        absent = client.get("/api/v1/products/acme/nothing-here/status")
        nobody = client.get("/api/v1/products/nobody/nothing-here/status")
    assert (absent.status_code, absent.text) == (nobody.status_code, nobody.text)
    assert absent.status_code == 404


@pytest.mark.parametrize("token", ["nothing", "esc_demo_none", "x" * 5000])
def test_wrong_token(served: Served, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.get(f"{served.here.url}/api/v1/products", headers=headers, trust_env=False)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert re.search(r"\w", answer.json()["remedy"])


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def test_a_person_registers_a_second_key(served: Served) -> None:
    admin = served.here.person(served.cast.admin)
    person = ("--name", "Flo", "--email", "flo@acme.example", "--role", "vendor")
    member = str(served.here.ask(admin, "admin", "member", "acme", *person)["id"])
    served.here.escrow(admin, "keys", "new", "flo", "--in", str(served.here.keys))
    public = served.here.ask(admin, "keys", "show", "flo", "--in", str(served.here.keys))
    own = ("--signing-key", str(public["signing_key"]))
    assert served.here.ask(admin, "admin", "key", member, *own)["keys"] == [public["signing_key"]]
