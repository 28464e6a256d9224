"""tools/quickstart after the packages are installed: build, run the prompts through a fleet, tell how it went."""
import argparse
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time

from fleet import Fleet, Submission, Trouble

SCRIPTS = pathlib.Path(__file__).resolve().parent
ROOT = SCRIPTS.parent.parent
PNG_START = b"\x89PNG\r\n\x1a\n"
KILL_AFTER = 0.2  # of the tasks are done: the fleet is busy, most work lies ahead


def node_count(text):
    if not re.fullmatch("[0-9]{1,2}", text) or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 64")
    return int(text)


def arguments():
    parser = argparse.ArgumentParser(prog="tools/quickstart", description="Renders prompts on a small fleet, kills a node on the way.")
    parser.add_argument("--out", metavar="DIR", type=pathlib.Path, default=pathlib.Path("out"), help="folder for the pictures (default: out)")
    parser.add_argument("--prompts", metavar="FILE", type=pathlib.Path, default=SCRIPTS / "prompts.txt", help="one prompt a line (default: 20 that ship with it)")
    parser.add_argument("--nodes", metavar="N", type=node_count, default=3, help="client nodes to start, 1 to 64 (default: 3)")
    parser.add_argument("--no-kill", action="store_true", help="let all nodes live")
    parser.add_argument("--keep-logs", action="store_true", help="keep the logs of all processes in DIR/logs")
    parser.add_argument("--bin", metavar="DIR", type=pathlib.Path, help="use the programs of this folder instead of building them")
    return parser.parse_args()


def read_prompts(path):
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Trouble(f"prompts: {path}: {error}") from None
    prompts = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    if not prompts:
        raise Trouble(f"prompts: {path} has none")
    twice = {prompt for prompt in prompts if prompts.count(prompt) > 1}
    if twice:  # the same prompt gives the same picture, and different ones are promised
        raise Trouble(f"prompts: {path} has this one twice: {min(twice)}")
    return prompts


def picture_name(line, prompt):
    slug = re.sub(r"[^a-z0-9]+", "-", prompt.lower())[:60].strip("-") or "picture"
    return f"{line:02d}-{slug}.png"


def collect(tasks, prompts, folder):
    """Gives the result files readable names in folder, after checking that each prompt has a picture of its own."""
    folder.mkdir()
    pictures = {}  # content -> line
    for line, prompt in enumerate(prompts, 1):
        task = next((task for task in tasks if task["line"] == line), None)
        if task is None or task["status"] != "Completed":
            raise Trouble(f"prompt {line} ({prompt}) ended {task['status'] if task else 'without an answer'}")
        data = pathlib.Path(task["file"]).read_bytes()
        if not data.startswith(PNG_START):
            raise Trouble(f"prompt {line} ({prompt}): {task['file']} is not a PNG ({len(data)} bytes)")
        if data in pictures:
            raise Trouble(f"prompts {pictures[data]} and {line} gave the same picture")
        pictures[data] = line
        (folder / picture_name(line, prompt)).write_bytes(data)


def seconds(values):
    return f"min {min(values) / 1000:.1f} s, median {statistics.median(values) / 1000:.1f} s, max {max(values) / 1000:.1f} s"


def summary(fleet, tasks, kill, took_s, out):
    requeued = [task for task in tasks if task["attempts"] > 1]
    print(f"\n{len(tasks)} prompts, {len(tasks)} different pictures in {took_s:.1f} s")
    for node_id in fleet.node_ids:
        done = sum(task["node_id"] == node_id for task in tasks)
        print(f"  {node_id}: {done} tasks" + (f" (killed while it held {kill[1]})" if kill and kill[0] == node_id else ""))
    print(f"  requeued: {len(requeued)}" + "".join(f"\n    line {task['line']}: attempt {task['attempts']}, done by {task['node_id']}" for task in requeued))
    print(f"  rendering: {seconds([task['run_ms'] for task in tasks])}")
    print(f"  from submission to result: {seconds([task['total_ms'] for task in tasks])}")
    print(f"Pictures: {out}\nContact sheet: {out / 'contact-sheet.png'}")


