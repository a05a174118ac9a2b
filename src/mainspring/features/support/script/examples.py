"""What customers write when they want something. Patterns decide by themselves; examples train a classifier."""

from __future__ import annotations

TRACK = (
    "Where is my order?",
    "where's my parcel",
    "When will my package arrive?",
    "Has my order been shipped yet?",
    "Can you track my delivery?",
    "My order should have arrived by now, where is it?",
    "I'm still waiting for my stove, when does it come?",
    "track order LS-20417",
    "What's the delivery status of my order?",
    "When can I expect my grinder?",
    "has my stuff left yet",
    "Any news on my delivery?",
    "I ordered a press last week and it hasn't come yet",
    "Could you check where my shipment is?",
    "Is my order on its way?",
    "I'd like to know when my order gets here",
    "tracking number for my order please",
    "Is my order ready for collection?",
    "Which pick-up point is my parcel at?",
)
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
)
LIST = (
    "Which orders do I have?",
    "Show me my orders",
    "What have I ordered so far?",
    "List all my orders please",
    "I don't remember my order number",
    "Can you find my order number?",
    "What did I buy last year?",
    "my order history",
    "Do I have any open orders?",
    "I lost my order number, can you look it up?",
)
LIST_RULES = (
    r"\b(?:list|show|see|all) (?:me )?(?:all )?(?:of )?my (?:past |open |recent )?orders\b",
    r"\border history\b",
)
DETAILS = (
    "What is in order LS-20417?",
    "What did I pay for my order?",
    "How much was my last order?",
    "Can you tell me the details of my order?",
    "Which items are in my order?",
    "What was the total of order LS-20999?",
    "How did I pay for this order?",
    "What size did I order?",
    "what's in my latest order",
    "did my order include the windshield?",
    "When did I place this order?",
    "What's the status of my order LS-21001?",
)
REFUND = (
    "Where is my refund?",
    "I sent the grinder back two weeks ago and have not got my money",
    "When will I get my money back?",
    "Has my return arrived?",
    "What is the status of my return?",
    "Did you receive the press I returned?",
    "I'm waiting for my refund",
    "my return was supposed to be refunded by now",
    "Why was my return refused?",
    "Has the refund for my cancelled order gone out?",
    "status of RMA2048113",
    "I haven't been refunded yet",
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
)
REPAIR = (
    "How is my repair going?",
    "Is my grinder repaired yet?",
    "When will my stove be back from the Repair Centre?",
    "status of repair R-3101",
    "I handed in my press for repair, is it ready?",
    "What does my repair cost?",
    "can I pick up my repaired grinder",
    "Has the workshop finished my stove?",
)
REPAIR_RULES = (
    r"\bR-?\d{4}\b",
    r"\b(?:is|has|when|how|status|news|ready|finished)\b[^.?!]{0,40}\b(?:my|the) repair(?:ed|s)?\b",
)
CANCEL = (
    "I want to cancel my order",
    "Please cancel order LS-21422",
    "Can I cancel the order I just placed?",
    "I ordered by mistake, stop it please",
    "cancel my pre-order",
    "I don't want the order any more, please don't send it",
    "I've changed my mind about the order I made this morning, call it off",
    "Could you stop my order before it ships?",
    "please cancel it",
    "I'd like to cancel my purchase",
)
CANCEL_RULES = (
    r"\bcancel\b[^.?!]{0,30}\b(order|pre-?order|purchase|it|both|them|LS-?\s?\d{5})\b",
    r"\b(?:stop|call off|withdraw) (?:my|the|this) order\b",
    r"\bcancel\b[^.?!]{0,12}\b(?:LS[- ]?)?2\d{4}\b",
)
ADDRESS = (
    "I need to change the delivery address",
    "I put in the wrong address",
    "Can you send my order to another address?",
    "Please change the shipping address of my order",
    "I've moved, my order should go to my new house",
    "deliver it to my office instead",
    "My address is wrong on the order",
    "the postcode on my order is wrong",
    "update the address for order LS-21409",
    "can you ship it to a different place",
)
ADDRESS_RULES = (
    r"\b(?:change|update|correct|edit|modify|fix)\b[^.?!]{0,30}\b(?:delivery |shipping )?address\b",
    r"\bwrong (?:delivery |shipping )?address\b",
)
RETURN = (
    "I want to return my grinder",
    "I'd like to send the jacket back",
    "How do I start a return for my press?",
    "I don't like the rucksack and want my money back",
    "please open a return for order LS-20999",
    "I bought the wrong one and would like a refund",
    "Can I send the stove back? I haven't used it",
    "return label please",
    "I want a refund for the dripper",
    "the shirt is not for me, I'd like to return it",
    "I no longer need the travel case, can I give it back?",
    "I need an RMA for my gloves",
    "Can I return the beans I bought?",
    "I'd like my money back for the grinder",
    "I want to give the Kestrel back",
)
NO_RETURN = (
    r"\b(policy|policies|how (long|many days)|can i still)\b.*\?$|"
    r"\bdifference\b|\bsecond look\b|\bexpress\b.{0,20}\b(charge|fee)|"
    r"\b(sent|posted|gave|given) (it|them|the \w+) back\b|\b(already|have) returned\b|\brefused my\b"
)
NO_REPAIR = (
    r"\bwhat does a repair cost\b|\bhow much (is|does|are|would)\b|"
    r"\bcost if\b|\bopening hours\b|\bwhen (are|is) .{0,20}open\b"
)
NO_CARD = r"\bhow (?:long|many)\b|\b(together|combine|lost|stolen|block|restore|replace)\b|\bcan i (use|pay|buy)\b"
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
)
EXCHANGE = (
    "The jacket is too small, can I have it in L?",
    "I need a different size",
    "Can I exchange the gloves for a bigger size?",
    "swap my shirt for a medium",
    "I ordered M but need S",
    "exchange for size XL please",
    "the fleece gloves don't fit, I need a larger pair",
    "Could you change the size of the shirt I got?",
)
EXCHANGE_RULES = (
    r"\b(?:exchange|swap|change)\b[^.?!]{0,40}\b(?:size|small(?:er)?|medium|large(?:r)?|bigger|xl|for an? (?:s|m|l))\b",
    r"\b(?:different|another|bigger|smaller|larger) size\b",
)
CLAIM = (
    "My grinder is broken, is it under warranty?",
    "The burrs of my Kestrel wobble",
    "My press has lost its vacuum, the outside gets hot",
    "the igniter of my stove doesn't work any more",
    "I want to make a warranty claim",
    "The zip of my rucksack broke",
    "My stove valve leaks gas",
    "The crank of my grinder came loose after a year",
    "the dripper hinge doesn't lock any more",
    "Can you repair my press? The plunger is bent",
    "Is my stove still covered by the guarantee?",
    "My Kestrel stopped working",
    "the product is faulty after two years",
    "the handle of the grinder fell off",
)
CLAIM_RULES = (
    r"\b(?:gives?|gave|got|get|felt)\b[^.?!]{0,20}\bshocks?\b|\bis unsafe\b|\bsmells? of gas\b",
    r"\b(?:warranty|guarantee) claim\b",
    r"\b(?:claim|use|covered by|under) (?:my |the |a )?(?:warranty|guarantee)\b",
    r"\b(?:burrs?|igniter|valve|plunger|vacuum|crank|hinge|zip|seam|axle)\b[^.?!]{0,40}\b(?:broke|broken|wobbl|leak|loose|stuck|bent|dead|fail|gone|lost|won'?t|doesn'?t|not)",
)
REPORT = (
    "My parcel never arrived",
    "Tracking says delivered but I got nothing",
    "The box arrived smashed and the press is dented",
    "I received the wrong item",
    "I think my parcel is lost",
    "my order arrived damaged",
    "The carrier says it was delivered, but there is nothing here",
    "You sent me the wrong jacket",
    "My package is missing",
    "the glass was broken when I opened the box",
    "I want to report a lost parcel",
    "my parcel is a week late, do something",
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
)
MATCH = (
    "I found the same grinder cheaper somewhere else",
    "Do you match this price?",
    "Another shop sells the rucksack for 80 pounds, can you refund the difference?",
    "I'd like a price match",
    "I've seen my jacket for less at another store",
    "price match for order LS-21001",
    "The Kestrel is 75 pounds at CampMart, will you match that?",
    "can I get the difference back, it's cheaper elsewhere",
)
MATCH_RULES = (
    r"\b(?:refund|pay|get|have|want|like)\b[^.?!]{0,15}\b(?:the )?difference\b",
    r"\b(?:shop|store|elsewhere|competitor)\b[^.?!]{0,40}\b(?:cheaper|for less|lower price)\b",
    r"\bprice[- ]?match\b(?![^.?!]*\b(?:policy|rules|how does|work)\b)",
    r"\bcheaper\b[^.?!]{0,30}\b(?:elsewhere|other|another|at|on)\b",
)
CARD = (
    "How much is left on my gift card?",
    "gift card balance",
    "Can you check the balance of my gift card 6093026046643682?",
    "Is my voucher LV02235940 still valid?",
    "what's on my e-card",
    "When does my gift card expire?",
    "Is this gift card activated?",
    "check my card balance please",
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
TICKET = (
    "What happened to my ticket?",
    "status of ticket T-50002",
    "Is there any news on my claim W-50003?",
    "Has anyone looked at my report?",
    "I wrote to you last week and have a ticket number",
    "any update on my case?",
)
TICKET_RULES = (r"\b(?:T|W|P|M)-\d{3,7}\b", r"\b(?:status|news|update|progress)\b[^.?!]{0,20}\b(?:ticket|claim|case)\b")
LEAVE = (
    "Please pass this on to your colleagues",
    "I want to leave a message for the team",
    "Can you open a ticket for me?",
    "please note that I would like an invoice",
    "I need a VAT invoice",
    "Tell the wholesale team to contact me",
    "Please delete my account",
    "I want a copy of my data",
    "my gift card was stolen, please block it",
    "I want to make a suggestion",
)
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
)
"""What people decide: the message itself is passed on."""
QUESTIONS = (
    "What does a repair cost when it is not under warranty?",
    "How much is the bench fee?",
    "Can I use two vouchers together?",
    "Do you lend out grinders?",
    "Are gift cards valid in Ireland for longer?",
    "What are the rules of the Trail Trial?",
    "Do I have to pay for the return label?",
    "What is your return policy?",
    "How long do I have to return something?",
    "How many days can I send back a stove?",
    "Do you deliver to Norway?",
    "How much is shipping to Ireland?",
    "What are the opening hours of the Repair Centre?",
    "How long is the warranty on the burrs?",
    "Is delivery free?",
    "Can I return opened coffee?",
    "How do gift cards work?",
    "How long is a gift card valid?",
    "What is the Trail Club?",
    "Which setting should I use for espresso?",
    "How do I clean the press?",
    "How much does the Kestrel cost?",
    "Do you match prices of other shops?",
    "Can I pay with two gift cards?",
    "What does express delivery cost?",
    "How long does standard delivery take?",
    "Can I put the press in the dishwasher?",
    "Does the stove work in winter?",
    "Can a canister be sent to the Highlands?",
    "How does a price match work?",
    "When do you pack orders on Saturdays?",
    "Do you have a shop in Tarnside?",
    "How do I make a warranty claim?",
    "What happens if my parcel is not collected?",
    "Can engraved products be returned?",
    "How long do refunds take?",
    "How do you use my personal data?",
    "Can I lend a grinder while mine is repaired?",
    "Is the festive season return period longer?",
)
