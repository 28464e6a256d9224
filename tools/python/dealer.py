"""The socket of both programs, with keys if they are given (SPEC.md, "Security")."""
import pathlib

import zmq


def add_key_options(parser):
    parser.add_argument("--key-file", help="our secret key (genai-ctl keygen)")
    parser.add_argument("--server-key", help="the server's public key, or its file")


def make_dealer(endpoint, key_file=None, server_key=None):
    """Connects; with `server_key` to nobody but its owner, as the owner of `key_file`."""
    dealer = zmq.Context.instance().socket(zmq.DEALER)
    dealer.immediate, dealer.linger = 1, 1000
    if server_key:
        if (public := pathlib.Path(server_key)).is_file():
            server_key = public.read_text().strip()
        lines = pathlib.Path(key_file).read_text().splitlines()
        secret = next(line for line in lines if line and not line.startswith("#")).encode()
        dealer.curve_secretkey, dealer.curve_publickey = secret, zmq.curve_public(secret)
        dealer.curve_serverkey = server_key.encode()
    dealer.connect(endpoint)
    return dealer
