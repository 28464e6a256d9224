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


if __name__ == "__main__":
    unittest.main()
