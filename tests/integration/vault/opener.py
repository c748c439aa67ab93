"""An opener written from docs/protocol/sealing.md alone: opener.py JOB.json

It imports nothing of this repository: primitives out of ``cryptography``, and the stock program
``zstd``. Kept as the proof that the page suffices, so where the page changes this does too.

JOB.json: ``{"record", "binding", "key_file", "share_files", "agents", "recipient", "payload",
"manifest", "to"}``: a header record of Lock A and B (base64), the file key manager's file for its
key, share files (base64) with the agents' secret keys, the payload's path, and what the manifest
says of the part. It writes the part to ``to``, or nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

SEALED_CHUNK = 65_536 + 16


def jcs(value: dict[str, Any]) -> bytes:
    """Canonical JSON of ASCII texts and integers."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def hkdf(ikm: bytes, salt: bytes | None, info: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=info).derive(ikm)


def open_aead(key: bytes, nonce: bytes, sealed: bytes, aad: bytes | None = None) -> bytes:
    return ChaCha20Poly1305(key).decrypt(nonce, sealed, aad)


# --- keys -----------------------------------------------------------------------------------------


def bech32(text: str) -> tuple[str, bytes]:
    alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    prefix, _, data = text.lower().rpartition("1")
    # The checksum's six characters are passed over; a wrong key opens nothing.
    bits = "".join(f"{alphabet.index(char):05b}" for char in data[:-6])
    whole = len(bits) // 8 * 8
    return prefix, int(bits[:whole], 2).to_bytes(whole // 8, "big")


def raw_public(private: X25519PrivateKey) -> bytes:
    return private.public_key().public_bytes_raw()


class Hybrid:
    """X-Wing out of a 32-byte seed."""

    def __init__(self, seed: bytes) -> None:
        stretched = hashlib.shake_256(seed).digest(96)
        self.mlkem = MLKEM768PrivateKey.from_seed_bytes(stretched[:64])
        self.x25519 = X25519PrivateKey.from_private_bytes(stretched[64:])

    def recipient(self) -> bytes:
        return self.mlkem.public_key().public_bytes_raw() + raw_public(self.x25519)

    def decapsulate(self, enc: bytes) -> bytes:
        post_quantum, share = self.mlkem.decapsulate(enc[:1088]), enc[1088:]
        classical = self.x25519.exchange(X25519PublicKey.from_public_bytes(share))
        combined = post_quantum + classical + share + raw_public(self.x25519) + b"\\.//^\\"
        return hashlib.sha3_256(combined).digest()


def open_hpke(shared: bytes, info: bytes, sealed: bytes) -> bytes:
    """RFC 9180, base mode, one message, no additional data."""
    suite = b"HPKE" + bytes.fromhex("647a00010003")

    def extract(salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + ikm, "sha256")

    def expand(secret: bytes, label: bytes, context: bytes, size: int) -> bytes:
        labelled = size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + context
        return HKDFExpand(hashes.SHA256(), size, labelled).derive(secret)

    context = b"\0" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", info)
    secret = extract(shared, b"secret", b"")
    nonce = expand(secret, b"base_nonce", context, 12)
    return open_aead(expand(secret, b"key", context, 32), nonce, sealed)


# --- age ------------------------------------------------------------------------------------------


def unb64raw(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))


def open_header(header: bytes, key: X25519PrivateKey | Hybrid) -> bytes:
    """Return the file key of a header with one stanza."""
    version, stanza, *body, end, rest = header.decode().split("\n")
    arrow, kind, share = stanza.split(" ")
    if (version, arrow, rest) != ("age-encryption.org/v1", "->", ""):
        raise ValueError("not an age header")
    sealed, enc = unb64raw("".join(body)), unb64raw(share)
    if isinstance(key, Hybrid) and kind == "mlkem768x25519":
        shared = key.decapsulate(enc)
        file_key = open_hpke(shared, b"age-encryption.org/mlkem768x25519", sealed)
    elif isinstance(key, X25519PrivateKey) and kind == "X25519":
        shared = key.exchange(X25519PublicKey.from_public_bytes(enc))
        wrap = hkdf(shared, enc + raw_public(key), b"age-encryption.org/v1/X25519")
        file_key = open_aead(wrap, bytes(12), sealed)
    else:
        raise ValueError("sealed to another kind of key")
    dashes, mac = end.split(" ")
    covered = header[: header.rindex(b"---") + 3]
    if dashes != "---" or not hmac.compare_digest(
        hmac.digest(hkdf(file_key, None, b"header"), covered, "sha256"), unb64raw(mac)
    ):
        raise ValueError("the header was changed")
    return file_key


