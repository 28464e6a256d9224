"""Daemons that are killed and started again under load, and what the dispatcher says in the end."""
import contextlib

from harness import BIN, STATUS, TASKS, Client, Process

STATUS_IDS = 256


class Fleet:
    """The daemons by name. Each is always started with the same options."""

    def __init__(self, folder, commands, clients_endpoint):
        self.folder, self.commands, self.clients_endpoint = folder, commands, clients_endpoint
        self.running = {}

    def start(self, names):
        for name in names:
            self.running[name] = Process(self.folder, name, *self.command_line(name))

    def command_line(self, name):
        program, *options = self.commands[name]
        return [BIN / program, *options]

    def kill(self, names):
        """All get the signal before the first is waited for."""
        dying = [self.running.pop(name) for name in names]
        for process in dying:
            process.process.kill()
        for process in dying:
            process.close()

    def check(self):
        for name, process in self.running.items():
            if not process.is_alive():
                raise AssertionError(f"{name} ended by itself, exit code {process.wait()}; "
                                     f"log: {process.log_path}")

    def close(self):
        self.kill(list(self.running))


def final_tasks(fleet, ids):
    """The tasks with their logs, as STATUS tells them, by id. They come from a dispatcher that was
    killed once more, so that all it knows comes from its store."""
    fleet.kill(["dispatcher"])
    fleet.start(["dispatcher"])
    with contextlib.closing(Client(fleet.clients_endpoint)) as client:
        return {task["task_id"]: task for start in range(0, len(ids), STATUS_IDS)
                for task in client.ask(STATUS, TASKS, ids[start:start + STATUS_IDS])[2]}


def final_statuses(fleet, ids):
    return {task_id: task["status"] for task_id, task in final_tasks(fleet, ids).items()}
