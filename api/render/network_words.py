"""The words of an ego network's drawing, in each language."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class NetworkWords:
    """Templates of the descriptions in a drawing."""

    ties_title: str = "The ties of the person"
    payments_title: str = "The payments of the person"
    nameless: str = "a person whose name you may not see"
    tie_of_others: str = "a tie between other people"
    tie: str = "{a} and {b}: {kinds}; strength {weight}"
    payments: str = "{payer} paid {payee} {sums}"
    sum: str = "{amount} in {count:,}"
    trust: str = "trust {value:.2f}"
    separator: str = ", "
    ties: Mapping[str, str] = field(default_factory=dict)  # the kinds of ties whose names differ from the data's


ENGLISH: Final = NetworkWords()
CHINESE: Final = NetworkWords(
    ties_title="本人的关系",
    payments_title="本人的收付款",
    nameless="姓名不可见的人",
    tie_of_others="其他人之间的关系",
    tie="{a} 与 {b}：{kinds}；强度 {weight}",
    payments="{payer} 付给 {payee}：{sums}",
    sum="{amount}，共 {count:,} 笔",
    trust="信任 {value:.2f}",
    separator="，",
    ties={"household": "同住", "family": "家人", "friend": "朋友", "colleague": "同事", "vouch": "担保"},
)
WORDS: Final = {"en": ENGLISH, "zh": CHINESE}
