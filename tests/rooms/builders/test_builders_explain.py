"""Lines that real builds end with, and what a vendor reads instead."""

import pytest

from builders.allowances import DEFAULT_LIMITS
from builders.debian_hints import header_hint, library_hint
from builders.explain import Circumstances, LogReader
from builders.findings import Finding, listed, printable
from builders.orders import ComponentPlan, PhaseResult


def component(ecosystem="python", suite="bookworm", **more):
    return ComponentPlan("app", "", ecosystem, suite, "", (), DEFAULT_LIMITS, **more)


def explained(output, *, phase="build", exit_code=1, submodules=(), plan=None, **flags):
    """Explain a phase that printed this."""
    reader = LogReader(Circumstances(plan or component(), submodules))
    for start in range(0, len(output), 7):
        reader.feed("stderr", output.encode()[start : start + 7])
    reader.feed("stderr", output.encode()[len(output) // 7 * 7 + 7 :])
    ended = {"timed_out": False, "oom_killed": False, "output_flooded": False, **flags}
    return reader.explain(PhaseResult(phase, exit_code, wall_seconds=1.0, **ended))


LINES = {
    "ERROR: No matching distribution found for requests>=2.0": (
        "E-BUILD-PYTHON-MISSING",
        "requests>=2.0",
    ),
    "ERROR: Some build dependencies for file:///ws/src are missing: 'setuptools>=77', 'wheel'.": (
        "E-BUILD-PYTHON-TOOL-MISSING",
        "setuptools>=77, wheel",
    ),
    "pip._vendor.pyproject_hooks._impl.BackendUnavailable: Cannot import 'hatchling.build'": (
        "E-BUILD-PYTHON-TOOL-MISSING",
        "hatchling",
    ),
    "ModuleNotFoundError: No module named 'numpy'": ("E-BUILD-PYTHON-MODULE", "'numpy'"),
    "ERROR: Package 'p' requires a different Python: 3.11.2 not in '>=3.12'": (
        "E-BUILD-PYTHON-VERSION",
        ">=3.12",
    ),
    "npm ERR! request to https://registry.example/@scope%2fpad failed: cache mode is"
    " 'only-if-cached' but no cached response is available.": ("E-BUILD-NPM-MISSING", "@scope/pad"),
    "npm ERR! request to https://registry.example/pad/-/pad-1.3.0.tgz failed: cache mode is"
    " 'only-if-cached' but no cached response is available.": ("E-BUILD-NPM-MISSING", "pad@1.3.0"),
    "npm ERR! notarget No matching version found for left-pad@^9.": (
        "E-BUILD-NPM-MISSING",
        "left-pad",
    ),
    "Error: Cannot find module 'express'": ("E-BUILD-NODE-MODULE", "express"),
    "Error: Cannot find module './generated'": ("E-BUILD-FILE-MISSING", "./generated"),
    "npm ERR! `npm ci` can only install packages when your package.json and lock are in sync.": (
        "E-BUILD-NPM-LOCK",
        "in sync",
    ),
    "p.c:1:10: fatal error: openssl/ssl.h: No such file or directory": (
        "E-BUILD-HEADER-MISSING",
        "libssl-dev",
    ),
    "p.c:1:10: fatal error: 'own.h' file not found": ("E-BUILD-HEADER-MISSING", "own.h"),
    'p.c:1:10: fatal error: /opt/acme/licence.h: No such file or directory\n    1 | #include "x"': (
        "E-BUILD-ABSOLUTE-PATH",
        "/opt/acme/licence.h",
    ),
    "cc1: fatal error: pkg/_fast.c: No such file or directory": (
        "E-BUILD-FILE-MISSING",
        "pkg/_fast.c",
    ),
    "x86_64-linux-gnu-gcc-12: error: pkg/_fast.o: No such file or directory": (
        "E-BUILD-FILE-MISSING",
        "pkg/_fast.o",
    ),
    "/usr/bin/ld: cannot find /home/ci/lib/libkey.a: No such file or directory": (
        "E-BUILD-ABSOLUTE-PATH",
        "/home/ci/lib/libkey.a",
    ),
    "/usr/bin/ld: cannot find parts/key.o: No such file or directory": (
        "E-BUILD-FILE-MISSING",
        "parts/key.o",
    ),
    "/usr/bin/ld: cannot find -lpq: No such file or directory": (
        "E-BUILD-LIBRARY-MISSING",
        "libpq-dev",
    ),
    "No package 'libcurl' found": ("E-BUILD-PACKAGE-CONFIG-MISSING", "libcurl4-openssl-dev"),
    "  Could NOT find OpenSSL, try to set the path": (
        "E-BUILD-PACKAGE-CONFIG-MISSING",
        "libssl-dev",
    ),
    'configure: error: "libevent not found"': ("E-BUILD-PACKAGE-CONFIG-MISSING", "libevent-dev"),
    "/bin/sh: 1: protoc: not found": ("E-BUILD-COMMAND-MISSING", "protobuf-compiler"),
    "build.sh: line 3: gfortran: command not found": ("E-BUILD-COMMAND-MISSING", "gfortran"),
    "make: swig: No such file or directory": ("E-BUILD-COMMAND-MISSING", "swig"),
    "/usr/bin/env: \u2018ruby\u2019: No such file or directory": (
        "E-BUILD-COMMAND-MISSING",
        "ruby",
    ),
    "make: *** No rule to make target 'lost.c', needed by 'lost.o'.  Stop.": (
        "E-BUILD-FILE-MISSING",
        "lost.c",
    ),
    "curl: (6) Could not resolve host: example.org": ("E-BUILD-NETWORK", "example.org"),
    "fatal: unable to access 'https://git.example/x.git/': no route": (
        "E-BUILD-NETWORK",
        "git.example",
    ),
    "npm ERR! getaddrinfo EAI_AGAIN registry.example": ("E-BUILD-NETWORK", "registry.example"),
    "OSError: [Errno 101] Network is unreachable": ("E-BUILD-NETWORK", "a host"),
    "p.c:3:5: error: expected ';' before 'return'": ("E-BUILD-COMPILE-ERROR", "expected ';'"),
    "SyntaxError: invalid syntax": ("E-BUILD-COMPILE-ERROR", "invalid syntax"),
    "src/a.ts(3,1): error TS2304: Cannot find name 'x'.": ("E-BUILD-COMPILE-ERROR", "TS2304"),
    "p.c:(.text+0x5): undefined reference to `f'": ("E-BUILD-COMPILE-ERROR", "undefined reference"),
    "cc1: fatal error: write: No space left on device": ("E-BUILD-DISK-FULL", "4 GiB"),
    "cc1plus: Killed signal terminated program cc1plus": ("E-BUILD-OUT-OF-MEMORY", "4 GiB"),
    "cp: cannot create regular file '/usr/bin/p': Read-only file system": (
        "E-BUILD-PERMISSION",
        "/usr/bin/p",
    ),
    "--   Package 'libuv', required by 'virtual:world', not found": (
        "E-BUILD-PACKAGE-CONFIG-MISSING",
        "libuv1-dev",
    ),
    "configure: error: Package requirements (jansson >= 2) were not met:": (
        "E-BUILD-PACKAGE-CONFIG-MISSING",
        "libjansson-dev",
    ),
    "configure: error: libpcap is missing": ("E-BUILD-PACKAGE-CONFIG-MISSING", "libpcap-dev"),
    "make: /opt/sdk/bin/gcc: No such file or directory": (
        "E-BUILD-ABSOLUTE-PATH",
        "/opt/sdk/bin/gcc",
    ),
    "make: *** No rule to make target '/home/ci/common.mk'.  Stop.": (
        "E-BUILD-ABSOLUTE-PATH",
        "/home/ci/common.mk",
    ),
    "/bin/sh: 1: ./sign-it: not found": ("E-BUILD-FILE-MISSING", "./sign-it"),
    "/bin/sh: 1: curl: not found": ("E-BUILD-NETWORK", "curl"),
    "mkdir: cannot create directory \u2018/opt/p\u2019: Read-only file system": (
        "E-BUILD-PERMISSION",
        "'/opt/p'",
    ),
    "Makefile:2: *** PRODUCT_KEY must be set.  Stop.": ("E-BUILD-VARIABLE-MISSING", "PRODUCT_KEY"),
    "KeyError: 'BUILD_NUMBER'": ("E-BUILD-VARIABLE-MISSING", "BUILD_NUMBER"),
    "build.sh: 3: RELEASE: parameter not set": ("E-BUILD-VARIABLE-MISSING", "RELEASE"),
    "CMake Error at CMakeLists.txt:1 (cmake_minimum_required):\n"
    "  CMake 3.30 or higher is required.": ("E-BUILD-TOOL-VERSION", "CMake 3.30"),
    "CMake Error at CMakeLists.txt:3 (add_executable):\n  Cannot find source file:\n\n"
    "    lost.c\n": ("E-BUILD-FILE-MISSING", "lost.c"),
    'CMake Error at CMakeLists.txt:9 (add_subdirectory):\n  add_subdirectory given source "third/z"'
    " which is not an existing\n  directory.\n": ("E-BUILD-FILE-MISSING", "third/z"),
    "CMake Error at CMakeLists.txt:9 (add_subdirectory):\n  The source directory\n\n"
    "    /ws/src/third/z\n\n  does not contain a CMakeLists.txt file.\n": (
        "E-BUILD-FILE-MISSING",
        "third/z",
    ),
    "Makefile.am:9: error: required directory ./vendor/regex does not exist": (
        "E-BUILD-FILE-MISSING",
        "./vendor/regex",
    ),
    "Makefile.am: error: required file './NEWS' not found": ("E-BUILD-FILE-MISSING", "'./NEWS'"),
    "+ check --on-error\ncheck: 3 comparisons failed": (
        "E-BUILD-COMMAND-FAILED",
        "3 comparisons failed",
    ),
    "-- Looking for x - not found\ncc -c error.c\nit is an error": (
        "E-BUILD-COMMAND-FAILED",
        "it is an error",
    ),
    "make: *** [Makefile:2: all] Error 1": ("E-BUILD-COMMAND-FAILED", "Error 1"),
    "": ("E-BUILD-COMMAND-FAILED", "no output"),
}


@pytest.mark.parametrize("line", LINES)
def test_line_is_explained(line):
    code, word = LINES[line]
    found = [finding for finding in explained(line) if finding.code == code]
    assert found, explained(line)
    assert word in found[0].sentence
    assert found[0].component == "app"


def test_success_is_not_explained():
    assert not explained("curl: (6) Could not resolve host: x.org", exit_code=0)


def test_missing_build_tool_is_told_from_a_missing_dependency():
    said = "pip subprocess to install build dependencies did not run successfully.\n"
    (finding,) = explained(said + "ERROR: No matching distribution found for hatchling\n")
    assert finding.code == "E-BUILD-PYTHON-TOOL-MISSING"


def test_pip_stops_at_the_first_and_we_name_the_rest():
    plan = component(undeposited=("flask", "requests"))
    (finding,) = explained("No matching distribution found for requests>=2", plan=plan)
    assert finding.facts["arguments"] == "'requests>=2' flask"


def test_remedy_names_the_python_that_builds():
    line = "ERROR: No matching distribution found for pydantic"
    (finding,) = explained(line, plan=component(suite="trixie"))
    assert "Python 3.13" in finding.remedy


def test_remedy_makes_the_lock_first_where_there_is_none():
    line = "npm ERR! notarget No matching version found for left-pad@^9."
    (unlocked,) = explained(line, plan=component("node", locked=False))
    (locked,) = explained(line, plan=component("node"))
    assert "--package-lock-only" in unlocked.remedy
    assert "--package-lock-only" not in locked.remedy


def test_command_of_an_npm_package_is_no_debian_package():
    (finding,) = explained("sh: 1: tsc: not found", plan=component("node"))
    assert finding.code == "E-BUILD-NODE-COMMAND"


def test_what_lacks_hides_what_broke_because_of_it():
    output = (
        "a.c:1:1: fatal error: zlib.h: No such file or directory\na.c:2:1: error: unknown type\n"
    )
    assert [finding.code for finding in explained(output)] == ["E-BUILD-HEADER-MISSING"]


def test_empty_submodule_is_named():
    (finding,) = explained("cp: cannot stat 'lib/z/z.c'", submodules=("lib/z",))
    assert finding.code == "E-BUILD-SUBMODULE"


@pytest.mark.parametrize(
    ("flag", "code"),
    [
        ("timed_out", "E-BUILD-TIME-LIMIT"),
        ("oom_killed", "E-BUILD-OUT-OF-MEMORY"),
        ("output_flooded", "E-BUILD-OUTPUT-FLOOD"),
    ],
)
def test_limit_is_named_whatever_the_exit_code(flag, code):
    assert [f.code for f in explained("fine", exit_code=0, **{flag: True})] == [code]


def test_failed_test_is_told_as_one():
    (finding,) = explained("1 failed", phase="test")
    assert finding.code == "E-TEST-FAILED"


def test_hostile_output_is_bounded():
    flood = "".join(f"fatal error: h{i}.h: No such file or directory\n" for i in range(500))
    assert len(explained(flood)) <= 20


def test_endless_line_is_cut():
    (finding,) = explained("error " + "x" * 100_000)
    assert len(finding.sentence) < 500


def test_escape_sequences_do_not_reach_a_sentence():
    (finding,) = explained("\x1b[31mError: \x07\u202eevil\x1b[0m")
    assert "\x1b" not in finding.sentence
    assert "\u202e" not in finding.sentence


def test_facts_are_cut_and_listed_shortly():
    assert len(printable("x" * 1000)) == 300
    assert listed(["a", "b", "c", "d", "e", "f", "g"]) == "a, b, c, d, e and 2 more"


def test_finding_takes_exactly_its_facts():
    with pytest.raises(ValueError, match="takes the facts"):
        Finding("E-BUILD-NO-ARTIFACT", {"surplus": "x"})


def test_unknown_header_gets_no_guess():
    assert (header_hint("openssl/evp.h"), header_hint("own.h")) == (
        " (Debian package: libssl-dev)",
        "",
    )
    assert library_hint("nothing") == ""
