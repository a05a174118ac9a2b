"""The program within a process sandbox: reads the code and its files, runs it within limits, writes what it has left.

It is sent to the interpreter as text and imports next to nothing, since its start is most of a short run. The code can
do whatever it likes with this interpreter; what is written afterwards is only about itself, and is read with care.
"""

from __future__ import annotations

BOOT = r"""
import os, sys, resource
def take(count):
    found = b""
    while len(found) < count:
        part = os.read(0, count - len(found))
        if not part:
            os._exit(97)
        found += part
    return found
def number():
    return int.from_bytes(take(8), "big")
def part():
    return take(number())
mark, code = part(), part().decode()
memory, seconds, processes, disk, names, output = (number() for _ in range(6))
folder = part().decode()
os.chdir(folder)
given = {}
for _ in range(number()):
    name, data = part().decode(), part()
    if "/" in name:
        os.makedirs(os.path.dirname(name), exist_ok=True)
    with open(name, "wb") as file:
        file.write(data)
    given[name] = data
paths = [each for each in part().decode().split("\n") if each]
null = os.open("/dev/null", os.O_RDWR)
os.dup2(null, 0)
os.close(null)
for kind, most in (
    (resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, seconds + 1), (resource.RLIMIT_NPROC, processes),
    (resource.RLIMIT_FSIZE, disk), (resource.RLIMIT_NOFILE, 64), (resource.RLIMIT_CORE, 0),
):
    resource.setrlimit(kind, (most, most))
os.write(1, mark)
def run():
    import builtins
    value, error = None, ""
    space = {"__name__": "__main__", "__builtins__": builtins, "__file__": folder + "/main.py"}
    sys.path[:0] = [folder, *paths]
    try:
        tree = compile(code, "main.py", "exec", 0x400)
        last = tree.body.pop() if tree.body and type(tree.body[-1]).__name__ == "Expr" else None
        exec(compile(tree, "main.py", "exec"), space)
        if last is not None:
            import _ast
            value = eval(compile(_ast.Expression(last.value), "main.py", "eval"), space)
    except SystemExit as left:
        if left.code not in (None, 0):
            error = "SystemExit: " + str(left.code)[:1000]
    except BaseException as failed:
        try:
            import traceback
            frames = [each for each in traceback.extract_tb(failed.__traceback__) if each.filename != "<string>"]
            lines = code.split("\n")
            where = ""
            for each in frames[-8:]:
                where += f'  File "{each.filename}", line {each.lineno}, in {each.name}\n'
                if each.filename == "main.py" and 0 < (each.lineno or 0) <= len(lines):
                    where += f"    {lines[each.lineno - 1].strip()}\n"
            told = "".join(traceback.format_exception_only(type(failed), failed))[:2000]
            error = ("Traceback (most recent call last):\n" + where if where else "") + told
        except BaseException:
            error = type(failed).__name__
    return value, error
value, error = run()
try:
    shown = "" if value is None else repr(value)[: output + 1]
except BaseException as failed:
    shown = repr("[" + type(value).__name__ + ": " + type(failed).__name__ + "]")
try:
    sys.stdout.flush()
    sys.stderr.flush()
except BaseException:
    pass
def left(path, depth):
    with os.scandir(path) as found:
        for each in found:
            if each.is_file(follow_symlinks=False):
                yield each.path
            elif depth < 5 and each.is_dir(follow_symlinks=False):
                yield from left(each.path, depth + 1)
kept, size = [], 0
for path in left(".", 0):
    try:
        if len(kept) >= names or os.path.getsize(path) > disk - size:
            continue
        with open(path, "rb") as file:
            data = file.read()
    except BaseException:
        continue
    if given.get(path[2:]) != data and "__pycache__" not in path:
        kept.append((path[2:].encode(), data))
        size += len(data)
def put(data):
    return len(data).to_bytes(8, "big") + data
said = mark + put(shown.encode("utf-8", "replace")) + put(error.encode("utf-8", "replace"))
said += len(kept).to_bytes(8, "big") + b"".join(put(name) + put(data) for name, data in kept)
view = memoryview(said)
while view:
    view = view[os.write(1, view) :]
os._exit(0)
"""
