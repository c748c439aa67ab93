"""Real builds in real containers: what passes, and what each incomplete deposit is told."""

import io
import json
import subprocess
import sys
import tarfile
import time
from dataclasses import replace

import pytest
import zstandard

from builders.allowances import CEILING, WORKSPACE_LIMITS
from builders.inventory import inventory_findings
from builders.orders import PartInput
from builders.plan import plan_trial_builds
from builders.trial import inspect_deposit, run_trial_builds

NEWEST = 1_700_000_000
HELLO = '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n'
PYPROJECT = """
[build-system]
requires = [{requires}]
build-backend = "setuptools.build_meta"
[project]
name = "hello"
version = "1.0"
"""
SETUP = """
from setuptools import setup
setup(name="h", version="1", install_requires=["requests>=2"])
"""
CMAKE = """
cmake_minimum_required(VERSION 3.20)
project(hello C)
add_executable(hello hello.c)
"""
CONFIGURE = """
AC_INIT([hello], [1.0])
AM_INIT_AUTOMAKE([foreign])
AC_PROG_CC
AC_CONFIG_FILES([Makefile])
AC_OUTPUT
"""
CACHE_TINY = """
gzip -n >t.tgz
npm cache add ./t.tgz
openssl dgst -sha512 -binary t.tgz | base64 -w0
"""
RECIPE = """
schema = 1
[[component]]
name = "app"
builder = "cpp"
build = {build}
{rest}
"""


def pack(files):
    """Return a tar of ``{name: text or bytes}``; a name that ends in .sh is executable."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = (
                len(data),
                NEWEST,
                0o755 if name.endswith(".sh") else 0o644,
            )
            tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()


class Trial:
    """The result of one deposit's trial, with its log."""

    def __init__(self, result, log, inventory):
        self.result, self.log, self.inventory = result, log, {f.code for f in inventory}
        self.verdict = result.verdict
        every = [*result.findings, *(f for c in result.components for f in c.findings)]
        self.findings = {finding.code: finding for finding in every}
        self.artifacts = {a.path for c in result.components for a in c.artifacts}

    @property
    def failures(self):
        return {code for code, finding in self.findings.items() if finding.severity == "fail"}


@pytest.fixture
def trial(sandbox):
    """Return a function: files of a source (and further parts) → its trial."""

    def run(files, *parts, seconds=600):
        source = pack({"README": "x", **files})
        log = []
        with sandbox.workspace("tests/trial", WORKSPACE_LIMITS) as workspace:
            inputs = [PartInput("source", "source", "tar", [source], len(source)), *parts]
            inspection = inspect_deposit(sandbox, workspace, inputs)
            plan = plan_trial_builds(inspection, replace(CEILING, seconds=seconds))
            result = run_trial_builds(sandbox, workspace, plan, inspection, log.append)
        return Trial(result, b"".join(log).decode(), inventory_findings(inspection))

    return run


@pytest.fixture(scope="session")
def setuptools_wheels(tmp_path_factory):
    """Return setuptools and wheel as a vendor downloads them: ``{file name: bytes}``."""
    folder = tmp_path_factory.mktemp("pypi")
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder)]
    subprocess.run([*command, "setuptools==80.9.0", "wheel==0.45.1"], check=True)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_python_with_its_build_tools(trial, setuptools_wheels):
    project = {
        "pyproject.toml": PYPROJECT.format(requires='"setuptools>=77", "wheel"'),
        "hello.py": "",
    }
    store = {f"deps/pypi/{name}": data for name, data in setuptools_wheels.items()}
    done = trial({**project, **store})
    assert done.verdict == "pass", done.log
    assert done.artifacts == {"out/python/hello-1.0-py3-none-any.whl"}


def test_python_with_its_build_tools_as_a_part_of_their_own(trial, setuptools_wheels):
    project = {
        "pyproject.toml": PYPROJECT.format(requires='"setuptools>=77"'),
        "hello.py": "",
    }
    store = pack({f"pypi/{name}": data for name, data in setuptools_wheels.items()})
    done = trial(project, PartInput("deps", "artifacts", "tar", [store], len(store)))
    assert done.verdict == "pass", done.log


