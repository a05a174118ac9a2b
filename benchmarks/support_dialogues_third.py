"""The agent ``support`` on wishes of the sample shop's customers, told again in the words of a third author.

    python benchmarks/support_dialogues_third.py [--keep FILE] [--minutes 10] [--report]

100 of the wishes of ``support_dialogues.py``, with what is expected, in words of somebody who had read the agent's page
of the documentation and the earlier dialogues, and none of the agent's code, patterns or examples. They were frozen
before the first run, and are held once, to report: nothing of the agent was changed for them before. Right and harm are
those of ``support_dialogues.py``.
"""

from __future__ import annotations

from support_dialogues_fresh import main

if __name__ == "__main__":
    main("third", __doc__ or "")
