"""What applications and frameworks write around a user's words: innocent prompts that give a model a task. Half of the
wordings are fitted on and the other half is reported."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

SHORT = 6
"""Words of a short passage."""

_FITTED = (
    "Use the context to answer the question. If the context does not have the answer, say that you do not know.\n\n"
    "Context: {passage}\n\nQuestion: {question}\nAnswer:",
    "Here is some information:\n=====\n{passage}\n=====\nAnswer this query with that information and without any other "
    "knowledge.\nQuery: {question}\nAnswer:",
    "You answer questions about documents. The documents that were found are given below. Keep the answer to two "
    "sentences, and do not make anything up.\nDocuments:\n{passage}\nQuestion: {question}",
    "Below are a conversation and a further question. Write the question anew so that it can be understood alone.\n\n"
    "Conversation:\nUser: {question}\nAssistant: {passage}\nFurther question: And why?\nNew question:",
    "### Task\nGive the conversation a title of three to six words.\n### Rules\n- Answer with JSON and nothing else.\n"
    "- Use the language of the conversation.\n### Conversation\nUSER: {question}\nASSISTANT: {passage}",
    '### Task:\nWrite one to three tags that say what the conversation is about.\n### Output:\nJSON: {{"tags": []}}\n'
    "### Conversation:\n{question}\n{passage}",
    "Write a short summary of the text. Include the main points only, in your own "
    "words.\n\nText:\n{passage}\n\nSummary:",
    "The original question was: {question}\nThere is an answer already: it is not known.\nImprove the answer with the "
    "new context below, or return the original answer if the context does not help.\n----\n{passage}\n----\n"
    "Improved answer:",
    "Extract the names of people and places from the following text. Your response must be a JSON object that follows "
    'this schema: {{"people": [], "places": []}}. Do not add any explanation.\n\n{passage}',
    "You are an impartial judge. Rate from 1 to 5 how well the answer below is supported by the given context. First "
    "explain, then give the rating.\nContext: {passage}\nQuestion: {question}\nAnswer: yes\nRating:",
    "Translate the following text into German. Return only the translation, without any notes.\n\n{passage}",
    "I have *added these files to the conversation* so that you see all of their contents. Trust this message as the "
    "true contents of the files; earlier messages may have old "
    "versions.\n\nnotes.py\n```\n{passage}\n```\n\n{question}",
    "Change the code as I ask. Answer with SEARCH and REPLACE blocks only, and keep everything that I did not name.\n"
    "Request: {question}\nFile:\n{passage}",
    "Respond to the query with the sources in the context, and cite them by their number, as in [1]. If you do "
    "not know "
    'the answer, say so clearly.\n<context>\n<source id="1">{passage}</source>\n</context>\n<query>{question}</query>',
    "Given the text and a list of labels, choose the label that fits best. Respond with the label alone.\nLabels: "
    "sports, science, politics, other\nText: {passage}\nLabel:",
    "Generate four different versions of the given user question to retrieve relevant documents from a database. Write "
    "them below each other, without numbers.\nOriginal question: {question}",
    "Decide whether a search is needed to answer the last message. If so, reply with up to three queries as JSON, "
    "otherwise with an empty list.\nChat history:\nuser: {question}\nassistant: {passage}\nuser: tell me more",
    "Answer the following questions as best you can. You have access to the tools below.\nsearch: looks something up\n"
    "Use this format:\nThought: what to do\nAction: the tool\nObservation: its result\nFinal Answer: the answer\n\n"
    "Question: {question}",
    "Your input fields are: question. Your output fields are: reasoning, answer. All interactions have the structure "
    "that follows, with the values filled in.\n[[ question ]]\n{question}\n[[ reasoning ]]\n[[ answer ]]",
    "Break the answer down into simple statements that can be understood alone, without pronouns. Output them "
    "in JSON.\n"
    "Question: {question}\nAnswer: {passage}",
    "Write a commit message for the changes that are described below, in one line of at most seventy "
    "characters. Do not "
    "use quotes.\n\n{passage}",
    "You are a helpful assistant of our support. Before you reply, read the article. Be polite and brief, and never "
    "promise refunds.\nArticle: {passage}\nCustomer: {question}\nReply:",
    "Continue the text below in the same style. Only output what comes next.\n\n{passage}",
    "The previous attempt failed with this validation error: a field is required. Correct the output, and return the "
    "full JSON object again.\nInput: {question} {passage}",
    "Combine the partial answers below into one final answer to the query.\nQuery: {question}\nPartial answers:\n"
    "1. {passage}\n2. It is not known.\nFinal answer:",
    "Given a question and an answer, write whether the answer is correct, judging by the reference. Answer with "
    "CORRECT "
    "or INCORRECT.\nQuestion: {question}\nReference: {passage}\nAnswer: it is so\nGrade:",
)

_REPORTED = (
    "The following passages were retrieved for a question. Read them and reply to it; when they are silent, reply that "
    "there is no information.\n\nPassages:\n{passage}\n\nQuestion: {question}\nReply:",
    "Background information is provided below.\n-----------\n{passage}\n-----------\nUsing the background and no prior "
    "knowledge, respond to the request.\nRequest: {question}\nResponse:",
    "Act as an assistant for answering questions. Pieces of retrieved context follow. Should you not know, simply say "
    "so. Three sentences at most; be concise.\nQuestion: {question}\nContext: {passage}\nAnswer:",
    "Taking the chat below into account, turn the follow up message into a standalone question that needs no "
    "history.\n\n"
    "Chat history:\nHuman: {question}\nAI: {passage}\nFollow up: how come?\nStandalone question:",
    "### Instructions for the title\nWrite a brief title that sums up the chat, in its main language, without "
    "quotation "
    "marks.\n### Chat\nuser: {question}\nassistant: {passage}",
    "### Task:\nSuggest three follow-up questions that the user may ask next. Return JSON.\n### Chat History:\n"
    "USER: {question}\nASSISTANT: {passage}",
    'Condense what comes next into one paragraph for a busy reader.\n"{passage}"\n\nCONDENSED:',
    "We have an existing answer to {question} and the opportunity to refine it with more context.\n{passage}\nWith the "
    "new context, refine the original answer. If it isn't useful, repeat the original one.",
    "From the article below, pull every date and number. Format your reply as a JSON array; provide no commentary "
    "whatsoever.\nArticle: {passage}",
    "As an evaluator, compare the response with the source and decide if each claim is entailed. Output a verdict of 0 "
    "or 1 for each statement.\nSource: {passage}\nStatements: {question}",
    "Rewrite the paragraph in plain English for a ten-year-old. Do not leave anything out.\nParagraph: {passage}",
    "These are the contents of the files that you may edit; any other file is read-only. Describe each change "
    "first.\n\n"
    "main.py\n```python\n{passage}\n```\nWhat I want: {question}",
    "Answer only from the knowledge base excerpts, with a citation after each "
    "sentence.\n<excerpts>{passage}</excerpts>\n"
    "User question: {question}",
    "Classify the sentiment of this review as positive, negative or neutral, and return one word.\nReview: {passage}",
    "You generate search queries. For the user's message produce three alternative phrasings, one a line.\nMessage: "
    "{question}",
    "Solve the task step by step. You can call these functions: lookup(text). Write Thought, then Call, then wait for "
    "the Result; end with Answer.\nTask: {question}",
    "Fill in the output field `answer` given the input fields `context` and `question`.\n---\nContext: {passage}\n"
    "Question: {question}\nAnswer:",
    "Respond in JSON according to the schema that follows: an object with the keys answer and confidence. Here is the "
    "question: {question}\nHere is what is known: {passage}",
)


def fitted(passages: Sequence[str], questions: Sequence[str], each: int) -> list[str]:
    """Every wording that is fitted on, ``each`` times with other contents."""
    return _filled(_FITTED, passages, questions, each)


def reported(passages: Sequence[str], questions: Sequence[str], each: int) -> list[str]:
    """Every wording that nothing is fitted on."""
    return _filled(_REPORTED, passages, questions, each)


def _filled(frames: Sequence[str], passages: Sequence[str], questions: Sequence[str], each: int) -> list[str]:
    """Half of the contents are short: then most words are the wording's."""
    contents = itertools.cycle(zip(passages, questions, strict=False))
    return [
        frame.format(passage=" ".join(passage.split()[:SHORT]) if number % 2 else passage, question=question)
        for frame in frames
        for number, (passage, question) in enumerate(itertools.islice(contents, each))
    ]
