"""The parties of the demo, with names in English and Chinese: who works here, who asks, and what they offer."""

from dataclasses import dataclass
from typing import Final

from graph.datasets.town.names import DisplayName


@dataclass(frozen=True)
class DemoService:
    """A service: its perk, the deposits that it asks about (minor units), and how many hours it lasts, at least and at most.

    `weight`: its share of the questions. `usual_score`: people below it seldom come. `confirmed`: the person confirms each order.
    """

    id: str
    perk: str
    name: DisplayName
    amounts: tuple[int, ...]
    hours: tuple[int, int]
    weight: int
    usual_score: int
    confirmed: bool = False


@dataclass(frozen=True)
class DemoMerchant:
    """A merchant, and where its callbacks go: to a reserved name, which no network knows."""

    party: str
    name: DisplayName
    callback: str | None
    services: tuple[DemoService, ...]


MERCHANTS: Final = (
    DemoMerchant(
        "lotus-hotel",
        DisplayName("Lotus Hotel", "莲花酒店"),
        "https://lotus-hotel.example/iftah",
        (
            DemoService(
                *("room", "hotel", DisplayName("Room", "客房"), (50_000, 80_000, 100_000, 200_000, 300_000)),
                *((14, 80), 30, 600, True),
            ),
            DemoService(
                "guest-bike", "bicycle", DisplayName("Guest bicycle", "住客单车"), (19_900, 29_900), (2, 9), 6, 640
            ),
        ),
    ),
    DemoMerchant(
        "swift-cars",
        DisplayName("Swift Cars", "迅捷租车"),
        "https://swift-cars.example/callbacks",
        (
            DemoService(
                *("city-car", "car", DisplayName("City car", "城市用车"), (300_000, 500_000, 800_000, 1_200_000)),
                *((10, 100), 18, 580),
            ),
        ),
    ),
    DemoMerchant(
        "volt-share",
        DisplayName("Volt Power Banks", "伏特充电宝"),
        None,
        (DemoService("power-bank", "power_bank", DisplayName("Power bank", "充电宝"), (9_900,), (1, 20), 26, 550),),
    ),
    DemoMerchant(
        "green-wheels",
        DisplayName("Green Wheels", "绿轮单车"),
        "https://green-wheels.example/hook",
        (DemoService("bicycle", "bicycle", DisplayName("Bicycle", "共享单车"), (19_900, 29_900), (1, 10), 14, 640),),
    ),
    DemoMerchant(
        "maple-homes",
        DisplayName("Maple Homes", "枫叶公寓"),
        "https://maple-homes.example/iftah",
        (
            DemoService(
                *("flat", "apartment", DisplayName("Furnished flat", "精装公寓"), (300_000, 600_000, 900_000)),
                *((500, 1_300), 6, 650, True),
            ),
        ),
    ),
)

OPERATOR: Final = "mei"  # the newcomer signs in as she
COLLEAGUE: Final = "lin"  # another operator, whose proposal waits
SUPERVISOR: Final = "sun"
CONTRIBUTOR: Final = "harbour-bank"  # sends evidence over HTTP
FIRST_MERCHANT: Final = "lotus-hotel"  # the merchant as which a newcomer signs in
ASKING_MERCHANT: Final = "maple-homes"  # waits for the consent of the person as whom a newcomer signs in

NAMES: Final = {
    OPERATOR: DisplayName("Chen Mei", "陈梅"),
    COLLEAGUE: DisplayName("Lin Wei", "林薇"),
    SUPERVISOR: DisplayName("Sun Yi", "孙毅"),
    CONTRIBUTOR: DisplayName("Harbour Bank", "海港银行"),
    "bank-a": DisplayName("First Town Bank", "城镇第一银行"),
    "wallet-b": DisplayName("Quick Wallet", "快捷钱包"),
    "berka": DisplayName("A Czech bank, 1993-98", "一家捷克银行（1993-98）"),
    "iftah": DisplayName("This service", "本服务"),
    **{merchant.party: merchant.name for merchant in MERCHANTS},
    **{f"{merchant.party}/{service.id}": service.name for merchant in MERCHANTS for service in merchant.services},
}
