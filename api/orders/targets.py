"""Targets: where a callback may go. Https, and only to addresses of the public internet, unless a development setting says so.

A name is resolved here, and the caller connects to the address that was checked: what a name server says the next time changes
nothing. Checked when a service signs up, and again at each sending. How long that may take: `api.orders.lookups`.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

import httpx2

from api.orders.lookups import LOOKUPS
from engine.errors import Refused

LONGEST: Final = 500
_NAT64: Final = IPv6Network("64:ff9b::/96")
_UNICAST: Final = IPv6Network("2000::/3")  # all of version six that is given to anyone
# The special-purpose registries of IANA (RFC 6890), as of 2026, whole: no block of them is where a merchant's host is, also of
# those that may be reached. Beside them what they leave out: multicast, and what is out of use. Python's `is_global` knows
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
    """An address of the web, and the first of the network addresses of its host; every one of them was checked."""

    url: httpx2.URL
    address: str

    @property
    def direct(self) -> httpx2.URL:
        """The same with the network address in place of the name."""
        return self.url.copy_with(host=self.address)

    @property
    def host(self) -> str:
        """The header `Host`."""
        return self.url.netloc.decode("ascii")


async def check(url: str, private_allowed: bool, party: str) -> Target:
    """The target that a callback of the party may be sent to. Raises Refused `bad_callback`."""
    known = _formed(url, private_allowed)
    port = known.port or (443 if known.scheme == "https" else 80)
    try:
        addresses = await LOOKUPS.addresses(party, known.host, port)
    except TimeoutError:
        raise _refused("its host was not found in time") from None
    except (OSError, UnicodeError):
        raise _refused("its host cannot be found") from None
    if not private_allowed and not all(public(address) for address in addresses):
        raise _refused("its host is not on the public internet")
    return Target(known, addresses[0])


def public(address: str) -> bool:
    """Whether a network address is one of the public internet; also what another address hides in it must be."""
    known = ip_address(address)
    if isinstance(known, IPv6Address) and known in _NAT64:
        known = IPv4Address(int(known) & 0xFFFFFFFF)
    given = isinstance(known, IPv4Address) or known in _UNICAST
    return given and known.is_global and not any(known in block for block in _SPECIAL)


def _formed(url: str, private_allowed: bool) -> httpx2.URL:
    try:
        known = httpx2.URL(url)
    except (httpx2.InvalidURL, UnicodeError):
        raise _refused("it is no address") from None
    if len(url) > LONGEST or not url.isprintable() or " " in url:
        raise _refused(f"it is longer than {LONGEST} characters, or holds a space")
    if known.scheme not in (("https", "http") if private_allowed else ("https",)) or not known.host:
        raise _refused("it does not begin with https:// and a host")
    if known.port is not None and not 0 < known.port < 2**16:
        raise _refused("there is no such port")
    if known.userinfo or known.fragment:
        raise _refused("a user, password or fragment does not belong there")
    return known


def _refused(why: str) -> Refused:
    return Refused(f"callbacks cannot go there: {why}", where="callback", hint=_HINT, code="bad_callback")
