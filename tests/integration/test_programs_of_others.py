"""What is told when Debian no longer has one of the programs that check us."""

import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts/fetch-debian.sh"


def _fetch(folder: Path, *packages: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SCRIPT), "sid", str(folder), *packages],
        env=os.environ | more,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_package_that_is_gone_is_named_and_nothing_is_laid_out(tmp_path: Path) -> None:
    done = _fetch(tmp_path / "out", "age", "escrow-no-such-package")
    assert done.returncode == 3, done.stderr
    told = "Debian sid no longer has the package 'escrow-no-such-package'"
    assert told in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_mirror_that_is_away_does_not_make_a_package_look_gone(tmp_path: Path) -> None:
    nobody = "http://127.0.0.1:1"
    done = _fetch(tmp_path / "out", "age", http_proxy=nobody, https_proxy=nobody)
    assert done.returncode == 1
    assert "could not be fetched" in done.stderr
    assert "no longer" not in done.stderr
