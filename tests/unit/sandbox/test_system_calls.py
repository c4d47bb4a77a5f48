"""The filter of system calls does what it says, for every number that a process may ask for."""

import struct

import pytest

from smalt.sandbox.system_calls import ARCHITECTURES, PRETENDED, REFUSED, system_call_filter

ALLOWED, PRETENDED_RESULT, REFUSED_RESULT, MISSING, KILLED = 0x7FFF0000, 0x50000, 0x50001, 0x50026, 0x80000000
CLONE_OF_THREAD, CLONE_OF_PROCESS = 0x3D0F00, 0x1200011
UNIX, INTERNET, NETLINK, VSOCK = 1, 2, 16, 40


def judged(machine: str, number: int, first: int = 0, audit: int | None = None) -> int:
    """What the kernel would make of a call: runs the program as seccomp does."""
    program = system_call_filter(machine)
    assert program is not None
    data = {0: number, 4: ARCHITECTURES[machine].audit if audit is None else audit, 16: first}
    value, place = 0, 0
    while True:
        code, if_true, if_false, k = struct.unpack_from("<HBBI", program, place * 8)
        place += 1
        if code == 0x06:
            return k
        if code == 0x20:
            value = data[k]
            continue
        holds = {0x15: value == k, 0x35: value >= k, 0x45: bool(value & k)}[code]
        place += if_true if holds else if_false


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_every_call_is_judged_as_it_is_listed(machine: str) -> None:
    numbers = ARCHITECTURES[machine].numbers
    for name in REFUSED:
        assert name not in numbers or judged(machine, numbers[name]) == REFUSED_RESULT, name
    for name in PRETENDED:
        assert name not in numbers or judged(machine, numbers[name]) == PRETENDED_RESULT, name
    named = set(numbers.values())
    assert {judged(machine, number) for number in range(600) if number not in named} == {ALLOWED}


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_a_thread_may_begin_and_a_process_may_not(machine: str) -> None:
    numbers = ARCHITECTURES[machine].numbers
    assert judged(machine, numbers["clone"], CLONE_OF_THREAD) == ALLOWED
    assert judged(machine, numbers["clone"], CLONE_OF_PROCESS) == REFUSED_RESULT
    assert judged(machine, numbers["clone3"]) == MISSING


@pytest.mark.parametrize("machine", ARCHITECTURES)
@pytest.mark.parametrize("name", ["socket", "socketpair"])
def test_sockets_are_local_ones(machine: str, name: str) -> None:
    number = ARCHITECTURES[machine].numbers[name]
    assert judged(machine, number, UNIX) == ALLOWED
    assert {judged(machine, number, kind) for kind in (INTERNET, 10, NETLINK, VSOCK, 17)} == {REFUSED_RESULT}


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_calls_of_another_kind_of_processor_do_not_slip_by(machine: str) -> None:
    assert judged(machine, 1, audit=0x40000003) == KILLED
    assert judged(machine, 0x40000000 | 57) == REFUSED_RESULT


def test_there_is_no_filter_for_a_processor_that_nobody_knows() -> None:
    assert system_call_filter("z80") is None


def test_the_numbers_are_those_of_this_machine() -> None:
    """Where the C library's headers are installed, they say the same."""
    import platform
    import re
    from pathlib import Path

    for header in Path("/usr/include").glob(f"{platform.machine()}-linux-gnu/asm/unistd_64.h"):
        told = dict(re.findall(r"#define __NR_(\w+) (\d+)", header.read_text()))
        for name, number in ARCHITECTURES[platform.machine()].numbers.items():
            assert int(told.get(name, number)) == number, name
