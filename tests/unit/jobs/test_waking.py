"""A wake-up reaches the server of the data folder, wherever that is, and harms nobody when there is none."""

import select

from smalt.jobs.queue import JobQueue
from smalt.jobs.waking import WakeListener, wake_path


def is_woken(listener, seconds=1.0):
    return bool(select.select([listener], [], [], seconds)[0])


def test_a_wake_up_is_heard_and_then_forgotten(tmp_path):
    listener = WakeListener(tmp_path)
    JobQueue(wake_path(tmp_path)).wake()
    JobQueue(wake_path(tmp_path)).wake()
    assert is_woken(listener)
    listener.drain()
    assert not is_woken(listener, 0)
    listener.close()


def test_a_data_folder_with_a_long_path_has_a_socket_with_a_short_one(tmp_path):
    deep = tmp_path / ("deep" * 30)
    assert len(str(wake_path(deep))) < 104
    assert wake_path(deep) != wake_path(deep / "er")
    listener = WakeListener(deep)
    JobQueue(wake_path(deep)).wake()
    assert is_woken(listener)
    listener.close()
    assert not wake_path(deep).exists()


def test_a_listener_takes_the_place_of_one_that_was_killed(tmp_path):
    killed = WakeListener(tmp_path)
    listener = WakeListener(tmp_path)
    JobQueue(wake_path(tmp_path)).wake()
    assert is_woken(listener)
    assert not is_woken(killed, 0)
    killed._socket.close()
    listener.close()


def test_a_listener_that_ends_leaves_the_one_that_took_its_place(tmp_path):
    first = WakeListener(tmp_path)
    second = WakeListener(tmp_path)
    first.close()
    JobQueue(wake_path(tmp_path)).wake()
    assert is_woken(second)
    second.close()
    assert not wake_path(tmp_path).exists()


def test_nobody_has_to_listen(tmp_path):
    JobQueue(wake_path(tmp_path)).wake()
    JobQueue().wake()
    listener = WakeListener(tmp_path)
    for _ in range(5000):
        JobQueue(wake_path(tmp_path)).wake()
    assert is_woken(listener)
    listener.close()
