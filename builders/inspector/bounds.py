"""Every bound of the inspector in one place, each with its reason."""

from __future__ import annotations

MIB = 1024 * 1024

# Copying and hashing: large enough that calls do not count, small beside the memory limit.
CHUNK_BYTES = 1 * MIB

# One frame of standard input. The sender cuts at 1 MiB; more than this is no frame of ours.
FRAME_BYTES_MAX = 16 * MIB

# Entries of all manifests together: more than twice the largest source trees seen, and about
# 40 MiB of document.
ENTRIES_MAX = 200_000

# All paths of all manifests together; keeps the document small when every name is long.
PATH_TOTAL_BYTES_MAX = 16 * MIB

# Linux takes no longer name or path either.
NAME_BYTES_MAX = 255
PATH_BYTES_MAX = 4095

# Folders within folders: the tree hash recurses, and no build tool meets a deeper tree.
DEPTH_MAX = 100

# Members of one archive, refused ones included: a listing of empty members costs time, not bytes.
MEMBERS_MAX = 1_000_000

# Unpacked bytes per byte of archive. Source compresses 3 to 20 times; below the floor a small
# file of zeros is no attack.
RATIO_MAX = 200
RATIO_FLOOR_BYTES = 100 * MIB

# What is decompressed inside of files, only to see whether they break off.
PROBED_BYTES_MAX = 2048 * MIB

# The end of an archive holds its index; the index of one with some thousand members fits.
TAIL_BYTES = 1 * MIB

# Observations of one kind that are listed; the rest is counted.
OBSERVATIONS_PER_KIND = 200

# Files that say how something is built: number, depth below the root, and size that is parsed.
MARKERS_MAX = 1_000
MARKER_DEPTH_MAX = 6
MARKER_BYTES_MAX = 2 * MIB
LOCKFILE_BYTES_MAX = 32 * MIB

# Names and lines taken from one of them.
LISTED_MAX = 2_000
TEXT_CHARACTERS_MAX = 500

# Packages taken from one lock file: as many as a bill of materials lists. npm takes no longer
# name; a version is a dozen characters, and four digests of one file come to some 300.
LOCKED_MAX = 5_000
LOCKED_NAME_CHARACTERS_MAX = 214
LOCKED_VERSION_CHARACTERS_MAX = 100
LOCKED_DIGEST_CHARACTERS_MAX = 400

# One fact of an observation; the longest is the list of names of a folder of distributions.
FACT_CHARACTERS_MAX = 20_000

# escrow.toml is written by hand; a hundred components fit.
RECIPE_BYTES_MAX = 256 * 1024

# What git may say, and how long it may take, for one bundle.
GIT_OUTPUT_BYTES_MAX = 64 * MIB
GIT_SECONDS_MAX = 1_800

# Results of one component that are listed, and files that are looked at for them.
ARTIFACTS_MAX = 5_000
COLLECTED_FILES_MAX = 400_000

# Wheels and npm packages that are looked into for missing modules: unpacked bytes of all of one
# component together, and of one its files, the source that is kept, one source file, one name.
# The largest of the well-known ones have 30,000 files and 60 MiB of source; a larger source file
# is data or a bundle.
PACKAGES_BYTES_MAX = 512 * MIB
PACKAGE_FILES_MAX = 50_000
PACKAGE_SOURCE_BYTES_MAX = 96 * MIB
SOURCE_FILE_BYTES_MAX = 1 * MIB
PACKAGE_NAME_CHARACTERS_MAX = 1_024
# Every beginning of every name is kept; the largest come to some 20 MiB.
PACKAGE_PATHS_BYTES_MAX = 128 * MIB
# Names that are looked for in all of a package's files that make modules while they run.
PACKAGE_SEARCHES_MAX = 500

# Packages that are named for lacking modules, and modules of each.
INCOMPLETE_MAX = 20
MISSING_MAX = 20
