"""The bill of materials of a deposit, as CycloneDX; the only door to its library. Pure.

It lists what lies in the deposit or is asked for by it: the parts, the third-party files of the
deposited stores, the packages that npm's lock files fix with version and digests, those that
manifests name, and the images that the build ran in. Where a version is not known it is left out,
and never guessed; what is known from a lock file alone says so, for the file itself was not hashed
here; how far the list goes is said in properties. Names come out of the deposit: they are made
printable and cut, and what is then no name is left out. Source: cyclonedx.org, specification 1.6.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from builders.findings import printable
from builders.orders import Inspection, ManifestEntry, MarkerFile
from escrow.evidence.statements import Stamp
from escrow.verification.outcomes import Outcome
from escrow.verification.parts import DepositFacts

# A statement has to stay readable; the manifest lists every file anyway.
COMPONENTS_MAX = 5_000

NAME_CHARACTERS_MAX = 200

_NAME = re.compile(r"[A-Za-z0-9@][A-Za-z0-9@/._-]{0,199}", re.ASCII)

# PEP 427 and PEP 625: what stands before the first dash is the name, what follows the version.
_WHEEL = re.compile(r"([A-Za-z0-9_.]{1,100})-([A-Za-z0-9_.!+]{1,60})(?:-[A-Za-z0-9_.]+){3,4}\.whl")
_SDIST = re.compile(r"([A-Za-z0-9_.-]{1,100})-([0-9][A-Za-z0-9_.!+]{0,59})\.(?:tar\.gz|zip)")
_PYPI_STORE = re.compile(r"(?:.*/)?deps/pypi/[^/]+")
_NPM_MODULE = re.compile(r"(?:.*/)?node_modules/((?:@[^/]+/)?[^/]+)/package\.json")
# semver.org, version 2: three numbers, then what npm allows behind them.
_NPM_VERSION = re.compile(r"\d{1,20}\.\d{1,20}\.\d{1,20}(?:[-+][A-Za-z0-9.+-]{1,80})?", re.ASCII)
# w3.org/TR/SRI, section 3.5, and SHA-1 of npm's older lock files: from weak to strong.
_SRI = {
    "sha1": (HashAlgorithm.SHA_1, 20),
    "sha256": (HashAlgorithm.SHA_256, 32),
    "sha384": (HashAlgorithm.SHA_384, 48),
    "sha512": (HashAlgorithm.SHA_512, 64),
}
_REQUIREMENT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,99})")


def materials_predicate(stamp: Stamp, deposit: DepositFacts, outcome: Outcome) -> dict[str, Any]:
    """Return the predicate: one CycloneDX document in its JSON form."""
    found = _once(_components(deposit, outcome))
    listed = found[:COMPONENTS_MAX]
    root = Component(name=deposit.id, type=ComponentType.APPLICATION, bom_ref=deposit.id)
    bom = Bom(
        components=listed,
        # The same examination gives the same document, so that a step may be made again.
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"urn:escrow:{outcome.examination_id}"),
        metadata=BomMetaData(
            timestamp=outcome.finished_at,
            component=root,
            properties=[
                Property(name="escrow:environment", value=stamp.environment),
                Property(name="escrow:examination", value=outcome.examination_id),
                *_reach(outcome.inspection, is_cut=len(found) > COMPONENTS_MAX),
            ],
        ),
    )
    bom.register_dependency(root, listed)
    document: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    return document


def _reach(inspection: Inspection | None, *, is_cut: bool) -> Iterator[Property]:
    """Say how far the list goes, so that nobody takes it for more."""
    markers = inspection.markers if inspection else ()
    cut = is_cut or inspection is None or inspection.entries_cut
    cut = cut or any(_parsed(one).get("locked_cut") is True for one in markers)
    yield Property(name="escrow:listed", value="in part" if cut else "every file")
    for marker in markers:
        locked = _parsed(marker).get("packages")
        if isinstance(locked, int):
            yield Property(name="escrow:locked-packages", value=str(locked))


def _components(deposit: DepositFacts, outcome: Outcome) -> Iterator[Component]:
    for part in deposit.parts:
        yield Component(
            name=printable(part.label, NAME_CHARACTERS_MAX),
            type=ComponentType.FILE,
            bom_ref=f"part:{part.id}",
            hashes=_hashes(part.sha256),
        )
    inspection = outcome.inspection
    if inspection is not None:
        yield from (one for entry in inspection.entries if (one := _of_file(entry)) is not None)
        for marker in inspection.markers:
            yield from _of_marker(marker)
            yield from _of_lock(marker)
    for image in outcome.result.images if outcome.result else ():
        yield Component(
            name=image,
            type=ComponentType.CONTAINER,
            bom_ref=image,
            hashes=_hashes(image.removeprefix("sha256:")),
        )


def _of_file(entry: ManifestEntry) -> Component | None:
    """Return the package that a deposited third-party file is; None where it is none."""
    name = entry.path.rpartition("/")[2]
    if _PYPI_STORE.fullmatch(entry.path):
        match = _WHEEL.fullmatch(name) or _SDIST.fullmatch(name)
        if match is not None:
            return _package("pypi", match[1], match[2], _hashes(entry.sha256))
    module = _NPM_MODULE.fullmatch(entry.path)
    return _package("npm", module[1]) if module is not None else None


def _of_marker(marker: MarkerFile) -> Iterator[Component]:
    """Yield the packages that a manifest names; which version is taken, it does not say."""
    parsed = _parsed(marker)
    file = marker.path.rpartition("/")[2]
    kind = "npm" if file == "package.json" else "pypi"
    for member in ("dependencies", "dev_dependencies", "requires", "lines"):
        listed = parsed.get(member)
        for line in listed if isinstance(listed, list) else ():
            text = str(line)
            name = _REQUIREMENT.match(text) if kind == "pypi" else None
            found = _package(kind, name[1] if name else text)
            if found is not None:
                yield found


def _of_lock(marker: MarkerFile) -> Iterator[Component]:
    """Yield the packages that npm's lock file fixes, as the inspector read it in the sandbox."""
    rows = _parsed(marker).get("locked")
    for row in rows if isinstance(rows, list) else ():
        if not isinstance(row, list) or len(row) != 3 or not all(isinstance(x, str) for x in row):
            continue
        name, version, integrity = row
        # A package of a git repository or a folder has its address there: no version.
        if not _NPM_VERSION.fullmatch(version):
            continue
        found = _package("npm", name, version, list(_integrity(integrity)))
        if found is not None:
            found.properties.add(Property(name="escrow:known-from", value="lock file"))
            yield found


