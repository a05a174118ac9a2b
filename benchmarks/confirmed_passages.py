"""Near misses that the answer path refuses, and wrong refusals, with and without a chat model that reads the passages.

    MAINSPRING_DATA=... python benchmarks/confirmed_passages.py [--limit N] [--keep FOLDER] [--dev]

Asked as in `near_misses`, with `rag.confirm: always` and `qwen2.5-coder-1.5b-instruct`: of each of the best passages
the model says whether it answers. Refused is what lies below `rag.confirm_below`.
"""

from __future__ import annotations

from near_misses import arguments, main

if __name__ == "__main__":
    main(arguments("Near misses, with and without a chat model that reads the passages"), by="model")
