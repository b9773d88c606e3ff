"""Services that may not be there."""

import ssl
import urllib.error
import urllib.request
from functools import cache
from http.client import HTTPException
from queue import Empty, SimpleQueue
from threading import Thread

PATIENCE = 4.0  # seconds; the services' own clients try again and again, for a minute or more


@cache
def answers(url: str) -> bool:
    """Whether whoever serves `url` answers at all within PATIENCE, through the proxy that the environment names.

    Asked once in a process: a chain builds several networks, and would wait for each.
    """
    found: SimpleQueue[bool] = SimpleQueue()
    Thread(target=lambda: found.put(_answers(url)), daemon=True).start()  # looking a name up knows no timeout
    try:
        return found.get(timeout=PATIENCE)
    except Empty:
        return False


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=PATIENCE).close()
    except urllib.error.HTTPError:
        return True  # that the page is not there is an answer, too
    except urllib.error.URLError as error:
        return isinstance(error.reason, ssl.SSLError)  # the service's client may know other certificates
    except (OSError, ValueError, HTTPException):  # ValueError: no address, such as one without https://
        return False
    return True
