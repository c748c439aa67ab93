"""Keys on a PKCS#11 token (smart card, HSM, SoftHSM): used there, never read out; the only door.

Guarantees: no key that is made here can be exported; calls of one token follow each other; a
module that hangs gives :class:`TokenUnavailable` after the timeout, not a hung program. It does
not decide what a key is for.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass
from pkcs11.exceptions import PinIncorrect, PKCS11Error, UserAlreadyLoggedIn
from pkcs11.mechanisms import GCMParams

from escrow.ground.errors import InvalidInput, NotFound, Refused, Tampered, Unavailable

T = TypeVar("T")

# Time of one call; a network HSM answers in tens of milliseconds, a smart card in a second.
DEFAULT_TIMEOUT_SECONDS = 10.0

TAG_BITS: Final = 128
_AES_BITS: Final = 256
_SHARED_BITS: Final = 256
# The curves by name, as PrintableString: RFC 8410 object ids came to tokens only later.
_ED25519: Final = b"\x13\x0cedwards25519"
_X25519: Final = b"\x13\x0acurve25519"
_RAW_POINT_BYTES: Final = 32
_APPLICATION: Final = "escrow"


class TokenUnavailable(Unavailable):
    """The token, or the library that leads to it, does not answer."""

    code = "token.unavailable"


class TokenPinWrong(InvalidInput):
    """The token did not take the PIN; after a few more it locks itself."""

    code = "token.pin-wrong"


class TokenKeyMissing(NotFound):
    """There is no key of this label on the token."""

    code = "token.key-missing"


class TokenKeyExists(Refused):
    """A key of this label is on the token already, or was."""

    code = "token.key-exists"


class TokenKeyDoubled(Tampered):
    """Two keys on the token have one label; whoever made the second may mean to exchange it."""

    code = "token.key-doubled"


class TokenRefusedData(Tampered):
    """The token works, and does not take what it should decrypt: it was changed."""

    code = "token.refused-data"


class Token:
    """One token behind one library; every call runs on a thread of its own, one at a time.

    Args:
        module: the library.
        label: of the token.
        pin: gives the user's PIN when the token is opened; it is not kept.
        timeout_seconds: of one call.
    """

    def __init__(
        self,
        module: Path,
        label: str,
        pin: Callable[[], str],
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> None:
        self._module, self._label, self._pin = module, label, pin
        self._timeout = timeout_seconds
        self._session: Any = None
        self._calls: queue.Queue[Callable[[], None]] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._busy = threading.Lock()

    # --- keys that seal (AES-256-GCM) ---------------------------------------------------------

    def make_secret_key(self, label: str, gone: str) -> None:
        """Make an AES key on the token that never leaves it.

        Args:
            label: of the key.
            gone: label of the note that says that such a key was destroyed.

        Raises:
            TokenKeyExists: there is one, or a note that there was.
        """

        def make() -> None:
            if self._found(ObjectClass.SECRET_KEY, label) or self._found(ObjectClass.DATA, gone):
                raise _exists(label)
            self._opened().generate_key(
                KeyType.AES,
                _AES_BITS,
                label=label,
                store=True,
                capabilities=MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT,
                template=_NEVER_LEAVES,
            )

        self._run(make)

    def has_secret_key(self, label: str) -> bool:
        """Tell whether there is a key of this label."""
        return self._run(lambda: bool(self._found(ObjectClass.SECRET_KEY, label)))

    def count(self, label: str, note: str) -> tuple[int, int]:
        """Return how many secret keys of one label, and notes of another, the token lists."""
        return self._run(
            lambda: (
                len(self._found(ObjectClass.SECRET_KEY, label)),
                len(self._found(ObjectClass.DATA, note)),
            )
        )

    def describe(self) -> str:
        """Return which token this is, by its own account: label, maker, model, serial number."""

        def ask() -> str:
            token = self._opened().token
            serial = bytes(token.serial).decode("ascii", "replace")
            named = f"{token.manufacturer_id} {token.model}, serial {serial}"
            return f"PKCS#11 token {token.label} ({named})"

        return self._run(ask)

    def has_note(self, label: str) -> bool:
        """Tell whether there is a note of this label."""
        return self._run(lambda: bool(self._found(ObjectClass.DATA, label)))

    def encrypt(self, label: str, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        """Return AES-256-GCM's ciphertext and tag.

        Raises:
            TokenKeyMissing, TokenKeyDoubled: not exactly one such key.
        """
        return self._run(lambda: self._gcm(label, nonce, plaintext, aad))

    def decrypt(self, label: str, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
        """Return what was encrypted.

        Raises:
            TokenRefusedData: changed, or other ``aad``, while the token and the key work.
            TokenKeyMissing, TokenKeyDoubled: not exactly one such key.
        """

        def act() -> bytes:
            key = self._one(ObjectClass.SECRET_KEY, label)
            parameters = GCMParams(nonce, aad, TAG_BITS)
            try:
                plaintext: bytes = key.decrypt(
                    sealed, mechanism=Mechanism.AES_GCM, mechanism_param=parameters
                )
            except PKCS11Error:
                # Libraries name a wrong tag differently, some as a general error. One that
                # encrypts with the same key in the next moment works, so the data is at fault.
                self._gcm(label, nonce, b"", b"probe")
                raise TokenRefusedData(
                    "A value sealed by the token was changed, or belongs to something else.",
                    "Do not use it; restore it from a replica.",
                ) from None
            return plaintext

        return self._run(act)

    def destroy_secret_key(self, label: str, gone: str) -> None:
        """Leave a note, then destroy the key; a second time changes nothing.

        The note comes first: a crash in between leaves a key that is refused already.

        Raises:
            TokenKeyMissing: neither key nor note is there.
        """

        def act() -> None:
            keys = self._found(ObjectClass.SECRET_KEY, label)
            is_noted = bool(self._found(ObjectClass.DATA, gone))
            if not keys and not is_noted:
                raise _missing(label)
            if not is_noted:
                self._opened().create_object(
                    {
                        Attribute.CLASS: ObjectClass.DATA,
                        Attribute.LABEL: gone,
                        Attribute.APPLICATION: _APPLICATION,
                        Attribute.VALUE: b"destroyed",
                        Attribute.TOKEN: True,
                        Attribute.PRIVATE: True,
                    }
                )
            for key in keys:
                key.destroy()

        self._run(act)

    # --- a person's keys (Ed25519, X25519) ----------------------------------------------------

    def make_signing_key(self, label: str) -> bytes:
        """Make an Ed25519 key pair on the token and return the public half, 32 bytes."""
        return self._run(lambda: self._make_pair(label, _ED25519, MechanismFlag.SIGN))

    def make_exchange_key(self, label: str) -> bytes:
        """Make an X25519 key pair on the token and return the public half, 32 bytes."""
        return self._run(lambda: self._make_pair(label, _X25519, MechanismFlag.DERIVE))

    def public_key(self, label: str) -> bytes:
        """Return the public half of a pair."""
        return self._run(lambda: _raw(self._one(ObjectClass.PUBLIC_KEY, label)))

    def sign(self, label: str, message: bytes) -> bytes:
        """Return the Ed25519 signature over the message, made on the token."""

        def act() -> bytes:
            key = self._one(ObjectClass.PRIVATE_KEY, label)
            signature: bytes = key.sign(message, mechanism=Mechanism.EDDSA)
            return signature

        return self._run(act)

    def exchange(self, label: str, share: bytes) -> bytes:
        """Return the X25519 shared secret with another's public share; the private half stays."""

        def act() -> bytes:
            key = self._one(ObjectClass.PRIVATE_KEY, label)
            derived = key.derive_key(
                KeyType.GENERIC_SECRET,
                _SHARED_BITS,
                mechanism=Mechanism.ECDH1_DERIVE,
                mechanism_param=(pkcs11.KDF.NULL, None, share),
                # What is derived opens one file; it is read out, and gone with the session.
                template={Attribute.SENSITIVE: False, Attribute.EXTRACTABLE: True},
            )
            secret: bytes = derived[Attribute.VALUE]
            derived.destroy()
            return secret

        return self._run(act)

    def close(self) -> None:
        """Log out; a call afterwards opens the token again."""
        if self._session is not None:
            self._run(self._forget)

    # --- on the token's thread ----------------------------------------------------------------

    def _gcm(self, label: str, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        key = self._one(ObjectClass.SECRET_KEY, label)
        parameters = GCMParams(nonce, aad, TAG_BITS)
        sealed: bytes = key.encrypt(
            plaintext, mechanism=Mechanism.AES_GCM, mechanism_param=parameters
        )
        return sealed

    def _make_pair(self, label: str, curve: bytes, use: MechanismFlag) -> bytes:
        if self._found(ObjectClass.PRIVATE_KEY, label):
            raise _exists(label)
        parameters = self._opened().create_domain_parameters(
            KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: curve}, local=True
        )
        public, _ = parameters.generate_keypair(
            mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
            store=True,
            label=label,
            capabilities=use,
            private_template=_NEVER_LEAVES,
        )
        return _raw(public)

    def _one(self, kind: ObjectClass, label: str) -> Any:  # noqa: ANN401 - the library's own type
        found = self._found(kind, label)
        if not found:
            raise _missing(label)
        if len(found) > 1:
            raise TokenKeyDoubled(
                f"Two keys on the token are called {label}.",
                "Use neither; find out with the token's own tools who made the second.",
            )
        return found[0]

    def _found(self, kind: ObjectClass, label: str) -> list[Any]:
        asked = {Attribute.CLASS: kind, Attribute.LABEL: label}
        return list(self._opened().get_objects(asked))

    def _opened(self) -> Any:  # noqa: ANN401 - the library's own type
        if self._session is None:
            token = pkcs11.lib(str(self._module)).get_token(token_label=self._label)
            try:
                self._session = token.open(user_pin=self._pin(), rw=True)
            except UserAlreadyLoggedIn:
                # A token knows the program, not the session: another one of ours logged in.
                self._session = token.open(rw=True)
        return self._session

    def _forget(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _run(self, act: Callable[[], T]) -> T:
        """Run on the token's thread; what does not come back in time is not waited for."""
        if not self._busy.acquire(timeout=self._timeout):
            raise self._silent()
        answer: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue()

        def call() -> None:
            # Released when the library is back, however late: until then nobody else may call it.
            try:
                with self._told():
                    answer.put((act(), None))
            except BaseException as problem:
                answer.put((None, problem))
            finally:
                self._busy.release()

        self._start()
        self._calls.put(call)
        try:
            result, problem = answer.get(timeout=self._timeout)
        except queue.Empty:
            raise self._silent() from None
        if problem is not None:
            raise problem
        return result  # type: ignore[return-value]  # only None where T is

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn the library's errors into ours; the next call opens the token anew."""
        try:
            yield
        except PinIncorrect as problem:
            self._session = None
            raise TokenPinWrong(
                f"The token {self._label} did not take the PIN.",
                "Check the PIN before you try again: the token locks after a few wrong ones.",
            ) from problem
        except (PKCS11Error, RuntimeError) as problem:
            self._session = None
            raise TokenUnavailable(
                f"The token {self._label} does not work: {type(problem).__name__}.",
                f"Check that the token is there and that {self._module} is its library.",
            ) from problem

    def _start(self) -> None:
        # A daemon: a library that never comes back must not keep the program from ending.
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="pkcs11", daemon=True)
            self._thread.start()

    def _serve(self) -> None:
        while True:
            self._calls.get()()

    def _silent(self) -> TokenUnavailable:
        return TokenUnavailable(
            f"The token {self._label} did not answer within {self._timeout:g} seconds.",
            "Check the token and its connection; try again.",
        )


_NEVER_LEAVES = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}


def read_pin(path: Path) -> str:
    """Return the PIN that a file holds.

    Raises:
        TokenUnavailable: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as problem:
        raise TokenUnavailable(
            f"The PIN's file {path} cannot be read.", "Make it, readable for its user alone."
        ) from problem


def _raw(public: Any) -> bytes:  # noqa: ANN401 - the library's own type
    # An OCTET STRING around the point, or the point alone: tokens differ.
    return bytes(public[Attribute.EC_POINT])[-_RAW_POINT_BYTES:]


def _exists(label: str) -> TokenKeyExists:
    return TokenKeyExists(
        f"A key {label} is or was on the token.", "Choose another name; keys are never replaced."
    )


def _missing(label: str) -> TokenKeyMissing:
    return TokenKeyMissing(
        f"There is no key {label} on the token.", "Check the name, and that it is the right token."
    )
