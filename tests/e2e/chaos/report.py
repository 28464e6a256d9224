"""What people and machines read of rounds: a line for each, and totals."""
import faults
import measures


def seconds(values, share):
    value = measures.percentile(values, share)
    return "-" if value is None else f"{value:.2f}s"


def report_round(number, kinds, outcome, took_s):
    samples = outcome.failovers_s
    print(f"round {number} faults={','.join(kinds)} {outcome.counts()} failovers={len(samples)} "
          f"p50={seconds(samples, 50)} max={seconds(samples, 100)} "
          f"wasted={outcome.seconds.wasted:.1f}s salvaged={outcome.seconds.salvaged:.1f}s "
          f"took={took_s:.1f}s", flush=True)
    for problem in outcome.problems():
        print(f"  {problem}", flush=True)


def report_kinds(by_kind):
    """A row for each kind of fault: what came of the rounds that had it, alone or among others."""
    columns = "{:16} {:>6} {:>8} {:>4} {:>7} {:>6} {:>5} {:>7} {:>7} {:>8}"
    print(columns.format("fault", "rounds", "accepted", "lost", "doubled", "deaths", "stuck", "p50",
                         "p99", "wasted"))
    for kind, part in by_kind.items():
        print(columns.format(
            kind, part.rounds, part.accepted, len(part.lost), len(part.doubled), len(part.deaths),
            len(part.troubles), seconds(part.failovers_s, 50), seconds(part.failovers_s, 99),
            f"{part.seconds.wasted:.0f}s"))


def report_all(total):
    s, samples = total.seconds, total.failovers_s
    if total.storms_s:
        print(f"storm of {faults.STORM_NODES} nodes: all back {seconds(total.storms_s, 50)} (p50), "
              f"{seconds(total.storms_s, 100)} (max) after the broker was killed")
    print(f"provider-seconds: useful={s.useful:.0f} wasted={s.wasted:.0f} (result discarded "
          f"{s.discarded:.0f}, aborted {s.aborted:.0f}, died with the process {s.died:.0f}) "
          f"salvaged={s.salvaged:.0f} cancelled={s.cancelled:.0f}")
    print(f"failover: samples={len(samples)} p50={seconds(samples, 50)} p99={seconds(samples, 99)} "
          f"max={seconds(samples, 100)}")
    print(f"rounds={total.rounds} {total.counts()}", flush=True)