def open_payload(payload: bytes, file_key: bytes) -> bytes:
    key = hkdf(file_key, payload[:16], b"payload")
    chunks = [payload[at : at + SEALED_CHUNK] for at in range(16, len(payload), SEALED_CHUNK)]
    pieces = [
        open_aead(key, index.to_bytes(11, "big") + bytes([index == len(chunks) - 1]), chunk)
        for index, chunk in enumerate(chunks)
    ]
    if not pieces or (len(pieces) > 1 and not pieces[-1]):
        raise ValueError("no chunk, or an empty last one")
    return b"".join(pieces)


def open_age(file: bytes, secret: str) -> bytes:
    """Open a whole age file with a secret key text."""
    prefix, raw = bech32(secret)
    is_hybrid = prefix == "age-secret-key-pq-"
    key = Hybrid(raw) if is_hybrid else X25519PrivateKey.from_private_bytes(raw)
    cut = file.index(b"\n", file.index(b"\n--- ") + 1) + 1
    return open_payload(file[cut:], open_header(file[:cut], key))


# --- the two locks --------------------------------------------------------------------------------


def multiply(a: int, b: int) -> int:
    product = 0
    for _ in range(8):
        product ^= a if b & 1 else 0
        a = (a << 1) ^ (0x11B if a & 0x80 else 0)
        b >>= 1
    return product


def combine(shares: list[bytes]) -> bytes:
    secret = bytearray(len(shares[0]) - 1)
    for share in shares:
        weight = 1
        for other in shares:
            if other is not share:
                below = other[-1] ^ share[-1]
                inverse = next(x for x in range(1, 256) if multiply(x, below) == 1)
                weight = multiply(weight, multiply(other[-1], inverse))
        for place in range(len(secret)):
            secret[place] ^= multiply(share[place], weight)
    return bytes(secret)


def open_lock_b(record: bytes, key_file: dict[str, str], binding: dict[str, Any]) -> bytes:
    aad = key_file["key_id"].encode() + b"\0" + b"escrow-header-record/1" + b"\0" + jcs(binding)
    if record[0] != 1 or key_file["format"] != "escrow-file-key/1":
        raise ValueError("another version of record or key file")
    return AESGCM(base64.b64decode(key_file["key"])).decrypt(record[1:13], record[13:], aad)


def open_lock_a(job: dict[str, Any]) -> Hybrid:
    files = zip(job["share_files"], job["agents"], strict=True)
    opened = [json.loads(open_age(base64.b64decode(file), agent)) for file, agent in files]
    key = Hybrid(combine([base64.b64decode(one["share"]) for one in opened]))
    if key.recipient() != bech32(job["recipient"])[1]:
        raise ValueError("these shares do not give the agreement's sealing key")
    return key


def main(job: dict[str, Any]) -> None:
    key_file = json.loads(Path(job["key_file"]).read_text())
    header = open_lock_b(base64.b64decode(job["record"]), key_file, job["binding"])
    payload, manifest = Path(job["payload"]).read_bytes(), job["manifest"]
    if hashlib.sha256(payload).hexdigest() != manifest["payload_sha256"]:
        raise ValueError("another payload than the manifest names")
    part = open_payload(payload, open_header(header, open_lock_a(job)))
    if manifest["encoding"] == "zstd":
        command = ["zstd", "-dcq"]
        part = subprocess.run(command, input=part, stdout=subprocess.PIPE, check=True).stdout
    if hashlib.sha256(part).hexdigest() != manifest["sha256"]:
        raise ValueError("another part than the manifest names")
    Path(job["to"]).write_bytes(part)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
