"""What the harness installs for itself, and where: everything below `.compat/`, nothing elsewhere.

Each function makes sure that one tool chain is there and returns how to call it. It asks only the
package managers a developer would ask (pip, npm, apt, mvn, go), never an address of its own, and leaves
a stamp with its recipe beside the result: an unchanged recipe costs nothing, a changed one is made
anew. What can't be installed raises `CannotInstall` with the package manager's own last words, so
that the table can say why a client is missing instead of leaving it out.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parent.parent
CACHE: Final = ROOT / ".compat"

# kcat is linked against these; the rest of its closure is part of every Debian.
KCAT_PACKAGES: Final = ("kcat", "librdkafka1", "libyajl2", "liblz4-1", "libzstd1", "libsasl2-2")
# Short-lived processes on a small machine: start quickly, take little memory.
QUICK_JVM: Final = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xmx640m")
# KafkaJS takes codecs as plug-ins; these need no compiler. Others were tried and are not to be had:
# kafkajs-lz4 and @kafkajs/zstd build against old Node.js, lz4js writes dependent blocks, which Apache
# Kafka refuses, and @oneidentity/zstd-js compresses some bytes more than it was given.
NODE_PACKAGES: Final = ("kafkajs@2", "kafkajs-snappy@1", "lz4-napi@2", "@bokuweb/zstd-wasm@0")
SPARK_VERSION: Final = "3.5.7"
INSTALL_SECONDS_MAX: Final = 600


class CannotInstall(Exception):
    """A tool chain could not be installed; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Java:
    """How to run a class of Apache Kafka's, or of ours, on its jars."""

    classpath: str

    def command(
        self,
        main_class: str,
        *arguments: str,
        jvm: tuple[str, ...] = QUICK_JVM,
        options: tuple[str, ...] = (),
    ) -> list[str]:
        return [
            "java",
            *jvm,
            f"-Dlog4j2.configurationFile={HERE / 'java' / 'log4j2.properties'}",
            *options,
            *("-cp", self.classpath, main_class),
            *arguments,
        ]


def python_environment(name: str, *requirements: str) -> Path:
    """The interpreter of a virtual environment `name` with `requirements` installed in it."""
    home = CACHE / "python" / name
    interpreter = home / "bin" / "python"

    def make() -> None:
        _run([sys.executable, "-m", "venv", str(home)])
        _run([str(interpreter), "-m", "pip", "install", "--quiet", *requirements])

    _once(home, "\n".join((sys.version, *requirements)), make)
    return interpreter


def spark() -> tuple[Path, str]:
    """An interpreter with pyspark, and the jars of its Kafka connector, with commas."""
    _need("java", "mvn")
    interpreter = python_environment("spark", f"pyspark=={SPARK_VERSION}")
    jars = CACHE / "spark" / "jars"
    project = (HERE / "java" / "spark.xml").read_text().replace("SPARK_VERSION", SPARK_VERSION)

    def make() -> None:
        (jars.parent / "pom.xml").write_text(project)
        goal = ("dependency:copy-dependencies", f"-DoutputDirectory={jars}")
        _run(["mvn", "-q", "-B", *goal, "-DincludeScope=runtime"], cwd=jars.parent)

    _once(jars, project, make)
    return interpreter, ",".join(str(jar) for jar in sorted(jars.glob("*.jar")))


def node_modules() -> Path:
    """The directory of a Node.js project with KafkaJS and its codecs."""
    return node_project("node", *NODE_PACKAGES)


def node_project(name: str, *packages: str) -> Path:
    """The directory of a Node.js project with these packages."""
    _need("npm", "node")
    home = CACHE / name

    def make() -> None:
        home.mkdir(parents=True)
        (home / "package.json").write_text('{"private": true}\n')
        _run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *packages], cwd=home)

    _once(home, "\n".join(packages), make)
    return home


def sarama() -> Path:
    """Our driver of Sarama's client, compiled."""
    return _go_driver("sarama")


def franz() -> Path:
    """Our driver of franz-go's client, compiled."""
    return _go_driver("franz")


def _go_driver(name: str) -> Path:
    return go_program(name, HERE / "drivers" / name, "drive", HERE / "drivers" / "contract.go")


