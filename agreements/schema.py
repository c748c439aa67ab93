"""The published JSON Schema of an agreement file, for editors and other programs.

``agreements/schema.json`` is written by ``python -m agreements.schema`` from the same description
that the parser uses, and a test fails when it is stale. The schema knows the form only; rules
between values (k of n, nobody twice …) are checked by the parser.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

from agreements.form import AGREEMENT, FORMAT

SCHEMA_ID = "urn:escrow:agreement:v1"


def agreement_schema() -> dict[str, object]:
    """Return the JSON Schema (draft 2020-12) of format ``escrow-agreement/1``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": f"Escrow agreement, format {FORMAT}",
        **AGREEMENT.schema(),
    }


def schema_text() -> str:
    """Return the schema as the file holds it."""
    return json.dumps(agreement_schema(), indent=2, ensure_ascii=False) + "\n"


def published_schema() -> str:
    """Return the text of the schema file in this package, to be served."""
    return files("agreements").joinpath("schema.json").read_text(encoding="utf-8")


if __name__ == "__main__":
    Path(__file__).with_name("schema.json").write_text(schema_text(), encoding="utf-8")
