"""Runs a command while a gateway, pinbind-smsc and the sign-in form are up: FORM_URL, PHONE_URL."""
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from test_demo import Form, Simulator  # noqa: E402
from world import Account, World, free_port  # noqa: E402

world = World()
status = 1
try:
    port = free_port()
    smsc = Simulator(world, "--form-url", f"http://127.0.0.1:{port}/")
    gateway = world.gateway({"simulator": {"port": smsc.port}}, http={}).start()
    account = Account(gateway, "demo", {"pinAttempts": "3"})
    account.message = account.new_message("--length", "8", text="Your code is {{pin}}")
    form = Form(account, smsc, "--listen", f"127.0.0.1:{port}")
    world.closing.append(form.program.stop)
    status = subprocess.run(sys.argv[1:], env={**os.environ, "FORM_URL": form.url, "PHONE_URL": smsc.url},
                            check=False, timeout=300).returncode
finally:
    world.close(status != 0)
sys.exit(status)
