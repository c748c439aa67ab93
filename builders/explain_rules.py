"""The table of error lines: a pattern, and what it says about the deposit.

A row is added when a real build failed with a line that nobody explained. Patterns look at one
line of bounded length and have no nested repetition: the line is hostile.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from builders.debian_hints import command_hint, configuration_hint, header_hint, library_hint


@dataclass(frozen=True)
class Explained:
    """A code and its facts, comparable, so that the same thing is said once."""

    code: str
    facts: tuple[tuple[str, str], ...] = ()


Explain = Callable[[re.Match[str]], Iterable[Explained]]

# Places that are no other machine's: the workspace, and where every system has its commands.
_OF_SANDBOX = ("/ws/", "/tmp/")  # noqa: S108 - paths of the sandbox, compared only
_OF_SYSTEM = ("/bin/", "/usr/bin/", "/usr/local/bin/", "/sbin/", "/usr/sbin/")

# What a compiler is given, and never includes.
_SOURCE_ENDINGS = (".c", ".cc", ".cpp", ".cxx", ".m", ".s", ".S")

# Commands that only fetch.
_FETCHING = frozenset(("curl", "wget"))

# Stands where a line says that the network was tried, and not which host.
UNKNOWN_HOST = "a host"


def _names(code: str) -> Explain:
    return lambda match: [Explained(code, (("name", match[1].strip("'\"")),))]


def _quoted_names(match: re.Match[str]) -> Iterable[Explained]:
    names = re.findall(r"'([^']{1,200})'", match[1])
    return [Explained("E-BUILD-PYTHON-TOOL-MISSING", (("name", name),)) for name in names]


def _hinted(code: str, fact: str, hint: Callable[[str], str]) -> Explain:
    def explain(match: re.Match[str]) -> Iterable[Explained]:
        name = match[1].strip("'\"\u2018\u2019`")
        return [Explained(code, ((fact, name), ("hint", hint(name))))]

    return explain


def _one(code: str, fact: str) -> Explain:
    return lambda match: [Explained(code, ((fact, match[1]),))]


def _whole_line(code: str, fact: str) -> Explain:
    return lambda match: [Explained(code, ((fact, match.string.strip()),))]


def _missing_file(match: re.Match[str]) -> Iterable[Explained]:
    """Tell a file of the deposit from a place of the machine where it was written."""
    path = match[1]
    if path.startswith("/") and not path.startswith(_OF_SANDBOX):
        return [Explained("E-BUILD-ABSOLUTE-PATH", (("file", path),))]
    return [Explained("E-BUILD-FILE-MISSING", (("file", path),))]


def _missing_header(match: re.Match[str]) -> Iterable[Explained]:
    """The compiler says the same of a header and of a source file that it was to compile."""
    name = match[1]
    if name.startswith("/") or name.endswith(_SOURCE_ENDINGS):
        return _missing_file(match)
    return _hinted("E-BUILD-HEADER-MISSING", "header", header_hint)(match)


def _missing_command(match: re.Match[str]) -> Iterable[Explained]:
    command = match[1]
    name = command.rpartition("/")[2]
    if name in _FETCHING:  # installing it would not help: what it fetches is what lacks
        return [Explained("E-BUILD-NETWORK", (("name", f"{UNKNOWN_HOST} (with {name})"),))]
    if "/" in command and not command.startswith(_OF_SYSTEM):
        return _missing_file(match)
    return [Explained("E-BUILD-COMMAND-MISSING", (("command", name), ("hint", command_hint(name))))]


def _variable(match: re.Match[str]) -> Iterable[Explained]:
    return [Explained("E-BUILD-VARIABLE-MISSING", (("variable", match[1]),))]


def _tool_version(match: re.Match[str]) -> Iterable[Explained]:
    facts = (("tool", match["tool"]), ("wanted", match["wanted"]))
    return [Explained("E-BUILD-TOOL-VERSION", facts)]


def _limit(code: str) -> Explain:
    return lambda _: [Explained(code)]


def _host(match: re.Match[str]) -> Iterable[Explained]:
    host = (match[1] if match.lastindex else None) or UNKNOWN_HOST
    return [Explained("E-BUILD-NETWORK", (("name", host),))]


def _address(match: re.Match[str]) -> Iterable[Explained]:
    try:
        host = urlsplit(match[1]).hostname
    except ValueError:
        host = None
    return [Explained("E-BUILD-NETWORK", (("name", host or UNKNOWN_HOST),))]


def _npm_address(match: re.Match[str]) -> Iterable[Explained]:
    """Take the package out of a registry's address: ``/name`` or ``/name/-/name-1.0.0.tgz``."""
    try:
        path = unquote(urlsplit(match[1]).path).lstrip("/")
    except ValueError:
        path = match[1]
    name, _, file = path.partition("/-/")
    stem = name.rpartition("/")[2]
    version = file.removesuffix(".tgz").removeprefix(f"{stem}-") if file else ""
    shown = f"{name}@{version}" if version else name
    return [Explained("E-BUILD-NPM-MISSING", (("name", shown),))]


