"""The oracle of kill_rounds must find each flaw that it is there for."""
import pathlib
import subprocess
import tempfile
import unittest

import oracle

HERE = pathlib.Path(__file__).parent
ECHO = oracle.digest(b"prompt")


class Oracle(unittest.TestCase):
    def judge(self, *entries, status="Completed"):
        """The reasons (lost, doubled) for one task, submitted and accepted, with these entries."""
        with tempfile.TemporaryDirectory() as folder:
            log = oracle.Log(pathlib.Path(folder) / "log")
            for kind, *fields in (("submitted", ECHO), ("accepted",), *entries):
                log.append(kind, "t-1", *fields)
            log.close()
            verdict = oracle.judge(log.path, {"t-1": status} if status else {})
            self.assertEqual(verdict.accepted, 1)
            return verdict.lost.get("t-1"), verdict.doubled.get("t-1")

    def assert_sound(self, *entries, **options):
        self.assertEqual(self.judge(*entries, **options), (None, None))

    def assert_lost(self, reason, *entries, **options):
        lost, doubled = self.judge(*entries, **options)
        self.assertRegex(lost or "", reason)
        self.assertIsNone(doubled)

    def assert_doubled(self, reason, *entries, **options):
        lost, doubled = self.judge(*entries, **options)
        self.assertIsNone(lost)
        self.assertRegex(doubled or "", reason)

    def test_sound_tasks(self):
        done = ("delivered", "Completed", ECHO)
        self.assert_sound(done)
        self.assert_sound(done, done, ("delivered", "Completed", None))
        self.assert_sound(("cancel",), done)
        aborted = ("delivered", "Aborted", oracle.digest(b""))
        self.assert_sound(("cancel",), aborted, status="Aborted")
        self.assert_sound(("cancel",), ("cancelled",), aborted, status="Aborted")

    def test_lost_tasks(self):
        done = ("delivered", "Completed", ECHO)
        self.assert_lost("does not know", status=None)
        self.assert_lost("does not know", done, status=None)
        self.assert_lost("does not know", done, ("unknown",))
        self.assert_lost("not terminal: Sent", status="Sent")
        self.assert_lost("never delivered")
        self.assert_lost("data were gone", ("delivered", "Completed", None))
        self.assert_lost("Failed", ("delivered", "Failed", oracle.digest(b"")), status="Failed")

    def test_doubled_tasks(self):
        done = ("delivered", "Completed", ECHO)
        aborted = ("delivered", "Aborted", oracle.digest(b""))
        other = oracle.digest(b"other")
        self.assert_doubled("differently", done, ("delivered", "Completed", other))
        self.assert_doubled("differently", done, ("delivered", "Aborted", None))
        self.assert_doubled("not the echo", ("delivered", "Completed", other))
        self.assert_doubled("cancelled, then", ("cancel",), ("cancelled",), done)
        self.assert_doubled("nobody cancelled", aborted, status="Aborted")
        self.assert_doubled("its status is Aborted", done, status="Aborted")
        self.assert_doubled("was refused", done, ("conflict", 301))

    def test_a_terminal_state_is_the_last(self):
        def why(*statuses):
            return oracle.why_not_terminal_once([{"status": status} for status in statuses])
        self.assertIsNone(why("Unscheduled", "Scheduled", "Sent", "Unscheduled", "Completed"))
        self.assertRegex(why("Completed", "Failed"), "more than once")
        self.assertRegex(why("Sent", "Completed", "Sent"), "left")

    def test_what_nobody_was_promised_may_vanish(self):
        with tempfile.TemporaryDirectory() as folder:
            log = oracle.Log(pathlib.Path(folder) / "log")
            log.append("submitted", "t-1", ECHO)
            log.close()
            self.assertEqual(oracle.promised(log.path), [])
            self.assertEqual(oracle.judge(log.path, {}), oracle.Verdict(0, {}, {}))

    def test_kill_rounds_reports_what_the_oracle_found(self):
        ended = subprocess.run([HERE / "kill_rounds", "--self-test"], stdout=subprocess.PIPE,
                               text=True, timeout=60, check=False)
        self.assertEqual(ended.stdout.splitlines()[-1], "rounds=0 accepted=3 lost=1 doubled=1")
        self.assertEqual(ended.returncode, 1)


if __name__ == "__main__":
    unittest.main()
