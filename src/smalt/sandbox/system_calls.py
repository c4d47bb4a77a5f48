"""The filter of system calls, in the kernel's own code (seccomp BPF): one process, no ways around the namespaces.

A call that is refused fails with EPERM, so that foreign code gets an ordinary Python error.
"""

import platform
import struct
from dataclasses import dataclass

INSTRUCTION = struct.Struct("<HBBI")
LOAD, JUMP_IF_EQUAL, JUMP_IF_AT_LEAST, JUMP_IF_ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER_OFFSET, ARCHITECTURE_OFFSET, FIRST_ARGUMENT_OFFSET = 0, 4, 16
ALLOW, KILL, PRETEND = 0x7FFF0000, 0x80000000, 0x00050000
NOT_PERMITTED, NOT_IMPLEMENTED = 0x00050000 | 1, 0x00050000 | 38

CLONE_THREAD = 0x00010000
AF_UNIX = 1
X32_BIT = 0x40000000

REFUSED = (
    "fork",
    "vfork",
    "unshare",
    "setns",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "open_tree",
    "move_mount",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "pidfd_open",
    "pidfd_getfd",
    "kcmp",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "add_key",
    "request_key",
    "keyctl",
    "memfd_create",
    "memfd_secret",
    "shmget",
    "shmat",
    "shmctl",
    "msgget",
    "semget",
    "mq_open",
    "kexec_load",
    "kexec_file_load",
    "init_module",
    "finit_module",
    "delete_module",
    "swapon",
    "swapoff",
    "reboot",
    "acct",
    "quotactl",
    "sethostname",
    "setdomainname",
    "settimeofday",
    "clock_settime",
    "adjtimex",
    "clock_adjtime",
    "syslog",
    "name_to_handle_at",
    "open_by_handle_at",
    "fanotify_init",
    "personality",
    "mknod",
    "mknodat",
    "ioperm",
    "iopl",
    "modify_ldt",
    "vhangup",
    "nfsservctl",
    "lookup_dcookie",
    "migrate_pages",
    "move_pages",
    "mbind",
    "set_mempolicy",
)

# Where the server runs as root, foreign code owns the devices that it sees, and could close them for everybody.
# Libraries that copy files stop when they cannot set a mode, so they are told that it was done.
PRETENDED = (
    "chmod",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    "setxattrat",
    "removexattr",
    "lremovexattr",
    "fremovexattr",
    "removexattrat",
    "file_setattr",
)


@dataclass(frozen=True, slots=True)
class Architecture:
    """A processor's numbers for system calls."""

    audit: int
    numbers: dict[str, int]


