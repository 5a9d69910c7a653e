"""Which workflows there are: those of the definitions in force, and of modules named besides."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cuectl.engine.workflows.loading import Broken, Loaded, load_workflows
from cuectl.model.errors import InvalidFile, NotFound
from cuectl.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cuectl.engine.definitions_in_force import InForce
    from cuectl.engine.runtime import Runtime
    from cuectl.engine.workflows.registration import Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The workflows, with the definitions that they run in."""

    in_force: InForce
    loaded: Loaded

    @property
    def broken(self) -> list[Broken]:
        """The files that could not be loaded."""
        return self.loaded.broken

    def workflow(self, name: str) -> Workflow:
        """Return the workflow of a name; dashes stand for underscores.

        Raises:
            InvalidFile: there is none, and a file is broken that may have it.
            NotFound: there is none.
        """
        known = self.loaded.workflows
        for each in (name, name.replace("-", "_")):
            if each in known:
                return known[each]
        if self.broken:
            first = self.broken[0]
            message = f"no workflow '{name}', and a module is broken: {first.message}"
            raise InvalidFile(message, hint="see: cuectl workflow check")
        names = ", ".join(known) or "none"
        hint = f"there are: {names}"
        if not self.loaded.files:
            hint = "name modules under 'workflows' in ~/.cue/cue.yaml, or by --module"
        raise NotFound(f"no workflow '{name}'", hint=hint)


def definitions_for(runtime: Runtime, config: str | None) -> InForce:
    """Return the definitions in force, with those of a file over them.

    Raises:
        NotFound, InvalidFile: the file is missing or not valid.
    """
    from cuectl.engine.definitions_in_force import definitions_now, load_worker_file
    from cuectl.store.reading import open_reader

    reader = open_reader(runtime.existing_store)
    in_force = definitions_now(reader, runtime.home)
    return in_force if config is None else load_worker_file(config, in_force)


def catalogue(
    runtime: Runtime, modules: Sequence[str] = (), config: str | None = None
) -> Catalogue:
    """Load the workflows.

    Args:
        runtime: with the state directory, there or not.
        modules: more files or directories.
        config: a definition file that counts over the others.

    Raises:
        NotFound: a module is not there.
    """
    in_force = definitions_for(runtime, config)
    for module in modules:
        if not os.path.exists(module):
            raise NotFound(f"no file '{module}'")
    paths = [*in_force.definitions.workflows, *(os.path.abspath(each) for each in modules)]
    return Catalogue(in_force=in_force, loaded=load_workflows(paths))
