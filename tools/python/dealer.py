"""The socket of both programs, with keys if they are given (SPEC.md, "Security")."""
import pathlib
import socket

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
    dealer.ipv6 = needs_ipv6(endpoint)
    dealer.connect(endpoint)
    return dealer


def needs_ipv6(endpoint):
    """Whether its host is an IPv6 address, or a name without an IPv4 address."""
    host = endpoint.removeprefix("tcp://").rpartition(":")[0]
    if not endpoint.startswith("tcp://") or host.startswith("["):
        return host.startswith("[")
    try:
        families = {entry[0] for entry in socket.getaddrinfo(host, None)}
    except OSError:  # nobody knows the name now
        return False
    return socket.AF_INET6 in families and socket.AF_INET not in families
