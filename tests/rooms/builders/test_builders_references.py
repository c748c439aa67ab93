"""Built packages that lack modules of their own, and complete ones that only look like it."""

import gzip
import io
import struct
import tarfile
import time
import tracemalloc
import zipfile

import pytest

from builders.inspector import bounds
from builders.inspector.javascript import own_imports
from builders.inspector.packages import Allowance
from builders.inspector.references import Lacks, missing_modules


@pytest.fixture
def look(tmp_path):
    """Return a function: a file's path → what it lacks, the source being ``tmp_path/src``."""
    return lambda path: missing_modules(bytes(path), bytes(tmp_path / "src"), Allowance())


@pytest.fixture
def wheel(tmp_path, look):
    """Return a function: files → what a wheel of them lacks."""

    def make(files):
        path = tmp_path / "p-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        return look(path)

    return make


@pytest.fixture
def npm_package(tmp_path, look):
    """Return a function: files → what an npm package of them lacks."""

    def make(files):
        path = tmp_path / "p-1.0.0.tgz"
        with tarfile.open(path, "w:gz") as archive:
            for name, text in files.items():
                member = tarfile.TarInfo(f"package/{name}")
                member.size = len(text)
                archive.addfile(member, io.BytesIO(text.encode()))
        return look(path)

    return make


LOST = ("p.lost (in p/__init__.py)",)
LACKING = (
    "from .lost import x\n",
    "from p.lost import x\n",
    "import os, p.lost\n",
    "from .lost.inner import (\n    x,\n)\n",
)
COMPLETE = (
    "from .there import x\n",
    "from .fast import x\n",
    "from .beside import x\n",
    "from other.lost import x\n",
    "try:\n    from .lost import x\nexcept ImportError:\n    pass\n",
    "if WINDOWS:\n    from .lost import x\n",
    "def later():\n    from .lost import x\n",
    'TEXT = """\nfrom .lost import x\n"""\n',
    "raise ImportError\nfrom .lost import x\n",
    "from .space.lost import x\n",
    "from .dynamic.lost import x\n",
    "from .moves.lost import x\n",
    "this is ( no python\nfrom .lost import x\n",
)
BESIDE = {
    "p/__init__.py": "",
    "p/there.py": "",
    "p/fast.cpython-311-x86_64-linux-gnu.so": "",
    "p-1.0.data/platlib/p/beside.py": "",
    "p/space/inner.py": "",
    "p/dynamic/__init__.py": "import sys\nsys.modules[__name__ + NAME] = sys\n",
    "p/compat.py": "import sys\nsys.modules['p.moves'] = sys\n",
    "p/tests/__init__.py": "from .lost import x\n",
}


@pytest.mark.parametrize("text", LACKING)
def test_wheel_without_a_module_that_it_imports(wheel, text):
    assert wheel({**BESIDE, "p/__init__.py": text}).certain == LOST


@pytest.mark.parametrize("text", COMPLETE)
def test_wheel_that_may_be_complete_is_left_alone(wheel, text):
    assert wheel({**BESIDE, "p/__init__.py": text}) == Lacks()
    assert wheel({**BESIDE, "p/a.py": text}) == Lacks()


@pytest.mark.parametrize("text", LACKING)
def test_wheel_with_a_file_that_may_never_be_loaded_is_only_doubted(wheel, text):
    files = {**BESIDE, "p/windows.py": text}
    assert wheel(files) == Lacks(doubtful=("p.lost (in p/windows.py)",))


def test_wheel_is_followed_from_its_package_through_others(wheel):
    files = {"p/__init__.py": "from . import a\n", "p/a/__init__.py": "from ..b.c import x\n"}
    files |= {"p/b/__init__.py": "", "p/b/c.py": "from .lost import x\n"}
    assert wheel(files).certain == ("p.b.lost (in p/b/c.py)",)


def test_wheel_whose_command_is_missing(wheel):
    points = "[console_scripts]\nrun = p.lost:main\n[plugins]\nx = p.gone:y\n"
    name = "p-1.0.dist-info/entry_points.txt"
    assert wheel({**BESIDE, name: points}).certain == (f"p.lost (in {name})",)


@pytest.mark.parametrize(
    ("own", "lacks"),
    [
        ("", ("p.s.lost (in p/__init__.py)",)),
        ("lost = 1\n", ()),
        ("from .inner import *\n", ()),
        ("def __getattr__(name):\n    return 1\n", ()),
    ],
)
def test_name_taken_from_a_package_that_does_not_make_it(wheel, own, lacks):
    files = {"p/__init__.py": "from .s import lost\n", "p/s/__init__.py": own, "p/s/inner.py": ""}
    assert wheel(files).certain == lacks


@pytest.mark.parametrize(
    "text",
    [
        "const x = require('./lost');\n",
        "const { x, y } = require('./lost')\n",
        "var a = 1, x = require('./lost');\n",
        "foo()\nrequire('./lost').bar()\n",
        "module.exports = require('./lost')\n",
        "exports.x = require('./lost');\n",
        "const pattern = /[/'`]{2}/; const half = 4 / 2 / 1;\nimport './lost'\n",
        "const text = `a ${`b ${1}` + '}'} `;\nimport './lost'\n",
        'import {\n  x,\n} from "./lost";\n',
        'import{x as y}from"./lost";',
        "import d, * as all from './lost'\n",
        "import './lost?raw'\n",
        "export * from './lost'\n",
    ],
)
def test_npm_package_without_a_file_on_the_way_from_its_entry(npm_package, text):
    files = {"package.json": '{"main": "a"}', "a.js": "require;\nimport './b'\n", "b.js": text}
    (found,) = npm_package(files).certain
    assert found.startswith("./lost") and found.endswith("(in b.js)")


