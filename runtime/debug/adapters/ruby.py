"""rdbg, for Ruby: the gem `debug`, DAP and its own protocol on one port. Never greeted by a stranger.

The gem's versions of Ruby 3.1 end the program when a client leaves without a known greeting, so nobody asks: rdbg
itself prints that it listens.
"""

from __future__ import annotations

import re

from devcfg.runtime.debug.adapters.adapter import HOST, Adapter, Advice, Asking, Signs, Speaks, Wish, Written
from devcfg.runtime.debug.adapters.words import Words, take_apart

_PROGRAMS = ("ruby", "rackup", "rails", "puma", "thin", "falcon", "sidekiq")
_CLUSTERS = ("unicorn", "foreman", "overmind", "passenger")


def _flags(wish: Wish) -> Words:
    keeps = () if wish.wait else ("--nonstop",)
    return ("rdbg", "--open", *keeps, "--host", HOST, "--port", str(wish.port), "-c", "--")


def _rewrite(words: Words, wish: Wish) -> Written | Advice:
    started = take_apart(words)
    if started is None:
        return _advice(wish, "what it starts is not to be seen")
    if started.name not in _PROGRAMS:
        forks = "works in other processes than its own" if started.name in _CLUSTERS else "is not seen to be Ruby"
        return _advice(wish, f"`{started.program}` {forks}")
    if started.name == "puma" and any(word.startswith(("-w", "--workers")) for word in started.words):
        return _advice(wish, "`puma` with workers works in other processes than its own")
    cut = len(started.before)
    while cut and started.before[cut - 2 : cut] == ("bundle", "exec"):
        cut -= 2
    # rdbg stands before `bundle exec`, which becomes the program: so the gem need not be in the Gemfile.
    inner = (*started.before[cut:], started.program, *started.words)
    return Written((*started.before[:cut], *_flags(wish), *inner))


def _advice(wish: Wish, reason: str) -> Advice:
    return Advice(reason, f"[{', '.join(_flags(wish))}, ruby, app.rb]")


def _asking(_: Words) -> Asking:
    return Asking.NOTHING


ADAPTER = Adapter(
    name="ruby",
    debugger="rdbg",
    port=12345,
    needs="the gem `debug`, 1.6 or newer, in the container: `gem install debug`",
    signs=Signs(
        debugger=r"rdbg|-rdebug/\w+",
        program=rf"{'|'.join((*_PROGRAMS, *_CLUSTERS))}|rake",
        image=r"ruby|jruby|.*-ruby",
        files=r"Gemfile|Gemfile\.lock|config\.ru|Rakefile|.*\.rb|.*\.gemspec",
    ),
    ports=re.compile(r"--port[ =](\d+)"),
    announces=re.compile(r"Debugger can attach via TCP/IP \(\S*:(\d+)\)"),
    missing=re.compile(r"rdbg: (?:not found|command not found|No such file)|cannot load such file -- debug"),
    speaks=Speaks.DAP_ONCE,
    rewrite=_rewrite,
    asking=_asking,
)
