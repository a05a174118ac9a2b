"""Lines that agents and frameworks put into the messages of users, which read like attempts to take a model over.

An agent tells its model in capitals what to heed and what to ignore. Such lines are known by their hashes, and the
detector of words does not count them. It counts whatever stands beside them, so nobody gains by writing one.
"""

from __future__ import annotations

import hashlib

MARK = "<system-reminder>"
QUOTED = "<<<BEGIN_QUOTED_AGENT_CONTENT>>>"
"""Opens what google-adk relays of another agent."""
MARKS = (MARK, QUOTED, "*SEARCH/REPLACE", "*added these files to the chat*", "*file listing*")
"""One of them stands in each text that has such lines."""
# Claude Code 2.1: around the date and the notes of a project.
_CLAUDE_CODE = """
0337d96b7aee7ee5 0a90886aa758dcb2 3418261b0b773fa5 3c7862af3b2a3399 8e9092375c38aaf3 d767b78a7be81d8e
58520faa949f6bb5
"""
# google-adk 2.13: before what it relays of another agent, at each handover.
_GOOGLE_ADK = "b40195fccbd95a98"
# Aider 0.86: how it wants edits written, which it repeats behind what its user says.
_AIDER = """
00813daf1b7914d2 00ee24bb920fb934 0460c8c0107b5507 05e6e3aadc1fce18 069bcef89a3016a2 07c69ae5c890a6a9
0856f00409b8fc7c 08e190d1fab3fdc6 0a3e8030443c3655 0b79e9b1f309fec0 0c66ce7e39a51735 0d439c6c19d615b6
0d7da7a87139034c 0f17a39244d96405 0f36e2e8b258372a 1388b61aa2e421ff 160832895a405a4b 1733f4eae45cec20
1746ad659709a26f 19045037e09ae2f7 194de52808ee2c49 19d5d4806a4702ea 1b0075cf2a841bfa 1b13dc344ad721e8
1bc50007a894b12b 1c657fdef67fd580 1d0880d002737022 1d4159c40f7d82f8 1dc6bf8b0e17b3dd 1ef24fbba7aa9bc9
1f09625f2ea01fc9 1f251f6f4a9b7f16 1f5468f04d531021 2180e030be5aa723 21d96a2d5955255c 2253b77aca80f26a
2258cf79bf0debbd 22b1efb5ce8d9647 23c83d44832b9cec 2554e520106c17a5 25abe9c1e14cc994 264dca1b8601b8e6
27847e03900878f8 27d3496e2c75ef17 28caf3b183361f47 2956e74192cee06f 29f2a67c059279ce 2a48f884d7ecfa99
2acb9b62228b2db4 2d5637d4ff602eb4 2dc4147ca76ec6d3 2e6edb59e09524ef 2ec43fb47b248a5f 2ee213c536aba563
2ffc768fbe270227 323cb3db068ff3ea 366d1af708b86e26 36ff6cf12b3ed0a9 38fa0d996739fbc0 3942afaf584e71d4
39c63a904eaf7ec5 3ab4bd4186ff5513 3accdc2017cb3de2 3b42445b2aae4f31 3e2478506624d3d1 3f21470845942e4d
3f936f8003175386 4136a26970dc7820 4188fe351b10019f 41b57ae820ace457 41d94c0cba361549 420f2e6ece8ca561
42fa00db5dadabea 4307755e9e2a084c 432e7de3192bca63 459318a5146428e8 45e8222624c16112 465db5074c49bd7a
4700997a3a55ade9 4729dc8833550476 480962dbd9f58769 48573b59778f615c 489c92e9e25a2ba2 49e2d0e17b0aed4a
4ae175fbfc2dea3d 4bfaa880b7a97fe1 4ff44121ddc9648f 504df2d5ea9773d9 5056541e6feaafa3 50a3b363e3eddfbf
5110d0302cde93e8 5166794097c12b60 5214f15165ae93ec 5336d1bb74c0e9e5 54a5e194e203431b 55707791c9bf0701
56375acc5834e199 56522a001a58d325 5665b34629f5cd4c 58fa841bb8cc22dc 5923c76246430f44 5c5a2aadd3b00434
5c9d32a5c42ee870 5ca909635371b2ab 5d0e2f17514acec3 5d95acbbce8ece62 5f359aa0b359abca 5fdfb3985b8a3739
5ff7bd7cc856a2a3 6110decfc0809d1d 618b7795b428aab3 61e1d7d36bb06337 62ec65b1609408c5 64a95660ad5737d3
66a2c76d565822e2 67573ffd705707fd 678fcf4c2101ce74 6823400a010d541b 6867193ff4086b05 697f194ede83b74c
6b6928f42c75cfdc 6b6a75f261ab2015 6bc5452afc1e4123 6bf09cdb925dd4f3 6c013ddd81359374 6c341fd2feeb9b35
6f2ed539687deb29 701e8ac8a0b2554e 706878f147046c9b 70fb1e43aaf14a8b 716e2138b6de262e 7173090a566f706e
71afce3da036ef8f 7220d4601e93232b 72437f7094aad3ce 72ae34d3da9cdd24 72defa0f24913e15 73287e11bfd9ccc9
74296b5b8994e3de 74a6b1c57e380393 75f305a330196083 76996b8c0c113734 769d4b1b2a1ce976 76e414de7f691d47
7847e4a5202da836 7b7410cfa41b5500 7efdd9155a113405 7f0ac101d941211d 7f9058b14d83cc1a 811f02573c2baf49
81350b28fea98f33 84ca04e62b3f5f31 85cd71c2fc7963e4 8662700657f056c5 88004b8d0c5ef29c 88349817d582aedf
89c56c5f326b7c55 8c829ff7b1d90df1 8f1e28e5facc5e0f 8fe0c870e66b24a4 9074bfc6cd402c62 90b399a443992abd
9151e97038278875 92c40fb7077d61c5 92c73ebba154e0d2 9332cc10be3b62b5 957e2e582a1f7c3b 967ba8c89370ef45
977a6e5b9e40b533 97ec0ccd908e37e2 97f108e8892f5168 9887bb280399c35d 99892915f419d51a 9b555a483cee0361
9bbeb8e18f1085bb 9d0ceb2dba1d8b53 9f6849284fabbd7f 9f925aab96267e07 a15a9c59b710a383 a52a4d5dd865e025
a79fd09d45d029ff a85d5cd5c906376d a89180e347325ca2 a8d36a1b2f5b5ba2 aa4ad0cd5492ad27 aaecc17c0042fabb
ab3032e3f3f7a820 ac44683b4b214722 ad0abac0ac44d4f4 ad1766e4862116f8 ad9779b0efc17275 ae2287898d2b136e
ae46fa66b8e68fde af6ac2700a28dbad b02975a5a929307b b045668eae1ff3c1 b0d5d709597ea56e b24eb0657ec5f634
b43543cf0829925c b45b98105e9ddadf b57f996668e0f81a b655120553246913 b78dbf3164014a3d b8b249585640cb69
bab239053c5d350e bbea80146f052cc7 bd12a06b4f0bba21 bd2ee7db5a96b0d8 bd5f3f7feb8cb222 befcd7e06c44fa1f
c0a15e88d46b3d3e c112bbb2a2d2aae2 c3271bf8b7b4d506 c3ee1c79bfa2169f c45d7f9c39e65367 c490d4b5e06fb825
c50c963abfe6425d c5db72db5b8089c1 c699b31787223b26 c7d2553baeba4a4e c812c6f232eff5cd c9a57467c15424aa
c9a69abcc1a3ad22 cd8331ada8ddf6f1 d226353e2a9e0379 d3c0a887987ade1d d3c33536905cd0ed d3d7459d1b576661
d48cd540d6aca1a7 d49d718072305626 d49f15dd2d52c675 d5aa2002cd8af449 d5ccc8b6e25ca9ae d67b8d482ef06141
d7f925616c262ad9 d9cbb2eb23c105fc da1ae4ab182b0e19 db09bbd3303af862 dbe263b8f10e6e9f dfa697db240f6998
e14801dd3d572e26 e1c339d3e4e32ef6 e33ee78a27e2719e e3c95870d0aa554f e457c791ce41b82d e52f9fa2fa3f93cf
e5ac4ccb6dad3cac e5b13f1e6f52d7b4 e6537bffeb20142f e6e2a1d096786ab0 e7ddb100b204cf06 e846d46a695f419d
e9d84a4e1c78f491 eb539c30ebb9d47e eb7b2e0ef5ab780d ebc4703ceb6073d6 ece1b48b791780fc ed6353a38910ba1b
eeffff9185ddc37a ef05b9e8a9c11780 ef77e17d18022f77 ef78316b310c8976 f042dfe918d03096 f0e6619e68b4e916
f29d4b7d2c11ddf0 f39a1e261661a2a6 f3ea393519fbcefc f42579fc0d24bf44 f4e511c35d077ff5 f5120c5a80ffec43
f6b8c80828186570 f7283b03347f3b05 f7d87d0bbb06fb2d f824efeafecf2b31 f82d0a7c95a987e8 f83264a62185d47d
f83ae808107308ee fb0248296eba04d1 fe7eb1e378d47a7c fedfaf44fea5a701 fffbb893d5e2da69
"""
LINES = frozenset(f"{_CLAUDE_CODE} {_GOOGLE_ADK} {_AIDER}".split())
"""The first 16 hexadecimal digits of the SHA-256 of each line, without the space around it."""


VERSION = hashlib.sha256(" ".join(sorted(LINES)).encode()).hexdigest()[:8]
"""Part of what a text was guarded by."""


def without(text: str) -> str:
    """``text`` without such lines."""
    if not any(mark in text for mark in MARKS):
        return text
    return "\n".join(line for line in text.splitlines() if digest(line) not in LINES)


def digest(line: str) -> str:
    """The hash of a line."""
    return hashlib.sha256(line.strip().encode("utf-8", "replace")).hexdigest()[:16]
