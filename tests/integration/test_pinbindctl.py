"""pinbindctl where things go wrong: its words, and a daemon that does not play along."""
import json
import os
import socket
import threading

import pytest

from procs import BUILD, run

CTL = BUILD / "pinbindctl"


@pytest.mark.parametrize("words, said", [
    (["binds", "--lenght", "8"], "--lenght: there is no such option"),
    (["--account=demo", "app", "list"], "--account=demo: there is no such option"),
    (["binds", "-x"], "-x: there is no such option"),
    (["binds", "-s"], "-s: a socket is expected"),
    (["app", "list", "--account"], "--account: a value is expected"),
    (["app", "list", "--account", b"\xff"], "--account: the value is not UTF-8"),
    (["pinkey", "new"], "pinkey: a file is expected"),
    (["pinkey", "newer", "x"], "pinkey: new or add is expected"),
    (["account"], "account: create or list is expected"),
    (["--json", "message"], "message: create or list is expected"),
    (["decode"], "decode: pdu or receipt is expected"),
    ([], "usage: pinbindctl"),
])
def test_wrong_words_are_told_and_ask_nothing(words, said):
    code, out, err = run([os.fsdecode(CTL), *map(os.fsdecode, words)])
    assert (code, out) == (2, "") and said in err


def test_the_answer_of_pinkey_is_json_whatever_the_file_is_called(tmp_path):
    name = str(tmp_path / 'a "quoted" \\ key')
    code, out, err = run([CTL, "pinkey", "new", name, "--json"])
    assert code == 0 and json.loads(out) == {"file": name}


@pytest.mark.parametrize("answer", [b"", b"{", b"nonsense\n"])
def test_a_daemon_that_hangs_up_is_told(tmp_path, answer):
    path = tmp_path / "a.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def hang_up():
        peer, _ = listener.accept()
        peer.sendall(answer)
        peer.close()
    thread = threading.Thread(target=hang_up)
    thread.start()
    # more than a socket holds: the daemon is gone before all of it is written
    code, out, err = run([CTL, "-s", path, "pins", *(["A" * 100000] * 10)])
    thread.join()
    assert (code, out) == (1, "") and "no answer" in err
