"""Run the scripts of ``node/`` on npm's packages; one process does a whole batch."""

import json
import subprocess
from pathlib import Path

from tests.programs import npm_modules

SCRIPTS = Path(__file__).parent / "node"


def run_node(script: str, *arguments: object) -> bytes:
    """Return what a script printed."""
    # Evaluated, not run: node looks for packages beside the file that asks for them.
    text = (SCRIPTS / script).read_text()
    command = ["node", "--input-type=module", "--eval", text, "--", *map(str, arguments)]
    done = subprocess.run(command, cwd=npm_modules().parent, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def run_jobs(script: str, folder: Path, jobs: list[dict[str, object]]) -> bytes:
    """Return what a script printed that takes a list of jobs."""
    path = folder / f"{script}.json"
    path.write_text(json.dumps(jobs))
    return run_node(script, path)
