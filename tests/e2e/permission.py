"""Tests that need more than a user has everywhere: mounts, name spaces."""
import os
import subprocess

# Set where everything is permitted, as in tests/bare-machine: what is not tested there fails.
MUST_RUN = "GENAI_TESTS_MUST_RUN"


def must_run():
    return bool(os.environ.get(MUST_RUN))


def skip(test, why):
    if must_run():
        test.fail(f"{MUST_RUN} is set, but {why}")
    test.skipTest(why)


def small_disk(test, name):
    """A folder of the test's own that takes 1 MiB, until the processes of the test have ended."""
    folder = test.folder / name
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True)
    if done.returncode:
        skip(test, f"mounting is not permitted here: {done.stderr.decode().strip()}")
    test.closers.insert(0, lambda: subprocess.run(["umount", "-l", folder], check=True))
    return folder