def test_plain_setuptools_project_needs_nothing_deposited(trial):
    done = trial({"pyproject.toml": PYPROJECT.format(requires='"setuptools"'), "hello.py": ""})
    assert done.verdict == "pass", done.log
    assert "E-PLAN-TOOLCHAIN-BACKEND" in done.findings


HELLO_PACKAGE = (
    PYPROJECT.format(requires='"setuptools"')
    + """
[tool.setuptools]
packages = ["hello"]
"""
)


def test_wheel_that_lacks_a_module_of_its_own(trial):
    own = "from hello.greeting import greet\n"
    done = trial({"pyproject.toml": HELLO_PACKAGE, "hello/__init__.py": own})
    assert done.failures == {"E-BUILD-MODULE-MISSING"}, done.log
    assert (
        "hello.greeting (in hello/__init__.py)" in done.findings["E-BUILD-MODULE-MISSING"].sentence
    )


def test_wheel_with_a_module_that_does_not_compile(trial):
    files = {"hello/__init__.py": "", "hello/a.py": "x = = 1\n", "hello/tests/b.py": "= 1\n"}
    done = trial({"pyproject.toml": HELLO_PACKAGE, **files})
    assert done.failures == {"E-BUILD-COMPILE-ERROR"}, done.log
    assert "hello/a.py" in done.findings["E-BUILD-COMPILE-ERROR"].sentence


def test_setuptools_newer_than_the_image_is_named(trial):
    done = trial({"pyproject.toml": PYPROJECT.format(requires='"setuptools>=77"'), "hello.py": ""})
    assert done.verdict == "fail"
    assert "setuptools>=77" in done.findings["E-BUILD-PYTHON-TOOL-MISSING"].sentence


def test_python_missing_its_build_tool(trial):
    pyproject = PYPROJECT.format(requires='"hatchling"').replace(
        "setuptools.build_meta", "hatchling.build"
    )
    done = trial({"pyproject.toml": pyproject, "hello.py": ""})
    assert done.verdict == "fail"
    assert "hatchling" in done.findings["E-BUILD-PYTHON-TOOL-MISSING"].remedy


def test_python_missing_a_dependency(trial):
    done = trial({"setup.py": SETUP})
    assert done.verdict == "fail"
    assert "requests>=2" in done.findings["E-BUILD-PYTHON-MISSING"].sentence
    assert "deps/pypi" in done.findings["E-BUILD-PYTHON-MISSING"].remedy


def test_python_application(trial):
    done = trial({"requirements.txt": "# none\n", "app.py": "print(1)\n"})
    assert done.verdict == "pass", done.log
    assert "out/python/app/app.py" in done.artifacts


def test_python_source_that_does_not_compile(trial):
    done = trial({"requirements.txt": "", "app.py": "def broken(:\n"})
    assert "E-BUILD-COMPILE-ERROR" in done.failures


def test_node_without_dependencies(trial):
    package = {"name": "hello", "version": "1.0.0", "scripts": {"build": "node build.js"}}
    script = "require('fs').writeFileSync('made.js', 'exports.x = 1');\n"
    done = trial({"package.json": json.dumps(package), "build.js": script})
    assert done.verdict == "pass", done.log
    assert done.artifacts == {"out/node/hello-1.0.0.tgz"}


def test_npm_package_that_lacks_a_file_of_its_own(trial):
    package = {"name": "hello", "version": "1.0.0", "main": "hello.js"}
    script = "const greeting = require('./greeting');\n"
    done = trial({"package.json": json.dumps(package), "hello.js": script})
    assert done.failures == {"E-BUILD-MODULE-MISSING"}, done.log
    assert "./greeting (in hello.js)" in done.findings["E-BUILD-MODULE-MISSING"].sentence


NODE_PACKAGE = {"name": "app", "version": "1.0.0", "dependencies": {"tiny": "1.0.0"}}