def _integrity(text: str) -> Iterator[HashType]:
    """Yield the digests of a text in the form of Subresource Integrity, the strongest last."""
    given = dict(one.partition("-")[::2] for one in text.split())
    for name, (algorithm, size) in _SRI.items():
        try:
            digest = base64.b64decode(given.get(name, "").partition("?")[0], validate=True)
        except binascii.Error:
            continue
        if len(digest) == size:
            yield HashType(alg=algorithm, content=digest.hex())


def _package(
    kind: str, name: str, version: str | None = None, hashes: Sequence[HashType] = ()
) -> Component | None:
    """Return a package, its strongest digest last; None when the name is none."""
    if not _NAME.fullmatch(name):
        return None
    namespace, _, short = name.rpartition("/") if kind == "npm" else ("", "", name)
    purl = PackageURL(kind, namespace or None, short, version)
    return Component(
        name=name,
        type=ComponentType.LIBRARY,
        version=version,
        purl=purl,
        bom_ref=purl.to_string() + (f"#{hashes[-1].content[:16]}" if hashes else ""),
        hashes=hashes,
    )


def _once(components: Iterable[Component]) -> list[Component]:
    """Return each once, by reference; a name without a version only where none has one."""
    by_reference = {str(one.bom_ref.value): one for one in components}
    purls = [one.purl for one in by_reference.values() if one.purl is not None]
    versioned = {(one.type, one.namespace, one.name) for one in purls if one.version}
    return [
        one
        for one in by_reference.values()
        if one.version
        or one.purl is None
        or (one.purl.type, one.purl.namespace, one.purl.name) not in versioned
    ]


def _hashes(sha256: str | None) -> list[HashType]:
    return [HashType(alg=HashAlgorithm.SHA_256, content=sha256)] if sha256 else []


def _parsed(marker: MarkerFile) -> Mapping[str, object]:
    return marker.parsed or {}
