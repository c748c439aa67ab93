"""The trust root: each key once, and a fingerprint to read aloud."""

import json
import re
from dataclasses import replace

import pytest

from escrow.evidence.errors import TrustRootMalformed
from escrow.evidence.trustroot import TrustRoot
from escrow.testing.ledgers import LedgerWorld, named_key


def test_a_trust_root_reads_back(world: LedgerWorld) -> None:
    read = TrustRoot.from_json(world.trust_root.to_json())
    assert read == world.trust_root
    assert read.fingerprint() == world.trust_root.fingerprint()
    assert read.ledger_keys == world.keys


def test_the_fingerprint_is_in_groups(world: LedgerWorld) -> None:
    assert re.fullmatch(r"[0-9a-f]{4}(?: [0-9a-f]{4}){15}", world.trust_root.fingerprint())


def test_the_fingerprint_follows_every_field(world: LedgerWorld) -> None:
    root = world.trust_root
    others = [
        replace(root, service="Other"),
        replace(root, environment="demo"),
        replace(root, log=named_key("x").public),
        replace(root, leaf=named_key("x").public),
        replace(root, roles={**root.roles, "worker": named_key("x").public}),
        replace(root, roles={"portal": root.roles["portal"]}),
    ]
    prints = {one.fingerprint() for one in [root, *others]}
    assert len(prints) == 1 + len(others)


def test_the_fingerprint_does_not_follow_the_files_layout(world: LedgerWorld) -> None:
    value = json.loads(world.trust_root.to_json())
    turned = {name: value[name] for name in reversed(value)}
    assert TrustRoot.from_json(json.dumps(turned)) == world.trust_root


def test_a_key_has_one_purpose(world: LedgerWorld) -> None:
    root = world.trust_root
    for other in ({"leaf": root.log}, {"roles": {"portal": root.leaf}}):
        with pytest.raises(TrustRootMalformed, match="two purposes"):
            replace(root, **other)  # type: ignore[arg-type]


def test_a_role_is_found_by_its_key(world: LedgerWorld) -> None:
    assert world.trust_root.role_of(world.key("worker").public.key_id) == "worker"
    assert world.trust_root.role_of(world.key("log").public.key_id) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", "escrow-trust-root/2"),
        ("service", None),
        ("environment", "staging"),
        ("keys", {}),
        ("keys", None),
        ("keys", {"log": "x", "leaf": "y", "roles": {}}),
    ],
)
def test_another_shape_is_no_trust_root(world: LedgerWorld, field: str, value: object) -> None:
    text = json.dumps({**json.loads(world.trust_root.to_json()), field: value})
    with pytest.raises(TrustRootMalformed):
        TrustRoot.from_json(text)


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", "x" * 70_000])
def test_other_texts_are_no_trust_root(text: str) -> None:
    with pytest.raises(TrustRootMalformed):
        TrustRoot.from_json(text)


def test_unknown_roles_are_refused(world: LedgerWorld) -> None:
    with pytest.raises(TrustRootMalformed, match="roles"):
        replace(world.trust_root, roles={"vendor": named_key("x").public})
    with pytest.raises(TrustRootMalformed, match="roles"):
        replace(world.trust_root, roles={})
