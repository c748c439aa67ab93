"""Which Node a package.json asks for, and which of those offered is taken."""

import pytest

from builders.offers import node_offer

ENGINES = {
    "": "bookworm",
    ">=18": "bookworm",
    ">=12.20": "bookworm",
    "18 || 20 || >=22": "bookworm",
    "^18.18.0 || ^20.9.0 || >=21.1.0": "bookworm",
    "18.x": "bookworm",
    "<20": "bookworm",
    "14 - 18": "bookworm",
    "*": "bookworm",
    "latest": "bookworm",
    ">=20": "trixie",
    "^20.19.0 || >=22.12.0": "trixie",
    ">18.99 <21": "bookworm",
    ">18": "trixie",
    ">= 19.0.0": "trixie",
    "~20.1": "trixie",
    # Nothing fits: npm warns and goes on, so the newest has the best prospects.
    ">=22.12.0": "trixie",
    "<18.0.0": "trixie",
}


@pytest.mark.parametrize("engine", ENGINES)
def test_the_first_node_that_fits_is_taken(engine):
    assert node_offer(engine).suite == ENGINES[engine]