def _node_module(match: re.Match[str]) -> Iterable[Explained]:
    name = match[1]
    if name.startswith((".", "/")):
        return [Explained("E-BUILD-FILE-MISSING", (("file", name),))]
    return [Explained("E-BUILD-NODE-MODULE", (("module", name),))]


def _python_version(match: re.Match[str]) -> Iterable[Explained]:
    return [Explained("E-BUILD-PYTHON-VERSION", (("wanted", match[2]), ("present", match[1])))]


def _outside(match: re.Match[str]) -> Iterable[Explained]:
    path = match[1]
    if path.startswith(_OF_SANDBOX):
        return []
    return [Explained("E-BUILD-PERMISSION", (("file", path),))]


_TABLE: tuple[tuple[str, Explain], ...] = (
    # Python
    (
        r"No matching distribution found for ([A-Za-z0-9][^\s;(]{0,200})",
        _names("E-BUILD-PYTHON-MISSING"),
    ),
    (r"Some build dependencies for .{1,500} are missing: (.{1,1000})", _quoted_names),
    (
        r"Some build dependencies for .{1,500}: \S{1,100} is incompatible with (\S{1,200}?)\.?$",
        _names("E-BUILD-PYTHON-TOOL-MISSING"),
    ),
    (r"Cannot import '([A-Za-z0-9_]{1,100})[.'\w]{0,200}", _names("E-BUILD-PYTHON-TOOL-MISSING")),
    (
        r"requires a different Python: (\d[\w.]{0,20}) not in '?([^']{1,100}?)'?$",
        _python_version,
    ),
    (
        r"(?:ModuleNotFoundError|ImportError): No module named '?([\w.]{1,200})",
        _one("E-BUILD-PYTHON-MODULE", "module"),
    ),
    (r"^\*\*\* Error compiling '.{1,300}'", _whole_line("E-BUILD-COMPILE-ERROR", "line")),
    (r"^(?:E +)?(SyntaxError: .{1,300})", _whole_line("E-BUILD-COMPILE-ERROR", "line")),
    (r"FileNotFoundError: .{0,200}: '(.{1,300})'$", _missing_file),
    # npm and Node
    (r"request to (\S{1,500}) failed: cache mode is 'only-if-cached'", _npm_address),
    (
        r"No matching version found for ((?:@[\w.-]{1,100}/)?[\w.-]{1,100}@\S{0,100}?)\.?$",
        _names("E-BUILD-NPM-MISSING"),
    ),
    (r"`npm ci` can only install (.{1,200})", _whole_line("E-BUILD-NPM-LOCK", "problem")),
    (r"The `npm ci` command can only (.{1,200})", _whole_line("E-BUILD-NPM-LOCK", "problem")),
    (r"Cannot find (?:module|package) '([^']{1,300})'", _node_module),
    (
        r"ENOENT: no such file or directory, \w+ '([^']{1,300})'",
        _missing_file,
    ),
    (r"^\S{1,300}\(\d+,\d+\): error TS\d+: ", _whole_line("E-BUILD-COMPILE-ERROR", "line")),
    # C and C++
    (
        r"fatal error: '?([^':]{1,200})'?(?:: No such file or directory| file not found)",
        _missing_header,
    ),
    (
        r"\b(?:cc|gcc|g\+\+|c\+\+|clang|clang\+\+)(?:-\d+)?: error: ([^:]{1,300}): No such file",
        _missing_file,
    ),
    # A library or object named by its path; one that is named by -l has no file of its own.
    (r"\bld(?:\.\w+)?: cannot find ([^-:\s][^:\s]{0,300}): No such file", _missing_file),
    (
        r"cannot find -l([A-Za-z0-9_.+-]{1,100}?)(?::|$)",
        _hinted("E-BUILD-LIBRARY-MISSING", "library", library_hint),
    ),
    (
        r"(?:No package|Package) '?([A-Za-z0-9_.+-]{1,100})'? (?:was not )?found",
        _hinted("E-BUILD-PACKAGE-CONFIG-MISSING", "package", configuration_hint),
    ),
    (
        r"^ +Could NOT find ([A-Za-z0-9_.+-]{1,100})",
        _hinted("E-BUILD-PACKAGE-CONFIG-MISSING", "package", configuration_hint),
    ),
    (
        r"configure: error: \W{0,2}([A-Za-z0-9_.+-]{1,60}) (?:library |headers? )?"
        r"(?:was |were |is )?(?:not found|required|missing)",
        _hinted("E-BUILD-PACKAGE-CONFIG-MISSING", "package", configuration_hint),
    ),
    (
        r"Package requirements \(([A-Za-z0-9_.+-]{1,100})[^)]{0,200}\) were not met",
        _hinted("E-BUILD-PACKAGE-CONFIG-MISSING", "package", configuration_hint),
    ),
    (
        r'Could not find a package configuration file provided by "([^"]{1,100})"',
        _hinted("E-BUILD-PACKAGE-CONFIG-MISSING", "package", configuration_hint),
    ),
    (
        r'ERROR: (?:Dependency|Pkg-config dependency) "?([^"\s]{1,100})"? .{0,60}not found',
        _hinted("E-BUILD-PACKAGE-CONFIG-MISSING", "package", configuration_hint),
    ),
    (
        r"No rule to make target '([^']{1,300})', needed by",
        _missing_file,
    ),
    (r"No rule to make target '([^']{0,299}/[^']{1,300})'\.", _missing_file),
    # Automake: a folder of SUBDIRS, or a file that the GNU standards ask for.
    (
        r"error: required (?:directory|file) [`\u2018']?([^\s'\u2019]{1,300}?)['\u2019]?"
        r" (?:does not exist|not found)$",
        _missing_file,
    ),
    (r"CMake Error .{1,300}Cannot find source file: (\S{1,300})", _missing_file),
    (
        r'CMake Error .{1,300}add_subdirectory given source "([^"]{1,300})" which is not an',
        _missing_file,
    ),
    (
        r"CMake Error .{1,300}The source directory (/\S{1,300}) does not contain a CMakeLists\.txt",
        _missing_file,
    ),
    (
        r"Package '([A-Za-z0-9_.+-]{1,100})', required by '[^']{1,100}', not found",
        _hinted("E-BUILD-PACKAGE-CONFIG-MISSING", "package", configuration_hint),
    ),
    (
        r"(?P<tool>CMake|Autoconf) (?:version )?(?P<wanted>\d[\d.]{0,20}) or higher is required",
        _tool_version,
    ),
    (
        r"(?P<tool>Meson) version is \S{1,30} but project requires (?P<wanted>[<>=\d. ]{1,30})",
        _tool_version,
    ),
    # What the build's surroundings were to say
    (r"^KeyError: '([A-Z][A-Z0-9_]{2,100})'$", _variable),
    (
        r": ([A-Za-z_][A-Za-z0-9_]{0,100}): (?:parameter (?:null or )?not set|unbound variable)",
        _variable,
    ),
    (
        r"\b([A-Z][A-Z0-9]{0,50}_[A-Z0-9_]{1,100})(?: environment variable)?"
        r" (?:must be|is not|is un|was not|not|is) ?(?:set|defined|required|missing)\b",
        _variable,
    ),
    (r"^\S{1,300}?:\d+(?::\d+)?: error: ", _whole_line("E-BUILD-COMPILE-ERROR", "line")),
    (r": undefined reference to ", _whole_line("E-BUILD-COMPILE-ERROR", "line")),
    # Commands: dash, bash, make, env
    (
        r"(?:^|: )\d+: ([\w.+/-]{1,100}): not found$",
        _missing_command,
    ),
    (
        r"(?:^|: )([\w.+/-]{1,100}): command not found$",
        _missing_command,
    ),
    (
        r"^make(?:\[\d+\])?: ([\w.+/-]{1,200}): No such file or directory$",
        _missing_command,
    ),
    (
        r"env: [\u2018'\"]?([\w.+-]{1,100})[\u2019'\"]?: No such file or directory$",
        _hinted("E-BUILD-COMMAND-MISSING", "command", command_hint),
    ),
    # The network
    (r"[Cc]ould not resolve (?:host|proxy):? '?([A-Za-z0-9.-]{1,253})", _host),
    (r"resolve host address [\u2018'\"]?([A-Za-z0-9.-]{1,253})", _host),
    (r"getaddrinfo (?:ENOTFOUND|EAI_AGAIN) ([A-Za-z0-9.-]{1,253})", _host),
    (r"[Ff]ailed to resolve '([A-Za-z0-9.-]{1,253})'", _host),
    (r"unable to access '(https?://[^']{1,500})'", _address),
    (r"connect to host ([A-Za-z0-9.-]{1,253}) port", _host),
    (
        r"Temporary failure in name resolution|Name or service not known|Network is unreachable"
        r"|ENETUNREACH",
        _host,
    ),
    # Limits and places
    (r"No space left on device|ENOSPC", _limit("E-BUILD-DISK-FULL")),
    (
        r"Killed signal terminated program|virtual memory exhausted|JavaScript heap out of memory"
        r"|^MemoryError\b|Cannot allocate memory",
        _limit("E-BUILD-OUT-OF-MEMORY"),
    ),
    (
        r"[\u2018'\"]?(/[^':\s\u2018\u2019]{1,300})[\u2019'\"]?: "
        r"(?:Read-only file system|Permission denied)",
        _outside,
    ),
    (r"(?:Read-only file system|Permission denied): '(/[^']{1,300})'", _outside),
)
RULES: tuple[tuple[re.Pattern[str], Explain], ...] = tuple(
    (re.compile(pattern), explain) for pattern, explain in _TABLE
)
