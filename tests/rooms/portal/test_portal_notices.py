"""The operator's view of the outbox, over HTTP and by the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from escrow.notices import outbox
from tests.rooms.portal.conftest import post_notice

AGREEMENT = "agr_01kb2aaaaaaaaaaaaaaaaaaaaa"


@pytest.fixture
def failed(busy) -> str:
    """A notice that failed because its address stands in no mail."""
    return post_notice(busy, AGREEMENT, "nobody")


def test_the_operator_sees_states_kinds_and_addresses(busy, failed) -> None:
    waiting = post_notice(busy, AGREEMENT, "ada@acme.example")
    items = {one["id"]: one for one in busy.do("GET", "/notices", "operator")["items"]}
    assert items[failed]["state"] == "failed"
    assert items[failed]["answer"] == "unmailable"
    assert items[waiting]["state"] == "waiting"
    assert items[waiting]["address"] == "ada@acme.example"
    assert items[waiting]["kind"] == "ceremony-needed"
    assert "salt" not in items[waiting]


def test_only_the_failed_when_asked(busy, failed) -> None:
    post_notice(busy, AGREEMENT, "ada@acme.example")
    items = busy.do("GET", "/notices?failed=true", "operator")["items"]
    assert failed in [one["id"] for one in items]
    assert {one["state"] for one in items} == {"failed"}


def test_pages_follow_one_another(busy, monkeypatch) -> None:
    monkeypatch.setattr(outbox, "PAGE_NOTICES", 2)
    posted = [post_notice(busy, AGREEMENT, "a@b.example") for _ in range(4)]
    first = busy.do("GET", "/notices", "operator")
    second = busy.do("GET", f"/notices?before={first['next']}", "operator")
    seen = [one["id"] for one in (*first["items"], *second["items"])]
    assert seen == sorted(posted, reverse=True)


def test_what_cannot_be_mailed_is_not_tried_again(busy, failed) -> None:
    answer = busy.ask("POST", f"/notices/{failed}/retry", "operator")
    assert (answer.status_code, answer.json()["code"]) == (409, "notices.unmailable")


def test_a_notice_that_there_is_not(busy) -> None:
    answer = busy.ask("POST", "/notices/ntc_none/retry", "operator")
    assert (answer.status_code, answer.json()["code"]) == (404, "notices.unknown")


def run(busy, *arguments: str) -> subprocess.CompletedProcess[str]:
    url = str(busy.client.base_url).removesuffix("/").removesuffix("/api/v1")
    known = {"ESCROW_URL": url, "ESCROW_TOKEN": busy.tokens["operator"]}
    command = [sys.executable, "-m", "escrow.operations.cli", "admin", "notices", *arguments]
    environment = {**os.environ, **known}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_command_lists_the_failed_as_json(busy, failed) -> None:
    done = run(busy, "--failed", "--json")
    assert done.returncode == 0, done.stderr
    assert failed in [one["id"] for one in json.loads(done.stdout)]


def test_the_command_shows_people_a_table(busy, failed) -> None:
    done = run(busy)
    (line,) = [one for one in done.stdout.splitlines() if one.startswith(failed)]
    assert line.split()[1:4] == ["failed", "ceremony-needed", "agent"]


def test_the_command_says_why_a_notice_is_not_tried_again(busy, failed) -> None:
    done = run(busy, "--retry", failed)
    assert done.returncode == 1
    assert "[notices.unmailable]" in done.stderr
