"""The HTTP API as clients see it: python3-requests, and the shape that every error must have."""
import requests

from procs import SLOW

# The strictest client (Java) forgets the details of an error that holds any other key.
EXCEPTION_KEYS = {"messageId", "text", "validationErrors"}


class Client(requests.Session):
    """An account's application; paths are taken as they are written."""

    def __init__(self, gateway, key=None, noc=False):
        super().__init__()
        self.trust_env = False
        self.base = gateway.url(noc=noc)
        if key:
            self.headers["Authorization"] = f"App {key}"

    def request(self, method, path, **kw):
        return super().request(method, self.base + path, timeout=30 * SLOW, **kw)


def failure(response, status, message_id, field=None):
    """Asserts an error envelope, exactly; returns its text."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"].startswith("application/json")
    body = response.json()
    assert set(body) == {"requestError"} and set(body["requestError"]) == {"serviceException"}
    exception = body["requestError"]["serviceException"]
    assert set(exception) <= EXCEPTION_KEYS and exception["messageId"] == message_id
    assert exception["text"]
    errors = exception.get("validationErrors")
    if field is None:
        assert errors is None
    else:
        assert list(errors) == [field] and all(isinstance(t, str) and t for t in errors[field])
    if status in (429, 503):
        assert int(response.headers["Retry-After"]) >= 1
    else:
        assert "Retry-After" not in response.headers
    return exception["text"]
