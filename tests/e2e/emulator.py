"""AWS's own Lambda runtime interface emulator with the program as its bootstrap, and a bridge that carries notifications to it."""
import json
import os
import pathlib
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request

from aws import KEYS, free_port
from conftest import PROGRAM


class Emulator:
    """AWS's Lambda runtime interface emulator (./test installs it), and the program as its bootstrap. One invocation at a time."""

    PROGRAM = pathlib.Path(sys.prefix) / "aws-lambda-rie"

    def __init__(self, folder, environment, seconds=30):
        folder.mkdir()
        (folder / "bootstrap").symlink_to(PROGRAM)
        self.path = folder / "log"
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"
        environment = {"PATH": os.environ["PATH"], "AWS_LAMBDA_FUNCTION_NAME": "thumbs", "AWS_LAMBDA_FUNCTION_TIMEOUT": str(seconds),
                       "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512", "AWS_LAMBDA_LOG_FORMAT": "JSON", "_HANDLER": "bootstrap",
                       **{name: value for name, value in os.environ.items() if name.startswith(("ASAN", "UBSAN"))}, **KEYS, **environment}
        with open(self.path, "wb") as log, open(folder / "own-log", "wb") as own:
            self.process = subprocess.Popen([self.PROGRAM, "--runtime-interface-emulator-address", f"127.0.0.1:{port}",
                                             "--runtime-api-address", f"127.0.0.1:{free_port()}", folder / "bootstrap"],
                                            env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=own, start_new_session=True)
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            assert self.process.poll() is None, (folder / "own-log").read_text()
            time.sleep(0.1)
        self.close()
        raise AssertionError("the emulator does not listen")

    def invoke(self, event, patience=90):
        """The function's answer, or {errorMessage, errorType}: the emulator answers both with 200."""
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url, body), timeout=patience) as response:
            text = response.read()
        try:
            return json.loads(text)
        except ValueError:  # its own words: "Task timed out after 2.00 seconds"
            return {"errorMessage": text.decode(), "errorType": "emulator"}

    def lines(self):
        """What emulator and function have written; both have one open file, so the order is true."""
        return self.path.read_text().splitlines()

    def descendants(self):
        """Pids of all that it started, by parent: {pid: parent}."""
        parents = {}
        for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                parents[int(entry.parent.name)] = int(entry.read_text().rpartition(")")[2].split()[1])
            except OSError:
                pass  # it is gone
        found = {self.process.pid: 0}
        while more := {pid: parent for pid, parent in parents.items() if parent in found and pid not in found}:
            found.update(more)
        del found[self.process.pid]
        return found

    def close(self):
        started = self.descendants()  # the sandbox has a session of its own, so no group has them all
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pid in started:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


class Bridge:
    """Carries the notifications of `pixmill serve` to the emulator, as S3 carries its own to Lambda.

    A trigger takes each event, in the transaction of the upload itself, before the service's own queue has it: so the service
    does not process what the function is to. A failed invocation is tried again twice, as Lambda does."""

    def __init__(self, service, emulator):
        self.path, self.emulator, self.answers, self.over = pathlib.Path(service.data) / "pixmill.db", emulator, [], threading.Event()
        with self.connect() as database:
            database.execute("CREATE TABLE carried(id INTEGER PRIMARY KEY, body TEXT NOT NULL)")
            database.execute("CREATE TRIGGER carry BEFORE INSERT ON events BEGIN"
                             " INSERT INTO carried(body) VALUES(new.body); SELECT RAISE(IGNORE); END")
        database.close()
        self.thread = threading.Thread(target=self.carry, daemon=True)
        self.thread.start()

    def connect(self):
        return sqlite3.connect(self.path, timeout=20)

    def carry(self):
        database = self.connect()
        while not self.over.wait(0.05):
            for number, body in database.execute("SELECT id, body FROM carried ORDER BY id").fetchall():
                for _ in range(3):
                    self.answers.append(self.emulator.invoke(body.encode()))
                    if "errorType" not in self.answers[-1]:
                        break
                with database:
                    database.execute("DELETE FROM carried WHERE id=?", (number,))
        database.close()

    def close(self):
        self.over.set()
        self.thread.join(60)
