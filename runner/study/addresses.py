"""Addresses that a study file names."""

import ipaddress
import re
from urllib.parse import urlsplit

# an IPv6 address, or a name of letters of any script, digits, hyphens and dots; and its port
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+(?:%\w+)?\]|[\w-]+(?:\.[\w-]+)*\.?)(?::\d+)?")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def base_url(url: str) -> str:
    """A base URL without white space around it. Raises ValueError where it is none."""
    url = url.strip()
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"{url!r} is not a URL; write one such as 'http://127.0.0.1:8000/v1'") from None
    if parts.scheme not in ("http", "https") or not host:
        meant = url.rpartition("//")[2]
        scheme = "http" if is_loopback(meant.partition("/")[0].partition(":")[0]) else "https"
        raise ValueError(f"{url!r} does not begin with http:// or https://; write '{scheme}://{meant}'")
    if re.search(r"[\s\x00-\x1f\x7f]", url):
        raise ValueError(f"{url!r} has a space or a control character in it; write the address alone")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"the address of {host} holds a user name or password; put it into the variable of key_env")
    if not _HOST.fullmatch(parts.netloc):
        raise ValueError(f"{parts.netloc!r} is not the name of a host; write the address as its provider does")
    if parts.query or parts.fragment:
        raise ValueError(f"the address of {host} goes on after its path; leave out what follows '?' or '#'")
    for end in ("/chat/completions", "/completions", "/embeddings", "/models"):
        if parts.path.rstrip("/").endswith(end):
            raise ValueError(f"{url!r} names one service; leave {end!r} out, it is added")
    return url
