"""Real programs under test: each in its own process group, ended as a group, waited for by condition."""
import os
import pathlib
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PINBIND_BUILD", "build"))
BUILD = BUILD if BUILD.is_absolute() else ROOT / BUILD
SLOW = float(os.environ.get("PINBIND_SLOW", "1"))  # sanitized and instrumented programs need longer


def wait_for(condition, what, seconds=10.0):
    """Returns the first true value of condition(); fails with `what` at the deadline."""
    deadline = time.monotonic() + seconds * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not in {seconds * SLOW:g} s: {what() if callable(what) else what}")
        time.sleep(0.01)


class Program:
    """One process with its output in files; text() is what it has written so far."""

    def __init__(self, name, argv, folder, env=None, stdin=subprocess.DEVNULL):
        self.name = name
        self.out_path = pathlib.Path(folder) / f"{name}.out"
        self.err_path = pathlib.Path(folder) / f"{name}.err"
        with open(self.out_path, "ab") as out, open(self.err_path, "ab") as err:
            self.popen = subprocess.Popen(
                [str(a) for a in argv], stdin=stdin, stdout=out, stderr=err, start_new_session=True,
                env={**os.environ, **(env or {})}, cwd=ROOT)
        self.pid = self.popen.pid

    def out(self):
        return self.out_path.read_text(errors="backslashreplace")

    def err(self):
        return self.err_path.read_text(errors="backslashreplace")

    def wait_text(self, needle, stream="err", seconds=10.0, count=1):
        def there():
            if self.popen.poll() is not None and getattr(self, stream)().count(needle) < count:
                raise AssertionError(f"{self.name} ended with {self.popen.returncode}: {self.err()[-2000:]}")
            return getattr(self, stream)().count(needle) >= count
        wait_for(there, lambda: f"{needle!r} from {self.name}; it said: {getattr(self, stream)()[-2000:]}", seconds)

    def signal(self, number):
        self.popen.send_signal(number)

    def wait(self, seconds=10.0):
        return self.popen.wait(seconds * SLOW)

    def kill_group(self):
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.popen.wait()

    def stop(self, seconds=10.0):
        """SIGTERM, then the whole group; returns the exit status."""
        if self.popen.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                self.wait(seconds)
            except subprocess.TimeoutExpired:
                pass
        code = self.popen.poll()
        self.kill_group()
        return code


def run(argv, seconds=20.0, **kw):
    """A program to its end: (exit status, stdout, stderr)."""
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, errors="backslashreplace",
                          timeout=seconds * SLOW, cwd=ROOT, **kw)
    return done.returncode, done.stdout, done.stderr
