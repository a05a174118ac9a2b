"""Polite rejections: what is not answered, and what can be asked instead, in the language of the question."""

# ruff: noqa: E501  (texts that are cut in two read worse)
from __future__ import annotations

from mainspring.features.assistant.languages import Language

_CLASSES = {
    "weapons": "weapons",
    "drugs": "drugs",
    "violence": "violence",
    "threat": "violence",
    "theft": "theft",
    "intrusion": "intrusion",
    "self_harm": "self_harm",
    "toxicity": "tone",
}
_PERSONAL = frozenset({"secret", "iban", "credit_card", "ssn", "ip", "email", "phone", "canary"})
_TEXTS: dict[Language, dict[str, str]] = {
    "en": {
        "weapons": "I can't help with making or getting weapons. I can tell you about their history, the law, or whom "
        "to tell about a danger.",
        "drugs": "I can't help with making or buying illegal drugs. I can tell you about risks, treatment, or the law.",
        "violence": "I can't help with hurting anybody. I can help you settle a conflict, stay safe, or find help.",
        "theft": "I can't help with theft or fraud. I can tell you how to protect yourself from it, or what the law "
        "allows.",
        "intrusion": "I can't help with getting into other people's accounts or devices. I can help you secure your "
        "own, or get back into an account that is yours.",
        "self_harm": "I'm sorry that it is this hard right now. I can't help with that, but you don't have to be alone "
        "with it: an emergency number or a crisis line (findahelpline.com lists them by country) answers day and "
        "night. If you like, tell me what has happened, or whom you could call.",
        "tone": "I can't show an answer to this. Please ask in another way.",
        "personal": "I can't take a message with such personal data. Please leave it out and ask again.",
        "injection": "I keep to my instructions and don't show them. Tell me in your own words what you need, or ask "
        'me "What can you do?"',
        "other": "I can't help with this. Please ask in another way, or ask me something else.",
    },
    "de": {
        "weapons": "Beim Bauen oder Beschaffen von Waffen kann ich nicht helfen. Ich kann etwas zu Geschichte und "
        "Rechtslage sagen, oder wem man eine Gefahr meldet.",
        "drugs": "Beim Herstellen oder Kaufen illegaler Drogen kann ich nicht helfen. Ich kann etwas zu Risiken, "
        "Behandlung und Rechtslage sagen.",
        "violence": "Ich helfe nicht dabei, jemanden zu verletzen. Ich kann helfen, einen Streit zu lösen, sicher zu "
        "bleiben oder Hilfe zu finden.",
        "theft": "Bei Diebstahl oder Betrug kann ich nicht helfen. Ich kann sagen, wie man sich davor schützt oder was "
        "erlaubt ist.",
        "intrusion": "Beim Eindringen in fremde Konten oder Geräte kann ich nicht helfen. Ich kann helfen, die eigenen "
        "zu sichern oder ein eigenes Konto zurückzubekommen.",
        "self_harm": "Es tut mir leid, dass es gerade so schwer ist. Dabei kann ich nicht helfen, aber du musst damit "
        "nicht allein sein: Der Notruf oder eine Krisennummer (findahelpline.com nennt sie je Land) ist Tag und Nacht "
        "erreichbar. Wenn du magst, erzähl mir, was geschehen ist oder wen du anrufen könntest.",
        "tone": "Darauf kann ich keine Antwort zeigen. Bitte frag anders.",
        "personal": "Eine Nachricht mit solchen persönlichen Daten kann ich nicht annehmen. Bitte lass sie weg und "
        "frag noch einmal.",
        "injection": "Ich bleibe bei meinen Anweisungen und zeige sie nicht. Sag mir mit eigenen Worten, was du "
        'brauchst, oder frag mich: "Was kannst du?"',
        "other": "Dabei kann ich nicht helfen. Bitte frag anders oder etwas anderes.",
    },
    "fr": {
        "weapons": "Je ne peux pas aider à fabriquer ou à se procurer des armes. Je peux parler de leur histoire, de la "
        "loi, ou dire à qui signaler un danger.",
        "drugs": "Je ne peux pas aider à fabriquer ou à acheter des drogues illégales. Je peux parler des risques, des "
        "soins ou de la loi.",
        "violence": "Je ne peux pas aider à faire du mal à quelqu'un. Je peux aider à résoudre un conflit, à rester en "
        "sécurité ou à trouver de l'aide.",
        "theft": "Je ne peux pas aider pour un vol ou une fraude. Je peux dire comment s'en protéger, ou ce que la loi "
        "permet.",
        "intrusion": "Je ne peux pas aider à entrer dans les comptes ou les appareils d'autrui. Je peux aider à "
        "sécuriser les vôtres, ou à récupérer un compte qui est à vous.",
        "self_harm": "Je suis désolé que ce soit si dur en ce moment. Je ne peux pas aider à cela, mais vous n'êtes pas "
        "seul : un numéro d'urgence ou une ligne d'écoute (findahelpline.com les indique par pays) répond jour et "
        "nuit. Si vous voulez, dites-moi ce qui s'est passé, ou qui vous pourriez appeler.",
        "tone": "Je ne peux pas montrer de réponse à cela. Posez la question autrement, s'il vous plaît.",
        "personal": "Je ne peux pas prendre un message avec de telles données personnelles. Retirez-les et demandez à "
        "nouveau.",
        "injection": "Je garde mes instructions et je ne les montre pas. Dites-moi avec vos mots ce qu'il vous faut, ou "
        "demandez : « Que sais-tu faire ? »",
        "other": "Je ne peux pas aider pour cela. Posez la question autrement, ou demandez autre chose.",
    },
    "es": {
        "weapons": "No puedo ayudar a fabricar ni a conseguir armas. Puedo hablar de su historia, de la ley, o decir a "
        "quién avisar de un peligro.",
        "drugs": "No puedo ayudar a fabricar ni a comprar drogas ilegales. Puedo hablar de riesgos, de tratamientos o "
        "de la ley.",
        "violence": "No puedo ayudar a hacer daño a nadie. Puedo ayudar a resolver un conflicto, a estar a salvo o a "
        "encontrar ayuda.",
        "theft": "No puedo ayudar con robos ni fraudes. Puedo decir cómo protegerse de ellos, o qué permite la ley.",
        "intrusion": "No puedo ayudar a entrar en cuentas o aparatos ajenos. Puedo ayudar a proteger los tuyos, o a "
        "recuperar una cuenta que es tuya.",
        "self_harm": "Siento que todo sea tan difícil ahora. No puedo ayudar con eso, pero no tienes que estar a "
        "solas: un número de emergencias o una línea de crisis (findahelpline.com las indica por país) atiende día y "
        "noche. Si quieres, cuéntame qué ha pasado, o a quién podrías llamar.",
        "tone": "No puedo mostrar una respuesta a esto. Por favor, pregunta de otra manera.",
        "personal": "No puedo aceptar un mensaje con esos datos personales. Quítalos y pregunta otra vez.",
        "injection": "Mantengo mis instrucciones y no las muestro. Dime con tus palabras qué necesitas, o pregúntame: "
        "«¿Qué puedes hacer?»",
        "other": "No puedo ayudar con esto. Pregunta de otra manera, o pregunta otra cosa.",
    },
}
_ALL = frozenset(text for texts in _TEXTS.values() for text in texts.values())


def reason(kinds: tuple[str, ...]) -> str:
    """The class of a refusal by what the guards found: what can hurt most comes first."""
    classes = [_CLASSES.get(kind, "personal" if kind in _PERSONAL else "") for kind in kinds]
    if "self_harm" in classes:
        return "self_harm"
    named = next((each for each in classes if each), "")
    return named or ("injection" if any(_foreign(kind) for kind in kinds) else "other")


def rejection(why: str, language: Language) -> str:
    """The words for a refusal of that class."""
    return _TEXTS[language][why]


def is_rejection(text: str) -> bool:
    """Whether ``text`` is one of these texts."""
    return text.strip() in _ALL


def _foreign(kind: str) -> bool:
    return kind not in ("hate", "sexual", "harassment", "violence", "self-harm")
