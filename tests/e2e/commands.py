"""genai-ctl, as tests call it."""
import json
import subprocess

from harness import BIN, FleetTest


class CtlTest(FleetTest):
    def ctl(self, *arguments, endpoint=None, stdin=b"", **options):
        return subprocess.run(
            [BIN / "genai-ctl", "--dispatcher", endpoint or self.clients_endpoint,
             *map(str, arguments)], input=stdin, capture_output=True, timeout=60, **options)

    def rows(self, *arguments, code=0):
        done = self.ctl(*arguments, "--json")
        self.assertEqual(done.returncode, code, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]
