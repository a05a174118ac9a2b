# ruff: noqa: E501
"""Attempts to break out of a sandbox, to use it up, or to find what others left.

Each is a program that prints ``ESCAPED`` where it succeeds, or that must be stopped. ``{secret}`` is a file of the
server's, ``{pid}`` its process, ``{port}`` a port on which it listens.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Attempt:
    """``plain``: outside of a sandbox it succeeds, so that it can be seen to be able to. ``stopped``: it ends with an
    error, or it was in vain."""

    name: str
    code: str
    plain: bool = False
    stopped: bool = False


def of(name: str, code: str, *, plain: bool = False, stopped: bool = False) -> Attempt:
    return Attempt(name, code.strip() + "\n", plain, stopped)


def tried(body: str) -> str:
    """A program that does ``body`` and has succeeded if nothing is raised."""
    inner = "\n".join(f"    {line}" for line in body.strip().splitlines())
    return f"try:\n{inner}\n    print('ESCAPED')\nexcept Exception as error:\n    print(type(error).__name__)"


ENVIRONMENT = [
    of("environ", "import os\nprint('ESCAPED' if 'CANARY' in str(dict(os.environ)) else '')", plain=True),
    of("getenv", "import os\nprint('ESCAPED' if os.getenv('CANARY_TOKEN') else '')", plain=True),
    of("environ-of-init", "print('ESCAPED' if 'CANARY' in open('/proc/1/environ').read() else '')"),
    of("environ-of-self", "print('ESCAPED' if 'CANARY' in open('/proc/self/environ').read() else '')", plain=True),
    of("environ-of-server", "print('ESCAPED' if 'CANARY' in open('/proc/{pid}/environ').read() else '')"),
    of(
        "environ-of-all",
        """
import os
for each in os.listdir('/proc'):
    try:
        if 'CANARY' in open('/proc/' + each + '/environ').read():
            print('ESCAPED')
    except Exception:
        pass
""",
        plain=True,
    ),
    of("cmdline-of-server", "print('ESCAPED' if 'python' in open('/proc/{pid}/cmdline').read() else '')", plain=True),
    of("root-of-server", "print('ESCAPED' if open('/proc/{pid}/root{secret}').read() else '')", plain=True),
    of("root-of-init", "print('ESCAPED' if open('/proc/1/root{secret}').read() else '')"),
    of("cwd-of-server", "import os\nprint('ESCAPED' if os.listdir('/proc/{pid}/cwd') else '')", plain=True),
    of("memory-of-init", "print('ESCAPED' if open('/proc/1/mem', 'rb').read(1) is not None else '')"),
]
FILES = [
    of("secret", "print('ESCAPED' if open('{secret}').read() else '')", plain=True),
    of("secret-by-pathlib", "from pathlib import Path\nprint('ESCAPED' if Path('{secret}').read_text() else '')", plain=True),
    of("secret-upwards", "print('ESCAPED' if open('../../../../..{secret}').read() else '')", plain=True),
    of("passwd", "print('ESCAPED' if 'root' in open('/etc/passwd').read() else '')", plain=True),
    of("shadow", "print('ESCAPED' if open('/etc/shadow').read() else '')"),
    of("home-of-root", "import os\nprint('ESCAPED' if os.listdir('/root') else '')"),
    of("folder-of-the-server", "import os\nprint('ESCAPED' if os.listdir('{folder}') else '')", plain=True),
    of("database", "import glob\nprint('ESCAPED' if glob.glob('{folder}/*.db') else '')", plain=True),
    of(
        "symlink",
        "import os\nos.symlink('{secret}', 'link')\nprint('ESCAPED' if open('link').read() else '')",
        plain=True,
    ),
    of("symlink-left-behind", "import os\nos.symlink('{secret}', 'left.txt')\nprint('done')"),
    of("hard-link", "import os\nos.link('{secret}', 'hard')\nprint('ESCAPED' if open('hard').read() else '')", plain=True),
    of("folder-link", "import os\nos.symlink('/', 'all')\nprint('ESCAPED' if open('all{secret}').read() else '')", plain=True),
    of("write-to-usr", tried("open('/usr/escaped', 'w').write('x')")),
    of("write-to-root", tried("open('/escaped', 'w').write('x')")),
    of("write-to-etc", tried("import os\nos.makedirs('/etc/escaped')")),
    of("write-to-the-server", tried("open('{folder}/escaped', 'w').write('x')"), plain=True),
    of("device", tried("open('/dev/sda', 'rb').read(1)")),
    of("kernel-memory", tried("open('/dev/mem', 'rb').read(1)")),
    of("kernel-log", tried("open('/dev/kmsg', 'rb')")),
    of("node", tried("import os, stat\nos.mknod('disk', 0o600 | stat.S_IFBLK, os.makedev(8, 0))\nopen('disk', 'rb')")),
    of("sysrq", tried("open('/proc/sysrq-trigger', 'w').write('h')")),
    of("core-pattern", tried("open('/proc/sys/kernel/core_pattern', 'w').write('|/box/x')")),
    of("cgroup", tried("open('/sys/fs/cgroup/cgroup.procs', 'w').write('0')")),
    of("docker-socket", "import os\nprint('ESCAPED' if os.path.exists('/var/run/docker.sock') or os.listdir('/run') else '')"),
    of("descriptors", """
