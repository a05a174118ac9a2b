"""English words that decide whether two questions ask the same, by function."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NOTHING = _words(
    "a an the of it its there one one's ones hi hello kindly tell let s they them their theirs themselves please"
)
"""Words that carry no meaning of their own, or ask politely for an answer."""

OPTIONAL = _words("this that these those so just really actually exactly some any ever")
"""Words that one question may lack, but that must be in the same order if both questions have them."""

SPEAKER, SPOKEN_TO = _words("i me my mine myself we us our ours"), _words("you your yours yourself")

SPELLINGS = {
    "wanna": "want to",
    "gonna": "going to",
    "can't": "can not",
    "cannot": "can not",
    "won't": "will not",
    "shan't": "shall not",
    "ain't": "is not",
    "what's": "what is",
    "whats": "what is",
    "who's": "who is",
    "where's": "where is",
    "how's": "how is",
    "when's": "when is",
    "why's": "why is",
    "it's": "it is",
    "that's": "that is",
    "there's": "there is",
    "let's": "let us",
    "i'm": "i am",
    "i've": "i have",
    "i'd": "i would",
    "i'll": "i will",
    "you're": "you are",
    "you've": "you have",
    "you'll": "you will",
    "we're": "we are",
    "they're": "they are",
    "e-mail": "email",
    "colour": "color",
    "favourite": "favorite",
    "vs": "versus",
    "vs.": "versus",
    "&": "and",
    "ok": "okay",
}

NUMBERS = {
    word: str(number)
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
        "sixteen seventeen "
        "eighteen nineteen twenty".split()
    )
} | {
    "thirty": "30",
    "forty": "40",
    "fifty": "50",
    "sixty": "60",
    "seventy": "70",
    "eighty": "80",
    "ninety": "90",
    "hundred": "100",
    "thousand": "1000",
    "million": "1000000",
    "billion": "1000000000",
    "first": "1st",
    "second": "2nd",
    "third": "3rd",
    "fourth": "4th",
    "fifth": "5th",
    "once": "1x",
    "twice": "2x",
    "half": "1/2",
    "dozen": "12",
    "dozens": "dozens",
    "hundreds": "hundreds",
    "thousands": "thousands",
    "millions": "millions",
    "billions": "billions",
    "majority": "majority",
    "minority": "minority",
}

FIXED = _words(
    "no not never none nobody nothing neither nor unless except lack lacks lacking stop avoid prevent refuse unable "
    "impossible hardly instead all every each both most many much few fewer little several only half enough least more "
    "less always often sometimes usually rarely already still yet again another other others else same different "
    "everything everyone everybody anyone anybody anything someone somebody something whole entire total better best "
    "worse worst than too very good bad should ought must shall need needs required obliged supposed allowed may might "
    "and or but if because although though while whether either versus he him his himself she her hers herself whose"
)
"""Words that change the question by their presence: never left over on one side."""

UNITS = _words(
    "second seconds minute minutes hour hours day days week weeks month months year years decade century "
    "mm cm m km inch "
    "inches foot feet yard yards mile miles g kg gram grams kilogram kilograms pound pounds ounce ounces ton tons ml l "
    "liter liters litre litres gallon gallons dollar dollars euro euros rupee rupees rs percent percentage degree "
    "degrees celsius fahrenheit volt volts watt watts amp amps hz mhz ghz kb mb gb tb bit bits byte bytes january "
    "february march april june july august september october november december monday tuesday wednesday "
    "thursday friday "
    "saturday sunday spring summer autumn winter morning afternoon evening night today tomorrow yesterday"
)
"""Units and times."""

DIRECTION = _words(
    "from to into onto toward towards through via over under above below before after since until till during between "
    "against with by for at in on off out up down about as like around across along behind beside beyond near per "
    "upon within outside inside among away back without forward"
)
"""Prepositions and conjunctions, which give the following words a place, a time or a role."""
LIGHT = _words("of in on at for about")
"""The prepositions that often vary without changing the meaning."""

QUESTION = _words("what which who whom whose when where why how")
MEASURED = _words("many much long far old often large big tall high fast deep heavy quickly soon wide small")
BEING = _words("is are am was were be been being gets got")
PAST = _words("was were did had")
FUTURE = _words("will would")
AUXILIARIES = _words("is are am was were do does did has have had can could will would be been being")
LITERAL = _words("means meaning mean definition define defined stand stands acronym abbreviation")

DENYING = tuple("non- non un in im il ir dis anti- anti de mis counter- counter ex- ex over under pre post sub".split())
"""Beginnings that turn a word into another, often into its opposite."""

OPPOSITES = tuple(
    tuple(pair.split("/"))
    for pair in (
        "buy/sell increase/decrease raise/lower open/close start/stop begin/end enable/disable allow/forbid "
        "accept/reject "
        "accept/refuse add/remove add/subtract include/exclude include/omit install/uninstall lock/unlock log/logout "
        "login/logout import/export upload/download push/pull send/receive lend/borrow give/take win/lose love/hate "
        "like/dislike gain/lose live/die birth/death born/died hot/cold warm/cool new/old young/old "
        "big/small large/small "
        "long/short tall/short high/low fast/slow quick/slow early/late easy/hard easy/difficult simple/complex "
        "simple/difficult cheap/expensive rich/poor strong/weak heavy/light thick/thin wide/narrow deep/shallow "
        "higher/lower larger/smaller bigger/smaller greater/smaller greater/lesser longer/shorter taller/shorter "
        "older/younger "
        "older/newer earlier/later earlier/latest faster/slower quicker/slower easier/harder cheaper/dearer "
        "stronger/weaker heavier/lighter thicker/thinner wider/narrower deeper/shallower richer/poorer hotter/colder "
        "warmer/cooler closer/farther nearer/farther brighter/darker louder/quieter cleaner/dirtier safer/riskier "
        "upward/downward inward/outward forward/backward ascending/descending win/lose won/lost victory/defeat "
        "support/oppose supported/opposed agree/disagree approve/reject include/lack legalize/ban permit/prohibit "
        "allow/prohibit allow/prevent cause/prevent encourage/discourage "
        "good/bad better/worse best/worst positive/negative advantage/disadvantage pro/con benefit/drawback "
        "benefit/risk strength/weakness success/failure succeed/fail true/false right/wrong correct/incorrect "
        "legal/illegal possible/impossible safe/dangerous healthy/unhealthy clean/dirty full/empty wet/dry inner/outer "
        "internal/external inside/outside indoor/outdoor upper/lower top/bottom front/back left/right north/south "
        "east/west northern/southern eastern/western first/last before/after above/below over/under up/down in/out "
        "on/off to/from with/without more/less more/fewer most/least maximum/minimum max/min largest/smallest "
        "biggest/smallest longest/shortest highest/lowest oldest/youngest oldest/newest earliest/latest "
        "fastest/slowest "
        "male/female man/woman men/women boy/girl husband/wife father/mother son/daughter brother/sister king/queen "
        "parent/child teacher/student doctor/patient employer/employee buyer/seller customer/supplier seller/customer "
        "public/private free/paid domestic/foreign local/foreign national/international arrive/leave arrive/depart "
        "arrival/departure enter/exit enter/leave entrance/exit join/leave hire/fire marry/divorce attack/defend "
        "ask/answer question/answer teach/learn remember/forget find/lose build/destroy create/destroy "
        "create/delete save/delete break/fix sleep/wake laugh/cry happy/sad day/night morning/evening summer/winter "
        "black/white dark/light alive/dead ancient/modern past/future odd/even input/output credit/debit "
        "asset/liability "
        "profit/loss income/expense revenue/cost supply/demand import/export encrypt/decrypt encode/decode "
        "compress/decompress connect/disconnect attach/detach hide/show show/hide visible/invisible rise/fall "
        "grow/shrink expand/contract freeze/melt freeze/thaw heat/cool fill/empty weight/height length/width "
        "major/minor majority/minority primary/secondary senior/junior host/guest client/server "
        "parallel/serial static/dynamic synchronous/asynchronous analog/digital hardware/software "
        "frontend/backend front-end/back-end android/ios windows/mac iphone/android facebook/twitter "
        "introvert/extrovert atheist/theist liberal/conservative democrat/republican socialism/capitalism"
    ).split()
)
