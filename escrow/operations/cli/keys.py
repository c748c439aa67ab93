"""``escrow keys``: a person's own keys, made and kept on that person's machine.

NAME.pem is the Ed25519 signing key (PKCS #8; stock openssl reads it), NAME.age the age identity
for shares or for receiving a release (an age file under the passphrase; stock age opens it),
NAME.public.json the two public halves: what goes into an agreement. On a token
there is NAME.token.json in place of the first two; every command takes it for --key and --identity.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from escrow.ground.errors import InvalidInput
from escrow.operations.cli.output import give
from escrow.operations.cli.secrets import passphrase

if TYPE_CHECKING:
    from escrow.ground.signatures import Signer
    from escrow.vault import age
    from escrow.vault.age_keys import ExchangedIdentity

_AGE_MAGIC = b"age-encryption.org/"
_ON_TOKEN = ".token.json"  # noqa: S105 - the end of a name

AgeIdentity: TypeAlias = "age.X25519Identity | age.HybridIdentity | ExchangedIdentity"

app = typer.Typer(help="Make and show a person's own keys.", no_args_is_help=True)


class KeysExist(InvalidInput):
    """Key files of that name stand already; a key is never overwritten."""

    code = "cli.keys-exist"


class NoSuchKeys(InvalidInput):
    """There are no keys of that name in the folder."""

    code = "cli.no-such-keys"


class BadKeyName(InvalidInput):
    """What the key files are to be called is no name of a file."""

    code = "cli.bad-key-name"


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="What the files are called.")],
    folder: Annotated[Path, typer.Option("--in", help="Where to put them.")] = Path(),
    post_quantum: Annotated[
        bool, typer.Option("--post-quantum", help="An age1pq… recipient (needs age 1.3 to open).")
    ] = False,
    token: Annotated[
        str | None, typer.Option(help="Make both on this PKCS#11 token, by its label.")
    ] = None,
    module: Annotated[
        Path | None, typer.Option(help="The token's library, such as /usr/lib/…/pkcs11.so.")
    ] = None,
) -> None:
    """Make a signing key and an age identity, both under one passphrase, or both on a token.

    Example: escrow keys new ada --in ~/escrow-keys
    """
    if name in ("", ".", "..") or Path(name).name != name:
        raise BadKeyName(
            f"{name!r} is no name for key files.", "Give a plain name; --in says which folder."
        )
    endings = (".pem", ".age", _ON_TOKEN, ".public.json")
    paths = [folder / f"{name}{ending}" for ending in endings]
    if existing := [path for path in paths if path.exists()]:
        raise KeysExist(
            f"{existing[0]} stands already.", "Choose another name; keys are never overwritten."
        )
    folder.mkdir(parents=True, exist_ok=True)
    if token is None and module is None:
        signing, recipient = _in_files(name, paths[0], paths[1], post_quantum)
    else:
        signing, recipient = _on_token(name, paths[2], token, module, post_quantum)
    public = {"name": name, "signing_key": signing, "age_recipient": recipient}
    paths[3].write_text(json.dumps(public, indent=2) + "\n", encoding="utf-8")
    give(public)


def _in_files(name: str, pem: Path, sealed: Path, post_quantum: bool) -> tuple[str, str]:
    from escrow.ground.signatures import SigningKey
    from escrow.vault import age

    secret = passphrase(f"the keys of {name}", confirm=True)
    signing = SigningKey.generate()
    identity = age.new_hybrid_identity() if post_quantum else age.new_x25519_identity()
    signing.write(pem, secret)
    age.write_identity_file(sealed, identity, age.Passphrase(secret) if secret else None)
    return str(signing.public), str(identity.recipient)


def _on_token(
    name: str, path: Path, token: str | None, module: Path | None, post_quantum: bool
) -> tuple[str, str]:
    from escrow.operations.cli.token_keys import TokenKeys

    if token is None or module is None or post_quantum:
        raise BadKeyName(
            "Keys on a token need its label and its library, and are not post-quantum.",
            "Give --token and --module together, without --post-quantum.",
        )
    keys = TokenKeys.make(module, token, name)
    keys.write(path)
    return keys.signing_key, keys.share_recipient


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="What the files are called.")],
    folder: Annotated[Path, typer.Option("--in", help="Where they are.")] = Path(),
) -> None:
    """Print the public halves, as they go into an agreement.

    Example: escrow keys show ada --in ~/escrow-keys
    """
    path = folder / f"{name}.public.json"
    try:
        give(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as problem:
        raise NoSuchKeys(
            f"{path} cannot be read.", "Make the keys with 'escrow keys new'."
        ) from problem


def read_identity(path: Path) -> AgeIdentity:
    """Return the age identity of a file, asking for its passphrase when it has one.

    Raises:
        BadIdentity: no such file, or no identity in it.
        BadTokenFile, TokenUnavailable, TokenPinWrong: it names a token.
        WrongPassphrase: the passphrase does not open it.
    """
    from escrow.vault import age

    if path.name.endswith(_ON_TOKEN):
        from escrow.operations.cli.token_keys import TokenKeys

        return TokenKeys.read(path).identity()
    try:
        with path.open("rb") as file:
            protected = file.read(len(_AGE_MAGIC)) == _AGE_MAGIC
    except OSError:
        protected = False
    return age.read_identity_file(
        path, passphrase(f"the identity {path.name}") if protected else None
    )


def read_signing_key(path: Path) -> Signer:
    """Return the signing key of a file, asking for its passphrase when it has one.

    Raises:
        BadKeyFile: no such file, no key in it, or the passphrase does not open it.
        BadTokenFile, TokenUnavailable, TokenPinWrong: it names a token.
    """
    from escrow.ground.signatures import SigningKey

    if path.name.endswith(_ON_TOKEN):
        from escrow.operations.cli.token_keys import TokenKeys

        return TokenKeys.read(path)
    try:
        protected = b"ENCRYPTED" in path.read_bytes()[:100]
    except OSError:
        protected = False
    return SigningKey.read(path, passphrase(f"the key {path.name}") if protected else None)
