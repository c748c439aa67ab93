"""Who sees which derived document before a release.

The default: the beneficiary, the agents and the auditor learn *that* the product builds, and
nothing of *what* it is. Values of found secrets are no kind of document: nobody is shown them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import get_args

from agreements.terms import DisclosureClass

DISCLOSURE_CLASSES: tuple[DisclosureClass, ...] = get_args(DisclosureClass)

DOCUMENT_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "summary": "verdict, levels, times, codes of findings, counts, salted manifest root",
        "findings": "findings in full, with file and component names",
        "identifiers": "hashes, commits, refs and software identifiers of the deposit",
        "manifest": "list of all files with their digests",
        "sbom": "bill of materials",
        "log": "build log",
        "differences": "differences between two deposits or two builds",
    }
)
"""Kinds of derived documents, and what each holds."""

# The one kind that tells nothing of what the product is.
OPEN_KIND = "summary"

DEFAULT_DISCLOSURE: Mapping[str, tuple[DisclosureClass, ...]] = MappingProxyType(
    {kind: (DISCLOSURE_CLASSES if kind == OPEN_KIND else ("vendor",)) for kind in DOCUMENT_KINDS}
)


def complete_disclosure(
    stated: Mapping[str, tuple[DisclosureClass, ...] | None],
) -> Mapping[str, tuple[DisclosureClass, ...]]:
    """Return the disclosure terms with defaults for every kind that the agreement leaves out.

    The vendor always sees what is derived from his own deposit.
    """
    complete: dict[str, tuple[DisclosureClass, ...]] = {}
    for kind, default in DEFAULT_DISCLOSURE.items():
        chosen = stated.get(kind)
        classes = default if chosen is None else chosen
        complete[kind] = tuple(
            one for one in DISCLOSURE_CLASSES if one == "vendor" or one in classes
        )
    return MappingProxyType(complete)
