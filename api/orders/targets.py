"""Targets: where a callback may go. Https, and only to addresses of the public internet, unless a development setting says so.

A name is resolved here, and the caller connects to the address that was checked: what a name server says the next time changes
nothing. Checked when a service signs up, and again at each sending. How long that may take: `api.orders.lookups`.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

import httpx2

from api.orders.lookups import LOOKUPS
from engine.errors import Refused

LONGEST: Final = 500
_NAT64: Final = IPv6Network("64:ff9b::/96")
_RELAYS: Final = IPv4Network("192.88.99.0/24")  # of addresses that hide others; out of use
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
    return all(_is_public(one) for one in (known, *_hidden(known)))


def _is_public(known: IPv4Address | IPv6Address) -> bool:
    special = (
        known.is_multicast or known.is_reserved or known.is_unspecified or known.is_loopback or known.is_link_local
    )
    local = isinstance(known, IPv6Address) and known.is_site_local
    return known.is_global and not known.is_private and not special and not local and known not in _RELAYS


def _hidden(known: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """The IPv4 addresses to which an IPv6 address is translated."""
    if isinstance(known, IPv4Address):
        return []
    found = [known.ipv4_mapped, known.sixtofour, *(known.teredo or ())]
    if known in _NAT64:
        found.append(IPv4Address(int(known) & 0xFFFFFFFF))
    return [address for address in found if address is not None]


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
