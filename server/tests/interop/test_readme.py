"""Runs the session of the README as it stands there."""

import os
import pathlib
import re
import subprocess
import sys

from process import DEADLINE_S

ROOT = pathlib.Path(__file__).resolve().parents[3]


def test_the_session_of_the_readme_works(server, tmp_path):
    [session] = re.findall(r"^```python\n(>>> .*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)
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
