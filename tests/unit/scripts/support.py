"""Where the scripts under test are, and how to run the renderer."""
import os
import pathlib
import subprocess
import sys

SCRIPTS = pathlib.Path(__file__).resolve().parents[3] / "tools" / "scripts"
sys.path.insert(0, str(SCRIPTS))


def render(prompt, **variables):
    """Runs render-povray as a node does, without the caller's GENAI_ variables."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GENAI_")}
    payload = prompt if isinstance(prompt, bytes) else prompt.encode()
    return subprocess.run([SCRIPTS / "render-povray"], input=payload, capture_output=True, timeout=300,
                          env=environment | variables)
