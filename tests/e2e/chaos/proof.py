"""Shows, before anything is concluded from a round, that the network does what faults ask of it."""
import contextlib
import socket
import subprocess
import sys
import time

from impairment import Impairment

PORT, PACKETS, WAIT_S = 7799, 200, 0.5
ECHO = f"""
import socket
echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
echo.bind(("0.0.0.0", {PORT}))
print(flush=True)
while True:
    echo.sendto(*echo.recvfrom(100))
"""


class Echo:
    """A program at a place that sends back each packet."""

    def __init__(self, network, place):
        self.address = network.address(place), PORT
        self.program = subprocess.Popen([*network.enter(place), sys.executable, "-c", ECHO],
                                        stdout=subprocess.PIPE)
        self.program.stdout.read(1)

    def ask(self):
        """The numbers of the packets that came back, in that order; the least round trip in s."""
        sent, back, least_s = {}, [], WAIT_S
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            asker.settimeout(WAIT_S)
            for number in range(PACKETS):
                sent[number] = time.monotonic()
                asker.sendto(str(number).encode(), self.address)
            with contextlib.suppress(TimeoutError):
                while len(back) < PACKETS:
                    back.append(int(asker.recv(100)))
                    least_s = min(least_s, time.monotonic() - sent[back[-1]])
        return back, least_s

    def close(self):
        self.program.kill()
        self.program.wait()
        self.program.stdout.close()


def prove(network, place):
    """Raises AssertionError when an impairment does not do what it says."""
    with contextlib.closing(Echo(network, place)) as echo:
        def under(**way):
            network.impair(place, **way)
            answer = echo.ask()
            network.mend(place)
            return answer

        assert echo.ask()[0] == list(range(PACKETS)), "an unimpaired network loses or reorders"
        lost = PACKETS - len(under(into=Impairment(loss=0.5))[0])
        assert 0.3 * PACKETS < lost < 0.7 * PACKETS, f"lost {lost} of {PACKETS}, not half"
        for way in ("out", "into"):
            assert not under(**{way: Impairment(loss=1.0)})[0], f"packets pass {way}"
        assert under(out=Impairment(delay_s=0.1))[1] >= 0.1, "a delay does not delay"
        back, _ = under(out=Impairment(reorder=0.25))
        assert sorted(back) == list(range(PACKETS)) != back, "reordering loses, or does nothing"
        assert echo.ask()[0] == list(range(PACKETS)), "a mended network loses or reorders"
