"""Findings about what was deposited: opening it, what is in it, what the terms ask for."""

from __future__ import annotations

from builders.finding_types import FindingType

# A git bundle, like a push, carries neither submodules nor LFS objects; a tar of the files does.
AS_FILES = (
    "deposit the files themselves: 'tar --exclude=.git -cf ../source.tar .', then 'escrow deposit "
    "send VENDOR/PRODUCT --source ../source.tar'"
)

UNPACKING = (
    FindingType(
        "E-UNPACK-UNREADABLE",
        "A part cannot be opened",
        "fail",
        "The part '{part}' cannot be opened as {media}: {problem}.",
        "Make the archive or bundle again, test it where it was made, and deposit it again.",
    ),
    FindingType(
        "E-UNPACK-FORMAT",
        "A part has a format that is not opened here",
        "warn",
        "The part '{part}' is {media}, which is kept and hashed but not opened here.",
        "Deposit it as tar (plain, gz, bz2, xz or zst), zip or git.",
        untested=True,
    ),
    FindingType(
        "E-UNPACK-UNSAFE-NAME",
        "An archive holds names that would leave its folder",
        "fail",
        "The part '{part}' holds {count} member(s) whose names or link targets leave the archive's "
        "folder: {examples}.",
        "Make the archive from inside the project's folder, with relative names and no '..'.",
    ),
    FindingType(
        "E-UNPACK-SPECIAL-FILE",
        "An archive holds devices, pipes or other special files",
        "fail",
        "The part '{part}' holds {count} member(s) that are no files, folders or links: "
        "{examples}.",
        "Leave devices, sockets and pipes out of the archive.",
    ),
    FindingType(
        "E-UNPACK-BOMB",
        "An archive unpacks to far more than it should",
        "fail",
        "The part '{part}' was given up while unpacking: {problem}.",
        "Deposit the files themselves, without archives that swell out of all proportion.",
    ),
    FindingType(
        "E-UNPACK-TOO-LARGE",
        "The deposit is larger than this installation can unpack",
        "warn",
        "Unpacking the part '{part}' stopped at this installation's limit: {problem}.",
        "Ask the operator for a larger workspace, or deposit data apart from the source.",
        untested=True,
    ),
    FindingType(
        "E-UNPACK-CLIENT-SEALED",
        "A part was sealed by its vendor: received, not verifiable",
        "warn",
        "The part '{part}' is client-sealed and was not opened: received, not verifiable.",
        "Deposit it without sealing it first; it is sealed when it arrives, and verified.",
        untested=True,
    ),
    FindingType(
        "E-UNPACK-DUPLICATE",
        "An archive holds the same name more than once",
        "warn",
        "The part '{part}' holds {count} name(s) more than once; the last one counts: {examples}.",
        "Make the archive anew instead of adding to it.",
    ),
    FindingType(
        "E-UNPACK-NO-SOURCE",
        "The deposit holds no source",
        "fail",
        "None of the parts of this deposit is source, or the source is empty.",
        "Push the repository, or deposit its folder: 'escrow deposit send VENDOR/PRODUCT --source "
        ".'.",
    ),
)