def go_program(name: str, source: Path, program: str, *shared: Path) -> Path:
    """`program`, compiled from `source`'s go.mod and main.go, and what it shares with others."""
    _need("go")
    home = CACHE / name
    files = [source / "go.mod", source / "main.go", *shared]

    def make() -> None:
        home.mkdir(parents=True)
        for file in files:
            shutil.copy(file, home / file.name)
        # Outside the module, or its packages would be taken for ours.
        scratch = CACHE / f"{name}-build"
        places = [f"GOPATH={scratch / 'path'}", f"GOCACHE={scratch / 'cache'}"]
        places.append("GOFLAGS=-modcacherw")
        _run(["env", *places, "go", "mod", "tidy"], cwd=home)
        _run(["env", *places, "go", "build", "-o", program, "."], cwd=home)
        shutil.rmtree(scratch)

    _once(home, "\n".join(file.read_text() for file in files), make)
    return home / program


def kcat() -> list[str]:
    """The command line that runs kcat: the machine's own, or Debian's package unpacked here."""
    installed = shutil.which("kcat") or shutil.which("kafkacat")
    if installed:
        return [installed]
    _need("apt-get", "dpkg")
    home = CACHE / "kcat"

    def make() -> None:
        home.mkdir(parents=True)
        _run(["apt-get", "download", *KCAT_PACKAGES], cwd=home)
        for package in sorted(home.glob("*.deb")):
            _run(["dpkg", "-x", str(package), str(home / "root")])
            package.unlink()

    _once(home, "\n".join(KCAT_PACKAGES), make)
    libraries = {str(found.parent) for found in (home / "root").rglob("*.so*")}
    path = ":".join(sorted(libraries))
    return ["env", f"LD_LIBRARY_PATH={path}", str(home / "root" / "usr" / "bin" / "kcat")]


def java() -> Java:
    """Apache Kafka's jars, and our driver compiled against them."""
    return _java("java", (HERE / "java" / "pom.xml").read_text(), "Drive.java")


def applications() -> Path:
    """The directory with the jars of Kafka Connect, MirrorMaker and Kafka Streams' examples."""
    return _jars("applications", (HERE / "java" / "applications.xml").read_text())


def old_java(release: str) -> Java:
    """The client jar of an old release, and the driver of such compiled against it."""
    project = (HERE / "java" / "pom-old.xml").read_text().replace("RELEASE", release)
    return _java(f"java-{release}", project, "DriveOld.java")


def old_broker(release: str) -> Java:
    """The jars of an old release's broker, and of ZooKeeper."""
    project = (HERE / "java" / "pom-old-broker.xml").read_text().replace("RELEASE", release)
    return Java(f"{_jars(f'broker-{release}', project)}/*")


def _java(name: str, project: str, driver: str) -> Java:
    _need("javac")
    jars = _jars(name, project)
    classes = CACHE / name / "classes"
    program = HERE / "drivers" / driver

    def compile_driver() -> None:
        classes.mkdir(parents=True)
        _run(["javac", "-nowarn", "-cp", f"{jars}/*", "-d", str(classes), str(program)])

    _once(classes, project + program.read_text(), compile_driver)
    return Java(f"{classes}:{jars}/*")


def _jars(name: str, project: str) -> Path:
    """The directory with what a Maven project needs at run time."""
    _need("java", "mvn")
    jars = CACHE / name / "jars"

    def copy_jars() -> None:
        # Maven writes its own files beside the project, so the project stands outside the tree.
        jars.parent.mkdir(parents=True, exist_ok=True)
        (jars.parent / "pom.xml").write_text(project)
        goal = (
            "dependency:copy-dependencies",
            f"-DoutputDirectory={jars}",
            "-DincludeScope=runtime",
        )
        _run(["mvn", "-q", "-B", *goal], cwd=jars.parent)

    _once(jars, project, copy_jars)
    return jars


def _once(made: Path, recipe: str, make: Callable[[], None]) -> None:
    """Run `make` unless `made` was made by the same recipe; a failed attempt leaves nothing."""
    stamp = made.with_name(made.name + ".recipe")
    if made.exists() and stamp.exists() and stamp.read_text() == recipe:
        return
    stamp.unlink(missing_ok=True)
    shutil.rmtree(made, ignore_errors=True)
    made.parent.mkdir(parents=True, exist_ok=True)
    print(f"installing {made.relative_to(ROOT)}", file=sys.stderr, flush=True)
    try:
        make()
    except CannotInstall:
        shutil.rmtree(made, ignore_errors=True)
        raise
    stamp.write_text(recipe)


def _need(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            raise CannotInstall(f"{program} is not on this machine")


def _run(command: list[str], cwd: Path | None = None) -> None:
    try:
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, timeout=INSTALL_SECONDS_MAX
        )
    except subprocess.TimeoutExpired:
        raise CannotInstall(f"{command[0]} took longer than {INSTALL_SECONDS_MAX} s") from None
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise CannotInstall(f"{' '.join(command[:3])}: {words[-1] if words else 'no output'}")