@pytest.fixture(scope="session")
def tiny_in_a_cache(sandbox):
    """Return (lock file, npm cache as files) that hold the package 'tiny', made without network."""
    inner = pack(
        {
            "package/package.json": '{"name": "tiny", "version": "1.0.0"}',
            "package/index.js": "module.exports = 1;",
        }
    )
    node = sandbox.builder_image("node")
    with sandbox.workspace("tests/cache", WORKSPACE_LIMITS) as workspace:
        made = workspace.run(
            node,
            (
                "sh",
                "-ec",
                CACHE_TINY,
            ),
            phase="build",
            environment={
                "npm_config_cache": "/ws/out/npm",
                "HOME": "/ws/home",
                "npm_config_logs_max": "0",
            },
            limits=WORKSPACE_LIMITS,
            stdin=[inner],
            stdout_limit_bytes=1 << 20,
        )
        assert made.succeeded, made.stderr
        cache = b"".join(workspace.read_tar("/ws/out/npm"))
    with tarfile.open(fileobj=io.BytesIO(cache)) as tar:
        files = {m.name: tar.extractfile(m).read() for m in tar if m.isreg()}
    locked = {
        "version": "1.0.0",
        "resolved": "https://registry.example/tiny/-/tiny-1.0.0.tgz",
        "integrity": "sha512-" + made.stdout.decode().strip(),
    }
    lock = {
        "name": "app",
        "version": "1.0.0",
        "lockfileVersion": 3,
        "requires": True,
        "packages": {"": NODE_PACKAGE, "node_modules/tiny": locked},
    }
    return json.dumps(lock), files


def test_node_with_its_cache(trial, tiny_in_a_cache):
    lock, cache = tiny_in_a_cache
    package = {**NODE_PACKAGE, "scripts": {"build": "node -e \"require('tiny')\""}}
    store = {f"deps/{name}": data for name, data in cache.items()}
    done = trial({"package.json": json.dumps(package), "package-lock.json": lock, **store})
    assert done.verdict == "pass", done.log


def test_node_missing_a_dependency(trial, tiny_in_a_cache):
    lock, _ = tiny_in_a_cache
    done = trial({"package.json": json.dumps(NODE_PACKAGE), "package-lock.json": lock})
    assert done.verdict == "fail"
    assert "tiny@1.0.0" in done.findings["E-BUILD-NPM-MISSING"].sentence, done.log


def test_c_with_make(trial):
    done = trial({"Makefile": "hello: hello.c\n\tcc -o hello hello.c\n", "hello.c": HELLO})
    assert done.verdict == "pass", done.log
    assert done.artifacts == {"src/hello"}


def test_c_with_cmake(trial):
    done = trial({"CMakeLists.txt": CMAKE + "install(TARGETS hello)\n", "hello.c": HELLO})
    assert done.verdict == "pass", done.log
    assert done.artifacts == {"out/cpp/usr/bin/hello"}


def test_c_with_cmake_that_installs_nothing(trial):
    lists = (
        "cmake_minimum_required(VERSION 3.20)\nproject(hello C)\nadd_executable(hello hello.c)\n"
    )
    done = trial({"CMakeLists.txt": lists, "hello.c": HELLO})
    assert done.verdict == "pass", done.log
    assert done.artifacts == {"build/cpp/hello"}


def test_c_with_autotools(trial):
    made = {
        "configure.ac": CONFIGURE,
        "Makefile.am": "bin_PROGRAMS = hello\nhello_SOURCES = hello.c\n",
    }
    done = trial({**made, "hello.c": HELLO})
    assert done.verdict == "pass", done.log
    assert done.artifacts == {"out/cpp/usr/bin/hello"}


def test_c_missing_a_header(trial):
    done = trial(
        {"Makefile": "a: a.c\n\tcc -o a a.c\n", "a.c": "#include <curl/curl.h>\nint main(){}\n"}
    )
    assert done.failures == {"E-BUILD-HEADER-MISSING"}
    assert "libcurl4-openssl-dev" in done.findings["E-BUILD-HEADER-MISSING"].sentence


