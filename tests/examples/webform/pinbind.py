"""Asking pinbind's HTTP API: the part to copy into a back end.

Three requests are all there is: send, resend, verify.  A wrong PIN is an answer, not an error of
HTTP.  Whatever goes wrong becomes a Problem with a sentence that a person understands; what is ours
to mend stands in the log, without keys, numbers or PINs.
"""
import http.client
import json
import sys
import urllib.parse

TIMEOUT_S = 15       # the gateway answers a send within its send_deadline_ms, 10 s
ANSWER_MAX = 65536   # octets


class Problem(Exception):
    """over: this PIN will not be taken any more."""

    def __init__(self, status, sentence, retry_s=0, over=False):
        super().__init__(sentence)
        self.status, self.sentence, self.retry_s, self.over = status, sentence, retry_s, over


def duration(seconds):
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size:
            n = -(-seconds // size)  # rounded up: nobody is told to come too early
            return f"{n} {name}" + ("s" if n > 1 else "")
    return "a moment"


class Api:
    def __init__(self, url, key, application, message):
        at = urllib.parse.urlsplit(url)
        kind = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}[at.scheme]
        self.connect = lambda: kind(at.netloc, timeout=TIMEOUT_S)
        self.base = at.path.rstrip("/") + "/2fa/2/pin"
        self.headers = {"Authorization": "App " + key, "Content-Type": "application/json"}
        self.ids = {"applicationId": application, "messageId": message}

    def send(self, number):
        """The pinId of a new PIN, which is on its way to the number."""
        return self._sent(self._post("", {**self.ids, "to": number}))

    def resend(self, pin_id):
        """The same PIN once more; a Problem with `over` where it has too little life left."""
        return self._sent(self._post(f"/{pin_id}/resend", {}))

    def verify(self, pin_id, pin):
        """Returns when the PIN is right."""
        answer = self._post(f"/{pin_id}/verify", {"pin": pin})
        if answer.get("verified") is True:
            return
        left = answer.get("attemptsRemaining", 0)
        if answer.get("pinError") == "TTL_EXPIRED":
            raise Problem(400, "This code has expired. Ask for a new one.", over=True)
        if answer.get("pinError") != "WRONG_PIN" or not left:
            raise Problem(400, "That was one try too many. Ask for a new code.", over=True)
        tries = f"You have {left} more tries." if left > 1 else "You have one more try."
        raise Problem(400, "That is not the code that we sent. " + tries)

    def _sent(self, answer):
        if answer.get("smsStatus") != "MESSAGE_SENT" or not answer.get("pinId"):
            raise Problem(400, "We cannot reach this number at the moment. Check it, or try another one.")
        return answer["pinId"]

    def _post(self, path, fields):
        connection = self.connect()
        try:
            connection.request("POST", self.base + path, json.dumps(fields), self.headers)
            answer = connection.getresponse()
            result = json.loads(answer.read(ANSWER_MAX))
            if answer.status == 200 and isinstance(result, dict):
                return result
            raise self._problem(path, answer, result["requestError"]["serviceException"])
        except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError, AttributeError) as e:
            print(f"webform: the gateway could not be asked: {type(e).__name__}", file=sys.stderr, flush=True)
            raise Problem(503, "We cannot send or check codes at the moment. Please try again shortly.") from None
        finally:
            connection.close()

    def _problem(self, path, answer, error):
        status, retry_s = answer.status, int(answer.headers.get("Retry-After", 0))
        if status == 429:
            return Problem(429, f"That was too often. Please try again in {duration(retry_s)}.", retry_s)
        if status == 503:
            return Problem(503, f"We cannot send or check codes just now. Please try again in {duration(retry_s)}.",
                           retry_s)
        if status == 400 and not path and "to" in error.get("validationErrors", {}):
            return Problem(400, "We cannot send a message to this number. Check it, or try another one.")
        if status == 400 and path.endswith("/verify"):
            return Problem(400, "That does not look like the code that we sent. Check it and try again.")
        if status in (400, 404) and path:  # the PIN is not there any more, or will not be for long
            return Problem(400, "This code does not work any more. Ask for a new one.", over=True)
        # A wrong key, an application that is disabled or not there: ours to mend, not the person's
        print(f"webform: the gateway answered {status} {error['messageId']}", file=sys.stderr, flush=True)
        return Problem(500, "Signing in does not work at the moment. We have been told.")
