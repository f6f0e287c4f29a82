"""`python -m ioc.broker.relock`: resolves Kafka's jars afresh and rewrites `jars.lock.toml` (for developers)."""

import hashlib
import tempfile
from pathlib import Path

from ioc.broker.jars import LOCK_FILE, Jar, JarLock, render_lock

__all__ = ["resolve_lock"]

KAFKA_VERSION = "4.3.1"
# Kafka's own POM binds slf4j to nothing, and without a binding the broker's complaints are lost.
_ENDPOINT = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}+org.slf4j:slf4j-simple:1.7.36"
_NEEDED_SCOPES = (None, "compile", "runtime")


def resolve_lock() -> JarLock:
    """Returns the lock of Kafka's run-time class path as the repositories give it today (network, about 20 s)."""
    from jgo.maven import MavenContext
    from jgo.parse import Endpoint

    with tempfile.TemporaryDirectory() as scratch:
        context = MavenContext(repo_cache=Path(scratch))
        wanted = [context.create_dependency(coordinate) for coordinate in Endpoint.parse(_ENDPOINT).coordinates]
        inputs, transitive = context.resolver.resolve(wanted)
        jars = []
        for dependency in (*inputs, *transitive):
            if dependency.scope in _NEEDED_SCOPES:
                content = dependency.artifact.resolve().read_bytes()
                coordinate = f"{dependency.groupId}:{dependency.artifactId}:{dependency.version}"
                digest = hashlib.sha256(content).hexdigest()
                jars.append(Jar(coordinate=coordinate, size_bytes=len(content), sha256=digest))
    return JarLock(kafka_version=KAFKA_VERSION, jars=tuple(jars))


if __name__ == "__main__":
    LOCK_FILE.write_text(render_lock(resolve_lock()), encoding="utf-8")
    print(f"wrote {LOCK_FILE}")
