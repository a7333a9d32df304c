"""Targets of callbacks: https, and only addresses of the public internet, unless a development setting permits others.

We resolve a name here, and the caller connects to the address that we checked: a later answer of the name server
changes nothing. We check when a service signs up, and again at each attempt to send. For the time that this may take,
see `api.merchants.dns_lookups`.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

import httpx2

from api.merchants.dns_lookups import LOOKUPS
from engine.errors import Rejected

MAX_URL_CHARS: Final = 500
_NAT64: Final = IPv6Network("64:ff9b::/96")
_UNICAST: Final = IPv6Network("2000::/3")  # all IPv6 addresses that are assigned
# The special-purpose registries of IANA (RFC 6890), as of 2026, whole: no block of them is where a merchant's host is, also of
# those that may be reached. We add blocks that they leave out: multicast, and blocks out of use. Python's `is_global` knows
# fewer; which depends on its version.
_SPECIAL: Final = tuple(
    map(
        ip_network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24"),
            *("192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
            *("224.0.0.0/4", "240.0.0.0/4"),
            *("::/8", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2001:db8::/32", "2002::/16"),
            *("2620:4f:8000::/48", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"),
        ),
    )
)
_HINT: Final = "give an https address of the public internet, such as https://inn.example/hook"


@dataclass(frozen=True)
class Target:
    """A URL, and the first IP address of its host; we checked all of them."""

    url: httpx2.URL
    address: str

    @property
    def direct(self) -> httpx2.URL:
        """The same URL with the IP address in place of the name."""
        return self.url.copy_with(host=self.address)

    @property
    def host(self) -> str:
        """The header `Host`."""
        return self.url.netloc.decode("ascii")


async def check(url: str, private_allowed: bool, party: str) -> Target:
    """The target to which we may send a callback of the party. Raises Rejected `bad_callback`."""
    target_url = _parse(url, private_allowed)
    port = target_url.port or (443 if target_url.scheme == "https" else 80)
    try:
        addresses = await LOOKUPS.addresses(party, target_url.host, port)
    except TimeoutError:
        raise _bad_callback("its host was not found in time") from None
    except (OSError, UnicodeError):
        raise _bad_callback("its host cannot be found") from None
    if not private_allowed and not all(is_public(address) for address in addresses):
        raise _bad_callback("its host is not on the public internet")
    return Target(target_url, addresses[0])


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet; an address that it embeds must, too."""
    ip = ip_address(address)
    if isinstance(ip, IPv6Address) and ip in _NAT64:
        ip = IPv4Address(int(ip) & 0xFFFFFFFF)
    is_unicast = isinstance(ip, IPv4Address) or ip in _UNICAST
    return is_unicast and ip.is_global and not any(ip in block for block in _SPECIAL)


def _parse(url: str, private_allowed: bool) -> httpx2.URL:
    try:
        target_url = httpx2.URL(url)
    except (httpx2.InvalidURL, UnicodeError):
        raise _bad_callback("it is no address") from None
    if len(url) > MAX_URL_CHARS or not url.isprintable() or " " in url:
        raise _bad_callback(f"it is longer than {MAX_URL_CHARS} characters, or holds a space")
    if target_url.scheme not in (("https", "http") if private_allowed else ("https",)) or not target_url.host:
        raise _bad_callback("it does not begin with https:// and a host")
    if target_url.port is not None and not 0 < target_url.port < 2**16:
        raise _bad_callback("there is no such port")
    if target_url.userinfo or target_url.fragment:
        raise _bad_callback("a user, password or fragment does not belong there")
    return target_url


def _bad_callback(reason: str) -> Rejected:
    return Rejected(f"callbacks cannot go there: {reason}", where="callback", hint=_HINT, code="bad_callback")
