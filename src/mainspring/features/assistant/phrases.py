"""What the assistant says by itself: greetings, what it can do, and what it does with its memory."""

# ruff: noqa: E501  (an expression that is cut in two reads worse)
from __future__ import annotations

import re

from mainspring.features.assistant.languages import Language

_POLITE = r"(?:\s*(?:[!.,?]|:\)|there|you|everyone|all|assistant|so much|a lot|very much|vielmals|sehr|beaucoup|bien|muchas))*\s*$"
_SMALL: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(rf"^[\s¿¡]*(?:{pattern}){_POLITE}", re.IGNORECASE))
    for kind, pattern in (
        ("hello", r"hi+|hello|hey+|good (?:morning|afternoon|evening)|hallo|guten (?:tag|morgen|abend)|bonjour|salut|"
        r"bonsoir|hola|buenos d[ií]as|buenas (?:tardes|noches)"),
        ("thanks", r"(?:ok(?:ay)?,? )?(?:thanks|thank you|thx|ty|danke|vielen dank|merci|gracias|muchas gracias)"),
        ("bye", r"bye(?:[- ]bye)?|goodbye|see you|tsch[üu]ss|auf wiedersehen|au revoir|adi[óo]s|hasta luego"),
        ("how", r"how are you(?: doing)?(?: today)?|wie geht(?:'s|’s| es)(?: dir)?|comment (?:vas-tu|[çc]a va)|"
        r"[çc]a va|c[óo]mo est[áa]s"),
    )
)  # fmt: skip
_CAPABLE = re.compile(
    r"^[\s¿¡]*(?:(?:hi|hello|hey|hallo|bonjour|hola)[\s,!.]*)?(?:what (?:can|do) you (?:do|help (?:me )?with)|"
    r"what are you(?: able to do| capable of)|how can you help(?: me)?|what are your (?:capabilities|features)|"
    r"was kannst du(?: alles)?(?: tun)?|wobei kannst du(?: mir)? helfen|"
    r"que (?:peux[- ]tu|sais[- ]tu|pouvez[- ]vous) faire|qu['’]est[- ]ce que (?:tu peux|vous pouvez) faire|"
    r"qu[ée] (?:puedes|sabes) hacer)[\s?!.]*$",
    re.IGNORECASE,
)
_SAID: dict[Language, dict[str, str]] = {
    "en": {
        "hello": "Hello! What can I do for you?",
        "thanks": "You're welcome!",
        "bye": "Goodbye!",
        "how": "I'm working fine, thank you. What can I do for you?",
        "zero": "That divides by zero, so it has no result.",
        "can": "I answer everyday questions, explain, write and rewrite texts, and help with code. I do sums exactly and "
        "know the date and the time. I follow up on what we said before. {memory} I don't browse the web, and I can "
        "be wrong: check what matters.",
        "memory_on": 'I remember what you tell me about yourself, as you agreed. Ask "What do you know about me?", or '
        'say "Forget that ..." or "Forget everything about me".',
        "memory_asks": 'I remember nothing about you across conversations unless you agree: say "You may remember '
        'things about me".',
        "memory_off": "I remember nothing about you across conversations.",
        "kept": "I'll remember that: {fact}",
        "kept_session": "I'll keep that in mind in this conversation only: {fact}\n\nTo have me remember it across "
        'conversations, say "You may remember things about me".',
        "told_only": "I'll keep that in mind in this conversation, as long as it is in it. To have me remember it across "
        'conversations, say "You may remember things about me".',
        "granted": 'From now on I remember what you tell me about yourself. Say "What do you know about me?" to see it, '
        'and "Forget everything about me" to have it deleted.',
        "refused": "I remember nothing about you any more, and what I knew is deleted.",
        "forgot": "I've forgotten that: {fact}",
        "forgot_all": "I've forgotten everything that I knew about you ({count}).",
        "unknown": "I remember nothing like that about you.",
        "nothing": "I remember nothing about you.",
        "known": "This is what I remember, in your own words:\n{facts}",
    },
    "de": {
        "hello": "Hallo! Was kann ich für dich tun?",
        "thanks": "Gern geschehen!",
        "bye": "Auf Wiedersehen!",
        "how": "Alles läuft, danke. Was kann ich für dich tun?",
        "zero": "Das teilt durch null und hat kein Ergebnis.",
        "can": "Ich beantworte Alltagsfragen, erkläre, schreibe und überarbeite Texte und helfe mit Code. Ich rechne "
        "genau und kenne Datum und Uhrzeit. Ich knüpfe an das an, was vorher gesagt wurde. {memory} Im Web suche ich "
        "nicht, und ich kann mich irren: Prüfe, was wichtig ist.",
        "memory_on": "Ich merke mir, was du über dich erzählst, wie du zugestimmt hast. Frag „Was weißt du über mich?“, "
        "oder sag „Vergiss, dass ...“ oder „Vergiss alles über mich“.",
        "memory_asks": "Über Gespräche hinweg merke ich mir nur etwas, wenn du zustimmst: Sag „Du darfst dir Dinge über "
        "mich merken“.",
        "memory_off": "Über Gespräche hinweg merke ich mir nichts über dich.",
        "kept": "Das merke ich mir: {fact}",
        "kept_session": "Das merke ich mir nur für dieses Gespräch: {fact}\n\nDamit ich es mir darüber hinaus merke, sag "
        "„Du darfst dir Dinge über mich merken“.",
        "told_only": "Das behalte ich, solange es in diesem Gespräch steht. Damit ich es mir darüber hinaus merke, sag "
        "„Du darfst dir Dinge über mich merken“.",
        "granted": "Von jetzt an merke ich mir, was du über dich erzählst. „Was weißt du über mich?“ zeigt es, und "
        "„Vergiss alles über mich“ löscht es.",
        "refused": "Ich merke mir nichts mehr über dich, und was ich wusste, ist gelöscht.",
        "forgot": "Das habe ich vergessen: {fact}",
        "forgot_all": "Ich habe alles vergessen, was ich über dich wusste ({count}).",
        "unknown": "So etwas habe ich mir über dich nicht gemerkt.",
        "nothing": "Ich habe mir nichts über dich gemerkt.",
        "known": "Das habe ich mir gemerkt, in deinen eigenen Worten:\n{facts}",
    },
    "fr": {
        "hello": "Bonjour ! Que puis-je faire pour vous ?",
        "thanks": "Avec plaisir !",
        "bye": "Au revoir !",
        "how": "Tout va bien, merci. Que puis-je faire pour vous ?",
        "zero": "C'est une division par zéro, sans résultat.",
        "can": "Je réponds aux questions de tous les jours, j'explique, j'écris et je reprends des textes, et j'aide pour "
        "du code. Je calcule exactement, et je connais la date et l'heure. Je tiens compte de ce qui a été dit avant. "
        "{memory} Je ne cherche pas sur le web, et je peux me tromper : vérifiez ce qui compte.",
        "memory_on": "Je me souviens de ce que vous dites de vous, comme vous l'avez accepté. Demandez « Que sais-tu de "
        "moi ? », ou dites « Oublie que ... » ou « Oublie tout sur moi ».",
        "memory_asks": "D'une conversation à l'autre, je ne retiens rien de vous sans votre accord : dites « Tu peux te "
        "souvenir de moi ».",
        "memory_off": "D'une conversation à l'autre, je ne retiens rien de vous.",
        "kept": "Je m'en souviendrai : {fact}",
        "kept_session": "Je le retiens pour cette conversation seulement : {fact}\n\nPour que je le retienne au-delà, dites "
        "« Tu peux te souvenir de moi ».",
        "told_only": "Je le garde tant que cela figure dans cette conversation. Pour que je le retienne au-delà, dites « Tu "
        "peux te souvenir de moi ».",
        "granted": "Désormais, je me souviens de ce que vous dites de vous. « Que sais-tu de moi ? » le montre, et « Oublie "
        "tout sur moi » l'efface.",
        "refused": "Je ne retiens plus rien de vous, et ce que je savais est effacé.",
        "forgot": "C'est oublié : {fact}",
        "forgot_all": "J'ai oublié tout ce que je savais de vous ({count}).",
        "unknown": "Je n'ai rien retenu de tel sur vous.",
        "nothing": "Je n'ai rien retenu de vous.",
        "known": "Voici ce que j'ai retenu, dans vos propres mots :\n{facts}",
    },
    "es": {
        "hello": "¡Hola! ¿Qué puedo hacer por ti?",
        "thanks": "¡De nada!",
        "bye": "¡Hasta luego!",
        "how": "Todo va bien, gracias. ¿Qué puedo hacer por ti?",
        "zero": "Eso divide por cero y no tiene resultado.",
        "can": "Respondo preguntas cotidianas, explico, escribo y corrijo textos, y ayudo con código. Calculo con "
        "exactitud, y sé la fecha y la hora. Tengo en cuenta lo que se dijo antes. {memory} No busco en la web, y puedo "
        "equivocarme: comprueba lo que importa.",
        "memory_on": "Recuerdo lo que cuentas de ti, como aceptaste. Pregunta «¿Qué sabes de mí?», o di «Olvida que ...» u "
        "«Olvida todo sobre mí».",
        "memory_asks": "De una conversación a otra no recuerdo nada de ti sin tu permiso: di «Puedes recordar cosas sobre "
        "mí».",
        "memory_off": "De una conversación a otra no recuerdo nada de ti.",
        "kept": "Lo recordaré: {fact}",
        "kept_session": "Lo recuerdo solo en esta conversación: {fact}\n\nPara que lo recuerde después, di «Puedes recordar "
        "cosas sobre mí».",
        "told_only": "Lo tengo en cuenta mientras esté en esta conversación. Para que lo recuerde después, di «Puedes recordar "
        "cosas sobre mí».",
        "granted": "Desde ahora recuerdo lo que cuentas de ti. «¿Qué sabes de mí?» lo muestra, y «Olvida todo sobre mí» lo "
        "borra.",
        "refused": "Ya no recuerdo nada de ti, y lo que sabía está borrado.",
        "forgot": "Lo he olvidado: {fact}",
        "forgot_all": "He olvidado todo lo que sabía de ti ({count}).",
        "unknown": "No recuerdo nada parecido de ti.",
        "nothing": "No recuerdo nada de ti.",
        "known": "Esto es lo que recuerdo, con tus propias palabras:\n{facts}",
    },
}


def small_talk(text: str) -> str:
    """The kind of small talk that is the whole of ``text``: ``hello``, ``thanks``, ``bye``, ``how``; empty: none."""
    return next((kind for kind, pattern in _SMALL if pattern.match(text)), "")


def asks_capabilities(text: str) -> bool:
    """Whether ``text`` asks what the assistant can do, and nothing else."""
    return _CAPABLE.match(text) is not None


def said(what: str, language: Language, **values: str) -> str:
    """The text of that name."""
    return _SAID[language][what].format(**values)
