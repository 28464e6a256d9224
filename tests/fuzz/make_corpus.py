"""Writes seeds for each fuzz target: make_corpus.py FOLDER

The frames of tests/golden: as they are for the decoders, as events for the cores.
"""
import json
import pathlib
import sys

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"

# Of each direction: the decoder, and the core that receives it with the bytes that make it hear a
# frame: the event, where a core has several, the peer; then 0, any bytes (Draw::frame).
TARGETS = {
    "from_node": ("decode_node", "broker_core", [0, 0, 0]),
    "to_node": ("decode_node", "node_session", [0, 0]),
    "link_to_broker": ("decode_link", "broker_core", [1, 0, 0]),
    "link_to_dispatcher": ("decode_link", "dispatcher_core", [0, 0, 0]),
    "from_client": ("decode_client", "dispatcher_core", [1, 0, 0]),
    "to_client": ("decode_client", "client_session", [0, 0]),
}
# The first byte of these is a setting.
WITH_SETTING = {"dispatcher_core", "client_session"}

FRAMES = [("vectors.json", "frame"), ("malformed.json", "frame"), ("growth.json", "longer"), ("growth.json", "shorter")]

TEXTS = {
    "open_maps": [b"\x80", b"\x81\xa5model\xa4sdxl",
                  b"\x83\xa6models\x91\xa4sdxl\xa5slots\x02\xa8min_cost\xcb?\xe0\0\0\0\0\0\0"],
    "bundle": [b"\x81\xa5files\x91\x82\xa4name\xa5a.png\xa5bytes\x07", b"masks/1 (left).png", b"\x89PNG\r\n\x1a\n",
               b"\x81\xa5files\x92\x83\xa4name\xa1a\xa5bytes\x01\xaccontent_type\xa9image/png"
               b"\x83\xa4name\xa3A/b\xa5bytes\x02\xa4seed\x07", b"RIFF\0\0\0\0WEBP", b"\0\0\0\x20ftypisom...."],
    "store_text": [b"[]", b'[[1700000000000,2,"node acknowledged","node-1",1]]',
                   b'[[1,7,"00112233445566778899aabbccddeeff","node-1",0,1]]'],
    "config_file": [b"count = 3\nratio = 0.5\non = true\nmode = 'b'\n",
                    b'name = "x"\nnames = ["a", "b"]\nwait_ms = 5\n[table]\na = 1979-05-27\n'],
}


def seeds():
    for name, key in FRAMES:
        for vector in json.loads((GOLDEN / name).read_text()):
            frame = bytes.fromhex(vector[key])
            decoder, core, event = TARGETS[vector["direction"]]
            yield decoder, frame
            if len(frame) > 2000:  # leaves room for other events
                continue
            setting = b"\0" if core in WITH_SETTING else b""
            yield core, setting + bytes(event) + len(frame).to_bytes(2, "little") + frame + b"\0"
    for target, texts in TEXTS.items():
        for text in texts:
            yield target, text


folder = pathlib.Path(sys.argv[1])
for number, (target, seed) in enumerate(seeds()):
    (folder / target).mkdir(parents=True, exist_ok=True)
    (folder / target / f"seed-{number}").write_bytes(seed)
