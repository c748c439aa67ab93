"""The two S3 clients of one bucket, and what their failures mean; the only door to both libraries.

Writes go by boto3, since only there a multipart upload's completion can be conditional, and a
retention part of the request that makes the object. Reads go by obstore, which holds no GIL.
Both repeat what the server or the line failed at; what is left after that is *unavailable*, never
*missing*: absence is only what the server itself says (404).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

import boto3  # type: ignore[import-untyped]
import botocore.exceptions  # type: ignore[import-untyped]
import botocore.parsers  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from obstore.exceptions import BaseError
from obstore.store import S3Store

from escrow.ground.storage_settings import S3Settings
from escrow.vault.errors import BlobStoreUnavailable

# Five tries with growing pauses ride over a minute of 5xx; a request of ours lasts no longer.
MAX_ATTEMPTS: Final = 6
CONNECT_SECONDS: Final = 5.0
# Without one byte for so long a connection is dead; a part of 8 MiB passes slow lines in it.
SILENCE_SECONDS: Final = 30.0
# Over all repetitions of a read; below the five minutes that a signature is good for.
RETRY_SECONDS: Final = 60.0

_MISSING = frozenset({"404", "NoSuchKey", "NotFound", "NoSuchUpload"})
_EXISTS = frozenset({"412", "PreconditionFailed", "409", "ConditionalRequestConflict"})


class ObjectMissing(Exception):
    """The server says that there is no such object."""


class ObjectExists(Exception):
    """The server says that there is an object of this name already, or one is being made."""


class Bucket:
    """One bucket, by both clients.

    Args:
        settings: the access key is read from its file here.
        silence_seconds: another patience, for tests of failing servers.
    """

    def __init__(self, settings: S3Settings, *, silence_seconds: float = SILENCE_SECONDS) -> None:
        key = settings.credentials()
        self.settings = settings
        self.name = settings.bucket
        config = Config(
            # Path style: a bucket's name in the host needs a wildcard certificate, which stores
            # of one's own seldom have; AWS takes both.
            s3={"addressing_style": "path"},
            retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
            connect_timeout=CONNECT_SECONDS,
            read_timeout=silence_seconds,
            # We send SHA-256 of each part ourselves.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        self.writing: Any = boto3.client(
            "s3",
            endpoint_url=settings.endpoint,
            region_name=settings.region,
            aws_access_key_id=key.access_key_id,
            aws_secret_access_key=key.secret_access_key,
            verify=str(settings.ca_file) if settings.ca_file else None,
            config=config,
        )
        self.reading = S3Store(
            settings.bucket,
            config={
                "endpoint": settings.endpoint,
                "region": settings.region,
                "access_key_id": key.access_key_id,
                "secret_access_key": key.secret_access_key,
                "virtual_hosted_style_request": False,
            },
            client_options={
                "allow_http": settings.endpoint.startswith("http://"),
                "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
                "read_timeout": timedelta(seconds=silence_seconds),
                "timeout": timedelta(seconds=RETRY_SECONDS),
                **({"root_certificate": settings.ca_file.read_bytes()} if settings.ca_file else {}),
            },
            retry_config={
                "max_retries": MAX_ATTEMPTS - 1,
                "retry_timeout": timedelta(seconds=RETRY_SECONDS),
                "backoff": {
                    "init_backoff": timedelta(milliseconds=100),
                    "max_backoff": timedelta(seconds=10),
                    "base": 2,
                },
            },
        )


@contextmanager
def asking(bucket: Bucket) -> Iterator[None]:
    """Turn the clients' errors into what they mean.

    Raises:
        ObjectMissing, ObjectExists: the server says so.
        BlobStoreUnavailable: everything else, refused access too: a wrong key today loses nothing.
    """
    try:
        yield
    except botocore.exceptions.ClientError as problem:
        code = str(problem.response.get("Error", {}).get("Code", ""))
        if code in _MISSING:
            raise ObjectMissing from problem
        if code in _EXISTS:
            raise ObjectExists from problem
        raise _unavailable(bucket, code) from problem
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.HTTPClientError) as problem:
        raise _unavailable(bucket, type(problem).__name__) from problem
    except (botocore.parsers.ResponseParserError, KeyError) as problem:
        # A 200 that is no answer of S3: a proxy's page, or one with something left out.
        raise _unavailable(bucket, "no answer of S3") from problem
    except FileNotFoundError as problem:
        # obstore's word for a 404.
        raise ObjectMissing from problem
    except (BaseError, PermissionError, OSError) as problem:
        raise _unavailable(bucket, type(problem).__name__) from problem


def _unavailable(bucket: Bucket, what: str) -> BlobStoreUnavailable:
    # The libraries' own sentences hold addresses and request ids, and are kept as the cause.
    return BlobStoreUnavailable(
        f"The bucket {bucket.name} did not do its part ({what}).",
        "Try again; if it stays, the operator has to look at the store and its access key.",
    )
