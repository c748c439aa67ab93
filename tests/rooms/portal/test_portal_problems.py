"""Every error is a problem document: a sentence, a stable code, a remedy, and no value of ours."""

from __future__ import annotations

import httpx
import pytest

from escrow.portal.bodies import MAX_BODY_BYTES

ORGANISATION = "/organisations"


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, object]:
    """Return the problem document, which must be one."""
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert (answer.status_code, document["status"], document["code"]) == (status, status, code)
    assert document["title"] and document["remedy"]
    assert document["type"] == f"urn:escrow:problem:{code}"
    return document


def test_unknown_route(world) -> None:
    problem(world.ask("GET", "/nothing-here", "vendor"), 404, "http.404")


def test_route_with_another_method(world) -> None:
    answer = world.ask("PUT", "/products", "vendor")
    problem(answer, 405, "http.405")
    assert "GET" in answer.headers["allow"] or "POST" in answer.headers["allow"]


def test_no_token(world) -> None:
    answer = world.ask("GET", "/products")
    problem(answer, 401, "request.no-token")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("sent", ["Bearer", "Basic YTpi", "nonsense", ""])
def test_no_bearer_token(world, sent: str) -> None:
    answer = world.ask("GET", "/products", headers={"Authorization": sent})
    problem(answer, 401, "request.no-token")


@pytest.mark.parametrize("sent", ["esc_production_x", "x" * 5000, "esc_demo_tok_none_none"])
def test_token_that_is_none(world, sent: str) -> None:
    answer = world.ask("GET", "/products", headers={"Authorization": f"Bearer {sent}"})
    assert answer.status_code == 401
    assert sent not in answer.text


def test_values_are_not_echoed(world) -> None:
    body = {"one_time_token": ["my-secret"], "name": "Eve", "email": "e@example.org"}
    document = problem(world.ask("POST", "/setup", json=body), 422, "input.invalid")
    assert document["detail"] == [
        {"place": "body.one_time_token", "problem": "Input should be a valid string"}
    ]


def test_unknown_field_is_refused(world) -> None:
    body = {"slug": "typo", "name": "Typo", "nmae": "Typo"}
    answer = world.ask("POST", ORGANISATION, "operator", json=body)
    places = problem(answer, 422, "input.invalid")["detail"]
    assert [one["place"] for one in places] == ["body.nmae"]


@pytest.mark.parametrize("content", ["{", "[1, 2", "\x00", "[" * 100_000])
def test_body_that_is_no_json(world, content: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = world.ask("POST", ORGANISATION, "operator", content=content, headers=headers)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_body_that_is_too_large(world) -> None:
    answer = world.ask("POST", "/agreements", "vendor", content=b"#" * (MAX_BODY_BYTES + 1))
    problem(answer, 422, "request.body-too-large")


def test_body_in_pieces_that_is_too_large(world) -> None:
    pieces = (b"#" * 65_536 for _ in range(MAX_BODY_BYTES // 65_536 + 1))
    answer = world.client.post("/agreements", content=pieces)
    problem(answer, 422, "request.body-too-large")


def test_agreement_that_is_no_text(world) -> None:
    answer = world.ask("POST", "/agreements", "vendor", content=b"\xff\xfe")
    problem(answer, 422, "agreements.not-text")


def test_problems_of_an_agreement_have_lines(world) -> None:
    lines = world.cast.text.splitlines()
    broken = "\n".join(line for line in lines if not line.startswith("governing_law"))
    answer = world.ask("POST", "/agreements", "vendor", content=broken)
    (place,) = problem(answer, 422, "register.agreement-invalid")["detail"]
    assert place["line"] >= 1
    assert set(place) == {"line", "path", "reason", "remedy", "code", "severity"}


@pytest.mark.parametrize(
    ("foreign", "absent"),
    [
        ("/products/northwind/ledger-core", "/products/northwind/none"),
        ("/products/northwind/ledger-core/status", "/products/nobody/none/status"),
        ("/deposits/{deposit}", "/deposits/dep_none"),
        ("/deposits/{deposit}/report", "/deposits/dep_none/report"),
        ("/deposits/{deposit}/log", "/deposits/dep_none/log"),
        ("/agreements/{agreement}", "/agreements/agr_none"),
        ("/agreements/{agreement}/shares", "/agreements/agr_none/shares"),
    ],
)
@pytest.mark.parametrize("who", ["other vendor", "other beneficiary", "other agent"])
def test_foreign_looks_absent(world, foreign: str, absent: str, who: str) -> None:
    path = foreign.format(deposit=world.deposit_id, agreement=world.agreement)
    seen, none = world.ask("GET", path, who), world.ask("GET", absent, who)
    assert (seen.status_code, seen.content) == (404, none.content)
    assert seen.headers["content-type"] == none.headers["content-type"]


@pytest.mark.parametrize("number", ["2", "0", "x", "-1", "99999999999999", "%C2%B2", "none"])
def test_number_that_no_deposit_has(world, number: str) -> None:
    answer = world.ask("GET", f"{world.product_path}/deposits/{number}", "vendor")
    problem(answer, 404, "deposits.deposit-unknown")


@pytest.mark.parametrize("query", ["before=x", "before=99999999999999999999"])
def test_cursor_that_is_none(world, query: str) -> None:
    answer = world.ask("GET", f"{world.product_path}/deposits?{query}", "vendor")
    problem(answer, 422, "input.invalid")


@pytest.mark.parametrize("version", ["x", "99999999999999999999", "-1", "7"])
def test_version_that_is_none(world, version: str) -> None:
    answer = world.ask("GET", f"/agreements/{world.agreement}/text?version={version}", "vendor")
    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"] == "application/problem+json"
