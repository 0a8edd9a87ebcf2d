"""What the README says: its session works, and its settings are the server's."""

import os
import pathlib
import re
import subprocess
import sys

from process import DEADLINE_S, run

ROOT = pathlib.Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_session_of_the_readme_works(server, tmp_path):
    [session] = re.findall(r"^```python\n(>>> .*?)^```$", README, re.M | re.S)
    assert "localhost:50051" in session
    file = tmp_path / "session.txt"
    file.write_text(session.replace("localhost:50051", server.grpc))
    outcome = subprocess.run(
        [sys.executable, "-m", "doctest", str(file)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "proto")},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_the_settings_of_the_readme_are_those_of_the_help():
    told = re.findall(r"^\| `(CACHE_\w+)` \| `?([^`|]+?)`? \|", README, re.M)
    listed = re.findall(r"^  (CACHE_\w+)=(.*)$", run("--help").stdout, re.M)
    assert listed, "the help lists no settings"
    assert told == listed
