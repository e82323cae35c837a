#!/usr/bin/env python3
"""The registry of the property test: random profiles on one port, told what to be by its input.

Prints its port, then answers each line of its input with a line of JSON:
    run SEED STEP   takes that profile; says how to connect, and whether it is the last step
    proof           what the run was told: see ledger.py
    truth           {"tags": {repository: {tag: digest}}, "content": {digest: {manifests, labels}}}: now, and ever;
                    what was served in error has no manifests
Ends with its input.
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "registry"))
# pylint: disable=wrong-import-position
from faulty import server  # noqa: E402
from faulty.journal import Journal  # noqa: E402
from oci import DOCKER_CONFIG, OCI_CONFIG, OCI_INDEX, digest_of  # noqa: E402
from ledger import Ledger  # noqa: E402
from world import World  # noqa: E402


class Game:
    """One world at a time."""

    def __init__(self, registry, origins, ledger):
        self._registry = registry
        self._origins = origins
        self._ledger = ledger
        self._seed = None
        self._world = None

    def run(self, seed, step):
        if seed != self._seed:
            self._seed, self._world = seed, World(seed, self._origins)
        world = self._world
        self._registry.set(world.profile(step))
        self._ledger.begin()
        rules = [world.rules] if world.rules else sorted(world.named)
        user, password = world.credential
        return {"rules": rules, "user": user, "password": password, "last": step >= world.steps}

    def proof(self):
        return self._ledger.proof()

    def truth(self):
        content = self._registry.behaviour.content
        marks = {digest: {} for digest in self._ledger.bodies}
        for (repository, _), stored in content.ever.items():
            marks[digest_of(stored.body)] = mark_of(content, repository, stored)
        return {"tags": content.tags, "content": marks}


def leaves(content, repository, stored):
    """The manifests that an image is made of, attestations aside: [digest]."""
    try:
        children = json.loads(stored.body).get("manifests") or []
    except (ValueError, AttributeError, RecursionError):
        return [digest_of(stored.body)]
    found = []
    for child in children:
        below = content.ever.get((repository, child["digest"]))
        is_index = below is not None and below.media_type == OCI_INDEX and below is not stored
        found += leaves(content, repository, below) if is_index else [child["digest"]]
    return found or [digest_of(stored.body)]


def mark_of(content, repository, stored):
    """What tells an image from others: the manifests it is made of, and its labels."""
    below = leaves(content, repository, stored)
    labels = {}
    try:
        alone = below[0] == digest_of(stored.body)
        image = stored if alone else content.ever[repository, below[0]]
        config = json.loads(image.body)["config"]
        if config["mediaType"] in (OCI_CONFIG, DOCKER_CONFIG):
            labels = json.loads(content.config(repository, config))["config"]["Labels"]
    except (ValueError, KeyError, TypeError, RecursionError):
        pass   # an artifact, or something that cannot be read
    return {"manifests": below, "labels": labels}


def main():
    ledger = Ledger()
    registry, main_listener, other = server.start(Journal(None))
    registry.observe = ledger.observe
    game = Game(registry, {"base": main_listener.origin, "other": other.origin}, ledger)
    print(main_listener.server_address[1], flush=True)
    for line in sys.stdin:
        command, *numbers = line.split()
        answer = getattr(game, command)(*map(int, numbers))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