INVENTORY = (
    FindingType(
        "E-INVENTORY-SUBMODULE-MISSING",
        "A git submodule is not in the deposit",
        "fail",
        "{count} submodule(s) are named but their content is not deposited: {examples}.",
        f"Run 'git submodule update --init --recursive' and {AS_FILES}; or commit the submodule's "
        "files in its place and push.",
    ),
    FindingType(
        "E-INVENTORY-LFS-POINTER",
        "A file is only a Git LFS pointer",
        "fail",
        "{count} file(s) are Git LFS pointers, the objects themselves were not pushed: {examples}.",
        f"A push carries no LFS objects: run 'git lfs pull' and {AS_FILES}.",
    ),
    FindingType(
        "E-INVENTORY-ENCRYPTED-PART",
        "A part is encrypted",
        "fail",
        "The part '{part}' is itself encrypted ({method}); the beneficiary could not open it.",
        "Deposit it unencrypted: it is sealed for the beneficiary on arrival.",
    ),
    FindingType(
        "E-INVENTORY-ENCRYPTED",
        "The deposit holds encrypted files",
        "warn",
        "{count} file(s) are encrypted and cannot be examined: {examples}.",
        "Deposit them unencrypted, or give the beneficiary the passwords as a credentials part.",
    ),
    FindingType(
        "E-INVENTORY-TRUNCATED-PART",
        "A part breaks off or is damaged",
        "fail",
        "The part '{part}' breaks off or is damaged: {problem}.",
        "Make the file again, test it (gzip -t, xz -t, unzip -t), and deposit it again.",
    ),
    FindingType(
        "E-INVENTORY-TRUNCATED",
        "The deposit holds compressed files that are damaged",
        "warn",
        "{count} compressed file(s) break off or are damaged: {examples}.",
        "Replace them if they are needed; test data that is broken on purpose may stay.",
    ),
    FindingType(
        "E-INVENTORY-NAME-COLLISION",
        "Names that differ only by case or spelling",
        "warn",
        "{count} name(s) become one on systems that ignore case or normalise names: {examples}.",
        "Rename one of each pair, or state in the docs that a case-sensitive system is needed.",
    ),
    FindingType(
        "E-INVENTORY-ODD-NAME",
        "Names that other systems cannot hold or show",
        "warn",
        "{count} name(s) hold control characters, bytes that are no UTF-8, or are reserved "
        "elsewhere: {examples}.",
        "Rename these files.",
    ),
    FindingType(
        "E-INVENTORY-LINK-OUTSIDE",
        "A symbolic link points outside the deposit",
        "warn",
        "{count} link(s) point outside the deposited folder: {examples}.",
        "Replace each link by the file that it stands for.",
    ),
    FindingType(
        "E-INVENTORY-NO-DOCS",
        "No documentation was found",
        "warn",
        "No README, INSTALL or docs folder was found in the deposit.",
        "Add a README that says how the product is built and run.",
    ),
    FindingType(
        "E-INVENTORY-CUT",
        "The manifest is cut at this installation's limit",
        "warn",
        "The deposit holds more files than the manifest can list; {count} are listed.",
        "Deposit large collections of files as one archive in a data part.",
    ),
)

# What the agreement's terms say of the parts. These rows are reported by the room that knows the
# terms (escrow/verification/checks.py); they stand here because there is one registry.
MATERIALS = (
    FindingType(
        "E-MATERIAL-MISSING",
        "A required material is missing",
        "fail",
        "The agreement requires {material}, and the deposit holds none.",
        "Deposit it: 'escrow deposit begin VENDOR/PRODUCT', 'escrow deposit add DRAFT PATH --kind "
        "{kind}', 'escrow deposit finish DRAFT'; parts once sent are carried forward.",
    ),
    FindingType(
        "E-MATERIAL-EMPTY",
        "A required material is empty",
        "fail",
        "The agreement requires {material}, and what was deposited holds no file with content.",
        "Deposit the material itself; a placeholder does not count.",
    ),
    FindingType(
        "E-MATERIAL-STALE",
        "A material is older than the agreement allows",
        "fail",
        "The part '{part}' is as of {as_of}; the agreement allows {max_age_days} days.",
        "Deposit {material} anew.",
    ),
    FindingType(
        "E-MATERIAL-OPTIONAL-MISSING",
        "A material that is named but not required is missing",
        "info",
        "The agreement names {material} without requiring it, and the deposit holds none.",
        "Nothing to do; deposit it where it exists.",
    ),
    FindingType(
        "E-MATERIAL-NOT-TOGETHER",
        "Parts that a build reads were not sent together",
        "warn",
        "The part '{part}', which a build may read, was carried forward as of {as_of} and is not "
        "opened again.",
        "Deposit the parts that a build reads in one deposit: 'escrow deposit begin', 'add' for "
        "each, 'finish'.",
        untested=True,
    ),
    FindingType(
        "E-MATERIAL-NOT-FOR-AGREEMENT",
        "A carried part is not sealed for the agreement",
        "fail",
        "The part '{part}' was sent before the agreement was in force, and is not sealed for it.",
        "Deposit every part anew, once: the agreement then has its own header for each.",
    ),
    FindingType(
        "E-MATERIAL-CREDENTIALS-UNOPENED",
        "Credentials were received and not opened",
        "info",
        "The part '{part}' holds credentials: it is sealed and counted, and never opened in a "
        "test.",
        "Nothing to do.",
    ),
    FindingType(
        "E-MATERIAL-CARRIED",
        "A part was carried forward",
        "info",
        "The part '{part}' is carried forward as of {as_of}; its earlier result stands.",
        "Nothing to do while it is young enough.",
    ),
)
