"""Programs that say `import kafka` run on ottla.kafka, in a process of their own."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """\
import sys
import kafka
import kafka.errors
from kafka import KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.structs import OffsetAndMetadata
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
import ottla.kafka
assert kafka is ottla.kafka and kafka.errors is ottla.kafka.errors
assert KafkaProducer is ottla.kafka.KafkaProducer
assert ottla.kafka.__spec__.name == "ottla.kafka"
try:
    import kafka.conn
except ModuleNotFoundError as error:
    assert error.name == "kafka.conn"
else:
    raise AssertionError("kafka.conn is not ours")
print(__name__, *sys.argv[1:])
"""


def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ottla.compat", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_script_runs_as_main(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    done = ran(str(script), "a", "-b")
    assert (done.stdout, done.returncode) == ("__main__ a -b\n", 0), done.stderr


def test_a_missing_script_is_exit_code_2() -> None:
    done = ran("nowhere.py")
    assert done.returncode == 2
    assert "there is no 'nowhere.py'" in done.stderr
    assert ran().returncode == 2
    assert ran("--help").returncode == 0


def test_a_module_runs_too(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-m", "ottla.compat", "-m", "program", "a"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
    )
    assert (done.stdout, done.returncode) == ("__main__ a\n", 0), done.stderr
