"""The features that no rule file declares, in Chinese: a person reads them in their own language."""

from typing import Final

CHINESE: Final = {
    "capacity.pass_through_share": "收到的款项在一天内转出的比例",
    "behaviour.reciprocity": "收款方中也曾向本人付款的比例",
    "behaviour.payee_retention": "6 至 12 个月前的收款方中，最近 6 个月内再次收到付款的比例",
    "behaviour.regularity": "付给 12 个月中至少 6 个月有付款的收款方的笔数比例：按月或隔月的账单，以及常去的商店",
    "behaviour.burstiness": "付款的集中程度：-1.00 为完全规律，0.00 为随机，接近 1.00 为集中爆发",
    "credit.longest_delay_days": "分期、账单或订单的最长逾期天数；仍未偿还的逾期计至今日",
    "credit.open": "已开始且尚未结束的债务数量",
    "relationships.ties_kept": "半年前有关系的人中，现在仍有关系的比例",
    "relationships.core_number": "核数：本人所属群体中，每个成员在群体内都有 k 个关系的最大 k",
    "relationships.clustering": "聚集度：与本人有关系的人两两之间也有关系的比例",
    "relationships.circles": "与本人有关系的人按彼此关系分成的圈子数量：家庭、工作、朋友",
    "relationships.trust": "经核实的人通过关系和担保传递给本人的信任；1.00 为所有有关系者的平均份额",
    "relationships.walk_trust": "经核实的人沿双方确认的关系短程随机游走后传递给本人的信任，按本人关系的权重计；1.00 为平均分布",
    "relationships.goodness": "对本人的正面（至 1.00）和负面（至 -1.00）担保，按担保人的公正程度加权",
    "relationships.fairness": "本人的担保与他人担保的一致程度：与所有人一致时为 1.00",
    "relationships.vouch_mean": "对本人的正面和负面担保的平均值，按担保人的信任和公正程度加权；担保人少或不受信任时接近 0",
    "fraud.rings": "经过本人的付款环数量：金额相近，经三至五方在两周内返回",
}
