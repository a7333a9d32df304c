"""Targets of callbacks: https on the public internet and nowhere else, however a name or an address hides it."""

import asyncio
import ipaddress
import socket
from typing import Any

import pytest

from api.merchants import callback_targets
from engine.errors import Rejected

PUBLIC = "93.184.216.34"


def check(url: str, private_allowed: bool) -> callback_targets.Target:
    return asyncio.run(callback_targets.check(url, private_allowed, "inn"))


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """The answers of the name server by name; IP addresses resolve to themselves."""
    addresses_by_name: dict[str, list[str]] = {}
    resolve = socket.getaddrinfo

    def answer(host: str, port: int, **options: Any) -> Any:
        if host in addresses_by_name:
            return [entry for address in addresses_by_name[host] for entry in resolve(address, port, **options)]
        if host.endswith(".example"):
            raise socket.gaierror
        return resolve(host, port, flags=socket.AI_NUMERICHOST, **options)

    monkeypatch.setattr("socket.getaddrinfo", answer)
    return addresses_by_name


def test_a_public_address_is_accepted_with_the_checked_ip_address(names: Any) -> None:
    names["inn.example"] = [PUBLIC, "2606:2800:220:1:248:1893:25c8:1946"]
    target = check("https://inn.example:8443/hook?of=1", private_allowed=False)
    assert (target.address, target.host) == (PUBLIC, "inn.example:8443")
    assert str(target.direct) == f"https://{PUBLIC}:8443/hook?of=1"
    names["inn.example"] = ["127.0.0.1"]  # later answers of the name server change nothing
    assert str(target.direct) == f"https://{PUBLIC}:8443/hook?of=1"


def test_an_ipv6_address_is_written_in_brackets(names: Any) -> None:
    names["inn.example"] = ["2606:2800:220:1:248:1893:25c8:1946"]
    direct = check("https://inn.example/", private_allowed=False).direct
    assert str(direct) == "https://[2606:2800:220:1:248:1893:25c8:1946]/"


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1"),
        *("224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "192.0.0.1", "192.88.99.1"),
        *("::1", "::", "fe80::1", "fc00::1", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
        *("64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2002:a00:1::", "2001:0:7f00:1::", "fec0::1"),
        *("::127.0.0.1", "64:ff9b:1::a00:1", "3fff::1", "3fff:fff:ffff:ffff::1", "5f00::1", "100:0:0:1::1", "100::1"),
        *("2001:2::1", "2001:20::1", "2001:30::1", "2001:1::3", "2002:5db8:d822::", "4000::1", "1fff:ffff::1"),
        *("::ffff:93.184.216.34", "192.0.0.9", "192.31.196.1", "192.52.193.1", "192.175.48.1", "2620:4f:8000::1"),
    ],
)
def test_a_private_address_is_refused_under_any_name(names: Any, address: str) -> None:
    assert not callback_targets.is_public(address)
    names["inn.example"] = [PUBLIC, address]  # one of many is enough
    with pytest.raises(Rejected, match="not on the public internet") as error:
        check("https://inn.example/", private_allowed=False)
    assert error.value.code == "bad_callback"


@pytest.mark.parametrize(
    "address",
    [
        *("93.184.216.34", "8.8.8.8", "192.0.1.1", "192.88.98.1", "100.128.0.1", "223.255.255.255", "172.32.0.1"),
        *("2606:2800:220:1::1", "2a00:1450::1", "2001:200::1", "3fff:1000::1", "64:ff9b::5db8:d822", "2c0f:fb50::1"),
    ],
)
def test_an_address_beside_a_special_block_is_public(address: str) -> None:
    assert callback_targets.is_public(address)


def test_no_address_that_python_classifies_as_special_is_public() -> None:
    """`ipaddress` has IANA's registry as of its own release. We may know more blocks, and never fewer."""
    networks = [
        *ipaddress._IPv4Constants._private_networks,  # type: ignore[attr-defined]
        *ipaddress._IPv6Constants._private_networks,  # type: ignore[attr-defined]
        *ipaddress._IPv6Constants._reserved_networks,  # type: ignore[attr-defined]
    ]
    assert len(networks) > 20
    for block in networks:
        for address in (block[0], block[-1]):
            assert address in ipaddress.ip_network("64:ff9b::/96") or not callback_targets.is_public(str(address)), (
                address
            )


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]", "[::ffff:7f00:1]", "0"])
def test_other_spellings_of_an_ip_address_are_recognised(names: Any, host: str) -> None:
    with pytest.raises(Rejected):
        check(f"https://{host}/", private_allowed=False)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://inn.example/",
            "ftp://inn.example/",
            "file:///etc/passwd",
            "inn.example/hook",
            "https://",
            "",
            "https:",
        ),
        *("https://user:word@inn.example/", "https://inn.example/#part", "https://inn.example/a b", "https://in\nn/"),
        *(
            "https://inn.example/" + "x" * 500,
            "https://nowhere.example/",
            "https://inn.example:99999/",
            "//inn.example",
        ),
        *("https://[::1/", "https://inn..example/", "javascript:alert(1)", "https://\ud800/"),
    ],
)
def test_an_invalid_callback_url_is_rejected_and_raises_no_other_error(names: Any, url: str) -> None:
    names["inn.example"] = [PUBLIC]
    with pytest.raises(Rejected) as error:
        check(url, private_allowed=False)
    assert error.value.code == "bad_callback"


def test_for_development_loopback_and_http_may_be_allowed(names: Any) -> None:
    names["localhost"] = ["127.0.0.1"]
    assert check("http://localhost:9/", private_allowed=True).address == "127.0.0.1"
    assert check("http://[::1]:9/", private_allowed=True).address == "::1"
    with pytest.raises(Rejected):
        check("ftp://localhost/", private_allowed=True)
