"""The way of a process that dials its editor: from the pod to where the editor listens. Never listens here.

Xdebug works so. Whether an editor listens makes no difference to the process but for that: without one it is told so at
once, and goes on.
"""

from __future__ import annotations

from devcfg.runtime.debug.choice import Debugger
from devcfg.runtime.link.errors import RequestError
from devcfg.runtime.session.forward import Ports
from devcfg.runtime.session.reverse import Reverse, Say, parse_reverse
from devcfg.runtime.session.site import Site
from devcfg.runtime.session.steered import Steered
from devcfg.schemas.config import Service
from devcfg.schemas.errors import DevcfgError


class Dialling:
    """The tunnels of one service."""

    def __init__(self, spec: Service, stable: int, site: Site) -> None:
        """Take a service; `stable` is its own port on this machine."""
        self._spec = spec
        self._stable = stable
        self._site = site
        self._armed: set[Ports] = set()

    async def arm(self, found: Debugger, running: Steered) -> Ports:
        """Return the port that the process dials, and the local one that the editor is to listen on.

        The tunnel stays for as long as the service lives: a process that dialled on would find a port that takes its
        connection and never answers. Where pod and laptop are one machine the editor's port needs none.
        """
        for ports in map(parse_reverse, self._spec.reverse):
            if ports.remote == found.port:
                return ports
        ports = Ports(self._stable, found.port)
        if ports in self._armed or (self._site.shared and ports.local == ports.remote):
            return ports
        try:
            await running.process.ask(lambda agent: agent.listen(ports.remote))
        except RequestError as error:
            message = f"{found.adapter.debugger} cannot reach an editor: {error.message}"
            raise DevcfgError(message, hint="set another `debug.port`, or end what listens there") from error
        running.spawn(Reverse(ports, running.process.ask, _once(running.tell), running.degrade).run())
        self._armed.add(ports)
        return ports


def _once(say: Say) -> Say:
    """Return what says each thing once: every request of a program may dial an editor that does not listen."""
    said: set[str] = set()

    def tell(text: str) -> None:
        if text not in said:
            said.add(text)
            say(text)

    return tell