import os
for number in range(3, 256):
    try:
        if os.fstat(number).st_size > 0 or os.readlink('/proc/self/fd/%d' % number).startswith('{folder}'):
            print('ESCAPED')
    except Exception:
        pass
"""),
    of("descriptor-folder", "import os\nfor each in range(256):\n    try:\n        os.fchdir(each)\n        print('ESCAPED')\n    except Exception:\n        pass"),
    of("import-the-server", tried("import mainspring"), plain=True),
    of("import-from-outside", tried("import sys\nsys.path.append('{folder}')\nimport planted"), plain=True),
]  # fmt: skip
PROCESSES = [
    of("shell", "import os\nprint('ESCAPED' if os.system('cat {secret} > /dev/null') == 0 else '')", plain=True),
    of("subprocess", tried("import subprocess\nsubprocess.run(['cat', '{secret}'], check=True, stdout=-3)"), plain=True),
    of("signal-the-server", tried("import os\nos.kill({pid}, 0)"), plain=True),
    of("signal-everybody", "import os\ntry:\n    os.kill(-1, 15)\nexcept Exception as error:\n    print(error)"),
    of("signal-the-parent", "import os\ntry:\n    os.kill(os.getppid(), 9)\nexcept Exception as error:\n    print(error)"),
    of("signal-init", "import os\ntry:\n    os.kill(1, 9)\nexcept Exception as error:\n    print(error)"),
    of("see-processes", "import os\nprint('ESCAPED' if '{pid}' in os.listdir('/proc') else '')", plain=True),
    of("priority", tried("import os\nos.setpriority(os.PRIO_PROCESS, 0, -20)")),
    of("become-root", tried("import os\nos.setuid(0)\nopen('/escaped', 'w')")),
    of("raise-limits", tried("import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))")),
    of("ptrace", tried("import ctypes\nassert ctypes.CDLL(None).ptrace(16, {pid}, 0, 0) == 0")),
    of("read-other-memory", tried("import ctypes\nassert ctypes.CDLL(None).process_vm_readv({pid}, 0, 0, 0, 0, 0) == 0"), plain=True),
    of("unshare", tried("import ctypes\nassert ctypes.CDLL(None).unshare(0x10000000) == 0")),
    of("mount", tried("import ctypes\nassert ctypes.CDLL(None).mount(b'none', b'/tmp', b'tmpfs', 0, 0) == 0")),
    of("keyring", tried("import ctypes\nassert ctypes.CDLL(None).syscall(250, 0, -3, 1) >= 0"), plain=True),
    of("new-user-namespace", tried("import subprocess\nsubprocess.run(['unshare', '-Ur', 'true'], check=True)")),
    of("setuid-program", tried("import subprocess\nsubprocess.run(['su', '-c', 'true'], check=True, timeout=2, stdin=-3)")),
]  # fmt: skip
NETWORK = [
    of("own-server", tried("import socket\nsocket.create_connection(('127.0.0.1', {port}), 1)"), plain=True),
    of("name", tried("import socket\nsocket.getaddrinfo('example.org', 80)")),
    of("http", tried("import urllib.request\nurllib.request.urlopen('http://127.0.0.1:{port}/', timeout=1)")),
    of("metadata", tried("import socket\nsocket.create_connection(('169.254.169.254', 80), 1)")),
    of("udp", tried("import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {port}))"), plain=True),
    of("raw", tried("import socket\nsocket.socket(socket.AF_PACKET, socket.SOCK_RAW)")),
    of("hypervisor", tried("import socket\nsocket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)"), plain=True),
    of("netlink", tried("import socket\nsocket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)"), plain=True),
    of("abstract-socket", tried("import socket\nsocket.socket(socket.AF_UNIX).connect('\\0{abstract}')"), plain=True),
]  # fmt: skip
RESOURCES = [
    of("endless", "while True: pass", stopped=True),
    of("sleep", "import time\ntime.sleep(600)\nprint('ESCAPED')", stopped=True),
    of("memory", "found = [0] * 10\nwhile True: found = found + found", stopped=True),
    of("one-text", "found = 'a' * 10**11\nprint('ESCAPED')", stopped=True),
    of("big-integer", "found = 7 ** (10 ** 9)\nprint('ESCAPED')", stopped=True),
    of("big-integer-as-text", "found = str(7 ** 3_000_000)\nprint('ESCAPED')", stopped=True),
    of("recursion", "def call(n): return call(n + 1)\ncall(0)", stopped=True),
    of("nested-value", "found = []\nfor _ in range(100_000): found = [found]\nfound"),
    of("expression-bomb", "import re\nre.match(r'(a|aa)+$', 'a' * 60 + 'b')\nre.match(r'(a+)+$', 'a' * 60 + 'b')"),
    of("source-bomb", "eval('(' * 100_000 + ')' * 100_000)", stopped=True),
    of("power-bomb", "sum(each ** each ** 7 for each in range(10**6))", stopped=True),
    of("output", "while True: print('x' * 1000)", stopped=True),
    of("small-outputs", "for _ in range(10**7): print('')", stopped=True),
    of("huge-value", "'x' * 10_000_000"),
    of("many-values", "list(range(100_000))"),
    of("disk", "for each in range(1000):\n    with open(str(each), 'w') as file: file.write('x' * 10**6)\nprint('ESCAPED')", stopped=True),
    of("one-file", "with open('big', 'w') as file:\n    for _ in range(1000): file.write('x' * 10**6)\nprint('ESCAPED')", stopped=True),
    of("shared-memory", "with open('/dev/shm/big', 'w') as file:\n    for _ in range(1000): file.write('x' * 10**6)\nprint('ESCAPED')", stopped=True),
    of("many-files", "for each in range(100_000): open(str(each), 'w').write('x')"),
    of("fork-bomb", "import os\nwhile True: os.fork()", stopped=True),
    of("threads", "import threading, time\nfor _ in range(5000): threading.Thread(target=time.sleep, args=(600,)).start()\nprint('ESCAPED')", stopped=True),
    of("left-process", "import os\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        import time\n        time.sleep(600)\nprint('done')"),
    of("ignored-signals", "import signal\nfor each in range(1, 32):\n    try: signal.signal(each, signal.SIG_IGN)\n    except Exception: pass\nwhile True: pass", stopped=True),
    of("descriptors-used-up", "found = [open('/dev/null') for _ in range(100_000)]\nprint('ESCAPED')", stopped=True),
    of("closed-output", "import os\nos.close(1)\nos.close(2)\nwhile True: pass", stopped=True),
    of("end-of-interpreter", "import os\nos._exit(3)", stopped=True),
    of("crash", "import ctypes\nctypes.string_at(0)", stopped=True),
    of("forged-result", "import os\nos.write(1, bytes(64) + b'\\xff' * 64)\nos._exit(0)", stopped=True),
    of("inner-class", "print('ESCAPED' if [each for each in ().__class__.__base__.__subclasses__() if each.__name__ == 'Mapped'] else '')"),
]  # fmt: skip
ALL = [*ENVIRONMENT, *FILES, *PROCESSES, *NETWORK, *RESOURCES]