@pytest.mark.parametrize("key", ['"main": "lost.js"', '"bin": {"p": "lost.js"}'])
def test_npm_package_without_its_entry(npm_package, key):
    files = {"package.json": f"{{{key}}}", "lost.d.ts": "", "lost.js.map": ""}
    assert npm_package(files).certain == ("lost.js (in package.json)",)


@pytest.mark.parametrize(
    "manifest",
    [
        '{"main": "index.js"}',
        '{"main": "lost.js", "private": true}',
        '{"main": "lost.js", "scripts": {"start": "node server"}}',
        '{"main": "lost.js", "scripts": {"postinstall": "node make"}}',
        '{"main": "a.js", "exports": {"./lost": "./lost.js"}}',
    ],
)
def test_npm_package_whose_entry_may_not_be_used_is_only_doubted(npm_package, manifest):
    found = npm_package({"package.json": manifest, "a.js": ""})
    assert not found.certain
    assert len(found.doubtful) == 1


@pytest.mark.parametrize(
    "text",
    [
        "const x = require('./there');\n",
        "const x = require('./folder');\n",
        "import './typed.js'\n",
        "/*\nconst x = require('./lost');\n*/\n",
        "// 'it\nconst text = `\nimport './lost'\n`;\n",
        "try {\nconst x = require('./lost')\n} catch {}\n",
        "if (x)\n  require('./lost')\n",
        "if (x) var y = require('./lost')\n",
        "else_ || \nrequire('./lost')\n",
        "const x = debug ? require('./lost') : 1\n",
        "const x = require('./lost' + debug)\n",
        "return\nrequire('./lost')\n",
        "const f = () =>\nrequire('./lost')\n",
        "import('./lost')\n",
        "const name = './lost.js';\n",
        "const broken = 'it\nrequire('./lost')\n",
    ],
)
def test_npm_package_that_may_be_complete_is_left_alone(npm_package, text):
    files = {"package.json": '{"main": "./a.js"}', "a.js": text, "stray.js": "import './lost'\n"}
    beside = {"there.js": "", "folder/index.js": "", "typed.ts": ""}
    assert npm_package({**files, **beside}) == Lacks()


def test_private_package_is_not_held_to_what_packing_leaves_out(npm_package, tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "local.json").write_text("{}")
    files = {"package.json": '{"main": "a.js", "private": true}'}
    files["a.js"] = "require('./local')\nrequire('./lost')\n"
    assert npm_package(files) == Lacks(certain=("./lost (in a.js)",))


def test_package_that_makes_files_when_it_is_installed_is_only_doubted(npm_package):
    files = {"package.json": '{"main": "a.js"}', "a.js": "require('./build/x.node')\n"}
    assert npm_package(files).certain
    assert not npm_package({**files, "binding.gyp": ""}).certain


def test_what_is_no_package_is_left_alone(tmp_path, look):
    for name in ("a.whl", "a.tgz", "a.txt"):
        path = tmp_path / name
        path.write_text("no archive")
        assert look(path) == Lacks()


def test_wheel_whose_header_lies_about_a_bomb_is_read_no_further_than_it_says(tmp_path, look):
    path = tmp_path / "p-1.0-py3-none-any.whl"
    text = b"from .lost import x\n" + b" " * (64 << 20)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("p/__init__.py", text)
    declared = struct.pack("<I", len(text))
    path.write_bytes(path.read_bytes().replace(declared, struct.pack("<I", 20)))
    tracemalloc.start()
    look(path)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 16 << 20


def test_npm_package_beyond_the_allowance_is_left_alone(tmp_path, look, monkeypatch):
    monkeypatch.setattr("builders.inspector.packages.PACKAGES_BYTES_MAX", 1 << 20)
    path = tmp_path / "p-1.0.0.tgz"
    path.write_bytes(gzip.compress(bytes(8 << 20)))
    assert look(path) == Lacks()


@pytest.mark.parametrize(
    "piece", ["/*", "'", "`", "/", "${", "import ", "var a,", "(", "a\n", "[/"]
)
def test_reading_javascript_takes_time_by_its_length_alone(piece):
    whole = piece * (bounds.SOURCE_FILE_BYTES_MAX // 8 // len(piece))
    began = time.process_time()
    own_imports(whole)
    assert time.process_time() - began < 5


def test_wheel_whose_names_are_endless_folders_is_left_alone(wheel):
    files = {f"p/{n:06}{'/a' * 450}": "" for n in range(400)}
    assert wheel({**files, "p/__init__.py": "from .lost import x\n"}) == Lacks()


def test_wheel_that_lacks_without_end_is_soon_believed(wheel):
    lacking = "".join(f"from .lost{n} import x\n" for n in range(5_000))
    dynamic = "import sys\n" + "# sys.modules\n" * 50_000
    began = time.process_time()
    assert len(wheel({"p/__init__.py": lacking, "p/a.py": dynamic}).certain) == bounds.MISSING_MAX
    assert time.process_time() - began < 5
