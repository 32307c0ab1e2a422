"""Figures of the machine, the container and the process: as the system says, and those of a machine once."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from otelkit.sdk.integrations.system.cgroups import Cpu, Memory, read_cpu, read_memory
from otelkit.sdk.integrations.system.readings import MachineReader, ProcessReader
from otelkit.semconv.attributes import System
from otelkit.semconv.metrics import ContainerMetrics, HostMetrics, ProcessMetrics
from otelkit.testing.otlp_sink import OtlpSink
from tests.sdk import processes

HERE = Path(__file__).parent
UVICORN = [sys.executable, "-m", "uvicorn", "service:app", "--port", "{port}", "--log-level", "warning"]


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


STAT = "anon 1\ninactive_file 30000\nactive_file 5\n"
CPU_STAT = "usage_usec 2500000\nuser_usec 1\nsystem_usec 1\nnr_periods 9\nnr_throttled 2\nthrottled_usec 700000\n"
V2 = {
    "memory.max": "100000\n",
    "memory.current": "80000\n",
    "memory.stat": STAT,
    "cpu.max": "150000 100000\n",
    "cpu.stat": CPU_STAT,
}
V1 = {
    "memory/memory.limit_in_bytes": "100000\n",
    "memory/memory.usage_in_bytes": "80000\n",
    "memory/memory.stat": "inactive_file 1\ntotal_inactive_file 30000\n",
    "cpu,cpuacct/cpu.cfs_quota_us": "150000\n",
    "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    "cpu,cpuacct/cpu.stat": "nr_periods 9\nnr_throttled 2\nthrottled_time 700000000\n",
    "cpu,cpuacct/cpuacct.usage": "2500000000\n",
}
V1_OWN = "4:memory:{0}\n3:cpu,cpuacct:{0}\n1:name=systemd:{0}\n0::/\n"


@pytest.mark.parametrize(
    ("files", "own"),
    [
        (V2, "0::/\n"),
        ({f"kube/pod/{name}": text for name, text in V2.items()}, "0::/kube/pod\n"),
        # The limit is set above the process's own group.
        ({**{f"kube/{name}": text for name, text in V2.items()}, "kube/app/memory.max": "max\n"}, "0::/kube/app\n"),
        (V1, V1_OWN.format("/")),
        (V1, V1_OWN.format("/docker/0a1b2c")),  # what is that outside is the root in here
        ({name.replace("/", "/docker/x/", 1): text for name, text in V1.items()}, V1_OWN.format("/docker/x")),
    ],
)
def test_limits_of_control_groups(tmp_path: Path, files: dict[str, str], own: str) -> None:
    root = tree(tmp_path / "cgroup", files)
    (tmp_path / "own").write_text(own)
    assert read_cpu(root, tmp_path / "own") == Cpu(1.5, 2.5, 0.7)
    assert read_memory(root, tmp_path / "own") == Memory(100_000, 80_000, 50_000)


@pytest.mark.parametrize(
    ("files", "own"),
    [
        ({}, ""),
        ({}, "0::/a/b\n"),
        ({"memory.max": "max\n", "memory.current": "5\n", "cpu.max": "max 100000\n"}, "0::/\n"),
        (
            {
                "memory/memory.limit_in_bytes": "9223372036854771712\n",
                "memory/memory.usage_in_bytes": "1\n",
                "cpu/cpu.cfs_quota_us": "-1\n",
                "cpu/cpu.cfs_period_us": "100000\n",
            },
            "2:memory:/\n1:cpu:/\n",
        ),
    ],
)
def test_no_limit_is_no_container(tmp_path: Path, files: dict[str, str], own: str) -> None:
    root = tree(tmp_path / "cgroup", files)
    root.mkdir(exist_ok=True)
    (tmp_path / "own").write_text(own)
    assert read_cpu(root, tmp_path / "own") is None
    assert read_memory(root, tmp_path / "own") is None


def test_the_machine_as_the_system_says() -> None:
    if read_cpu() or read_memory():
        pytest.skip("this machine's own limits replace its figures")
    reader = MachineReader()
    time.sleep(0.3)
    readings = reader.read()
    assert HostMetrics.MEMORY_LIMIT in readings
    states = {str((o.attributes or {})[System.MEMORY_STATE]): o.value for o in readings[HostMetrics.MEMORY]}
    lines = Path("/proc/meminfo").read_text().splitlines()
    total = int(next(line.split()[1] for line in lines if line.startswith("MemTotal"))) * 1024
    assert sum(states.values()) == readings[HostMetrics.MEMORY_LIMIT][0].value == total
    assert min(states.values()) >= 0
    assert sum(o.value for o in readings[HostMetrics.CPU_UTILIZATION]) == pytest.approx(1)
    spent = sum(int(word) for word in Path("/proc/stat").read_text().split()[1:9]) / os.sysconf("SC_CLK_TCK")
    assert sum(o.value for o in readings[HostMetrics.CPU_TIME]) == pytest.approx(spent, abs=2)
    assert readings[HostMetrics.LOAD][0].value == pytest.approx(os.getloadavg()[0], abs=0.2)
    free = {
        str((o.attributes or {})[System.MOUNTPOINT]): o.value
        for o in readings[HostMetrics.FILESYSTEM]
        if (o.attributes or {})[System.FILESYSTEM_STATE] == "free"
    }
    assert free["/"] == pytest.approx(os.statvfs("/").f_bavail * os.statvfs("/").f_frsize, rel=0.01)
    assert readings[HostMetrics.UPTIME][0].value == pytest.approx(
        float(Path("/proc/uptime").read_text().split()[0]), abs=2
    )
    assert not [entry for entry in readings if entry in vars(ContainerMetrics).values()]


def test_the_process_as_the_system_says() -> None:
    reader = ProcessReader()
    end = time.process_time() + 0.4
    while time.process_time() < end:  # work that shows
        pass
    readings = reader.read()
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    assert readings[ProcessMetrics.MEMORY][0].value == pytest.approx(int(status["VmRSS"].split()[0]) * 1024, rel=0.05)
    assert readings[ProcessMetrics.THREADS][0].value == int(status["Threads"])
    assert readings[ProcessMetrics.FILES][0].value == pytest.approx(len(os.listdir("/proc/self/fd")), abs=2)
    assert readings[ProcessMetrics.STARTED][0].value == pytest.approx(psutil.Process().create_time())
    used = resource.getrusage(resource.RUSAGE_SELF)
    assert sum(o.value for o in readings[ProcessMetrics.CPU_TIME]) == pytest.approx(
        used.ru_utime + used.ru_stime, abs=0.2
    )
    assert 0.3 < readings[ProcessMetrics.CPU_UTILIZATION][0].value < 1.3
    assert len(readings[ProcessMetrics.COLLECTIONS]) == 3


@contextmanager
def worker(sink: OtlpSink, *words: str) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "OTELKIT_ENDPOINT": sink.address, "OTELKIT_SALT": "salt of the tests"}
    process = subprocess.Popen(
        [sys.executable, str(HERE / "machine_process.py"), *words],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        if process.stdin is not None:
            process.stdin.close()


def flush(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("flush\n")
    process.stdin.flush()
    assert process.stdout.readline() == "flushed\n"


def reporters(sink: OtlpSink, metric: str) -> set[str]:
    return {str(p.resource.attributes["service.instance.id"]) for p in sink.points if p.name == metric}


def test_one_process_reports_the_machine_and_another_takes_over() -> None:
    with OtlpSink() as sink, worker(sink) as first, worker(sink) as second:
        for process in (first, second, second, first):
            flush(process)
        assert len(reporters(sink, "process.thread.count")) == 2
        assert len(reporters(sink, "system.uptime")) == 1
        first.send_signal(signal.SIGKILL)
        first.wait()
        time.sleep(0.6)  # one reading serves half a second
        flush(second)
        assert len(reporters(sink, "system.uptime")) == 2


def test_a_forked_child_does_not_keep_its_parents_lock() -> None:
    with OtlpSink() as sink, worker(sink, "fork") as child, worker(sink) as other:
        flush(other)
        time.sleep(2)  # the forking one is dead by now; its child lives, and has let go
        flush(other)
        assert len(reporters(sink, "system.uptime")) == 1
        assert child.pid


def test_a_loop_that_is_blocked_shows(tmp_path: Path) -> None:
    environment = {"OTEL_METRIC_EXPORT_INTERVAL": "300"}
    with (
        OtlpSink() as sink,
        processes.service(UVICORN, tmp_path, {"OTELKIT_ENDPOINT": sink.address, **environment}) as shop,
    ):
        shop.get("/pid")
        time.sleep(0.3)
        shop.get("/block")
        assert shop.waits_for(lambda: any((p.total or 0) > 0.4 for p in sink.latest("otelkit.event_loop.lag")))


def test_switched_off_there_is_nothing(tmp_path: Path) -> None:
    code = "import otelkit, sys; otelkit.init(service='x'); otelkit.flush(); assert not sys.modules.get('%s')"
    code %= "otelkit.sdk.integrations.system.machine"
    with OtlpSink() as sink:
        done = processes.python(code, {"OTELKIT_ENDPOINT": sink.address, "OTELKIT_SYSTEM_METRICS": "off"})
        assert done.returncode == 0, done.stderr
        assert {p.name for p in sink.points}.isdisjoint({"system.uptime", "process.thread.count"})
        assert "process.uptime" in {p.name for p in sink.points}


@pytest.mark.parametrize(("asked", "said"), [("on", 1), ("auto", 0)])
def test_without_the_package_one_line_where_it_was_asked_for(asked: str, said: int) -> None:
    code = "import sys; sys.modules['psutil'] = None; import otelkit; otelkit.init(service='x', endpoint='http://127.0.0.1:9')"
    done = processes.python(code, {"OTELKIT_SYSTEM_METRICS": asked, "OTELKIT_SHUTDOWN_SECONDS": "0"})
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("otelkit[system]") == said
