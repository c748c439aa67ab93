"""Where sealed payloads rest and where their second copy does: settings of the two stores.

Credentials come from a file and from nowhere else, read anew when a store is opened. The second
copy is of use against an account that is lost or taken over only where its account is another;
that is looked at as far as settings can tell.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from escrow.ground import setting_values as form
from escrow.ground.errors import Refused
from escrow.ground.setting_values import Spec

StoreKind = Literal["files", "s3"]
LockMode = Literal["none", "governance", "compliance"]

# Ten years: longer is a slip of the hand, and under compliance nobody can take it back.
MAX_LOCK_DAYS = 3650

# Two keys of some forty characters; more is some other file.
_MAX_CREDENTIALS_BYTES = 4096


class StoreIncomplete(Refused):
    """A store is chosen, and something without which it cannot be used is not set."""

    code = "settings.store-incomplete"


class BadStoreCredentials(Refused):
    """The file of a store's credentials is missing, unreadable, or has another form."""

    code = "settings.bad-store-credentials"


@dataclass(frozen=True)
class S3Credentials:
    """The two halves of an access key; the secret is in no representation."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


@dataclass(frozen=True)
class S3Settings:
    """One bucket and how it is reached."""

    endpoint: str
    region: str
    bucket: str
    credentials_file: Path
    ca_file: Path | None
    lock: LockMode
    lock_days: int

    def credentials(self) -> S3Credentials:
        """Read the access key.

        Raises:
            BadStoreCredentials: the file has another form.
        """
        try:
            with self.credentials_file.open("rb") as file:
                found = tomllib.loads(file.read(_MAX_CREDENTIALS_BYTES).decode())
            return S3Credentials(str(found["access_key_id"]), str(found["secret_access_key"]))
        except (OSError, ValueError, KeyError) as problem:
            raise BadStoreCredentials(
                f"{self.credentials_file} does not give the access key of {self.bucket}.",
                'Write access_key_id = "…" and secret_access_key = "…" into it, and chmod 600 it.',
            ) from problem


@dataclass(frozen=True)
class StoragePlan:
    """The two stores; ``primary`` and ``replica`` are a folder, a bucket, or (replica) nothing."""

    primary: Path | S3Settings
    staging: Path
    replica: Path | S3Settings | None
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class StorageFields:
    """What :class:`escrow.ground.settings.Settings` has of the stores."""

    blobs: Path
    blob_store: StoreKind
    s3_endpoint: str | None
    s3_region: str
    s3_bucket: str | None
    s3_credentials_file: Path | None
    s3_ca_file: Path | None
    s3_lock: LockMode
    s3_lock_days: int
    replica: StoreKind | Literal["none"]
    replica_folder: Path | None
    replica_s3_endpoint: str | None
    replica_s3_region: str
    replica_s3_bucket: str | None
    replica_s3_credentials_file: Path | None
    replica_s3_ca_file: Path | None
    replica_s3_lock: LockMode
    replica_s3_lock_days: int

    @property
    def storage(self) -> StoragePlan:
        """The two stores.

        Raises:
            StoreIncomplete: one is chosen, and something that it needs is not set.
        """
        primary = self.blobs if self.blob_store == "files" else self._bucket("s3_")
        replica: Path | S3Settings | None = None
        if self.replica == "s3":
            replica = self._bucket("replica_s3_")
        elif self.replica == "files":
            if self.replica_folder is None:
                raise _incomplete("replica_folder")
            replica = self.replica_folder
        return StoragePlan(primary, self.blobs, replica, _warnings(primary, replica))

    def _bucket(self, prefix: str) -> S3Settings:
        values = {
            name: getattr(self, prefix + name)
            for name in (
                "endpoint",
                "region",
                "bucket",
                "credentials_file",
                "ca_file",
                "lock",
                "lock_days",
            )
        }
        for name in ("endpoint", "bucket", "credentials_file"):
            if values[name] is None:
                raise _incomplete(prefix + name)
        if values["lock"] != "none" and not values["lock_days"]:
            raise _incomplete(prefix + "lock_days")
        return S3Settings(**values)


def _incomplete(name: str) -> StoreIncomplete:
    variable = form.PREFIX + name.upper()
    return StoreIncomplete(
        f"A store for payloads is chosen, and {variable} is not set.",
        f"Set {variable}; 'escrow config check' explains each setting.",
    )


def _warnings(primary: Path | S3Settings, replica: Path | S3Settings | None) -> tuple[str, ...]:
    if replica is None:
        return (
            "Payloads have no second copy (ESCROW_REPLICA): one lost disk or account loses them, "
            "and a scrub can find damage but not mend it.",
        )
    if (
        isinstance(primary, S3Settings)
        and isinstance(replica, S3Settings)
        and (primary.endpoint, primary.credentials_file)
        == (replica.endpoint, replica.credentials_file)
    ):
        return ("Both copies of the payloads are in one account: whoever owns it can remove both.",)
    return ()


def _s3_specs(prefix: str, what: str) -> tuple[Spec, ...]:
    def default(value: object) -> Callable[[Mapping[str, Any]], object]:
        return lambda _: value

    return (
        Spec(
            prefix + "endpoint",
            lambda value: None if value == "" else form.http_url(value),
            default(None),
            f"the S3 service of {what}, such as https://s3.eu-central-1.example.org",
        ),
        Spec(prefix + "region", form.text, default("us-east-1"), f"the region of {what}"),
        Spec(prefix + "bucket", form.optional_text, default(None), f"the bucket of {what}"),
        Spec(
            prefix + "credentials_file",
            form.optional_path,
            default(None),
            f"a TOML file with access_key_id and secret_access_key for {what}",
        ),
        Spec(
            prefix + "ca_file",
            form.optional_path,
            default(None),
            f"certificates (PEM) that the server of {what} is checked against",
        ),
        Spec(
            prefix + "lock",
            form.one_of(*get_args(LockMode)),
            default("none"),
            f"Object Lock on the payloads of {what}: none, governance or compliance",
        ),
        Spec(
            prefix + "lock_days",
            form.integer(0, MAX_LOCK_DAYS),
            default(0),
            "for how many days a payload is locked from its arrival",
        ),
    )


def _blobs(known: Mapping[str, Any]) -> Path:
    home: Path = known["home"]
    return home / "blobs"


STORAGE_SPECS: tuple[Spec, ...] = (
    Spec("blobs", form.path, _blobs, "where sealed parts are stored, or only staged (S3)"),
    Spec(
        "blob_store",
        form.one_of(*get_args(StoreKind)),
        lambda _: "files",
        "files (in ESCROW_BLOBS) or s3",
    ),
    *_s3_specs("s3_", "the store"),
    Spec(
        "replica",
        form.one_of("none", *get_args(StoreKind)),
        lambda _: "none",
        "where the second copy of everything sealed is kept: none, files or s3; the worker's",
    ),
    Spec(
        "replica_folder",
        form.optional_path,
        lambda _: None,
        "the second copy's folder, on another disk or machine",
    ),
    *_s3_specs("replica_s3_", "the second copy"),
)
