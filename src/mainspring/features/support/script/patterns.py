"""Patterns of what customers write when they want something: each decides by itself."""

from __future__ import annotations

TRACK_RULES = (
    (
        r"\bwhere(?:'s| is| are)\b[^.?!]{0,30}\b(order|"
        r"parcel|package|delivery|"
        r"shipment|stuff|grinder|stove|press|jacket|rucksack|coffee)\b"
    ),
    r"\btrack(?:ing)?\b[^.?!]{0,20}\b(order|parcel|package|number|delivery|shipment|it)\b",
    r"\bwhen (?:will|does|is|can i expect)\b[^.?!]{0,30}\b(arriv|deliver|come|get here|expect)",
    r"\bwhen can i expect\b",
    r"\b(?:collect|pick up)\b[^.?!]{0,40}\b(?:order|grinder|stove|press|jacket|rucksack|parcel|it|shop|in)\b",
    r"\b(?:still|been) waiting for\b(?![^.?!]*\b(?:refund|money|answer|reply)\b)",
    r"\b(?:hasn'?t|has not|haven'?t|have not|didn'?t|not yet|still not)\b[^.?!]{0,12}"
    r"\b(?:arriv\w*|come|turned up|shown up|been delivered)\b",
    r"\bwhere (?:is|are) (?:it|they|that)( now)?\b",
    (
        r"\bcollect\b[^.?!]{0,60}\b(?:until when|already|ready)\b|\b(?:until "
        r"when|already|ready)\b[^.?!]{0,60}\bcollect(?:ed|ion)?\b"
    ),
    r"\bhas (?:my|the) (?:order|parcel|package)\b[^.?!]{0,20}\b(shipped|left|been sent|dispatched)\b",
    r"\bready (?:to be |for )?(?:picked up|collect\w*|pick-?up)\b|\bpicked up\b[^.?!]{0,30}\b(?:shop|store|at|in)\b",
    r"\bhas\b[^.?!]{0,20}\b(?:left|gone out of|been sent from)\b[^.?!]{0,20}\b(?:warehouse|you|yet)\b",
    r"\b(?:what|which) day\b[^.?!]{0,30}\b(?:get|come|arrive|deliver\w*)\b",
)
LIST_RULES = (
    r"\b(?:list|show|see|all) (?:me )?(?:all )?(?:of )?my (?:past |open |recent )?orders\b",
    r"\border history\b",
)
REFUND_RULES = (
    r"\bwhere(?:'s| is)\b[^.?!]{0,15}\b(refund|money)\b",
    r"\bwhen (?:will|do|can) i (?:get|receive|see|have)\b[^.?!]{0,12}\b(refund|money)\b",
    r"\b(?:status|progress|news|update)\b[^.?!]{0,15}\b(?:of|on|about) (?:my|the) (?:return|refund)\b",
    r"\bRMA\d{7}\b",
    (
        r"\b(?:waiting for|not (?:got|received|had)|haven'?t (?:got|"
        r"received|had|been)) (?:my |the |"
        r"a )?(?:refund|money|refunded)\b"
    ),
    r"\b(?:return|rma) (?:code|number)\b[^.?!]{0,40}\b(?:lost|find|forg[eo]t\w*|again|what|missing)\b",
    r"\b(?:lost|find|forg[eo]t\w*|what (?:is|was))\b[^.?!]{0,30}\b(?:return|rma) (?:code|number)\b",
)
REPAIR_RULES = (
    r"\bR-?\d{4}\b",
    r"\b(?:is|has|when|how|status|news|ready|finished)\b[^.?!]{0,40}\b(?:my|the) repair(?:ed|s)?\b",
)
CANCEL_RULES = (
    r"\bcancel\b[^.?!]{0,30}\b(order|pre-?order|purchase|it|both|them|LS-?\s?\d{5})\b",
    r"\b(?:stop|call off|withdraw) (?:my|the|this) order\b",
    r"\bcancel\b[^.?!]{0,12}\b(?:LS[- ]?)?2\d{4}\b",
    r"\b(?:stop|call off|withdraw|get rid of|undo)\b[^.?!]{0,12}\b(?:order|pre-?order|LS[- ]?\d{5})\b",
    r"\b(?:don'?t|do not) (?:send|ship|dispatch|pack)\b",
    r"\bbefore it (?:(?:is|gets) (?:sent|packed|shipped|dispatched)|leaves|ships|goes out)\b",
)
ADDRESS_RULES = (
    r"\b(?:change|update|correct|edit|modify|fix)\b[^.?!]{0,30}\b(?:delivery |shipping )?address\b",
    r"\bwrong (?:delivery |shipping )?address\b",
    r"\bto (?:another|a new|a different|my new) address\b",
)
NO_RETURN = (
    r"^(?!.*\bLS[- ]?\d{5}).*\b(policy|policies|how (long|many days)|can i still)\b.*\?$|"
    r"\b(?:who pays|pay for|cost|costs|charge)\b[^.?!]*\?|"
    r"\bdifference\b|\bsecond look\b|\bexpress\b.{0,20}\b(charge|fee)|"
    r"\b(sent|posted|gave|given) (it|them|the \w+) back\b|\b(already|have) returned\b|\brefused my\b"
)
NO_REPAIR = (
    r"\bwhat does a repair cost\b|\bhow much (is|does|are|would)\b|"
    r"\b(?:would|could|can|will) you (?:repair|mend|fix)\b|"
    r"\bcost if\b|\bopening hours\b|\bwhen (are|is) .{0,20}open\b"
)
NO_CARD = (
    r"\bhow (?:long|many)\b|\b(together|combine|lost|stolen|block|restore|replace)\b|"
    r"\b(refund|return|money back)\b|\bcan i (use|pay|buy)\b"
)
RETURN_RULES = (
    r"\b(?:want|like|get|give me) my money back\b",
    r"\b(?:would|i'?d) like a refund\b|\bwant a refund\b",
    r"\b(?:pls|please|plz) return\b",
    r"\b(?:can|could|may) (?:it|this|they|these|one|the \w+|my \w+) go back\b",
    r"\b(?:the|a|my) return of (?:the|my|this)\b",
    r"\b(?:refund|money back for|reimburse) (?:me (?:for )?)?(?:my|the|this) \w+",
    (
        r"\b(?:want|like|need|wish|going|please|can you|could you|"
        r"trying) (?:to )?(?:\w+ "
        r")?(?:return|send back|give back)\b"
    ),
    r"\b(?:return|send|give) (?:my|the|this|it|these|one|them)\b[^.?!]{0,30}\b(?:back)\b",
    r"\b(?:start|open|make|arrange|request) (?:a|the|my) return\b",
    r"\breturn (?:my|the|this|it|these) \w+",
    r"\b(?:can|could|may|must|should|has to|have to) (?:it |they |this )?(?:go|be sent|be returned) back\b",
    r"\b(?:please|pls|plz)\s+return\b",
    r"\b(?:want|like) my money back\b",
    r"\brefund my (?!money)\w+",
    r"\b(?:the |my |a )return of (?:the|my|this)\b",
    r"\b(?:is (?:a|the) )?refund possible\b|\bcan (?:it|this|they|these|the \w+) come back to you\b",
    r"\b(?:can|could|may|how (?:do|can)) (?:i|we) (?:get|have|bring) (?:it|this|them|these) (?:back to you|refunded)\b",
    r"\b(?:can|could|would|will) you (?:take|have) (?:it|this|them|these|the \w+) back\b|\bplease take back\b",
    r"\b(?:can|could|may) (?:i|we) (?:get|have) (?:a refund|my money back|the money back|the money for)\b",
    r"\b(?:want|like) (?:it|this|that|them|these) refunded\b",
    r"\b(?:can|could|may|shall|should) (?:come|go) back\b",
    r"(?<!you )\b(?:send|give|hand|bring|post)(?:ing)?\b(?! (?:me|us)\b)[^.?!]{0,25}\bback\b(?! to (?:me|us)\b)",
)
EXCHANGE_RULES = (
    r"\b(?:exchange|swap|change)\b[^.?!]{0,40}\b(?:size|small(?:er)?|medium|large(?:r)?|bigger|xl|for an? (?:s|m|l))\b",
    r"\b(?:different|another|bigger|smaller|larger) size\b",
)
CLAIM_RULES = (
    r"\b(?:gives?|gave|got|get|felt)\b[^.?!]{0,20}\bshocks?\b|\bis unsafe\b|\bsmells? of gas\b",
    r"\b(?:warranty|guarantee) claim\b",
    r"\b(?:claim|use|covered by|under) (?:my |the |a )?(?:warranty|guarantee)\b",
    r"\b(?:burrs?|igniter|valve|plunger|vacuum|crank|hinge|zip|seam|axle)\b[^.?!]{0,40}\b(?:broke|broken|wobbl|leak|loose|stuck|bent|dead|fail|gone|lost|won'?t|doesn'?t|not)",
    r"\b(?:repair|mend|fix)\b[^.?!]{0,20}\b(?:for (?:free|nothing)|free of charge|at no cost)\b",
)
REPORT_RULES = (
    r"\b(?:arrived|came|delivered) in (?:\w+ )?(?:pieces|bits|shards)\b",
    r"\bshould have (?:been here|arrived|come)\b[^.?!]{0,20}\b(?:weeks?|ages)\b",
    r"\b(?:says|said|marked|shown|shows)\b[^.?!]{0,25}\bdelivered\b",
    (
        r"\b(?:parcel|package|order|delivery|it|box)\b[^.?!]{0,25}\b(?:never "
        r"(?:arrived|came|turned up)|is (?:lost|"
        r"missing)|got lost|went missing)\b"
    ),
    (
        r"\b(?:arrived|came|turned up|was delivered|received "
        r"it)\b[^.?!]{0,20}\b(?:damaged|broken|"
        r"smashed|cracked|dented|shattered)\b"
    ),
    r"\b(?:arrived|came|turned up)\b[^.?!]{0,12}\bin (?:bits|pieces)\b",
    r"\b(?:dent|crack|damage)\w*\b[^.?!]{0,40}\b(?:transit|delivery|carrier|post)\b",
    r"\b(?:received|got|sent me|sent) (?:the |a )?wrong (?:item|product|one|thing|colour|size)\b",
    r"\breport\b[^.?!]{0,20}\b(?:lost|missing|damaged|late)\b",
    r"\b(?:bent|broken|dent\w*|crack\w*|smashed|shatter\w*|shards)\b.{0,40}\b(?:it|they|that) (?:came|arrived)\b",
    r"\b(?:opened|unpacked)\b[^.?!]{0,40}\b(?:shards|pieces|broken|bent|crack\w*|smashed|shatter\w*|dent\w*)\b",
    r"\b(?:trace|search for) (?:my|the|that|this) (?:parcel|package|order)\b|\bno sign of (?:my|the)\b",
)
MATCH_RULES = (
    r"\b(?:refund|pay|get|have|want|like)\b[^.?!]{0,15}\b(?:the )?difference\b",
    r"\b(?:shop|store|elsewhere|competitor)\b[^.?!]{0,40}\b(?:cheaper|for less|lower price)\b",
    r"\bprice[- ]?match\b(?![^.?!]*\b(?:policy|rules|how does|work)\b)",
    r"\bcheaper\b[^.?!]{0,30}\b(?:elsewhere|other|another|at|on)\b",
    r"\b(?:less|cheaper)\b[^.?!]{0,15}\belsewhere\b",
)
CARD_RULES = (
    (
        r"\b(?:balance|left|much|money|value|credit|check|valid|"
        r"expire)\b[^.?!]{0,30}\b(?:my|this|the|"
        r"a) (?:gift ?card|e-?card|voucher)\b"
    ),
    r"\bgift ?card balance\b",
    r"\b6093[ -]?\d{4}",
    r"\bLV\d{8}\b",
)
TICKET_RULES = (r"\b(?:T|W|P|M)-\d{3,7}\b", r"\b(?:status|news|update|progress)\b[^.?!]{0,20}\b(?:ticket|claim|case)\b")
LEAVE_RULES = (
    r"\b(?:lost|stolen|stole|block)\b[^?!]{0,60}\b(?:gift ?card|e-?card|voucher|card)\b",
    r"\b(?:gift ?card|e-?card|voucher|card)\b[^?!]{0,60}\b(?:lost|stolen|block)\b",
    r"\b(?:second|another|closer) look\b|\b(?:different|another|other) adviser\b",
    r"\b(?:express|delivery|shipping|postage) (?:charge|fee|cost)s?\b[^.?!]{0,30}\b(?:back|refund\w*)\b",
    r"\brefund\w*\b[^.?!]{0,30}\b(?:express|delivery|shipping|postage) (?:charge|fee|cost)s?\b",
    r"\b(?:delete|erase|copy of)\b[^.?!]{0,30}\b(?:my|all|the) (?:\w+ )?(?:data|account)\b",
    r"\b(?:electric|little|mild|an?) shock\b",
    r"\bsecond look\b|\b(?:somebody|someone) else (?:to )?(?:look|check|decide)",
    r"\b(?:lost|stolen|stole)\b[^.?!]{0,30}\b(?:gift ?card|e-?card|voucher)\b|\bblock\b[^.?!]{0,20}\bcard\b",
    r"\b(?:restore|replace)\b[^.?!]{0,20}\b(?:gift ?card|balance)\b",
    r"\bexpress\b[^.?!]{0,30}\b(?:charge|fee|cost|price)\b[^.?!]{0,20}\b(?:back|refund)|\brefund\b[^.?!]{0,20}\bexpress\b",
    r"\b(?:invoice|vat receipt)\b",
    r"\b(?:delete|erase|close) my (?:account|data)\b|\bcopy of my (?:personal )?data\b",
    r"\b(?:open|create|make|raise|file) (?:me )?(?:a |the )?(?:support )?ticket\b",
    r"\b(?:formal|official) complaint\b|\bmake a complaint\b",
    r"\b(?:delete|erase|remove|forget)\b[^.?!]{0,20}\b(?:everything|all)\b[^.?!]{0,25}\b(?:hold|have|know|store|keep)\b",
    r"\b(?:refund|give|want|return)\b[^.?!]{0,20}\b(?:that|the|this) (?:extra|surcharge|supplement)\b",
    r"\bhack(?:ed|ers?)\b|\b(?:account|password)\b[^.?!]{0,30}\b(?:compromised|stolen|taken over)\b",
    r"\b(?:orders?|purchases?)\b[^.?!]{0,30}\bi (?:have |had )?(?:never|not|didn'?t|did not|haven'?t) "
    r"(?:plac\w+|ma[dk]e|order\w*|buy|bought)\b",
    r"\b(?:send|ship|dispatch|replacement|new ones?|another one)\b[^.?!]{0,40}\b"
    r"(?:in the meantime|meanwhile|while (?:you|they|it))\b",
    r"\b(?:hacked|got into|broke into|using|used) my account\b|\b(?:somebody|someone) else\b[^.?!]{0,15}\bcheck\b",
)
"""What people decide: the message itself is passed on."""
