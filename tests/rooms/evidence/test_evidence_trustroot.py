"""The trust root: each key once, and a fingerprint to read aloud."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from escrow.evidence.anchors import Anchors, read_anchors
from escrow.evidence.errors import TrustRootMalformed
from escrow.evidence.trustroot import TrustRoot
from escrow.ledger.cosignatures import Witness
from escrow.testing.ledgers import LedgerWorld, named_key
from escrow.testing.timestamps import TrialAuthority


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


def _witness(name: str) -> Witness:
    return Witness(name, f"https://{name}.example", named_key(name).public)


def test_witnesses_and_authorities_read_back_and_are_in_the_fingerprint(
    world: LedgerWorld, tmp_path: Path
) -> None:
    authority = TrialAuthority(tmp_path / "tsa").authority
    anchors = Anchors((_witness("one"), _witness("two")), 2, (authority,))
    root = replace(world.trust_root, anchors=anchors)
    assert TrustRoot.from_json(root.to_json()) == root
    assert root.fingerprint() != world.trust_root.fingerprint()
    (tmp_path / "anchors.json").write_text(json.dumps(anchors.to_json()))
    assert read_anchors(tmp_path / "anchors.json") == anchors


def test_a_trust_root_without_them_has_the_older_form(world: LedgerWorld) -> None:
    members = {"format", "service", "environment", "keys"}
    assert set(json.loads(world.trust_root.to_json())) == members


def test_a_quorum_that_cannot_be_is_refused() -> None:
    for count, quorum in ((2, 3), (2, 0), (0, 1), (2, -1)):
        with pytest.raises(TrustRootMalformed, match="quorum"):
            Anchors(tuple(_witness(f"w{one}") for one in range(count)), quorum)
    with pytest.raises(TrustRootMalformed, match="one name"):
        Anchors((_witness("one"), _witness("one")), 1)


def test_a_witness_with_one_of_our_keys_is_refused(world: LedgerWorld) -> None:
    own = Witness("one", "https://one.example", world.trust_root.log)
    with pytest.raises(TrustRootMalformed, match="two purposes"):
        replace(world.trust_root, anchors=Anchors((own,), 1))


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '{"witnesses": 1}',
        '{"witnesses": {"quorum": true, "list": []}}',
        '{"witnesses": {"quorum": 1, "list": [{"name": "a", "url": "ftp://a", "key": "x"}]}}',
        '{"timestamp_authorities": [{"name": "a", "url": "http://a", "certificates": ["x"]}]}',
    ],
)
def test_a_file_of_anchors_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "anchors.json").write_text(text)
    with pytest.raises(TrustRootMalformed):
        read_anchors(tmp_path / "anchors.json")
