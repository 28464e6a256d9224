"""Tests that need more than a user has everywhere: mounts, name spaces."""
import os

# Set where everything is permitted, as in tests/bare-machine: what is not tested there fails.
MUST_RUN = "GENAI_TESTS_MUST_RUN"


def must_run():
    return bool(os.environ.get(MUST_RUN))


def skip(test, why):
    if must_run():
        test.fail(f"{MUST_RUN} is set, but {why}")
    test.skipTest(why)
