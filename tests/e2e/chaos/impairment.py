"""What one direction of a network path does to packets. Knows no clock and no socket."""
import dataclasses

REORDER_S = 0.02  # by how much a packet that others overtake comes later


@dataclasses.dataclass
class Impairment:
    loss: float = 0.0      # share of the packets that vanish, 0..1
    delay_s: float = 0.0   # of each packet
    jitter_s: float = 0.0  # up to so much more or less; keeps the order
    reorder: float = 0.0   # share of the packets that others overtake, 0..1

    def __post_init__(self):
        self.last_due = 0.0

    def due(self, now, rng):
        """When a packet that came at `now` goes on; None: it is lost."""
        if rng.random() < self.loss:
            return None
        if rng.random() < self.reorder:
            return now + self.delay_s + REORDER_S
        if not self.jitter_s:  # keeps whatever order the path before had
            return now + self.delay_s
        due = now + max(0.0, self.delay_s + rng.uniform(-self.jitter_s, self.jitter_s))
        self.last_due = max(due, self.last_due)
        return self.last_due

    def netem(self):
        """The same as options of `tc qdisc ... netem`."""
        options = [f"loss {self.loss * 100}%"]
        if self.delay_s:
            options.append(f"delay {self.delay_s * 1000}ms {self.jitter_s * 1000}ms")
        elif self.reorder:  # netem lets the chosen ones overtake those that are delayed
            options.append(f"delay {REORDER_S * 1000}ms reorder {self.reorder * 100}%")
        return " ".join(options).split()
