"""A filter of system calls for jailed code: those go that only an attack on the kernel, or a way around it, needs.

Classic BPF, as ``bwrap --seccomp`` reads it. A call in the list fails with EPERM. ``socket`` is left for Unix sockets
alone: some address families (vsock) belong to no network namespace.
"""

from __future__ import annotations

import platform
import struct

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _KILL, _EPERM = 0x7FFF0000, 0x80000000, 0x00050001
_ENOSYS = 0x00050026
_UNIX = 1
_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CALLS: dict[str, dict[str, int]] = {
    "x86_64": {
        "socket": 41, "ptrace": 101, "syslog": 103, "personality": 135, "pivot_root": 155, "acct": 163, "mount": 165,
        "umount2": 166, "swapon": 167, "swapoff": 168, "reboot": 169, "init_module": 175, "delete_module": 176,
        "quotactl": 179, "add_key": 248, "request_key": 249, "keyctl": 250, "mbind": 237, "migrate_pages": 256,
        "unshare": 272, "move_pages": 279, "perf_event_open": 298, "fanotify_init": 300, "name_to_handle_at": 303,
        "open_by_handle_at": 304, "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312,
        "finit_module": 313, "kexec_load": 246, "kexec_file_load": 320, "bpf": 321, "userfaultfd": 323,
        "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428, "move_mount": 429,
        "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "pidfd_getfd": 438, "mount_setattr": 442,
        "chroot": 161, "iopl": 172, "ioperm": 173, "modify_ldt": 154, "lookup_dcookie": 212, "vhangup": 153,
        "clone3": 435,
    },
    "aarch64": {
        "socket": 198, "ptrace": 117, "syslog": 116, "personality": 92, "pivot_root": 41, "acct": 89, "mount": 40,
        "umount2": 39, "swapon": 224, "swapoff": 225, "reboot": 142, "init_module": 105, "delete_module": 106,
        "quotactl": 60, "add_key": 217, "request_key": 218, "keyctl": 219, "mbind": 235, "migrate_pages": 238,
        "unshare": 97, "move_pages": 239, "perf_event_open": 241, "fanotify_init": 262, "name_to_handle_at": 264,
        "open_by_handle_at": 265, "setns": 268, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272,
        "finit_module": 273, "kexec_load": 104, "kexec_file_load": 294, "bpf": 280, "userfaultfd": 282,
        "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428, "move_mount": 429,
        "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "pidfd_getfd": 438, "mount_setattr": 442,
        "chroot": 51, "lookup_dcookie": 18, "vhangup": 58, "clone3": 435,
    },
}  # fmt: skip
_X32 = 0x40000000


def program(machine: str = "") -> bytes:
    """The filter for this machine's kernel; empty where none is known."""
    machine = machine or platform.machine()
    calls = dict(_CALLS.get(machine, {}))
    if not calls:
        return b""
    sockets = calls.pop("socket")
    clone3 = calls.pop("clone3")
    code = [
        _step(_LOAD, 4),
        _step(_EQUAL, _AUDIT[machine], 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, 0),
        # Calls of the x32 interface have other numbers.
        _step(_AT_LEAST, _X32, 0, 1),
        _step(_RETURN, _EPERM),
        # Its flags are in memory, where a filter cannot look: the C library then takes clone.
        _step(_EQUAL, clone3, 0, 1),
        _step(_RETURN, _ENOSYS),
        _step(_EQUAL, sockets, 0, 3),
        _step(_LOAD, 16),
        _step(_EQUAL, _UNIX, 1, 0),
        _step(_RETURN, _EPERM),
    ]
    code.append(_step(_LOAD, 0))
    for number in calls.values():
        code += [_step(_EQUAL, number, 0, 1), _step(_RETURN, _EPERM)]
    code.append(_step(_RETURN, _ALLOW))
    return b"".join(code)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