def recipe(*build, rest=""):
    return RECIPE.format(build=json.dumps(build), rest=rest)


def test_build_that_tries_the_network(trial):
    done = trial({"escrow.toml": recipe("git clone https://git.example.org/x.git")})
    assert done.verdict == "fail"
    assert "git.example.org" in done.findings["E-BUILD-NETWORK"].sentence, done.log


def test_second_component_fails_the_whole(trial):
    parts = {"a/Makefile": "a: a.c\n\tcc -o a a.c\n", "a/a.c": HELLO, "b/Makefile": "b:\n\tfalse\n"}
    done = trial(parts)
    assert [component.verdict for component in done.result.components] == ["pass", "fail"]
    assert done.verdict == "fail"


def test_prebuilt_output_is_nothing_built(trial):
    done = trial({"escrow.toml": recipe('cp app.bin "$OUT"'), "app.bin": "\x7fELF old"})
    assert done.failures == {"E-BUILD-NOTHING-BUILT"}


def test_artifact_that_the_recipe_names_must_be_there(trial):
    rest = '[[component.artifact]]\npath = "*.rpm"'
    done = trial({"escrow.toml": recipe('echo made >"$OUT/x.txt"', rest=rest)})
    assert done.failures == {"E-BUILD-ARTIFACT-MISSING"}


def test_failing_tests_of_the_vendor_fail(trial):
    done = trial(
        {"escrow.toml": recipe('echo made >"$OUT/x.txt"', rest='test = ["echo sorry; exit 3"]')}
    )
    assert done.failures == {"E-TEST-FAILED"}
    assert done.artifacts == {"out/app/x.txt"}


def test_time_limit(trial):
    started = time.monotonic()
    done = trial({"escrow.toml": recipe("sleep 100")}, seconds=2)
    assert done.failures == {"E-BUILD-TIME-LIMIT"}
    assert time.monotonic() - started < 100, "it was not left to end by itself"


def test_memory_limit_of_the_recipe(trial):
    hog = 'python3 -c "x = bytearray(400 << 20)"'
    done = trial({"escrow.toml": recipe(hog, rest='limits = { memory = "128m" }')})
    assert done.failures == {"E-BUILD-OUT-OF-MEMORY"}


def test_what_is_not_offered_is_not_tested(trial):
    done = trial({"pom.xml": "<project/>"})
    assert done.verdict == "not-tested"
    assert "E-PLAN-TOOLCHAIN-NOT-OFFERED" in done.findings


def test_system_packages_that_are_not_offered_are_not_tested(trial):
    packages = json.dumps([f"package-{number}" for number in range(150)])
    done = trial({"escrow.toml": recipe("true", rest=f"system = {packages}")})
    assert done.verdict == "not-tested"
    assert "E-PLAN-SYSTEM-PACKAGES" in done.findings


def test_hostile_archive_is_told_and_harms_nothing(trial):
    hello = {"Makefile": "hello: hello.c\n\tcc -o hello hello.c\n", "hello.c": HELLO}
    done = trial({"../../../tmp/evil": "x", **hello})
    assert "E-UNPACK-UNSAFE-NAME" in done.inventory
    assert done.artifacts == {"src/hello"}


@pytest.mark.parametrize("whole", [True, False])
def test_zstd_archive_is_opened_where_it_is_whole(sandbox, whole):
    packed = zstandard.compress(pack({"Makefile": "all:\n", "hello.c": HELLO * 500}))
    part = PartInput("source", "source", "tar", [packed if whole else packed[:-30]])
    with sandbox.workspace("tests/trial", WORKSPACE_LIMITS) as workspace:
        found = inventory_findings(inspect_deposit(sandbox, workspace, [part]))
    assert ("E-UNPACK-UNREADABLE" in {finding.code for finding in found}) is not whole


def test_log_is_whole_and_hashed(trial):
    done = trial({"escrow.toml": recipe("echo first", 'echo second >&2; echo x >"$OUT/x"')})
    assert "+ echo first\nfirst\n" in done.log
    assert "second" in done.log
    assert done.result.log_bytes == len(done.log.encode())
