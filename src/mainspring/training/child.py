"""The process of a run: ``python -m mainspring.training.child FOLDER``.

The exit status is 0 if something was made, 3 if the run stopped after a checkpoint and can go on, 1 if it failed for
a reason that ``error.json`` tells. Several processes of one run share the folder (``torchrun``); the first one writes.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mainspring.core.errors import MainspringError, ModelError
from mainspring.training.folder import Folder
from mainspring.training.recipe import Interrupted
from mainspring.training.recipes import find
from mainspring.training.run import Run

MADE, FAILED, STOPPED = 0, 1, 3


def main(path: str) -> int:
    folder = Folder(Path(path))
    asked = folder.asked
    if asked.threads:
        os.environ["OMP_NUM_THREADS"] = str(asked.threads)
    # Nothing is fetched from a hub while a run is under way.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    (folder.path / "error.json").unlink(missing_ok=True)
    try:
        run = Run(find(asked.recipe), folder, asked)
        run.on_terminate()
        made = run.do()
    except Interrupted:
        return STOPPED
    except MainspringError as error:
        folder.fail(error)
        return FAILED
    except MemoryError:
        folder.fail(ModelError("the run needs more memory than there is", remedy="Use a smaller batch or length"))
        return FAILED
    if run.main:
        folder.finish(made)
    return MADE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