ARCHITECTURES = {
    "x86_64": Architecture(
        0xC000003E,
        {
            "socket": 41, "socketpair": 53, "clone": 56, "clone3": 435, "fork": 57, "vfork": 58, "unshare": 272,
            "setns": 308, "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "open_tree": 428,
            "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "mount_setattr": 442,
            "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "process_madvise": 440,
            "pidfd_open": 434, "pidfd_getfd": 438, "kcmp": 312, "bpf": 321, "perf_event_open": 298,
            "userfaultfd": 323, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
            "add_key": 248, "request_key": 249, "keyctl": 250, "memfd_create": 319, "memfd_secret": 447,
            "shmget": 29, "shmat": 30, "shmctl": 31, "msgget": 68, "semget": 64, "mq_open": 240, "kexec_load": 246,
            "kexec_file_load": 320, "init_module": 175, "finit_module": 313, "delete_module": 176, "swapon": 167,
            "swapoff": 168, "reboot": 169, "acct": 163, "quotactl": 179, "sethostname": 170, "setdomainname": 171,
            "settimeofday": 164, "clock_settime": 227, "adjtimex": 159, "clock_adjtime": 305, "syslog": 103,
            "name_to_handle_at": 303, "open_by_handle_at": 304, "fanotify_init": 300, "personality": 135,
            "mknod": 133, "mknodat": 259, "ioperm": 173, "iopl": 172, "modify_ldt": 154, "vhangup": 153,
            "nfsservctl": 180, "lookup_dcookie": 212, "migrate_pages": 256, "move_pages": 279, "mbind": 237,
            "set_mempolicy": 238, "chmod": 90, "fchmod": 91, "fchmodat": 268, "fchmodat2": 452, "setxattr": 188,
            "lsetxattr": 189, "fsetxattr": 190, "setxattrat": 463, "removexattr": 197, "lremovexattr": 198,
            "fremovexattr": 199, "removexattrat": 466, "file_setattr": 469,
        },
    ),
    "aarch64": Architecture(
        0xC00000B7,
        {
            "socket": 198, "socketpair": 199, "clone": 220, "clone3": 435, "unshare": 97, "setns": 268, "mount": 40,
            "umount2": 39, "pivot_root": 41, "chroot": 51, "open_tree": 428, "move_mount": 429, "fsopen": 430,
            "fsconfig": 431, "fsmount": 432, "fspick": 433, "mount_setattr": 442, "ptrace": 117,
            "process_vm_readv": 270, "process_vm_writev": 271, "process_madvise": 440, "pidfd_open": 434,
            "pidfd_getfd": 438, "kcmp": 272, "bpf": 280, "perf_event_open": 241, "userfaultfd": 282,
            "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "add_key": 217,
            "request_key": 218, "keyctl": 219, "memfd_create": 279, "memfd_secret": 447, "shmget": 194,
            "shmat": 196, "shmctl": 195, "msgget": 186, "semget": 190, "mq_open": 180, "kexec_load": 104,
            "kexec_file_load": 294, "init_module": 105, "finit_module": 273, "delete_module": 106, "swapon": 224,
            "swapoff": 225, "reboot": 142, "acct": 89, "quotactl": 60, "sethostname": 161, "setdomainname": 162,
            "settimeofday": 170, "clock_settime": 112, "adjtimex": 171, "clock_adjtime": 266, "syslog": 116,
            "name_to_handle_at": 264, "open_by_handle_at": 265, "fanotify_init": 262, "personality": 92,
            "mknodat": 33, "vhangup": 58, "nfsservctl": 42, "lookup_dcookie": 18, "migrate_pages": 238,
            "move_pages": 239, "mbind": 235, "set_mempolicy": 237, "fchmod": 52, "fchmodat": 53,
            "fchmodat2": 452, "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "setxattrat": 463, "removexattr": 14,
            "lremovexattr": 15, "fremovexattr": 16, "removexattrat": 466, "file_setattr": 469,
        },
    ),
}  # fmt: skip


def system_call_filter(machine: str | None = None) -> bytes | None:
    """The filter for a machine (this one when absent); None when we do not know its system calls."""
    architecture = ARCHITECTURES.get(machine or platform.machine())
    return None if architecture is None else _assemble(architecture)


def _assemble(architecture: Architecture) -> bytes:
    numbers = architecture.numbers
    named = [(name, CHECKS) for name in REFUSED] + [(name, CHECKS + 1) for name in PRETENDED]
    listed = [(numbers[name], steps) for name, steps in named if name in numbers]
    code = [
        (LOAD, 0, 0, ARCHITECTURE_OFFSET),
        (JUMP_IF_EQUAL, 1, 0, architecture.audit),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER_OFFSET),
        (JUMP_IF_AT_LEAST, 0, 1, X32_BIT),
        (RETURN, 0, 0, NOT_PERMITTED),
        # The C library falls back to clone, whose flags can be seen.
        (JUMP_IF_EQUAL, 0, 1, numbers["clone3"]),
        (RETURN, 0, 0, NOT_IMPLEMENTED),
    ]
    for place, (number, steps) in enumerate(listed):
        # Over the other comparisons and the blocks for clone and sockets, to what is returned at the end.
        code.append((JUMP_IF_EQUAL, len(listed) - place - 1 + steps, 0, number))
    code += [
        (JUMP_IF_EQUAL, 0, 3, numbers["clone"]),
        (LOAD, 0, 0, FIRST_ARGUMENT_OFFSET),
        (JUMP_IF_ANY_BIT, 5, 0, CLONE_THREAD),
        (RETURN, 0, 0, NOT_PERMITTED),
        (JUMP_IF_EQUAL, 1, 0, numbers["socket"]),
        (JUMP_IF_EQUAL, 0, 2, numbers["socketpair"]),
        (LOAD, 0, 0, FIRST_ARGUMENT_OFFSET),
        (JUMP_IF_EQUAL, 0, 1, AF_UNIX),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, NOT_PERMITTED),
        (RETURN, 0, 0, PRETEND),
    ]
    return b"".join(INSTRUCTION.pack(*one) for one in code)


CHECKS = 9
"""The instructions between the last comparison and the refusal."""