def run(options, prompts, fleet, cleanup):
    print(f"Starting a broker, a dispatcher and {options.nodes} nodes", flush=True)
    fleet.await_ready()
    print(f"All nodes are online. Watch them from another terminal:\n  {' '.join(fleet.ctl_command('top'))}", flush=True)

    results, kill = fleet.folder / "results", []
    results.mkdir()
    bars = sys.stderr.isatty()  # then genai-ctl draws them; else a line per task tells how it goes

    def report(task, done):
        if not bars:
            print(f"[{done}/{len(prompts)}] {task['status']} on {task['node_id']}: {prompts[task['line'] - 1]}", flush=True)

    def maybe_kill(done):
        if not options.no_kill and not kill and max(1, KILL_AFTER * len(prompts)) <= done < len(prompts):
            victim = fleet.kill_a_busy_node()
            if victim:
                kill.extend(victim)
                print(f"\nKilled {victim[0]} (SIGKILL) while it held {victim[1]} task(s); others will take over.", flush=True)

    start = time.monotonic()
    submission = Submission(fleet, prompts, results, report)
    cleanup.append(submission.stop)
    status = submission.follow(fleet, maybe_kill)
    took_s = time.monotonic() - start
    if status != 0 and len(submission.tasks) < len(prompts):
        raise Trouble(f"genai-ctl submit ended with status {status} after {len(submission.tasks)} of {len(prompts)} tasks")
    pictures = fleet.folder / "pictures"
    collect(submission.tasks, prompts, pictures)
    if status != 0:
        raise Trouble(f"genai-ctl submit ended with status {status}")
    if not options.no_kill and not kill:
        raise Trouble("all tasks were done before a node could be killed; use more prompts or --no-kill")

    sheet = [str(SCRIPTS / "contact-sheet"), str(pictures), str(fleet.folder / "contact-sheet.png"), str(fleet.folder / "prompts.txt")]
    subprocess.run(sheet, check=True, stdin=subprocess.DEVNULL, env=fleet.environment())
    for file in [*sorted(pictures.iterdir()), fleet.folder / "contact-sheet.png"]:
        shutil.copy(file, options.out)
    summary(fleet, submission.tasks, kill, took_s, options.out)


def interrupted(number, _frame):
    raise Trouble(f"interrupted by {signal.Signals(number).name}")


def main():
    options = arguments()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    if options.nodes == 1 and not options.no_kill:
        raise Trouble("with one node nothing is left to take over: use --no-kill or more --nodes")
    prompts = read_prompts(options.prompts)
    options.out = options.out.resolve()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.bin is None:
        print("Building the programs; the first time this takes a few minutes", flush=True)
        subprocess.run([str(SCRIPTS / "build"), "--programs"], check=True, stdin=subprocess.DEVNULL)

    fleet, cleanup, failed = Fleet((options.bin or ROOT / "build" / "bin").resolve()), [], True
    try:
        fleet.start_all(options.nodes, SCRIPTS / "render-povray")
        run(options, prompts, fleet, cleanup)
        failed = False
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # nothing may cut the tidying short
        for step in cleanup:
            step()
        left = fleet.stop()
        if failed or options.keep_logs or left:
            fleet.save_logs(options.out / "logs")
            print(f"Logs: {options.out / 'logs'}", file=sys.stderr if failed else sys.stdout)
        fleet.remove()
    if left:
        raise Trouble(f"processes that did not end by themselves were killed: {', '.join(left)}")


if __name__ == "__main__":
    try:
        main()
    except (Trouble, OSError) as error:
        sys.exit(f"quickstart: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"quickstart: {pathlib.Path(error.cmd[0]).name} ended with status {error.returncode}")
