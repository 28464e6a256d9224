"""A dispatcher whose data dir is a small file system of the test's own, which it can fill."""
import contextlib
import shutil
import subprocess

from harness import ACCEPTED, SUBMIT, FleetTest
from permission import skip

BLOCK = b"b" * 4096
STORE_FULL = 308


def fill(ballast):
    """Until nothing more can be written on the disk of this file."""
    with contextlib.suppress(OSError), open(ballast, "ab", buffering=0) as file:
        while file.write(BLOCK) == len(BLOCK):
            pass


class SmallDisk(FleetTest):
    """Skips where mounting is not permitted."""

    disk_mib = 24

    def start_dispatcher(self):
        if not self.data.exists():
            self.data.mkdir()
            self.mount("-t", "tmpfs", "-o", f"size={self.disk_mib}m", "tmpfs")
            # Before the folder is removed, after the processes in it have ended.
            self.closers.insert(0, lambda: subprocess.run(["umount", "-l", self.data], check=True))
        return super().start_dispatcher()

    @property
    def data(self):
        return self.folder / "data"

    @property
    def ballast(self):
        return self.data / "ballast"

    def mount(self, *arguments):
        done = subprocess.run(["mount", *arguments, self.data], capture_output=True)
        if done.returncode:
            for close in reversed(self.closers):  # a skip in setUp leaves tearDown out
                close()
            shutil.rmtree(self.folder, ignore_errors=True)
            skip(self, f"mounting is not permitted here: {done.stderr.decode().strip()}")

    def fill(self):
        fill(self.ballast)

    def store_state(self):
        return self.client.stats()["store_state"]

    def submit_until_refused(self, size=65536):
        """Ids that were accepted before the disk had no room for more tasks; all are watched."""
        accepted = []
        for number in range(1000):
            task_id = f"t-{number}"
            answer = self.client.ask(SUBMIT, ACCEPTED, 1, [[task_id, {}, payload_of(task_id, size)]])
            code = answer[2][0][1]
            if code == STORE_FULL:
                return accepted
            self.assertEqual(code, 0, answer)
            accepted.append(task_id)
        self.fail("never refused")


def payload_of(task_id, size=65536):
    """Different for each task, so that a mix-up shows."""
    return (task_id.encode() + b" ").ljust(size, b"p")
