"""Display names of the town, in English and Chinese: of people (`p-7`), shops (`m-12`) and employers (`e-3`).

A name is a function of the number in an id alone: no event holds a name, and nobody is meant by one. Two people can have one name.
"""

from typing import Final, NamedTuple

from graph.datasets.town.spending import merchant_category, merchants_a_category


class DisplayName(NamedTuple):
    """A name for readers of English and of Chinese."""

    en: str
    zh: str


_SURNAMES: Final = (
    *(("Wang", "王"), ("Li", "李"), ("Zhang", "张"), ("Liu", "刘"), ("Chen", "陈"), ("Yang", "杨"), ("Zhao", "赵")),
    *(("Huang", "黄"), ("Zhou", "周"), ("Wu", "吴"), ("Xu", "徐"), ("Sun", "孙"), ("Hu", "胡"), ("Zhu", "朱")),
    *(("Gao", "高"), ("Lin", "林"), ("He", "何"), ("Guo", "郭"), ("Ma", "马"), ("Luo", "罗"), ("Liang", "梁")),
    *(("Song", "宋"), ("Zheng", "郑"), ("Xie", "谢"), ("Han", "韩"), ("Tang", "唐"), ("Feng", "冯"), ("Deng", "邓")),
    ("Cao", "曹"),
)
_FIRST_NAMES: Final = (
    *(("Wei", "伟"), ("Fang", "芳"), ("Min", "敏"), ("Jing", "静"), ("Lei", "磊"), ("Yan", "燕"), ("Tao", "涛")),
    *(("Jun", "军"), ("Xia", "霞"), ("Ping", "平"), ("Gang", "刚"), ("Ting", "婷"), ("Hao", "浩"), ("Yu", "宇")),
    *(("Xin", "欣"), ("Bo", "博"), ("Ning", "宁"), ("Rui", "瑞"), ("Shan", "珊"), ("Chao", "超"), ("Lan", "兰")),
    *(("Jiahui", "佳慧"), ("Zihan", "子涵"), ("Yuxuan", "宇轩"), ("Haoran", "浩然"), ("Xinyi", "欣怡")),
    *(("Mengyao", "梦瑶"), ("Jianguo", "建国"), ("Xiulan", "秀兰"), ("Zhiqiang", "志强"), ("Lihua", "丽华")),
    *(("Xiaoming", "晓明"), ("Yichen", "奕辰"), ("Ruoxi", "若曦"), ("Siyuan", "思远"), ("Wenjie", "文杰")),
    ("Yating", "雅婷"),
)
_STEMS: Final = (
    *(("Golden Osmanthus", "金桂"), ("Willow", "柳岸"), ("Red Lantern", "红灯笼"), ("Jade River", "玉河")),
    *(("East Gate", "东门"), ("Plum Garden", "梅园"), ("Old Bridge", "老桥"), ("Morning Star", "晨星")),
    *(("Bamboo Lane", "竹巷"), ("White Crane", "白鹤"), ("South Lake", "南湖"), ("Maple Hill", "枫岭")),
)
_TRADES: Final = {
    "groceries": ("Market", "超市"),
    "dining": ("Kitchen", "饭馆"),
    "transport": ("Transit", "出行"),
    "shopping": ("Store", "百货"),
    "telecom": ("Telecom", "电信"),
    "utilities": ("Utilities", "水电"),
    "housing": ("Homes", "物业"),
    "leisure": ("Cinema", "影院"),
    "education": ("School", "学堂"),
    "insurance": ("Insurance", "保险"),
    "travel": ("Travel", "旅行社"),
    "fees": ("Services", "服务"),
}
_WORKS: Final = (
    *(("Textiles", "纺织厂"), ("Logistics", "物流"), ("Software", "软件"), ("Foods", "食品厂"), ("Hospital", "医院")),
    *(("Machinery", "机械厂"), ("Primary School", "小学")),
)
PENSION_OFFICE: Final = DisplayName("Pension Office", "养老金管理处")


def person_name(number: int) -> DisplayName:
    """The name of the person of that number, such as Wang Wei, 王伟."""
    surname, first = _SURNAMES[number % len(_SURNAMES)], _FIRST_NAMES[number * 7 % len(_FIRST_NAMES)]
    return DisplayName(f"{surname[0]} {first[0]}", f"{surname[1]}{first[1]}")


def shop_name(number: int, people: int) -> DisplayName:
    """The name of the shop `m-number` in a town of so many people: its trade shows in it."""
    rank = number % merchants_a_category(people)
    trade = _TRADES[merchant_category(number, people)]
    return _company(rank * 5 + number, trade, rank)


def employer_name(number: int) -> DisplayName:
    """The name of the employer `e-number`; `e-0` is the pension office."""
    if number == 0:
        return PENSION_OFFICE
    return _company(number, _WORKS[number % len(_WORKS)], number // len(_STEMS))


def _company(number: int, trade: tuple[str, str], branch: int) -> DisplayName:
    stem = _STEMS[number % len(_STEMS)]
    suffix = ("", "") if branch < len(_STEMS) else (f" {branch}", f"{branch}号店")
    return DisplayName(f"{stem[0]} {trade[0]}{suffix[0]}", f"{stem[1]}{trade[1]}{suffix[1]}")
