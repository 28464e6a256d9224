"""What came of rounds."""
import collections
import dataclasses

import measures


@dataclasses.dataclass
class Outcome:
    """Of one round, or of several together."""
    rounds: int = 0
    accepted: int = 0
    statuses: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    lost: dict = dataclasses.field(default_factory=dict)
    doubled: dict = dataclasses.field(default_factory=dict)
    troubles: list = dataclasses.field(default_factory=list)  # what made the round get stuck
    deaths: list = dataclasses.field(default_factory=list)
    failovers_s: list = dataclasses.field(default_factory=list)
    storms_s: list = dataclasses.field(default_factory=list)
    seconds: measures.Seconds = dataclasses.field(default_factory=measures.Seconds)

    def is_good(self):
        return self.accepted > 0 and not (self.lost or self.doubled or self.troubles or self.deaths)

    def add(self, other):
        self.rounds += other.rounds
        self.accepted += other.accepted
        self.seconds.add(other.seconds)
        for name in ("statuses", "lost", "doubled"):
            getattr(self, name).update(getattr(other, name))
        for name in ("troubles", "deaths", "failovers_s", "storms_s"):
            getattr(self, name).extend(getattr(other, name))

    def problems(self):
        yield from (f"lost {task}: {why}" for task, why in self.lost.items())
        yield from (f"doubled {task}: {why}" for task, why in self.doubled.items())
        yield from self.troubles
        yield from self.deaths

    def counts(self):
        told = " ".join(f"{status.lower()}={self.statuses[status]}"
                        for status in ("Completed", "Failed", "Aborted"))
        return (f"accepted={self.accepted} {told} lost={len(self.lost)} "
                f"doubled={len(self.doubled)} deaths={len(self.deaths)} stuck={len(self.troubles)}")
