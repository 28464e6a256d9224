"""The golden vectors from another language: python3-msgpack reads and writes the same bytes."""
import json
import pathlib
import unittest

import msgpack

HERE = pathlib.Path(__file__).resolve().parent


def from_readable(value):
    if isinstance(value, dict):
        if set(value) == {"hex"}:
            return bytes.fromhex(value["hex"])
        return {key: from_readable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [from_readable(item) for item in value]
    return value


class Golden(unittest.TestCase):
    vectors = json.loads((HERE / "vectors.json").read_text())

    def test_unpack(self):
        for vector in self.vectors:
            with self.subTest(vector["name"]):
                message = msgpack.unpackb(bytes.fromhex(vector["frame"]), raw=False)
                self.assertEqual(message, from_readable(vector["message"]))
                self.assertEqual(message[:2], [1, vector["type"]])

    def test_pack(self):
        for vector in self.vectors:
            with self.subTest(vector["name"]):
                frame = msgpack.packb(from_readable(vector["message"]), use_bin_type=True)
                self.assertEqual(frame.hex(), vector["frame"])


class Growth(unittest.TestCase):
    """growth.json, read without the codec: other releases send more, or less, and nothing else."""
    entries = json.loads((HERE / "growth.json").read_text())

    def assert_grown(self, long, short, added, where):
        """`long` is `short` with `added(tail)` true of what stands behind it, in every array of both."""
        if not isinstance(short, list):
            return self.assertEqual(long, short, where)
        self.assertTrue(added(long[len(short):]), f"{where}: {long[len(short):]}")
        for index, value in enumerate(short):
            self.assert_grown(long[index], value, added, f"{where}[{index}]")

    def test_longer(self):
        for entry in self.entries:
            long, short = (msgpack.unpackb(bytes.fromhex(entry[key]), raw=False) for key in ("longer", "frame"))
            self.assertEqual(len(long), len(short) + 5)
            # A list of ids, texts or maps is no struct, and has no more entries.
            self.assert_grown(long, short, lambda tail: len(tail) in (0, 5), entry["name"])

    def test_shorter(self):
        defaults = ("", [], 0, False, [0, 0, 0, 0])
        for entry in self.entries:
            filled, shorter = (msgpack.unpackb(bytes.fromhex(entry[key]), raw=False) for key in ("filled", "shorter"))
            self.assert_grown(filled, shorter, lambda tail: all(v in defaults for v in tail), entry["name"])


if __name__ == "__main__":
    unittest.main()
